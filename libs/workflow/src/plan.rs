//! What a workflow would do, before anything is done.

use gearmesh_catalog::{Catalog, Class, Effect, Keyed, Tool};
use serde_json::{Map, Value};

use crate::kind::Kind;
use crate::model::{Each, Task, Workflow};
use crate::node::Node;
use crate::params::same_name;

/// The tasks of a workflow in order, with what each does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The tasks, in the order of the file.
    pub tasks: Vec<PlannedTask>,
    /// Ids by the longest chain of needs before them.
    pub levels: Vec<Vec<String>>,
    /// Who needs whom, and why.
    pub edges: Vec<PlannedEdge>,
    /// The ids of the longest chain.
    pub critical_path: Vec<String>,
}

/// A task of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTask {
    /// Its id.
    pub id: String,
    /// `tool` or `set`.
    pub kind: &'static str,
    /// The tool's id; as the file has it when the catalogue has none.
    pub tool: Option<String>,
    /// What the call does to the world; `None` for what calls nothing and for an unknown tool.
    pub effect: Option<Effect>,
    /// What a second send with the same key does.
    pub keyed: Option<Keyed>,
    /// Its level, from 0.
    pub level: usize,
    /// The places whose values are known only at run time, as `params.text`.
    pub dynamic: Vec<String>,
}

/// An edge of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedEdge {
    /// What is needed.
    pub from: String,
    /// What needs it.
    pub to: String,
    /// `needs`, or the first place with an expression that reads it.
    pub reason: String,
}

/// Plans a workflow.
#[must_use]
pub fn plan(workflow: &Workflow, catalog: &Catalog) -> Plan {
    let graph = workflow.graph();
    let id = |task: usize| workflow.tasks[task].id.clone();
    let ids = |tasks: &[usize]| tasks.iter().map(|task| id(*task)).collect::<Vec<_>>();
    let mut level_of = vec![0; workflow.tasks.len()];
    for (level, tasks) in graph.levels.iter().enumerate() {
        for task in tasks {
            level_of[*task] = level;
        }
    }
    let tasks = workflow.tasks.iter().zip(level_of);
    let edges = graph.edges.iter();
    Plan {
        tasks: tasks
            .map(|(task, level)| planned(task, level, catalog))
            .collect(),
        levels: graph.levels.iter().map(|level| ids(level)).collect(),
        edges: edges
            .map(|e| PlannedEdge {
                from: id(e.from),
                to: id(e.to),
                reason: e.reason.clone(),
            })
            .collect(),
        critical_path: ids(&graph.critical_path),
    }
}

fn planned(task: &Task, level: usize, catalog: &Catalog) -> PlannedTask {
    let mut dynamic = Vec::new();
    if let Some(Each::Expression(_)) = task.each {
        dynamic.push("each".to_owned());
    }
    if let Some(connection) = &task.connection {
        places(connection, "connection", &mut dynamic);
    }
    let (tool, class) = match &task.kind {
        Kind::Tool { name, params } => {
            places(params, "params", &mut dynamic);
            let found = catalog.get(name);
            let class = found.map(|found| class(found.tool, found.preset, params));
            (
                Some(found.map_or_else(|| name.clone(), |found| found.tool.id.clone())),
                class,
            )
        }
        Kind::Set { values } => {
            places(values, "set", &mut dynamic);
            (None, None)
        }
        Kind::Workflow { params, .. } => {
            places(params, "params", &mut dynamic);
            (None, None)
        }
        Kind::Approve(_) | Kind::Wait(_) | Kind::Group { .. } => (None, None),
    };
    PlannedTask {
        id: task.id.clone(),
        kind: task.kind.as_str(),
        tool,
        effect: class.map(|class| class.effect),
        keyed: class.map(|class| class.keyed),
        level,
        dynamic,
    }
}

/// The class of a call, as far as it is known: the tool's own when a field that narrows it is not.
fn class(tool: &Tool, preset: &[(String, Value)], params: &Node) -> Class {
    let own = Class {
        effect: tool.effect,
        keyed: tool.keyed,
    };
    let mut known: Map<String, Value> = preset.iter().cloned().collect();
    match params {
        Node::Constant(Value::Object(map)) => {
            known.extend(map.iter().map(|(key, value)| (key.clone(), value.clone())))
        }
        Node::Map(entries) => {
            for (key, node) in entries {
                let Node::Constant(value) = node else {
                    if tool
                        .narrow
                        .iter()
                        .any(|narrow| same_name(&narrow.field, key))
                    {
                        return own;
                    }
                    continue;
                };
                known.insert(key.clone(), value.clone());
            }
        }
        _ => {}
    }
    tool.class_of(&Value::Object(known))
}

/// The places of a value that are expressions.
fn places(node: &Node, path: &str, found: &mut Vec<String>) {
    match node {
        Node::Constant(_) => {}
        Node::Text(_) | Node::Oktyv(_) | Node::Failing(_) => found.push(path.to_owned()),
        Node::List(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{path}[{index}]"), found);
            }
        }
        Node::Map(entries) => {
            for (key, node) in entries {
                places(node, &format!("{path}.{key}"), found);
            }
        }
    }
}
