//! All runs of this process: those under way, and the last that ended.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use gearmesh_api::journal::v1 as journal;
use gearmesh_runtime::{Context, trace};
use gearmesh_store::{Journal, RunId, RunIds, Shard, parse_run, run_text, shard_of};

use crate::error::Error;
use crate::forward::Others;
use crate::plan::{Command, Dispatch, Input, Phase, State};
use crate::run::driver::Driver;
use crate::run::ended::Ended;
use crate::run::live::{INBOX, LOOKS, Live, Shown};
use crate::run::load;
use crate::run::places::Places;
use crate::run::shards::Shards;
use crate::seal;

/// How long a run may be open without being driven: between its acceptance and
/// its first step, or at a start until its turn to be taken up comes.
const TAKEN_UP_MAX: Duration = Duration::from_secs(60);

/// Wait between two looks.
const TAKEN_UP_LOOK: Duration = Duration::from_millis(10);

/// Wait between two looks at a run that another instance drives.
const ELSEWHERE_LOOK: Duration = Duration::from_millis(50);

/// All runs of this process.
#[derive(Debug, Clone)]
pub(crate) struct Runs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cx: Context,
    journal: Journal,
    ids: RunIds,
    shards: Shards,
    /// Who else shares the store.
    others: Option<Others>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    live: HashMap<RunId, Live>,
    ended: Ended,
}

/// Where a run stands.
#[derive(Debug)]
pub(crate) enum Standing {
    Live(Live),
    Ended(Arc<State>),
}

impl Runs {
    pub(crate) fn new(
        cx: Context,
        journal: Journal,
        ids: RunIds,
        shards: Shards,
        others: Option<Others>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                cx,
                journal,
                ids,
                shards,
                others,
                table: Mutex::default(),
            }),
        }
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    pub(crate) fn ids(&self) -> &RunIds {
        &self.inner.ids
    }

    pub(crate) fn others(&self) -> Option<&Others> {
        self.inner.others.as_ref()
    }

    pub(crate) fn shards(&self) -> &Shards {
        &self.inner.shards
    }

    /// The places of the concurrency keys whose runs lie in the shard of this one.
    pub(crate) fn places(&self, run: RunId) -> Arc<Places> {
        self.inner.shards.of_run(run).places
    }

    /// The fencing epoch of a run's calls.
    pub(crate) fn epoch(&self, run: RunId) -> u64 {
        let owned = self.inner.journal.owned();
        let epoch = owned.epoch(shard_of(run));
        epoch.map_or(0, i64::unsigned_abs)
    }

    /// Whether this run is driven here, or has just ended.
    pub(crate) fn has(&self, run: RunId) -> bool {
        self.in_memory(run).is_some()
    }

    /// The shards of which a run is driven here.
    pub(crate) fn driven(&self) -> BTreeSet<Shard> {
        let table = self.table();
        table.live.keys().map(|run| shard_of(*run)).collect()
    }

    /// Drops all that is known of a shard that is another's.
    pub(crate) fn forget(&self, shard: Shard) {
        self.inner.shards.lost(shard);
        let mut table = self.table();
        table.live.retain(|run, _| shard_of(*run) != shard);
    }

    pub(crate) fn context(&self) -> &Context {
        &self.inner.cx
    }

    /// Drives a run from here on. `records` are all that are durable.
    pub(crate) fn drive(
        &self,
        id: RunId,
        state: State,
        records: Vec<journal::Record>,
        commands: Vec<Command>,
        lost: Vec<Dispatch>,
    ) {
        let held = self.inner.shards.of_run(id);
        let (outbox, inbox) = mpsc::channel(INBOX);
        let (ask, looks) = mpsc::channel(LOOKS);
        let last = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let shown = Arc::new(Shown::new(records));
        let live = Live {
            inbox: outbox.clone(),
            looks: ask,
            shown: shown.clone(),
        };
        {
            let mut table = self.table();
            let driven = table.live.get(&id).is_some_and(|l| !l.inbox.is_closed());
            // Taken from this instance meanwhile, or taken up twice: one driver is enough.
            if driven || held.gone.is_cancelled() {
                return;
            }
            table.live.insert(id, live);
        }
        let origin = trace::Origin::of(&state.accepted.trace);
        let span = trace::run(&state.run, &state.workflow.name, &state.accepted.trace);
        let listed = if matches!(state.phase, Phase::Queued) {
            "queued"
        } else {
            "running"
        };
        let driver = Driver {
            cx: self.inner.cx.clone(),
            runs: self.clone(),
            journal: self.inner.journal.clone(),
            id,
            state,
            last,
            shown,
            last_records: Vec::new(),
            inbox,
            looks,
            outbox,
            under_way: HashMap::new(),
            asking: Vec::new(),
            listed,
            trace: origin.clone(),
            sent_us: 0,
            epoch: self.epoch(id),
            leave: held.leave,
            gone: held.gone,
        };
        self.inner.cx.spawn(origin.carry(span, async move {
            driver.recover(lost);
            driver.run(commands).await;
        }));
    }

    /// A run has ended, durably.
    pub(crate) fn finished(&self, id: RunId, state: State) {
        if let Some((key, _)) = state.accepted.place.clone() {
            self.leave_place(&key, id);
        }
        let mut table = self.table();
        table.live.remove(&id);
        table.ended.keep(id, Arc::new(state));
    }

    /// A run needs its place no more: those that get one by that begin.
    pub(crate) fn leave_place(&self, key: &str, id: RunId) {
        let next = self.places(id).leave(key, id);
        self.admit(next);
    }

    /// Tells a run that it has its place, when it got it before it was driven.
    pub(crate) fn admit_if_placed(&self, id: RunId) {
        if self.places(id).holds(id) {
            self.admit(vec![id]);
        }
    }

    /// Tells runs that they have got their place.
    pub(crate) fn admit(&self, runs: Vec<RunId>) {
        let table = self.table();
        for id in runs {
            if let Some(live) = table.live.get(&id).cloned() {
                self.inner
                    .cx
                    .spawn(async move { live.ask(Input::Admit).await });
            }
        }
    }

    /// Ends a run: `cancelling` once that is durable, or the status with which it had
    /// ended before.
    pub(crate) async fn cancel(&self, run: &str, force: bool) -> Result<String, Error> {
        match self.settled(run).await? {
            Standing::Live(live) if live.ask(Input::Cancel { force }).await => {
                Ok("cancelling".to_owned())
            }
            _ => match self.settled(run).await? {
                Standing::Ended(state) if state.ended() => Ok(state.status().to_owned()),
                _ => Err(Error::Stopping),
            },
        }
    }

    /// Gives a run an input, and waits until what follows from it is durable. A run that
    /// has ended stays as it is.
    pub(crate) async fn ask(&self, run: &str, input: Input) -> Result<(), Error> {
        match self.settled(run).await? {
            Standing::Live(live) if live.ask(input).await => Ok(()),
            // It ended meanwhile, or is driven here no more and has not heard of it.
            _ => match self.settled(run).await? {
                Standing::Ended(state) if state.ended() => Ok(()),
                _ => Err(Error::Stopping),
            },
        }
    }

    /// Looks at a run, whether it is under way or has ended.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        run: &str,
        look: impl Fn(&State) -> T + Clone + Send + 'static,
    ) -> Result<T, Error> {
        match self.standing(run).await? {
            Standing::Ended(state) => Ok(look(&state)),
            Standing::Live(live) => match live.look(look.clone()).await {
                Some(seen) => Ok(seen),
                // It ended between the question and the answer.
                None => match self.standing(run).await? {
                    Standing::Ended(state) => Ok(look(&state)),
                    Standing::Live(_) => Err(Error::Stopping),
                },
            },
        }
    }

    /// The runs under way.
    pub(crate) fn live(&self) -> Vec<(RunId, Live)> {
        let table = self.table();
        let mut live: Vec<_> = table.live.iter().map(|(id, l)| (*id, l.clone())).collect();
        live.sort_by_key(|(id, _)| *id);
        live
    }

    /// A run can no longer be driven as it was; it is read again from its journal, unless
    /// it has another owner.
    pub(crate) fn lost(&self, id: RunId) {
        self.table().live.remove(&id);
        if !self.inner.cx.shutdown().is_cancelled() && self.inner.shards.elsewhere(id).is_none() {
            let runs = self.clone();
            self.inner.cx.spawn(load::take_up_again(runs, id));
        }
    }

    /// A run is driven here no more; whoever comes next finds it in its journal.
    pub(crate) fn left(&self, id: RunId) {
        self.table().live.remove(&id);
    }

    /// Where a run stands.
    pub(crate) async fn standing(&self, run: &str) -> Result<Standing, Error> {
        let unknown = || Error::RunNotFound(run.to_owned());
        let id = parse_run(run).ok_or_else(unknown)?;
        if let Some(standing) = self.in_memory(id) {
            return Ok(standing);
        }
        // What has ended is the same for everybody; anything else its owner knows.
        if let Some(shard) = self.inner.shards.elsewhere(id) {
            let row = self.inner.journal.run(id).await?.ok_or_else(unknown)?;
            if row.ended_at_ms.is_none() {
                return Err(Error::Elsewhere(shard));
            }
        }
        let records = seal::read(&self.inner.cx, &self.inner.journal, id).await?;
        if records.is_empty() {
            return Err(unknown());
        }
        // It may have ended, or been taken up, while the store was read.
        if let Some(standing) = self.in_memory(id) {
            return Ok(standing);
        }
        let state = Arc::new(load::state(run_text(id), &records)?);
        if !state.ended() {
            // Open, but not taken up yet: true now, not to be kept.
            return Ok(Standing::Ended(state));
        }
        self.table().ended.keep(id, state.clone());
        Ok(Standing::Ended(state))
    }

    /// A run as it is written, wherever it is driven.
    pub(crate) async fn as_written(&self, run: &str) -> Result<State, Error> {
        let unknown = || Error::RunNotFound(run.to_owned());
        let id = parse_run(run).ok_or_else(unknown)?;
        let records = seal::read(&self.inner.cx, &self.inner.journal, id).await?;
        if records.is_empty() {
            return Err(unknown());
        }
        load::state(run_text(id), &records)
    }

    fn in_memory(&self, id: RunId) -> Option<Standing> {
        let table = self.table();
        if let Some(live) = table.live.get(&id) {
            return Some(Standing::Live(live.clone()));
        }
        table.ended.find(id).map(Standing::Ended)
    }

    /// Where a run stands, once the runs of the last start have been taken up.
    pub(crate) async fn settled(&self, run: &str) -> Result<Standing, Error> {
        if let Some(id) = parse_run(run) {
            // A run that is driven already need not wait for those that are not yet.
            if let Some(standing) = self.in_memory(id) {
                return Ok(standing);
            }
            self.inner.shards.settled(id).await;
        }
        self.standing(run).await
    }

    /// All that were open in a shard have been taken up: those that wait find who has the
    /// places.
    pub(crate) fn taken_up(&self, shard: Shard) {
        if let Some(held) = self.inner.shards.of(shard) {
            let next = held.places.admit_all();
            self.admit(next);
        }
        self.inner.shards.taken_up(shard);
    }

    /// Waits until the runs that were open in the shards that are here have been taken up.
    pub(crate) async fn resumed(&self) {
        self.inner.shards.all_settled().await;
    }

    /// Waits until a run has ended.
    pub(crate) async fn wait(&self, run: &str) -> Result<Arc<State>, Error> {
        let mut waited = Duration::ZERO;
        loop {
            let settled = match self.settled(run).await {
                Err(Error::Elsewhere(_)) => {
                    if self.context().shutdown().is_cancelled() {
                        return Err(Error::Stopping);
                    }
                    // What its owner writes is seen in the store.
                    self.context().clock().sleep(ELSEWHERE_LOOK).await;
                    continue;
                }
                settled => settled?,
            };
            match settled {
                Standing::Ended(state) if !state.ended() => {
                    // Accepted a moment ago, or about to be taken up.
                    if self.context().shutdown().is_cancelled() || waited >= TAKEN_UP_MAX {
                        return Err(Error::Stopping);
                    }
                    self.context().clock().sleep(TAKEN_UP_LOOK).await;
                    waited += TAKEN_UP_LOOK;
                }
                Standing::Ended(state) => return Ok(state),
                Standing::Live(live) => {
                    let shutdown = self.context().shutdown();
                    tokio::select! {
                        () = live.closed() => {}
                        () = shutdown.cancelled() => return Err(Error::Stopping),
                    }
                }
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        (self.inner.table.lock()).unwrap_or_else(PoisonError::into_inner)
    }
}
