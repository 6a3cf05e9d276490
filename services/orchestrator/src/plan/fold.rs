//! Facts into state. Nothing is decided here: replay of any row sequence ends in
//! the same state and never panics.

use serde_json::{Map, Value, json};

use gearmesh_api::journal::v1 as journal;
use journal::record::Fact;

use gearmesh_workflow::{Dialect, OnError, TaskOnError};

use crate::plan::state::{
    Instance, InstanceStatus, Phase, Problem, RunEnd, State, TaskState, TaskStatus,
};
use crate::render::instant;

impl State {
    /// Takes a record in. A record that does not fit the state is left out: it
    /// can only stand in a journal that another release wrote.
    pub(crate) fn fold(&mut self, record: &journal::Record) {
        let now = record.time_ms;
        self.spend(now);
        match &record.fact {
            Some(Fact::Leased(leased)) => self.fold_leased(leased, now),
            Some(Fact::Ended(ended)) => self.fold_ended(ended, now),
            Some(Fact::BackedOff(backed)) => self.fold_backed_off(backed),
            Some(Fact::Expanded(expanded)) => self.fold_expanded(expanded),
            Some(Fact::Cancelling(cancelling)) => {
                if !self.ended() {
                    self.phase = Phase::Cancelling {
                        timed_out: cancelling.timed_out,
                    };
                }
            }
            Some(Fact::Closed(closed)) => {
                self.phase = Phase::Ended(RunEnd::parse(&closed.status));
                self.outputs = parse(&closed.outputs);
                self.ended_ms = Some(now);
                if let Some(problem) = &closed.problem {
                    self.failed = Some((closed.failed_task.clone(), problem.into()));
                }
            }
            Some(Fact::Accepted(_) | Fact::Ignored(_)) | None => {}
        }
    }

    /// Counts the time since the last record to what the run did meanwhile.
    fn spend(&mut self, now: i64) {
        let passed = (now - self.seen_ms).max(0);
        if self.leased > 0 {
            self.working_ms += passed;
        } else if !self.backoffs.is_empty() {
            self.retrying_ms += passed;
        }
        self.seen_ms = self.seen_ms.max(now);
    }

    /// Makes the one instance of a plain task, which is ready at once.
    pub(crate) fn activate(&mut self, task: usize) {
        self.instantiate(task, 1);
    }

    fn instantiate(&mut self, task: usize, count: usize) {
        if self.tasks[task].status != TaskStatus::Blocked {
            return;
        }
        let keys: Vec<_> = (0..count).map(|item| self.ready_key(task, item)).collect();
        self.ready.extend(keys);
        let state = &mut self.tasks[task];
        state.status = TaskStatus::Active;
        state.instances = vec![Instance::default(); count];
        state.open_instances = count;
    }

    fn fold_expanded(&mut self, expanded: &journal::Expanded) {
        let Some(task) = self.find(&expanded.task) else {
            return;
        };
        let Value::Array(items) = parse(&expanded.items) else {
            return;
        };
        self.instantiate(task, items.len());
        self.tasks[task].items = Some(items);
    }

    fn fold_leased(&mut self, leased: &journal::Leased, now: i64) {
        let Some(task) = self.find(&leased.task) else {
            return;
        };
        if leased.item.is_none() {
            // The lease of a plain task is also what says that it has begun.
            self.activate(task);
        }
        let item = leased.item.unwrap_or_default() as usize;
        // After a back-off the lease is also what says that the wait was over.
        match self.tasks[task].instances.get(item).map(|i| i.status) {
            Some(InstanceStatus::Ready | InstanceStatus::Backoff) => self.leave(task, item),
            _ => return,
        }
        let Some(instance) = self.tasks[task].instances.get_mut(item) else {
            return;
        };
        instance.status = InstanceStatus::Leased;
        instance.attempt = leased.attempt;
        instance.pass = leased.pass;
        instance.class.clone_from(&leased.class);
        instance.key.clone_from(&leased.key);
        instance.tool.clone_from(&leased.tool);
        instance.served_by.clone_from(&leased.instance);
        instance.start_ms.get_or_insert(now);
        self.leased += 1;
        let state = &mut self.tasks[task];
        state.leased += 1;
        state.start_ms.get_or_insert(now);
    }

    fn fold_backed_off(&mut self, backed: &journal::BackedOff) {
        let Some(task) = self.find(&backed.task) else {
            return;
        };
        let item = backed.item.unwrap_or_default() as usize;
        let Some(instance) = self.tasks[task].instances.get_mut(item) else {
            return;
        };
        if instance.status != InstanceStatus::Leased {
            return;
        }
        instance.status = InstanceStatus::Backoff;
        instance.due_ms = backed.due_ms;
        instance.pass = backed.pass.max(instance.pass);
        if backed.lost {
            instance.lost += 1;
        } else {
            instance.failures += 1;
        }
        instance.problem = backed.problem.as_ref().map(Problem::from);
        self.backoffs.insert((backed.due_ms, task, item));
        self.leased -= 1;
        self.tasks[task].leased -= 1;
    }

    /// A wait is over: the instance may start again.
    pub(crate) fn fold_due(&mut self, due: i64, task: usize, item: usize) {
        self.backoffs.remove(&(due, task, item));
        let ready = self.ready_key(task, item);
        if let Some(instance) = self.tasks[task].instances.get_mut(item)
            && instance.status == InstanceStatus::Backoff
        {
            instance.status = InstanceStatus::Ready;
            self.ready.insert(ready);
        }
    }

    fn fold_ended(&mut self, ended: &journal::Ended, now: i64) {
        let Some(task) = self.find(&ended.task) else {
            return;
        };
        match ended.item {
            Some(item) => self.end_instance(task, item as usize, ended, now),
            None => self.end_task(task, ended, now),
        }
    }

    fn end_instance(&mut self, task: usize, item: usize, ended: &journal::Ended, now: i64) {
        self.leave(task, item);
        let Some(instance) = self.tasks[task].instances.get_mut(item) else {
            return;
        };
        if instance.status.ended() {
            return;
        }
        instance.status = match ended.outcome() {
            journal::Outcome::Succeeded => InstanceStatus::Succeeded,
            journal::Outcome::Skipped => InstanceStatus::Skipped,
            journal::Outcome::Cancelled => InstanceStatus::Cancelled,
            journal::Outcome::Failed | journal::Outcome::Unspecified => InstanceStatus::Failed,
        };
        instance.attempt = instance.attempt.max(ended.attempt);
        instance.result = parse(&ended.result);
        instance.problem = ended.problem.as_ref().map(Problem::from);
        instance.reason.clone_from(&ended.reason);
        instance.substituted = ended.substituted;
        instance.end_ms = Some(now);
        self.tasks[task].open_instances -= 1;
    }

    /// Takes an instance out of the sets in which its status had put it.
    fn leave(&mut self, task: usize, item: usize) {
        let ready = self.ready_key(task, item);
        let Some(instance) = self.tasks[task].instances.get(item) else {
            return;
        };
        match instance.status {
            InstanceStatus::Ready => {
                self.ready.remove(&ready);
            }
            InstanceStatus::Backoff => {
                self.backoffs.remove(&(instance.due_ms, task, item));
            }
            InstanceStatus::Leased => {
                self.leased -= 1;
                self.tasks[task].leased -= 1;
            }
            _ => {}
        }
    }

    fn end_task(&mut self, task: usize, ended: &journal::Ended, now: i64) {
        if self.tasks[task].ended() {
            return;
        }
        for item in 0..self.tasks[task].instances.len() {
            if !self.tasks[task].instances[item].status.ended() {
                self.leave(task, item);
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
        state.end_ms = Some(now);
        if state.status != TaskStatus::Skipped {
            state.start_ms.get_or_insert(now);
        }
        state.open_instances = 0;
        if plain && let Some(instance) = state.instances.first_mut() {
            instance.attempt = instance.attempt.max(ended.attempt);
            instance.status = InstanceStatus::Succeeded;
        }
        let result = if state.items.is_some() {
            state.collected()
        } else {
            parse(&ended.result)
        };
        state.view = state.as_seen(result, dialect);
        let failed = state.status == TaskStatus::Failed;
        self.open -= 1;
        if failed {
            self.note_failure(task);
        }
        for dependent in self.workflow.graph.dependents[task].clone() {
            let open = &mut self.tasks[dependent].open_needs;
            *open = open.saturating_sub(1);
            if *open == 0 && self.tasks[dependent].status == TaskStatus::Blocked {
                self.unlocked.push_back(dependent);
            }
        }
    }
}

impl State {
    /// Remembers the first failure, and whether it stops the run.
    fn note_failure(&mut self, task: usize) {
        let stops = match &self.task(task).on_error {
            Some(TaskOnError::Stop) => true,
            Some(TaskOnError::Continue | TaskOnError::Use(_)) => false,
            None => self.workflow.on_error == OnError::Stop,
        };
        self.stopping |= stops;
        if let (None, Some(problem)) = (&self.failed, &self.tasks[task].problem) {
            self.failed = Some((self.task(task).id.clone(), problem.clone()));
        }
    }
}

impl TaskState {
    /// The results of an `each` task in the order of its items; null where one failed.
    fn collected(&mut self) -> Value {
        self.instances
            .iter_mut()
            .map(|i| std::mem::take(&mut i.result))
            .collect()
    }

    /// What expressions see under the task's name.
    fn as_seen(&self, result: Value, dialect: Dialect) -> Value {
        let mut view = Map::new();
        view.insert("result".into(), result);
        let status = match self.status {
            TaskStatus::Succeeded if dialect == Dialect::Oktyv => "success",
            TaskStatus::Cancelled if dialect == Dialect::Oktyv => "failed",
            TaskStatus::Succeeded => "succeeded",
            TaskStatus::Failed => "failed",
            TaskStatus::Skipped => "skipped",
            TaskStatus::Cancelled => "cancelled",
            TaskStatus::Blocked | TaskStatus::Active => "running",
        };
        view.insert("status".into(), status.into());
        let error = self.problem.as_ref().map_or(
            Value::Null,
            |p| json!({"code": p.code, "message": p.message, "details": p.details}),
        );
        view.insert("error".into(), error);
        view.insert("attempts".into(), self.attempts().into());
        view.insert(
            "startTime".into(),
            self.start_ms.map_or(Value::Null, |t| instant(t).into()),
        );
        view.insert(
            "endTime".into(),
            self.end_ms.map_or(Value::Null, |t| instant(t).into()),
        );
        let duration = self.start_ms.zip(self.end_ms).map(|(s, e)| (e - s).max(0));
        view.insert("duration".into(), duration.into());
        if let Some(items) = &self.items {
            view.insert("errors".into(), self.item_errors(items));
        }
        Value::Object(view)
    }

    fn item_errors(&self, items: &[Value]) -> Value {
        self.instances
            .iter()
            .enumerate()
            .filter(|(_, i)| i.status == InstanceStatus::Failed)
            .map(|(index, instance)| {
                let problem = instance.problem.as_ref();
                json!({
                    "index": index,
                    "item": items.get(index),
                    "error": {"code": problem.map(|p| &p.code), "message": problem.map(|p| &p.message)},
                })
            })
            .collect()
    }

    /// Attempts made; of an `each` task those of the item that took most.
    pub(crate) fn attempts(&self) -> u32 {
        self.instances
            .iter()
            .map(|i| i.attempt)
            .max()
            .unwrap_or_default()
    }
}

fn parse(bytes: &[u8]) -> Value {
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
