//! Records as rows of the store, and back.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use gearmesh_api::journal::v1 as journal;
use gearmesh_runtime::Context;
use gearmesh_store::{Append, Blob, End, Journal, Row, RunId, parse_run};
use journal::record::Fact;

use crate::error::Error;
use crate::hash::sha256;
use crate::plan::{Phase, State};

/// Format of the rows that this release writes.
const VERSION: u16 = 1;

/// Largest result within its row, in bytes; a larger one goes to the blobs, so
/// that replay reads small rows.
pub const INLINE_MAX: usize = 256 * 1024;

/// The number of a record's fact: its field number in the proto.
fn kind(record: &journal::Record) -> u16 {
    match &record.fact {
        None => 0,
        Some(Fact::Accepted(_)) => 2,
        Some(Fact::Leased(_)) => 3,
        Some(Fact::Ended(_)) => 4,
        Some(Fact::BackedOff(_)) => 5,
        Some(Fact::Expanded(_)) => 6,
        Some(Fact::Cancelling(_)) => 7,
        Some(Fact::Ignored(_)) => 8,
        Some(Fact::Closed(_)) => 9,
        Some(Fact::Admitted(_)) => 10,
        Some(Fact::Opened(_)) => 11,
        Some(Fact::Waiting(_)) => 12,
        Some(Fact::Signalled(_)) => 13,
        Some(Fact::Doubted(_)) => 14,
        Some(Fact::Decided(_)) => 15,
        Some(Fact::Entered(_)) => 16,
        Some(Fact::Paused(_)) => 17,
        Some(Fact::Resumed(_)) => 18,
    }
}

/// Rows of records, numbered from `first`; large results become blobs.
pub(crate) fn rows(records: &[journal::Record], first: u32) -> (Vec<Row>, Vec<Blob>) {
    let mut blobs = Vec::new();
    let rows = records
        .iter()
        .zip(first..)
        .map(|(record, n)| Row {
            n,
            v: VERSION,
            kind: kind(record),
            body: body(record, &mut blobs),
        })
        .collect();
    (rows, blobs)
}

fn body(record: &journal::Record, blobs: &mut Vec<Blob>) -> Bytes {
    match &record.fact {
        Some(Fact::Ended(ended)) if ended.result.len() > INLINE_MAX => {
            let bytes = ended.result.clone();
            let hash = sha256(&bytes);
            blobs.push(Blob { hash, bytes });
            let mut small = record.clone();
            if let Some(Fact::Ended(ended)) = &mut small.fact {
                ended.result = Bytes::new();
                ended.result_blob = Bytes::copy_from_slice(&hash);
            }
            small.encode_to_vec().into()
        }
        _ => record.encode_to_vec().into(),
    }
}

/// Wait before a full store is tried again.
pub(crate) const FULL_LOOK: Duration = Duration::from_secs(1);

/// Appends records behind row `last` and what follows from them for the lists.
pub(crate) async fn append(
    journal: &Journal,
    run: RunId,
    state: &State,
    last: u32,
    records: &[journal::Record],
    status: Option<&str>,
) -> Result<(), gearmesh_store::Error> {
    let (rows, blobs) = rows(records, last + 1);
    journal
        .append(Append {
            run,
            rows,
            status: status.map(str::to_owned),
            due_at_ms: state.due_ms(),
            end: end(state),
            blobs,
        })
        .await
}

/// What a write has come to: true once it is durable up to row `last`, false when it is to be
/// tried again. A store that is full or away is waited out: nothing was written, and calls
/// under way must not lose their answers. When the answer to a commit was lost (`doubt`), the
/// rows may be there, and the next try meets them.
pub(crate) fn settled(
    cx: &Context,
    written: Result<(), gearmesh_store::Error>,
    last: u32,
    doubt: &mut bool,
) -> Result<bool, gearmesh_store::Error> {
    use gearmesh_store::Error as Store;
    let stopping = cx.shutdown().is_cancelled();
    match written {
        Ok(()) => Ok(true),
        Err(Store::Gap { expected, .. }) if *doubt && expected == last.saturating_add(1) => {
            gearmesh_site::sometimes("journal.doubt-was-written");
            Ok(true)
        }
        Err(Store::Full | Store::Unavailable(_)) if !stopping => Ok(false),
        Err(Store::CommitUnknown) if !stopping => {
            *doubt = true;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Takes a run that ended with its first step out of the open ones.
pub(crate) async fn close(
    journal: &Journal,
    run: RunId,
    state: &State,
) -> Result<(), gearmesh_store::Error> {
    journal
        .append(Append {
            run,
            end: end(state),
            ..Append::default()
        })
        .await
}

/// How a run ended, for the lists; none while it is open.
fn end(state: &State) -> Option<End> {
    match state.phase {
        Phase::Ended(end) => Some(End {
            status: end.as_str().to_owned(),
            ended_at_ms: state.ended_ms.unwrap_or_default(),
        }),
        _ => None,
    }
}

/// How a run was accepted.
pub(crate) async fn accepted(
    cx: &Context,
    journal: &Journal,
    run: &str,
) -> Result<journal::Accepted, Error> {
    let unknown = || Error::RunNotFound(run.to_owned());
    let id = parse_run(run).ok_or_else(unknown)?;
    let first = crate::seal::read(cx, journal, id).await?.into_iter().next();
    match first.and_then(|record| record.fact) {
        Some(Fact::Accepted(accepted)) => Ok(accepted),
        _ => Err(unknown()),
    }
}

/// The records of a run, with large results put back.
pub(crate) async fn records(journal: &Journal, run: RunId) -> Result<Vec<journal::Record>, Error> {
    let rows = journal.rows(run).await?;
    let mut records = Vec::with_capacity(rows.len());
    for row in rows {
        let mut record =
            journal::Record::decode(row.body).map_err(|source| Error::Row { n: row.n, source })?;
        if let Some(Fact::Ended(ended)) = &mut record.fact
            && let Ok(hash) = <[u8; 32]>::try_from(ended.result_blob.as_ref())
        {
            let blob = journal.blob(&hash).await?;
            ended.result = blob.ok_or(Error::BlobMissing { n: row.n })?;
        }
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(result: Vec<u8>) -> journal::Record {
        journal::Record {
            time_ms: 1,
            fact: Some(Fact::Ended(journal::Ended {
                task: "a".into(),
                result: result.into(),
                ..journal::Ended::default()
            })),
        }
    }

    #[test]
    fn result_at_the_limit_stays_in_its_row_and_a_larger_one_does_not() {
        let (rows, blobs) = super::rows(
            &[
                ended(vec![b'1'; INLINE_MAX]),
                ended(vec![b'1'; INLINE_MAX + 1]),
            ],
            5,
        );
        assert_eq!(rows.iter().map(|r| r.n).collect::<Vec<_>>(), [5, 6]);
        assert!(rows[0].body.len() > INLINE_MAX && rows[1].body.len() < 100);
        assert_eq!(blobs.len(), 1);
    }
}
