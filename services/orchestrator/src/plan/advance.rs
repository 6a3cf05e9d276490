//! One input in, decisions out.

use std::fmt::Debug;

use gearmesh_api::journal::v1 as journal;
use journal::record::Fact;

use crate::plan::instance::Prepared;
use crate::plan::outcome::Answer;
use crate::plan::state::{Phase, Problem, State};

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// The run begins, or goes on after a restart.
    Begin,
    /// An attempt ended.
    Answered {
        task: usize,
        item: usize,
        attempt: u32,
        answer: Answer,
    },
    /// An instant has come for which something waited.
    Due,
    /// Somebody wants the run to end.
    Cancel,
}

/// What is to be done once the records are durable.
#[derive(Debug)]
pub(crate) enum Command {
    /// Call the tool.
    Dispatch(Box<Dispatch>),
    /// End all calls of the run that are under way.
    Abort,
}

/// A call to make.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(crate) task: usize,
    pub(crate) item: usize,
    pub(crate) pass: u32,
    pub(crate) attempt: u32,
    pub(crate) class: String,
    pub(crate) key: String,
    /// The engine's instance that is meant; empty: any.
    pub(crate) served_by: String,
    pub(crate) resolved: Resolved,
}

/// What the planner asks of the world, all of it without effect.
pub(crate) struct Moment<'a> {
    pub(crate) now_ms: i64,
    /// The process is stopping: nothing further is given out.
    pub(crate) draining: bool,
    /// A number from 0 up to 1, for jitter.
    pub(crate) chance: &'a dyn Fn() -> f64,
    pub(crate) tools: &'a dyn Tools,
}

impl Debug for Moment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moment")
            .field("now_ms", &self.now_ms)
            .finish_non_exhaustive()
    }
}

/// The catalogue, as far as the planner needs it.
pub(crate) trait Tools {
    /// The tool that a task means, with its parameters complete.
    fn resolve(&self, prepared: Prepared) -> Result<Resolved, Problem>;

    /// The engine's instance that a call of a run should go to; empty when it has but one.
    fn place(&self, _resolved: &Resolved, _run: &str) -> String {
        String::new()
    }
}

/// A tool with parameters that may be sent.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// The tool's id.
    pub(crate) tool: String,
    pub(crate) params: serde_json::Value,
    /// What the engine guarantees for two sends with one key.
    pub(crate) class: &'static str,
    /// The user's own idempotency key.
    pub(crate) key: Option<String>,
}

/// The decisions of one step.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    pub(crate) records: Vec<journal::Record>,
    pub(crate) commands: Vec<Command>,
}

/// Takes an input in and decides all that follows from it.
pub(crate) fn advance(state: &mut State, moment: &Moment<'_>, input: Input, decided: &mut Decided) {
    let mut planner = Planner {
        state,
        moment,
        decided,
    };
    if planner.state.ended() {
        if let Input::Answered {
            task,
            item,
            attempt,
            answer,
        } = input
        {
            planner.answered(task, item, attempt, answer);
        }
        return;
    }
    match input {
        Input::Begin => {}
        Input::Answered {
            task,
            item,
            attempt,
            answer,
        } => planner.answered(task, item, attempt, answer),
        Input::Due => planner.due(),
        Input::Cancel => planner.cancel(false),
    }
    planner.settle();
}

pub(crate) struct Planner<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) moment: &'a Moment<'a>,
    pub(crate) decided: &'a mut Decided,
}

impl Planner<'_> {
    /// Makes a decision a fact: folds it in and keeps it for the journal.
    pub(crate) fn record(&mut self, fact: Fact) {
        let record = journal::Record {
            time_ms: self.moment.now_ms,
            fact: Some(fact),
        };
        self.state.fold(&record);
        self.decided.records.push(record);
    }

    fn due(&mut self) {
        let now = self.moment.now_ms;
        if self.state.phase == Phase::Running && self.state.deadline_ms.is_some_and(|d| d <= now) {
            return self.cancel(true);
        }
        while let Some((due, task, item)) = self.state.backoffs.first().copied() {
            if due > now {
                break;
            }
            self.state.fold_due(due, task, item);
        }
    }

    /// Ends the run: what has not started is cancelled, what is under way is ended.
    fn cancel(&mut self, timed_out: bool) {
        if self.state.phase != Phase::Running {
            return;
        }
        self.record(Fact::Cancelling(journal::Cancelling { timed_out }));
        for task in 0..self.state.tasks.len() {
            if self.state.tasks[task].ended() {
                continue;
            }
            if self.state.tasks[task].leased == 0 {
                let ended = self.ended(
                    task,
                    journal::Outcome::Cancelled,
                    0,
                    serde_json::Value::Null,
                    None,
                );
                self.record(Fact::Ended(ended));
            } else {
                self.cancel_waiting_items(task);
            }
        }
        if self.state.leased > 0 {
            self.decided.commands.push(Command::Abort);
        }
    }

    fn cancel_waiting_items(&mut self, task: usize) {
        use crate::plan::state::InstanceStatus::{Backoff, Ready};
        for item in 0..self.state.tasks[task].instances.len() {
            let instance = &self.state.tasks[task].instances[item];
            if matches!(instance.status, Ready | Backoff) {
                let attempt = instance.attempt;
                let mut ended = self.ended(
                    task,
                    journal::Outcome::Cancelled,
                    attempt,
                    serde_json::Value::Null,
                    None,
                );
                ended.item = self.item(task, item);
                self.record(Fact::Ended(ended));
            }
        }
    }
}
