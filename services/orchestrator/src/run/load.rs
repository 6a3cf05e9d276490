//! A run from its records: to show it, or to go on with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use gearmesh_api::journal::v1 as journal;
use gearmesh_store::{OpenRun, RunId, Shard, run_text, shard_of};
use gearmesh_workflow::{Dialect, Kind, Source, check};
use journal::record::Fact;

use crate::error::Error;
use crate::journal::{FULL_LOOK, settled};
use crate::plan::{Decided, Dispatch, Input, InstanceStatus, Phase, Resolved, State};
use crate::run::decide::decide;
use crate::run::places::Wish;
use crate::run::runs::Runs;
use crate::seal;

/// How long the runs of a start wait for the engines of their tools to join before they go
/// on without them: a restart of all processes takes less. One wait for all: a thousand runs
/// whose engine is gone must not keep the others from going on.
const ENGINES_WAIT: Duration = Duration::from_secs(30);

/// Runs that are read and rebuilt at once at a start.
const RESUMED_AT_ONCE: usize = 64;

/// Wait between two questions to a vault that is away.
const VAULT_LOOK: Duration = Duration::from_millis(500);

/// Wait before a store that does not say which runs are open is asked again.
const OPEN_LOOK: Duration = Duration::from_millis(200);

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

/// Takes up the runs of these shards that are open: at the start of a process that is alone,
/// or when another instance does not drive them any more.
pub(crate) async fn take_up(runs: Runs, shards: Vec<Shard>) {
    let read = async || {
        // Another clock may have been ahead of this one's.
        if let Some(newest) = runs.journal().last_run().await? {
            runs.ids().raise(newest);
        }
        runs.journal().open_runs_of(&shards).await
    };
    let open = loop {
        match read().await {
            Ok(open) => break open,
            Err(_) if runs.context().shutdown().is_cancelled() => return,
            Err(error) => {
                tracing::warn!(%error, "the open runs cannot be read");
                runs.context().clock().sleep(OPEN_LOOK).await;
            }
        }
    };
    take_up_these(runs, shards, open).await;
}

/// Takes up these runs of these shards. They were read before any other was accepted there:
/// a run of its own has its driver.
pub(crate) async fn take_up_these(runs: Runs, shards: Vec<Shard>, open: Vec<OpenRun>) {
    runs.context().ready().await;
    let waited = ENGINES_WAIT.as_micros();
    let waited = u64::try_from(waited).unwrap_or(u64::MAX);
    let until_us = runs.context().clock().monotonic_us().saturating_add(waited);
    let busy: BTreeSet<Shard> = open.iter().map(|open| shard_of(open.run)).collect();
    let (busy, free): (Vec<_>, Vec<_>) = shards.into_iter().partition(|s| busy.contains(s));
    for shard in free {
        runs.taken_up(shard);
    }
    // Each by itself: one that waits for its engines must not hold up the others.
    let resumed = open.into_iter().map(|open| {
        let runs = runs.clone();
        async move {
            if let Err(error) = resume_one(&runs, open.run, until_us).await {
                tracing::error!(run = %run_text(open.run), %error, "run cannot be taken up");
                if !matches!(error, Error::Stored { .. }) {
                    runs.context().spawn(take_up_again(runs.clone(), open.run));
                }
            }
        }
    });
    futures::stream::iter(resumed)
        .for_each_concurrent(RESUMED_AT_ONCE, |resume| resume)
        .await;
    for shard in busy {
        runs.taken_up(shard);
    }
}

/// Takes up a run whose driver could not go on: what became of its last write was not known,
/// or its shard was away for a moment.
pub(crate) async fn take_up_again(runs: Runs, id: RunId) {
    let clock = runs.context().clock().clone();
    loop {
        clock.sleep(OPEN_LOOK).await;
        if runs.context().shutdown().is_cancelled() || runs.shards().elsewhere(id).is_some() {
            return;
        }
        if runs.has(id) {
            return;
        }
        match resume_one(&runs, id, clock.monotonic_us()).await {
            Ok(()) => return,
            // It was never accepted.
            Err(Error::Stored { .. }) => return,
            Err(error) => {
                tracing::warn!(run = %run_text(id), %error, "run cannot be taken up yet");
            }
        }
    }
}

async fn resume_one(runs: &Runs, id: RunId, until_us: u64) -> Result<(), Error> {
    let mut records = crate::journal::records(runs.journal(), id).await?;
    // What is sealed in it changes neither whether it has ended nor which place it has.
    let known = state(run_text(id), &records)?;
    if known.ended() {
        // The crash fell between its last record and the list of open runs.
        return Ok(crate::journal::close(runs.journal(), id, &known).await?);
    }
    take_place(runs, id, &known);
    if !seal::is_sealed(&mut records) {
        return go_on(runs, id, known, records, until_us).await;
    }
    if unsealed(runs, id, &mut records, Some(until_us)).await {
        let state = state(run_text(id), &records)?;
        return go_on(runs, id, state, records, until_us).await;
    }
    // It keeps its place and goes on as soon as the vault answers; the others need not wait
    // for that.
    let owned = runs.clone();
    runs.context().spawn(async move {
        if !unsealed(&owned, id, &mut records, None).await {
            return;
        }
        let gone_on = match state(run_text(id), &records) {
            Ok(state) => go_on(&owned, id, state, records, until_us).await,
            Err(error) => Err(error),
        };
        // It may have got its place before it could be told.
        owned.admit_if_placed(id);
        if let Err(error) = gone_on {
            tracing::error!(run = %run_text(id), %error, "run cannot be taken up");
        }
    });
    Ok(())
}

/// Puts back what is sealed in the records of a run. The vault is waited for until an
/// instant of the monotonic clock, or as long as the process runs; false when it did not
/// answer.
async fn unsealed(
    runs: &Runs,
    id: RunId,
    records: &mut [journal::Record],
    until_us: Option<u64>,
) -> bool {
    let cx = runs.context();
    let run = run_text(id);
    let mut told = false;
    loop {
        let Err(cause) = seal::open(cx, &run, records).await else {
            return true;
        };
        let late = until_us.is_some_and(|until| cx.clock().monotonic_us() >= until);
        if late || cx.shutdown().is_cancelled() {
            return false;
        }
        if !told {
            told = true;
            tracing::warn!(run, error = cause.message(), "the run waits for the vault");
        }
        cx.clock().sleep(VAULT_LOOK).await;
    }
}

/// Notes the place that a run has, or waits for.
fn take_place(runs: &Runs, id: RunId, state: &State) {
    if let Some((key, limit)) = state.accepted.place.clone() {
        match state.phase {
            Phase::Queued => {
                let wish = Wish {
                    run: id,
                    limit,
                    priority: state.accepted.priority,
                    held: state.accepted.inherited.clone(),
                    queues: true,
                };
                runs.places(id).queue(&key, wish);
            }
            _ => runs.places(id).hold(&key, limit, id),
        }
    }
}

async fn go_on(
    runs: &Runs,
    id: RunId,
    mut state: State,
    mut records: Vec<journal::Record>,
    until_us: u64,
) -> Result<(), Error> {
    wait_for_engines(runs, &state, until_us).await;
    let lost = under_way(&state);
    let mut decided = Decided::default();
    let leaving = runs.context().shutdown().is_cancelled();
    decide(
        runs.context(),
        leaving,
        &mut state,
        [Input::Begin],
        &mut decided,
    );
    if !decided.records.is_empty() {
        let last = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let status = Some(state.status()).filter(|_| !state.ended());
        append(runs, id, &state, last, &decided.records, status).await?;
        records.append(&mut decided.records);
    }
    tracing::info!(run = %state.run, lost = lost.len(), "run taken up");
    runs.drive(id, state, records, decided.commands, lost);
    Ok(())
}

/// Appends what follows from taking a run up; a full store and a vault that is away are
/// waited out.
async fn append(
    runs: &Runs,
    id: RunId,
    state: &State,
    last: u32,
    records: &[journal::Record],
    status: Option<&str>,
) -> Result<(), Error> {
    let (cx, journal) = (runs.context(), runs.journal());
    let sealed = loop {
        match seal::records(cx, state, records).await {
            Ok(sealed) => break sealed,
            Err(cause) if cx.shutdown().is_cancelled() => {
                return Err(Error::Sealing(Box::new(cause)));
            }
            Err(_) => cx.clock().sleep(VAULT_LOOK).await,
        }
    };
    let count = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
    let mut doubt = false;
    loop {
        let appended = crate::journal::append(journal, id, state, last, &sealed, status).await;
        let why = appended.as_ref().err().map(ToString::to_string);
        if settled(cx, appended, last.saturating_add(count), &mut doubt)? {
            return Ok(());
        }
        tracing::error!(run = %state.run, why, "the run waits for the store");
        cx.clock().sleep(FULL_LOOK).await;
    }
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
                    epoch: 0,
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
        epoch: 0,
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
/// TOOL_NOT_FOUND only because it was quicker. It waits until an instant of the monotonic
/// clock.
async fn wait_for_engines(runs: &Runs, state: &State, until_us: u64) {
    let cx = runs.context();
    let missing = || {
        let catalog = cx.catalog();
        state.workflow.tasks.iter().any(|t| match &t.kind {
            Kind::Tool { name, .. } => catalog.get(name).is_none(),
            _ => false,
        })
    };
    let late = || cx.clock().monotonic_us() >= until_us;
    while missing() && !late() && !cx.shutdown().is_cancelled() {
        cx.clock().sleep(ENGINES_LOOK).await;
    }
}
