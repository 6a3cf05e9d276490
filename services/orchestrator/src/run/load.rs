//! A run from its records: to show it, or to go on with it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use gearmesh_api::journal::v1 as journal;
use gearmesh_store::{OpenRun, RunId, run_text};
use gearmesh_workflow::{Dialect, Kind, Source, check};
use journal::record::Fact;

use crate::error::Error;
use crate::plan::{Decided, Dispatch, Input, InstanceStatus, Phase, Resolved, State};
use crate::run::decide::decide;
use crate::run::runs::Runs;

/// How long a run waits for the engines of its tools to join before it goes on
/// without them: a restart of all processes takes less.
const ENGINES_WAIT: Duration = Duration::from_secs(30);

/// Runs that are read and rebuilt at once at a start.
const RESUMED_AT_ONCE: usize = 64;

/// Wait between two looks at the catalogue.
const ENGINES_LOOK: Duration = Duration::from_millis(50);

/// The state that records lead to.
pub(crate) fn state(run: String, records: &[journal::Record]) -> Result<State, Error> {
    let stored = |reason: String| Error::Stored {
        run: run.clone(),
        reason,
    };
    let Some((time_ms, Fact::Accepted(accepted))) = records
        .first()
        .and_then(|r| r.fact.as_ref().map(|f| (r.time_ms, f)))
    else {
        return Err(stored("its first record is missing".to_owned()));
    };
    let source = Source {
        text: &accepted.source,
        file_name: &accepted.file_name,
        dialect: Some(Dialect::from_name(&accepted.dialect).unwrap_or(Dialect::Native)),
    };
    let checked = check(&source, None);
    let Some(workflow) = checked.workflow else {
        let first = checked.errors.first().map(|d| d.message.clone());
        return Err(stored(first.unwrap_or_default()));
    };
    let mut state = State::new(run, Arc::new(workflow), accepted, time_ms);
    for record in &records[1..] {
        state.fold(record);
    }
    Ok(state)
}

/// Takes up the runs that had not ended when the process before this one did.
/// `open` was read before this one accepted any: a run of its own has its driver.
pub(crate) async fn resume(runs: Runs, open: Vec<OpenRun>) {
    runs.context().ready().await;
    // Each by itself: one that waits for its engines must not hold up the others.
    let resumed = open.into_iter().map(|open| {
        let runs = runs.clone();
        async move {
            if let Err(error) = resume_one(&runs, open.run).await {
                tracing::error!(run = %run_text(open.run), %error, "run cannot be taken up");
            }
        }
    });
    futures::stream::iter(resumed)
        .for_each_concurrent(RESUMED_AT_ONCE, |resume| resume)
        .await;
    runs.set_resumed();
}

async fn resume_one(runs: &Runs, id: RunId) -> Result<(), Error> {
    let mut records = crate::journal::records(runs.journal(), id).await?;
    let mut state = state(run_text(id), &records)?;
    if state.ended() {
        // The crash fell between its last record and the list of open runs.
        return Ok(crate::journal::close(runs.journal(), id, &state).await?);
    }
    if let Some((key, limit)) = state.accepted.place.clone() {
        match state.phase {
            Phase::Queued => {
                let inherited = state.accepted.inherited.clone();
                let priority = state.accepted.priority;
                runs.places().queue(&key, limit, priority, id, inherited);
            }
            _ => runs.places().hold(&key, limit, id),
        }
    }
    wait_for_engines(runs, &state).await;
    let lost = under_way(&state);
    let mut decided = Decided::default();
    decide(runs.context(), &mut state, [Input::Begin], &mut decided);
    if !decided.records.is_empty() {
        let last = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let status = Some(state.status()).filter(|_| !state.ended());
        let (journal, new) = (runs.journal(), &decided.records);
        crate::journal::append(runs.context(), journal, id, &state, last, new, status).await?;
        records.append(&mut decided.records);
    }
    tracing::info!(run = %state.run, lost = lost.len(), "run taken up");
    runs.drive(id, state, records, decided.commands, lost);
    Ok(())
}

/// Attempts that were given out and have no end in the journal.
fn under_way(state: &State) -> Vec<Dispatch> {
    let mut lost = Vec::new();
    for (task, known) in state.tasks.iter().enumerate() {
        for (item, instance) in known.instances.iter().enumerate() {
            if instance.status == InstanceStatus::Leased {
                lost.push(Dispatch {
                    task,
                    item,
                    pass: instance.pass,
                    attempt: instance.attempt,
                    class: instance.class.clone(),
                    key: instance.key.clone(),
                    served_by: instance.served_by.clone(),
                    undo: false,
                    cache: None,
                    resolved: Resolved {
                        tool: instance.tool.clone(),
                        params: serde_json::Value::Null,
                        class: "",
                        key: None,
                    },
                });
            }
        }
    }
    let undoing = &state.undoing;
    let (Some((task, item)), Some(call)) = (
        undoing.order.get(undoing.at),
        undoing.call.as_ref().filter(|_| undoing.leased),
    ) else {
        return lost;
    };
    lost.push(Dispatch {
        task: *task,
        item: *item,
        pass: 1,
        attempt: undoing.attempt,
        class: call.class.clone(),
        key: call.key.clone(),
        served_by: call.served_by.clone(),
        undo: true,
        cache: None,
        resolved: Resolved {
            tool: call.tool.clone(),
            params: serde_json::Value::Null,
            class: "",
            key: None,
        },
    });
    lost
}

/// Engines in other processes join when they answer; a run must not fail with
/// TOOL_NOT_FOUND only because it was quicker.
async fn wait_for_engines(runs: &Runs, state: &State) {
    let cx = runs.context();
    let missing = || {
        let catalog = cx.catalog();
        state.workflow.tasks.iter().any(|t| match &t.kind {
            Kind::Tool { name, .. } => catalog.get(name).is_none(),
            _ => false,
        })
    };
    let mut waited = Duration::ZERO;
    while missing() && waited < ENGINES_WAIT && !cx.shutdown().is_cancelled() {
        cx.clock().sleep(ENGINES_LOOK).await;
        waited += ENGINES_LOOK;
    }
}
