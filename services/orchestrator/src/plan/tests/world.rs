//! A run in a world where time and answers are given.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::{Source, Workflow, check};
use serde_json::{Value, json};

use crate::plan::state::RunEnd;
use crate::plan::*;

/// Every tool exists and takes what it is given. `t.gone` takes nothing back by itself,
/// `t.made` is taken back by `t.unmade`.
pub(super) struct AnyTool;

impl Tools for AnyTool {
    fn resolve(&self, prepared: Prepared) -> Result<Resolved, Problem> {
        if prepared.tool == "no.such" {
            return Err(Problem::new("TOOL_NOT_FOUND", "no tool `no.such`"));
        }
        Ok(Resolved {
            tool: prepared.tool,
            params: prepared.params,
            class: "IDEMPOTENT",
            key: prepared.key,
        })
    }

    fn undo(&self, tool: &str, params: &Value, _result: &Value) -> Option<Prepared> {
        (tool == "t.made").then(|| Prepared {
            tool: "t.unmade".into(),
            params: params.clone(),
            connection: None,
            key: None,
            vault: None,
        })
    }
}

/// A run in a world where each answer is given.
pub(super) struct World {
    pub(super) state: State,
    accepted: journal::Accepted,
    pub(super) records: Vec<journal::Record>,
    pub(super) calls: VecDeque<Dispatch>,
    /// Calls in the order in which they were sent: `task`, `task[item]`, `group[1]/task`,
    /// `undo task`.
    pub(super) sent: Vec<String>,
    pub(super) now_ms: i64,
    pub(super) most_at_once: usize,
    /// Calls that were told to end, and runs of sub-workflows.
    pub(super) aborted: Vec<String>,
    pub(super) children: VecDeque<StartChild>,
    /// Topics that are listened to, with the task.
    pub(super) listens: Vec<(String, String)>,
    pub(super) draining: bool,
}

/// How a run is accepted that gives `n: 3` to its inputs.
pub(super) fn accepted_of(workflow: &Workflow) -> journal::Accepted {
    journal::Accepted {
        inputs: br#"{"n": 3}"#.as_slice().into(),
        vars: b"{}".as_slice().into(),
        principal: "user:starter".into(),
        deadline_ms: workflow
            .timeout
            .map(|t| i64::try_from(t.as_millis()).expect("short")),
        ..journal::Accepted::default()
    }
}

pub(super) fn workflow_of(source: &str) -> Arc<Workflow> {
    let source = source.replacen("\ntasks:", "\ninputs: {n: {type: integer}}\ntasks:", 1);
    let checked = check(
        &Source {
            text: &source,
            file_name: "test.workflow.yaml",
            dialect: None,
        },
        None,
    );
    assert!(checked.errors.is_empty(), "{:?}", checked.errors);
    Arc::new(checked.workflow.expect("no errors"))
}

impl World {
    pub(super) fn new(source: &str) -> Self {
        Self::of(workflow_of(source))
    }

    pub(super) fn of(workflow: Arc<Workflow>) -> Self {
        let accepted = accepted_of(&workflow);
        let mut world = Self::accepted(workflow, accepted);
        world.input(Input::Begin);
        world
    }

    /// A run about which nothing was decided yet.
    pub(super) fn accepted(workflow: Arc<Workflow>, accepted: journal::Accepted) -> Self {
        Self {
            state: State::new("run_0000000000001".into(), workflow, &accepted, 0),
            accepted,
            records: Vec::new(),
            calls: VecDeque::new(),
            sent: Vec::new(),
            now_ms: 0,
            most_at_once: 0,
            aborted: Vec::new(),
            children: VecDeque::new(),
            listens: Vec::new(),
            draining: false,
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        let mut decided = Decided::default();
        let moment = Moment {
            now_ms: self.now_ms,
            draining: self.draining,
            chance: &|| 1.0,
            tools: &AnyTool,
        };
        advance(&mut self.state, &moment, input, &mut decided);
        self.records.extend(decided.records);
        for command in decided.commands {
            self.obey(command);
        }
        self.most_at_once = self.most_at_once.max(self.calls.len());
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Dispatch(dispatch) => {
                self.sent.push(self.name(&dispatch));
                self.calls.push_back(*dispatch);
            }
            Command::Abort => self.aborted.push("all".into()),
            Command::AbortOne { task, item } | Command::CancelChild { task, item } => {
                self.aborted.push(self.place(task, item));
            }
            Command::StartChild(child) => self.children.push_back(*child),
            Command::Listen {
                task, item, topic, ..
            } => self.listens.push((self.place(task, item), topic)),
        }
    }

    pub(super) fn name(&self, dispatch: &Dispatch) -> String {
        let place = self.place(dispatch.task, dispatch.item);
        if dispatch.undo {
            format!("undo {place}")
        } else {
            place
        }
    }

    /// A task by the groups around it, each with its item.
    pub(super) fn place(&self, task: usize, item: usize) -> String {
        let id = &self.state.task(task).id;
        let own = match self.state.tasks[task].items {
            Some(_) => format!("{id}[{item}]"),
            None => id.clone(),
        };
        match self.state.frame(task).parent {
            Some((group, item)) => format!("{}/{own}", self.place(group, item)),
            None => own,
        }
    }

    pub(super) fn answer(&mut self, dispatch: &Dispatch, answer: Answer) {
        if dispatch.undo {
            let attempt = dispatch.attempt;
            return self.input(Input::Undone { attempt, answer });
        }
        self.input(Input::Answered {
            task: dispatch.task,
            item: dispatch.item,
            attempt: dispatch.attempt,
            answer,
        });
    }

    /// Answers the call of this name.
    pub(super) fn reply(&mut self, name: &str, answer: Answer) {
        let at = self.calls.iter().position(|c| self.name(c) == name);
        let at = at.unwrap_or_else(|| panic!("no call of `{name}` is under way"));
        let call = self.calls.remove(at).expect("just found");
        self.answer(&call, answer);
    }

    /// Lets time pass to the next instant at which something is due.
    pub(super) fn pass(&mut self) {
        self.now_ms = self.state.due_ms().expect("something is due");
        self.input(Input::Due);
    }

    /// Answers all calls, oldest first, and lets time pass where nothing is under way.
    pub(super) fn play(mut self, mut world: impl FnMut(&str, u32) -> Answer) -> Self {
        for _ in 0..100_000 {
            if let Some(dispatch) = self.calls.pop_front() {
                let answer = world(&self.name(&dispatch), dispatch.attempt);
                self.answer(&dispatch, answer);
            } else if self.state.due_ms().is_some() {
                self.pass();
            } else {
                break;
            }
        }
        assert!(self.state.ended(), "the run is stuck");
        self.replays();
        self
    }

    /// The records alone lead to the same state.
    pub(super) fn replays(&self) {
        assert_eq!(known(&self.replayed()), known(&self.state));
    }

    pub(super) fn replayed(&self) -> State {
        let mut again = State::new(
            self.state.run.clone(),
            self.state.workflow.clone(),
            &self.accepted,
            0,
        );
        for record in &self.records {
            again.fold(record);
        }
        again
    }

    pub(super) fn statuses(&self) -> BTreeMap<String, String> {
        (0..self.state.tasks.len())
            .map(|task| {
                let known = &self.state.tasks[task];
                let status = format!("{:?}", known.status).to_lowercase();
                let reason = if known.reason.is_empty() {
                    String::new()
                } else {
                    format!(" {}", known.reason)
                };
                (self.task_name(task), format!("{status}{reason}"))
            })
            .collect()
    }

    fn task_name(&self, task: usize) -> String {
        let id = self.state.task(task).id.clone();
        match self.state.frame(task).parent {
            Some((group, item)) => format!("{}/{id}", self.place(group, item)),
            None => id,
        }
    }

    /// The status of one task, with the reason for which it was skipped.
    pub(super) fn status(&self, name: &str) -> String {
        let statuses = self.statuses();
        let known = statuses.get(name).cloned();
        known.unwrap_or_else(|| panic!("no task `{name}` in {statuses:?}"))
    }

    /// Where the task of this name stands.
    pub(super) fn find(&self, name: &str) -> usize {
        let mut tasks = (0..self.state.tasks.len()).rev();
        tasks
            .find(|task| self.task_name(*task) == name)
            .unwrap_or_else(|| panic!("no task `{name}`"))
    }

    /// The code of a task's error; empty: it has none.
    pub(super) fn code(&self, name: &str) -> String {
        let problem = self.state.tasks[self.find(name)].problem.as_ref();
        problem.map_or_else(String::new, |p| p.code.clone())
    }

    /// What the expressions of others read as a task's result.
    pub(super) fn result(&self, name: &str) -> Value {
        self.state.tasks[self.find(name)].view["result"].clone()
    }

    pub(super) fn end(&self) -> RunEnd {
        match self.state.phase {
            Phase::Ended(end) => end,
            other => panic!("not ended: {other:?}"),
        }
    }

    /// The code of the run's error.
    pub(super) fn run_code(&self) -> &str {
        let failed = self.state.failed.as_ref();
        failed.map_or("", |(_, problem)| problem.code.as_str())
    }

    pub(super) fn vote(&mut self, name: &str, who: &str, approved: bool) {
        let (task, item) = (self.find(name), 0);
        let vote = Vote {
            principal: who.into(),
            approved,
            note: String::new(),
            form: json!({}),
        };
        self.input(Input::Voted { task, item, vote });
    }
}

/// What of a state must come back from its records alone.
pub(super) fn known(state: &State) -> Vec<String> {
    let mut known: Vec<String> = state
        .tasks
        .iter()
        .map(|t| {
            // That a plain task has become ready is no fact until it begins.
            let begun = |i: &&Instance| t.items.is_some() || i.start_ms.is_some();
            let instances = t.instances.iter().filter(begun);
            let instances: Vec<_> = instances.map(|i| (i.status, i.attempt)).collect();
            format!(
                "{} {:?} {} {} {:?}",
                state.workflow.tasks[t.definition].id, t.status, t.reason, t.view, instances
            )
        })
        .collect();
    let frames = state.frames.iter().map(|f| {
        let failed = f
            .failed
            .as_ref()
            .map(|(task, problem)| (task, &problem.code));
        format!("{:?} {} {} {failed:?}", f.path, f.open, f.stopping)
    });
    known.extend(frames);
    known.push(format!(
        "{:?} {} leased {} waiting {} ready {} free {} backoffs {:?} timers {:?} undone {}",
        state.phase,
        state.outputs,
        state.leased,
        state.waiting,
        state.ready.len(),
        state.free.len(),
        state.backoffs,
        state.timers,
        state.undone
    ));
    known
}

pub(super) fn done() -> Answer {
    Answer::Done(json!({"x": 1}))
}

pub(super) fn failing(code: &str, retryable: bool) -> Answer {
    Answer::Failed {
        problem: Problem {
            retryable,
            ..Problem::new(code, "it failed")
        },
        retry_after_ms: None,
    }
}

pub(super) const DIAMOND: &str = "
name: d
tasks:
  - {id: a, tool: t.a}
  - {id: b, tool: t.b, needs: [a]}
  - {id: c, tool: t.c, needs: [a]}
  - {id: d, tool: t.d, needs: [b, c]}
";
