//! `gearmesh workflow apply`: shows what would change, asks, stores.

use std::collections::HashMap;

use gearmesh_workflow::{Diagnostic, Severity};
use serde_json::{Value, json};

use crate::app::App;
use crate::ask::ask;
use crate::client::Client;
use crate::documents::documents;
use crate::error::Error;
use crate::file::WorkflowFile;
use crate::output::Output;
use crate::report;
use crate::style::Tone;
use crate::text::{count, field, list, number, printable};
use crate::validate::expand;
use crate::workflow::{changes, get};
use crate::workflow_args::ApplyArgs;

/// The code of a warning that names stored workflows which are much alike.
const SIMILAR: &str = "WORKFLOW_SIMILAR";

/// A document that is to be stored.
#[derive(Debug)]
struct Item {
    name: String,
    file: String,
    text: String,
    change: Change,
}

/// What applying a document does.
#[derive(Debug)]
enum Change {
    New {
        /// Stored workflows that are much alike, one sentence each.
        alike: Vec<String>,
    },
    Changed {
        from: u64,
        etag: String,
        diff: Value,
    },
    Unchanged {
        version: u64,
    },
}

/// Stores files: each document as a new workflow, as a new version, or not at all.
pub(crate) async fn apply(app: &mut App, client: &Client, args: ApplyArgs) -> Result<(), Error> {
    let named = read(app, client, &args.files).await?;
    let mut items = Vec::with_capacity(named.len());
    for (name, file, text) in named {
        let change = compare(client, &name, &file, &text).await?;
        items.push(Item {
            name,
            file,
            text,
            change,
        });
    }
    let changed = items
        .iter()
        .filter(|item| !matches!(item.change, Change::Unchanged { .. }))
        .count();
    if app.output.for_people() {
        show(&mut app.output, &items)?;
    }
    if changed > 0 && !args.dry_run {
        let changed = count(changed as u64, "workflow");
        ask(
            app,
            &format!("{changed} would be stored"),
            &format!("store {changed}?"),
        )?;
    }
    let mut told = Vec::new();
    for item in &items {
        let stored = if args.dry_run {
            None
        } else {
            store(client, item, &args.message).await?
        };
        if app.output.for_people() {
            if let Some(stored) = stored {
                let version = number(&stored, "version");
                let text = format!("{}  v{version} stored", item.name);
                app.output.data(&printable(&text))?;
            }
        } else {
            told.push(to_json(item, stored.as_ref()));
        }
    }
    if app.output.for_people() {
        return Ok(());
    }
    app.output.list(&told, "name")
}

/// The documents of the files, each checked by the server: name, file and text. With a
/// fault in any nothing is stored.
async fn read(
    app: &mut App,
    client: &Client,
    files: &[String],
) -> Result<Vec<(String, String, String)>, Error> {
    let mut named = Vec::new();
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut invalid: Vec<Error> = Vec::new();
    for name in files.iter().flat_map(|name| expand(name)) {
        let file = WorkflowFile::read(&name?)?;
        let mut found: Vec<Diagnostic> = Vec::new();
        for document in documents(&file.text) {
            let params = json!({"source": document.padded(), "fileName": file.name});
            let answer = client.call("orchestrator.validate", params).await?;
            let mut faults = file.diagnostics(&answer, "errors", Severity::Error);
            let warnings = file.diagnostics(&answer, "warnings", Severity::Warning);
            if !warnings.is_empty() {
                let shown = report::diagnostics(&warnings, &file.text, app.output.err_style);
                app.output.note(&shown);
            }
            document.place(&mut faults);
            if faults.is_empty() {
                let name = field(&answer, "workflow").to_owned();
                if let Some(other) = seen.insert(name.clone(), file.name.clone()) {
                    return Err(Error::usage(format!(
                        "workflow `{}` is in `{}` and in `{}`; give each once",
                        printable(&name),
                        printable(&other),
                        printable(&file.name)
                    )));
                }
                named.push((name, file.name.clone(), document.text.to_owned()));
            }
            found.append(&mut faults);
        }
        if !found.is_empty() {
            let text = file.text;
            invalid.push(Error::Invalid { found, text });
        }
    }
    // The last is told by who asked, and gives the exit code.
    let Some(last) = invalid.pop() else {
        return Ok(named);
    };
    for error in &invalid {
        report::error(&mut app.output, error);
    }
    Err(last)
}

/// What storing a document would do.
async fn compare(client: &Client, name: &str, file: &str, text: &str) -> Result<Change, Error> {
    let stored = match get(client, name, 0).await {
        Ok(stored) => stored,
        Err(Error::Call(failure)) if failure.reason == "WORKFLOW_NOT_FOUND" => {
            let params = json!({"source": text, "fileName": file, "dryRun": true});
            let answer = client.call("orchestrator.create_workflow", params).await?;
            return Ok(Change::New {
                alike: alike(&answer),
            });
        }
        Err(error) => return Err(error),
    };
    if field(&stored, "state") == "deleted" {
        return Err(Error::Conflict {
            code: "WORKFLOW_DISABLED",
            message: format!("workflow `{name}` of `{}` is deleted", printable(file)),
            help: format!("gearmesh workflow restore {name}, then apply again"),
        });
    }
    let version = number(&stored, "version");
    if field(&stored, "source") == text {
        return Ok(Change::Unchanged { version });
    }
    let params = json!({"workflow": name, "source": text, "fileName": file, "dryRun": true});
    let answer = client.call("orchestrator.update_workflow", params).await?;
    if answer.get("unchanged").and_then(Value::as_bool) == Some(true) {
        return Ok(Change::Unchanged { version });
    }
    let params = json!({"workflow": name, "from": version, "source": text});
    let diff = client.call("orchestrator.diff_workflow", params).await?;
    Ok(Change::Changed {
        from: version,
        etag: field(&stored, "etag").to_owned(),
        diff,
    })
}

/// What an answer says of stored workflows that are much alike; the other warnings are
/// those that checking has told.
fn alike(answer: &Value) -> Vec<String> {
    let warnings = list(answer, "warnings").iter();
    warnings
        .filter(|warning| field(warning, "code") == SIMILAR)
        .map(|warning| printable(field(warning, "message")).into_owned())
        .collect()
}

/// Stores a document; the workflow as it is then, when something was stored.
async fn store(client: &Client, item: &Item, message: &str) -> Result<Option<Value>, Error> {
    let mut params = json!({"source": item.text, "fileName": item.file, "comment": message});
    let mut answer = match &item.change {
        Change::Unchanged { .. } => return Ok(None),
        Change::New { .. } => {
            let key = format!("cli_{:016x}", fastrand::u64(..));
            client
                .call_once("orchestrator.create_workflow", params, &key)
                .await?
        }
        Change::Changed { etag, .. } => {
            params["workflow"] = item.name.clone().into();
            params["etag"] = etag.clone().into();
            client.call("orchestrator.update_workflow", params).await?
        }
    };
    Ok(answer.get_mut("workflow").map(Value::take))
}

fn show(output: &mut Output, items: &[Item]) -> Result<(), Error> {
    let style = output.out_style;
    for item in items {
        let name = printable(&item.name).into_owned();
        let text = match &item.change {
            Change::New { alike } => {
                let head = style.paint(Tone::Good, &format!("new        {name}"));
                let notes = alike
                    .iter()
                    .map(|text| style.paint(Tone::Notice, &format!("  note  {text}")));
                std::iter::once(head)
                    .chain(notes)
                    .collect::<Vec<_>>()
                    .join("\n")
            }
            Change::Unchanged { version } => {
                style.paint(Tone::Quiet, &format!("unchanged  {name}  v{version}"))
            }
            Change::Changed { from, diff, .. } => {
                let head = format!("changed    {name}  v{from} -> v{}", from + 1);
                let lines = changes(diff, style);
                let lines = lines.lines().map(|line| format!("  {line}"));
                std::iter::once(style.paint(Tone::Notice, &head))
                    .chain(lines)
                    .collect::<Vec<_>>()
                    .join("\n")
            }
        };
        output.data(&text)?;
    }
    Ok(())
}

fn to_json(item: &Item, stored: Option<&Value>) -> Value {
    let (change, from, diff) = match &item.change {
        Change::New { .. } => ("new", 0, Value::Null),
        Change::Unchanged { version } => ("unchanged", *version, Value::Null),
        Change::Changed { from, diff, .. } => ("changed", *from, diff.clone()),
    };
    let alike = match &item.change {
        Change::New { alike } => alike.as_slice(),
        _ => &[],
    };
    json!({
        "name": item.name,
        "file": item.file,
        "change": change,
        "from": from,
        "diff": diff,
        "alike": alike,
        "stored": stored.is_some(),
        "version": stored.and_then(|s| s.get("version")).cloned(),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::output::{Format, capture};

    #[test]
    fn plan_shows_what_is_new_changed_and_unchanged() {
        let item = |name: &str, change| Item {
            name: name.into(),
            file: "x.yaml".into(),
            text: String::new(),
            change,
        };
        let items = [
            item(
                "a",
                Change::New {
                    alike: vec!["much like `z`".into()],
                },
            ),
            item(
                "b",
                Change::Changed {
                    from: 3,
                    etag: "e".into(),
                    diff: json!({"changed": ["t"], "unified": "-x\n+y\n"}),
                },
            ),
            item("c", Change::Unchanged { version: 2 }),
        ];
        let (mut output, out, _) = capture::output(Format::Table);
        show(&mut output, &items).unwrap();
        expect![[r#"
            new        a
              note  much like `z`
            changed    b  v3 -> v4
              ~ task t
              -x
              +y
            unchanged  c  v2
        "#]]
        .assert_eq(&out.text());
        let told = to_json(&items[1], Some(&json!({"version": 4})));
        assert_eq!(
            (&told["change"], &told["version"], &told["stored"]),
            (&json!("changed"), &json!(4), &json!(true))
        );
    }
}
