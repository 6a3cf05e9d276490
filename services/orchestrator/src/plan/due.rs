//! Instants that have come.

use serde_json::json;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::{Kind, OnTimeout, Wait};
use journal::record::Fact;

use crate::plan::advance::Planner;
use crate::plan::state::{Phase, Problem};
use crate::plan::task_state::InstanceStatus;

impl Planner<'_> {
    /// Does all that is due by now.
    pub(crate) fn due(&mut self) {
        let now = self.moment.now_ms;
        let passed = |due: Option<i64>| due.is_some_and(|d| d <= now);
        match self.state.phase {
            Phase::Queued | Phase::Running if passed(self.state.accepted.deadline_ms) => {
                return self.end_run(true);
            }
            Phase::Finishing { .. } if passed(self.state.handlers_due_ms) => {
                self.end_handlers();
            }
            _ => {}
        }
        if self.state.paused.is_some() {
            return;
        }
        while let Some((due, task, item)) = self.state.backoffs.first().copied() {
            if due > now {
                break;
            }
            self.state.fold_due(due, task, item);
        }
        while let Some((due, task, item)) = self.state.timers.first().copied() {
            if due > now {
                break;
            }
            self.wait_is_over(due, task, item);
        }
    }

    fn wait_is_over(&mut self, due: i64, task: usize, item: usize) {
        let instance = &self.state.tasks[task].instances[item];
        let (since, frame) = (instance.since_ms, instance.frame);
        let status = instance.status;
        if status != InstanceStatus::Waiting {
            self.state.timers.remove(&(due, task, item));
            return;
        }
        let waited = due.saturating_sub(since);
        match &self.state.task(task).kind {
            Kind::Approve(approve) => match approve.on_timeout {
                OnTimeout::Approve => {
                    let result = json!({"approved": true, "by": [], "at": crate::render::instant(due),
                        "note": "", "form": {}, "timedOut": true});
                    self.completed(task, item, 0, result);
                }
                OnTimeout::Reject => {
                    let text = format!("nobody answered within {waited} ms, which counts as no");
                    self.fail(task, item, 0, Problem::new("APPROVAL_REJECTED", text));
                }
                OnTimeout::Fail => {
                    let text = format!("nobody answered within {waited} ms");
                    self.fail(task, item, 0, Problem::new("APPROVAL_TIMEOUT", text));
                }
            },
            Kind::Wait(wait) => match **wait {
                Wait::For(_) | Wait::Until(_) => {
                    self.completed(task, item, 0, json!({"waited": waited}));
                }
                Wait::Event { .. } => {
                    let text = format!("no event came within {waited} ms");
                    self.fail(task, item, 0, Problem::new("WAIT_TIMEOUT", text));
                }
            },
            _ => {
                // A group, or the run of a sub-workflow: it ends once what it has under
                // way does.
                self.state.timers.remove(&(due, task, item));
                if self.state.dying(self.state.tasks[task].frame) {
                    // It is being ended already, and not for its time.
                    return;
                }
                let id = &self.state.task(task).id;
                let text = format!("Task '{id}' timed out after {waited}ms");
                let why = Problem {
                    retryable: true,
                    ..Problem::new("TASK_TIMEOUT", text)
                };
                match frame {
                    Some(frame) => self.end_frame(frame, why),
                    None => self.end_child(task, item, why),
                }
            }
        }
    }

    /// Ends the run of a sub-workflow; its end is the failure then.
    fn end_child(&mut self, task: usize, item: usize, why: Problem) {
        self.state.tasks[task].instances[item].problem = Some(why);
        self.command(crate::plan::advance::Command::CancelChild { task, item });
    }

    /// What a person said of an attempt whose effect nobody knows.
    pub(crate) fn decide_doubt(
        &mut self,
        task: usize,
        item: usize,
        decision: crate::plan::advance::Decision,
        principal: String,
    ) {
        use crate::plan::advance::Decision;
        let known = self
            .state
            .tasks
            .get(task)
            .and_then(|t| t.instances.get(item));
        let Some(instance) = known.filter(|i| i.status == InstanceStatus::Unknown) else {
            return;
        };
        let attempt = instance.attempt;
        let problem = instance.problem.clone();
        let word = match decision {
            Decision::Retry => "retry",
            Decision::Fail => "fail",
            Decision::Done(_) => "done",
        };
        self.record(Fact::Decided(journal::Decided {
            task: self.state.task(task).id.clone(),
            path: self.state.path(task),
            item: self.item(task, item),
            decision: word.to_owned(),
            principal,
        }));
        match decision {
            Decision::Retry => {}
            Decision::Fail => {
                let unknown = || Problem::new("OUTCOME_UNKNOWN", "a person decided so");
                self.fail(task, item, attempt, problem.unwrap_or_else(unknown));
            }
            Decision::Done(result) => self.completed(task, item, attempt, result),
        }
    }
}
