//! Facts about single instances.

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;

use gearmesh_workflow::Kind;

use crate::plan::fold::{millis, parse};
use crate::plan::state::{Problem, State};
use crate::plan::task_state::{Instance, InstanceStatus, TaskStatus};

impl State {
    /// Makes the one instance of a plain task, which is ready at once.
    pub(crate) fn activate(&mut self, task: usize) {
        self.instantiate(task, 1);
    }

    pub(crate) fn instantiate(&mut self, task: usize, count: usize) {
        if self.tasks[task].status != TaskStatus::Blocked {
            return;
        }
        let keys: Vec<_> = (0..count).map(|item| self.ready_key(task, item)).collect();
        self.ready_of(task).extend(keys);
        let instances = (0..count).map(|item| {
            let (pass, attempt) = self.begins_with(task, item);
            Instance {
                pass,
                attempt,
                ..Instance::default()
            }
        });
        let instances = instances.collect();
        let state = &mut self.tasks[task];
        state.status = TaskStatus::Active;
        state.instances = instances;
        state.open_instances = count;
    }

    /// The instance that a record begins, taken out of the sets in which it was; none when
    /// it cannot begin.
    fn begin(&mut self, task: usize, item: Option<u32>, now: i64) -> Option<(usize, usize)> {
        if item.is_none() {
            // The record of a plain task is also what says that it has become ready.
            self.activate(task);
        }
        let item = item.unwrap_or_default() as usize;
        // After a back-off it is also what says that the wait was over.
        match self.tasks[task].instances.get(item)?.status {
            InstanceStatus::Ready | InstanceStatus::Backoff => self.leave(task, item),
            _ => return None,
        }
        let state = &mut self.tasks[task];
        state.under_way += 1;
        state.start_ms.get_or_insert(now);
        state.instances[item].start_ms.get_or_insert(now);
        Some((task, item))
    }

    pub(crate) fn fold_leased(&mut self, leased: &journal::Leased, now: i64) {
        let Some(task) = self.at(&leased.task, &leased.path) else {
            return;
        };
        let Some((task, item)) = self.begin(task, leased.item, now) else {
            return;
        };
        let instance = &mut self.tasks[task].instances[item];
        instance.status = InstanceStatus::Leased;
        instance.attempt = leased.attempt;
        instance.pass = leased.pass;
        instance.class.clone_from(&leased.class);
        instance.key.clone_from(&leased.key);
        instance.tool.clone_from(&leased.tool);
        instance.served_by.clone_from(&leased.instance);
        self.leased += 1;
    }

    pub(crate) fn fold_opened(&mut self, opened: &journal::Opened, now: i64) {
        let Some(task) = self.at(&opened.task, &opened.path) else {
            return;
        };
        let Kind::Group { body } = self.task(task).kind else {
            return;
        };
        let Some((task, item)) = self.begin(task, opened.item, now) else {
            return;
        };
        let mut path = opened.path.clone();
        path.extend(opened.item);
        let outer = self.tasks[task].frame;
        self.tasks[task].instances[item].pass = opened.pass;
        let frame = self.add_frame(body, path, Some((task, item)), Some(outer));
        let timeout = self.task(task).timeout;
        let due = timeout.map(|limit| now.saturating_add(millis(limit)));
        let instance = &mut self.tasks[task].instances[item];
        instance.status = InstanceStatus::Waiting;
        instance.frame = Some(frame);
        instance.since_ms = now;
        self.wait(task, item, due);
    }

    pub(crate) fn fold_waiting(&mut self, waiting: &journal::Waiting, now: i64) {
        let Some(task) = self.at(&waiting.task, &waiting.path) else {
            return;
        };
        let Some((task, item)) = self.begin(task, waiting.item, now) else {
            return;
        };
        let instance = &mut self.tasks[task].instances[item];
        instance.status = InstanceStatus::Waiting;
        instance.pass = waiting.pass;
        instance.attempt = instance.attempt.max(waiting.attempt);
        instance.what = parse(&waiting.what);
        instance.signals = Vec::new();
        instance.since_ms = now;
        self.wait(task, item, waiting.due_ms);
    }

    /// An instance waits from here on, maybe until an instant.
    fn wait(&mut self, task: usize, item: usize, due_ms: Option<i64>) {
        self.waiting += 1;
        let instance = &mut self.tasks[task].instances[item];
        instance.due_ms = due_ms.unwrap_or(i64::MAX);
        if let Some(due) = due_ms {
            self.timers.insert((due, task, item));
        }
    }

    pub(crate) fn fold_signalled(&mut self, signalled: &journal::Signalled) {
        let Some(task) = self.at(&signalled.task, &signalled.path) else {
            return;
        };
        let item = signalled.item.unwrap_or_default() as usize;
        if let Some(instance) = self.tasks[task].instances.get_mut(item) {
            instance.signals.push(parse(&signalled.signal));
        }
    }

    pub(crate) fn fold_doubted(&mut self, doubted: &journal::Doubted, now: i64) {
        let Some(task) = self.at(&doubted.task, &doubted.path) else {
            return;
        };
        let item = doubted.item.unwrap_or_default() as usize;
        let Some(instance) = self.tasks[task].instances.get_mut(item) else {
            return;
        };
        if instance.status != InstanceStatus::Leased {
            return;
        }
        instance.status = InstanceStatus::Unknown;
        instance.problem = doubted.problem.as_ref().map(Problem::from);
        instance.since_ms = now;
        self.leased -= 1;
        self.waiting += 1;
    }

    /// Only the decision to send again changes something by itself; the others end it.
    pub(crate) fn fold_decided(&mut self, decided: &journal::Decided) {
        let Some(task) = self.at(&decided.task, &decided.path) else {
            return;
        };
        let item = decided.item.unwrap_or_default() as usize;
        let known = self.tasks[task].instances.get(item).map(|i| i.status);
        if known != Some(InstanceStatus::Unknown) || decided.decision != "retry" {
            return;
        }
        self.leave(task, item);
        let instance = &mut self.tasks[task].instances[item];
        instance.status = InstanceStatus::Ready;
        instance.pass += 1;
        let key = self.ready_key(task, item);
        self.ready_of(task).insert(key);
    }

    pub(crate) fn fold_backed_off(&mut self, backed: &journal::BackedOff) {
        let Some(task) = self.at(&backed.task, &backed.path) else {
            return;
        };
        if backed.item.is_none() {
            self.activate(task);
        }
        let item = backed.item.unwrap_or_default() as usize;
        match self.tasks[task].instances.get(item).map(|i| i.status) {
            Some(status) if !status.ended() && status != InstanceStatus::Backoff => {
                self.leave(task, item);
            }
            _ => return,
        }
        let instance = &mut self.tasks[task].instances[item];
        instance.status = InstanceStatus::Backoff;
        instance.due_ms = backed.due_ms;
        instance.attempt = instance.attempt.max(backed.attempt);
        instance.pass = backed.pass.max(instance.pass);
        if backed.repeated {
            instance.rounds += 1;
            instance.failures = 0;
        } else if backed.lost {
            instance.lost += 1;
        } else {
            instance.failures += 1;
        }
        instance.problem = backed.problem.as_ref().map(Problem::from);
        self.backoffs.insert((backed.due_ms, task, item));
    }

    /// A wait is over: the instance may start again.
    pub(crate) fn fold_due(&mut self, due: i64, task: usize, item: usize) {
        self.backoffs.remove(&(due, task, item));
        let key = self.ready_key(task, item);
        if let Some(instance) = self.tasks[task].instances.get_mut(item)
            && instance.status == InstanceStatus::Backoff
        {
            instance.status = InstanceStatus::Ready;
            self.ready_of(task).insert(key);
        }
    }

    pub(crate) fn end_instance(
        &mut self,
        task: usize,
        item: usize,
        ended: &journal::Ended,
        now: i64,
    ) {
        match self.tasks[task].instances.get(item) {
            Some(instance) if !instance.status.ended() => {}
            _ => return,
        }
        self.leave(task, item);
        let instance = &mut self.tasks[task].instances[item];
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
        instance.cached = ended.cached;
        instance.save.clone_from(&ended.save);
        instance.end_ms = Some(now);
        self.tasks[task].open_instances -= 1;
        if ended.outcome() == journal::Outcome::Succeeded {
            self.undoing.ended.push((task, item));
        }
    }

    /// Takes an instance out of the sets and counts in which its status had put it.
    pub(crate) fn leave(&mut self, task: usize, item: usize) {
        let key = self.ready_key(task, item);
        let Some(instance) = self.tasks[task].instances.get(item) else {
            return;
        };
        let (status, due) = (instance.status, instance.due_ms);
        match status {
            InstanceStatus::Ready => {
                self.ready_of(task).remove(&key);
            }
            InstanceStatus::Backoff => {
                self.backoffs.remove(&(due, task, item));
            }
            InstanceStatus::Leased => self.leased -= 1,
            InstanceStatus::Waiting => {
                self.timers.remove(&(due, task, item));
                self.waiting -= 1;
            }
            InstanceStatus::Unknown => self.waiting -= 1,
            _ => {}
        }
        if status.under_way() {
            self.tasks[task].under_way -= 1;
        }
    }

    /// The results of the tasks of a frame by their ids.
    pub(crate) fn results(&self, frame: usize) -> Value {
        let tasks = self.tasks_of(frame);
        tasks
            .map(|task| {
                let result = self.tasks[task].view.get("result").cloned();
                (self.task(task).id.clone(), result.unwrap_or_default())
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}
