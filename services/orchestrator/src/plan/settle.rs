//! All that follows until nothing more does: joins, conditions, `set`, `each`,
//! leases, the end.

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::{Each, Kind};
use journal::record::Fact;

use crate::plan::advance::{Command, Dispatch, Planner};
use crate::plan::instance::{evaluate_all, problem};
use crate::plan::outcome::bounded;
use crate::plan::scope::View;
use crate::plan::state::{CONDITION, Phase, Problem, RunEnd, State, TaskStatus};

/// Elements of one `each`: a list that is worked off item by item, not a data set.
pub(crate) const ITEMS_MAX: usize = 10_000;

/// Task instances of a run, over all its tasks: they live in memory.
pub(crate) const INSTANCES_MAX: usize = 20_000;

impl Planner<'_> {
    /// Decides until nothing more follows.
    pub(crate) fn settle(&mut self) {
        if self.state.phase == Phase::Running {
            loop {
                while let Some(task) = self.state.unlocked.pop_front() {
                    if self.state.tasks[task].status == TaskStatus::Blocked {
                        self.decide(task);
                    }
                }
                match self.may_start() {
                    Some((task, item)) => self.lease(task, item),
                    None if self.state.unlocked.is_empty() => break,
                    None => {}
                }
            }
        } else {
            self.finish_cancelled();
        }
        if self.state.open == 0 && self.state.leased == 0 && !self.state.ended() {
            self.close();
        }
    }

    /// The instance to start next. None while the process drains, and none behind
    /// the run's deadline: what was leased then would be lost at once.
    fn may_start(&self) -> Option<(usize, usize)> {
        let late = self
            .state
            .deadline_ms
            .is_some_and(|d| d <= self.moment.now_ms);
        if self.moment.draining || late {
            return None;
        }
        self.state.startable()
    }

    /// A task whose needs have ended: `runIf`, `when`, `each`, `set`.
    fn decide(&mut self, task: usize) {
        if let Some(reason) = self.state.join(task) {
            return self.skip(task, reason);
        }
        let definition = self.state.task(task);
        if let Some(when) = &definition.when {
            match when.holds(&self.state.view(task, 0)) {
                Ok(true) => {}
                Ok(false) => return self.skip(task, CONDITION),
                Err(e) => return self.fail_whole(task, problem(&e)),
            }
        }
        if self.state.task(task).each.is_some() {
            match self.state.elements(task) {
                Ok(items) => self.expand(task, items),
                Err(problem) => self.fail_whole(task, problem),
            }
            return;
        }
        match &self.state.task(task).kind {
            Kind::Tool { .. } => self.state.activate(task),
            Kind::Set { .. } => self.compute(task, 0),
        }
    }

    /// A task that failed before anything of it was tried.
    fn fail_whole(&mut self, task: usize, problem: Problem) {
        self.fail(task, 0, 0, problem);
    }

    fn expand(&mut self, task: usize, items: Vec<Value>) {
        let count = items.len();
        self.record(Fact::Expanded(journal::Expanded {
            task: self.state.task(task).id.clone(),
            items: Value::Array(items).to_string().into(),
        }));
        if count == 0 {
            return self.finish_each(task);
        }
        if matches!(self.state.task(task).kind, Kind::Set { .. }) {
            for item in 0..count {
                if !self.state.tasks[task].ended()
                    && !self.state.tasks[task].instances[item].status.ended()
                {
                    self.compute(task, item);
                }
            }
        }
    }

    /// A `set`: no call, no attempt.
    fn compute(&mut self, task: usize, item: usize) {
        let Kind::Set { values } = &self.state.task(task).kind else {
            return;
        };
        let result = values
            .evaluate(&self.state.view(task, item))
            .map_err(|e| problem(&e));
        let result = result.and_then(|r| self.state.expected(task, item, &r).map(|()| r));
        match result {
            Ok(result) => self.succeed(task, item, 0, result),
            Err(problem) => self.fail(task, item, 0, problem),
        }
    }

    /// Gives an instance out as an attempt.
    fn lease(&mut self, task: usize, item: usize) {
        let resolved = self
            .state
            .prepare(task, item)
            .and_then(|p| self.moment.tools.resolve(p));
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(problem) => return self.fail(task, item, 0, problem),
        };
        let instance = &self.state.tasks[task].instances[item];
        let (pass, attempt) = (instance.pass, instance.attempt + 1);
        // Only the instance that got a call can say later what became of it: it keeps
        // the key. Where a repeat changes nothing, or the target knows the key, any will do.
        let served_by = match resolved.class {
            "TXN" if !instance.served_by.is_empty() => instance.served_by.clone(),
            "TXN" | "AT_MOST_ONCE" => self.moment.tools.place(&resolved, &self.state.run),
            _ => String::new(),
        };
        let id = self.state.task(task).id.clone();
        let key = key(&self.state.run, &id, item, pass, resolved.key.as_deref());
        let item_field = self.item(task, item);
        self.record(Fact::Leased(journal::Leased {
            task: id,
            item: item_field,
            pass,
            attempt,
            class: resolved.class.to_owned(),
            key: key.clone(),
            tool: resolved.tool.clone(),
            params_hash: sha256(resolved.params.to_string().as_bytes()).into(),
            instance: served_by.clone(),
        }));
        self.decided
            .commands
            .push(Command::Dispatch(Box::new(Dispatch {
                task,
                item,
                pass,
                attempt,
                class: resolved.class.to_owned(),
                key,
                served_by,
                resolved,
            })));
    }

    /// `each` tasks whose last attempt has ended after a cancel.
    fn finish_cancelled(&mut self) {
        for task in 0..self.state.tasks.len() {
            let state = &self.state.tasks[task];
            if !state.ended() && state.leased == 0 {
                let ended = self.ended(task, journal::Outcome::Cancelled, 0, Value::Null, None);
                self.record(Fact::Ended(ended));
            }
        }
    }

    /// Everything has ended: outputs and status.
    fn close(&mut self) {
        let mut end = self.state.verdict();
        let mut failed = self.state.failed.clone();
        let outputs = self.state.final_outputs(end);
        let outputs = match outputs.and_then(|o| bounded("the outputs", &o).map(|()| o)) {
            Ok(outputs) => outputs,
            Err(problem) => {
                end = RunEnd::Failed;
                failed.get_or_insert((String::new(), problem));
                Value::Null
            }
        };
        if end == RunEnd::TimedOut {
            let text = format!("the run did not end within {} ms", self.state.limit_ms());
            failed = Some((String::new(), Problem::new("RUN_TIMEOUT", text)));
        }
        let (task, problem) = match failed {
            Some((task, problem)) if end != RunEnd::Succeeded => (task, Some(problem)),
            _ => (String::new(), None),
        };
        self.record(Fact::Closed(journal::Closed {
            status: end.as_str().to_owned(),
            outputs: outputs.to_string().into(),
            problem: problem.as_ref().map(Into::into),
            failed_task: task,
        }));
    }
}

impl State {
    /// The elements of an `each` task.
    fn elements(&self, task: usize) -> Result<Vec<Value>, Problem> {
        let view = View::new(self, None);
        let items = match &self.task(task).each {
            Some(Each::List(nodes)) => nodes
                .iter()
                .map(|n| n.evaluate(&view))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|e| problem(&e))?,
            Some(Each::Expression(template)) => {
                match template.evaluate(&view).map_err(|e| problem(&e))? {
                    Value::Array(items) => items,
                    other => {
                        let text = format!("`each` must give a list, found {}", kind_of(&other));
                        return Err(Problem::new("EACH_INVALID", text));
                    }
                }
            }
            None => Vec::new(),
        };
        if items.len() > ITEMS_MAX {
            let text = format!(
                "`each` gives {} elements; at most {ITEMS_MAX} are worked off",
                items.len()
            );
            return Err(Problem::new("EACH_INVALID", text));
        }
        let items = Value::Array(items);
        bounded("the list of `each`", &items)?;
        let Value::Array(items) = items else {
            return Ok(Vec::new());
        };
        let instances: usize = self.tasks.iter().map(|t| t.instances.len()).sum();
        if instances + items.len() > INSTANCES_MAX {
            let text = format!("the run would have more than {INSTANCES_MAX} task instances");
            return Err(Problem::new("EACH_INVALID", text));
        }
        Ok(items)
    }

    /// How the run ends, all tasks having ended.
    fn verdict(&self) -> RunEnd {
        match self.phase {
            Phase::Cancelling { timed_out: true } => return RunEnd::TimedOut,
            Phase::Cancelling { timed_out: false } => return RunEnd::Cancelled,
            _ => {}
        }
        let any = |status| self.tasks.iter().any(|t| t.status == status);
        let items_failed = self.tasks.iter().any(|t| {
            t.status == TaskStatus::Succeeded
                && t.items.is_some()
                && t.instances
                    .iter()
                    .any(|i| i.status == crate::plan::state::InstanceStatus::Failed)
        });
        if self.stopping {
            RunEnd::Failed
        } else if any(TaskStatus::Failed) || items_failed {
            if any(TaskStatus::Succeeded) {
                RunEnd::Partial
            } else {
                RunEnd::Failed
            }
        } else {
            RunEnd::Succeeded
        }
    }

    /// The outputs. After a failure what cannot be computed is null; in a run that
    /// succeeded it is an error.
    fn final_outputs(&self, end: RunEnd) -> Result<Value, Problem> {
        let view = View::new(self, None);
        if end == RunEnd::Succeeded {
            return evaluate_all(&self.workflow.outputs, &view);
        }
        let mut out = serde_json::Map::new();
        for (name, node) in &self.workflow.outputs {
            out.insert(name.clone(), node.evaluate(&view).unwrap_or_default());
        }
        Ok(Value::Object(out))
    }

    fn limit_ms(&self) -> i64 {
        self.deadline_ms.map_or(0, |d| d - self.accepted_ms)
    }
}

/// The key of an attempt: the user's own text, or a hash. Equal over the attempts
/// of one pass.
fn key(run: &str, task: &str, item: usize, pass: u32, own: Option<&str>) -> String {
    match own {
        Some(own) if pass > 1 => format!("{own}#{pass}"),
        Some(own) => own.to_owned(),
        None => {
            let hash = sha256(format!("{run}\n{task}\n{item}\n{pass}").as_bytes());
            hex::encode(&hash[..KEY_BYTES])
        }
    }
}

/// Bytes of the hash that make a key: 128 bits keep keys apart.
const KEY_BYTES: usize = 16;

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes)
        .as_ref()
        .to_vec()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
