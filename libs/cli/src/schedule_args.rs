//! What is typed behind `gearmesh schedule`.

use clap::{Args, Subcommand};

use crate::args::pair;

/// The verbs of schedules.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Run a workflow file by the clock
    Create(Box<CreateArgs>),
    /// The schedules, by name
    #[command(alias = "ls")]
    List {
        /// Most schedules that are shown
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
    /// All about a schedule
    #[command(aliases = ["get", "describe"])]
    Show {
        /// Its name or id
        schedule: String,
    },
    /// Fire no more until it is resumed
    #[command(alias = "disable")]
    Pause {
        /// Its name or id
        schedule: String,
    },
    /// Fire again, from now on
    #[command(alias = "enable")]
    Resume {
        /// Its name or id
        schedule: String,
    },
    /// Start an extra run now
    #[command(alias = "fire")]
    Run {
        /// Its name or id
        schedule: String,
    },
    /// The next fires, of a schedule or of a rule that is only asked about
    #[command(alias = "next")]
    Preview {
        /// Its name or id; none with a rule
        #[arg(required_unless_present = "rule", conflicts_with = "rule")]
        schedule: Option<String>,
        /// Fires that are shown
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        #[command(flatten)]
        rule: RuleArgs,
    },
    /// Delete a schedule with its history
    #[command(alias = "rm")]
    Delete {
        /// Its name or id
        schedule: String,
    },
    /// What became of its fires, newest first
    History {
        /// Its name or id
        schedule: String,
        /// Most fires that are shown
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
}

/// When it fires.
#[derive(Debug, Default, Args)]
pub(crate) struct RuleArgs {
    /// Cron: five fields, or six with seconds first
    #[arg(long, group = "rule", value_name = "EXPRESSION")]
    pub(crate) cron: Option<String>,
    /// Rule of RFC 5545, as `FREQ=MONTHLY;BYDAY=-1FR`
    #[arg(long, group = "rule", value_name = "RULE")]
    pub(crate) rrule: Option<String>,
    /// Time between two fires, as `15m`
    #[arg(long, group = "rule", value_name = "TIME")]
    pub(crate) every: Option<String>,
    /// The one instant, as `2027-01-31T09:00:00`
    #[arg(long, group = "rule", value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// First instant of --rrule and --every [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
    /// No fire after this instant
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Zone, as `Europe/Chisinau` [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
}

/// `schedule create FILE`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("needed").args(["cron", "rrule", "every", "at"]).required(true))]
pub(crate) struct CreateArgs {
    /// The workflow file; `-` reads standard input
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) rule: RuleArgs,
    /// What it is called [default: the workflow's name]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What it is for
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// An input of the workflow; give it once for each
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) inputs: Vec<(String, String)>,
    /// Fires that were due while nothing ran: `none`, `last` or `all` [default: last]
    #[arg(long, value_name = "POLICY")]
    pub(crate) catch_up: Option<String>,
    /// While a run of it is open: `skip`, `queueOne`, `queue`, `allow` or `cancelRunning` [default: skip]
    #[arg(long, value_name = "POLICY")]
    pub(crate) overlap: Option<String>,
    /// Each fire waits a time of its own up to this, as `5m`
    #[arg(long, value_name = "TIME")]
    pub(crate) jitter: Option<String>,
    /// Make it paused
    #[arg(long)]
    pub(crate) paused: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn parse(line: &str) -> Result<ScheduleCommand, clap::Error> {
        let words = ["gearmesh", "schedule"]
            .into_iter()
            .chain(line.split_whitespace());
        match Cli::try_parse_from(words)?.command {
            Command::Schedule(command) => Ok(command),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn schedule_has_exactly_one_rule() {
        let line =
            "create a.yaml --rrule FREQ=DAILY --timezone Europe/Chisinau --input k=v --paused";
        let ScheduleCommand::Create(args) = parse(line).unwrap() else {
            panic!("no create");
        };
        assert_eq!(args.rule.rrule.as_deref(), Some("FREQ=DAILY"));
        assert_eq!(args.inputs, [("k".to_owned(), "v".to_owned())]);
        assert!(parse("create a.yaml").is_err());
        assert!(parse("create a.yaml --every 1h --at 2027-01-01T00:00:00Z").is_err());
    }

    #[test]
    fn preview_takes_a_schedule_or_a_rule() {
        assert!(parse("preview nightly --count 2").is_ok());
        assert!(parse("next --every 1h").is_ok());
        assert!(parse("preview").is_err());
        assert!(parse("preview nightly --every 1h").is_err());
        assert!(parse("preview nightly --count 1001").is_err());
    }
}
