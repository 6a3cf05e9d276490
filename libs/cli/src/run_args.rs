//! What is typed behind `gearmesh run`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::{Many, pair};
use crate::error::Error;

/// `run FILE|NAME` and the verbs of runs.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct RunArgs {
    /// A workflow file, with `/` or `.` in its name (`-` reads standard input), or the
    /// name of a stored workflow (`run -- NAME` for one that is called like a verb)
    #[arg(required = true, value_name = "FILE|NAME")]
    pub(crate) what: Option<String>,
    #[command(flatten)]
    pub(crate) flags: RunFlags,
    /// Inputs of the workflow by their names, as `--count 3`
    #[arg(
        value_name = "--INPUT VALUE",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) rest: Vec<String>,
    #[command(subcommand)]
    pub(crate) command: Option<RunCommand>,
}

/// How a workflow is run.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RunFlags {
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
    /// Version of the stored workflow [default: the newest]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) version: Option<u32>,
    /// Among waiting runs, 1 to 9, higher first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) priority: Option<u32>,
    /// Run this task and all that need it, with results of an earlier run for the rest
    #[arg(long, value_name = "TASK")]
    pub(crate) from: Option<String>,
    /// Run this task and all that it needs, and nothing else
    #[arg(long, value_name = "TASK")]
    pub(crate) until: Option<String>,
    /// Run this task alone, with results of an earlier run for what it needs
    #[arg(long, value_name = "TASK")]
    pub(crate) only: Option<String>,
    /// The earlier run of --from or --only, or `last` [default: the last that ended with
    /// this workflow]
    #[arg(long, value_name = "RUN")]
    pub(crate) reuse: Option<String>,
    /// Call nothing: a tool answers its example, or what else its result may be
    #[arg(long)]
    pub(crate) mock: bool,
    /// Write a test case of the run, with its results as mocks, without secrets
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

impl RunFlags {
    /// These flags, with those that were given further behind.
    pub(crate) fn with(mut self, later: Self) -> Self {
        self.inputs.extend(later.inputs);
        self.input_file = later.input_file.or(self.input_file);
        self.watch = later.watch.or(self.watch);
        self.request_key = later.request_key.or(self.request_key);
        self.no_demo |= later.no_demo;
        self.version = later.version.or(self.version);
        self.priority = later.priority.or(self.priority);
        self.from = later.from.or(self.from);
        self.until = later.until.or(self.until);
        self.only = later.only.or(self.only);
        self.reuse = later.reuse.or(self.reuse);
        self.mock |= later.mock;
        self.record = later.record.or(self.record);
        self
    }

    /// What of these flags goes together, wherever each of them stood.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let parts = [
            ("--from", &self.from),
            ("--until", &self.until),
            ("--only", &self.only),
        ];
        let mut given = parts.iter().filter(|(_, task)| task.is_some());
        let first = given.next().map(|(name, _)| *name);
        if let (Some(first), Some((second, _))) = (first, given.next()) {
            return Err(Error::Usage {
                message: format!("`{first}` and `{second}` do not go together"),
                help: Some("give the one that names the part to run".to_owned()),
            });
        }
        if self.reuse.is_some() && !["--from", "--only"].contains(&first.unwrap_or_default()) {
            return Err(Error::Usage {
                message: "`--reuse` is for a part that needs results of an earlier run".to_owned(),
                help: Some("give `--from TASK` or `--only TASK` with it".to_owned()),
            });
        }
        Ok(())
    }
}

/// How a run is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Watch {
    /// For people.
    Tree,
    /// For programs.
    Json,
}

/// The verbs of runs. Each takes `last` for the newest run.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RunCommand {
    /// The runs, newest first
    #[command(alias = "ls")]
    List(ListArgs),
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
        /// The run's id, or `last`
        run: String,
        /// End its handlers too, if they are under way
        #[arg(long)]
        force: bool,
    },
    /// Hold a run: what is under way may end, nothing more starts
    #[command(alias = "hold")]
    Pause {
        /// The run's id, or `last`
        run: String,
        /// Why, for those who find it so
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// Let a paused run go on
    Resume {
        /// The run's id, or `last`
        run: String,
    },
    /// Run a workflow again, as a new run that reuses results
    Retry(RetryArgs),
    /// What a run or a task waits for
    Why {
        /// The run's id, or `last`
        run: String,
        /// The task; none: all that have not ended
        task: Option<String>,
    },
    /// Say what becomes of a task whose outcome nobody knows
    Decide(DecideArgs),
    /// The results of a run, or of one of its tasks
    Data {
        /// The run's id, or `last`
        run: String,
        /// The task; none: the outputs and the results of all tasks
        task: Option<String>,
    },
    /// The artifacts of a run, or one of them
    Artifacts {
        /// The run's id, or `last`
        run: String,
        /// The artifact to read
        name: Option<String>,
        /// The file that gets it [default: standard output]
        #[arg(long, value_name = "FILE", requires = "name")]
        to: Option<PathBuf>,
    },
}

impl RunCommand {
    /// Whether it only looks, so that it may be done twice.
    pub(crate) fn is_look(&self) -> bool {
        matches!(
            self,
            Self::List(_)
                | Self::Show { .. }
                | Self::Why { .. }
                | Self::Data { .. }
                | Self::Artifacts { .. }
        )
    }
}

/// `run list`
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// Only runs of this workflow
    #[arg(long)]
    pub(crate) workflow: Option<String>,
    /// Only runs with this status
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only runs that were accepted since: an instant, or how long ago, as `24h`
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) since: Option<String>,
    /// Only runs that were accepted before: an instant, or how long ago
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) until: Option<String>,
    /// Only runs that this one started
    #[arg(long, value_name = "WHO")]
    pub(crate) by: Option<String>,
    /// Only runs that were started by a task of this run
    #[arg(long, value_name = "RUN")]
    pub(crate) parent: Option<String>,
    #[command(flatten)]
    pub(crate) many: Many,
}

/// `run retry`
#[derive(Debug, Clone, Args)]
pub(crate) struct RetryArgs {
    /// The run's id, or `last`
    pub(crate) run: String,
    /// From this task on [default: all that did not succeed, and what needs it]
    #[arg(long, value_name = "TASK")]
    pub(crate) from: Option<String>,
    /// `after`: the task and all that need it; `task`: the task alone
    #[arg(long, value_name = "SCOPE", value_parser = ["after", "task"])]
    pub(crate) scope: Option<String>,
    /// `same`: the version that ran; `current`: the newest that is stored
    #[arg(long, value_name = "VERSION", value_parser = ["same", "current"])]
    pub(crate) version: Option<String>,
    /// Only tell what would be done
    #[arg(long, visible_alias = "dry-run")]
    pub(crate) preview: bool,
    /// Follow the new run; `json`: one event a line on standard output
    #[arg(long, value_name = "json", num_args = 0..=1, require_equals = true, default_missing_value = "tree")]
    pub(crate) watch: Option<Watch>,
}

/// `run decide`
#[derive(Debug, Clone, Args)]
pub(crate) struct DecideArgs {
    /// The run's id, or `last`
    pub(crate) run: String,
    /// The task
    pub(crate) task: String,
    /// `retry`: send it again; `fail`; `done`: it took effect
    #[arg(value_parser = ["retry", "fail", "done"])]
    pub(crate) decision: String,
    /// The item of an `each` task
    #[arg(long)]
    pub(crate) item: Option<u32>,
    /// The items of the groups around it, the outermost first, as `0,2`
    #[arg(long, value_delimiter = ',', value_name = "ITEMS")]
    pub(crate) path: Vec<u32>,
    /// With `done`: what the tool would have answered, as JSON
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub(crate) result: Option<serde_json::Value>,
}

fn json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|e| format!("it is no JSON: {e}"))
}

/// An instant as RFC 3339, given so or as the time that has passed since.
fn instant(text: &str) -> Result<String, String> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(instant.to_string());
    }
    let ago = gearmesh_workflow::duration::parse(text).map_err(|_| {
        format!(
            "`{text}` is no instant, as 2027-01-31T09:00:00Z, and no time that has passed, as 24h"
        )
    })?;
    jiff::Timestamp::now()
        .checked_sub(ago)
        .map(|instant| instant.to_string())
        .map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_given_as_such_or_as_time_that_has_passed() {
        assert_eq!(
            instant("2027-01-31T10:00:00+01:00").unwrap(),
            "2027-01-31T09:00:00Z"
        );
        let ago: jiff::Timestamp = instant("24h").unwrap().parse().unwrap();
        let hours = jiff::Timestamp::now().duration_since(ago).as_hours();
        assert!((23..=24).contains(&hours), "{hours}");
        assert!(instant("yesterday").unwrap_err().contains("as 24h"));
        assert!(instant("24").is_err());
    }

    #[test]
    fn later_flags_win_over_earlier_ones() {
        let of = |priority, input: &str| RunFlags {
            priority: Some(priority),
            inputs: vec![(input.into(), "1".into())],
            ..RunFlags::default()
        };
        let both = of(1, "a").with(of(2, "b"));
        assert_eq!((both.priority, both.inputs.len()), (Some(2), 2));
    }
}
