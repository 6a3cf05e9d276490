//! The end of a run: its verdict, what is undone, its handlers, its outputs.

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::OnError;
use journal::record::Fact;

use crate::plan::advance::Planner;
use crate::plan::fold::millis;
use crate::plan::frame::ROOT;
use crate::plan::instance::evaluate_all;
use crate::plan::outcome::bounded;
use crate::plan::scope::View;
use crate::plan::state::{Phase, Problem, RunEnd, Stage, State};
use crate::plan::task_state::{InstanceStatus, TaskStatus};

impl Planner<'_> {
    /// Goes on to what follows when all has ended so far. True when something began that
    /// may have more to follow.
    pub(crate) fn advance_end(&mut self) -> bool {
        let (done, end) = match self.state.phase {
            Phase::Running | Phase::Cancelling { .. } => {
                if !self.state.graph_ended() || self.state.leased > 0 {
                    return false;
                }
                (None, self.state.verdict())
            }
            Phase::Finishing {
                stage: Stage::Undo,
                end,
            } => {
                if self.undo_next() {
                    return false;
                }
                (Some(Stage::Undo), end)
            }
            Phase::Finishing { stage, end } => {
                let frame = self.state.handlers.last().map(|(_, frame)| *frame);
                if frame.is_some_and(|f| self.state.frames[f].open > 0) || self.state.leased > 0 {
                    return false;
                }
                (Some(stage), end)
            }
            _ => return false,
        };
        match self.state.next_stage(done, end) {
            Some(stage) => {
                self.enter(stage, end);
                true
            }
            None => {
                self.close(end);
                false
            }
        }
    }

    fn enter(&mut self, stage: Stage, end: RunEnd) {
        let failed = self.failure(end);
        let (task, problem) = failed.unzip();
        self.record(Fact::Entered(journal::Entered {
            stage: stage.as_str().to_owned(),
            status: end.as_str().to_owned(),
            problem: problem.as_ref().map(Into::into),
            failed_task: task.unwrap_or_default(),
        }));
    }

    /// Why a run ends as it does, and at which task.
    fn failure(&self, end: RunEnd) -> Option<(String, Problem)> {
        match end {
            RunEnd::Succeeded => None,
            RunEnd::TimedOut => {
                let text = format!("the run did not end within {} ms", self.state.limit_ms());
                Some((String::new(), Problem::new("RUN_TIMEOUT", text)))
            }
            _ => self.state.failed.clone(),
        }
    }

    /// Everything has ended: outputs and status.
    fn close(&mut self, mut end: RunEnd) {
        let mut failed = self.failure(end);
        // A handler that failed fails the run; its first error stays.
        let handlers = self.state.handlers.clone();
        let broken = handlers.iter().find_map(|(stage, frame)| {
            let (task, problem) = self.state.frames[*frame].failed.clone()?;
            let ended = self.state.frames[*frame].ending.is_some();
            (!ended).then_some((*stage, task, problem))
        });
        if let Some((_, task, problem)) = broken {
            if matches!(end, RunEnd::Succeeded | RunEnd::Partial) {
                end = RunEnd::Failed;
            }
            failed.get_or_insert((task, problem));
        }
        let outputs = self.state.final_outputs(end);
        let outputs = match outputs.and_then(|o| bounded("the outputs", &o).map(|()| o)) {
            Ok(outputs) => outputs,
            Err(problem) => {
                end = RunEnd::Failed;
                failed.get_or_insert((String::new(), problem));
                Value::Null
            }
        };
        let (task, problem) = failed.unzip();
        self.record(Fact::Closed(journal::Closed {
            status: end.as_str().to_owned(),
            outputs: outputs.to_string().into(),
            problem: problem.as_ref().map(Into::into),
            failed_task: task.unwrap_or_default(),
            undone: self.state.undoing.verdict().to_owned(),
        }));
    }
}

impl State {
    /// What follows behind a stage; none: nothing.
    fn next_stage(&self, done: Option<Stage>, end: RunEnd) -> Option<Stage> {
        // Their time was over, or somebody ended them by force: that ends the run.
        if self.handlers_timed_out {
            return None;
        }
        let workflow = &self.workflow;
        let failed = matches!(end, RunEnd::Failed | RunEnd::Partial | RunEnd::TimedOut);
        Stage::ALL
            .into_iter()
            .filter(|stage| done.is_none_or(|done| *stage > done))
            .find(|stage| match stage {
                Stage::Undo => {
                    workflow.on_error == OnError::Undo
                        && self.frames[ROOT].stopping
                        && end == RunEnd::Failed
                }
                Stage::OnFailure => failed && workflow.on_failure.is_some(),
                Stage::OnSuccess => end == RunEnd::Succeeded && workflow.on_success.is_some(),
                Stage::Finally => workflow.finally.is_some(),
            })
            .filter(|_| self.begun)
    }

    /// How the run ends, all tasks having ended.
    fn verdict(&self) -> RunEnd {
        match self.phase {
            Phase::Cancelling { timed_out: true } => return RunEnd::TimedOut,
            Phase::Cancelling { timed_out: false } => return RunEnd::Cancelled,
            _ => {}
        }
        let tasks = &self.tasks[self.tasks_of(ROOT)];
        let any = |status| tasks.iter().any(|t| t.status == status);
        let items_failed = self.tasks.iter().any(|t| {
            t.status == TaskStatus::Succeeded
                && t.items.is_some()
                && t.instances
                    .iter()
                    .any(|i| i.status == InstanceStatus::Failed)
        });
        if self.frames[ROOT].stopping {
            RunEnd::Failed
        } else if any(TaskStatus::Failed) || items_failed {
            if any(TaskStatus::Succeeded) {
                RunEnd::Partial
            } else {
                RunEnd::Failed
            }
        } else {
            RunEnd::Succeeded
        }
    }

    /// The outputs. After a failure what cannot be computed is null; in a run that
    /// succeeded it is an error.
    fn final_outputs(&self, end: RunEnd) -> Result<Value, Problem> {
        let view = View::of_frame(self, ROOT);
        if end == RunEnd::Succeeded {
            return evaluate_all(&self.workflow.outputs, &view);
        }
        let mut out = serde_json::Map::new();
        for (name, node) in &self.workflow.outputs {
            out.insert(name.clone(), node.evaluate(&view).unwrap_or_default());
        }
        Ok(Value::Object(out))
    }

    fn limit_ms(&self) -> i64 {
        let given = self.accepted.deadline_ms;
        let given = given.map_or(0, |d| d.saturating_sub(self.accepted_ms));
        self.workflow.timeout.map_or(given, millis)
    }
}
