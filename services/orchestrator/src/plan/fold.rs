//! Facts into state. Nothing is decided here: replay of any row sequence ends in
//! the same state and never panics.

use std::time::Duration;

use serde_json::{Value, json};

use gearmesh_api::journal::v1 as journal;
use journal::record::Fact;

use gearmesh_workflow::{Kind, OnError, TaskOnError};

use crate::plan::frame::ROOT;
use crate::plan::state::{Phase, Problem, RunEnd, Stage, State};
use crate::plan::task_state::{Instance, InstanceStatus, TaskStatus};

/// How long the handlers of a run may take together.
pub(crate) const HANDLERS_MAX_MS: i64 = 60_000;

impl State {
    /// Takes a record in. A record that does not fit the state is left out: it
    /// can only stand in a journal that another release wrote.
    pub(crate) fn fold(&mut self, record: &journal::Record) {
        let now = record.time_ms;
        self.spend(now);
        match &record.fact {
            Some(Fact::Leased(leased)) if leased.undo => self.fold_undo_leased(leased),
            Some(Fact::Leased(leased)) => self.fold_leased(leased, now),
            Some(Fact::Ended(ended)) if ended.undo => self.fold_undo_ended(ended),
            Some(Fact::Ended(ended)) => self.fold_ended(ended, now),
            Some(Fact::BackedOff(backed)) if backed.undo => self.fold_undo_backed_off(backed),
            Some(Fact::BackedOff(backed)) => self.fold_backed_off(backed),
            Some(Fact::Expanded(expanded)) => self.fold_expanded(expanded),
            Some(Fact::Opened(opened)) => self.fold_opened(opened, now),
            Some(Fact::Waiting(waiting)) => self.fold_waiting(waiting, now),
            Some(Fact::Signalled(signalled)) => self.fold_signalled(signalled),
            Some(Fact::Doubted(doubted)) => self.fold_doubted(doubted, now),
            Some(Fact::Decided(decided)) => self.fold_decided(decided),
            Some(Fact::Admitted(_)) => self.fold_admitted(now),
            Some(Fact::Paused(paused)) => {
                self.paused = Some((paused.principal.clone(), paused.reason.clone()));
            }
            Some(Fact::Resumed(_)) => self.paused = None,
            Some(Fact::Cancelling(cancelling)) => self.fold_cancelling(cancelling),
            Some(Fact::Entered(entered)) => self.fold_entered(entered, now),
            Some(Fact::Closed(closed)) => self.fold_closed(closed, now),
            Some(Fact::Accepted(_) | Fact::Ignored(_)) | None => {}
        }
    }

    /// The run has its place: what its `timeout` says counts from now on.
    fn fold_admitted(&mut self, now: i64) {
        if self.phase != Phase::Queued {
            return;
        }
        self.phase = Phase::Running;
        self.begun = true;
        let own = self.workflow.timeout.map(|t| now.saturating_add(millis(t)));
        // One that was given counts as well, as does that of a run which an earlier release
        // accepted.
        let given = self.accepted.deadline_ms;
        self.accepted.deadline_ms = [own, given].into_iter().flatten().min();
    }

    /// Counts the time since the last record to what the run did meanwhile.
    fn spend(&mut self, now: i64) {
        let passed = (now - self.seen_ms).max(0);
        let spent = &mut self.spent;
        if self.phase == Phase::Queued {
            spent.queued_ms += passed;
        } else if self.leased > 0 {
            spent.working_ms += passed;
        } else if !self.backoffs.is_empty() {
            spent.retrying_ms += passed;
        } else if self.waiting > 0 || self.paused.is_some() {
            spent.waiting_ms += passed;
        }
        self.seen_ms = self.seen_ms.max(now);
    }

    fn fold_cancelling(&mut self, cancelling: &journal::Cancelling) {
        let timed_out = cancelling.timed_out;
        match self.phase {
            Phase::Queued | Phase::Running => {
                self.phase = Phase::Cancelling { timed_out };
                self.paused = None;
                self.frames[ROOT].ending = Some(ended_by(timed_out));
            }
            // Only its handlers are ended: how the graph ended is known.
            Phase::Finishing { .. } => {
                self.handlers_timed_out |= timed_out;
                for (_, frame) in self.handlers.clone() {
                    self.frames[frame].ending = Some(ended_by(timed_out));
                }
                self.undoing.stopped = true;
            }
            Phase::Cancelling { .. } | Phase::Ended(_) => {}
        }
    }

    fn fold_entered(&mut self, entered: &journal::Entered, now: i64) {
        let (Some(stage), end) = (Stage::parse(&entered.stage), RunEnd::parse(&entered.status))
        else {
            return;
        };
        self.phase = Phase::Finishing { stage, end };
        self.handlers_due_ms
            .get_or_insert(now.saturating_add(HANDLERS_MAX_MS));
        let problem = entered.problem.as_ref().map(Problem::from);
        if let Some(Value::Object(run)) = self.constants.get_mut("run") {
            run.insert("status".into(), end.as_str().into());
            let error = problem.as_ref().map_or(Value::Null, shown_problem);
            run.insert("error".into(), error);
            let task = Some(entered.failed_task.clone()).filter(|t| !t.is_empty());
            run.insert("failedTask".into(), task.into());
        }
        if let Some(problem) = problem {
            self.failed = Some((entered.failed_task.clone(), problem));
        }
        let body = match stage {
            Stage::Undo => {
                self.handlers_due_ms = None;
                return self.plan_undo();
            }
            Stage::OnFailure => self.workflow.on_failure,
            Stage::OnSuccess => self.workflow.on_success,
            Stage::Finally => self.workflow.finally,
        };
        if let Some(body) = body {
            let frame = self.add_frame(body, Vec::new(), None, Some(ROOT));
            self.handlers.push((stage, frame));
        }
    }

    fn fold_closed(&mut self, closed: &journal::Closed, now: i64) {
        self.phase = Phase::Ended(RunEnd::parse(&closed.status));
        self.outputs = parse(&closed.outputs);
        self.ended_ms = Some(now);
        self.paused = None;
        self.undone.clone_from(&closed.undone);
        self.failed = closed
            .problem
            .as_ref()
            .map(|problem| (closed.failed_task.clone(), problem.into()));
    }

    fn fold_expanded(&mut self, expanded: &journal::Expanded) {
        let Some(task) = self.at(&expanded.task, &expanded.path) else {
            return;
        };
        let Value::Array(items) = parse(&expanded.items) else {
            return;
        };
        self.instantiate(task, items.len());
        self.tasks[task].items = Some(items);
    }

    fn fold_ended(&mut self, ended: &journal::Ended, now: i64) {
        let Some(task) = self.at(&ended.task, &ended.path) else {
            return;
        };
        match ended.item {
            Some(item) => self.end_instance(task, item as usize, ended, now),
            None => self.end_task(task, ended, now),
        }
    }

    fn end_task(&mut self, task: usize, ended: &journal::Ended, now: i64) {
        if self.tasks[task].ended() {
            return;
        }
        // With the task all of its items have ended that had not by themselves.
        let rest = match ended.outcome() {
            journal::Outcome::Cancelled => InstanceStatus::Cancelled,
            _ => InstanceStatus::Skipped,
        };
        for item in 0..self.tasks[task].instances.len() {
            if !self.tasks[task].instances[item].status.ended() {
                self.leave(task, item);
                self.tasks[task].instances[item].status = rest;
            }
        }
        let plain = self.tasks[task].items.is_none();
        let dialect = self.workflow.dialect;
        let state = &mut self.tasks[task];
        state.status = match ended.outcome() {
            journal::Outcome::Succeeded => TaskStatus::Succeeded,
            journal::Outcome::Skipped => TaskStatus::Skipped,
            journal::Outcome::Cancelled => TaskStatus::Cancelled,
            journal::Outcome::Failed | journal::Outcome::Unspecified => TaskStatus::Failed,
        };
        state.reason.clone_from(&ended.reason);
        state.problem = ended.problem.as_ref().map(Problem::from);
        state.substituted = ended.substituted;
        state.reused = ended.reused;
        state.end_ms = Some(now);
        if state.status != TaskStatus::Skipped {
            state.start_ms.get_or_insert(now);
        }
        state.open_instances = 0;
        if plain && state.instances.is_empty() && state.status == TaskStatus::Succeeded {
            // A `set` makes no attempt; its result may be kept all the same.
            state.instances.push(Instance::default());
        }
        if plain && let Some(instance) = state.instances.first_mut() {
            instance.attempt = instance.attempt.max(ended.attempt);
            instance.status = if state.status == TaskStatus::Succeeded {
                InstanceStatus::Succeeded
            } else {
                InstanceStatus::Failed
            };
            instance.end_ms = Some(now);
            instance.cached = ended.cached;
            instance.save.clone_from(&ended.save);
        }
        if plain && state.status == TaskStatus::Succeeded {
            self.undoing.ended.push((task, 0));
        }
        // The result of a reused `each` task comes whole; it has no items of its own here.
        let result = if state.items.is_some() {
            state.collected()
        } else {
            parse(&ended.result)
        };
        state.view = state.as_seen(result, dialect);
        let failed = state.status == TaskStatus::Failed;
        let frame = state.frame;
        if failed {
            self.note_failure(task);
        }
        for dependent in self.dependents(task) {
            let open = &mut self.tasks[dependent].open_needs;
            *open = open.saturating_sub(1);
            if *open == 0 && self.tasks[dependent].status == TaskStatus::Blocked {
                self.unlocked.push_back(dependent);
            }
        }
        self.frames[frame].open -= 1;
        if self.frames[frame].open == 0 && self.frames[frame].parent.is_some() {
            self.drained.push_back(frame);
        }
    }

    /// Remembers the first failure, and whether it stops its graph.
    fn note_failure(&mut self, task: usize) {
        let stops = match &self.task(task).on_error {
            Some(TaskOnError::Stop) => true,
            Some(TaskOnError::Continue | TaskOnError::Use(_)) => false,
            None => self.workflow.on_error != OnError::Continue,
        };
        let id = self.task(task).id.clone();
        let problem = self.tasks[task].problem.clone();
        let frame = &mut self.frames[self.tasks[task].frame];
        frame.stopping |= stops;
        if let (None, Some(problem)) = (&frame.failed, &problem) {
            frame.failed = Some((id.clone(), problem.clone()));
        }
        if let (ROOT, None, Some(problem)) = (self.tasks[task].frame, &self.failed, problem) {
            self.failed = Some((id, problem));
        }
    }

    /// Whether a task is a group.
    pub(crate) fn is_group(&self, task: usize) -> bool {
        matches!(self.task(task).kind, Kind::Group { .. })
    }
}

/// Why what belongs to a run that is being ended ends.
fn ended_by(timed_out: bool) -> Problem {
    if timed_out {
        Problem::new("RUN_TIMEOUT", "the run's time was over")
    } else {
        Problem::new("RUN_CANCELLED", "the run was cancelled")
    }
}

/// A problem as expressions see it.
pub(crate) fn shown_problem(problem: &Problem) -> Value {
    json!({"code": problem.code, "message": problem.message, "details": problem.details})
}

/// A duration as the journal has it.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

impl From<&journal::Problem> for Problem {
    fn from(problem: &journal::Problem) -> Self {
        Self {
            code: problem.code.clone(),
            message: problem.message.clone(),
            retryable: problem.retryable,
            hint: problem.hint.clone(),
            details: Box::new(parse(&problem.details)),
        }
    }
}

impl From<&Problem> for journal::Problem {
    fn from(problem: &Problem) -> Self {
        let details = match &*problem.details {
            Value::Null => bytes::Bytes::new(),
            details => details.to_string().into(),
        };
        Self {
            code: problem.code.clone(),
            message: problem.message.clone(),
            retryable: problem.retryable,
            hint: problem.hint.clone(),
            details,
        }
    }
}
