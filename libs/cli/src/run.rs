//! `gearmesh run FILE|NAME`.

use serde_json::{Value, json};

use gearmesh_workflow::Severity;

use crate::app::App;
use crate::client::Client;
use crate::error::Error;
use crate::exit::Exit;
use crate::follow::{Ending, Limits, Progress, document, follow};
use crate::host::{self, Wants};
use crate::interrupts::Interrupts;
use crate::outline::Outline;
use crate::output::Format;
use crate::record;
use crate::request::{Request, Start, What};
use crate::run_args::Watch;
use crate::text::{field, printable};
use crate::verdict;
use crate::viewer::Viewer;

/// Runs a workflow to its end, at the server or in this process.
pub(crate) async fn run(app: &mut App, request: &mut Request) -> Result<Exit, Error> {
    let wants = Wants {
        demo: request.demo,
        look: false,
        roots: true,
    };
    host::with_mesh(app, wants, async |app, client, interrupts| {
        start(app, client, request, interrupts).await
    })
    .await
}

async fn start(
    app: &mut App,
    client: &Client,
    request: &mut Request,
    interrupts: &mut Interrupts,
) -> Result<Exit, Error> {
    let foreign = request.is_oktyv() && app.output.format == Format::Json;
    if !foreign {
        validate(client, request).await?;
    }
    let Start {
        params,
        outline,
        workflow,
    } = request.start(client).await?;
    let started = client
        .call_once("orchestrator.start_run", params.clone(), &request.key)
        .await;
    let started = match started {
        Err(Error::Call(failure)) if foreign && failure.reason == "WORKFLOW_INVALID" => {
            return execute(app, client, request, params).await;
        }
        started => started?,
    };
    let run = started
        .pointer("/run/runId")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if request.watch.is_none() && request.progress.is_none() {
        app.output.note(&format!("{run} started"));
    }
    let progress = request
        .progress
        .get_or_insert_with(|| Progress::new(Viewer::of(request.watch, &app.output, outline)));
    let ended = match to_end(app, client, &run, request.watch, progress, interrupts).await? {
        Ending::Ended(ended) => ended,
        Ending::Left => return left(app, client, &run, request.watch).await,
    };
    if let Some(path) = &request.record {
        let inputs = params.get("inputs").unwrap_or(&Value::Null);
        record::write(path, &ended, inputs, workflow.as_deref())?;
        app.output.note(&format!(
            "{}: a test case of the run; gearmesh test {}",
            path.display(),
            path.display()
        ));
    }
    if foreign && request.watch != Some(Watch::Json) {
        return execute(app, client, request, params).await;
    }
    finish(app, &ended, request.watch)
}

/// Follows a run until it has ended, or was left.
async fn to_end(
    app: &mut App,
    client: &Client,
    run: &str,
    watch: Option<Watch>,
    progress: &mut Progress,
    interrupts: &mut Interrupts,
) -> Result<Ending, Error> {
    let limits = Limits {
        interrupts,
        limit: app.limit(),
        // Who follows a run to see it sees it wait, too.
        until_asked: watch.is_none(),
    };
    follow(client, run, progress, limits, &mut app.output).await
}

fn finish(app: &mut App, ended: &Value, watch: Option<Watch>) -> Result<Exit, Error> {
    if watch != Some(Watch::Json) {
        show(app, ended)?;
    }
    Ok(Exit::of_run(field(ended, "status")))
}

/// Every fault of the file, in its own lines, before anything starts.
async fn validate(client: &Client, request: &Request) -> Result<(), Error> {
    let What::File { file, dialect, .. } = &request.what else {
        return Ok(());
    };
    let params = json!({
        "source": file.text,
        "fileName": file.name,
        "dialect": dialect.as_str(),
    });
    let answer = client.call("orchestrator.validate", params).await?;
    if answer.get("valid").and_then(Value::as_bool) == Some(true) {
        return Ok(());
    }
    Err(Error::Invalid {
        found: file.diagnostics(&answer, "errors", Severity::Error),
        text: file.text.clone(),
    })
}

/// The answer in the words of the foreign dialect: of the run with this key, which has
/// ended, or of the refusal.
async fn execute(
    app: &mut App,
    client: &Client,
    request: &Request,
    mut params: Value,
) -> Result<Exit, Error> {
    if let Some(map) = params.as_object_mut() {
        map.shift_remove("dialect");
    }
    let answer = client
        .call_once("orchestrator.execute", params, &request.key)
        .await?;
    app.output.document(&answer)?;
    Ok(match answer.get("success").and_then(Value::as_bool) {
        Some(false) => Exit::Invalid,
        _ => Exit::of_run(field(&answer, "status")),
    })
}

/// Shows a result document.
pub(crate) fn show(app: &mut App, run: &Value) -> Result<(), Error> {
    match app.output.format {
        Format::Table => {
            let text = verdict::render(run, app.output.out_style, app.output.quiet);
            if text.is_empty() {
                return Ok(());
            }
            app.output.data(&text)
        }
        Format::Name => app.output.data(&printable(field(run, "runId"))),
        Format::Json | Format::Ndjson => app.output.document(run),
    }
}

/// Follows a run that was started before.
pub(crate) async fn watch(
    app: &mut App,
    client: &Client,
    run: &str,
    watch: Option<Watch>,
    interrupts: &mut Interrupts,
) -> Result<Exit, Error> {
    let outline = Outline::of_run(client, run).await;
    let mut progress = Progress::new(Viewer::of(watch, &app.output, outline));
    match to_end(app, client, run, watch, &mut progress, interrupts).await? {
        Ending::Ended(ended) => finish(app, &ended, watch),
        Ending::Left => left(app, client, run, watch).await,
    }
}

/// A program reads how a run stands that goes on; people were told.
async fn left(
    app: &mut App,
    client: &Client,
    run: &str,
    watch: Option<Watch>,
) -> Result<Exit, Error> {
    if !app.output.for_people() && watch.is_none() {
        let document = document(client, run).await?;
        show(app, &document)?;
    }
    Ok(Exit::Unfinished)
}

/// Shows how a run stands.
pub(crate) async fn show_run(app: &mut App, client: &Client, run: &str) -> Result<Exit, Error> {
    let document = document(client, run).await?;
    if app.output.for_people() {
        let outline = Outline::of_run(client, run).await;
        let mut tree = crate::tree::Tree::new(outline);
        tree.apply(&json!({"kind": "run", "run": document}), 0);
        let width = app.output.width();
        let lines = tree.all(width, app.output.out_style).join("\n");
        app.output.data(&lines)?;
    }
    show(app, &document)?;
    Ok(Exit::Done)
}
