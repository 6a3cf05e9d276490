//! Why the orchestrator refuses.

use gearmesh_api::orchestrator::v1::OrchestratorFault;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::{EnumValueDescriptor, Fault, common, reason};
use gearmesh_workflow::{Diagnostic, InputError};

use crate::forward::SHARD;

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
    #[error("no workflow `{workflow}` is stored{}", meant(.nearest.as_deref()))]
    WorkflowNotFound {
        workflow: String,
        nearest: Option<String>,
    },
    #[error("workflow `{workflow}` has no version {version}; its newest is {newest}")]
    VersionNotFound {
        workflow: String,
        version: u32,
        newest: u32,
    },
    #[error("a workflow `{workflow}` is stored already; {}", instead(*.deleted))]
    WorkflowExists { workflow: String, deleted: bool },
    #[error("workflow `{workflow}` is {state}; {} it first", allow(.state))]
    WorkflowDisabled {
        workflow: String,
        state: &'static str,
    },
    #[error("workflow `{0}` was changed meanwhile; read it again, then change that")]
    EtagMismatch(String),
    #[error("the file is called `{found}`, not `{expected}`")]
    OtherName { found: String, expected: String },
    #[error("the first answer to this key cannot be read: {0}")]
    Answer(#[from] prost::DecodeError),
    #[error("no question `{0}` waits for an answer")]
    ApprovalNotFound(String),
    #[error("{0}")]
    ApprovalNotYours(String),
    #[error("{0}")]
    ApprovalAnswered(String),
    #[error("task `{task}` of {run} waits for no decision")]
    DecisionNotOpen { run: String, task: String },
    #[error("{run} has no task `{task}`")]
    TaskNotFound { run: String, task: String },
    /// Another instance answers this; see [`forward`](crate::forward).
    #[error("another instance has the run (shard {0})")]
    Elsewhere(gearmesh_store::Shard),
    #[error("{}", .0.message())]
    Remote(Box<tonic::Status>),
    #[error("{0} has not ended")]
    RunNotEnded(String),
    #[error("{run} has no artifact `{name}`")]
    ArtifactNotFound { run: String, name: String },
    #[error(
        "`{after}` is no cursor of artifact `{name}`: give the `cursor` of its last piece, \
         a number up to {bytes}, or nothing to begin at its start"
    )]
    ArtifactCursor {
        after: String,
        name: String,
        bytes: usize,
    },
    #[error(
        "a run that holds `{held}` must not wait for `{key}`: who has that may wait for the first"
    )]
    ConcurrencyCycle { key: String, held: String },
    #[error(
        "the secrets in the workflow cannot be sealed: {}; let the vault run, or store them there before and write `vault://vault/secret`",
        .0.message()
    )]
    Sealing(Box<tonic::Status>),
    #[error("what is sensitive in {run} cannot be read: {}; let the vault run", cause.message())]
    Unsealing {
        run: String,
        cause: Box<tonic::Status>,
    },
    #[error("{0}")]
    Test(String),
    #[error("{0}")]
    Parameters(String),
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn instead(deleted: bool) -> &'static str {
    match deleted {
        true => "it is deleted: restore it, then update it",
        false => "update it, or choose another name",
    }
}

fn allow(state: &str) -> &'static str {
    match state {
        "deleted" => "restore",
        _ => "enable",
    }
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

impl Error {
    /// What another instance answered.
    pub(crate) fn remote(status: tonic::Status) -> Self {
        Self::Remote(Box::new(status))
    }
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
            Self::PageToken(_)
            | Self::NothingToRun
            | Self::Parameters(_)
            | Self::ArtifactCursor { .. }
            | Self::OtherName { .. } => common(CommonFault::InvalidParameters),
            Self::WorkflowNotFound { .. } => ours(OrchestratorFault::WorkflowNotFound),
            Self::VersionNotFound { .. } => ours(OrchestratorFault::VersionNotFound),
            Self::WorkflowExists { .. } => ours(OrchestratorFault::WorkflowExists),
            Self::WorkflowDisabled { .. } => ours(OrchestratorFault::WorkflowDisabled),
            Self::EtagMismatch(_) => ours(OrchestratorFault::EtagMismatch),
            Self::ApprovalNotFound(_) => ours(OrchestratorFault::ApprovalNotFound),
            Self::ApprovalNotYours(_) => ours(OrchestratorFault::ApprovalNotYours),
            Self::ApprovalAnswered(_) => ours(OrchestratorFault::ApprovalAnswered),
            Self::DecisionNotOpen { .. } => ours(OrchestratorFault::DecisionNotOpen),
            Self::TaskNotFound { .. } => ours(OrchestratorFault::TaskNotFound),
            Self::RunNotEnded(_) => ours(OrchestratorFault::RunNotEnded),
            Self::ArtifactNotFound { .. } => ours(OrchestratorFault::ArtifactNotFound),
            Self::ConcurrencyCycle { .. } => ours(OrchestratorFault::ConcurrencyCycle),
            Self::Sealing(_) | Self::Unsealing { .. } => common(CommonFault::EngineUnavailable),
            Self::Test(_) => ours(OrchestratorFault::TestInvalid),
            Self::KeyReused { .. } => common(CommonFault::KeyReused),
            Self::Elsewhere(_) | Self::Remote(_) => common(CommonFault::StoreUnavailable),
            Self::Stopping => common(CommonFault::ShuttingDown),
            Self::Store(e) => e.reason(),
            Self::Open(_) => common(CommonFault::StoreFailed),
            Self::Row { .. } | Self::BlobMissing { .. } | Self::Stored { .. } | Self::Answer(_) => {
                common(CommonFault::InternalError)
            }
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::RunNotFound(run) | Self::KeyReused { run, .. } => vec![("run", run.clone())],
            Self::WorkflowNotFound {
                nearest: Some(name),
                ..
            } => vec![("nearest", name.clone())],
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
            Self::Cursor(_) | Self::ArtifactCursor { .. } => {
                vec![("after".into(), self.to_string())]
            }
            _ => Vec::new(),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        if let Error::Remote(status) = error {
            return *status;
        }
        let mut status = gearmesh_fault::status(&error);
        if let Error::Elsewhere(shard) = error {
            status.metadata_mut().insert(SHARD, u32::from(shard).into());
        }
        status
    }
}
