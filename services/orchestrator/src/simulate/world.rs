//! The world around a run: calls, people, events and a clock, all of them given.

use std::collections::BTreeMap;
use std::sync::Arc;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::{Kind, Workflow};
use journal::record::Fact;

use super::cases::{Case, Opinion};
use super::mocks::Answers;
use super::read::shortened;
use super::start::{RUN, accepted};
use super::{Called, Known, names};
use crate::plan::{
    Answer, Child, Command, Decided, Input, InstanceStatus, Moment, Problem, State, advance,
};

/// Things that happen in one case at most: a loop that never ends is a fault of the case.
pub(crate) const STEPS_MAX: usize = 50_000;

/// Faults of one case that are told.
const FAULTS_MAX: usize = 50;

/// What is about to happen.
pub(super) enum Coming {
    Answer {
        task: usize,
        item: usize,
        attempt: u32,
        undo: bool,
        answer: Answer,
    },
    Child {
        task: usize,
        item: usize,
        attempt: u32,
        child: Child,
    },
    Opinion {
        task: usize,
        item: usize,
        at: usize,
        opinion: Opinion,
    },
    /// To all that wait for its topic then.
    Event(usize),
    /// To one that waits.
    EventFor {
        task: usize,
        item: usize,
        event: usize,
    },
}

/// A run, and what is around it.
pub(super) struct World<'a> {
    pub(super) state: State,
    pub(super) known: Known<'a>,
    pub(super) case: &'a Case,
    pub(super) answers: Answers<'a>,
    pub(super) now_ms: i64,
    /// By instant, and then in the order in which it was said.
    coming: BTreeMap<(i64, u64), Coming>,
    said: u64,
    /// Events without an instant that somebody has taken.
    taken: Vec<usize>,
    faults: Vec<String>,
    pub(super) calls: Vec<Called>,
    order: Vec<String>,
}

/// What was seen of a run.
pub(super) struct Seen {
    pub(super) state: State,
    pub(super) now_ms: i64,
    pub(super) faults: Vec<String>,
    pub(super) calls: Vec<Called>,
    pub(super) order: Vec<String>,
}

impl<'a> World<'a> {
    /// A run that is about to begin; or why it cannot.
    pub(super) fn new(
        workflow: &Arc<Workflow>,
        known: Known<'a>,
        case: &'a Case,
    ) -> Result<Self, Vec<String>> {
        let accepted = accepted(workflow, case)?;
        Ok(Self {
            state: State::new(RUN.to_owned(), workflow.clone(), &accepted, case.now_ms),
            known,
            case,
            answers: Answers::new(&case.mocks),
            now_ms: case.now_ms,
            coming: BTreeMap::new(),
            said: 0,
            taken: Vec::new(),
            faults: Vec::new(),
            calls: Vec::new(),
            order: Vec::new(),
        })
    }

    /// Plays to the end of the run, or until nothing more can happen.
    pub(super) fn play(mut self) -> Seen {
        let case = self.case;
        for (at, event) in case.events.iter().enumerate() {
            if let Some(at_ms) = event.at_ms {
                self.expect_at(at_ms.max(self.now_ms), Coming::Event(at));
            }
        }
        self.input(Input::Begin);
        let mut steps = 0;
        while !self.state.ended() {
            steps += 1;
            if steps > STEPS_MAX {
                self.fault(format!("the run has not ended after {STEPS_MAX} steps"));
                break;
            }
            if !self.step() {
                self.stuck();
                break;
            }
        }
        Seen {
            state: self.state,
            now_ms: self.now_ms,
            faults: self.faults,
            calls: self.calls,
            order: self.order,
        }
    }

    /// Lets the next thing happen; false when there is none. What comes at the instant of a
    /// limit comes in time.
    fn step(&mut self) -> bool {
        let due = self.state.due_ms();
        let next = self.coming.first_key_value().map(|(key, _)| *key);
        match (next, due) {
            (Some((at_ms, _)), due) if due.is_none_or(|due| at_ms <= due) => {
                self.now_ms = self.now_ms.max(at_ms);
                if let Some((_, coming)) = self.coming.pop_first() {
                    self.happen(coming);
                }
            }
            (_, Some(due)) => {
                self.now_ms = self.now_ms.max(due);
                self.input(Input::Due);
            }
            (_, None) => return false,
        }
        true
    }

    fn happen(&mut self, coming: Coming) {
        match coming {
            Coming::Answer {
                attempt,
                undo: true,
                answer,
                ..
            } => self.input(Input::Undone { attempt, answer }),
            Coming::Answer {
                task,
                item,
                attempt,
                answer,
                ..
            } => self.input(Input::Answered {
                task,
                item,
                attempt,
                answer,
            }),
            Coming::Child {
                task,
                item,
                attempt,
                child,
            } => self.input(Input::ChildEnded {
                task,
                item,
                attempt,
                child,
            }),
            Coming::Opinion {
                task,
                item,
                at,
                opinion,
            } => self.vote(task, item, at, opinion),
            Coming::Event(event) => {
                for (task, item) in self.listeners(event) {
                    self.tell(task, item, event);
                }
            }
            Coming::EventFor { task, item, event } => {
                if !self.taken.contains(&event) && self.waits(task, item) {
                    self.tell(task, item, event);
                    if !self.waits(task, item) {
                        self.taken.push(event);
                    }
                }
            }
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        let mut decided = Decided::default();
        let moment = Moment {
            now_ms: self.now_ms,
            draining: false,
            // The longest wait that chance could give.
            chance: &|| 1.0,
            tools: self.known.tools,
        };
        advance(&mut self.state, &moment, input, &mut decided);
        for record in &decided.records {
            self.note(record);
        }
        for command in decided.commands {
            self.carry_out(command);
        }
    }

    /// Remembers what began, and asks the people of the case.
    fn note(&mut self, record: &journal::Record) {
        let (task, path, item) = match &record.fact {
            Some(Fact::Leased(f)) if f.attempt == 1 && !f.undo => (&f.task, &f.path, f.item),
            Some(Fact::Opened(f)) => (&f.task, &f.path, f.item),
            Some(Fact::Waiting(f)) => (&f.task, &f.path, f.item),
            Some(Fact::Ended(f)) if f.outcome() == journal::Outcome::Succeeded && !f.undo => {
                (&f.task, &f.path, f.item)
            }
            _ => return,
        };
        let Some(task) = self.state.at(task, path) else {
            return;
        };
        // The end of an `each` task itself is the beginning of nothing.
        if self.state.tasks[task].items.is_some() && item.is_none() {
            return;
        }
        let item = item.unwrap_or_default() as usize;
        let name = names::full(&self.state, task, item);
        if let Some(Fact::Waiting(_)) = &record.fact {
            self.ask(task, item, &name);
        }
        if !self.order.contains(&name) {
            self.order.push(name);
        }
    }

    pub(super) fn expect_at(&mut self, at_ms: i64, coming: Coming) {
        self.said += 1;
        self.coming.insert((at_ms, self.said), coming);
    }

    pub(super) fn fault(&mut self, text: String) {
        if self.faults.len() < FAULTS_MAX && !self.faults.contains(&text) {
            self.faults.push(text);
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Dispatch(dispatch) => self.call(&dispatch),
            Command::StartChild(child) => self.child(&child),
            Command::Listen {
                task, item, topic, ..
            } => {
                let case = self.case;
                for (event, told) in case.events.iter().enumerate() {
                    if told.at_ms.is_none() && names::fits(&topic, &told.topic) {
                        self.expect_at(self.now_ms, Coming::EventFor { task, item, event });
                    }
                }
            }
            Command::Abort => self.end(|_, _| true),
            Command::AbortOne { task, item } | Command::CancelChild { task, item } => {
                self.end(|t, i| t == task && i == item);
            }
        }
    }

    /// Ends calls, and runs of sub-workflows, that are under way.
    fn end(&mut self, which: impl Fn(usize, usize) -> bool) {
        let mut ended = Vec::new();
        self.coming.retain(|_, coming| match coming {
            Coming::Answer {
                task, item, answer, ..
            } if which(*task, *item) => {
                *answer = Answer::Cancelled;
                ended.push(std::mem::replace(coming, Coming::Event(usize::MAX)));
                false
            }
            Coming::Child {
                task, item, child, ..
            } if which(*task, *item) => {
                let text = "the run of the sub-workflow was cancelled";
                child.end = Err(Problem::new("RUN_CANCELLED", text));
                ended.push(std::mem::replace(coming, Coming::Event(usize::MAX)));
                false
            }
            _ => true,
        });
        for coming in ended {
            self.expect_at(self.now_ms, coming);
        }
    }

    /// Nothing more can happen, and the run has not ended.
    fn stuck(&mut self) {
        let mut waiting = Vec::new();
        for (task, known) in self.state.tasks.iter().enumerate() {
            for (item, instance) in known.instances.iter().enumerate() {
                let name = || names::full(&self.state, task, item);
                let why = match (instance.status, &self.state.task(task).kind) {
                    (InstanceStatus::Waiting, Kind::Approve(_)) => "`approvals` has no answer to",
                    (InstanceStatus::Waiting, Kind::Wait(_)) => "`events` has none for",
                    (InstanceStatus::Unknown, _) => "nobody decides about",
                    _ => continue,
                };
                waiting.push(format!("{why} task `{}`", name()));
            }
        }
        let why = shortened(&waiting.join("; "));
        self.fault(format!("the run waits for ever: {why}"));
    }
}
