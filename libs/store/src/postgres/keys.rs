//! Runs whose keys another run had first.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;

use super::dedupe;
use crate::append::{Accepted, NewRun, RequestKey};
use crate::counts::Counters;
use crate::group::Losers;
use crate::run_id::RunId;

/// Those of the runs that have a request key, in the order of the table's key. A stable
/// sort: of two with one key, the first to come wins.
pub(super) fn keyed<'a>(new: &[&'a NewRun]) -> Vec<(&'a NewRun, &'a RequestKey)> {
    let request = |run: &&'a NewRun| run.request.as_ref().map(|request| (*run, request));
    let mut keyed: Vec<_> = new.iter().filter_map(request).collect();
    keyed.sort_by_key(|(run, request)| (&run.principal, &request.key));
    keyed
}

/// Inserts the keys in a transaction; answers who was not the first.
pub(super) async fn take(
    c: &mut PgConnection,
    counters: &Counters,
    new: &[&NewRun],
) -> Result<Losers, sqlx::Error> {
    let keyed = keyed(new);
    counters.statement();
    let first: Vec<RunId> = sqlx::query_scalar(
        "INSERT INTO request(principal, key, req_hash, run, created_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], $5::bigint[])
ON CONFLICT DO NOTHING RETURNING run",
    )
    .bind(
        keyed
            .iter()
            .map(|(r, _)| r.principal.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        keyed
            .iter()
            .map(|(_, q)| q.key.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        keyed
            .iter()
            .map(|(_, q)| q.hash.as_slice())
            .collect::<Vec<_>>(),
    )
    .bind(keyed.iter().map(|(r, _)| r.run).collect::<Vec<_>>())
    .bind(
        keyed
            .iter()
            .map(|(r, _)| r.created_at_ms)
            .collect::<Vec<_>>(),
    )
    .fetch_all(&mut *c)
    .await?;
    let first: HashSet<_> = first.into_iter().collect();
    let fresh = |run: &&&NewRun| run.request.is_none() || first.contains(&run.run);
    let mut deduped: Vec<_> = new
        .iter()
        .filter(fresh)
        .filter_map(|run| run.dedupe.as_ref().map(|key| (*run, key)))
        .collect();
    // In one order for all, so that two journals do not wait for each other.
    deduped.sort_by_key(|(run, dedupe)| (&run.workflow, &dedupe.key));
    let mut losers = Losers::new();
    // Repeats of a request have their answer; before these are read, the keys of those
    // that a dedupe key refuses must name the run that answers them.
    for (run, key) in deduped {
        if let Some(first) = dedupe::take(c, counters, run, key).await? {
            losers.insert(run.run, Accepted::Existing(first));
        }
    }
    let late: Vec<_> = new
        .iter()
        .filter(|run| !fresh(run))
        .map(|run| run.run)
        .collect();
    losers.extend(answers(c, counters, new, &late).await?);
    Ok(losers)
}

/// What those of the runs are answered whose request keys another run had first.
pub(super) async fn answers(
    c: &mut PgConnection,
    counters: &Counters,
    new: &[&NewRun],
    late: &[RunId],
) -> Result<Losers, sqlx::Error> {
    if late.is_empty() {
        return Ok(Losers::new());
    }
    let late: HashSet<_> = late.iter().collect();
    let keyed: Vec<_> = keyed(new)
        .into_iter()
        .filter(|(run, _)| late.contains(&run.run))
        .collect();
    counters.statement();
    let found: Vec<(i64, RunId, Vec<u8>)> = sqlx::query_as(
        "SELECT k.i, q.run, q.req_hash FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(principal, key, i)
JOIN request AS q ON q.principal = k.principal AND q.key = k.key",
    )
    .bind(keyed.iter().map(|(r, _)| r.principal.as_str()).collect::<Vec<_>>())
    .bind(keyed.iter().map(|(_, q)| q.key.as_str()).collect::<Vec<_>>())
    .fetch_all(c)
    .await?;
    // One that was purged in this very moment was a month old.
    if found.len() != keyed.len() {
        return Err(sqlx::Error::RowNotFound);
    }
    let mut losers = Losers::new();
    for (i, first, hash) in found {
        let at = usize::try_from(i - 1).ok().and_then(|i| keyed.get(i));
        if let Some((run, request)) = at {
            losers.insert(run.run, Accepted::by(first, hash == request.hash));
        }
    }
    Ok(losers)
}
