//! From what was typed to the command that does it.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use gearmesh_catalog::Catalog;
use serde_json::json;
use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::access;
use crate::args::{
    Cli, Command, McpCommand, PlanArgs, PlanFormat, SchemaCommand, TestArgs, TestFormat,
    ToolCommand, ValidateArgs, ValidateFormat,
};
use crate::client::{Client, built_in, catalog_of};
use crate::error::Error;
use crate::exit::Exit;
use crate::globals::Globals;
use crate::host::{PEER_LOOK, PEER_MAX};
use crate::limit::Limit;
use crate::output::{Format, Output};
use crate::run_args::RunArgs;
use crate::starter::Starter;
use crate::validate::Checker;
use crate::workflow_args::WorkflowCommand;
use crate::{
    approval, call, explain, init, plan, report, request, rewrite, run, runs, schedule, serve,
    server, synonyms, testing, token, tool, validate, words, workflow,
};

/// A command under way.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) starter: Starter,
    pub(crate) globals: Globals,
    pub(crate) output: Output,
    /// The server that was named, or that serves this folder.
    pub(crate) server: Option<String>,
    begun: Instant,
}

/// Parses the command line of the process, does what it says, and gives the exit code.
#[must_use]
pub fn main(starter: Starter) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, a fault to standard error; a closed pipe is no fault.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8));
        }
    };
    let mut app = App::new(starter, cli.globals);
    match app.dispatch(cli.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            report::error(&mut app.output, &error);
            error.exit().into()
        }
    }
}

/// Whether work whose mesh goes away under it is done at the next of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// It might do a second time what it has done.
    Never,
    /// It only looks: as long as nothing of what it found is written.
    Unwritten,
    /// It goes on where it was.
    Always,
}

impl Again {
    /// Of a command that only looks, or does not.
    fn of_look(look: bool) -> Self {
        match look {
            true => Self::Unwritten,
            false => Self::Never,
        }
    }
}

/// How many threads a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threads {
    /// A client: one.
    One,
    /// A mesh in this process: one for each processor.
    Many,
}

impl App {
    fn new(starter: Starter, globals: Globals) -> Self {
        Self {
            output: Output::of_process(globals.format(), globals.quiet, globals.wishes()),
            starter,
            globals,
            server: None,
            begun: Instant::now(),
        }
    }

    /// When the command must have ended.
    pub(crate) fn limit(&self) -> Option<Limit> {
        Limit::of(self.begun, self.globals.timeout)
    }

    fn dispatch(&mut self, command: Command) -> Result<Exit, Error> {
        match command {
            Command::Version => self.version(),
            Command::Health => (self.starter.health)(&self.globals.folder())
                .map(|()| Exit::Done)
                .map_err(Error::Start),
            Command::Explain { code } => {
                explain::explain(&mut self.output, &built_in()?, &code).map(|()| Exit::Done)
            }
            Command::Run(args) => self.run(*args),
            Command::Workflow(WorkflowCommand::Convert { file, to }) => {
                rewrite::convert(self, &file, to.as_deref())
            }
            Command::Workflow(WorkflowCommand::Fmt(args)) => rewrite::fmt(self, &args),
            Command::Workflow(command) => self
                .patiently(Again::of_look(command.is_look()), |app| {
                    block_on(app.threads(), workflow::command(app, command.clone()))
                }),
            Command::Approval(command) => self
                .patiently(Again::of_look(command.is_look()), |app| {
                    block_on(app.threads(), approval::command(app, command.clone()))
                }),
            Command::Schedule(command) => {
                self.find_server()?;
                self.log("error");
                block_on(self.threads(), schedule::command(self, command))
            }
            Command::Validate(args) => self.validate(&args),
            Command::Plan(args) => self.plan(&args),
            Command::Test(args) => self.test(&args),
            Command::Schema(SchemaCommand::Workflow { with_tools }) => self.schema(with_tools),
            Command::Tool(command) => self.tool(command),
            Command::Short(words) => self.short(words),
            Command::Dev(args) => {
                // That runs were still open when it ended is said in words for people.
                self.log("warn,gearmesh_runtime::serve=error");
                block_on(Threads::Many, serve::dev(self, &args))
            }
            Command::Serve(args) => {
                self.log("warn");
                block_on(Threads::Many, serve::serve(self, args))
            }
            Command::Demo { connections } => {
                self.log("warn");
                block_on(Threads::Many, serve::demo(self, connections))
            }
            Command::Init(args) => {
                self.log("warn");
                block_on(Threads::One, init::init(self, args))
            }
            Command::Token(command) => {
                self.find_server()?;
                self.log("error");
                block_on(self.threads(), token::command(self, command))
            }
            Command::Mcp(McpCommand::Serve { .. }) => {
                self.find_server()?;
                self.log("error");
                block_on(self.threads(), serve::mcp(self))
            }
        }
    }

    fn validate(&mut self, args: &ValidateArgs) -> Result<Exit, Error> {
        let report = args.format.and_then(ValidateFormat::report);
        self.choose(
            args.format == Some(ValidateFormat::Json),
            args.format.is_some(),
        );
        self.check(args.offline, async |app, checker| {
            validate::validate(app, checker, &args.files, args.fix, report).await
        })
    }

    fn plan(&mut self, args: &PlanArgs) -> Result<Exit, Error> {
        self.choose(args.format == Some(PlanFormat::Json), args.format.is_some());
        self.check(args.offline, async |app, checker| {
            plan::plan(app, checker, args).await
        })
    }

    fn test(&mut self, args: &TestArgs) -> Result<Exit, Error> {
        self.choose(args.format == Some(TestFormat::Json), args.format.is_some());
        let pairs = testing::find(&args.what)?;
        self.patiently(Again::Unwritten, |app| {
            block_on(app.threads(), testing::test(app, &pairs, args))
        })
    }

    fn schema(&mut self, with_tools: bool) -> Result<Exit, Error> {
        let catalog = match with_tools {
            true => Some(self.catalog()?),
            false => None,
        };
        let schema = gearmesh_workflow::file_schema(catalog.as_deref());
        self.output.document(&schema)?;
        Ok(Exit::Done)
    }

    fn version(&mut self) -> Result<Exit, Error> {
        let version = env!("CARGO_PKG_VERSION");
        if self.output.for_people() {
            self.output.data(&format!("gearmesh {version}"))?;
        } else {
            self.output
                .list_one(&json!({"version": version}), "version")?;
        }
        Ok(Exit::Done)
    }

    fn run(&mut self, mut args: RunArgs) -> Result<Exit, Error> {
        let later = request::flags(&mut args)?;
        self.add_globals(later);
        if let Some(command) = args.command {
            return self.patiently(Again::of_look(command.is_look()), |app| {
                block_on(app.threads(), runs::command(app, command.clone()))
            });
        }
        self.find_server()?;
        let mut request = request::prepare(self, args)?;
        // The request has a key, so another mesh of the folder answers the same run.
        self.patiently(Again::Always, |app| {
            block_on(app.threads(), run::run(app, &mut request))
        })
    }

    /// Does work at the mesh of the folder. When the process that served it ends in that
    /// moment, what may be done `again` is done at the next.
    fn patiently(
        &mut self,
        again: Again,
        mut work: impl FnMut(&mut Self) -> Result<Exit, Error>,
    ) -> Result<Exit, Error> {
        self.find_server()?;
        self.log("error");
        let deadline = Instant::now() + PEER_MAX;
        loop {
            match work(self) {
                Err(error)
                    if (again == Again::Always
                        || again == Again::Unwritten && !self.output.has_written())
                        && self.globals.server.is_none()
                        && error.is_departure()
                        && Instant::now() < deadline =>
                {
                    std::thread::sleep(PEER_LOOK);
                    self.find_server()?;
                }
                other => return other,
            }
        }
    }

    fn tool(&mut self, command: ToolCommand) -> Result<Exit, Error> {
        match command {
            ToolCommand::List { engine } => {
                let catalog = self.catalog()?;
                tool::list(&mut self.output, &catalog, engine.as_deref())?;
            }
            ToolCommand::Show { name } => {
                let catalog = self.catalog()?;
                tool::show(&mut self.output, &catalog, &name)?;
            }
            ToolCommand::Search { words } => {
                let catalog = self.catalog()?;
                tool::search(&mut self.output, &catalog, &words)?;
            }
            ToolCommand::Call { name, rest } => return self.call(&name, rest),
        }
        Ok(Exit::Done)
    }

    /// `ENGINE VERB ..`.
    fn short(&mut self, mut words: Vec<String>) -> Result<Exit, Error> {
        let engine = words.remove(0);
        let verb = words.first().filter(|w| !w.starts_with('-')).cloned();
        let catalog = self.catalog()?;
        if !catalog.engines().iter().any(|e| e.id == engine) {
            return Err(synonyms::unknown(&engine));
        }
        let Some(verb) = verb else {
            tool::list(&mut self.output, &catalog, Some(&engine))?;
            return Ok(Exit::Done);
        };
        let name = format!("{engine}.{}", verb.replace('-', "_"));
        tool::find(&catalog, &name)?;
        self.call(&name, words.split_off(1))
    }

    fn call(&mut self, name: &str, rest: Vec<String>) -> Result<Exit, Error> {
        let (later, words) = words::split(rest)?;
        self.add_globals(later);
        self.find_server()?;
        self.log("error");
        block_on(self.threads(), call::call(self, name, &words))
    }

    /// Heeds flags that were given further behind.
    fn add_globals(&mut self, later: Globals) {
        self.globals = self.globals.clone().with(later);
        self.output = Output::of_process(
            self.globals.format(),
            self.globals.quiet,
            self.globals.wishes(),
        );
    }

    /// What can be called: of the server when there is one, else what is built in.
    fn catalog(&mut self) -> Result<Arc<Catalog>, Error> {
        self.find_server()?;
        match self.server.clone() {
            Some(url) => block_on(Threads::One, catalog_of(&url)),
            None => Ok(Arc::new(built_in()?)),
        }
    }

    /// Checks at the server when there is one. Without it nothing waits, so that no
    /// runtime is needed.
    fn check(
        &mut self,
        offline: bool,
        work: impl AsyncFnOnce(&mut Self, &Checker) -> Result<Exit, Error>,
    ) -> Result<Exit, Error> {
        if !offline {
            self.find_server()?;
        }
        let Some(url) = self.server.clone() else {
            let checker = Checker::offline()?;
            return futures::executor::block_on(work(self, &checker));
        };
        block_on(Threads::One, async {
            let checker = Checker::Server(Client::of_runs(&url, self.limit())?);
            work(self, &checker).await
        })
    }

    fn find_server(&mut self) -> Result<(), Error> {
        access::prepare(&self.globals)?;
        self.server = server::find(&self.globals);
        Ok(())
    }

    fn threads(&self) -> Threads {
        if self.server.is_some() {
            Threads::One
        } else {
            Threads::Many
        }
    }

    fn log(&self, default: &str) {
        let level = match self.globals.verbose {
            0 => default,
            1 => "info",
            _ => "debug",
        };
        (self.starter.log)(level);
    }

    /// `--format json` is `--output json`, and every other `--format` is for people.
    fn choose(&mut self, json: bool, given: bool) {
        if json {
            self.output.format = Format::Json;
        } else if given {
            self.output.format = Format::Table;
        }
    }
}

fn block_on<T>(threads: Threads, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut builder = match threads {
        Threads::One => Builder::new_current_thread(),
        Threads::Many => Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().map_err(Error::System)?;
    runtime.block_on(Box::pin(work))
}
