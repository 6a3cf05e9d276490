//! Why a command did not do what was asked.

use std::io;
use std::path::PathBuf;

use gearmesh_fault::Failure;
use gearmesh_workflow::{Diagnostic, InputError};
use serde_json::{Value, json};
use tonic::Status;

use crate::access;
use crate::client::built_in;
use crate::exit::Exit;
use crate::starter::StartError;

/// The code of a folder that another process serves, with settings of its own.
pub(crate) const SERVED_ALREADY: &str = "SERVED_ALREADY";

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line is wrong.
    #[error("{message}")]
    Usage {
        message: String,
        help: Option<String>,
    },
    /// The thing does not exist.
    #[error("{message}")]
    NotFound {
        code: &'static str,
        message: String,
        help: Option<String>,
    },
    /// What is wanted is there in another way.
    #[error("{message}")]
    Conflict {
        code: &'static str,
        message: String,
        help: String,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {source}")]
    Output { source: io::Error },
    /// Nobody reads standard output any more.
    #[error("standard output was closed")]
    Closed,
    /// A workflow has faults.
    #[error("{}", faults(found))]
    Invalid {
        found: Vec<Diagnostic>,
        text: String,
    },
    /// A file cannot be written in the usual form.
    #[error("`{file}` is not formatted: {reason}")]
    Unformatted { file: String, reason: String },
    /// Inputs do not fit.
    #[error("{}", inputs(.0))]
    Inputs(Vec<InputError>),
    /// A call failed.
    #[error("{}", said(.0))]
    Call(Box<Failure>),
    /// The server is not there.
    #[error("no server answers at {url}")]
    Unreachable { url: String, reason: String },
    /// It was not finished in time.
    #[error("{what} did not end within {within}")]
    Unfinished {
        what: String,
        within: String,
        help: String,
    },
    /// Ctrl-C.
    #[error("{message}")]
    Interrupted {
        message: String,
        help: Option<String>,
    },
    /// The mesh did not start.
    #[error("{}", .0.message)]
    Start(StartError),
    /// The catalogue that is built in cannot be read.
    #[error(transparent)]
    Catalog(#[from] gearmesh_catalog::Error),
    /// The runtime or a signal handler cannot be made.
    #[error("cannot start: {0}")]
    System(io::Error),
}

/// What an error says, whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    /// The reason.
    pub(crate) code: String,
    /// One sentence.
    pub(crate) message: String,
    /// What may help.
    pub(crate) help: Vec<String>,
    /// What else is to be known, such as whether anything happened.
    pub(crate) notes: Vec<String>,
    /// Whether the same may succeed later.
    pub(crate) retryable: bool,
    /// What else was told.
    pub(crate) details: Value,
}

impl Error {
    /// Whether the server has ended, or is about to: nothing was done.
    pub(crate) fn is_departure(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Call(failure) => failure.reason == "SHUTTING_DOWN",
            _ => false,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            help: None,
        }
    }

    /// A failed call of the server at `url`.
    pub(crate) fn of_call(status: &Status, url: &str) -> Self {
        let failure = Failure::of(status);
        let nobody = match failure.reason.as_str() {
            // With the engine's name it is the server that cannot reach it.
            "ENGINE_UNAVAILABLE" => !failure.metadata.contains_key("engine"),
            "UNAVAILABLE" => failure.domain.is_empty(),
            _ => false,
        };
        if nobody {
            return Self::Unreachable {
                url: url.to_owned(),
                reason: failure.message,
            };
        }
        Self::Call(Box::new(failure))
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } => Exit::Usage,
            Self::NotFound { .. } => Exit::NotFound,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::Closed => Exit::Done,
            Self::Conflict { .. } => Exit::Conflict,
            Self::Invalid { .. } | Self::Inputs(_) | Self::Unformatted { .. } => Exit::Invalid,
            Self::Call(failure) => Exit::of_code(failure.code),
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Unfinished { .. } => Exit::Unfinished,
            Self::Interrupted { .. } => Exit::Interrupted,
            Self::Start(error) if error.is_conflict() => Exit::Conflict,
            Self::Start(error) if error.code == StartError::CONFIG => Exit::Usage,
            Self::Start(_)
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Output { .. }
            | Self::Catalog(_)
            | Self::System(_) => Exit::Failed,
        }
    }

    /// What it says.
    pub(crate) fn report(&self) -> Report {
        let mut report = Report {
            code: self.code(),
            message: self.to_string(),
            help: self.help(),
            notes: Vec::new(),
            retryable: false,
            details: Value::Null,
        };
        match self {
            Self::Unreachable { reason, .. } => {
                report.retryable = true;
                report.notes.push(reason.clone());
            }
            Self::Inputs(errors) => {
                report.notes.push("nothing was run".to_owned());
                report.details = errors
                    .iter()
                    .map(|e| json!({"input": e.input, "message": e.message}))
                    .collect();
            }
            Self::Call(failure) => {
                report.retryable = failure.retryable;
                for violation in &failure.violations {
                    report
                        .notes
                        .push(format!("`{}`: {}", violation.field, violation.description));
                }
                if failure.retryable {
                    report
                        .notes
                        .push("the same call may succeed later".to_owned());
                }
                report.details = failure.to_json();
            }
            _ => {}
        }
        report
    }

    fn code(&self) -> String {
        let fixed = match self {
            Self::Usage { .. } => "USAGE",
            Self::NotFound { code, .. } | Self::Conflict { code, .. } => code,
            Self::Read { .. } => "FILE_NOT_READABLE",
            Self::Write { .. } | Self::Output { .. } => "NOT_WRITABLE",
            Self::Closed => "CLOSED",
            Self::Invalid { .. } => "WORKFLOW_INVALID",
            Self::Inputs(_) => "INPUT_INVALID",
            Self::Unformatted { .. } => "NOT_FORMATTED",
            Self::Call(failure) => match access::code(failure) {
                Some(code) => code,
                None => return failure.reason.clone(),
            },
            Self::Unreachable { .. } => "SERVER_UNREACHABLE",
            Self::Unfinished { .. } => "TIMEOUT",
            Self::Interrupted { .. } => "INTERRUPTED",
            Self::Start(error) => error.code,
            Self::Catalog(_) | Self::System(_) => "INTERNAL_ERROR",
        };
        fixed.to_owned()
    }

    fn help(&self) -> Vec<String> {
        match self {
            Self::Usage { help, .. }
            | Self::NotFound { help, .. }
            | Self::Interrupted { help, .. } => help.iter().cloned().collect(),
            Self::Inputs(errors) => {
                let mut hints: Vec<String> = errors.iter().flat_map(|e| e.hints.clone()).collect();
                hints.dedup();
                hints
            }
            Self::Unfinished { help, .. } | Self::Conflict { help, .. } => vec![help.clone()],
            Self::Unreachable { .. } => {
                vec!["start one with `gearmesh dev`, or name another with --server".to_owned()]
            }
            Self::Start(error) => error.help.iter().cloned().collect(),
            Self::Call(failure) if failure.reason == "RUN_NOT_FOUND" => {
                vec!["gearmesh run list".to_owned()]
            }
            Self::Call(failure) => access::help(failure)
                .or_else(|| remedy(failure))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// What the catalogue says behind the cause of a fault.
fn remedy(failure: &Failure) -> Option<String> {
    let catalog = built_in().ok()?;
    let fault = catalog.fault(&failure.domain, &failure.reason)?;
    let text = fault.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, remedy) = text.split_once(". ")?;
    Some(remedy.to_owned())
}

/// What a server said, or that it said nothing.
fn said(failure: &Failure) -> String {
    match failure.message.as_str() {
        "" if failure.reason == "UNIMPLEMENTED" => "the server does not have this".to_owned(),
        "" => "the server gave no reason".to_owned(),
        message => message.to_owned(),
    }
}

fn faults(found: &[Diagnostic]) -> String {
    match found {
        [one] => one.message.clone(),
        all => format!("{} faults; nothing was run", all.len()),
    }
}

fn inputs(errors: &[InputError]) -> String {
    let all: Vec<_> = errors.iter().map(|e| e.message.as_str()).collect();
    all.join("; ")
}

#[cfg(test)]
impl Error {
    /// One of each kind that has a code of its own and is shown.
    pub(crate) fn one_of_each() -> Vec<Self> {
        let text = String::new;
        let io = || io::Error::other("x");
        let start = |code| {
            Self::Start(StartError {
                code,
                message: text(),
                help: None,
            })
        };
        vec![
            Self::usage(""),
            Self::NotFound {
                code: "UNKNOWN_CODE",
                message: text(),
                help: None,
            },
            Self::Conflict {
                code: SERVED_ALREADY,
                message: text(),
                help: text(),
            },
            Self::Read {
                path: PathBuf::new(),
                source: io(),
            },
            Self::Write {
                path: PathBuf::new(),
                source: io(),
            },
            Self::Output { source: io() },
            Self::Invalid {
                found: Vec::new(),
                text: text(),
            },
            Self::Inputs(Vec::new()),
            Self::Unformatted {
                file: text(),
                reason: text(),
            },
            Self::Unreachable {
                url: text(),
                reason: text(),
            },
            Self::Unfinished {
                what: text(),
                within: text(),
                help: text(),
            },
            Self::Interrupted {
                message: text(),
                help: None,
            },
            start(StartError::LOCKED),
            start(StartError::ADDRESS_IN_USE),
            start(StartError::CONFIG),
            start(StartError::FAILED),
            Self::System(io()),
        ]
    }
}
