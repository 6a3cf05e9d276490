//! The life of one run: inputs in, records durable, calls out.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use gearmesh_api::journal::v1 as journal;
use gearmesh_runtime::{Context, trace};
use gearmesh_store::{Journal, RunId};
use gearmesh_workflow::Dialect;

use crate::plan::{Answer, Command, Decided, Dispatch, Input, InstanceStatus, StartChild, State};
use crate::run::attempt::{self, Setting};
use crate::run::children::{self, Above};
use crate::run::decide::decide;
use crate::run::listen;
use crate::run::live::{Look, Message, Shown};
use crate::run::runs::Runs;

/// Inputs taken into one commit at most.
const BATCH_MAX: usize = 256;

/// After the first answer, others that are about to come are waited for this
/// long, so that one commit carries them all. Only while calls are under way
/// that were sent within [`FRESH_US`].
const GATHER_US: u64 = 200;

/// Calls sent longer ago than this are not about to answer.
const FRESH_US: u64 = 2_000;

/// Retries that the http engine makes by itself for Oktyv tasks without a policy.
const OKTYV_RETRIES: u32 = 3;

/// A run under way.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) cx: Context,
    pub(crate) runs: Runs,
    pub(crate) journal: Journal,
    pub(crate) id: RunId,
    pub(crate) state: State,
    /// Number of the last durable row.
    pub(crate) last: u32,
    pub(crate) shown: Arc<Shown>,
    /// The records that ended the run, durable and not shown yet.
    pub(crate) last_records: Vec<journal::Record>,
    pub(crate) inbox: mpsc::Receiver<Message>,
    /// Apart from the inbox: they are answered also while nothing can be written.
    pub(crate) looks: mpsc::Receiver<Look>,
    pub(crate) outbox: mpsc::Sender<Message>,
    /// What ends the calls under way, the listening and the waiting for other runs, by
    /// task and item.
    pub(crate) under_way: HashMap<(usize, usize), CancellationToken>,
    /// Who is told once what they wanted is durable.
    pub(crate) asking: Vec<oneshot::Sender<()>>,
    /// What the lists show of the run.
    pub(crate) listed: &'static str,
    /// The trace of the call that started the run.
    pub(crate) trace: trace::Origin,
    /// When calls were last sent out, on the monotonic clock.
    pub(crate) sent_us: u64,
    /// Fencing epoch of its calls.
    pub(crate) epoch: u64,
    /// Cancelled when nothing further is to be started here.
    pub(crate) leave: CancellationToken,
    /// Cancelled when nothing can be written here any more.
    pub(crate) gone: CancellationToken,
}

impl Driver {
    /// Drives the run until it has ended, or until the process drains.
    pub(crate) async fn run(mut self, commands: Vec<Command>) {
        self.carry_out(commands);
        let gone = self.gone.clone();
        // The calls under way are dropped with it: what they answer nobody may write.
        let abandoned = tokio::select! {
            biased;
            () = gone.cancelled() => true,
            () = self.go_on() => false,
        };
        if abandoned {
            gearmesh_site::sometimes("run.abandoned");
            tracing::info!(run = %self.state.run, "run left to another instance");
            self.drop_calls();
        }
        if abandoned {
            return;
        }
        if self.state.ended() {
            // Who is woken by the last records must find the run among the ended ones.
            self.runs.finished(self.id, self.state);
            self.shown.publish(self.last_records);
        } else {
            self.runs.left(self.id);
        }
    }

    async fn go_on(&mut self) {
        let mut batch = Vec::new();
        while !self.state.ended() {
            if !self.next(&mut batch).await {
                return;
            }
            let mut inputs = self.gather(&mut batch).await;
            // A busy inbox must not keep instants from coming.
            let due = self
                .state
                .due_ms()
                .is_some_and(|d| d <= self.cx.clock().now_ms());
            if due && !inputs.iter().any(|i| matches!(i, Input::Due)) {
                inputs.push(Input::Due);
            }
            if !inputs.is_empty() && !self.step(inputs).await {
                return;
            }
            for answer in self.asking.drain(..) {
                // Who asked may have left.
                let _ = answer.send(());
            }
        }
    }

    /// Waits for something to happen; false when the process drains.
    async fn next(&mut self, batch: &mut Vec<Message>) -> bool {
        let due = self.state.due_ms();
        let cx = self.cx.clone();
        let timer = async {
            match due {
                Some(due) => {
                    let wait = u64::try_from(due - cx.clock().now_ms()).unwrap_or_default();
                    cx.clock().sleep(Duration::from_millis(wait)).await;
                }
                None => std::future::pending().await,
            }
        };
        let leave = self.leave.clone();
        // Neither may starve the other.
        for _ in 0..BATCH_MAX {
            let Ok(look) = self.looks.try_recv() else {
                break;
            };
            look(&self.state);
        }
        tokio::select! {
            biased;
            received = self.inbox.recv_many(batch, BATCH_MAX) => received > 0,
            Some(look) = self.looks.recv() => {
                look(&self.state);
                true
            }
            () = timer => {
                batch.push(Message::Input(Input::Due));
                true
            }
            () = leave.cancelled() => self.drain(batch).await,
        }
    }

    /// The process stops: nothing new is started here. Calls under way may still
    /// answer; what does not is found leased at the next start.
    async fn drain(&mut self, batch: &mut Vec<Message>) -> bool {
        if self.state.leased == 0 {
            return false;
        }
        loop {
            tokio::select! {
                biased;
                received = self.inbox.recv_many(batch, BATCH_MAX) => return received > 0,
                Some(look) = self.looks.recv() => look(&self.state),
            }
        }
    }

    /// Takes together the inputs that come within a moment of each other.
    async fn gather(&mut self, batch: &mut Vec<Message>) -> Vec<Input> {
        let mut inputs = Vec::new();
        self.sort(batch, &mut inputs);
        let started = self.cx.clock().monotonic_us();
        let fresh = started.saturating_sub(self.sent_us) < FRESH_US;
        while fresh && !inputs.is_empty() && inputs.len() < self.state.leased {
            tokio::task::yield_now().await;
            while batch.len() < BATCH_MAX
                && let Ok(message) = self.inbox.try_recv()
            {
                batch.push(message);
            }
            self.sort(batch, &mut inputs);
            if self.cx.clock().monotonic_us().saturating_sub(started) > GATHER_US {
                break;
            }
        }
        inputs
    }

    fn sort(&mut self, batch: &mut Vec<Message>, inputs: &mut Vec<Input>) {
        for message in batch.drain(..) {
            match message {
                Message::Input(input) => inputs.push(input),
                Message::Ask(input, answer) => {
                    inputs.push(input);
                    self.asking.push(answer);
                }
            }
        }
    }

    /// Decides, makes it durable, tells the watchers, carries it out.
    async fn step(&mut self, inputs: Vec<Input>) -> bool {
        let mut decided = Decided::default();
        let leaving = self.leave.is_cancelled();
        decide(&self.cx, leaving, &mut self.state, inputs, &mut decided);
        if decided.records.is_empty() {
            self.carry_out(decided.commands);
            return true;
        }
        if let Err(error) = self.commit(&decided.records).await {
            // Nothing was acknowledged; the run goes on from its last durable row
            // when the store is opened again.
            tracing::error!(run = %self.state.run, %error, "run stopped: its journal cannot be written");
            self.drop_calls();
            self.runs.lost(self.id);
            return false;
        }
        if self.state.ended() {
            self.last_records = decided.records;
            return true;
        }
        self.shown.publish(decided.records);
        self.carry_out(decided.commands);
        true
    }

    /// Ends the calls under way: what they answer cannot be written. What else is waited for
    /// goes on by itself, above all the runs of sub-workflows.
    fn drop_calls(&self) {
        for ((task, item), token) in &self.under_way {
            let known = self
                .state
                .tasks
                .get(*task)
                .and_then(|t| t.instances.get(*item));
            let leased = known.is_some_and(|i| i.status == InstanceStatus::Leased);
            if leased || self.state.undoing.leased {
                token.cancel();
            }
        }
    }

    fn carry_out(&mut self, commands: Vec<Command>) {
        self.forget_ended();
        // First: what the same step gave out must not begin.
        let aborted = commands.iter().any(|c| matches!(c, Command::Abort));
        for command in commands {
            match command {
                Command::Dispatch(dispatch) => self.dispatch(*dispatch, aborted),
                Command::Abort => self.under_way.values().for_each(CancellationToken::cancel),
                Command::AbortOne { task, item } | Command::CancelChild { task, item } => {
                    if let Some(token) = self.under_way.get(&(task, item)) {
                        token.cancel();
                    }
                }
                Command::StartChild(child) => self.start_child(*child),
                Command::Listen {
                    task,
                    item,
                    topic,
                    since_ms,
                } => {
                    let abort = self.begin(task, item);
                    let (runs, outbox) = (self.runs.clone(), self.outbox.clone());
                    self.cx.spawn(async move {
                        let nobody = outbox.clone();
                        tokio::select! {
                            () = listen::listen(&runs, (task, item), &topic, since_ms, outbox, abort) => {}
                            () = nobody.closed() => {}
                        }
                    });
                }
            }
        }
    }

    /// Ends the listening and the waiting for what has ended meanwhile.
    fn forget_ended(&mut self) {
        let state = &self.state;
        self.under_way.retain(|(task, item), token| {
            let known = state.tasks.get(*task).and_then(|t| t.instances.get(*item));
            let alive = known.is_some_and(|i| i.status.under_way()) || state.undoing.leased;
            if !alive {
                token.cancel();
            }
            alive
        });
    }

    /// What ends the call or the waiting of an instance that begins.
    fn begin(&mut self, task: usize, item: usize) -> CancellationToken {
        let token = CancellationToken::new();
        self.under_way.insert((task, item), token.clone());
        token
    }

    fn dispatch(&mut self, mut dispatch: Dispatch, aborted: bool) {
        dispatch.epoch = self.epoch;
        self.sent_us = self.cx.clock().monotonic_us();
        let setting = self.setting(dispatch.task);
        let abort = self.begin(dispatch.task, dispatch.item);
        if aborted {
            abort.cancel();
        }
        let (cx, journal, outbox) = (self.cx.clone(), self.journal.clone(), self.outbox.clone());
        let span = trace::attempt(&setting.task, &dispatch.resolved.tool, dispatch.attempt);
        let work = async move {
            let known = Known::of(&dispatch);
            let answer = attempt::attempt(&cx, &journal, &setting, dispatch, abort).await;
            known.answered(&outbox, answer).await;
        };
        self.cx.spawn(self.trace.carry(span, work));
    }

    /// Starts the run of a sub-workflow, or finds it again, and waits for its end.
    fn start_child(&mut self, child: StartChild) {
        let abort = self.begin(child.task, child.item);
        let (runs, outbox) = (self.runs.clone(), self.outbox.clone());
        let accepted = &self.state.accepted;
        let mut inherited = accepted.inherited.clone();
        inherited.extend(accepted.place.as_ref().map(|(key, _)| key.clone()));
        let above = Above {
            parent: journal::Parent {
                run: self.state.run.clone(),
                task: self.state.task(child.task).id.clone(),
                path: child.path.clone(),
                item: child.item_field,
                depth: accepted.parent.as_ref().map_or(0, |p| p.depth) + 1,
            },
            principal: accepted.principal.clone(),
            scopes: accepted.scopes.clone(),
            folder: accepted.folder.clone(),
            version: accepted.pinned.get(&child.workflow).copied(),
            pinned: accepted.pinned.clone(),
            inherited,
            mock: accepted.mock,
        };
        self.cx.spawn(async move {
            let (task, item, attempt) = (child.task, child.item, child.attempt);
            let ended = tokio::select! {
                ended = children::run(&runs, child, above, abort) => ended,
                // The run above is driven elsewhere, where it waits for the same run.
                () = outbox.closed() => None,
            };
            if let Some(child) = ended {
                let input = Input::ChildEnded {
                    task,
                    item,
                    attempt,
                    child,
                };
                // The run may have ended meanwhile; then nobody waits for this.
                let _ = outbox.send(Message::Input(input)).await;
            }
        });
    }

    /// Asks what became of attempts that were under way when the process died.
    pub(crate) fn recover(&self, lost: Vec<Dispatch>) {
        for mut dispatch in lost {
            dispatch.epoch = self.epoch;
            let (cx, outbox) = (self.cx.clone(), self.outbox.clone());
            self.cx.spawn(async move {
                let answer = attempt::recover(&cx, &dispatch).await;
                Known::of(&dispatch).answered(&outbox, answer).await;
            });
        }
    }

    fn setting(&self, task: usize) -> Setting {
        let definition = self.state.task(task);
        let own_retries =
            self.state.workflow.dialect == Dialect::Oktyv && definition.retry.is_none();
        let accepted = &self.state.accepted;
        Setting {
            run: self.state.run.clone(),
            task: definition.id.clone(),
            principal: accepted.principal.clone(),
            scopes: accepted.scopes.clone(),
            folder: (!accepted.folder.is_empty()).then(|| PathBuf::from(&accepted.folder)),
            timeout: definition.timeout,
            retries: if own_retries { OKTYV_RETRIES } else { 0 },
            mock: accepted.mock,
            sensitive: definition.sensitive,
        }
    }
}

/// Which attempt answers.
struct Known {
    task: usize,
    item: usize,
    attempt: u32,
    undo: bool,
}

impl Known {
    fn of(dispatch: &Dispatch) -> Self {
        Self {
            task: dispatch.task,
            item: dispatch.item,
            attempt: dispatch.attempt,
            undo: dispatch.undo,
        }
    }

    async fn answered(self, outbox: &mpsc::Sender<Message>, answer: Answer) {
        let input = if self.undo {
            Input::Undone {
                attempt: self.attempt,
                answer,
            }
        } else {
            Input::Answered {
                task: self.task,
                item: self.item,
                attempt: self.attempt,
                answer,
            }
        };
        // The run may have ended meanwhile; then nobody waits for this.
        let _ = outbox.send(Message::Input(input)).await;
    }
}
