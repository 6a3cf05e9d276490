//! Starting and ending single instances.

use serde_json::{Map, Value};

use gearmesh_expr::Scope;
use gearmesh_workflow::{Kind, TaskOnError};

use crate::plan::scope::View;
use crate::plan::state::{InstanceStatus, Problem, State};

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
        let element = self.tasks[task]
            .items
            .as_ref()
            .and_then(|items| items.get(item))
            .map(|value| (self.task(task).as_name.as_str(), value, item));
        View::new(self, element)
    }

    /// Whether a result is what the task's `expect` asks for.
    pub(crate) fn expected(&self, task: usize, item: usize, result: &Value) -> Result<(), Problem> {
        let definition = self.task(task);
        let Some(condition) = &definition.expect else {
            return Ok(());
        };
        let mut own = Map::new();
        own.insert("result".into(), result.clone());
        own.insert("status".into(), "succeeded".into());
        let own = Value::Object(own);
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

    /// Instances that may start now, best first, within both limits.
    pub(crate) fn startable(&self) -> Option<(usize, usize)> {
        if self.leased >= self.workflow.max_concurrent {
            return None;
        }
        self.ready
            .iter()
            .map(|(_, task, item)| (*task, *item))
            .find(|(task, _)| {
                let limit = self.task(*task).max_concurrent.unwrap_or(usize::MAX);
                self.tasks[*task].leased < limit
            })
    }

    pub(crate) fn is_current(&self, task: usize, item: usize, attempt: u32) -> bool {
        self.tasks[task]
            .instances
            .get(item)
            .is_some_and(|i| i.status == InstanceStatus::Leased && i.attempt == attempt)
    }
}

/// A failed evaluation as the problem of a task.
pub(crate) fn problem(error: &gearmesh_expr::Error) -> Problem {
    Problem {
        hint: error.hints.first().cloned().unwrap_or_default(),
        ..Problem::new(error.code, error.message.clone())
    }
}

fn text(value: &Value, key: &str) -> Result<String, Problem> {
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
