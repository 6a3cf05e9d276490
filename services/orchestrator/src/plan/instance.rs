//! Starting and ending single instances.

use std::collections::BTreeSet;
use std::ops::Bound;

use serde_json::{Map, Value};

use gearmesh_expr::Scope;
use gearmesh_workflow::{Kind, TaskOnError};

use crate::plan::fold::millis;
use crate::plan::scope::View;
use crate::plan::state::{Problem, ReadyKey, State};
use crate::plan::task_state::InstanceStatus;

/// What an attempt is to do, evaluated.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// The tool's name as the file wrote it.
    pub(crate) tool: String,
    pub(crate) params: Value,
    pub(crate) connection: Option<String>,
    /// The user's own idempotency key.
    pub(crate) key: Option<String>,
    /// The vault that a tool uses when its parameters name none.
    pub(crate) vault: Option<String>,
}

impl State {
    /// Evaluates what an instance of a tool task is to do.
    pub(crate) fn prepare(&self, task: usize, item: usize) -> Result<Prepared, Problem> {
        let definition = self.task(task);
        let Kind::Tool { name, params } = &definition.kind else {
            return Err(Problem::new(
                "INTERNAL_ERROR",
                "only tool tasks make attempts",
            ));
        };
        let scope = self.view(task, item);
        let params = params.evaluate(&scope).map_err(|e| problem(&e))?;
        let connection = match &definition.connection {
            Some(node) => Some(text(
                &node.evaluate(&scope).map_err(|e| problem(&e))?,
                "connection",
            )?),
            None => None,
        };
        let key = match &definition.idempotency_key {
            Some(node) => Some(text(
                &node.evaluate(&scope).map_err(|e| problem(&e))?,
                "idempotencyKey",
            )?),
            None => None,
        };
        Ok(Prepared {
            tool: name.clone(),
            params,
            connection,
            key,
            vault: definition.vault.clone(),
        })
    }

    /// What the expressions of one instance see.
    pub(crate) fn view(&self, task: usize, item: usize) -> View<'_> {
        View::of_item(self, task, Some(item))
    }

    /// What an instance's own name means to the expressions that look at its result.
    fn own(result: &Value) -> Value {
        let mut own = Map::new();
        own.insert("result".into(), result.clone());
        own.insert("status".into(), "succeeded".into());
        Value::Object(own)
    }

    /// Whether `repeat.until` holds of a result.
    pub(crate) fn until(&self, task: usize, item: usize, result: &Value) -> Result<bool, Problem> {
        let definition = self.task(task);
        let Some(repeat) = &definition.repeat else {
            return Ok(true);
        };
        let own = Self::own(result);
        let scope = self.view(task, item).with(&definition.id, &own);
        repeat.until.holds(&scope).map_err(|e| problem(&e))
    }

    /// The name under which a result is kept; empty: under none.
    pub(crate) fn save_name(
        &self,
        task: usize,
        item: usize,
        result: &Value,
    ) -> Result<String, Problem> {
        let definition = self.task(task);
        let Some(save) = &definition.save else {
            return Ok(String::new());
        };
        let own = Self::own(result);
        let scope = self.view(task, item).with(&definition.id, &own);
        text(&save.evaluate(&scope).map_err(|e| problem(&e))?, "save")
    }

    /// The key of an earlier result that may stand in, and for how many milliseconds.
    pub(crate) fn cache_key(
        &self,
        task: usize,
        item: usize,
    ) -> Result<Option<(String, i64)>, Problem> {
        let definition = self.task(task);
        let Some(cache) = &definition.cache else {
            return Ok(None);
        };
        let value = cache.key.evaluate(&self.view(task, item));
        let key = text(&value.map_err(|e| problem(&e))?, "cache.key")?;
        let key = format!("{}/{}/{key}", self.workflow.name, definition.id);
        Ok(Some((key, millis(cache.ttl))))
    }

    /// Whether a result is what the task's `expect` asks for.
    pub(crate) fn expected(&self, task: usize, item: usize, result: &Value) -> Result<(), Problem> {
        let definition = self.task(task);
        let Some(condition) = &definition.expect else {
            return Ok(());
        };
        let own = Self::own(result);
        let scope = self.view(task, item).with(&definition.id, &own);
        match condition.holds(&scope) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Problem::new(
                "EXPECTATION_FAILED",
                format!("`expect` is false: {}", condition.text()),
            )),
            Err(e) => Err(problem(&e)),
        }
    }

    /// The result that stands in for a failure, where the task names one.
    pub(crate) fn substitute(&self, task: usize, item: usize) -> Option<Result<Value, Problem>> {
        match &self.task(task).on_error {
            Some(TaskOnError::Use(node)) => Some(
                node.evaluate(&self.view(task, item))
                    .map_err(|e| problem(&e)),
            ),
            _ => None,
        }
    }

    /// The instance that may start next within all limits.
    pub(crate) fn startable(&self) -> Option<(usize, usize)> {
        if let Some(free) = self.first_of(&self.free) {
            return Some(free);
        }
        if self.leased >= self.workflow.max_concurrent {
            return None;
        }
        self.first_of(&self.ready)
    }

    /// The best instance of a set whose task may have another one under way.
    fn first_of(&self, set: &BTreeSet<ReadyKey>) -> Option<(usize, usize)> {
        let mut from = Bound::Unbounded;
        loop {
            let (priority, definition, task, item) = *set.range((from, Bound::Unbounded)).next()?;
            if self.tasks[task].under_way < self.at_once(task) && !self.held(task) {
                return Some((task, item));
            }
            from = Bound::Excluded((priority, definition, task, usize::MAX));
        }
    }

    /// How many instances of a task may be under way at once.
    fn at_once(&self, task: usize) -> usize {
        let definition = self.task(task);
        let default = match definition.kind {
            // Each has calls of its own: all at once would fill the memory with graphs.
            Kind::Group { .. } | Kind::Workflow { .. } => self.workflow.max_concurrent,
            _ => usize::MAX,
        };
        definition.max_concurrent.unwrap_or(default)
    }

    /// Whether the graph of a task is being ended.
    fn held(&self, task: usize) -> bool {
        self.dying(self.tasks[task].frame)
    }

    pub(crate) fn is_current(&self, task: usize, item: usize, attempt: u32) -> bool {
        let instance = self.tasks.get(task).and_then(|t| t.instances.get(item));
        instance.is_some_and(|i| i.status == InstanceStatus::Leased && i.attempt == attempt)
    }
}

/// A failed evaluation as the problem of a task.
pub(crate) fn problem(error: &gearmesh_expr::Error) -> Problem {
    Problem {
        hint: error.hints.first().cloned().unwrap_or_default(),
        ..Problem::new(error.code, error.message.clone())
    }
}

pub(crate) fn text(value: &Value, key: &str) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(Problem::new(
            "EXPRESSION_TYPE",
            format!("`{key}` must be text, found {other}"),
        )),
    }
}

/// Evaluates a map of values one after the other.
pub(crate) fn evaluate_all(
    nodes: &[(String, gearmesh_workflow::Node)],
    scope: &dyn Scope,
) -> Result<Value, Problem> {
    let mut out = Map::new();
    for (name, node) in nodes {
        out.insert(name.clone(), node.evaluate(scope).map_err(|e| problem(&e))?);
    }
    Ok(Value::Object(out))
}
