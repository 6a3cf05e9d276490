//! Why the orchestrator refuses.

use gearmesh_api::orchestrator::v1::OrchestratorFault;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::{EnumValueDescriptor, Fault, common, reason};
use gearmesh_workflow::{Diagnostic, InputError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no run `{0}`")]
    RunNotFound(String),
    #[error("{}", invalid(.0))]
    Invalid(Vec<Diagnostic>),
    #[error("{}", inputs(.0))]
    Inputs(Vec<InputError>),
    #[error("variable `{name}`: {message}")]
    Variable {
        name: String,
        code: String,
        message: String,
    },
    #[error("`{0}` is no cursor of this run")]
    Cursor(String),
    #[error("`{0}` is no token of a page before")]
    PageToken(String),
    #[error("give `tasks` or `source`, and not both")]
    NothingToRun,
    #[error("request key `{key}` was used for another request, which started {run}")]
    KeyReused { key: String, run: String },
    #[error("the orchestrator is stopping")]
    Stopping,
    #[error(transparent)]
    Store(#[from] gearmesh_store::Error),
    #[error("the store cannot be opened: {0}")]
    Open(#[from] gearmesh_runtime::Error),
    #[error("row {n} of the journal cannot be read: {source}")]
    Row { n: u32, source: prost::DecodeError },
    #[error("the result of row {n} is missing from the blobs")]
    BlobMissing { n: u32 },
    #[error("the stored workflow of {run} cannot be read: {reason}")]
    Stored { run: String, reason: String },
}

fn invalid(diagnostics: &[Diagnostic]) -> String {
    match diagnostics {
        [one] => format!("{}: {}", one.code, one.message),
        all => format!("the workflow has {} faults; nothing was started", all.len()),
    }
}

fn inputs(errors: &[InputError]) -> String {
    let all: Vec<_> = errors.iter().map(|e| e.message.as_str()).collect();
    all.join("; ")
}

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        let ours =
            |f: OrchestratorFault| reason("gearmesh.orchestrator.v1.OrchestratorFault", f as i32);
        match self {
            Self::RunNotFound(_) => ours(OrchestratorFault::RunNotFound),
            Self::Invalid(_) => ours(OrchestratorFault::WorkflowInvalid),
            Self::Inputs(_) => ours(OrchestratorFault::InputInvalid),
            Self::Variable { .. } => ours(OrchestratorFault::VariableResolutionError),
            Self::Cursor(_) => ours(OrchestratorFault::CursorExpired),
            Self::PageToken(_) | Self::NothingToRun => common(CommonFault::InvalidParameters),
            Self::KeyReused { .. } => common(CommonFault::KeyReused),
            Self::Stopping => common(CommonFault::ShuttingDown),
            Self::Store(e) => e.reason(),
            Self::Open(_) => common(CommonFault::StoreFailed),
            Self::Row { .. } | Self::BlobMissing { .. } | Self::Stored { .. } => {
                common(CommonFault::InternalError)
            }
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::RunNotFound(run) | Self::KeyReused { run, .. } => vec![("run", run.clone())],
            _ => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<(String, String)> {
        match self {
            Self::Invalid(diagnostics) => diagnostics
                .iter()
                .map(|d| {
                    let place = format!(
                        "{}:{}:{}",
                        d.location.file, d.location.line, d.location.column
                    );
                    (place, format!("{}: {}", d.code, d.message))
                })
                .collect(),
            Self::Inputs(errors) => errors
                .iter()
                .map(|e| (format!("inputs.{}", e.input), e.message.clone()))
                .collect(),
            Self::PageToken(_) => vec![("pageToken".into(), self.to_string())],
            Self::Cursor(_) => vec![("after".into(), self.to_string())],
            _ => Vec::new(),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        gearmesh_fault::status(&error)
    }
}
