//! Whether a task whose needs have ended runs.

use gearmesh_workflow::RunIf;

use crate::plan::state::{NEED_FAILED, NEEDS_SKIPPED, RUN_STOPPED, State, TaskStatus};

impl State {
    /// The reason for which a task is skipped by its needs; none when it runs.
    pub(crate) fn join(&self, task: usize) -> Option<&'static str> {
        let needs = &self.workflow.graph.needs[task];
        let failed = needs.iter().any(|n| self.tasks[*n].failed_for_joins());
        let succeeded = |n: &usize| self.tasks[*n].status == TaskStatus::Succeeded;
        let skip = || Some(if failed { NEED_FAILED } else { NEEDS_SKIPPED });
        let runs = match self.task(task).run_if {
            RunIf::Ready => !failed && (needs.is_empty() || needs.iter().any(succeeded)),
            RunIf::NoneFailed => !failed,
            RunIf::AllSucceeded => needs.iter().all(succeeded),
            RunIf::AllDone => true,
            RunIf::AnySucceeded => needs.iter().any(succeeded),
            RunIf::AnyFailed => failed,
        };
        if !runs {
            return skip();
        }
        (self.stopping && !self.survives_stop(task)).then_some(RUN_STOPPED)
    }

    /// Whether a task may still start after another has stopped the run.
    pub(crate) fn survives_stop(&self, task: usize) -> bool {
        matches!(self.task(task).run_if, RunIf::AllDone | RunIf::AnyFailed)
    }
}
