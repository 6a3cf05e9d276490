//! One input in, decisions out.

use std::fmt::Debug;

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use journal::record::Fact;

use crate::plan::instance::Prepared;
use crate::plan::outcome::Answer;
use crate::plan::state::{Phase, Problem, RunEnd, State};

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// The run begins, or goes on after a restart.
    Begin,
    /// A run that waited for its place got it.
    Admit,
    /// There is no place, and the workflow says to skip then.
    Skip,
    /// An attempt ended.
    Answered {
        task: usize,
        item: usize,
        attempt: u32,
        answer: Answer,
    },
    /// An attempt to take back an effect ended.
    Undone { attempt: u32, answer: Answer },
    /// The run of a sub-workflow ended, or could not be started.
    ChildEnded {
        task: usize,
        item: usize,
        attempt: u32,
        child: Child,
    },
    /// A person answered a question.
    Voted {
        task: usize,
        item: usize,
        vote: Vote,
    },
    /// An event came on a topic for which a task waits.
    Event {
        task: usize,
        item: usize,
        event: Value,
    },
    /// A person decided what becomes of an attempt whose effect nobody knows.
    Decide {
        task: usize,
        item: usize,
        decision: Decision,
        principal: String,
    },
    /// An instant has come for which something waited.
    Due,
    /// Somebody wants the run to end; with `force` its handlers too.
    Cancel { force: bool },
    /// Somebody wants nothing further to start.
    Pause { principal: String, reason: String },
    /// Somebody wants it to go on.
    Resume { principal: String },
}

/// How the run of a sub-workflow ended.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    /// Its outputs, or why it has none.
    pub(crate) end: Result<Value, Problem>,
}

/// A person's answer.
#[derive(Debug, Clone)]
pub(crate) struct Vote {
    pub(crate) principal: String,
    pub(crate) approved: bool,
    pub(crate) note: String,
    pub(crate) form: Value,
}

/// What becomes of an attempt whose effect nobody knows.
#[derive(Debug, Clone)]
pub(crate) enum Decision {
    Retry,
    Fail,
    Done(Value),
}

/// What is to be done once the records are durable.
#[derive(Debug)]
pub(crate) enum Command {
    /// Call the tool.
    Dispatch(Box<Dispatch>),
    /// End all calls of the run that are under way.
    Abort,
    /// End one call.
    AbortOne { task: usize, item: usize },
    /// Start the run of a sub-workflow, or find it again.
    StartChild(Box<StartChild>),
    /// Cancel the run of a sub-workflow.
    CancelChild { task: usize, item: usize },
    /// Send the events of a topic that come from an instant on.
    Listen {
        task: usize,
        item: usize,
        topic: String,
        since_ms: i64,
    },
}

/// A call to make.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(crate) task: usize,
    pub(crate) item: usize,
    pub(crate) pass: u32,
    pub(crate) attempt: u32,
    /// Of the shard's owner who sends it; the planner knows none.
    pub(crate) epoch: u64,
    pub(crate) class: String,
    pub(crate) key: String,
    /// The engine's instance that is meant; empty: any.
    pub(crate) served_by: String,
    /// It takes back the effect of this instance.
    pub(crate) undo: bool,
    /// Under which an earlier result may stand in, and for how many milliseconds.
    pub(crate) cache: Option<(String, i64)>,
    pub(crate) resolved: Resolved,
}

/// A run to start for a task.
#[derive(Debug, Clone)]
pub(crate) struct StartChild {
    pub(crate) task: usize,
    pub(crate) item: usize,
    pub(crate) attempt: u32,
    pub(crate) workflow: String,
    pub(crate) inputs: Value,
    /// Two starts with it are one.
    pub(crate) key: String,
    pub(crate) path: Vec<u32>,
    pub(crate) item_field: Option<u32>,
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

    /// Whether the one who started the run may see events.
    fn may_listen(&self) -> Result<(), Problem> {
        Ok(())
    }

    /// Whether a tool takes a connection.
    fn takes_connection(&self, _tool: &str) -> bool {
        true
    }

    /// The call that takes back what a call with these parameters and this result did,
    /// as the tool itself names it.
    fn undo(&self, _tool: &str, _params: &Value, _result: &Value) -> Option<Prepared> {
        None
    }
}

/// A tool with parameters that may be sent.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// The tool's id.
    pub(crate) tool: String,
    pub(crate) params: Value,
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
        // What came due meanwhile is done before any answer is taken in.
        Input::Begin => {
            planner.begin();
            planner.due();
        }
        Input::Admit => {
            if planner.state.phase == Phase::Queued {
                planner.record(Fact::Admitted(journal::Admitted {}));
            }
        }
        Input::Skip => {
            if planner.state.phase == Phase::Queued {
                planner.skip_run();
            }
        }
        Input::Answered {
            task,
            item,
            attempt,
            answer,
        } => planner.answered(task, item, attempt, answer),
        Input::Undone { attempt, answer } => planner.undone(attempt, answer),
        Input::ChildEnded {
            task,
            item,
            attempt,
            child,
        } => planner.child_ended(task, item, attempt, child),
        Input::Voted { task, item, vote } => planner.voted(task, item, vote),
        Input::Event { task, item, event } => planner.event(task, item, &event),
        Input::Decide {
            task,
            item,
            decision,
            principal,
        } => planner.decide_doubt(task, item, decision, principal),
        Input::Due => planner.due(),
        Input::Cancel { force } => planner.cancel(force),
        Input::Pause { principal, reason } => planner.pause(principal, reason),
        Input::Resume { principal } => {
            if planner.state.paused.is_some() {
                planner.record(Fact::Resumed(journal::Resumed { principal }));
            }
        }
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

    pub(crate) fn command(&mut self, command: Command) {
        self.decided.commands.push(command);
    }

    fn pause(&mut self, principal: String, reason: String) {
        let open = matches!(self.state.phase, Phase::Queued | Phase::Running);
        if self.state.paused.is_none() && open {
            self.record(Fact::Paused(journal::Paused { principal, reason }));
        }
    }

    /// The run found no place and ends before it has begun.
    fn skip_run(&mut self) {
        let cancelled = journal::Cancelling { timed_out: false };
        self.record(Fact::Cancelling(cancelled));
        self.end_waiting_tasks(crate::plan::frame::ROOT);
        let text = "another run has the concurrency key, and `onConflict` is `skip`";
        let problem = Problem::new("CONCURRENCY_SKIPPED", text);
        self.record(Fact::Closed(journal::Closed {
            status: RunEnd::Cancelled.as_str().to_owned(),
            outputs: b"{}".as_slice().into(),
            problem: Some((&problem).into()),
            failed_task: String::new(),
            undone: String::new(),
        }));
    }
}
