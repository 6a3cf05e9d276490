//! A workflow in our own format.

use std::collections::HashSet;

use gearmesh_catalog::Catalog;

use crate::diagnostic::{Report, quote};
use crate::fields::Fields;
use crate::graph::{Edges, Graph};
use crate::head::Head;
use crate::ids::Ids;
use crate::input::InputSpec;
use crate::model::{AS_NAME, Body, Workflow};
use crate::names::Names;
use crate::node::Node;
use crate::outline::{Outline, Placed, id_of};
use crate::shape::Shape;
use crate::source::{Dialect, EDGES_MAX, Span};
use crate::task::TaskReader;
use crate::tree::{Data, Entry, Tree};
use crate::value::{Place, Reader, Used};
use crate::{concurrency, field, join, keys, spec, task, triggers};

const OWNER: &str = "the workflow";

/// The workflow of a file; `None` when it has faults, which are reported then.
pub(crate) fn read(
    report: &mut Report<'_>,
    root: &Tree,
    catalog: Option<&Catalog>,
) -> Option<Workflow> {
    let Some(entries) = root.map() else {
        let nothing = matches!(root.data, Data::Null);
        let message = if nothing {
            "the file is empty".to_owned()
        } else {
            format!("a workflow is a map, not {}", root.kind())
        };
        report.error("INVALID_VALUE", root.span, message);
        return None;
    };
    let fields = keys::WORKFLOW.check(report, entries, OWNER);
    let start = Span::new(root.span.start, root.span.start);
    let head = Head::read(report, &fields, start);
    let outline = Outline::read(report, &fields, start)?;
    let inputs = fields
        .get("inputs")
        .map_or(Some(Vec::new()), |entry| spec::read(report, entry));
    let names = names(report, root, &fields, &outline, catalog);
    let mut reader = Reader {
        report,
        names: &names,
        edges: Edges::default(),
        used: Used::default(),
    };
    let vars = fields
        .get("vars")
        .map_or(Some(Vec::new()), |entry| vars(&mut reader, entry));
    let concurrency = fields
        .get("concurrency")
        .map(|entry| concurrency::read(&mut reader, entry));
    let around = triggers::Around {
        inputs: inputs.as_deref(),
        secrets: &head.secrets,
        concurrency: concurrency.is_some(),
    };
    let triggers = fields.get("triggers").map_or(Some(Vec::new()), |entry| {
        triggers::read(&mut reader, entry, &around)
    });
    let around = TaskReader {
        catalog,
        retry: head.retry.as_ref(),
    };
    let tasks = task::read_all(&mut reader, &outline, &around);
    let outputs = fields
        .get("outputs")
        .map_or(Some(Vec::new()), |entry| outputs(&mut reader, entry));
    let (edges, used) = (reader.edges, reader.used);
    let graphs = graphs(report, edges, &outline)?;
    if let Some(tasks) = &tasks {
        join::check(report, &outline, tasks, &graphs);
    }
    // An expression that cannot be read may be the one that uses it.
    if let (Some(inputs), Some(entry), false) = (&inputs, fields.get("inputs"), report.failed()) {
        unused(report, inputs, entry, &used);
    }
    // `bodies` takes the place of what `new` makes of an empty graph.
    let own = Graph::default();
    let mut workflow = Workflow {
        title: head.title,
        description: head.description,
        labels: head.labels,
        secrets: head.secrets,
        triggers: triggers?,
        concurrency: concurrency.unwrap_or_default(),
        priority: head.priority,
        inputs: inputs?,
        vars: vars?,
        max_concurrent: head.max_concurrent,
        timeout: head.timeout,
        on_error: head.on_error,
        bodies: graphs,
        on_failure: outline.handler(0),
        on_success: outline.handler(1),
        finally: outline.handler(2),
        outputs: outputs?,
        ..Workflow::new(head.name?, Dialect::Native, tasks?, own)
    };
    workflow.pass_sensitive_on();
    Some(workflow)
}

/// What the expressions of a file can name.
fn names<'t>(
    report: &mut Report<'_>,
    root: &Tree,
    fields: &Fields<'t>,
    outline: &Outline<'t>,
    catalog: Option<&Catalog>,
) -> Names<'t> {
    let ids = Ids::read(report, root, &outline.tasks);
    let shape = |placed: &Placed<'t>| {
        let inner = placed.group.and_then(|body| outline.bodies.get(body));
        let inner = inner.map(|body| {
            let range = body.first..body.first + body.len;
            range
                .map(|at| (id_of(outline.tasks[at].tree).to_owned(), at))
                .collect()
        });
        Shape::of(placed.tree, inner, catalog)
    };
    let element = |placed: &Placed<'t>| {
        let name = placed.tree.get("as").and_then(Tree::text);
        let each = placed.tree.get("each");
        each.map(|_| name.unwrap_or(AS_NAME))
    };
    let vars = keys_of(fields, "vars").into_iter().enumerate();
    Names {
        tasks: ids.tasks,
        ids: outline
            .tasks
            .iter()
            .map(|placed| id_of(placed.tree))
            .collect(),
        body_of: outline.tasks.iter().map(|placed| placed.body).collect(),
        bodies: outline.bodies.iter().map(|body| body.of).collect(),
        elements: outline.tasks.iter().map(element).collect(),
        shapes: outline.tasks.iter().map(shape).collect(),
        inputs: keys_of(fields, "inputs")
            .into_iter()
            .collect::<HashSet<_>>(),
        secrets: keys_of(fields, "secrets")
            .into_iter()
            .collect::<HashSet<_>>(),
        vars: vars.map(|(at, name)| (name, at)).collect(),
        invalid: ids.invalid,
    }
}

fn keys_of<'t>(fields: &Fields<'t>, key: &str) -> Vec<&'t str> {
    let entries = fields
        .get(key)
        .and_then(|entry| entry.value.map())
        .unwrap_or_default();
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

fn vars(reader: &mut Reader<'_, '_, '_>, entry: &Entry) -> Option<Vec<(String, Node)>> {
    let Some(entries) = entry.value.map() else {
        field::unexpected(reader.report, entry, OWNER, "a map");
        return None;
    };
    let mut vars = Vec::with_capacity(entries.len());
    for (position, var) in entries.iter().enumerate() {
        let mut place = Place {
            vars: position,
            ..Place::before(&format!("vars.{}", var.key))
        };
        let node = reader.node(&var.value, &mut place);
        vars.push(node.map(|node| (var.key.clone(), node)));
    }
    vars.into_iter().collect()
}

fn outputs(reader: &mut Reader<'_, '_, '_>, entry: &Entry) -> Option<Vec<(String, Node)>> {
    let Some(entries) = entry.value.map() else {
        field::unexpected(reader.report, entry, OWNER, "a map");
        return None;
    };
    reader.entries(entries, &mut Place::after("outputs"))
}

/// Warns of every input that nothing reads.
fn unused(report: &mut Report<'_>, inputs: &[InputSpec], entry: &Entry, used: &Used) {
    let entries = entry.value.map().unwrap_or_default();
    for input in inputs.iter().filter(|input| !used.has(&input.name)) {
        let Some(declared) = entries.iter().find(|entry| entry.key == input.name) else {
            continue;
        };
        let message = format!("no expression uses the input `{}`", quote(&input.name));
        report.warning("UNUSED_INPUT", declared.key_span, message);
    }
}

/// The graphs of the file, in the order of its bodies.
fn graphs(report: &mut Report<'_>, edges: Edges, outline: &Outline<'_>) -> Option<Vec<Body>> {
    if too_many(report, &edges) {
        return None;
    }
    let firsts: Vec<usize> = outline.bodies.iter().map(|body| body.first).collect();
    let mut bodies = Vec::with_capacity(outline.bodies.len());
    for (edges, layout) in edges.split(&firsts).into_iter().zip(&outline.bodies) {
        let tasks = outline
            .tasks
            .iter()
            .skip(layout.first)
            .take(layout.len)
            .map(|placed| placed.tree)
            .collect::<Vec<_>>();
        let graph = acyclic(report, edges, &tasks);
        bodies.push(graph.map(|graph| Body {
            first: layout.first,
            graph,
        }));
    }
    bodies.into_iter().collect()
}

/// The graph of the tasks; `None` when it has a cycle or too many edges.
pub(crate) fn graph(report: &mut Report<'_>, edges: Edges, tasks: &[Tree]) -> Option<Graph> {
    if too_many(report, &edges) {
        return None;
    }
    acyclic(report, edges, &tasks.iter().collect::<Vec<_>>())
}

fn too_many(report: &mut Report<'_>, edges: &Edges) -> bool {
    let many = edges.len() > EDGES_MAX;
    if many {
        let message = format!(
            "the tasks have {} needs; the limit is {EDGES_MAX}",
            edges.len()
        );
        report.error("FILE_TOO_LARGE", Span::default(), message);
    }
    many
}

fn acyclic(report: &mut Report<'_>, edges: Edges, tasks: &[&Tree]) -> Option<Graph> {
    match edges.into_graph(tasks.len()) {
        Ok(graph) => Some(graph),
        Err(cycles) => {
            for cycle in cycles {
                let id = |task: &usize| id_of(tasks[*task]);
                let chain = cycle.iter().map(id).collect::<Vec<_>>().join(" -> ");
                let first = tasks[cycle[0]];
                let span = first.get("id").map_or(first.span, |id| id.span);
                report.error(
                    "CIRCULAR_DEPENDENCY",
                    span,
                    format!("Circular dependency detected: {chain}"),
                );
            }
            None
        }
    }
}
