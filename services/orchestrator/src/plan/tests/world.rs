//! A run in a world where time and answers are given.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::{Source, check};
use serde_json::json;

use crate::plan::state::RunEnd;
use crate::plan::*;

/// Every tool exists and takes what it is given.
struct AnyTool;

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
}

/// A run in a world where each answer is given.
pub(super) struct World {
    pub(super) state: State,
    pub(super) records: Vec<journal::Record>,
    pub(super) calls: VecDeque<Dispatch>,
    /// Calls in the order in which they were sent: `task` or `task[item]`.
    pub(super) sent: Vec<String>,
    pub(super) now_ms: i64,
    pub(super) most_at_once: usize,
    pub(super) aborted: bool,
    pub(super) draining: bool,
}

fn new_state(source: &str) -> State {
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
    let workflow = checked.workflow.expect("no errors");
    let accepted = journal::Accepted {
        inputs: br#"{"n": 3}"#.as_slice().into(),
        vars: b"{}".as_slice().into(),
        deadline_ms: workflow
            .timeout
            .map(|t| i64::try_from(t.as_millis()).expect("short")),
        ..journal::Accepted::default()
    };
    State::new("run_0000000000001".into(), Arc::new(workflow), &accepted, 0)
}

impl World {
    pub(super) fn new(source: &str) -> Self {
        let mut world = Self {
            state: new_state(source),
            records: Vec::new(),
            calls: VecDeque::new(),
            sent: Vec::new(),
            now_ms: 0,
            most_at_once: 0,
            aborted: false,
            draining: false,
        };
        world.input(Input::Begin);
        world
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
            match command {
                Command::Dispatch(dispatch) => {
                    self.sent.push(self.name(&dispatch));
                    self.calls.push_back(*dispatch);
                }
                Command::Abort => self.aborted = true,
            }
        }
        self.most_at_once = self.most_at_once.max(self.calls.len());
    }

    pub(super) fn name(&self, dispatch: &Dispatch) -> String {
        let id = &self.state.workflow.tasks[dispatch.task].id;
        match self.state.tasks[dispatch.task].items {
            Some(_) => format!("{id}[{}]", dispatch.item),
            None => id.clone(),
        }
    }

    pub(super) fn answer(&mut self, dispatch: &Dispatch, answer: Answer) {
        self.input(Input::Answered {
            task: dispatch.task,
            item: dispatch.item,
            attempt: dispatch.attempt,
            answer,
        });
    }

    /// Answers all calls, oldest first, and lets time pass where nothing is under way.
    pub(super) fn play(mut self, mut world: impl FnMut(&str, u32) -> Answer) -> Self {
        for _ in 0..100_000 {
            if let Some(dispatch) = self.calls.pop_front() {
                let answer = world(&self.name(&dispatch), dispatch.attempt);
                self.answer(&dispatch, answer);
            } else if let Some(due) = self.state.due_ms() {
                self.now_ms = due;
                self.input(Input::Due);
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
        let mut again = State::new(
            self.state.run.clone(),
            self.state.workflow.clone(),
            &journal::Accepted::default(),
            0,
        );
        for record in &self.records {
            again.fold(record);
        }
        let known = |s: &State| {
            let tasks: Vec<_> = s
                .tasks
                .iter()
                .map(|t| (t.status, t.reason.clone(), t.view.clone(), t.attempts()))
                .collect();
            (
                s.phase,
                tasks,
                s.outputs.clone(),
                s.leased,
                s.open,
                s.ready.len(),
                s.backoffs.len(),
            )
        };
        assert_eq!(known(&again), known(&self.state));
    }

    pub(super) fn statuses(&self) -> BTreeMap<&str, String> {
        self.state
            .workflow
            .tasks
            .iter()
            .zip(&self.state.tasks)
            .map(|(d, t)| {
                let status = format!("{:?}", t.status).to_lowercase();
                let reason = if t.reason.is_empty() {
                    String::new()
                } else {
                    format!(" {}", t.reason)
                };
                (d.id.as_str(), format!("{status}{reason}"))
            })
            .collect()
    }

    pub(super) fn end(&self) -> RunEnd {
        match self.state.phase {
            Phase::Ended(end) => end,
            other => panic!("not ended: {other:?}"),
        }
    }
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
