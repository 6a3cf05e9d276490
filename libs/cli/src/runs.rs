//! `gearmesh run list | show | watch | cancel`.

use serde_json::{Value, json};

use crate::app::App;
use crate::args::RunCommand;
use crate::client::Client;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::{self, Wants};
use crate::interrupts::Interrupts;
use crate::output::Output;
use crate::run;
use crate::table;
use crate::text::{duration, field, printable};

/// Stands for the newest run.
const LAST: &str = "last";

/// Looks after runs, at the server or in this process.
pub(crate) async fn command(app: &mut App, command: RunCommand) -> Result<Exit, Error> {
    let wants = Wants {
        demo: true,
        look: matches!(command, RunCommand::List { .. } | RunCommand::Show { .. }),
        roots: false,
    };
    host::with_mesh(app, wants, async |app, client, interrupts| {
        perform(app, command, client, interrupts).await
    })
    .await
}

async fn perform(
    app: &mut App,
    command: RunCommand,
    client: &Client,
    interrupts: &mut Interrupts,
) -> Result<Exit, Error> {
    match command {
        RunCommand::List {
            workflow,
            status,
            limit,
        } => {
            let params = json!({
                "workflow": workflow.unwrap_or_default(),
                "status": status.unwrap_or_default(),
                "pageSize": limit,
            });
            let answer = client.call("orchestrator.list_runs", params).await?;
            list(&mut app.output, &answer)?;
            Ok(Exit::Done)
        }
        RunCommand::Show { run } => {
            let run = resolve(client, run).await?;
            run::show_run(app, client, &run).await
        }
        RunCommand::Watch { run, watch } => {
            let run = resolve(client, run).await?;
            run::watch(app, client, &run, watch, interrupts).await
        }
        RunCommand::Cancel { run } => {
            let answer = client
                .call("orchestrator.cancel_run", json!({"runId": run}))
                .await?;
            if app.output.for_people() {
                let text = format!(
                    "{}  {}",
                    printable(field(&answer, "runId")),
                    printable(field(&answer, "status"))
                );
                app.output.data(&text)?;
            } else {
                app.output.list_one(&answer, "runId")?;
            }
            Ok(Exit::Done)
        }
    }
}

/// The id of a run, or of the newest for `last`.
async fn resolve(client: &Client, run: String) -> Result<String, Error> {
    if run != LAST {
        return Ok(run);
    }
    let answer = client
        .call("orchestrator.list_runs", json!({"pageSize": 1}))
        .await?;
    match answer.pointer("/runs/0/runId").and_then(Value::as_str) {
        Some(newest) => Ok(newest.to_owned()),
        None => Err(Error::NotFound {
            code: "RUN_NOT_FOUND",
            message: "there is no run yet".to_owned(),
            help: Some("gearmesh run FILE".to_owned()),
        }),
    }
}

fn list(output: &mut Output, answer: &Value) -> Result<(), Error> {
    let runs = answer
        .get("runs")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if !output.for_people() {
        return output.list(&runs, "runId");
    }
    if runs.is_empty() {
        output.note("no runs");
        return Ok(());
    }
    let cell = |run: &Value, name: &str| printable(field(run, name)).into_owned();
    let rows = runs
        .iter()
        .map(|run| {
            vec![
                cell(run, "runId"),
                cell(run, "workflow"),
                cell(run, "status"),
                cell(run, "startTime"),
                duration(
                    run.get("duration")
                        .and_then(Value::as_u64)
                        .unwrap_or_default(),
                ),
            ]
        })
        .collect();
    output.data(&table::render(
        &["run", "workflow", "status", "started", "took"],
        rows,
    ))?;
    if !field(answer, "nextPageToken").is_empty() {
        output.note(&format!(
            "the newest {}; --limit shows up to 200",
            runs.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::output::{Format, capture};

    #[test]
    fn runs_are_listed_with_status_and_time() {
        let answer = json!({"runs": [
            {"runId": "run_36zn0sv00pg07", "workflow": "hello", "status": "succeeded", "startTime": "2026-01-25T12:00:00.000Z", "duration": 120},
        ], "nextPageToken": "x"});
        let (mut output, out, err) = capture::output(Format::Table);
        list(&mut output, &answer).unwrap();
        expect![[r#"
            RUN                WORKFLOW  STATUS     STARTED                   TOOK
            run_36zn0sv00pg07  hello     succeeded  2026-01-25T12:00:00.000Z  0.12 s
        "#]]
        .assert_eq(&out.text());
        assert_eq!(err.text(), "the newest 1; --limit shows up to 200\n");
        let (mut output, out, _) = capture::output(Format::Name);
        list(&mut output, &answer).unwrap();
        assert_eq!(out.text(), "run_36zn0sv00pg07\n");
    }
}
