//! The verbs of runs.

use serde_json::{Value, json};

use crate::app::App;
use crate::client::Client;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::{self, Wants};
use crate::interrupts::Interrupts;
use crate::output::Output;
use crate::run_args::{DecideArgs, ListArgs, RunCommand};
use crate::text::{duration, field, list as items, number, printable};
use crate::{artifacts, data, retry, run, table};

/// Stands for the newest run.
const LAST: &str = "last";

/// The RPC of a decision, which is for people alone and so no tool.
const DECIDE: &str = "/gearmesh.orchestrator.v1.OrchestratorService/DecideTask";

/// Looks after runs, at the server or in this process.
pub(crate) async fn command(app: &mut App, command: RunCommand) -> Result<Exit, Error> {
    let wants = Wants {
        demo: true,
        look: command.is_look(),
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
        RunCommand::List(args) => list(&mut app.output, client, args).await?,
        RunCommand::Show { run } => {
            let run = resolve(client, run).await?;
            return run::show_run(app, client, &run).await;
        }
        RunCommand::Watch { run, watch } => {
            let run = resolve(client, run).await?;
            return run::watch(app, client, &run, Some(watch), interrupts).await;
        }
        RunCommand::Cancel { run, force } => {
            let run = resolve(client, run).await?;
            let params = json!({"runId": run, "force": force});
            let answer = client.call("orchestrator.cancel_run", params).await?;
            told(&mut app.output, &run, &answer)?;
        }
        RunCommand::Pause { run, reason } => {
            let run = resolve(client, run).await?;
            let params = json!({"runId": run, "reason": reason});
            let answer = client.call("orchestrator.pause_run", params).await?;
            told(&mut app.output, &run, &answer)?;
        }
        RunCommand::Resume { run } => {
            let run = resolve(client, run).await?;
            let params = json!({"runId": run});
            let answer = client.call("orchestrator.resume_run", params).await?;
            told(&mut app.output, &run, &answer)?;
        }
        RunCommand::Retry(mut args) => {
            args.run = resolve(client, args.run).await?;
            return retry::retry(app, client, args, interrupts).await;
        }
        RunCommand::Why { run, task } => {
            let run = resolve(client, run).await?;
            let params = json!({"runId": run, "task": task.unwrap_or_default()});
            let answer = client.call("orchestrator.why_run", params).await?;
            why(&mut app.output, &run, &answer)?;
        }
        RunCommand::Decide(args) => decide(app, client, args).await?,
        RunCommand::Data { run, task } => {
            let run = resolve(client, run).await?;
            data::data(&mut app.output, client, &run, task.as_deref()).await?;
        }
        RunCommand::Artifacts { run, name, to } => {
            let run = resolve(client, run).await?;
            match name {
                None => artifacts::list(&mut app.output, client, &run).await?,
                Some(name) => {
                    artifacts::read(&mut app.output, client, &run, &name, to.as_deref()).await?;
                }
            }
        }
    }
    Ok(Exit::Done)
}

/// The id of a run, or of the newest for `last`.
pub(crate) async fn resolve(client: &Client, run: String) -> Result<String, Error> {
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

/// What a run is now.
fn told(output: &mut Output, run: &str, answer: &Value) -> Result<(), Error> {
    if !output.for_people() {
        let mut answer = answer.clone();
        answer["runId"] = run.into();
        return output.list_one(&answer, "runId");
    }
    output.data(&printable(&format!("{run}  {}", field(answer, "status"))))
}

async fn list(output: &mut Output, client: &Client, args: ListArgs) -> Result<(), Error> {
    let mut params = json!({});
    let filters = [
        ("workflow", args.workflow),
        ("status", args.status),
        ("startTime", args.since),
        ("endTime", args.until),
        ("principal", args.by),
        ("parent", args.parent),
    ];
    for (name, value) in filters {
        if let Some(value) = value {
            params[name] = value.into();
        }
    }
    let (runs, more) = client
        .pages("orchestrator.list_runs", params, "runs", args.many.most())
        .await?;
    show(output, &runs, more)
}

fn show(output: &mut Output, runs: &[Value], more: bool) -> Result<(), Error> {
    if !output.for_people() {
        return output.list(runs, "runId");
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
                match number(run, "version") {
                    0 => cell(run, "workflow"),
                    version => format!("{} v{version}", cell(run, "workflow")),
                },
                cell(run, "status"),
                cell(run, "startTime"),
                duration(number(run, "duration")),
            ]
        })
        .collect();
    output.data(&table::render(
        &["run", "workflow", "status", "started", "took"],
        rows,
    ))?;
    if more {
        output.note(&format!("the newest {}; --all shows all", runs.len()));
    }
    Ok(())
}

fn why(output: &mut Output, run: &str, answer: &Value) -> Result<(), Error> {
    if !output.for_people() {
        return output.list_one(answer, "status");
    }
    let reasons = items(answer, "reasons");
    let status = printable(field(answer, "status")).into_owned();
    if reasons.is_empty() {
        return output.data(&format!("{run} is {status} and waits for nothing"));
    }
    output.note(&format!("{run} is {status}"));
    let rows = reasons
        .iter()
        .map(|reason| {
            let task = match reason.get("item").and_then(Value::as_u64) {
                Some(item) => format!("{}[{item}]", field(reason, "task")),
                None => field(reason, "task").to_owned(),
            };
            vec![
                printable(&task).into_owned(),
                printable(field(reason, "waitsFor")).into_owned(),
                printable(field(reason, "text")).into_owned(),
                printable(field(reason, "until")).into_owned(),
            ]
        })
        .collect();
    output.data(&table::render(&["task", "waits for", "why", "until"], rows))
}

async fn decide(app: &mut App, client: &Client, args: DecideArgs) -> Result<(), Error> {
    if args.result.is_some() && args.decision != "done" {
        return Err(Error::usage("--result is for the decision `done`"));
    }
    let run = resolve(client, args.run).await?;
    let mut params = json!({
        "runId": run,
        "task": args.task,
        "path": args.path,
        "decision": args.decision,
    });
    if let Some(item) = args.item {
        params["item"] = item.into();
    }
    if let Some(result) = args.result {
        params["result"] = result;
    }
    let answer = client.call_rpc(DECIDE, params).await?;
    told(&mut app.output, &run, &answer)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::output::{Format, capture};

    #[test]
    fn runs_are_listed_with_status_and_time() {
        let runs = [
            json!({"runId": "run_36zn0sv00pg07", "workflow": "hello", "status": "succeeded", "startTime": "2026-01-25T12:00:00.000Z", "duration": 120}),
            json!({"runId": "run_36zn0sv00pg08", "workflow": "nightly", "version": 3, "status": "running", "startTime": "2026-01-25T11:00:00.000Z", "duration": 65_000}),
        ];
        let (mut output, out, err) = capture::output(Format::Table);
        show(&mut output, &runs, true).unwrap();
        expect![[r#"
            RUN                WORKFLOW    STATUS     STARTED                   TOOK
            run_36zn0sv00pg07  hello       succeeded  2026-01-25T12:00:00.000Z  0.12 s
            run_36zn0sv00pg08  nightly v3  running    2026-01-25T11:00:00.000Z  1 min 05 s
        "#]]
        .assert_eq(&out.text());
        assert_eq!(err.text(), "the newest 2; --all shows all\n");
        let (mut output, out, _) = capture::output(Format::Name);
        show(&mut output, &runs, true).unwrap();
        assert_eq!(out.text(), "run_36zn0sv00pg07\nrun_36zn0sv00pg08\n");
    }

    #[test]
    fn reasons_are_shown_with_task_and_item() {
        let answer = json!({"status": "waiting", "reasons": [
            {"task": "decide", "waitsFor": "approval", "text": "1 more of role:finance", "until": "2026-01-27T12:00:00Z"},
            {"task": "get", "item": 2, "waitsFor": "backOff", "text": "attempt 2 after HTTP_STATUS"},
        ]});
        let (mut output, out, err) = capture::output(Format::Table);
        why(&mut output, "run_a", &answer).unwrap();
        expect![[r#"
            TASK    WAITS FOR  WHY                          UNTIL
            decide  approval   1 more of role:finance       2026-01-27T12:00:00Z
            get[2]  backOff    attempt 2 after HTTP_STATUS
        "#]]
        .assert_eq(&out.text());
        assert_eq!(err.text(), "run_a is waiting\n");
        let (mut output, out, _) = capture::output(Format::Table);
        why(&mut output, "run_a", &json!({"status": "succeeded"})).unwrap();
        assert_eq!(out.text(), "run_a is succeeded and waits for nothing\n");
    }
}
