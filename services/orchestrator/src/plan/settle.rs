//! All that follows until nothing more does: joins, conditions, `set`, `each`, leases.

use bytes::Bytes;
use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::{Each, ITEMS_MAX, Kind};
use journal::record::Fact;

use crate::hash::sha256;
use crate::plan::advance::{Command, Dispatch, Planner};
use crate::plan::instance::problem;
use crate::plan::outcome::bounded;
use crate::plan::scope::View;
use crate::plan::state::{Phase, Problem, State};
use crate::plan::task_state::{CONDITION, TaskStatus};

/// Task instances of a run, over all its tasks: they live in memory.
pub(crate) const INSTANCES_MAX: usize = 20_000;

impl Planner<'_> {
    /// Decides until nothing more follows.
    pub(crate) fn settle(&mut self) {
        loop {
            match self.state.phase {
                Phase::Queued | Phase::Ended(_) => return,
                Phase::Running if self.state.paused.is_some() => return,
                Phase::Running | Phase::Finishing { .. } => self.go_on(),
                Phase::Cancelling { .. } => self.drain(),
            }
            if !self.advance_end() {
                return;
            }
        }
    }

    /// Starts what can start, and again when the end of a group let something more start.
    fn go_on(&mut self) {
        loop {
            self.start_all();
            let before = self.decided.records.len();
            self.drain();
            if self.decided.records.len() == before {
                return;
            }
        }
    }

    fn start_all(&mut self) {
        loop {
            while let Some(task) = self.state.unlocked.pop_front() {
                if self.state.tasks[task].status == TaskStatus::Blocked {
                    self.decide(task);
                }
            }
            if let Some(frame) = self.state.drained.pop_front() {
                self.drained(frame);
                continue;
            }
            match self.may_start() {
                Some((task, item)) => self.start(task, item),
                None if self.state.unlocked.is_empty() && self.state.drained.is_empty() => return,
                None => {}
            }
        }
    }

    /// Ends what is being ended, once what it had under way has answered.
    fn drain(&mut self) {
        loop {
            while let Some(frame) = self.state.drained.pop_front() {
                self.drained(frame);
            }
            let ending = (0..self.state.frames.len())
                .rev()
                .find(|f| self.state.frames[*f].ending.is_some() && self.state.frames[*f].open > 0);
            let Some(frame) = ending else {
                return;
            };
            let before = self.decided.records.len();
            self.end_waiting_tasks(frame);
            if self.decided.records.len() == before {
                return;
            }
        }
    }

    /// The instance to start next. None while the process drains, and none behind
    /// the run's deadline: what was leased then would be lost at once.
    fn may_start(&self) -> Option<(usize, usize)> {
        let late = self.state.phase == Phase::Running
            && self
                .state
                .accepted
                .deadline_ms
                .is_some_and(|d| d <= self.moment.now_ms);
        if self.moment.draining || late {
            return None;
        }
        self.state.startable()
    }

    /// A task whose needs have ended: `runIf`, `when`, `each`, `set`.
    fn decide(&mut self, task: usize) {
        if self.state.dying(self.state.tasks[task].frame) {
            return;
        }
        if let Some(reason) = self.state.join(task) {
            return self.skip(task, reason);
        }
        let definition = self.state.task(task);
        if let Some(when) = &definition.when {
            match when.holds(&View::of_item(self.state, task, None)) {
                Ok(true) => {}
                Ok(false) => return self.skip(task, CONDITION),
                Err(e) => return self.fail(task, 0, 0, problem(&e)),
            }
        }
        if self.state.task(task).each.is_some() {
            match self.state.elements(task) {
                Ok(items) => self.expand(task, items),
                Err(problem) => self.fail(task, 0, 0, problem),
            }
            return;
        }
        match &self.state.task(task).kind {
            Kind::Set { .. } => self.compute(task, 0),
            _ => self.state.activate(task),
        }
    }

    fn expand(&mut self, task: usize, items: Vec<Value>) {
        let count = items.len();
        self.record(Fact::Expanded(journal::Expanded {
            task: self.state.task(task).id.clone(),
            path: self.state.path(task),
            items: Value::Array(items).to_string().into(),
            sealed: Vec::new(),
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

    /// Lets an instance begin that may.
    fn start(&mut self, task: usize, item: usize) {
        match &self.state.task(task).kind {
            Kind::Tool { .. } => self.lease(task, item),
            Kind::Set { .. } => self.compute(task, item),
            Kind::Group { .. } => self.open(task, item),
            Kind::Workflow { .. } | Kind::Approve(_) | Kind::Wait(_) => self.park(task, item),
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
            Ok(result) => self.repeated_or(task, item, 0, result),
            Err(problem) => self.fail(task, item, 0, problem),
        }
    }

    /// Gives an instance out as an attempt.
    fn lease(&mut self, task: usize, item: usize) {
        let prepared = self.state.prepare(task, item);
        let resolved = prepared.and_then(|p| self.moment.tools.resolve(p));
        let cache = self.state.cache_key(task, item);
        let (resolved, cache) = match (resolved, cache) {
            (Ok(resolved), Ok(cache)) => (resolved, cache),
            (Err(problem), _) | (_, Err(problem)) => return self.fail(task, item, 0, problem),
        };
        // The same call on behalf of the same one: a key alone could be chosen by anybody.
        let cache = cache.map(|(key, ttl)| {
            let hash = hex::encode(sha256(resolved.params.to_string().as_bytes()));
            let who = &self.state.accepted.principal;
            (format!("{key}\n{}\n{hash}\n{who}", resolved.tool), ttl)
        });
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
        let path = self.state.path(task);
        let item_field = self.item(task, item);
        let passes = pass + self.state.accepted.passes_before;
        let own = resolved.key.as_deref();
        let key = key(&self.state.run, &id, (&path, item_field), passes, own);
        self.record(Fact::Leased(journal::Leased {
            task: id,
            path,
            item: item_field,
            pass,
            attempt,
            class: resolved.class.to_owned(),
            key: key.clone(),
            tool: resolved.tool.clone(),
            params_hash: Bytes::copy_from_slice(&sha256(resolved.params.to_string().as_bytes())),
            instance: served_by.clone(),
            undo: false,
        }));
        self.command(Command::Dispatch(Box::new(Dispatch {
            task,
            item,
            pass,
            attempt,
            epoch: 0,
            class: resolved.class.to_owned(),
            key,
            served_by,
            undo: false,
            cache,
            resolved,
        })));
    }
}

impl State {
    /// The elements of an `each` task.
    fn elements(&self, task: usize) -> Result<Vec<Value>, Problem> {
        let view = View::of_item(self, task, None);
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
}

/// The key of an attempt: the user's own text, or a hash. Equal over the attempts
/// of one pass.
pub(crate) fn key(
    run: &str,
    task: &str,
    (path, item): (&[u32], Option<u32>),
    pass: u32,
    own: Option<&str>,
) -> String {
    match own {
        Some(own) if pass > 1 => format!("{own}#{pass}"),
        Some(own) => own.to_owned(),
        None => {
            let mut text = format!("{run}\n{task}\n{}\n{pass}", item.unwrap_or_default());
            for item in path {
                text.push('\n');
                text.push_str(&item.to_string());
            }
            let hash = sha256(text.as_bytes());
            hex::encode(&hash[..KEY_BYTES])
        }
    }
}

/// Bytes of the hash that make a key: 128 bits keep keys apart.
const KEY_BYTES: usize = 16;

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
