//! What is known of a task, and of each of its instances.

use serde_json::Value;

use crate::plan::state::Problem;

/// A task as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskStatus {
    /// Its needs have not all ended, or nothing is decided yet.
    Blocked,
    /// Its instances are under way.
    Active,
    Succeeded,
    Failed,
    Skipped,
    Cancelled,
}

/// What is known of a task.
#[derive(Debug)]
pub(crate) struct TaskState {
    /// Which task of the file it is.
    pub(crate) definition: usize,
    pub(crate) frame: usize,
    pub(crate) status: TaskStatus,
    /// Needs that have not ended.
    pub(crate) open_needs: usize,
    /// One for a plain task, one per element for an `each` task.
    pub(crate) instances: Vec<Instance>,
    /// The elements of an `each` task, once they are known.
    pub(crate) items: Option<Vec<Value>>,
    /// Instances that have not ended.
    pub(crate) open_instances: usize,
    /// Instances that have begun and not ended: leased, waiting, in doubt.
    pub(crate) under_way: usize,
    /// Under `onItemError: stop`: an instance failed, no further one starts.
    pub(crate) items_stopped: bool,
    pub(crate) start_ms: Option<i64>,
    pub(crate) end_ms: Option<i64>,
    pub(crate) reason: String,
    pub(crate) problem: Option<Problem>,
    pub(crate) substituted: bool,
    pub(crate) reused: bool,
    /// What expressions see under the task's name; `Null` until it has ended.
    pub(crate) view: Value,
}

/// One execution of a task: the task itself, or one element of its `each`.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) status: InstanceStatus,
    /// Attempts given out; the current one while leased.
    pub(crate) attempt: u32,
    /// Attempts of this round that failed and count against `retry`.
    pub(crate) failures: u32,
    /// Attempts that were lost with a process.
    pub(crate) lost: u32,
    pub(crate) pass: u32,
    /// Rounds of `repeat` that were made.
    pub(crate) rounds: u32,
    pub(crate) due_ms: i64,
    pub(crate) class: String,
    pub(crate) key: String,
    pub(crate) tool: String,
    /// The engine's instance that got the last attempt; empty: any.
    pub(crate) served_by: String,
    /// What it waits for, as its record says.
    pub(crate) what: Value,
    /// What has come of it so far.
    pub(crate) signals: Vec<Value>,
    /// Since when it waits.
    pub(crate) since_ms: i64,
    /// The graph of a group's instance.
    pub(crate) frame: Option<usize>,
    pub(crate) start_ms: Option<i64>,
    pub(crate) end_ms: Option<i64>,
    pub(crate) result: Value,
    pub(crate) problem: Option<Problem>,
    pub(crate) reason: String,
    pub(crate) substituted: bool,
    pub(crate) cached: bool,
    /// The name of the artifact that keeps its result.
    pub(crate) save: String,
    /// Whether its effect was taken back; none: that was not tried.
    pub(crate) undone: Option<bool>,
}

/// How far an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstanceStatus {
    Ready,
    Leased,
    Backoff,
    /// For people, time, an event, another run or the tasks of its group.
    Waiting,
    /// Nobody knows whether its call took effect, and a person is to decide.
    Unknown,
    Succeeded,
    Failed,
    Skipped,
    Cancelled,
}

impl InstanceStatus {
    pub(crate) fn ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Skipped | Self::Cancelled
        )
    }

    /// Whether it has begun and not ended, and is no wait before another attempt.
    pub(crate) fn under_way(self) -> bool {
        matches!(self, Self::Leased | Self::Waiting | Self::Unknown)
    }
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            status: InstanceStatus::Ready,
            attempt: 0,
            failures: 0,
            lost: 0,
            pass: 1,
            rounds: 0,
            due_ms: 0,
            class: String::new(),
            key: String::new(),
            tool: String::new(),
            served_by: String::new(),
            what: Value::Null,
            signals: Vec::new(),
            since_ms: 0,
            frame: None,
            start_ms: None,
            end_ms: None,
            result: Value::Null,
            problem: None,
            reason: String::new(),
            substituted: false,
            cached: false,
            save: String::new(),
            undone: None,
        }
    }
}

/// Reasons for which a task is skipped.
pub(crate) const CONDITION: &str = "CONDITION";
pub(crate) const NEED_FAILED: &str = "NEED_FAILED";
pub(crate) const NEEDS_SKIPPED: &str = "NEEDS_SKIPPED";
pub(crate) const RUN_STOPPED: &str = "RUN_STOPPED";
/// Only a part of the workflow is run.
pub(crate) const LEFT_OUT: &str = "LEFT_OUT";

impl TaskState {
    pub(crate) fn new(definition: usize, frame: usize, needs: usize) -> Self {
        Self {
            definition,
            frame,
            status: TaskStatus::Blocked,
            open_needs: needs,
            instances: Vec::new(),
            items: None,
            open_instances: 0,
            under_way: 0,
            items_stopped: false,
            start_ms: None,
            end_ms: None,
            reason: String::new(),
            problem: None,
            substituted: false,
            reused: false,
            view: Value::Null,
        }
    }

    pub(crate) fn ended(&self) -> bool {
        !matches!(self.status, TaskStatus::Blocked | TaskStatus::Active)
    }

    /// Failed as the joins see it: also when it did not run because something before it failed.
    pub(crate) fn failed_for_joins(&self) -> bool {
        match self.status {
            TaskStatus::Failed | TaskStatus::Cancelled => true,
            TaskStatus::Skipped => self.reason == NEED_FAILED || self.reason == RUN_STOPPED,
            _ => false,
        }
    }

    /// Attempts made; of an `each` task those of the item that took most. One that has not
    /// begun may know of attempts of a graph before its own.
    pub(crate) fn attempts(&self) -> u32 {
        self.instances
            .iter()
            .filter(|i| i.start_ms.is_some())
            .map(|i| i.attempt)
            .max()
            .unwrap_or_default()
    }
}
