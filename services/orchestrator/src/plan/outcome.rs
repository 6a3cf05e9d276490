//! What came of an attempt, and what follows.

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::OnUnknown;
use journal::record::Fact;

use crate::plan::advance::Planner;
use crate::plan::fold::millis;
use crate::plan::state::Problem;
use crate::sensitive::is_secret;
use crate::size::json_size;

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
    /// An earlier result stands in for the call.
    Cached(Value),
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
            if task < self.state.tasks.len() {
                self.record(Fact::Ignored(journal::Ignored {
                    task: self.state.task(task).id.clone(),
                    path: self.state.path(task),
                    item: self.item(task, item),
                    attempt,
                }));
            }
            return;
        }
        if self.state.dying(self.state.tasks[task].frame) {
            return self.answered_late(task, item, attempt, answer);
        }
        let lost = self.state.tasks[task].instances[item].lost + 1;
        match answer {
            Answer::Done(result) => self.completed(task, item, attempt, result),
            Answer::Cached(result) => self.succeed_as(task, item, attempt, result, true),
            Answer::Failed {
                problem,
                retry_after_ms,
            } => {
                self.failed(task, item, attempt, problem, retry_after_ms, 0);
            }
            Answer::Unknown(problem) => self.doubt(task, item, attempt, problem),
            Answer::Lost if lost >= LOST_MAX => {
                let text =
                    format!("the process died {LOST_MAX} times while this call was under way");
                self.fail(task, item, attempt, Problem::new("POISON", text));
            }
            // The engine is away: from here on the task's `retry` decides.
            Answer::Unsent(problem) if lost >= LOST_MAX => {
                self.failed(task, item, attempt, problem, None, 0);
            }
            Answer::Lost | Answer::Unsent(_) => {
                self.back_off(task, item, attempt, Again::Lost(0), self.moment.now_ms);
            }
            Answer::Cancelled => {
                let outcome = journal::Outcome::Cancelled;
                self.end(task, item, attempt, outcome, Value::Null, None);
            }
        }
    }

    /// The graph is being ended: a success still counts, all else is the cancel.
    fn answered_late(&mut self, task: usize, item: usize, attempt: u32, answer: Answer) {
        let problem = match answer {
            Answer::Done(result) | Answer::Cached(result) => {
                return self.succeed(task, item, attempt, result);
            }
            Answer::Unknown(problem) => Some(problem),
            _ => None,
        };
        let outcome = journal::Outcome::Cancelled;
        self.end(task, item, attempt, outcome, Value::Null, problem);
    }

    /// Whether the call took effect is not known: the task says what follows.
    fn doubt(&mut self, task: usize, item: usize, attempt: u32, problem: Problem) {
        let lost = self.state.tasks[task].instances[item].lost + 1;
        match self.state.task(task).on_unknown {
            OnUnknown::Fail => self.fail(task, item, attempt, problem),
            // The engine would answer the old key with the same doubt.
            OnUnknown::Retry if lost < LOST_MAX => {
                self.back_off(task, item, attempt, Again::Lost(1), self.moment.now_ms);
            }
            OnUnknown::Retry => self.fail(task, item, attempt, problem),
            OnUnknown::Ask => self.record(Fact::Doubted(journal::Doubted {
                task: self.state.task(task).id.clone(),
                path: self.state.path(task),
                item: self.item(task, item),
                attempt,
                problem: Some((&problem).into()),
            })),
        }
    }

    /// An instance has a result: it is looked at by `expect` and by `repeat`.
    pub(crate) fn completed(&mut self, task: usize, item: usize, attempt: u32, result: Value) {
        match self.state.expected(task, item, &result) {
            Ok(()) => self.repeated_or(task, item, attempt, result),
            Err(problem) => self.failed(task, item, attempt, problem, None, 1),
        }
    }

    /// Ends an instance with its result, unless `repeat` wants another round.
    pub(crate) fn repeated_or(&mut self, task: usize, item: usize, attempt: u32, result: Value) {
        let Some(repeat) = &self.state.task(task).repeat else {
            return self.succeed(task, item, attempt, result);
        };
        let instance = &self.state.tasks[task].instances.get(item);
        let rounds = instance.map_or(0, |i| i.rounds) + 1;
        let since = instance
            .and_then(|i| i.start_ms)
            .unwrap_or(self.moment.now_ms);
        let due = self.moment.now_ms.saturating_add(millis(repeat.delay));
        let late = repeat
            .timeout
            .is_some_and(|t| due > since.saturating_add(millis(t)));
        match self.state.until(task, item, &result) {
            Ok(true) => self.succeed(task, item, attempt, result),
            Ok(false) if rounds >= repeat.max || late => {
                let text = format!(
                    "`repeat.until` was false in all of {rounds} rounds: {}",
                    repeat.until.text()
                );
                let mut details = serde_json::json!({"rounds": rounds});
                if !is_secret(&self.state.workflow, self.state.task(task)) {
                    details["last"] = clipped(result);
                }
                let problem = Problem {
                    details: Box::new(details),
                    ..Problem::new("REPEAT_EXHAUSTED", text)
                };
                self.fail(task, item, attempt, problem);
            }
            Ok(false) => self.back_off(task, item, attempt, Again::Round, due),
            Err(problem) => self.fail(task, item, attempt, problem),
        }
    }

    pub(crate) fn succeed(&mut self, task: usize, item: usize, attempt: u32, result: Value) {
        self.succeed_as(task, item, attempt, result, false);
    }

    fn succeed_as(&mut self, task: usize, item: usize, attempt: u32, result: Value, cached: bool) {
        let save = self.state.save_name(task, item, &result);
        let save = match bounded("the result", &result).and(save) {
            Ok(save) => save,
            Err(problem) => return self.fail(task, item, attempt, problem),
        };
        let outcome = journal::Outcome::Succeeded;
        let mut ended = self.ended(task, outcome, attempt, result, None);
        ended.item = self.item(task, item);
        ended.cached = cached;
        ended.save = save;
        self.record(Fact::Ended(ended));
        self.after_instance(task);
    }

    /// An attempt failed: another follows if the task's `retry` says so.
    pub(crate) fn failed(
        &mut self,
        task: usize,
        item: usize,
        attempt: u32,
        problem: Problem,
        retry_after_ms: Option<i64>,
        passes: u32,
    ) {
        let instance = self.state.tasks[task].instances.get(item);
        let failures = instance.map_or(0, |i| i.failures) + 1;
        let frame = self.state.tasks[task].frame;
        let stopped = self.state.stopping(frame) && !self.state.survives_stop(task);
        let again = match &self.state.task(task).retry {
            Some(retry)
                if !stopped
                    && !self.state.dying(frame)
                    && failures < retry.attempts
                    && retry.applies(&problem.code, problem.retryable) =>
            {
                let wait = millis(retry.wait(failures, (self.moment.chance)()));
                Some(wait.max(retry_after_ms.unwrap_or_default()))
            }
            _ => None,
        };
        match again {
            Some(wait) => {
                let due = self.moment.now_ms.saturating_add(wait);
                self.back_off(task, item, attempt, Again::Failed(problem, passes), due);
            }
            None => self.fail(task, item, attempt, problem),
        }
    }

    fn back_off(&mut self, task: usize, item: usize, attempt: u32, again: Again, due_ms: i64) {
        let instance = self.state.tasks[task].instances.get(item);
        let pass = instance.map_or(1, |i| i.pass);
        let (problem, passes) = match &again {
            Again::Failed(problem, passes) => (Some(problem.into()), *passes),
            Again::Lost(passes) => (None, *passes),
            Again::Round => (None, 1),
        };
        self.record(Fact::BackedOff(journal::BackedOff {
            task: self.state.task(task).id.clone(),
            path: self.state.path(task),
            item: self.item(task, item),
            attempt,
            lost: matches!(again, Again::Lost(_)),
            problem,
            due_ms,
            pass: pass + passes,
            repeated: matches!(again, Again::Round),
            undo: false,
        }));
    }

    /// An instance has failed for good, unless a result stands in for it.
    pub(crate) fn fail(&mut self, task: usize, item: usize, attempt: u32, problem: Problem) {
        let ended = self.failed_as(task, item, attempt, problem);
        self.record(Fact::Ended(ended));
        self.after_instance(task);
    }

    /// The record of a failure for good, or of the result that stands in for it.
    pub(crate) fn failed_as(
        &self,
        task: usize,
        item: usize,
        attempt: u32,
        problem: Problem,
    ) -> journal::Ended {
        let failed = journal::Outcome::Failed;
        let mut ended = match self.state.substitute(task, item) {
            Some(Ok(result)) => {
                let outcome = journal::Outcome::Succeeded;
                let mut ended = self.ended(task, outcome, attempt, result, Some(problem));
                ended.substituted = true;
                ended
            }
            Some(Err(instead)) => self.ended(task, failed, attempt, Value::Null, Some(instead)),
            None => self.ended(task, failed, attempt, Value::Null, Some(problem)),
        };
        ended.item = self.item(task, item);
        ended
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
        let frame = self.state.tasks[task].frame;
        if self.state.frames[frame].stopping && !self.state.dying(frame) {
            self.stop_others(frame);
        }
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
            path: self.state.path(task),
            outcome: outcome.into(),
            attempt,
            result,
            problem: problem.as_ref().map(Into::into),
            ..journal::Ended::default()
        }
    }

    /// The item's position, for an `each` task only.
    pub(crate) fn item(&self, task: usize, item: usize) -> Option<u32> {
        let position = || u32::try_from(item).unwrap_or(u32::MAX);
        self.state.tasks[task].items.as_ref().map(|_| position())
    }
}

/// Why an instance is tried again.
enum Again {
    /// It failed; the next attempt's pass is higher by so much.
    Failed(Problem, u32),
    /// It was lost; as above.
    Lost(u32),
    /// It succeeded, and `repeat.until` is false.
    Round,
}

/// Bytes of a result that an error shows.
const SHOWN_MAX: usize = 2_000;

/// A value that is small enough to stand in an error.
fn clipped(value: Value) -> Value {
    let text = value.to_string();
    if text.len() <= SHOWN_MAX {
        return value;
    }
    let mut end = SHOWN_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end]).into()
}

/// Refuses a value that the journal could not keep.
pub(crate) fn bounded(what: &str, value: &Value) -> Result<(), Problem> {
    let size = json_size(value);
    if size <= RESULT_MAX {
        return Ok(());
    }
    let text = format!("{what} has {size} bytes as JSON; at most {RESULT_MAX} are kept");
    Err(Problem {
        hint: "write it to a file and pass the path on".to_owned(),
        ..Problem::new("RESPONSE_TOO_LARGE", text)
    })
}
