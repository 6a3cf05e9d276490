//! What a failure keeps from starting.

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::OnItemError;
use journal::record::Fact;

use crate::plan::advance::Planner;
use crate::plan::state::Problem;
use crate::plan::task_state::{InstanceStatus, RUN_STOPPED, TaskStatus};

impl Planner<'_> {
    /// Under `onItemError: stop` a failed item keeps the others from starting.
    pub(crate) fn stop_items(&mut self, task: usize) {
        let failed = |i: &crate::plan::task_state::Instance| i.status == InstanceStatus::Failed;
        if self.state.task(task).on_item_error != OnItemError::Stop
            || self.state.tasks[task].items_stopped
            || !self.state.tasks[task].instances.iter().any(failed)
        {
            return;
        }
        self.state.tasks[task].items_stopped = true;
        self.stop_idle_items(task);
    }

    /// Skips the items of a task that have not begun, and fails those that wait before
    /// another attempt.
    fn stop_idle_items(&mut self, task: usize) {
        for item in 0..self.state.tasks[task].instances.len() {
            let instance = &self.state.tasks[task].instances[item];
            let (attempt, last) = (instance.attempt, instance.problem.clone());
            let begun = instance.start_ms.is_some();
            match instance.status {
                InstanceStatus::Ready if !begun => self.skip_item(task, item),
                InstanceStatus::Ready | InstanceStatus::Backoff => {
                    let last = last.unwrap_or_else(stopped);
                    let ended = self.failed_as(task, item, attempt, last);
                    self.record(Fact::Ended(ended));
                }
                _ => {}
            }
        }
    }

    fn skip_item(&mut self, task: usize, item: usize) {
        let mut ended = self.ended(task, journal::Outcome::Skipped, 0, Value::Null, None);
        ended.item = self.item(task, item);
        RUN_STOPPED.clone_into(&mut ended.reason);
        self.record(Fact::Ended(ended));
    }

    /// All items have ended.
    pub(crate) fn finish_each(&mut self, task: usize) {
        let state = &self.state.tasks[task];
        let count = |status| {
            state
                .instances
                .iter()
                .filter(|i| i.status == status)
                .count()
        };
        let failed = count(InstanceStatus::Failed);
        let cancelled = count(InstanceStatus::Cancelled);
        let succeeded = count(InstanceStatus::Succeeded);
        let total = state.instances.len();
        let lenient = self.state.task(task).on_item_error == OnItemError::Continue && succeeded > 0;
        let (outcome, problem) = if cancelled > 0 {
            (journal::Outcome::Cancelled, None)
        } else if failed == 0 || lenient {
            (journal::Outcome::Succeeded, None)
        } else {
            let first = state
                .instances
                .iter()
                .enumerate()
                .find(|(_, i)| i.status == InstanceStatus::Failed);
            let why = first.map_or_else(String::new, |(index, i)| {
                let problem = i.problem.as_ref();
                let code = problem.map_or("", |p| p.code.as_str());
                let message = problem.map_or("", |p| p.message.as_str());
                format!("; item {index}: {code}: {message}")
            });
            let text = format!("{failed} of {total} items failed{why}");
            (
                journal::Outcome::Failed,
                Some(Problem::new("ITEM_FAILED", text)),
            )
        };
        let ended = self.ended(task, outcome, 0, Value::Null, problem);
        self.record(Fact::Ended(ended));
    }

    /// A failed task stops its graph: what has not started does not start.
    pub(crate) fn stop_others(&mut self, frame: usize) {
        let body = &self.state.workflow.bodies[self.state.frames[frame].body];
        let first = self.state.frames[frame].first;
        let order = body.graph.levels.iter().flatten();
        let order: Vec<usize> = order.map(|at| first + at).collect();
        for task in order {
            if self.state.survives_stop(task) {
                continue;
            }
            match self.state.tasks[task].status {
                TaskStatus::Blocked => {
                    let reason = self
                        .state
                        .join(task)
                        .filter(|_| self.has_failed_need(task))
                        .unwrap_or(RUN_STOPPED);
                    self.skip(task, reason);
                }
                TaskStatus::Active => self.stop_active(task),
                _ => {}
            }
        }
    }

    fn has_failed_need(&self, task: usize) -> bool {
        let mut needs = self.state.needs(task);
        needs.any(|n| self.state.tasks[n].failed_for_joins())
    }

    /// A task that is under way ends as it will, if it has begun at all. What is inside
    /// of it stops as it does.
    fn stop_active(&mut self, task: usize) {
        if self.state.is_group(task) {
            for frame in self.frames_of(task) {
                self.stop_others(frame);
            }
        }
        let state = &self.state.tasks[task];
        if state.items.is_some() {
            if state.start_ms.is_none() {
                self.skip(task, RUN_STOPPED);
            }
            return;
        }
        let instance = &state.instances[0];
        let (attempt, last) = (instance.attempt, instance.problem.clone());
        match instance.status {
            InstanceStatus::Ready if state.start_ms.is_none() => self.skip(task, RUN_STOPPED),
            InstanceStatus::Ready | InstanceStatus::Backoff => {
                let last = last.unwrap_or_else(stopped);
                let ended = self.failed_as(task, 0, attempt, last);
                self.record(Fact::Ended(ended));
            }
            _ => {}
        }
    }

    /// The graphs of a group that are under way.
    fn frames_of(&self, task: usize) -> Vec<usize> {
        let instances = self.state.tasks[task].instances.iter();
        instances
            .filter(|i| i.status == InstanceStatus::Waiting)
            .filter_map(|i| i.frame)
            .filter(|f| self.state.frames[*f].open > 0)
            .collect()
    }

    pub(crate) fn skip(&mut self, task: usize, reason: &str) {
        let mut ended = self.ended(task, journal::Outcome::Skipped, 0, Value::Null, None);
        reason.clone_into(&mut ended.reason);
        self.record(Fact::Ended(ended));
    }
}

/// Why an instance fails that waited for another round, or again after a loss: it has no
/// error of its own.
fn stopped() -> Problem {
    Problem::new(RUN_STOPPED, "another task failed before it was done again")
}
