//! The one statement that writes a group.
//!
//! A statement is a way to the server and back. So one does it all: it fences the group,
//! notes its id, takes the request keys and writes every table, and, being a transaction
//! by itself, commits. There is one text per set of tables that a group touches.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use sqlx::Arguments;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::QueryScalar;

use super::keys::keyed;
use crate::append::{End, NewRun, Row};
use crate::blob::Blob;
use crate::group::{Contents, Fence, Group};
use crate::run_id::{RunId, Shard, shard_of};

/// A part of the statement; `?` are its places, each for a list, and `{fresh}` is the
/// condition that a run has not lost against an earlier one with its request key.
type Part = &'static str;

/// Raises the numbers of the shards that are still owned, and notes the group's id. A
/// shard that is not owned leaves no outcome, which is NOT NULL: the error undoes all.
const FENCE: Part = "f AS (UPDATE shard AS s SET seq = s.seq + v.ops
FROM unnest(?::smallint[], ?::bigint[], ?::bigint[]) AS v(shard, epoch, ops)
WHERE s.shard = v.shard AND s.epoch = v.epoch RETURNING s.shard),
t AS (INSERT INTO txn(id, outcome) SELECT ?::bigint,
CASE WHEN (SELECT count(*) FROM f) = ?::bigint THEN 'committed' END)";

const KEYS: Part = "k AS MATERIALIZED (SELECT * FROM unnest(?::text[], ?::text[], ?::bytea[], ?::bigint[], ?::bigint[])
AS v(principal, key, req_hash, run, created_at)),
q AS (INSERT INTO request(principal, key, req_hash, run, created_at)
SELECT principal, key, req_hash, run, created_at FROM k ON CONFLICT DO NOTHING RETURNING run),
l AS MATERIALIZED (SELECT run FROM k WHERE run NOT IN (SELECT run FROM q))";

const PARTS: [Part; PARTS_LEN] = [
    KEYS,
    "b AS (INSERT INTO blob(hash, size, refs_day, bytes, crc)
SELECT DISTINCT ON (v.hash) v.hash, v.size, v.day, v.bytes, v.crc
FROM unnest(?::bytea[], ?::bigint[], ?::bigint[], ?::bytea[], ?::bigint[], ?::bigint[])
AS v(hash, size, day, bytes, crc, run){fresh} ORDER BY v.hash, v.day DESC
ON CONFLICT (hash) DO UPDATE SET refs_day = excluded.refs_day WHERE blob.refs_day < excluded.refs_day)",
    "r AS (INSERT INTO run(run, workflow, version, principal, created_at, deadline, crc, parent, status, ended_at, end_crc)
SELECT * FROM unnest(?::bigint[], ?::text[], ?::bigint[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[],
?::bigint[], ?::text[], ?::bigint[], ?::bigint[]) AS v(run){fresh})",
    "o AS (INSERT INTO open_run(run, shard, due_at, status)
SELECT * FROM unnest(?::bigint[], ?::smallint[], ?::bigint[], ?::text[]) AS v(run){fresh})",
    "j AS (INSERT INTO journal(run, n, v, kind, body, crc)
SELECT * FROM unnest(?::bigint[], ?::integer[], ?::integer[], ?::integer[], ?::bytea[], ?::bigint[]) AS v(run){fresh})",
    "d AS (UPDATE open_run AS o SET due_at = v.due_at, status = v.status
FROM unnest(?::bigint[], ?::bigint[], ?::text[]) AS v(run, due_at, status) WHERE o.run = v.run)",
    "e AS (UPDATE run AS r SET status = v.status, ended_at = v.ended_at, end_crc = v.crc
FROM unnest(?::bigint[], ?::text[], ?::bigint[], ?::bigint[]) AS v(run, status, ended_at, crc) WHERE r.run = v.run),
c AS (DELETE FROM open_run WHERE run = ANY(?::bigint[]))",
];
const PARTS_LEN: usize = 7;

/// Texts by the set of parts, a bit for each.
static TEXTS: [OnceLock<String>; 1 << PARTS_LEN] = [const { OnceLock::new() }; 1 << PARTS_LEN];

const MS_PER_DAY: i64 = 24 * 60 * 60 * 1000;
/// Bits of an id below its time.
const ID_TIME_SHIFT: u32 = 21;

fn text(parts: [bool; PARTS_LEN]) -> &'static str {
    let index = parts
        .iter()
        .rfold(0, |index, there| index << 1 | usize::from(*there));
    TEXTS[index].get_or_init(|| {
        let there = PARTS
            .iter()
            .zip(parts)
            .filter_map(|(part, there)| there.then_some(*part));
        let parts_: Vec<_> = std::iter::once(FENCE).chain(there).collect();
        let (fresh, losers) = if parts[0] {
            (
                " WHERE v.run NOT IN (SELECT run FROM l)",
                "SELECT run FROM l",
            )
        } else {
            ("", "SELECT shard::bigint FROM f WHERE false")
        };
        let bare = format!("WITH {} {losers}", parts_.join(",\n")).replace("{fresh}", fresh);
        let mut numbered = String::with_capacity(bare.len() + 64);
        let mut places = 0;
        for c in bare.chars() {
            if c == '?' {
                places += 1;
                numbered.push_str(&format!("${places}"));
            } else {
                numbered.push(c);
            }
        }
        numbered
    })
}

/// The lists of a statement, in the order of its places.
struct Lists(PgArguments);

/// Of the types that are added, none can fail to be encoded, but for a list above a
/// gigabyte.
type Encoded<T> = Result<T, sqlx::Error>;

impl Lists {
    fn add<'q, T>(&mut self, value: T) -> Encoded<&mut Self>
    where
        T: sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres>,
    {
        self.0.add(value).map_err(sqlx::Error::Encode)?;
        Ok(self)
    }

    fn list<'q, T, V>(&mut self, rows: &'q [T], value: impl Fn(&'q T) -> V) -> Encoded<&mut Self>
    where
        Vec<V>: sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres>,
    {
        self.add(rows.iter().map(value).collect::<Vec<_>>())
    }
}

/// The statement for a group; it answers the runs that lost. With `keys` it takes the
/// request keys, else `contents` is without the runs that lost.
pub(super) fn statement(
    id: i64,
    group: &Group<'_>,
    contents: &Contents<'_>,
    keys: bool,
) -> Encoded<QueryScalar<'static, Postgres, RunId, PgArguments>> {
    // In the order in which they came: of two with one key, the first wins.
    let new = if keys { group.new_runs() } else { Vec::new() };
    let keyed = keyed(&new);
    let blobs = once_each(&contents.blobs);
    let folded = Folded::of(contents);
    let mut lists = Lists(PgArguments::default());
    let fences: Vec<(Shard, Fence)> = group.fences.iter().map(|(s, f)| (*s, *f)).collect();
    lists
        .list(&fences, |(shard, _)| i16::from(*shard))?
        .list(&fences, |(_, fence)| fence.epoch)?
        .list(&fences, |(_, fence)| fence.ops)?
        .add(id)?
        .add(i64::try_from(fences.len()).unwrap_or(i64::MAX))?;
    if !keyed.is_empty() {
        lists
            .list(&keyed, |(r, _)| r.principal.as_str())?
            .list(&keyed, |(_, q)| q.key.as_str())?
            .list(&keyed, |(_, q)| q.hash.as_slice())?
            .list(&keyed, |(r, _)| r.run)?
            .list(&keyed, |(r, _)| r.created_at_ms)?;
    }
    add_blobs(&mut lists, &blobs)?;
    add_runs(&mut lists, &folded.runs)?;
    add_open(&mut lists, &folded.open)?;
    add_rows(&mut lists, &contents.rows)?;
    if !folded.dues.is_empty() {
        lists
            .list(&folded.dues, |(run, ..)| *run)?
            .list(&folded.dues, |(_, due, _)| *due)?
            .list(&folded.dues, |(.., status)| *status)?;
    }
    add_ends(&mut lists, &folded.ends)?;
    let text = text([
        !keyed.is_empty(),
        !blobs.is_empty(),
        !folded.runs.is_empty(),
        !folded.open.is_empty(),
        !contents.rows.is_empty(),
        !folded.dues.is_empty(),
        !folded.ends.is_empty(),
    ]);
    Ok(sqlx::query_scalar_with(text, lists.0))
}

/// What one statement may write: it touches no row twice, so a run that is new is written
/// as it stands at the group's end.
struct Folded<'a> {
    runs: Vec<(&'a NewRun, Option<&'a End>)>,
    open: Vec<(RunId, Option<i64>, &'a str)>,
    dues: Vec<(RunId, Option<i64>, &'a str)>,
    ends: Vec<(RunId, &'a End)>,
}

impl<'a> Folded<'a> {
    fn of(contents: &Contents<'a>) -> Self {
        let ends: BTreeMap<_, _> = contents.ends.iter().copied().collect();
        let dues = contents.dues.iter().map(|due| (due.0, *due));
        let dues: BTreeMap<_, _> = dues.collect();
        let new: BTreeMap<_, _> = contents.runs.iter().map(|r| (r.run, *r)).collect();
        let old = |run: &RunId| !new.contains_key(run);
        let first = |r: &&'a NewRun| (r.run, r.due_at_ms, r.status.as_str());
        Self {
            runs: new
                .values()
                .map(|r| (*r, ends.get(&r.run).copied()))
                .collect(),
            open: new
                .values()
                .filter(|r| !ends.contains_key(&r.run))
                .map(|r| dues.get(&r.run).copied().unwrap_or_else(|| first(r)))
                .collect(),
            dues: dues.values().filter(|due| old(&due.0)).copied().collect(),
            ends: ends
                .iter()
                .filter(|(run, _)| old(run))
                .map(|(r, e)| (*r, *e))
                .collect(),
        }
    }
}

/// One of each hash and run.
fn once_each<'a>(blobs: &[(RunId, &'a Blob)]) -> Vec<(RunId, &'a Blob)> {
    let mut blobs = blobs.to_vec();
    blobs.sort_by_key(|(run, blob)| (blob.hash, *run));
    blobs.dedup_by_key(|(run, blob)| (blob.hash, *run));
    blobs
}

fn add_blobs(lists: &mut Lists, blobs: &[(RunId, &Blob)]) -> Encoded<()> {
    let size = |blob: &Blob| i64::try_from(blob.bytes.len()).unwrap_or(i64::MAX);
    if !blobs.is_empty() {
        lists
            .list(blobs, |(_, blob)| blob.hash.as_slice())?
            .list(blobs, |(_, blob)| size(blob))?
            .list(blobs, |(run, _)| (run >> ID_TIME_SHIFT) / MS_PER_DAY)?
            .list(blobs, |(_, blob)| blob.bytes.as_ref())?
            .list(blobs, |(_, blob)| i64::from(blob.crc()))?
            .list(blobs, |(run, _)| *run)?;
    }
    Ok(())
}

fn add_runs(lists: &mut Lists, runs: &[(&NewRun, Option<&End>)]) -> Encoded<()> {
    if !runs.is_empty() {
        lists
            .list(runs, |(r, _)| r.run)?
            .list(runs, |(r, _)| r.workflow.as_str())?
            .list(runs, |(r, _)| i64::from(r.version))?
            .list(runs, |(r, _)| r.principal.as_str())?
            .list(runs, |(r, _)| r.created_at_ms)?
            .list(runs, |(r, _)| r.deadline_ms)?
            .list(runs, |(r, _)| i64::from(r.crc()))?
            .list(runs, |(r, _)| r.parent)?
            .list(runs, |(_, end)| end.map(|e| e.status.as_str()))?
            .list(runs, |(_, end)| end.map(|e| e.ended_at_ms))?
            .list(runs, |(r, end)| end.map(|e| i64::from(e.crc(r.run))))?;
    }
    Ok(())
}

fn add_open(lists: &mut Lists, open: &[(RunId, Option<i64>, &str)]) -> Encoded<()> {
    if !open.is_empty() {
        lists
            .list(open, |(run, ..)| *run)?
            .list(open, |(run, ..)| i16::from(shard_of(*run)))?
            .list(open, |(_, due, _)| *due)?
            .list(open, |(.., status)| *status)?;
    }
    Ok(())
}

fn add_rows(lists: &mut Lists, rows: &[(RunId, &Row)]) -> Encoded<()> {
    if !rows.is_empty() {
        lists
            .list(rows, |(run, _)| *run)?
            // Two thousand million rows of a run are never reached.
            .list(rows, |(_, row)| i32::try_from(row.n).unwrap_or(i32::MAX))?
            .list(rows, |(_, row)| i32::from(row.v))?
            .list(rows, |(_, row)| i32::from(row.kind))?
            .list(rows, |(_, row)| row.body.as_ref())?
            .list(rows, |(run, row)| i64::from(row.crc(*run)))?;
    }
    Ok(())
}

fn add_ends(lists: &mut Lists, ends: &[(RunId, &End)]) -> Encoded<()> {
    if !ends.is_empty() {
        lists
            .list(ends, |(run, _)| *run)?
            .list(ends, |(_, end)| end.status.as_str())?
            .list(ends, |(_, end)| end.ended_at_ms)?
            .list(ends, |(run, end)| i64::from(end.crc(*run)))?
            .list(ends, |(run, _)| *run)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_set_of_parts_has_a_text_of_its_own() {
        let mut texts = HashSet::new();
        for set in 0..1 << PARTS_LEN {
            let parts = std::array::from_fn(|i| set >> i & 1 == 1);
            let text = text(parts);
            assert!(texts.insert(text));
            assert!(!text.contains(['?', '{', '}']), "{text}");
            let places = PARTS.iter().zip(parts).filter(|(_, there)| *there);
            let places: usize = places.map(|(part, _)| part.matches('?').count()).sum();
            assert!(text.contains(&format!("${}", places + 5)), "{text}");
            assert!(!text.contains(&format!("${}", places + 6)), "{text}");
        }
    }
}
