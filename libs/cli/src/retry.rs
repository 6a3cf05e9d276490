//! `gearmesh run retry`.

use serde_json::{Value, json};

use crate::app::App;
use crate::ask::ask;
use crate::client::Client;
use crate::error::Error;
use crate::exit::Exit;
use crate::interrupts::Interrupts;
use crate::output::Output;
use crate::run;
use crate::run_args::RetryArgs;
use crate::text::{count, field, list, printable, texts};

/// The tool that does a run again.
const RETRY: &str = "orchestrator.retry_run";

/// Runs a workflow again, once it was said which effects happen a second time.
pub(crate) async fn retry(
    app: &mut App,
    client: &Client,
    args: RetryArgs,
    interrupts: &mut Interrupts,
) -> Result<Exit, Error> {
    let mut params = json!({
        "runId": args.run,
        "fromTask": args.from.unwrap_or_default(),
        "scope": args.scope.unwrap_or_default(),
        "version": args.version.unwrap_or_default(),
        "preview": true,
    });
    let preview = client.call(RETRY, params.clone()).await?;
    if args.preview {
        show(&mut app.output, &preview)?;
        return Ok(Exit::Done);
    }
    let repeats = repeats(&preview);
    if !repeats.is_empty() {
        let about = format!("effects happen a second time: {}", repeats.join(", "));
        ask(app, &about, &format!("{about}\ngo on?"))?;
    }
    params["preview"] = false.into();
    let key = format!("cli_{:016x}", fastrand::u64(..));
    let answer = client.call_once(RETRY, params, &key).await?;
    let run = answer
        .pointer("/run/runId")
        .and_then(Value::as_str)
        .unwrap_or_default();
    app.output.note(&format!(
        "{} started, with {} of {}",
        printable(run),
        count(list(&answer, "reused").len() as u64, "result"),
        args.run,
    ));
    run::watch(app, client, run, args.watch, interrupts).await
}

/// The tasks whose effects happen a second time.
fn repeats(preview: &Value) -> Vec<String> {
    list(preview, "again")
        .iter()
        .filter(|task| task.get("repeats").and_then(Value::as_bool) == Some(true))
        .filter(|task| !["", "READ"].contains(&field(task, "effect")))
        .map(|task| {
            let (id, effect) = (field(task, "task"), field(task, "effect"));
            printable(&format!("{id} ({effect})")).into_owned()
        })
        .collect()
}

fn show(output: &mut Output, preview: &Value) -> Result<(), Error> {
    if !output.for_people() {
        return output.document(preview);
    }
    let mut lines = Vec::new();
    for task in list(preview, "again") {
        let (id, effect) = (field(task, "task"), field(task, "effect"));
        let repeats = task.get("repeats").and_then(Value::as_bool) == Some(true);
        let again = match (repeats, effect) {
            (true, "WRITE" | "DESTRUCTIVE") => "   its effect happens a second time",
            _ => "",
        };
        let line = format!("run     {id}  {effect}");
        lines.push(format!("{}{again}", printable(line.trim_end())));
    }
    for task in texts(preview, "reused") {
        lines.push(format!("reused  {}", printable(task)));
    }
    if lines.is_empty() {
        lines.push("nothing would be done".to_owned());
    }
    output.data(&lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::output::{Format, capture};

    #[test]
    fn preview_tells_which_effects_happen_again() {
        let preview = json!({"reused": ["dump"], "again": [
            {"task": "upload", "effect": "WRITE", "repeats": true},
            {"task": "verify", "effect": "READ", "repeats": true},
            {"task": "report", "effect": "WRITE"},
            {"task": "pick", "effect": ""},
        ]});
        assert_eq!(repeats(&preview), ["upload (WRITE)"]);
        let (mut output, out, _) = capture::output(Format::Table);
        show(&mut output, &preview).unwrap();
        expect![[r#"
            run     upload  WRITE   its effect happens a second time
            run     verify  READ
            run     report  WRITE
            run     pick
            reused  dump
        "#]]
        .assert_eq(&out.text());
    }
}
