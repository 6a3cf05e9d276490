//! The last step of a start: the run becomes durable and goes.

use std::sync::Arc;
use std::time::Duration;

use gearmesh_api::journal::v1 as journal;
use gearmesh_store::{Accepted, Blob, Dedupe, NewRun, RequestKey, Row, RunId, parse_run, run_text};
use journal::record::Fact;

use crate::error::Error;
use crate::plan::{Decided, Input, State, millis};
use crate::run::decide::decide;
use crate::run::part;
use crate::run::runs::Runs;
use crate::run::start::{Placed, Prepared, Start};
use crate::seal;

impl Start {
    /// Makes the run durable and sets it going.
    pub(super) async fn accept(
        &self,
        runs: &Runs,
        mut prepared: Prepared,
        placed: Placed,
    ) -> Result<String, Error> {
        let cx = runs.context();
        let now_ms = cx.clock().now_ms();
        let id = prepared.id;
        let run = run_text(id);
        prepared.accepted.queued = !matches!(placed, Placed::Begins);
        if !prepared.accepted.queued {
            // Of one that waits for its place the time counts from its admission.
            let timeout = prepared.workflow.timeout;
            prepared.accepted.deadline_ms = timeout.map(|t| now_ms.saturating_add(millis(t)));
        }
        let mut decided = Decided::default();
        if let Some(part) = &self.part {
            prepared.accepted.reuses = part.run.clone();
            let workflow = &prepared.accepted.workflow;
            let principal = self.principal();
            prepared.accepted.passes_before =
                part::admitted(runs, part, workflow, principal, self.mock).await?;
        }
        let workflow = Arc::new(prepared.workflow);
        let mut state = State::new(run.clone(), workflow, &prepared.accepted, now_ms);
        decided.records.push(journal::Record {
            time_ms: now_ms,
            fact: Some(Fact::Accepted(prepared.accepted)),
        });
        if let Some(part) = &self.part {
            let reused = part::records(runs, part, &mut state, now_ms).await?;
            decided.records.extend(reused);
        }
        let first = match placed {
            Placed::Skipped => Input::Skip,
            _ => Input::Begin,
        };
        let leaving = cx.shutdown().is_cancelled();
        decide(cx, leaving, &mut state, [first], &mut decided);
        let written = seal::accepted(cx, &state, &decided.records).await?;
        let (rows, blobs) = crate::journal::rows(&written, 1);
        let new = self.row(id, &state, now_ms, rows, blobs);
        let accepted = match runs.journal().accept(new).await {
            Ok(accepted) => accepted,
            Err(error) => {
                if in_doubt(&error) {
                    // It may be there, and then somebody must drive it.
                    runs.lost(id);
                }
                return Err(error.into());
            }
        };
        match accepted {
            Accepted::New if state.ended() => {
                crate::journal::close(runs.journal(), id, &state).await?;
                runs.finished(id, state);
            }
            Accepted::New => {
                runs.drive(id, state, decided.records, decided.commands, Vec::new());
            }
            Accepted::Existing(_) | Accepted::KeyReused(_) => {}
        }
        if let (Accepted::New, Placed::Queued { cancels }) = (&accepted, placed) {
            // It may have got its place before it could be told.
            runs.admit_if_placed(id);
            for holder in cancels {
                cancel_soon(runs, run_text(holder));
            }
        }
        self.answered(accepted, run)
    }

    /// The run that answers the request.
    fn answered(&self, accepted: Accepted, run: String) -> Result<String, Error> {
        match accepted {
            Accepted::New => Ok(run),
            Accepted::Existing(first) => Ok(run_text(first)),
            Accepted::KeyReused(first) => Err(Error::KeyReused {
                key: self.key.clone().unwrap_or_default(),
                run: run_text(first),
            }),
        }
    }

    /// What the store keeps of it beside its records.
    fn row(
        &self,
        id: RunId,
        state: &State,
        now_ms: i64,
        rows: Vec<Row>,
        blobs: Vec<Blob>,
    ) -> NewRun {
        NewRun {
            run: id,
            workflow: state.workflow.name.clone(),
            version: state.accepted.version,
            principal: self.principal().to_owned(),
            parent: self.above.as_ref().and_then(|a| parse_run(&a.parent.run)),
            request: self.key.as_ref().map(|key| RequestKey {
                key: key.clone(),
                hash: self.hash(),
            }),
            dedupe: self.dedupe(&state.workflow).map(|(key, window_ms)| Dedupe {
                key,
                until_ms: now_ms.saturating_add(window_ms),
            }),
            created_at_ms: now_ms,
            deadline_ms: state.accepted.deadline_ms,
            rows,
            due_at_ms: state.due_ms(),
            status: state.status().to_owned(),
            blobs,
        }
    }
}

/// Whether a run may be durable although its acceptance failed.
fn in_doubt(error: &gearmesh_store::Error) -> bool {
    use gearmesh_store::Error as Store;
    matches!(error, Store::CommitUnknown | Store::Unavailable(_))
}

/// Tries to end a run that has a place may take, and the time between two of them: it may
/// have been accepted a moment ago.
const CANCELS_MAX: u32 = 50;
const CANCEL_AGAIN: Duration = Duration::from_millis(100);

/// Ends a run that has the place of another, which waits for it.
fn cancel_soon(runs: &Runs, holder: String) {
    let owned = runs.clone();
    runs.context().spawn(async move {
        for _ in 0..CANCELS_MAX {
            match owned.cancel(&holder, false).await {
                Ok(_) => return,
                Err(error) => tracing::debug!(run = %holder, %error, "not ended yet"),
            }
            owned.context().clock().sleep(CANCEL_AGAIN).await;
        }
        tracing::warn!(run = %holder, "a run that has the place of another cannot be ended");
    });
}
