//! `gearmesh run FILE`.

use std::collections::HashMap;

use gearmesh_workflow::{Dialect, Severity, Workflow, check};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::args::{RunArgs, Watch};
use crate::client::{Client, built_in};
use crate::error::Error;
use crate::exit::Exit;
use crate::file::WorkflowFile;
use crate::follow::{Limits, document, follow};
use crate::host::{self, Wants};
use crate::interrupts::Interrupts;
use crate::output::Format;
use crate::text::field;
use crate::verdict;
use crate::viewer::Viewer;

/// A run that is to be started.
#[derive(Debug)]
pub(crate) struct Request {
    file: WorkflowFile,
    dialect: Dialect,
    params: Value,
    key: String,
    watch: Option<Watch>,
    demo: bool,
    /// What each task calls, as far as it can be read without the server.
    tools: HashMap<String, String>,
}

/// What can be found wrong without a server is told before one is started.
pub(crate) fn prepare(app: &App, args: &RunArgs, name: &str) -> Result<Request, Error> {
    if name != "-" && !name.contains(['/', '.']) {
        return Err(Error::Usage {
            message: format!("no verb of `run` and no file: `{name}`"),
            help: Some(format!(
                "stored workflows are not built yet; for a file write ./{name}"
            )),
        });
    }
    let file = WorkflowFile::read(name)?;
    let checked = check(&file.source(None), None);
    let as_oktyv = checked.dialect == Dialect::Oktyv && app.output.format != Format::Table;
    if !checked.errors.is_empty() && app.server.is_none() && !as_oktyv {
        let found = check(&file.source(Some(checked.dialect)), Some(&built_in()?)).errors;
        return Err(Error::Invalid {
            found,
            text: file.text,
        });
    }
    request(args, file, checked.dialect, checked.workflow.as_ref())
}

/// Inputs as they were given.
#[derive(Default)]
struct Given {
    texts: Vec<(String, String)>,
    values: Map<String, Value>,
}

fn given_inputs(args: &RunArgs) -> Result<Given, Error> {
    let mut given = Given {
        texts: args.inputs.clone(),
        ..Given::default()
    };
    if let Some(name) = &args.input_file {
        let file = WorkflowFile::read(name)?;
        given.values = serde_json::from_str(&file.text)
            .map_err(|e| Error::usage(format!("`{name}` is no JSON object: {e}")))?;
    }
    Ok(given)
}

impl Given {
    /// The inputs as the workflow declares them: only those that were given, so that
    /// the server fills in the rest by the same rules for every caller.
    fn bind(self, workflow: Option<&Workflow>) -> Result<Map<String, Value>, Error> {
        let Self { mut values, texts } = self;
        let Some(workflow) = workflow else {
            values.extend(
                texts
                    .into_iter()
                    .map(|(name, text)| (name, Value::String(text))),
            );
            return Ok(values);
        };
        let overridden = |name: &str| texts.iter().any(|(given, _)| given == name);
        values.retain(|name, _| !overridden(name));
        let mut all = texts.clone();
        all.extend(values.iter().map(|(name, value)| match value {
            Value::String(text) => (name.clone(), text.clone()),
            other => (name.clone(), other.to_string()),
        }));
        let mut bound = workflow.bind_input_texts(&all).map_err(Error::Inputs)?;
        for (name, _) in texts {
            if let Some(value) = bound.shift_remove(&name) {
                values.insert(name, value);
            }
        }
        Ok(values)
    }
}

/// Runs a workflow file to its end, at the server or in this process.
pub(crate) async fn run(app: &mut App, request: &Request) -> Result<Exit, Error> {
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

fn request(
    args: &RunArgs,
    file: WorkflowFile,
    dialect: Dialect,
    workflow: Option<&Workflow>,
) -> Result<Request, Error> {
    let mut params = json!({
        "source": file.text,
        "fileName": file.name,
        "dialect": dialect.as_str(),
        "folder": file.folder()?,
    });
    let inputs = given_inputs(args)?.bind(workflow)?;
    if !inputs.is_empty() {
        params["inputs"] = inputs.into();
    }
    let tools = workflow.into_iter().flat_map(|w| &w.tasks).map(|task| {
        let tool = task.tool().unwrap_or_else(|| task.kind.as_str());
        (task.id.clone(), tool.to_owned())
    });
    Ok(Request {
        tools: tools.collect(),
        key: args
            .request_key
            .clone()
            .unwrap_or_else(|| format!("cli_{:016x}", fastrand::u64(..))),
        watch: args.watch,
        demo: !args.no_demo,
        file,
        dialect,
        params,
    })
}

async fn start(
    app: &mut App,
    client: &Client,
    request: &Request,
    interrupts: &mut Interrupts,
) -> Result<Exit, Error> {
    let foreign = request.dialect == Dialect::Oktyv && app.output.format == Format::Json;
    if !foreign {
        validate(client, request).await?;
    }
    let started = client
        .call_once(
            "orchestrator.start_run",
            request.params.clone(),
            &request.key,
        )
        .await;
    let started = match started {
        Err(Error::Call(failure)) if foreign && failure.reason == "WORKFLOW_INVALID" => {
            return execute(app, client, request).await;
        }
        started => started?,
    };
    let run = started
        .pointer("/run/runId")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if request.watch.is_none() {
        app.output.note(&format!("{run} started"));
    }
    let mut viewer = Viewer::of(request.watch, &app.output, request.tools.clone());
    let limits = Limits {
        interrupts,
        timeout: app.globals.timeout,
    };
    let ended = follow(client, &run, &mut viewer, limits, &mut app.output).await?;
    if foreign && request.watch != Some(Watch::Json) {
        return execute(app, client, request).await;
    }
    if request.watch != Some(Watch::Json) {
        show(app, &ended)?;
    }
    Ok(Exit::of_run(field(&ended, "status")))
}

/// Every fault of the file, in its own lines, before anything starts.
async fn validate(client: &Client, request: &Request) -> Result<(), Error> {
    let params = json!({
        "source": request.file.text,
        "fileName": request.file.name,
        "dialect": request.dialect.as_str(),
    });
    let answer = client.call("orchestrator.validate", params).await?;
    if answer.get("valid").and_then(Value::as_bool) == Some(true) {
        return Ok(());
    }
    Err(Error::Invalid {
        found: request.file.diagnostics(&answer, "errors", Severity::Error),
        text: request.file.text.clone(),
    })
}

/// The answer in the words of the foreign dialect: of the run with this key, which has
/// ended, or of the refusal.
async fn execute(app: &mut App, client: &Client, request: &Request) -> Result<Exit, Error> {
    let mut params = request.params.clone();
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
        Format::Name => app.output.data(field(run, "runId")),
        Format::Json | Format::Ndjson => app.output.document(run),
    }
}

/// Follows a run that was started before.
pub(crate) async fn watch(
    app: &mut App,
    client: &Client,
    run: &str,
    watch: Watch,
    interrupts: &mut Interrupts,
) -> Result<Exit, Error> {
    let mut viewer = Viewer::of(Some(watch), &app.output, HashMap::new());
    let limits = Limits {
        interrupts,
        timeout: app.globals.timeout,
    };
    let ended = follow(client, run, &mut viewer, limits, &mut app.output).await?;
    if watch != Watch::Json {
        show(app, &ended)?;
    }
    Ok(Exit::of_run(field(&ended, "status")))
}

/// Shows how a run stands.
pub(crate) async fn show_run(app: &mut App, client: &Client, run: &str) -> Result<Exit, Error> {
    let document = document(client, run).await?;
    if app.output.for_people() {
        let mut tree = crate::tree::Tree::default();
        tree.apply(&json!({"kind": "run", "run": document}), 0);
        let width = app.output.width();
        let lines = tree.lines(0, width, app.output.out_style).join("\n");
        app.output.data(&lines)?;
    }
    show(app, &document)?;
    Ok(Exit::Done)
}
