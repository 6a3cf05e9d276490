//! What a schedule starts: always a workflow, written by its owner or made here
//! of one tool.

use serde_json::{Map, Value, json};

use crate::definition::Definition;
use crate::error::{Error, Result};

/// Tries of one tool and their waits when nothing is said (seed-tools.md 2.7).
const RETRY_DELAY_MS: i64 = 5_000;
const TIMEOUT_MS: i64 = 30_000;

/// The one task of a workflow that is made here.
pub(crate) const TASK: &str = "call";

/// Longest name of a workflow.
const NAME_MAX: usize = 63;

/// A workflow as the orchestrator starts it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) source: String,
    pub(crate) file_name: String,
    pub(crate) dialect: &'static str,
    pub(crate) folder: String,
    pub(crate) inputs: Vec<(String, Value)>,
}

impl Target {
    /// The target of a schedule.
    ///
    /// # Errors
    /// [`Error::Parameter`] when there is none, more than one, or a field that
    /// does not belong to it.
    pub(crate) fn of(definition: &Definition) -> Result<Self> {
        let given = [
            ("workflow", definition.workflow.is_some()),
            ("tool", definition.tool.is_some()),
            ("actionType", definition.action_type.is_some()),
        ];
        let mut given = given
            .into_iter()
            .filter(|(_, is)| *is)
            .map(|(name, _)| name);
        match (given.next(), given.next()) {
            (Some("workflow"), None) => workflow(definition),
            (Some("tool"), None) => tool(definition),
            (Some(_), None) => action(definition),
            (None, _) => Err(Error::parameter(
                "workflow",
                "a schedule needs one of workflow, tool and actionType",
            )),
            (Some(one), Some(two)) => Err(Error::parameter(
                two,
                format!("a schedule has one target, not {one} and {two}"),
            )),
        }
    }
}

fn only(is: bool, field: &'static str, of: &str) -> Result<()> {
    if is {
        return Err(Error::parameter(
            field,
            format!("`{field}` belongs to {of}"),
        ));
    }
    Ok(())
}

fn workflow(d: &Definition) -> Result<Target> {
    let of = "tool and actionType; a workflow says it in its tasks";
    only(d.retry_count.is_some(), "retryCount", of)?;
    only(d.retry_delay_ms.is_some(), "retryDelay", of)?;
    only(d.timeout_ms.is_some(), "timeout", of)?;
    only(d.params.is_some(), "params", "tool; a workflow has inputs")?;
    only(d.action_config.is_some(), "actionConfig", "actionType")?;
    Ok(Target {
        source: d.workflow.clone().unwrap_or_default(),
        file_name: d.file_name.clone().unwrap_or_default(),
        dialect: "",
        folder: d.folder.clone().unwrap_or_default(),
        inputs: d.inputs.clone().into_iter().collect(),
    })
}

fn tool(d: &Definition) -> Result<Target> {
    only(d.action_config.is_some(), "actionConfig", "actionType")?;
    let params = match &d.params {
        None => Map::new(),
        Some(Value::Object(params)) => params.clone(),
        Some(_) => return Err(Error::parameter("params", "`params` is an object")),
    };
    one_task(d, d.tool.as_deref().unwrap_or_default(), params)
}

/// The actions of Oktyv (seed-tools.md 2.7).
fn action(d: &Definition) -> Result<Target> {
    only(
        d.params.is_some(),
        "params",
        "tool; an action has actionConfig",
    )?;
    let kind = d.action_type.as_deref().unwrap_or_default();
    let mut params = match &d.action_config {
        Some(Value::Object(config)) => config.clone(),
        None | Some(_) => {
            return Err(Error::parameter(
                "actionConfig",
                "`actionConfig` is an object",
            ));
        }
    };
    let engine = match kind {
        "http" | "webhook" => {
            if kind == "webhook" && !params.contains_key("method") {
                params.insert("method".to_owned(), json!("POST"));
            }
            return one_task(d, "http.request", params);
        }
        "database" => "db",
        other => other,
    };
    let mut named = |key: &str| match params.shift_remove(key) {
        Some(Value::String(name)) => Some(name),
        _ => None,
    };
    let name = match (named("tool"), named("operation")) {
        (Some(tool), None) => tool,
        (None, Some(verb)) if verb.contains('.') => verb,
        (None, Some(verb)) => format!("{engine}.{verb}"),
        _ => {
            return Err(Error::parameter(
                "actionConfig",
                format!("an action of {kind} names its `tool` or its `operation`"),
            ));
        }
    };
    one_task(d, &name, params)
}

fn one_task(d: &Definition, tool: &str, params: Map<String, Value>) -> Result<Target> {
    only(
        !d.inputs.is_empty(),
        "inputs",
        "workflow; a tool has params",
    )?;
    only(d.file_name.is_some(), "fileName", "workflow")?;
    let mut task = json!({
        "id": TASK,
        "tool": tool,
        "params": params,
        "timeout": format!("{}ms", d.timeout_ms.unwrap_or(TIMEOUT_MS)),
    });
    if let Some(count) = d.retry_count.filter(|n| *n > 0)
        && let Some(task) = task.as_object_mut()
    {
        let delay = d.retry_delay_ms.unwrap_or(RETRY_DELAY_MS);
        let retry = json!({
            "attempts": count + 1,
            "delay": format!("{delay}ms"),
            "backoff": "constant",
        });
        task.insert("retry".to_owned(), retry);
    }
    let name = workflow_name(&d.name);
    Ok(Target {
        source: json!({"name": name, "tasks": [task]}).to_string(),
        file_name: format!("{name}.json"),
        dialect: "native",
        folder: d.folder.clone().unwrap_or_default(),
        inputs: Vec::new(),
    })
}

/// A name that a workflow may have, made of that of the schedule.
fn workflow_name(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars().map(|c| c.to_ascii_lowercase()) {
        let fits = letter.is_ascii_lowercase() || (letter.is_ascii_digit() && !out.is_empty());
        if fits {
            out.push(letter);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(NAME_MAX);
    let out = out.trim_end_matches('-');
    if out.is_empty() {
        return "schedule".to_owned();
    }
    out.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(definition: &Definition) -> Value {
        serde_json::from_str(&Target::of(definition).unwrap().source).unwrap()
    }

    #[test]
    fn tool_becomes_a_workflow_of_one_task() {
        let definition = Definition {
            name: "Täglicher Bericht 7".into(),
            tool: Some("state.put".into()),
            params: Some(json!({"key": "a", "value": 9_007_199_254_740_993_u64})),
            retry_count: Some(2),
            ..Definition::default()
        };
        assert_eq!(
            source(&definition),
            json!({"name": "t-glicher-bericht-7", "tasks": [{
                "id": "call", "tool": "state.put", "timeout": "30000ms",
                "params": {"key": "a", "value": 9_007_199_254_740_993_u64},
                "retry": {"attempts": 3, "delay": "5000ms", "backoff": "constant"},
            }]})
        );
    }

    #[test]
    fn actions_become_the_tools_that_they_mean() {
        let tool = |kind: &str, config: Value| {
            let definition = Definition {
                action_type: Some(kind.into()),
                action_config: Some(config),
                ..Definition::default()
            };
            let task = source(&definition)["tasks"][0].clone();
            (task["tool"].clone(), task["params"].clone())
        };
        assert_eq!(
            tool("http", json!({"url": "https://a"})),
            (json!("http.request"), json!({"url": "https://a"}))
        );
        assert_eq!(
            tool("webhook", json!({"url": "https://a"})).1,
            json!({"url": "https://a", "method": "POST"})
        );
        assert_eq!(
            tool("file", json!({"operation": "copy", "source": "a"})),
            (json!("file.copy"), json!({"source": "a"}))
        );
        assert_eq!(
            tool("database", json!({"operation": "query"})).0,
            json!("db.query")
        );
        assert_eq!(
            tool("email", json!({"tool": "email_smtp_send"})).0,
            json!("email_smtp_send")
        );
    }

    #[test]
    fn exactly_one_target_is_taken() {
        let none = Definition::default();
        let two = Definition {
            workflow: Some("name: a".into()),
            tool: Some("state.get".into()),
            ..Definition::default()
        };
        let foreign = Definition {
            workflow: Some("name: a".into()),
            retry_count: Some(1),
            ..Definition::default()
        };
        let list = Definition {
            tool: Some("state.get".into()),
            params: Some(json!([1])),
            ..Definition::default()
        };
        for bad in [none, two, foreign, list] {
            assert!(
                matches!(Target::of(&bad), Err(Error::Parameter { .. })),
                "{bad:?}"
            );
        }
    }
}
