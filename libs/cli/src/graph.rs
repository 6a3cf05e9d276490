//! The graph of a plan as other programs draw it, and as a picture of our own.

use std::collections::HashMap;

use serde_json::Value;

use crate::markup::escape;
use crate::text::{field, list, number, printable, shorten};

/// A task as it is drawn.
#[derive(Debug)]
struct Node<'a> {
    id: &'a str,
    /// What it calls, else its kind.
    tool: &'a str,
    effect: &'a str,
    /// Its group or handler; empty: the workflow's own graph.
    within: &'a str,
}

#[derive(Debug)]
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    reason: &'a str,
}

fn nodes(plan: &Value) -> Vec<Node<'_>> {
    let tasks = list(plan, "tasks").iter();
    tasks
        .map(|task| Node {
            id: field(task, "id"),
            tool: match field(task, "tool") {
                "" => field(task, "kind"),
                tool => tool,
            },
            effect: field(task, "effect"),
            within: field(task, "within"),
        })
        .collect()
}

fn edges(plan: &Value) -> Vec<Edge<'_>> {
    let edges = plan.pointer("/dag/edges").and_then(Value::as_array);
    let edges = edges.into_iter().flatten();
    edges
        .map(|edge| Edge {
            from: field(edge, "from"),
            to: field(edge, "to"),
            reason: match field(edge, "reason") {
                "needs" => "",
                reason => reason,
            },
        })
        .collect()
}

/// The groups and handlers, in the order in which they come.
fn groups<'a>(nodes: &[Node<'a>]) -> Vec<&'a str> {
    let mut groups = Vec::new();
    for node in nodes {
        if !node.within.is_empty() && !groups.contains(&node.within) {
            groups.push(node.within);
        }
    }
    groups
}

/// Text in double quotes, as DOT and Mermaid take it.
fn quoted(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('"', "'")
}

/// The graph for Graphviz.
pub(crate) fn dot(plan: &Value) -> String {
    let nodes = nodes(plan);
    let mut lines = vec![
        format!("digraph \"{}\" {{", quoted(field(plan, "workflow"))),
        "  rankdir=TB; node [shape=box, fontname=\"sans-serif\"];".to_owned(),
    ];
    let node = |node: &Node<'_>| {
        let style = match node.effect {
            "DESTRUCTIVE" => ", color=red",
            "WRITE" => ", color=orange",
            _ => "",
        };
        format!(
            "\"{}\" [label=\"{}\\n{}\"{style}];",
            quoted(node.id),
            quoted(node.id),
            quoted(node.tool)
        )
    };
    for own in nodes.iter().filter(|n| n.within.is_empty()) {
        lines.push(format!("  {}", node(own)));
    }
    for group in groups(&nodes) {
        let group_name = quoted(group);
        lines.push(format!(
            "  subgraph \"cluster_{group_name}\" {{ label=\"{group_name}\";"
        ));
        for inner in nodes.iter().filter(|n| n.within == group) {
            lines.push(format!("    {}", node(inner)));
        }
        lines.push("  }".to_owned());
    }
    for edge in edges(plan) {
        let label = match edge.reason {
            "" => String::new(),
            reason => format!(" [label=\"{}\"]", quoted(reason)),
        };
        lines.push(format!(
            "  \"{}\" -> \"{}\"{label};",
            quoted(edge.from),
            quoted(edge.to)
        ));
    }
    lines.push("}".to_owned());
    lines.join("\n")
}

/// The graph for Mermaid, as Markdown shows it.
pub(crate) fn mermaid(plan: &Value) -> String {
    let nodes = nodes(plan);
    // Ids of tasks may be words of Mermaid, such as `end`.
    let names: HashMap<&str, String> = nodes
        .iter()
        .enumerate()
        .map(|(n, node)| (node.id, format!("t{n}")))
        .collect();
    let name = |id: &str| {
        names
            .get(id)
            .cloned()
            .unwrap_or_else(|| "unknown".to_owned())
    };
    let mut lines = vec!["flowchart TD".to_owned()];
    let node = |node: &Node<'_>| {
        format!(
            "{}[\"{}<br/>{}\"]",
            name(node.id),
            quoted(node.id),
            quoted(node.tool)
        )
    };
    for own in nodes.iter().filter(|n| n.within.is_empty()) {
        lines.push(format!("  {}", node(own)));
    }
    for (number, group) in groups(&nodes).into_iter().enumerate() {
        lines.push(format!("  subgraph g{number}[\"{}\"]", quoted(group)));
        for inner in nodes.iter().filter(|n| n.within == group) {
            lines.push(format!("    {}", node(inner)));
        }
        lines.push("  end".to_owned());
    }
    for edge in edges(plan) {
        let label = match edge.reason {
            "" => String::new(),
            reason => format!("|\"{}\"|", quoted(reason)),
        };
        lines.push(format!(
            "  {} -->{label} {}",
            name(edge.from),
            name(edge.to)
        ));
    }
    lines.join("\n")
}

/// Pixels of the picture: a box, the room between boxes, the height of a line of text.
const BOX: (usize, usize) = (170, 44);
const GAP: (usize, usize) = (24, 40);
const LINE: usize = 16;

/// Characters that fit into a box.
const LABEL_MAX: usize = 22;

/// The graph as a picture: levels from top to bottom; groups and handlers each in a row of
/// rows of their own below.
pub(crate) fn svg(plan: &Value) -> String {
    let nodes = nodes(plan);
    let mut places: HashMap<&str, (usize, usize)> = HashMap::new();
    let mut body = Vec::new();
    let mut top = LINE * 2;
    let mut width = BOX.0;
    let mut graphs = vec![""];
    graphs.extend(groups(&nodes));
    for graph in graphs {
        if !graph.is_empty() {
            body.push(text(GAP.0, top + LINE, "g", graph));
            top += LINE * 2;
        }
        for level in levels(plan, graph) {
            for (column, id) in level.iter().enumerate() {
                let left = GAP.0 + column * (BOX.0 + GAP.0);
                places.insert(id, (left, top));
                width = width.max(left + BOX.0);
            }
            top += BOX.1 + GAP.1;
        }
    }
    let mut lines = Vec::new();
    for edge in edges(plan) {
        if let (Some(from), Some(to)) = (places.get(edge.from), places.get(edge.to)) {
            lines.push(line(*from, *to, edge.reason));
        }
    }
    for node in &nodes {
        let Some((x, y)) = places.get(node.id) else {
            continue;
        };
        let class = match node.effect {
            "DESTRUCTIVE" => "d",
            "WRITE" => "w",
            _ => "r",
        };
        lines.push(format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"6\" class=\"{class}\"/>",
            BOX.0, BOX.1
        ));
        lines.push(text(x + 8, y + 18, "t", node.id));
        lines.push(text(x + 8, y + 34, "s", node.tool));
    }
    lines.extend(body);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {top}\" font-family=\"sans-serif\">\n\
         <style>rect{{fill:#fff;stroke:#789}}.w{{stroke:#d80}}.d{{stroke:#c00;stroke-width:2}}\
         path{{fill:none;stroke:#9ab}}.t{{font-size:13px;font-weight:bold}}.s{{font-size:11px;fill:#567}}\
         .g{{font-size:13px;fill:#567}}</style>\n{}\n{}\n</svg>",
        width + GAP.0,
        text(GAP.0, LINE, "g", field(plan, "workflow")),
        lines.join("\n")
    )
}

/// The ids of a graph by level.
fn levels<'a>(plan: &'a Value, graph: &str) -> Vec<Vec<&'a str>> {
    let mut levels: Vec<Vec<&str>> = Vec::new();
    let tasks = list(plan, "tasks").iter();
    for task in tasks.filter(|task| field(task, "within") == graph) {
        let level = usize::try_from(number(task, "level")).unwrap_or(0);
        // Levels have no holes; a task of a plan that has is put into the last.
        let level = level.min(levels.len());
        match levels.get_mut(level) {
            Some(ids) => ids.push(field(task, "id")),
            None => levels.push(vec![field(task, "id")]),
        }
    }
    levels
}

fn line(from: (usize, usize), to: (usize, usize), reason: &str) -> String {
    let (x1, y1) = (from.0 + BOX.0 / 2, from.1 + BOX.1);
    let (x2, y2) = (to.0 + BOX.0 / 2, to.1);
    let middle = y1.midpoint(y2);
    let title = match reason {
        "" => String::new(),
        reason => format!("<title>{}</title>", escape(&printable(reason))),
    };
    format!("<path d=\"M{x1} {y1} C{x1} {middle} {x2} {middle} {x2} {y2}\">{title}</path>")
}

fn text(x: usize, y: usize, class: &str, text: &str) -> String {
    let text = printable(text);
    let text = escape(&shorten(&text, LABEL_MAX));
    format!("<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{text}</text>")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn plan() -> Value {
        json!({"workflow": "w", "tasks": [
            {"id": "end", "kind": "tool", "tool": "http.request", "effect": "READ", "level": 0},
            {"id": "g", "kind": "tasks", "tool": "", "effect": "", "level": 1},
            {"id": "in", "kind": "tool", "tool": "file.delete", "effect": "DESTRUCTIVE", "level": 0, "within": "g"},
        ], "dag": {"levels": [["end"], ["g"]], "edges": [
            {"from": "end", "to": "g", "reason": "each"}, {"from": "end", "to": "g", "reason": "needs"}]}})
    }

    #[test]
    fn dot_has_clusters_and_reasons() {
        expect![[r#"
            digraph "w" {
              rankdir=TB; node [shape=box, fontname="sans-serif"];
              "end" [label="end\nhttp.request"];
              "g" [label="g\ntasks"];
              subgraph "cluster_g" { label="g";
                "in" [label="in\nfile.delete", color=red];
              }
              "end" -> "g" [label="each"];
              "end" -> "g";
            }"#]]
        .assert_eq(&dot(&plan()));
    }

    #[test]
    fn mermaid_names_no_task_by_a_word_of_its_own() {
        expect![[r#"
            flowchart TD
              t0["end<br/>http.request"]
              t1["g<br/>tasks"]
              subgraph g0["g"]
                t2["in<br/>file.delete"]
              end
              t0 -->|"each"| t1
              t0 --> t1"#]]
        .assert_eq(&mermaid(&plan()));
    }

    #[test]
    fn picture_has_a_box_for_each_task_and_a_line_for_each_edge() {
        let mut plan = plan();
        plan["tasks"][0]["tool"] = "<script>\"&".into();
        let picture = svg(&plan);
        assert_eq!(picture.matches("<rect").count(), 3);
        assert_eq!(picture.matches("<path").count(), 2);
        assert!(!picture.contains("<script>"), "{picture}");
        assert!(picture.contains("&lt;script&gt;&quot;&amp;"), "{picture}");
        assert!(picture.contains("class=\"d\""), "{picture}");
        assert!(picture.starts_with("<svg xmlns=") && picture.ends_with("</svg>"));
    }
}
