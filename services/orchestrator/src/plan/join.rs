//! Whether a task whose needs have ended runs.

use gearmesh_workflow::RunIf;

use crate::plan::state::State;
use crate::plan::task_state::{NEED_FAILED, NEEDS_SKIPPED, RUN_STOPPED, TaskStatus};

impl State {
    /// The reason for which a task is skipped by its needs; none when it runs.
    pub(crate) fn join(&self, task: usize) -> Option<&'static str> {
        let mut needs = self.needs(task);
        let failed = self.needs(task).any(|n| self.tasks[n].failed_for_joins());
        let succeeded = |n: usize| self.tasks[n].status == TaskStatus::Succeeded;
        let skip = || Some(if failed { NEED_FAILED } else { NEEDS_SKIPPED });
        let runs = match self.task(task).run_if {
            RunIf::Ready => !failed && (needs.clone().next().is_none() || needs.any(succeeded)),
            RunIf::NoneFailed => !failed,
            RunIf::AllSucceeded => needs.all(succeeded),
            RunIf::AllDone => true,
            RunIf::AnySucceeded => needs.any(succeeded),
            RunIf::AnyFailed => failed,
        };
        if !runs {
            return skip();
        }
        let stopped = self.stopping(self.tasks[task].frame) && !self.survives_stop(task);
        stopped.then_some(RUN_STOPPED)
    }

    /// Whether a task may still start after another has stopped the graph.
    pub(crate) fn survives_stop(&self, task: usize) -> bool {
        matches!(self.task(task).run_if, RunIf::AllDone | RunIf::AnyFailed)
    }
}
