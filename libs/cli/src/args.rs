//! The command line as a type.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::approval::ApprovalCommand;
use crate::globals::{Globals, duration};
use crate::run_args::RunArgs;
use crate::schedule_args::ScheduleCommand;
use crate::workflow_args::WorkflowCommand;

/// Runs workflows over tools: files, HTTP, state and whatever joins.
#[derive(Debug, Parser)]
#[command(
    name = "gearmesh",
    version,
    propagate_version = false,
    max_term_width = 120
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failure, 2 usage, 3 not valid, 4 login, 5 not found, 6 conflict,\n7 run failed, 8 not finished, 9 no server, 10 run partial, 11 refused by policy, 130 Ctrl-C"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a workflow, or look after runs
    Run(Box<RunArgs>),
    /// Store workflows, with versions
    #[command(subcommand, visible_alias = "wf", alias = "workflows")]
    Workflow(WorkflowCommand),
    /// Answer what runs ask people
    #[command(subcommand, alias = "approvals")]
    Approval(ApprovalCommand),
    /// Run workflows by the clock
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Check workflow files without running them
    Validate(ValidateArgs),
    /// Show what a workflow would do
    Plan(PlanArgs),
    /// Run the test cases of workflows, with mocked tools and a frozen clock
    Test(TestArgs),
    /// Print a JSON Schema
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// List, show, search and call tools
    #[command(subcommand)]
    Tool(ToolCommand),
    /// Everything in one process, for this folder
    Dev(DevArgs),
    /// Serve all engines, or those that are named
    Serve(ServeArgs),
    /// Serve the stand-ins alone: what examples talk to outside of the mesh
    Demo {
        /// File of settings that gets their connections once they serve
        #[arg(long, value_name = "FILE", default_value = "connections.toml")]
        connections: std::path::PathBuf,
    },
    /// Make the CA of a mesh, and credentials of its services and clients
    Init(InitArgs),
    /// Make, list and end API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Serve the tools to AI agents
    #[command(subcommand)]
    Mcp(McpCommand),
    /// What an error code means and what helps
    Explain {
        /// The code, as FILE_NOT_FOUND, or a rule of the format, as WF-5.3
        code: String,
    },
    /// Whether a process serves this folder: the health check of a container
    #[command(hide = true)]
    Health,
    /// The version
    Version,
    /// `gearmesh ENGINE VERB ..`, the short form of `tool call ENGINE.VERB ..`
    #[command(external_subcommand)]
    Short(Vec<String>),
}

/// `validate FILE...`
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// The workflow files, or folders of them; `-` reads standard input
    #[arg(required = true)]
    pub(crate) files: Vec<String>,
    /// Check against the tools that are built in, without a server
    #[arg(long)]
    pub(crate) offline: bool,
    /// Make the edits that are safe
    #[arg(long)]
    pub(crate) fix: bool,
    /// What is written; `json` is `--output json`
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<ValidateFormat>,
}

/// How faults are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ValidateFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code scanners
    Sarif,
    /// JUnit, for CI servers
    Junit,
    /// Commands that mark lines in a workflow of GitHub
    Github,
}

/// How faults are written for another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    Sarif,
    Junit,
    Github,
}

impl ValidateFormat {
    /// The program for which it is, if it is none of our own formats.
    pub(crate) fn report(self) -> Option<Report> {
        match self {
            Self::Text | Self::Json => None,
            Self::Sarif => Some(Report::Sarif),
            Self::Junit => Some(Report::Junit),
            Self::Github => Some(Report::Github),
        }
    }
}

/// `plan FILE`
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The workflow file; `-` reads standard input
    pub(crate) file: String,
    /// Plan with the tools that are built in, without a server
    #[arg(long)]
    pub(crate) offline: bool,
    /// What is written; `json` is `--output json`
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<PlanFormat>,
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// The graph, for Graphviz
    Dot,
    /// The graph, for Markdown
    Mermaid,
    /// The graph as a picture
    Svg,
}

/// `test [NAME|FILE...]`
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Names of workflows, workflow files, test files, or folders of them [default: all
    /// of this folder and of ./workflows]
    #[arg(value_name = "NAME|FILE")]
    pub(crate) what: Vec<String>,
    /// Only cases whose name holds this text
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) only: String,
    /// What is written; `json` is `--output json`
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<TestFormat>,
}

/// How tests are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// JUnit, for CI servers
    Junit,
}

/// The schemas that are printed.
#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// JSON Schema of workflow files, for editors
    Workflow {
        /// With the tools of the server, or those that are built in, and their parameters
        #[arg(long)]
        with_tools: bool,
    },
}

/// The verbs of tools.
#[derive(Debug, Subcommand)]
pub(crate) enum ToolCommand {
    /// The tools
    #[command(alias = "ls")]
    List {
        /// Only the tools of this engine
        #[arg(long)]
        engine: Option<String>,
    },
    /// All about a tool
    #[command(aliases = ["get", "describe"])]
    Show {
        /// Id, spelling without dots, or alias
        name: String,
    },
    /// Tools whose names or texts have these words
    #[command(alias = "find")]
    Search {
        /// The words
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Call a tool
    #[command(
        override_usage = "gearmesh tool call NAME [--PARAM VALUE]... [-p KEY=VALUE]... [--params JSON|-] [--idempotency-key KEY]"
    )]
    Call {
        /// Id, spelling without dots, or alias
        name: String,
        /// Parameters by the names that `tool show` lists
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

/// `dev`
#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Port on 127.0.0.1; a taken one gives the next that is free [default: 8420]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Leave out the stand-ins
    #[arg(long)]
    pub(crate) no_demo: bool,
}

/// `serve [ENGINE...]`
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The engines; none: all
    pub(crate) engines: Vec<String>,
    /// Address to listen on, as 127.0.0.1:8420
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
}

/// `init`
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The mesh's name in its certificates [default: gearmesh.local]
    #[arg(long, value_name = "DOMAIN", conflicts_with_all = ["node", "client", "renew"])]
    pub(crate) trust_domain: Option<String>,
    /// Where the identity engine will be
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://127.0.0.1:8421",
        conflicts_with_all = ["node", "client", "renew"]
    )]
    pub(crate) identity: String,
    /// A name or address by which clients reach the gateway; give it once for each
    #[arg(long = "host", value_name = "HOST", conflicts_with_all = ["client", "renew"])]
    pub(crate) hosts: Vec<String>,
    /// Make what is missing, and be content with what is there
    #[arg(long, conflicts_with_all = ["node", "client", "renew"])]
    pub(crate) if_absent: bool,
    /// Only the credential and the settings of this service; the CA must be there
    #[arg(long, value_name = "SERVICE")]
    pub(crate) node: Option<String>,
    /// A client with a certificate; the CA must be there
    #[arg(
        long,
        value_name = "NAME",
        requires = "scopes",
        conflicts_with = "node"
    )]
    pub(crate) client: Option<String>,
    /// What the client may do, as `file:read,http:*`
    #[arg(
        long,
        value_name = "SCOPES",
        value_delimiter = ',',
        requires = "client"
    )]
    pub(crate) scopes: Vec<String>,
    /// How long the client's certificate is valid, at most 55m [default: 55m]
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "client")]
    pub(crate) expires: Option<Duration>,
    /// A fresh certificate for a client, signed by the identity engine
    #[arg(long, value_name = "NAME", conflicts_with_all = ["node", "client"])]
    pub(crate) renew: Option<String>,
}

/// The verbs of API tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is shown once
    Create {
        /// What it is called in lists and logs
        #[arg(long)]
        name: String,
        /// What it may do, as `file:read,http:*`
        #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true)]
        scopes: Vec<String>,
        /// How long it is valid, at most 365d
        #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30d")]
        expires: Duration,
    },
    /// The tokens, newest first
    #[command(alias = "ls")]
    List,
    /// End a token at once
    #[command(alias = "delete")]
    Revoke {
        /// The token's id: its second part
        id: String,
    },
}

/// The verbs of MCP.
#[derive(Debug, Subcommand)]
pub(crate) enum McpCommand {
    /// Speak MCP over standard input and output
    Serve {
        /// The only transport of this command; `gearmesh dev` serves /mcp over HTTP
        #[arg(long, required = true)]
        stdio: bool,
    },
}

/// How much of a list is shown.
#[derive(Debug, Clone, Args)]
pub(crate) struct Many {
    /// Most that are shown
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: u32,
    /// Show all
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
}

impl Many {
    /// Most that are shown.
    pub(crate) fn most(&self) -> usize {
        match self.all {
            true => usize::MAX,
            false => self.limit as usize,
        }
    }
}

/// `KEY=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests;
