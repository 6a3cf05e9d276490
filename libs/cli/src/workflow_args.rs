//! What is typed behind `gearmesh workflow`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::Many;

/// The verbs of stored workflows.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum WorkflowCommand {
    /// The stored workflows, by name
    #[command(alias = "ls")]
    List {
        /// Only those in this state: enabled, disabled or deleted
        #[arg(long, value_name = "STATE", value_parser = ["enabled", "disabled", "deleted"])]
        state: Option<String>,
        /// Only those whose name, title, description or labels hold these words
        #[arg(value_name = "WORDS")]
        query: Vec<String>,
        #[command(flatten)]
        many: Many,
    },
    /// All about a workflow
    #[command(aliases = ["get", "describe"])]
    Show {
        /// Its name
        name: String,
        /// An earlier version
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        version: u32,
    },
    /// Store files: new workflows, and new versions of those that have changed
    Apply(ApplyArgs),
    /// What differs between versions, or a version and a file
    Diff(DiffArgs),
    /// The versions of a workflow, newest first
    #[command(alias = "versions")]
    History {
        /// Its name
        name: String,
        #[command(flatten)]
        many: Many,
    },
    /// Let workflows be started again
    Enable {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Keep workflows from being started; runs under way go on
    Disable {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Delete workflows; they can be restored for 30 days
    #[command(alias = "rm")]
    Delete {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Bring deleted workflows back, disabled
    Restore {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Make an earlier version the newest again
    Rollback {
        /// Its name
        name: String,
        /// The version
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        version: u32,
    },
    /// The file of a stored workflow, as it was applied
    Export {
        /// Its name
        name: String,
        /// An earlier version
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        version: u32,
        /// The file that gets it [default: standard output]
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Write a file of another dialect as native YAML
    Convert {
        /// The file; `-` reads standard input
        file: String,
        /// The file that gets it [default: standard output]
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Write files in the usual order and indentation
    Fmt(FmtArgs),
}

impl WorkflowCommand {
    /// Whether it only looks, so that it may be done twice.
    pub(crate) fn is_look(&self) -> bool {
        matches!(
            self,
            Self::List { .. }
                | Self::Show { .. }
                | Self::Diff(_)
                | Self::History { .. }
                | Self::Export { .. }
        )
    }
}

/// `workflow apply`
#[derive(Debug, Clone, Args)]
pub(crate) struct ApplyArgs {
    /// The workflow files, or folders of them; `-` reads standard input
    #[arg(required = true)]
    pub(crate) files: Vec<String>,
    /// What changed, for the history
    #[arg(
        short,
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) message: String,
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `workflow diff`
#[derive(Debug, Clone, Args)]
pub(crate) struct DiffArgs {
    /// Its name
    pub(crate) name: String,
    /// A file in place of the newer version; `-` reads standard input
    #[arg(conflicts_with = "to")]
    pub(crate) file: Option<String>,
    /// The older version [default: the one before; with a file the newest]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) from: Option<u32>,
    /// The newer version [default: the newest]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) to: Option<u32>,
}

/// `workflow fmt`
#[derive(Debug, Clone, Args)]
pub(crate) struct FmtArgs {
    /// The workflow files, or folders of them; `-` reads standard input and writes
    /// standard output
    #[arg(required = true)]
    pub(crate) files: Vec<String>,
    /// Change nothing; name the files that would change, and end with 3 if there are any
    #[arg(long)]
    pub(crate) check: bool,
    /// Write expressions as pure JMESPath
    #[arg(long)]
    pub(crate) strict_jmespath: bool,
}
