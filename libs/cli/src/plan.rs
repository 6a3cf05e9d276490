//! `gearmesh plan FILE`.

use std::collections::HashMap;

use gearmesh_workflow::{Severity, check, plan as plan_of};
use serde_json::{Value, json};

use crate::app::App;
use crate::args::{PlanArgs, PlanFormat};
use crate::error::Error;
use crate::exit::Exit;
use crate::file::WorkflowFile;
use crate::output::{Format, Output};
use crate::style::{Style, Tone};
use crate::text::{count, field, joined, printable, texts};
use crate::validate::Checker;
use crate::{graph, surroundings};

/// Shows what a workflow would do.
pub(crate) async fn plan(app: &mut App, checker: &Checker, args: &PlanArgs) -> Result<Exit, Error> {
    let file = WorkflowFile::read(&args.file)?;
    let catalog = match checker {
        Checker::Offline(catalog) => Some(&**catalog),
        Checker::Server(_) => None,
    };
    let checked = check(&file.source(None), catalog);
    let workflow = checked.workflow.filter(|_| checked.errors.is_empty());
    let mut planned = match (checker, &workflow) {
        (Checker::Offline(catalog), Some(workflow)) => {
            to_json(&workflow.name, &plan_of(workflow, catalog))
        }
        (Checker::Offline(_), None) => {
            return Err(Error::Invalid {
                found: checked.errors,
                text: file.text,
            });
        }
        (Checker::Server(client), _) => {
            let params = json!({"source": file.text, "fileName": file.name});
            let answer = client.call("orchestrator.plan", params).await?;
            if answer.get("valid").and_then(Value::as_bool) != Some(true) {
                return Err(Error::Invalid {
                    found: file.diagnostics(&answer, "errors", Severity::Error),
                    text: file.text,
                });
            }
            answer
        }
    };
    if let Some(workflow) = &workflow {
        let client = match checker {
            Checker::Server(client) => Some(client),
            Checker::Offline(_) => None,
        };
        planned["secrets"] = surroundings::secrets(workflow, client).await.into();
        planned["triggers"] = surroundings::triggers(workflow, client).await.into();
    }
    let picture = match args.format {
        Some(PlanFormat::Dot) => graph::dot(&planned),
        Some(PlanFormat::Mermaid) => graph::mermaid(&planned),
        Some(PlanFormat::Svg) => graph::svg(&planned),
        Some(PlanFormat::Text | PlanFormat::Json) | None => {
            show(&mut app.output, &planned)?;
            return Ok(Exit::Done);
        }
    };
    app.output.data(&picture)?;
    Ok(Exit::Done)
}

/// A plan in the shape of the server's answer.
fn to_json(workflow: &str, plan: &gearmesh_workflow::Plan) -> Value {
    let tasks: Vec<Value> = plan
        .tasks
        .iter()
        .map(|task| {
            json!({
                "id": task.id,
                "kind": task.kind,
                "tool": task.tool.clone().unwrap_or_default(),
                "effect": task.effect.map_or("", |e| e.as_str()),
                "keyed": task.keyed.map_or("", |k| k.as_str()),
                "level": task.level,
                "dynamic": task.dynamic,
                "within": task.within.clone().unwrap_or_default(),
            })
        })
        .collect();
    let edges: Vec<Value> = plan
        .edges
        .iter()
        .map(|edge| json!({"from": edge.from, "to": edge.to, "reason": edge.reason}))
        .collect();
    json!({
        "valid": true,
        "workflow": workflow,
        "dag": {"levels": plan.levels, "edges": edges},
        "tasks": tasks,
        "criticalPath": plan.critical_path,
        "errors": [],
    })
}

fn show(output: &mut Output, plan: &Value) -> Result<(), Error> {
    match output.format {
        Format::Table => {
            let text = render(plan, output.out_style);
            output.data(&text)
        }
        Format::Name => texts(plan, "criticalPath").try_for_each(|id| output.data(&printable(id))),
        Format::Json | Format::Ndjson => output.document(plan),
    }
}

/// Level by level, each task with what it calls and why it waits.
fn render(plan: &Value, style: Style) -> String {
    let list = |place: &str| {
        plan.pointer(place)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let tasks: Vec<&Value> = list("/tasks").collect();
    let by_id: HashMap<&str, &Value> = tasks.iter().map(|t| (field(t, "id"), *t)).collect();
    let mut needs: HashMap<&str, Vec<String>> = HashMap::new();
    for edge in list("/dag/edges") {
        let reason = match field(edge, "reason") {
            "" | "needs" => String::new(),
            place => format!(" ({place})"),
        };
        needs
            .entry(field(edge, "to"))
            .or_default()
            .push(format!("{}{reason}", field(edge, "from")));
    }
    let widest = |name: &str| {
        tasks
            .iter()
            .map(|t| field(t, name).chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = (widest("id"), widest("tool").max(3));
    let levels: Vec<&Value> = list("/dag/levels").collect();
    let mut lines = vec![format!(
        "{}   {}, {}",
        style.paint(Tone::Strong, &printable(field(plan, "workflow"))),
        count(tasks.len() as u64, "task"),
        count(levels.len() as u64, "level"),
    )];
    for (number, level) in levels.iter().enumerate() {
        lines.push(style.paint(Tone::Quiet, &format!("level {number}")));
        let ids = level.as_array().into_iter().flatten();
        let ids = ids.filter_map(Value::as_str);
        for task in ids.filter_map(|id| by_id.get(id)) {
            let needs = needs.get(field(task, "id")).map_or(&[][..], Vec::as_slice);
            lines.push(row(task, needs, widths));
        }
    }
    let mut within = "";
    for task in &tasks {
        let group = field(task, "within");
        if group.is_empty() {
            continue;
        }
        if group != within {
            lines.push(style.paint(Tone::Quiet, &format!("in {}", printable(group))));
            within = group;
        }
        let needs = needs.get(field(task, "id")).map_or(&[][..], Vec::as_slice);
        lines.push(row(task, needs, widths));
    }
    let path = joined(plan, "criticalPath", " -> ");
    lines.push(format!("longest path: {path}"));
    lines.extend(surroundings::lines(plan, style));
    lines.join("\n")
}

/// One task: what it calls, the class of the call, what it waits for.
fn row(task: &Value, needs: &[String], (id_width, tool_width): (usize, usize)) -> String {
    let tool = match field(task, "tool") {
        "" => field(task, "kind"),
        tool => tool,
    };
    let mut line = format!(
        "  {:id_width$}  {:tool_width$}  {:11}  {:13}",
        printable(field(task, "id")),
        printable(tool),
        field(task, "effect"),
        field(task, "keyed"),
    );
    if !needs.is_empty() {
        line.push_str(&format!("  after {}", printable(&needs.join(", "))));
    }
    let dynamic = joined(task, "dynamic", ", ");
    if !dynamic.is_empty() {
        line.push_str(&format!("   at run time: {dynamic}"));
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::client::built_in;

    #[test]
    fn plan_shows_levels_effects_and_reasons() {
        let text = "name: report\ntasks:\n  - id: fetch\n    tool: state.get\n    params: {key: a}\n  - id: pick\n    set: {x: \"${fetch.result.value}\"}\n  - id: keep\n    tool: state.put\n    needs: [fetch]\n    params: {key: b, value: \"${pick.result.x}\"}\n";
        let catalog = built_in().unwrap();
        let source = gearmesh_workflow::Source {
            text,
            file_name: "x.yaml",
            dialect: None,
        };
        let checked = check(&source, Some(&catalog));
        assert_eq!(checked.errors, []);
        let plan = to_json("report", &plan_of(&checked.workflow.unwrap(), &catalog));
        expect![[r#"
            report   3 tasks, 3 levels
            level 0
              fetch  state.get  READ         IDEMPOTENT
            level 1
              pick   set                                    after fetch (set.x)   at run time: set.x
            level 2
              keep   state.put  WRITE        TXN            after fetch, pick (params.value)   at run time: params.value
            longest path: fetch -> pick -> keep"#]].assert_eq(&render(&plan, Style::default()));
    }
}
