//! One run with nothing but planner, links and journal rows, for `benches/plan.rs`.
//!
//! The store is a list: what is left is what a run costs the processor wherever it is kept.

use std::collections::VecDeque;
use std::sync::Arc;

use gearmesh_api::journal::v1 as journal;
use gearmesh_link::{Call, Mesh, invoke};
use gearmesh_workflow::{Diagnostic, Source, Workflow, check};
use tonic::Status;

use crate::journal::rows;
use crate::plan::{Answer, Command, Decided, Dispatch, Input, Moment, State, advance};
use crate::run::Known;

/// The id of every run: none of them meets another.
const RUN: &str = "run_0000000000001";

/// A workflow that is run again and again.
#[derive(Debug)]
pub struct Bench {
    workflow: Arc<Workflow>,
}

/// What a run left in the journal.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Commits: one for the start and one for each answer.
    pub commits: usize,
    /// Rows.
    pub rows: usize,
    /// Bytes of their bodies.
    pub bytes: usize,
}

/// How the calls of a run are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// Over the links of the mesh.
    Linked,
    /// At once, by nobody: what is left is the planner.
    Given,
}

impl Bench {
    /// Reads a workflow.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str, mesh: &Mesh) -> Result<Self, Vec<Diagnostic>> {
        let source = Source {
            text,
            file_name: "bench.workflow.yaml",
            dialect: None,
        };
        let checked = check(&source, Some(&mesh.catalog()));
        let workflow = checked.workflow.map(Arc::new).ok_or(checked.errors)?;
        Ok(Self { workflow })
    }

    /// Runs it, one call after the other.
    ///
    /// # Errors
    /// What a call was answered, or INTERNAL when the run is stuck.
    pub async fn run(&self, mesh: &Mesh, calls: Calls) -> Result<Left, Status> {
        let accepted = journal::Accepted {
            inputs: b"{}".as_slice().into(),
            vars: b"{}".as_slice().into(),
            ..journal::Accepted::default()
        };
        let state = State::new(RUN.to_owned(), Arc::clone(&self.workflow), &accepted, 0);
        let mut run = Run {
            tools: Known {
                catalog: mesh.catalog(),
                mesh,
                scopes: None,
            },
            state,
            waiting: VecDeque::new(),
            left: Left::default(),
        };
        run.input(Input::Begin);
        while let Some(dispatch) = run.waiting.pop_front() {
            let answer = match calls {
                Calls::Given => Answer::Done(serde_json::Value::Null),
                Calls::Linked => run.call(mesh, &dispatch).await?,
            };
            run.input(Input::Answered {
                task: dispatch.task,
                item: dispatch.item,
                attempt: dispatch.attempt,
                answer,
            });
        }
        match run.state.ended() {
            true => Ok(run.left),
            false => Err(Status::unknown("the run is stuck")),
        }
    }
}

/// A run under way.
struct Run<'a> {
    tools: Known<'a>,
    state: State,
    waiting: VecDeque<Dispatch>,
    left: Left,
}

impl Run<'_> {
    /// Decides, and writes what was decided.
    fn input(&mut self, input: Input) {
        let mut decided = Decided::default();
        let moment = Moment {
            now_ms: 0,
            draining: false,
            chance: &|| 1.0,
            tools: &self.tools,
        };
        advance(&mut self.state, &moment, input, &mut decided);
        let first = u32::try_from(self.left.rows).unwrap_or(u32::MAX);
        let (rows, _) = rows(&decided.records, first);
        self.left.commits += 1;
        self.left.rows += rows.len();
        self.left.bytes += rows.iter().map(|row| row.body.len()).sum::<usize>();
        for command in decided.commands {
            if let Command::Dispatch(dispatch) = command {
                self.waiting.push_back(*dispatch);
            }
        }
    }

    async fn call(&self, mesh: &Mesh, dispatch: &Dispatch) -> Result<Answer, Status> {
        let resolved = &dispatch.resolved;
        let found = self.tools.catalog.get(&resolved.tool);
        let tool = found.ok_or_else(|| Status::not_found("no such tool"))?.tool;
        let link = mesh.link(&tool.engine)?;
        let call = Call {
            key: Some(dispatch.key.clone()),
            run: Some(RUN.to_owned()),
            pass: dispatch.pass,
            attempt: dispatch.attempt,
            ..Call::default()
        };
        let result = invoke(&link, tool, resolved.params.clone(), &call).await?;
        Ok(Answer::Done(result))
    }
}
