//! The command line as a type.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::globals::{Globals, duration};
use crate::schedule_args::ScheduleCommand;

/// Runs workflows over tools: files, HTTP, state and whatever joins.
#[derive(Debug, Parser)]
#[command(
    name = "gearmesh",
    version,
    propagate_version = false,
    max_term_width = 120
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failure, 2 usage, 3 not valid, 5 not found, 6 conflict, 7 run failed,\n8 not finished, 9 no server, 10 run partial, 11 refused by policy, 130 Ctrl-C"
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
    /// Run a workflow file, or look after runs
    Run(RunArgs),
    /// Run workflows by the clock
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Check workflow files without running them
    Validate(ValidateArgs),
    /// Show what a workflow would do
    Plan(PlanArgs),
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
        /// The code, as FILE_NOT_FOUND
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

/// `run FILE` and the verbs of runs.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct RunArgs {
    /// The workflow file, with `/` or `.` in its name; `-` reads standard input
    #[arg(required = true)]
    pub(crate) file: Option<String>,
    /// An input of the workflow; give it once for each
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) inputs: Vec<(String, String)>,
    /// Inputs as a JSON object in a file; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input_file: Option<String>,
    /// Follow the run; `json`: one event a line on standard output
    #[arg(long, value_name = "json", num_args = 0..=1, require_equals = true, default_missing_value = "tree")]
    pub(crate) watch: Option<Watch>,
    /// The same key with the same file answers the same run
    #[arg(long, value_name = "KEY")]
    pub(crate) request_key: Option<String>,
    /// Leave out the stand-ins of the mesh in this process
    #[arg(long)]
    pub(crate) no_demo: bool,
    #[command(subcommand)]
    pub(crate) command: Option<RunCommand>,
}

/// How a run is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Watch {
    /// For people.
    Tree,
    /// For programs.
    Json,
}

/// The verbs of runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// The runs, newest first
    #[command(alias = "ls")]
    List {
        /// Only runs of this workflow
        #[arg(long)]
        workflow: Option<String>,
        /// Only runs with this status
        #[arg(long)]
        status: Option<String>,
        /// Most runs that are shown
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
    /// How a run stands
    #[command(aliases = ["get", "describe"])]
    Show {
        /// The run's id, or `last`
        run: String,
    },
    /// Follow a run
    Watch {
        /// The run's id, or `last`
        run: String,
        /// `json`: one event a line on standard output
        #[arg(long, value_enum, default_value_t = Watch::Tree)]
        watch: Watch,
    },
    /// Cancel a run
    #[command(alias = "stop")]
    Cancel {
        /// The run's id
        run: String,
    },
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
    /// `json` is `--output json`
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<TextOrJson>,
}

/// `plan FILE`
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The workflow file; `-` reads standard input
    pub(crate) file: String,
    /// Plan with the tools that are built in, without a server
    #[arg(long)]
    pub(crate) offline: bool,
    /// `json` is `--output json`
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<TextOrJson>,
}

/// The formats of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextOrJson {
    Text,
    Json,
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

/// `KEY=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use serde_json::json;

    use super::*;
    use crate::output::Format;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("gearmesh").chain(line.split_whitespace()))
    }

    fn run(line: &str) -> (Globals, RunArgs) {
        match parse(line).unwrap() {
            Cli {
                globals,
                command: Command::Run(args),
            } => (globals, args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tree_of_commands_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_takes_a_file_or_a_verb() {
        let (_, args) = run("run x.yaml -i a=1 -i b=c=d --watch");
        assert_eq!(args.file.as_deref(), Some("x.yaml"));
        assert_eq!(
            args.inputs,
            [("a".into(), "1".into()), ("b".into(), "c=d".into())]
        );
        assert_eq!(args.watch, Some(Watch::Tree));
        assert_eq!(run("run --watch=json x.yaml").1.watch, Some(Watch::Json));
        assert!(matches!(
            run("run list --limit 3").1.command,
            Some(RunCommand::List { limit: 3, .. })
        ));
        assert!(matches!(
            run("run show run_x").1.command,
            Some(RunCommand::Show { .. })
        ));
        assert!(parse("run").is_err());
        assert!(parse("run x.yaml --watch=xml").is_err());
        assert!(parse("run list --limit 0").is_err());
        assert!(parse("run list --limit 201").is_err());
    }

    #[test]
    fn global_flags_work_before_and_after_the_verb() {
        for line in [
            "-o json --timeout 1m30s run x.yaml",
            "run x.yaml -o json --timeout 1m30s",
            "run list -o json --timeout 1m30s",
        ] {
            let (globals, _) = run(line);
            assert_eq!(globals.format(), Format::Json, "{line}");
            assert_eq!(
                globals.timeout,
                Some(std::time::Duration::from_secs(90)),
                "{line}"
            );
        }
        let error = parse("run x.yaml --timeout 30").unwrap_err().to_string();
        assert!(error.contains("unit"), "{error}");
    }

    #[test]
    fn settings_and_roots_are_read() {
        let (globals, _) = run("run x.yaml --set http.ports=[81] --set a.b=c --root /results/=out");
        assert_eq!(
            globals.set,
            [
                ("http.ports".into(), json!([81])),
                ("a.b".into(), json!("c"))
            ]
        );
        assert_eq!(globals.root, [("/results".into(), "out".into())]);
        for bad in ["results=x", "/=x", "/a/../b=x", "/a=", "/a"] {
            assert!(parse(&format!("run x.yaml --root {bad}")).is_err(), "{bad}");
        }
        let error = parse("run x.yaml --root /a").unwrap_err().to_string();
        assert!(error.contains("PREFIX=DIR"), "{error}");
    }

    #[test]
    fn call_leaves_the_flags_of_the_tool_alone() {
        let cli = parse("tool call file.copy --source a -o json --destination b").unwrap();
        let Command::Tool(ToolCommand::Call { name, rest }) = cli.command else {
            panic!("no call");
        };
        assert_eq!(name, "file.copy");
        assert_eq!(rest, ["--source", "a", "-o", "json", "--destination", "b"]);
    }

    #[test]
    fn engine_and_verb_are_the_short_form_of_a_call() {
        let Command::Short(words) = parse("file copy --source a").unwrap().command else {
            panic!("no short form");
        };
        assert_eq!(words, ["file", "copy", "--source", "a"]);
    }

    #[test]
    fn init_makes_one_thing() {
        for good in [
            "init",
            "init --trust-domain mesh.example --identity https://10.0.0.5:1 --host a --host b",
            "init --if-absent",
            "init --node vault",
            "init --node gateway --host gw.example",
            "init --client reports --scopes file:read,http:* --expires 10m",
            "init --renew reports",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "init --node vault --client reports --scopes a:b",
            "init --node vault --trust-domain x",
            "init --client reports",
            "init --scopes a:b",
            "init --renew a --if-absent",
            "init --client a --scopes a:b --host h",
            "token create --name a",
            "token create --name a --scopes b:c --expires 30",
            "token revoke",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let Command::Token(TokenCommand::Create {
            scopes, expires, ..
        }) = parse("token create --name a --scopes b:c,d:*")
            .unwrap()
            .command
        else {
            panic!("no token");
        };
        assert_eq!(scopes, ["b:c", "d:*"]);
        assert_eq!(expires, Duration::from_secs(30 * 86_400));
    }
}
