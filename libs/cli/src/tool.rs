//! `gearmesh tool list | show | search`.

use std::sync::Arc;

use gearmesh_catalog::{Catalog, Tool};
use serde_json::Value;

use crate::error::Error;
use crate::output::Output;
use crate::params::kebab;
use crate::style::{Style, Tone};
use crate::table;
use crate::text::{field, printable, printable_lines, shorten};

/// Characters of a summary in a list.
const SUMMARY_MAX: usize = 80;

/// Lists tools, of one engine or of all.
pub(crate) fn list(
    output: &mut Output,
    catalog: &Catalog,
    engine: Option<&str>,
) -> Result<(), Error> {
    if let Some(name) = engine
        && !catalog.engines().iter().any(|e| e.id == name)
    {
        let ids = catalog.engines().iter().map(|e| e.id.as_str());
        return Err(Error::NotFound {
            code: "ENGINE_NOT_FOUND",
            message: format!("no engine `{name}`"),
            help: Some(match crate::nearest::nearest(name, ids.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the engines are {}", ids.collect::<Vec<_>>().join(", ")),
            }),
        });
    }
    let tools = catalog
        .tools()
        .iter()
        .filter(|t| engine.is_none_or(|e| t.engine == e));
    rows(output, tools)
}

/// Words that say nothing about a tool.
const STOP_WORDS: [&str; 9] = ["a", "an", "the", "to", "of", "in", "for", "with", "and"];

/// Lists the tools that have these words in their names, aliases or texts.
pub(crate) fn search(
    output: &mut Output,
    catalog: &Catalog,
    words: &[String],
) -> Result<(), Error> {
    let words: Vec<String> = words
        .iter()
        .flat_map(|w| w.split_whitespace())
        .map(str::to_lowercase)
        .filter(|w| !STOP_WORDS.contains(&w.as_str()))
        .collect();
    let matching = |tool: &Tool| {
        let aliases = tool.aliases.iter().map(|a| a.name.as_str());
        let all: Vec<&str> = [tool.id.as_str(), tool.description.as_str()]
            .into_iter()
            .chain(aliases)
            .collect();
        let text = all.join("\n").to_lowercase();
        words.iter().filter(|w| text.contains(w.as_str())).count()
    };
    let mut found: Vec<(usize, &Arc<Tool>)> = catalog
        .tools()
        .iter()
        .map(|tool| (matching(tool), tool))
        .filter(|(matching, _)| *matching > 0)
        .collect();
    // The more words the earlier; then those whose names have them, before those that
    // only mention them.
    found.sort_by_key(|(matching, tool)| {
        let named = words.iter().filter(|w| tool.id.contains(w.as_str()));
        std::cmp::Reverse((*matching, named.count()))
    });
    if found.is_empty() {
        return Err(Error::NotFound {
            code: "TOOL_NOT_FOUND",
            message: "no tool has any of these words".to_owned(),
            help: Some("gearmesh tool list".to_owned()),
        });
    }
    rows(output, found.into_iter().map(|(_, tool)| tool))
}

fn rows<'a>(output: &mut Output, tools: impl Iterator<Item = &'a Arc<Tool>>) -> Result<(), Error> {
    let tools: Vec<&Arc<Tool>> = tools.collect();
    if !output.for_people() {
        let all: Vec<Value> = tools.iter().map(|t| t.brief()).collect();
        return output.list(&all, "id");
    }
    if tools.is_empty() {
        return Ok(());
    }
    let rows = tools
        .iter()
        .map(|t| {
            vec![
                printable(&t.id).into_owned(),
                t.effect.as_str().to_owned(),
                shorten(&printable(&t.summary), SUMMARY_MAX).into_owned(),
            ]
        })
        .collect();
    output.data(&table::render(&["tool", "effect", "summary"], rows))
}

/// The tool of a name.
///
/// # Errors
/// Names the nearest tools when there is none.
pub(crate) fn find<'a>(
    catalog: &'a Catalog,
    name: &str,
) -> Result<gearmesh_catalog::Found<'a>, Error> {
    catalog.get(name).ok_or_else(|| {
        let near = catalog.nearest(name);
        Error::NotFound {
            code: "TOOL_NOT_FOUND",
            message: format!("no tool `{}`", printable(name)),
            help: Some(if near.is_empty() {
                "gearmesh tool list".to_owned()
            } else {
                format!("nearest: {}", near.join(", "))
            }),
        }
    })
}

/// Shows all about a tool.
pub(crate) fn show(output: &mut Output, catalog: &Catalog, name: &str) -> Result<(), Error> {
    let tool = find(catalog, name)?.tool;
    if output.for_people() {
        let text = page(tool, output.out_style);
        output.data(&text)
    } else {
        output.list_one(&tool.describe(), "id")
    }
}

fn page(tool: &Tool, style: Style) -> String {
    let all = tool.describe();
    let mut out = format!(
        "{}   {}\n\n{}\n\n",
        style.paint(Tone::Strong, &tool.id),
        style.paint(Tone::Quiet, &class(tool)),
        printable_lines(&tool.description),
    );
    out.push_str(&format!("{}\n", style.paint(Tone::Strong, "Parameters")));
    out.push_str(&parameters(&tool.input_schema));
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            out.push_str(&format!(
                "\n\n{}\n  {}",
                style.paint(Tone::Strong, title),
                lines.join("\n  ")
            ));
        }
    };
    section(
        "Examples",
        tool.examples
            .iter()
            .map(|e| {
                format!(
                    "{}\n    gearmesh tool call {}{}",
                    printable(&e.title),
                    tool.id,
                    flags(&e.request)
                )
            })
            .collect(),
    );
    let list = |name: &str| {
        all.get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    section(
        "Faults of its own",
        list("faults")
            .map(|f| {
                format!(
                    "{}  {}",
                    field(f, "reason"),
                    printable(&field(f, "text").replace('\n', " "))
                )
            })
            .collect(),
    );
    section(
        "Other names",
        list("aliases")
            .map(|a| printable(field(a, "name")).into_owned())
            .collect(),
    );
    let mut ways: Vec<String> = list("routes")
        .filter_map(Value::as_str)
        .map(|r| format!("REST  {r}"))
        .collect();
    ways.push(format!("gRPC  {}", tool.path));
    ways.push(format!("MCP   {}", tool.mcp_name()));
    section("Reached by", ways);
    out
}

fn class(tool: &Tool) -> String {
    let mut parts = vec![
        tool.effect.as_str().to_lowercase(),
        tool.keyed.as_str().to_lowercase().replace('_', " "),
    ];
    for (set, word) in [
        (tool.streaming, "streams"),
        (tool.egress, "sends data out"),
        (tool.untrusted, "answers with text from outside"),
        (tool.deprecated, "deprecated"),
    ] {
        if set {
            parts.push(word.to_owned());
        }
    }
    parts.push(format!("scope {}", tool.scope()));
    parts.join(", ")
}

fn parameters(schema: &Value) -> String {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let rows: Vec<Vec<String>> = properties
        .into_iter()
        .flatten()
        .map(|(name, field_schema)| {
            let mark = if required.contains(&name.as_str()) {
                " *"
            } else {
                ""
            };
            let text = field(field_schema, "description").replace('\n', " ");
            vec![
                format!("  --{}{mark}", kebab(name)),
                kind(field_schema),
                printable(&text).into_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "  none".to_owned();
    }
    let mut out = table::render(&[], rows);
    if !required.is_empty() {
        out.push_str("\n  * must be given");
    }
    out
}

/// The type of a field in a word or two.
fn kind(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
        return shorten(&values.join("|"), SUMMARY_MAX / 2).into_owned();
    }
    let word = |name: &str| match name {
        "string" => "text",
        "array" => "list",
        "object" => "map",
        "boolean" => "flag",
        "integer" => "integer",
        "number" => "number",
        _ => "any",
    };
    match schema.get("type") {
        Some(Value::String(one)) if one == "array" => format!(
            "list of {}",
            kind(schema.get("items").unwrap_or(&Value::Null))
        ),
        Some(Value::String(one)) => word(one).to_owned(),
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .map(word)
            .collect::<Vec<_>>()
            .join("|"),
        _ => "any".to_owned(),
    }
}

/// A request as flags that a shell takes.
fn flags(request: &Value) -> String {
    let mut out = String::new();
    for (name, value) in request.as_object().into_iter().flatten() {
        match value {
            Value::Bool(true) => out.push_str(&format!(" --{}", kebab(name))),
            Value::String(text) => out.push_str(&format!(" --{} {}", kebab(name), quoted(text))),
            other => out.push_str(&format!(
                " --{} {}",
                kebab(name),
                quoted(&other.to_string())
            )),
        }
    }
    out
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", printable(text).replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
