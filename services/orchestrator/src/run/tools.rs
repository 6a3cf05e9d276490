//! The catalogue as the planner asks it.

use std::sync::Arc;

use serde_json::Value;

use gearmesh_catalog::{Catalog, Tool, grants};
use gearmesh_link::{Call, Mesh};

use crate::plan::{Prepared, Problem, Resolved, Tools};

/// The tools of a catalogue.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) mesh: &'a Mesh,
    /// What the one who started the run may do; none: everything.
    pub(crate) scopes: Option<String>,
}

impl Tools for Known<'_> {
    fn place(&self, resolved: &Resolved, run: &str) -> String {
        let Some(found) = self.catalog.get(&resolved.tool) else {
            return String::new();
        };
        let call = Call {
            run: Some(run.to_owned()),
            ..Call::default()
        };
        self.mesh
            .pick(&found.tool.engine, &call)
            .unwrap_or_default()
    }

    fn may_listen(&self) -> Result<(), Problem> {
        self.holds("events:read", "waiting for an event")
    }

    fn takes_connection(&self, tool: &str) -> bool {
        let found = self.catalog.get(tool);
        found.is_none_or(|found| found.tool.connection.is_some())
    }

    fn undo(&self, tool: &str, params: &Value, result: &Value) -> Option<Prepared> {
        let undo = self.catalog.get(tool)?.tool.undo.clone()?;
        let undoing = self.catalog.get(&undo.tool)?.tool;
        let mut given = serde_json::Map::new();
        for field in undoing.method.input().fields() {
            let name = field.json_name();
            let renamed = undo.fields.iter().find(|(to, _)| to == name);
            let from = renamed.map_or(name, |(_, from)| from.as_str());
            let value = result.get(from).or_else(|| params.get(from));
            if let Some(value) = value.filter(|v| !v.is_null()) {
                given.insert(name.to_owned(), value.clone());
            }
        }
        Some(Prepared {
            tool: undo.tool,
            params: Value::Object(given),
            connection: None,
            key: None,
            vault: None,
        })
    }

    fn resolve(&self, prepared: Prepared) -> Result<Resolved, Problem> {
        let Some(found) = self.catalog.get(&prepared.tool) else {
            let nearest = self.catalog.nearest(&prepared.tool);
            let hint = if nearest.is_empty() {
                String::new()
            } else {
                format!("nearest: {}", nearest.join(", "))
            };
            return Err(Problem {
                hint,
                ..Problem::new("TOOL_NOT_FOUND", format!("no tool `{}`", prepared.tool))
            });
        };
        let mut params = prepared.params;
        if params.is_null() {
            params = Value::Object(serde_json::Map::new());
        }
        if let Value::Object(map) = &mut params {
            for (field, value) in found.preset {
                map.entry(field).or_insert_with(|| value.clone());
            }
            found.rename(map);
            if let Some(vault) = prepared.vault {
                found.default_vault(map, Value::String(vault));
            }
            if let Some(connection) = prepared.connection {
                let Some(field) = &found.tool.connection else {
                    let text = format!("tool `{}` takes no connection", found.tool.id);
                    return Err(Problem::new("UNKNOWN_PARAM", text));
                };
                map.insert(field.field.clone(), connection.into());
            }
        }
        self.permitted(found.tool, &params)?;
        Ok(Resolved {
            class: found.tool.class_of(&params).keyed.as_str(),
            tool: found.tool.id.clone(),
            params,
            key: prepared.key,
        })
    }
}

impl Known<'_> {
    /// A run does no more than the one who started it could do by single calls.
    fn permitted(&self, tool: &Tool, params: &Value) -> Result<(), Problem> {
        let word = tool.class_of(params).effect.scope_word();
        let needed = format!("{}:{word}", tool.engine);
        self.holds(&needed, &format!("`{}`", tool.id))
    }

    /// Whether the one who started the run has a scope that something needs.
    fn holds(&self, needed: &str, what: &str) -> Result<(), Problem> {
        let held = self.scopes.as_deref();
        if held.is_none_or(|held| grants(held, needed)) {
            return Ok(());
        }
        let text = format!(
            "{what} needs the scope `{needed}`, which the one who started this run does not have"
        );
        Err(Problem {
            hint: format!("start the run with a login that has `{needed}`"),
            ..Problem::new("PERMISSION_DENIED", text)
        })
    }
}
