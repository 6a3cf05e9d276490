//! What a workflow would do, before anything is done.

use gearmesh_catalog::{Catalog, Class, Effect, Keyed, Tool};
use serde_json::{Map, Value};

use crate::kind::{Kind, Wait};
use crate::model::{Each, Task, Workflow};
use crate::node::Node;
use crate::outline::HANDLERS;
use crate::params::same_name;

/// The tasks of a workflow in order, with what each does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The tasks: the workflow's own in the order of the file, then those of groups and handlers.
    pub tasks: Vec<PlannedTask>,
    /// Ids of the workflow's own tasks by the longest chain of needs before them.
    pub levels: Vec<Vec<String>>,
    /// Who needs whom, and why; in groups and handlers too.
    pub edges: Vec<PlannedEdge>,
    /// The ids of the longest chain of the workflow's own tasks.
    pub critical_path: Vec<String>,
}

/// A task of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTask {
    /// Its id.
    pub id: String,
    /// The group or handler (`onFailure`, `onSuccess`, `finally`) that it is one of; `None`: the
    /// workflow itself.
    pub within: Option<String>,
    /// The word for its kind, as the key of the file.
    pub kind: &'static str,
    /// The tool's id; as the file has it when the catalogue has none.
    pub tool: Option<String>,
    /// What the call does to the world; `None` for what calls nothing and for an unknown tool.
    pub effect: Option<Effect>,
    /// What a second send with the same key does.
    pub keyed: Option<Keyed>,
    /// Its level in its own graph, from 0.
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
    let id = |task: usize| {
        workflow
            .tasks
            .get(task)
            .map_or_else(String::new, |t| t.id.clone())
    };
    let own = workflow.graph();
    let ids = |tasks: &[usize]| tasks.iter().map(|task| id(*task)).collect::<Vec<_>>();
    let mut plan = Plan {
        tasks: Vec::with_capacity(workflow.tasks.len()),
        levels: own.levels.iter().map(|level| ids(level)).collect(),
        edges: Vec::new(),
        critical_path: ids(&own.critical_path),
    };
    let holders = holders(workflow);
    for (body, within) in workflow.bodies.iter().zip(holders) {
        let mut level_of = vec![0; body.len()];
        for (level, tasks) in body.graph.levels.iter().enumerate() {
            for task in tasks {
                if let Some(known) = level_of.get_mut(*task) {
                    *known = level;
                }
            }
        }
        let tasks = workflow.tasks.iter().skip(body.first);
        for (task, level) in tasks.zip(level_of) {
            plan.tasks.push(PlannedTask {
                within: within.clone(),
                level,
                ..planned(task, catalog)
            });
        }
        let edges = body.graph.edges.iter();
        plan.edges.extend(edges.map(|edge| PlannedEdge {
            from: id(body.first + edge.from),
            to: id(body.first + edge.to),
            reason: edge.reason.clone(),
        }));
    }
    plan
}

/// Per body what it belongs to: a group by its id, a handler by its key.
fn holders(workflow: &Workflow) -> Vec<Option<String>> {
    let mut holders = vec![None; workflow.bodies.len()];
    let mut hold = |body: usize, name: &str| {
        if let Some(holder) = holders.get_mut(body) {
            *holder = Some(name.to_owned());
        }
    };
    for task in &workflow.tasks {
        if let Kind::Group { body } = task.kind {
            hold(body, &task.id);
        }
    }
    let handlers = [workflow.on_failure, workflow.on_success, workflow.finally];
    for (body, name) in handlers.into_iter().zip(HANDLERS) {
        if let Some(body) = body {
            hold(body, name);
        }
    }
    holders
}

fn planned(task: &Task, catalog: &Catalog) -> PlannedTask {
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
        Kind::Approve(approve) => {
            places(&approve.message, "approve.message", &mut dynamic);
            for (index, approver) in approve.approvers.iter().enumerate() {
                places(
                    approver,
                    &format!("approve.approvers[{index}]"),
                    &mut dynamic,
                );
            }
            (None, None)
        }
        Kind::Wait(wait) => {
            match &**wait {
                Wait::For(node) => places(node, "wait.for", &mut dynamic),
                Wait::Until(node) => places(node, "wait.until", &mut dynamic),
                Wait::Event { topic, .. } => places(topic, "wait.event", &mut dynamic),
            }
            (None, None)
        }
        Kind::Group { .. } => (None, None),
    };
    PlannedTask {
        id: task.id.clone(),
        within: None,
        kind: task.kind.as_str(),
        tool,
        effect: class.map(|class| class.effect),
        keyed: class.map(|class| class.keyed),
        level: 0,
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
        Node::Text(_) | Node::Oktyv(_) | Node::Ordinaut(_) | Node::Failing(_) => {
            found.push(path.to_owned())
        }
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
