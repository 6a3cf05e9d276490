//! What is sensitive in a journal lies in the vault, and its records hold references.
//!
//! Only what is written is sealed: in memory records are whole, so that nothing else knows
//! of it. What the vault answers once is sealed for good, since the same value in the same
//! scope has the same reference; a crash between it and the journal leaves no more than a
//! value that goes with its run.

use std::borrow::Cow;

use bytes::Bytes;
use tonic::Status;

use gearmesh_api::journal::v1 as journal;
use gearmesh_runtime::{Context, Seals};
use gearmesh_store::{Journal, RunId, run_text};
use gearmesh_workflow::Workflow;
use journal::record::Fact;

use crate::error::Error;
use crate::hash::sha256;
use crate::plan::State;
use crate::sensitive;

/// There is one tenant so far; it is bound all the same.
const TENANT: &str = "default";

/// Hex digits of a scope.
const SCOPE_DIGITS: usize = 32;

/// What a run, or a request whose repeats meet it, seals into.
pub(crate) fn scope(principal: &str, of: &str) -> String {
    let text = serde_json::json!([TENANT, principal, of]).to_string();
    let mut scope = hex::encode(sha256(text.as_bytes()));
    scope.truncate(SCOPE_DIGITS);
    scope
}

/// Whether runs of a workflow have something to seal.
pub(crate) fn has_any(workflow: &Workflow) -> bool {
    has_results(workflow) || has_inputs(workflow)
}

fn has_results(workflow: &Workflow) -> bool {
    workflow.tasks.iter().any(|task| task.sensitive)
}

fn has_inputs(workflow: &Workflow) -> bool {
    workflow.inputs.iter().any(|input| input.sensitive)
}

/// Records as they may be written: what is sensitive in them is sealed. The state has
/// taken them in.
///
/// # Errors
/// What the vault answered.
pub(crate) async fn records<'r>(
    cx: &Context,
    state: &State,
    records: &'r [journal::Record],
) -> Result<Cow<'r, [journal::Record]>, Status> {
    if !records.iter().any(|record| is_sensitive(state, record)) {
        return Ok(Cow::Borrowed(records));
    }
    let mut own = records.to_vec();
    let mut pieces = Vec::new();
    let mut places = Vec::new();
    for record in own.iter_mut().filter(|r| is_sensitive(state, r)) {
        for (value, sealed) in parts(record) {
            if !value.is_empty() {
                let before = pieces.len();
                split(&String::from_utf8_lossy(value), &mut pieces);
                places.push((value, sealed, pieces.len() - before));
            }
        }
    }
    let scope = scope(&state.accepted.principal, &state.run);
    let references = cx.seals().seal(&scope, &state.run, pieces, None).await?;
    let mut references = references.into_iter();
    for (value, sealed, count) in places {
        *value = Bytes::new();
        *sealed = references.by_ref().take(count).collect();
    }
    Ok(Cow::Owned(own))
}

/// As [`records`], for those of a start.
///
/// # Errors
/// ENGINE_UNAVAILABLE when the vault cannot keep them.
pub(crate) async fn accepted<'r>(
    cx: &Context,
    state: &State,
    all: &'r [journal::Record],
) -> Result<Cow<'r, [journal::Record]>, Error> {
    let sealed = records(cx, state, all).await;
    sealed.map_err(|cause| Error::Sealing(Box::new(cause)))
}

/// Whether something in records is sealed.
pub(crate) fn is_sealed(records: &mut [journal::Record]) -> bool {
    let mut parts = records.iter_mut().flat_map(parts);
    parts.any(|(_, sealed)| !sealed.is_empty())
}

/// Puts back what was sealed in the records of a run.
///
/// # Errors
/// What the vault answered.
pub(crate) async fn open(
    cx: &Context,
    run: &str,
    records: &mut [journal::Record],
) -> Result<(), Status> {
    let places = records.iter_mut().flat_map(parts);
    let places: Vec<_> = places.filter(|(_, sealed)| !sealed.is_empty()).collect();
    let references: Vec<_> = places.iter().flat_map(|(_, s)| s.iter().cloned()).collect();
    if references.is_empty() {
        return Ok(());
    }
    let mut pieces = cx.seals().unseal(run, &references).await?.into_iter();
    for (value, sealed) in places {
        let whole: String = pieces.by_ref().take(sealed.len()).collect();
        *value = whole.into();
        sealed.clear();
    }
    Ok(())
}

/// The records of a run, whole.
pub(crate) async fn read(
    cx: &Context,
    journal: &Journal,
    run: RunId,
) -> Result<Vec<journal::Record>, Error> {
    let mut records = crate::journal::records(journal, run).await?;
    let text = run_text(run);
    open(cx, &text, &mut records)
        .await
        .map_err(|cause| Error::Unsealing {
            run: text,
            cause: Box::new(cause),
        })?;
    Ok(records)
}

/// Forgets what was sealed for a run that never was, or is gone. What the vault does not
/// hear of now the sweep tells it.
pub(crate) async fn forget(cx: &Context, run: &str) {
    if let Err(status) = cx.seals().drop_run(run).await {
        tracing::debug!(
            run,
            error = status.message(),
            "sealed values not forgotten yet"
        );
    }
}

/// The values of a record that can be sealed, each with the references that stand for it.
fn parts(record: &mut journal::Record) -> Vec<(&mut Bytes, &mut Vec<String>)> {
    match &mut record.fact {
        Some(Fact::Accepted(accepted)) => vec![
            (&mut accepted.inputs, &mut accepted.sealed_inputs),
            (&mut accepted.vars, &mut accepted.sealed_vars),
            (&mut accepted.trigger, &mut accepted.sealed_trigger),
        ],
        Some(Fact::Ended(ended)) => vec![(&mut ended.result, &mut ended.sealed)],
        Some(Fact::Expanded(expanded)) => vec![(&mut expanded.items, &mut expanded.sealed)],
        Some(Fact::Signalled(signalled)) => vec![(&mut signalled.signal, &mut signalled.sealed)],
        _ => Vec::new(),
    }
}

fn is_sensitive(state: &State, record: &journal::Record) -> bool {
    let workflow = &state.workflow;
    match &record.fact {
        Some(Fact::Accepted(_)) => has_inputs(workflow),
        Some(Fact::Ended(ended)) => {
            !ended.result.is_empty() && is_secret(state, &ended.task, &ended.path)
        }
        Some(Fact::Signalled(signalled)) => is_secret(state, &signalled.task, &signalled.path),
        // The elements may be those of a sensitive result.
        Some(Fact::Expanded(_)) => has_any(workflow),
        _ => false,
    }
}

/// Whether a task's result is sensitive, or that of a task inside of it.
fn is_secret(state: &State, task: &str, path: &[u32]) -> bool {
    let workflow = &state.workflow;
    let task = match state.at(task, path) {
        Some(at) => Some(state.task(at)),
        None => workflow.tasks.iter().find(|t| t.id == task),
    };
    // Of a task that nobody knows nothing is known either.
    task.is_none_or(|task| sensitive::is_secret(workflow, task))
}

/// Cuts a text into pieces that the vault takes.
fn split(text: &str, pieces: &mut Vec<String>) {
    let mut rest = text;
    while rest.len() > Seals::VALUE_MAX {
        let at = rest.floor_char_boundary(Seals::VALUE_MAX);
        let (piece, after) = rest.split_at(at);
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces.push(rest.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        for text in [
            "x".repeat(Seals::VALUE_MAX),
            "x".repeat(Seals::VALUE_MAX + 1),
            format!("x{}", "ä".repeat(Seals::VALUE_MAX)),
            String::new(),
        ] {
            let mut pieces = Vec::new();
            split(&text, &mut pieces);
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|p| p.len() <= Seals::VALUE_MAX));
            assert_eq!(pieces.len(), text.len().div_ceil(Seals::VALUE_MAX).max(1));
        }
    }

    #[test]
    fn scopes_are_apart_for_everybody() {
        let all = [("a", "bc"), ("ab", "c"), ("a", "b"), ("", "abc")];
        let mut scopes: Vec<_> = all.iter().map(|(p, of)| scope(p, of)).collect();
        scopes.sort();
        scopes.dedup();
        assert_eq!(scopes.len(), all.len());
        assert!(scopes.iter().all(|s| s.len() == SCOPE_DIGITS));
    }
}
