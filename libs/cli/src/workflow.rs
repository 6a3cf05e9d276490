//! `gearmesh workflow ..`: stored workflows.

use std::path::Path;

use serde_json::{Value, json};

use crate::app::App;
use crate::ask::ask;
use crate::client::Client;
use crate::error::Error;
use crate::exit::Exit;
use crate::file::WorkflowFile;
use crate::host::{self, Wants};
use crate::output::Output;
use crate::style::{Style, Tone};
use crate::text::{field, list as items, number, printable, printable_lines, shorten, texts};
use crate::workflow_args::{DiffArgs, WorkflowCommand};
use crate::{apply, table};

/// Characters of a title in a list.
const TITLE_MAX: usize = 50;

/// Looks after stored workflows, at the server or in this process.
///
/// `convert` and `fmt` need neither, and have been done before.
pub(crate) async fn command(app: &mut App, command: WorkflowCommand) -> Result<Exit, Error> {
    let wants = Wants {
        demo: true,
        look: true,
        roots: false,
    };
    host::with_mesh(app, wants, async |app, client, _| {
        perform(app, command, client).await?;
        Ok(Exit::Done)
    })
    .await
}

async fn perform(app: &mut App, command: WorkflowCommand, client: &Client) -> Result<(), Error> {
    let output = &mut app.output;
    match command {
        WorkflowCommand::List { state, query, many } => {
            let params = json!({"state": state.unwrap_or_default(), "query": query.join(" ")});
            let most = many.most();
            let (found, more) = client
                .pages("orchestrator.list_workflows", params, "workflows", most)
                .await?;
            list(output, &found, more)
        }
        WorkflowCommand::Show { name, version } => {
            let workflow = get(client, &name, version).await?;
            if output.for_people() {
                let text = describe(&workflow, output.out_style);
                output.data(&text)
            } else {
                output.list_one(&workflow, "name")
            }
        }
        WorkflowCommand::Export { name, version, to } => {
            let workflow = get(client, &name, version).await?;
            write(output, field(&workflow, "source"), to.as_deref())
        }
        WorkflowCommand::Apply(args) => apply::apply(app, client, args).await,
        WorkflowCommand::Diff(args) => diff(output, client, args).await,
        WorkflowCommand::History { name, many } => {
            let params = json!({"workflow": name});
            let (versions, more) = client
                .pages(
                    "orchestrator.list_workflow_versions",
                    params,
                    "versions",
                    many.most(),
                )
                .await?;
            history(output, &versions, more)
        }
        WorkflowCommand::Enable { names } => {
            each(output, client, "orchestrator.enable_workflow", &names).await
        }
        WorkflowCommand::Disable { names } => {
            each(output, client, "orchestrator.disable_workflow", &names).await
        }
        WorkflowCommand::Restore { names } => {
            each(output, client, "orchestrator.restore_workflow", &names).await
        }
        WorkflowCommand::Delete { names } => delete(app, client, &names).await,
        WorkflowCommand::Rollback { name, version } => {
            let params = json!({"workflow": name, "version": version});
            let answer = client
                .call("orchestrator.rollback_workflow", params)
                .await?;
            told(output, &answer)
        }
        WorkflowCommand::Convert { .. } | WorkflowCommand::Fmt(_) => Ok(()),
    }
}

/// A stored workflow; version 0: the newest.
pub(crate) async fn get(client: &Client, name: &str, version: u32) -> Result<Value, Error> {
    let params = json!({"workflow": name, "version": version});
    let mut answer = client.call("orchestrator.get_workflow", params).await?;
    Ok(answer
        .get_mut("workflow")
        .map(Value::take)
        .unwrap_or_default())
}

/// Writes a text to a file, or to standard output.
pub(crate) fn write(output: &mut Output, text: &str, to: Option<&Path>) -> Result<(), Error> {
    match to.filter(|path| path.as_os_str() != "-") {
        None => output.data(text),
        Some(path) => std::fs::write(path, text).map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        }),
    }
}

async fn each(
    output: &mut Output,
    client: &Client,
    tool: &str,
    names: &[String],
) -> Result<(), Error> {
    for name in names {
        let answer = client.call(tool, json!({"workflow": name})).await?;
        told(output, &answer)?;
    }
    Ok(())
}

async fn delete(app: &mut App, client: &Client, names: &[String]) -> Result<(), Error> {
    let about = format!("{} is to be deleted", printable(&names.join(", ")));
    let question = format!("{about}; it can be restored for 30 days. Go on?");
    ask(app, &about, &question)?;
    for name in names {
        let params = json!({"workflow": name});
        let answer = client.call("orchestrator.delete_workflow", params).await?;
        if !app.output.for_people() {
            let mut answer = answer;
            answer["name"] = name.clone().into();
            app.output.list_one(&answer, "name")?;
            continue;
        }
        let deleted = answer.get("deleted").and_then(Value::as_bool) == Some(true);
        let what = if deleted {
            "deleted"
        } else {
            "was deleted before"
        };
        app.output.data(&printable(&format!("{name}  {what}")))?;
    }
    Ok(())
}

/// What a workflow is now.
fn told(output: &mut Output, answer: &Value) -> Result<(), Error> {
    let workflow = answer.get("workflow").unwrap_or(&Value::Null);
    if !output.for_people() {
        return output.list_one(workflow, "name");
    }
    output.data(&printable(&format!(
        "{}  v{}  {}",
        field(workflow, "name"),
        number(workflow, "version"),
        field(workflow, "state"),
    )))
}

fn list(output: &mut Output, workflows: &[Value], more: bool) -> Result<(), Error> {
    if !output.for_people() {
        return output.list(workflows, "name");
    }
    if workflows.is_empty() {
        output.note("no workflows are stored; gearmesh workflow apply FILE");
        return Ok(());
    }
    let cell = |workflow: &Value, name: &str| printable(field(workflow, name)).into_owned();
    let rows = workflows
        .iter()
        .map(|workflow| {
            vec![
                cell(workflow, "name"),
                format!("v{}", number(workflow, "version")),
                cell(workflow, "state"),
                number(workflow, "tasks").to_string(),
                items(workflow, "triggers").len().to_string(),
                shorten(&cell(workflow, "title"), TITLE_MAX).into_owned(),
            ]
        })
        .collect();
    output.data(&table::render(
        &["workflow", "version", "state", "tasks", "triggers", "title"],
        rows,
    ))?;
    if more {
        output.note(&format!("the first {}; --all shows all", workflows.len()));
    }
    Ok(())
}

fn history(output: &mut Output, versions: &[Value], more: bool) -> Result<(), Error> {
    if !output.for_people() {
        return output.list(versions, "version");
    }
    let cell = |version: &Value, name: &str| printable(field(version, name)).into_owned();
    let rows = versions
        .iter()
        .map(|version| {
            vec![
                format!("v{}", number(version, "version")),
                cell(version, "createTime"),
                cell(version, "author"),
                number(version, "tasks").to_string(),
                cell(version, "comment"),
            ]
        })
        .collect();
    output.data(&table::render(
        &["version", "stored", "by", "tasks", "what changed"],
        rows,
    ))?;
    if more {
        output.note(&format!("the newest {}; --all shows all", versions.len()));
    }
    Ok(())
}

/// All about a workflow, for people.
fn describe(workflow: &Value, style: Style) -> String {
    let text = |name: &str| printable(field(workflow, name)).into_owned();
    let (version, newest) = (number(workflow, "version"), number(workflow, "newest"));
    let mut head = format!(
        "{}   v{version}, {}",
        style.paint(Tone::Strong, &text("name")),
        text("state")
    );
    if version < newest {
        head.push_str(&format!(", the newest is v{newest}"));
    }
    let mut lines = vec![head];
    lines.extend([text("title")].into_iter().filter(|t| !t.is_empty()));
    let description = printable_lines(field(workflow, "description"));
    lines.extend([description].into_iter().filter(|t| !t.is_empty()));
    let mut rows = vec![vec![
        "stored".to_owned(),
        format!("{} by {}", text("createTime"), text("author")),
    ]];
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            rows.push(vec![name.to_owned(), value]);
        }
    };
    row("comment", text("comment"));
    row("file", text("fileName"));
    row("tasks", number(workflow, "tasks").to_string());
    let labels = workflow.get("labels").and_then(Value::as_object);
    for (label, value) in labels.into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        row("label", printable(&format!("{label}={value}")).into_owned());
    }
    let declared = workflow.get("inputs").unwrap_or(&Value::Null);
    let inputs = declared.get("properties").and_then(Value::as_object);
    for (name, schema) in inputs.into_iter().flatten() {
        let must = texts(declared, "required").any(|required| required == name);
        row("input", printable(&input(name, schema, must)).into_owned());
    }
    for trigger in items(workflow, "triggers") {
        row("trigger", printable(&trigger.to_string()).into_owned());
    }
    lines.push(table::render(&[], rows));
    lines.join("\n")
}

/// An input as its flag, with its type and default.
fn input(name: &str, schema: &Value, required: bool) -> String {
    let mut text = format!("--{} {}", crate::params::kebab(name), field(schema, "type"));
    match schema.get("default") {
        Some(default) if !default.is_null() => text.push_str(&format!(" [default: {default}]")),
        _ if required => text.push_str(" (required)"),
        _ => {}
    }
    text
}

async fn diff(output: &mut Output, client: &Client, args: DiffArgs) -> Result<(), Error> {
    let mut params = json!({
        "workflow": args.name,
        "from": args.from.unwrap_or_default(),
        "to": args.to.unwrap_or_default(),
    });
    if let Some(file) = &args.file {
        params["source"] = WorkflowFile::read(file)?.text.into();
    }
    let answer = client.call("orchestrator.diff_workflow", params).await?;
    if !output.for_people() {
        return output.document(&answer);
    }
    let text = changes(&answer, output.out_style);
    if text.is_empty() {
        output.note("no difference");
        return Ok(());
    }
    output.data(&text)
}

/// Which tasks differ, and the lines.
pub(crate) fn changes(diff: &Value, style: Style) -> String {
    let mut lines = Vec::new();
    for (name, mark, tone) in [
        ("added", '+', Tone::Good),
        ("removed", '-', Tone::Bad),
        ("changed", '~', Tone::Notice),
    ] {
        for task in texts(diff, name) {
            let line = format!("{mark} task {}", printable(task));
            lines.push(style.paint(tone, &line));
        }
    }
    for line in field(diff, "unified").lines() {
        let tone = match line.as_bytes().first() {
            Some(b'+') => Tone::Good,
            Some(b'-') => Tone::Bad,
            _ => Tone::Quiet,
        };
        lines.push(style.paint(tone, &printable(line)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
