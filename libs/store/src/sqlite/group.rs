//! Statements of a group commit.
//!
//! Each text that is sent is a hop to the connection's thread and back, which
//! costs about as much as a quick disk's flush. So all statements of a small
//! group, from BEGIN to COMMIT, are one text; there is one per shape of group.

use std::collections::HashSet;
use std::sync::OnceLock;

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::batch::{Args, Batch, SHAPES, SIZE_MAX};
use crate::append::{End, NewRun, Row};
use crate::blob::Blob;
use crate::counts::Counters;
use crate::error::{Error, Result};
use crate::group::{Contents, Fence};
use crate::run_id::RunId;

static REQUESTS: Batch = Batch::new(
    "INSERT INTO request(principal, key, req_hash, run, created_at) SELECT * FROM (",
    5,
    ") WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING RETURNING run",
);
static BLOBS: Batch = Batch::new(
    "INSERT INTO blob(hash, size, refs_day, bytes, crc) SELECT * FROM (",
    5,
    ") WHERE column1 IS NOT NULL
ON CONFLICT(hash) DO UPDATE SET refs_day = excluded.refs_day WHERE refs_day < excluded.refs_day",
);
static RUNS: Batch = Batch::new(
    "INSERT INTO run(run, workflow, version, principal, created_at, deadline, crc, parent) SELECT * FROM (",
    8,
    ") WHERE column1 IS NOT NULL",
);
static OPEN_RUNS: Batch = Batch::new(
    "INSERT INTO open_run(run, shard, due_at, status) SELECT * FROM (",
    4,
    ") WHERE column1 IS NOT NULL",
);
static ROWS: Batch = Batch::new(
    "INSERT INTO journal(run, n, v, kind, body, crc) SELECT * FROM (",
    6,
    ") WHERE column1 IS NOT NULL",
);
static DUES: Batch = Batch::new(
    "UPDATE open_run SET due_at = v.column2, status = v.column3 FROM (",
    3,
    ") AS v WHERE open_run.run = v.column1",
);
static ENDS: Batch = Batch::new(
    "UPDATE run SET status = v.column2, ended_at = v.column3, end_crc = v.column4 FROM (",
    4,
    ") AS v WHERE run.run = v.column1",
);
static CLOSED: Batch = Batch::new("DELETE FROM open_run WHERE run IN (", 1, ")");

/// Begins, and fails when another owner has taken the shard: `seq` is NOT NULL.
/// As an error it keeps the rest of the text from running.
const BEGIN: &str = "BEGIN IMMEDIATE;
UPDATE shard SET seq = CASE WHEN epoch = ? THEN seq + ? END WHERE shard = 0 RETURNING seq";
const FENCED_OFF: &str = "NOT NULL constraint failed: shard.seq";

/// Texts by shape: begun or not, then runs, rows, dues and ends.
static TEXTS: [OnceLock<String>; 2 * SHAPES.pow(4)] =
    [const { OnceLock::new() }; 2 * SHAPES.pow(4)];

const MS_PER_DAY: i64 = 24 * 60 * 60 * 1000;
/// Bits of an id below its time.
const ID_TIME_SHIFT: u32 = 21;

/// Begins the transaction, for a group that must ask something first.
pub(crate) async fn begin(
    c: &mut SqliteConnection,
    counters: &Counters,
    fence: Fence,
) -> Result<()> {
    let mut args = Args::default();
    args.int(fence.epoch).int(fence.ops);
    send(c, counters, BEGIN, args, true).await
}

/// Inserts the keys of those that have one; answers the runs whose key is new.
pub(crate) async fn requests(
    c: &mut SqliteConnection,
    counters: &Counters,
    runs: &[&NewRun],
) -> Result<HashSet<RunId>> {
    let mut keyed: Vec<_> = runs
        .iter()
        .filter_map(|r| r.request.as_ref().map(|request| (*r, request)))
        .collect();
    // A stable sort: of two with one key, the first to come wins.
    keyed.sort_by_key(|(r, request)| (&r.principal, &request.key));
    let mut new = HashSet::with_capacity(keyed.len());
    for chunk in keyed.chunks(SIZE_MAX) {
        let rows = REQUESTS
            .run(c, counters, chunk, |args, (r, request)| {
                args.text(&r.principal)
                    .text(&request.key)
                    .bytes(&request.hash);
                args.int(r.run).int(r.created_at_ms);
            })
            .await?;
        for row in rows {
            new.insert(row.try_get(0)?);
        }
    }
    Ok(new)
}

/// Writes a group and commits it. With a fence it begins as well.
pub(crate) async fn write(
    c: &mut SqliteConnection,
    counters: &Counters,
    mut fence: Option<Fence>,
    contents: &Contents<'_>,
) -> Result<()> {
    let Contents {
        runs,
        rows,
        blobs,
        dues,
        ends,
    } = contents;
    let many = [runs.len(), rows.len(), dues.len(), ends.len()]
        .iter()
        .any(|n| *n > SIZE_MAX);
    if let Some(fence) = fence.take_if(|_| many || !blobs.is_empty()) {
        begin(c, counters, fence).await?;
    }
    for chunk in blobs.chunks(SIZE_MAX) {
        BLOBS.run(c, counters, chunk, bind_blob).await?;
    }
    let (first, runs) = last_chunk(runs);
    for chunk in first {
        RUNS.run(c, counters, chunk, bind_run).await?;
        OPEN_RUNS.run(c, counters, chunk, bind_open_run).await?;
    }
    let (first, rows) = last_chunk(rows);
    for chunk in first {
        ROWS.run(c, counters, chunk, bind_row).await?;
    }
    let (first, dues) = last_chunk(dues);
    for chunk in first {
        DUES.run(c, counters, chunk, bind_due).await?;
    }
    let (first, ends) = last_chunk(ends);
    for chunk in first {
        ENDS.run(c, counters, chunk, bind_end).await?;
        CLOSED.run(c, counters, chunk, bind_closed).await?;
    }

    let mut args = Args::default();
    if let Some(fence) = fence {
        args.int(fence.epoch).int(fence.ops);
    }
    RUNS.bind(&mut args, runs, bind_run);
    OPEN_RUNS.bind(&mut args, runs, bind_open_run);
    ROWS.bind(&mut args, rows, bind_row);
    DUES.bind(&mut args, dues, bind_due);
    ENDS.bind(&mut args, ends, bind_end);
    CLOSED.bind(&mut args, ends, bind_closed);
    let text = text(
        fence.is_some(),
        [runs.len(), rows.len(), dues.len(), ends.len()],
    );
    send(c, counters, text, args, fence.is_some()).await
}

/// All chunks but the last, and the last.
fn last_chunk<T>(list: &[T]) -> (std::slice::Chunks<'_, T>, &[T]) {
    let full = list.len().saturating_sub(1) / SIZE_MAX * SIZE_MAX;
    let (first, last) = list.split_at(full);
    (first.chunks(SIZE_MAX), last)
}

/// The text for lists of these lengths, from BEGIN where it is `fenced`.
fn text(fenced: bool, lengths: [usize; 4]) -> &'static str {
    let shapes = lengths.map(Batch::shape);
    let index = shapes
        .iter()
        .fold(usize::from(fenced), |index, shape| index * SHAPES + shape);
    TEXTS[index].get_or_init(|| {
        let [runs, rows, dues, ends] = shapes;
        let parts = [
            RUNS.text(runs),
            OPEN_RUNS.text(runs),
            ROWS.text(rows),
            DUES.text(dues),
            ENDS.text(ends),
            CLOSED.text(ends),
        ];
        let begin = fenced.then_some(BEGIN);
        let parts: Vec<_> = begin
            .into_iter()
            .chain(parts.into_iter().flatten())
            .chain(["COMMIT"])
            .collect();
        parts.join(";\n")
    })
}

async fn send(
    c: &mut SqliteConnection,
    counters: &Counters,
    text: &'static str,
    args: Args,
    fenced: bool,
) -> Result<()> {
    const TAKEN: &str = "another owner has taken the shard";
    counters.statement();
    match args.query(text).fetch_all(c).await {
        Ok(held) if fenced && held.len() != 1 => Err(Error::Failed(TAKEN.to_owned())),
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(e)) if e.message() == FENCED_OFF => {
            Err(Error::Failed(TAKEN.to_owned()))
        }
        Err(e) => Err(e.into()),
    }
}

fn bind_run(args: &mut Args, r: &&NewRun) {
    args.int(r.run)
        .text(&r.workflow)
        .int(r.version)
        .text(&r.principal);
    args.int(r.created_at_ms)
        .maybe_int(r.deadline_ms)
        .int(r.crc())
        .maybe_int(r.parent);
}

fn bind_open_run(args: &mut Args, r: &&NewRun) {
    args.int(r.run)
        .int(0)
        .maybe_int(r.due_at_ms)
        .text(&r.status);
}

fn bind_row(args: &mut Args, (run, row): &(RunId, &Row)) {
    args.int(*run).int(row.n).int(row.v).int(row.kind);
    args.bytes(&row.body).int(row.crc(*run));
}

fn bind_blob(args: &mut Args, (run, blob): &(RunId, &Blob)) {
    let day = (run >> ID_TIME_SHIFT) / MS_PER_DAY;
    let size = i64::try_from(blob.bytes.len()).unwrap_or(i64::MAX);
    args.bytes(&blob.hash).int(size).int(day);
    args.bytes(&blob.bytes).int(blob.crc());
}

fn bind_due(args: &mut Args, (run, due_at_ms, status): &(RunId, Option<i64>, &str)) {
    args.int(*run).maybe_int(*due_at_ms).text(status);
}

fn bind_end(args: &mut Args, (run, end): &(RunId, &End)) {
    args.int(*run)
        .text(&end.status)
        .int(end.ended_at_ms)
        .int(end.crc(*run));
}

fn bind_closed(args: &mut Args, (run, _): &(RunId, &End)) {
    args.int(*run);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_chunk_is_never_empty_beside_others() {
        for (length, expected) in [
            (0, (0, 0)),
            (1, (0, 1)),
            (64, (0, 64)),
            (65, (1, 1)),
            (128, (1, 64)),
            (129, (2, 1)),
        ] {
            let list = vec![(); length];
            let (first, last) = last_chunk(&list);
            assert_eq!((first.len(), last.len()), expected, "{length}");
        }
    }

    #[test]
    fn small_group_is_one_text_from_begin_to_commit() {
        let text = text(true, [1, 1, 0, 0]);
        let verbs: Vec<_> = text
            .split(";\n")
            .map(|s| s.split(['(', ' ']).next().unwrap_or_default())
            .collect();
        assert_eq!(
            verbs,
            ["BEGIN", "UPDATE", "INSERT", "INSERT", "INSERT", "COMMIT"]
        );
    }

    #[test]
    fn each_shape_has_a_text_of_its_own() {
        let mut texts = HashSet::new();
        for fenced in [false, true] {
            for runs in [0, 1, 8, 64] {
                for rows in [0, 1, 8, 64] {
                    for dues in [0, 1, 8, 64] {
                        for ends in [0, 1, 8, 64] {
                            assert!(texts.insert(text(fenced, [runs, rows, dues, ends])));
                        }
                    }
                }
            }
        }
    }
}
