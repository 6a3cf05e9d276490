//! Why the engine refuses.

use gearmesh_api::scheduler::v1::SchedulerFault;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::{EnumValueDescriptor, Fault, common, reason};

use crate::table::SCHEDULES_MAX;
use gearmesh_schedule::RuleError;

/// A result of this crate.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no schedule has the id or name `{0}`; list the schedules to see which there are")]
    NotFound(String),
    #[error("another schedule has the name `{0}`; choose another, or update that one")]
    Exists(String),
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error("schedule `{0}` is paused; resume it first")]
    Disabled(String),
    #[error("what the schedule would start is not valid: {}", first(.0))]
    Target(Vec<(String, String)>),
    #[error("the schedule has etag {found}, not {wanted}; read it again and repeat")]
    Etag { wanted: String, found: String },
    #[error("there are {SCHEDULES_MAX} schedules, as many as there may be; delete one")]
    Limit,
    #[error("{message}")]
    Parameter {
        field: &'static str,
        message: String,
    },
    /// What another engine answered is passed on as it came.
    #[error("{}", .0.message())]
    Call(Box<tonic::Status>),
    #[error(transparent)]
    Store(#[from] gearmesh_store::Error),
    #[error("the store failed: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("the store cannot be opened: {0}")]
    Open(#[from] gearmesh_runtime::Error),
    #[error("a stored reply cannot be read: {0}")]
    Reply(#[from] prost::DecodeError),
    #[error("a stored schedule cannot be read: {0}")]
    Stored(#[from] serde_json::Error),
}

fn first(faults: &[(String, String)]) -> &str {
    faults.first().map_or("", |(_, message)| message)
}

impl Error {
    pub(crate) fn parameter(field: &'static str, message: impl Into<String>) -> Self {
        Self::Parameter {
            field,
            message: message.into(),
        }
    }
}

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        let ours =
            |fault: SchedulerFault| reason("gearmesh.scheduler.v1.SchedulerFault", fault as i32);
        match self {
            Self::NotFound(_) => ours(SchedulerFault::ScheduleNotFound),
            Self::Exists(_) => ours(SchedulerFault::ScheduleExists),
            Self::Rule(
                RuleError::Text { .. } | RuleError::Invalid { .. } | RuleError::TooCostly,
            ) => ours(SchedulerFault::InvalidSchedule),
            Self::Rule(RuleError::InPast(_)) => ours(SchedulerFault::ScheduleInPast),
            Self::Rule(RuleError::NeverFires) => ours(SchedulerFault::ScheduleNeverFires),
            Self::Disabled(_) => ours(SchedulerFault::ScheduleDisabled),
            Self::Target(_) => ours(SchedulerFault::TargetInvalid),
            Self::Etag { .. } => ours(SchedulerFault::EtagMismatch),
            Self::Limit => ours(SchedulerFault::ScheduleLimit),
            Self::Parameter { .. } => common(CommonFault::InvalidParameters),
            Self::Store(e) => e.reason(),
            Self::Sql(_) | Self::Open(_) => common(CommonFault::StoreFailed),
            Self::Call(_) | Self::Reply(_) | Self::Stored(_) => common(CommonFault::InternalError),
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NotFound(id) | Self::Disabled(id) => vec![("schedule", id.clone())],
            Self::Exists(name) => vec![("name", name.clone())],
            Self::Etag { found, .. } => vec![("etag", found.clone())],
            _ => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<(String, String)> {
        match self {
            Self::Rule(RuleError::Text { field, .. } | RuleError::Invalid { field, .. })
            | Self::Parameter { field, .. } => {
                vec![((*field).to_owned(), self.to_string())]
            }
            Self::Rule(RuleError::InPast(_)) => {
                vec![("executeAt".to_owned(), self.to_string())]
            }
            Self::Target(faults) => faults.clone(),
            _ => Vec::new(),
        }
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        Self::Call(Box::new(status))
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Call(status) => *status,
            error => gearmesh_fault::status(&error),
        }
    }
}
