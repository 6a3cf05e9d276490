//! What `gearmesh run FILE|NAME` asks for, before there is a server.

use std::path::PathBuf;

use clap::Args;
use gearmesh_workflow::{Dialect, InputSpec, Workflow, check};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::client::{Client, built_in};
use crate::error::Error;
use crate::file::WorkflowFile;
use crate::follow::Progress;
use crate::globals::Globals;
use crate::nearest::nearest;
use crate::outline::Outline;
use crate::output::Format;
use crate::run_args::{RunArgs, RunFlags, Watch};
use crate::text::printable;
use crate::{params, runs, words};

/// A run that is to be started.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) what: What,
    /// What is said of the start beside the workflow and its inputs.
    params: Value,
    given: Given,
    pub(crate) key: String,
    pub(crate) watch: Option<Watch>,
    pub(crate) demo: bool,
    pub(crate) record: Option<PathBuf>,
    /// How far the run was watched, once it is.
    pub(crate) progress: Option<Progress>,
}

/// What runs.
#[derive(Debug)]
pub(crate) enum What {
    /// A file.
    File {
        file: WorkflowFile,
        dialect: Dialect,
        /// As far as it can be read without the server.
        workflow: Option<Box<Workflow>>,
    },
    /// A stored workflow, in this version; 0: the newest.
    Stored { name: String, version: u32 },
}

/// A start as the server takes it.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) params: Value,
    pub(crate) outline: Outline,
    /// As far as it can be read here.
    pub(crate) workflow: Option<Box<Workflow>>,
}

/// Flags behind the first input.
#[derive(Debug, Default, Args)]
struct Later {
    #[command(flatten)]
    globals: Globals,
    #[command(flatten)]
    flags: RunFlags,
}

/// Takes the flags of the command out of what stands behind the first input; what is left
/// are the inputs.
pub(crate) fn flags(args: &mut RunArgs) -> Result<Globals, Error> {
    let mut globals = Globals::default();
    if !args.rest.is_empty() {
        let (later, rest) = words::split_off::<Later>(std::mem::take(&mut args.rest))?;
        args.flags = std::mem::take(&mut args.flags).with(later.flags);
        args.rest = rest;
        globals = later.globals;
    }
    args.flags.check()?;
    Ok(globals)
}

/// What can be found wrong without a server is told before one is started.
pub(crate) fn prepare(app: &App, args: RunArgs) -> Result<Request, Error> {
    let RunArgs {
        what, flags, rest, ..
    } = args;
    let word = what.unwrap_or_default();
    let what = if word == "-" || word.contains(['/', '.']) {
        if flags.version.is_some() {
            return Err(Error::usage(
                "--version is for stored workflows; a file is what it is",
            ));
        }
        of_file(app, &word)?
    } else {
        let version = flags.version.unwrap_or_default();
        of_name(word, version)?
    };
    let given = Given::of(&flags, rest)?;
    let mut params = json!({});
    if let Some(priority) = flags.priority {
        params["priority"] = priority.into();
    }
    if flags.mock {
        params["mock"] = true.into();
    }
    let part = [
        ("from", flags.from),
        ("until", flags.until),
        ("only", flags.only),
        ("runId", flags.reuse),
    ];
    for (name, value) in part {
        if let Some(value) = value {
            params["part"][name] = value.into();
        }
    }
    let mut request = Request {
        what,
        params,
        given,
        key: flags
            .request_key
            .unwrap_or_else(|| format!("cli_{:016x}", fastrand::u64(..))),
        watch: flags.watch,
        demo: !flags.no_demo,
        record: flags.record,
        progress: None,
    };
    request.bind()?;
    Ok(request)
}

fn of_name(name: String, version: u32) -> Result<What, Error> {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !first || !name.chars().all(rest) {
        let name = printable(&name);
        return Err(Error::Usage {
            message: format!("`{name}` is no verb of `run`, no file and no name of a workflow"),
            help: Some(format!("for a file write ./{name}")),
        });
    }
    Ok(What::Stored { name, version })
}

fn of_file(app: &App, name: &str) -> Result<What, Error> {
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
    Ok(What::File {
        file,
        dialect: checked.dialect,
        workflow: checked.workflow.map(Box::new),
    })
}

/// Inputs as they were given.
#[derive(Debug, Default)]
struct Given {
    /// By `-i`.
    texts: Vec<(String, String)>,
    /// By `--input-file`.
    values: Map<String, Value>,
    /// By their names as flags.
    words: Vec<String>,
}

/// Flags of `run` that an unknown one may have been meant to be.
pub(crate) const FLAGS: [&str; 13] = [
    "watch",
    "input",
    "inputFile",
    "requestKey",
    "noDemo",
    "version",
    "priority",
    "from",
    "until",
    "only",
    "reuse",
    "mock",
    "record",
];

impl Given {
    fn of(flags: &RunFlags, words: Vec<String>) -> Result<Self, Error> {
        let mut given = Self {
            texts: flags.inputs.clone(),
            values: Map::new(),
            words,
        };
        if let Some(name) = &flags.input_file {
            let file = WorkflowFile::read(name)?;
            given.values = serde_json::from_str(&file.text)
                .map_err(|e| Error::usage(format!("`{name}` is no JSON object: {e}")))?;
        }
        Ok(given)
    }

    /// The inputs by a schema, which the server checks: what the command line says wins
    /// over what the file says.
    fn by_schema(&self, name: &str, schema: &Value) -> Result<Map<String, Value>, Error> {
        let mut typed = params::input_texts(schema, &self.texts)?;
        for (input, value) in params::inputs(name, schema, &FLAGS, &self.words)? {
            if typed.insert(input.clone(), value).is_some() {
                let input = printable(&input);
                return Err(Error::usage(format!("input `{input}` is given twice")));
            }
        }
        let mut values = self.values.clone();
        values.extend(typed);
        Ok(values)
    }

    /// As [`Given::by_schema`], checked: only those that were given, so that the server
    /// fills in the rest by the same rules for every caller.
    fn by_workflow(&self, workflow: &Workflow) -> Result<Map<String, Value>, Error> {
        let values = self.by_schema(&workflow.name, &schema(&workflow.inputs))?;
        workflow.bind_inputs(&values).map_err(Error::Inputs)?;
        Ok(values)
    }
}

/// The inputs as a JSON Schema of an object.
pub(crate) fn schema(inputs: &[InputSpec]) -> Value {
    let properties: Map<String, Value> = inputs
        .iter()
        .map(|input| (input.name.clone(), input.schema.clone()))
        .collect();
    json!({"type": "object", "properties": properties})
}

impl Request {
    /// What a file needs of inputs is known at once; a stored workflow is asked for.
    fn bind(&mut self) -> Result<(), Error> {
        let What::File {
            file,
            dialect,
            workflow,
        } = &self.what
        else {
            return Ok(());
        };
        self.params["source"] = file.text.clone().into();
        self.params["fileName"] = file.name.clone().into();
        self.params["dialect"] = dialect.as_str().into();
        self.params["folder"] = file.folder()?.into();
        let inputs = match workflow {
            Some(workflow) => self.given.by_workflow(workflow)?,
            // The faults of the file matter more; the server tells them.
            None => self
                .given
                .by_schema(&file.name, &json!({}))
                .unwrap_or_default(),
        };
        if !inputs.is_empty() {
            self.params["inputs"] = inputs.into();
        }
        Ok(())
    }

    /// The start as the server takes it; what a stored workflow needs is asked for first.
    pub(crate) async fn start(&self, client: &Client) -> Result<Start, Error> {
        let mut params = self.params.clone();
        if let Some(reuse) = self.reuse(client).await? {
            params["part"]["runId"] = reuse.into();
        }
        let (name, version) = match &self.what {
            What::File { workflow, .. } => {
                let outline = workflow.as_deref().map(Outline::of).unwrap_or_default();
                let workflow = workflow.clone();
                return Ok(Start {
                    params,
                    outline,
                    workflow,
                });
            }
            What::Stored { name, version } => (name, *version),
        };
        let stored = client
            .call(
                "orchestrator.get_workflow",
                json!({"workflow": name, "version": version}),
            )
            .await
            .map_err(|error| unknown(name, error))?;
        let stored = stored.get("workflow").cloned().unwrap_or_default();
        let schema = stored.get("inputs").cloned().unwrap_or_default();
        let inputs = self.given.by_schema(name, &schema)?;
        params["workflow"] = name.clone().into();
        params["version"] = version.into();
        if !inputs.is_empty() {
            params["inputs"] = inputs.into();
        }
        let workflow = crate::outline::workflow(&stored).map(Box::new);
        Ok(Start {
            params,
            outline: workflow.as_deref().map(Outline::of).unwrap_or_default(),
            workflow,
        })
    }

    /// The run whose results are reused, when one is named.
    async fn reuse(&self, client: &Client) -> Result<Option<String>, Error> {
        match self.params.pointer("/part/runId").and_then(Value::as_str) {
            Some(run) => Ok(Some(runs::resolve(client, run.to_owned()).await?)),
            None => Ok(None),
        }
    }

    /// The words of the dialect in which a foreign document is answered.
    pub(crate) fn is_oktyv(&self) -> bool {
        matches!(&self.what, What::File { dialect, .. } if *dialect == Dialect::Oktyv)
    }
}

/// A name that is not stored may be a verb or a file.
fn unknown(name: &str, error: Error) -> Error {
    match error {
        Error::Call(failure) if failure.reason == "WORKFLOW_NOT_FOUND" => {
            let command = <RunArgs as clap::Args>::augment_args(clap::Command::new("run"));
            let verbs: Vec<&str> = command
                .get_subcommands()
                .map(clap::Command::get_name)
                .collect();
            Error::NotFound {
                code: "WORKFLOW_NOT_FOUND",
                message: format!("no workflow `{name}` is stored"),
                help: Some(match nearest(name, verbs) {
                    Some(verb) => format!("did you mean `gearmesh run {verb}`?"),
                    None => format!("gearmesh workflow list; for a file write ./{name}"),
                }),
            }
        }
        other => other,
    }
}
