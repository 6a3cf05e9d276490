//! What came of an attempt, and what follows.

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::OnItemError;
use journal::record::Fact;

use crate::plan::advance::Planner;
use crate::plan::state::{InstanceStatus, Phase, Problem, RUN_STOPPED, TaskStatus};

/// A call under which the process died this often is not sent again: it may be
/// what kills it, and would keep every other run from going on.
pub(crate) const LOST_MAX: u32 = 3;

/// Largest result of a task as JSON, in bytes: what one row or blob of the journal
/// takes, less its frame.
pub(crate) const RESULT_MAX: usize = 15 * 1024 * 1024;

/// What came of an attempt.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The tool answered.
    Done(Value),
    /// The tool refused, or did not answer in time; there was no doubt about its effect.
    Failed {
        problem: Problem,
        /// The least wait before another attempt.
        retry_after_ms: Option<i64>,
    },
    /// Whether it took effect cannot be known.
    Unknown(Problem),
    /// It was lost, and may be sent again without harm.
    Lost,
    /// The instance that was meant never got it: another may take it at once. When
    /// none does, it has failed.
    Unsent(Problem),
    /// It was ended by a cancel.
    Cancelled,
}

impl Planner<'_> {
    /// Takes the answer of an attempt in.
    pub(crate) fn answered(&mut self, task: usize, item: usize, attempt: u32, answer: Answer) {
        if !self.state.is_current(task, item, attempt) {
            self.record(Fact::Ignored(journal::Ignored {
                task: self.state.task(task).id.clone(),
                item: self.item(task, item),
                attempt,
            }));
            return;
        }
        if matches!(self.state.phase, Phase::Cancelling { .. }) {
            return self.answered_late(task, item, attempt, answer);
        }
        match answer {
            Answer::Done(result) => match self.state.expected(task, item, &result) {
                Ok(()) => self.succeed(task, item, attempt, result),
                Err(problem) => self.failed(task, item, attempt, problem, None, 1),
            },
            Answer::Failed {
                problem,
                retry_after_ms,
            } => {
                self.failed(task, item, attempt, problem, retry_after_ms, 0);
            }
            Answer::Unknown(problem) => self.fail(task, item, attempt, problem),
            Answer::Lost if self.state.tasks[task].instances[item].lost + 1 >= LOST_MAX => {
                let text =
                    format!("the process died {LOST_MAX} times while this call was under way");
                self.fail(task, item, attempt, Problem::new("POISON", text));
            }
            // The engine is away: from here on the task's `retry` decides.
            Answer::Unsent(problem)
                if self.state.tasks[task].instances[item].lost + 1 >= LOST_MAX =>
            {
                self.failed(task, item, attempt, problem, None, 0);
            }
            Answer::Lost | Answer::Unsent(_) => {
                self.back_off(task, item, attempt, None, self.moment.now_ms, 0);
            }
            Answer::Cancelled => self.end(
                task,
                item,
                attempt,
                journal::Outcome::Cancelled,
                Value::Null,
                None,
            ),
        }
    }

    /// The run is being ended: a success still counts, all else is the cancel.
    fn answered_late(&mut self, task: usize, item: usize, attempt: u32, answer: Answer) {
        match answer {
            Answer::Done(result) => self.succeed(task, item, attempt, result),
            Answer::Unknown(problem) => {
                self.end(
                    task,
                    item,
                    attempt,
                    journal::Outcome::Cancelled,
                    Value::Null,
                    Some(problem),
                );
            }
            _ => self.end(
                task,
                item,
                attempt,
                journal::Outcome::Cancelled,
                Value::Null,
                None,
            ),
        }
    }

    pub(crate) fn succeed(&mut self, task: usize, item: usize, attempt: u32, result: Value) {
        if let Err(problem) = bounded("the result", &result) {
            return self.fail(task, item, attempt, problem);
        }
        self.end(
            task,
            item,
            attempt,
            journal::Outcome::Succeeded,
            result,
            None,
        );
    }

    /// An attempt failed: another follows if the task's `retry` says so.
    fn failed(
        &mut self,
        task: usize,
        item: usize,
        attempt: u32,
        problem: Problem,
        retry_after_ms: Option<i64>,
        passes: u32,
    ) {
        let failures = self.state.tasks[task].instances[item].failures + 1;
        let stopped = self.state.stopping && !self.state.survives_stop(task);
        let again = match &self.state.task(task).retry {
            Some(retry)
                if !stopped
                    && failures < retry.attempts
                    && retry.applies(&problem.code, problem.retryable) =>
            {
                let wait = retry.wait(failures, (self.moment.chance)());
                let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
                Some(wait.max(retry_after_ms.unwrap_or_default()))
            }
            _ => None,
        };
        match again {
            Some(wait) => {
                let due = self.moment.now_ms.saturating_add(wait);
                self.back_off(task, item, attempt, Some(problem), due, passes);
            }
            None => self.fail(task, item, attempt, problem),
        }
    }

    fn back_off(
        &mut self,
        task: usize,
        item: usize,
        attempt: u32,
        problem: Option<Problem>,
        due_ms: i64,
        passes: u32,
    ) {
        let pass = self.state.tasks[task].instances[item].pass + passes;
        self.record(Fact::BackedOff(journal::BackedOff {
            task: self.state.task(task).id.clone(),
            item: self.item(task, item),
            attempt,
            lost: problem.is_none(),
            problem: problem.as_ref().map(Into::into),
            due_ms,
            pass,
        }));
    }

    /// An instance has failed for good, unless a result stands in for it.
    pub(crate) fn fail(&mut self, task: usize, item: usize, attempt: u32, problem: Problem) {
        match self.state.substitute(task, item) {
            Some(Ok(result)) => {
                let mut ended = self.ended(
                    task,
                    journal::Outcome::Succeeded,
                    attempt,
                    result,
                    Some(problem),
                );
                ended.item = self.item(task, item);
                ended.substituted = true;
                self.record(Fact::Ended(ended));
                self.after_instance(task);
            }
            Some(Err(instead)) => self.end(
                task,
                item,
                attempt,
                journal::Outcome::Failed,
                Value::Null,
                Some(instead),
            ),
            None => self.end(
                task,
                item,
                attempt,
                journal::Outcome::Failed,
                Value::Null,
                Some(problem),
            ),
        }
    }

    /// Ends an instance, and with the last one its task.
    pub(crate) fn end(
        &mut self,
        task: usize,
        item: usize,
        attempt: u32,
        outcome: journal::Outcome,
        result: Value,
        problem: Option<Problem>,
    ) {
        let mut ended = self.ended(task, outcome, attempt, result, problem);
        ended.item = self.item(task, item);
        self.record(Fact::Ended(ended));
        self.after_instance(task);
    }

    fn after_instance(&mut self, task: usize) {
        if self.state.tasks[task].items.is_some() {
            self.stop_items(task);
            if self.state.tasks[task].open_instances == 0 && !self.state.tasks[task].ended() {
                self.finish_each(task);
            }
        }
        if self.state.stopping && self.state.phase == Phase::Running {
            self.stop_others();
        }
    }

    /// Under `onItemError: stop` a failed item keeps the others from starting.
    fn stop_items(&mut self, task: usize) {
        let failed = |i: &crate::plan::state::Instance| i.status == InstanceStatus::Failed;
        if self.state.task(task).on_item_error != OnItemError::Stop
            || self.state.tasks[task].items_stopped
            || !self.state.tasks[task].instances.iter().any(failed)
        {
            return;
        }
        self.state.tasks[task].items_stopped = true;
        for item in 0..self.state.tasks[task].instances.len() {
            let instance = &self.state.tasks[task].instances[item];
            let last = instance.problem.clone();
            match instance.status {
                InstanceStatus::Ready => self.skip_item(task, item),
                InstanceStatus::Backoff => {
                    let mut ended = self.ended(
                        task,
                        journal::Outcome::Failed,
                        instance.attempt,
                        Value::Null,
                        last,
                    );
                    ended.item = Some(u32::try_from(item).unwrap_or(u32::MAX));
                    self.record(Fact::Ended(ended));
                }
                _ => {}
            }
        }
    }

    fn skip_item(&mut self, task: usize, item: usize) {
        let mut ended = self.ended(task, journal::Outcome::Skipped, 0, Value::Null, None);
        ended.item = Some(u32::try_from(item).unwrap_or(u32::MAX));
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

    /// A failed task stops the run: what has not started does not start.
    pub(crate) fn stop_others(&mut self) {
        let order: Vec<usize> = self
            .state
            .workflow
            .graph
            .levels
            .iter()
            .flatten()
            .copied()
            .collect();
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
        let needs = &self.state.workflow.graph.needs[task];
        needs
            .iter()
            .any(|n| self.state.tasks[*n].failed_for_joins())
    }

    /// A task that is under way ends as it will, if it has begun at all.
    fn stop_active(&mut self, task: usize) {
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
            InstanceStatus::Ready if attempt == 0 => self.skip(task, RUN_STOPPED),
            InstanceStatus::Ready | InstanceStatus::Backoff => {
                let ended = self.ended(task, journal::Outcome::Failed, attempt, Value::Null, last);
                self.record(Fact::Ended(ended));
            }
            _ => {}
        }
    }

    pub(crate) fn skip(&mut self, task: usize, reason: &str) {
        let mut ended = self.ended(task, journal::Outcome::Skipped, 0, Value::Null, None);
        reason.clone_into(&mut ended.reason);
        self.record(Fact::Ended(ended));
    }

    /// The record of an end, without the item.
    pub(crate) fn ended(
        &self,
        task: usize,
        outcome: journal::Outcome,
        attempt: u32,
        result: Value,
        problem: Option<Problem>,
    ) -> journal::Ended {
        let result = match (&result, outcome) {
            (Value::Null, o) if o != journal::Outcome::Succeeded => bytes::Bytes::new(),
            _ => serde_json::to_vec(&result).unwrap_or_default().into(),
        };
        journal::Ended {
            task: self.state.task(task).id.clone(),
            item: None,
            outcome: outcome.into(),
            attempt,
            result,
            result_blob: bytes::Bytes::new(),
            problem: problem.as_ref().map(Into::into),
            reason: String::new(),
            substituted: false,
        }
    }

    /// The item's position, for an `each` task only.
    pub(crate) fn item(&self, task: usize, item: usize) -> Option<u32> {
        let position = || u32::try_from(item).unwrap_or(u32::MAX);
        self.state.tasks[task].items.as_ref().map(|_| position())
    }
}

/// Refuses a value that the journal could not keep.
pub(crate) fn bounded(what: &str, value: &Value) -> Result<(), Problem> {
    /// Counts what is written to it.
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail, and every JSON value can be written.
    let _ = serde_json::to_writer(&mut count, value);
    if count.0 <= RESULT_MAX {
        return Ok(());
    }
    let text = format!(
        "{what} has {} bytes as JSON; at most {RESULT_MAX} are kept",
        count.0
    );
    Err(Problem {
        hint: "write it to a file and pass the path on".to_owned(),
        ..Problem::new("RESPONSE_TOO_LARGE", text)
    })
}
