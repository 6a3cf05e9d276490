//! Why the engine refuses.

use std::time::Duration;

use gearmesh_api::db::v1::DbFault;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::{EnumValueDescriptor, Fault, common, reason};
use tonic::Code;

use crate::limits::{RESULT_BYTES_MAX, RETRY_FIRST, ROWS_MAX};

/// What a database said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) message: String,
    pub(crate) sqlstate: Option<String>,
    pub(crate) constraint: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("`{field}`: {what}")]
    Parameter { field: String, what: String },
    #[error("databases of type `{0}` are not built yet; postgresql, mysql and sqlite are")]
    NotBuilt(String),
    #[error("connection `{name}` cannot be used: {what}")]
    Settings { name: String, what: String },
    #[error("connection `{0}` only reads; open one without `readOnly` to write")]
    ReadOnly(String),
    #[error("connection `{name}` failed: {}", said.message)]
    Connect {
        name: String,
        said: Said,
        /// The same login may succeed later.
        transient: bool,
    },
    #[error("connection `{name}` was lost before the commit, so nothing was changed: {what}")]
    Lost { name: String, what: String },
    #[error(
        "connection `{name}` was lost during the commit, so whether it took effect is not known: {what}"
    )]
    LostAtCommit { name: String, what: String },
    #[error("the database refused: {}", .0.message)]
    Query(Said),
    #[error("a constraint refused: {}", said.message)]
    Constraint { said: Said, unique: bool },
    #[error("another transaction held what this one needed, so nothing was changed: {}", .0.message)]
    Conflict(Said),
    #[error("operation {operation} failed, so nothing was changed: {cause}")]
    Transaction { operation: usize, cause: Box<Error> },
    #[error("after {retries} retries nothing was changed: {cause}")]
    Retried { retries: u32, cause: Box<Error> },
    #[error(
        "the result has more than {ROWS_MAX} rows or {} MiB; set `limit` and `offset`, or select fewer columns",
        RESULT_BYTES_MAX / 1024 / 1024
    )]
    TooLarge,
    #[error("the database did not answer within {} ms and was told to stop", .0.as_millis())]
    Timeout(Duration),
    #[error("the commit did not end within {} ms, so whether it took effect is not known", .0.as_millis())]
    TimeoutAtCommit(Duration),
    #[error("what the procedure committed by itself stays: {0}")]
    Parts(Box<Error>),
    #[error("column `{column}` holds a {kind} that cannot be read: {what}")]
    Column {
        column: String,
        kind: String,
        what: String,
    },
}

impl Error {
    pub(crate) fn parameter(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Parameter {
            field: field.into(),
            what: what.into(),
        }
    }

    /// Whether the same transaction may succeed at once or a little later.
    pub(crate) fn conflict(&self) -> bool {
        match self {
            Self::Conflict(_) => true,
            Self::Transaction { cause, .. } => cause.conflict(),
            _ => false,
        }
    }

    /// The same error where nothing says that the effect was taken back.
    pub(crate) fn in_doubt(self) -> Self {
        match self {
            Self::Lost { name, what } => Self::LostAtCommit { name, what },
            Self::Timeout(limit) => Self::TimeoutAtCommit(limit),
            other => other,
        }
    }

    /// The same error of a statement that may have done some of its work.
    pub(crate) fn in_parts(self) -> Self {
        match self.in_doubt() {
            // Nothing was run.
            Self::Parameter { field, what } => Self::Parameter { field, what },
            Self::LostAtCommit { name, what } => Self::LostAtCommit { name, what },
            Self::TimeoutAtCommit(limit) => Self::TimeoutAtCommit(limit),
            other => Self::Parts(Box::new(other)),
        }
    }

    /// Whether the connection must not be used again: something may be under way on it.
    pub(crate) fn breaks(&self) -> bool {
        match self {
            Self::Query(_)
            | Self::Constraint { .. }
            | Self::Conflict(_)
            | Self::Parameter { .. } => false,
            Self::Transaction { cause, .. } | Self::Parts(cause) => cause.breaks(),
            _ => true,
        }
    }

    fn said(&self) -> Option<&Said> {
        match self {
            Self::Query(said)
            | Self::Conflict(said)
            | Self::Constraint { said, .. }
            | Self::Connect { said, .. } => Some(said),
            Self::Transaction { cause, .. } | Self::Retried { cause, .. } | Self::Parts(cause) => {
                cause.said()
            }
            _ => None,
        }
    }

    /// The operation of a transaction that failed.
    fn operation(&self) -> Option<usize> {
        match self {
            Self::Transaction { operation, .. } => Some(*operation),
            Self::Retried { cause, .. } => cause.operation(),
            _ => None,
        }
    }

    /// How far the call came, for whoever decides whether it may be sent again.
    fn phase(&self) -> Option<&'static str> {
        match self {
            Self::Connect { .. } => Some("connect"),
            // The transaction was open: the database takes it back.
            Self::Lost { .. } | Self::Timeout(_) => Some("undone"),
            Self::LostAtCommit { .. } | Self::TimeoutAtCommit(_) | Self::Parts(_) => {
                Some("exchange")
            }
            _ => None,
        }
    }
}

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        let ours = |fault: DbFault| reason("gearmesh.db.v1.DbFault", fault as i32);
        match self {
            Self::Parameter { .. } => common(CommonFault::InvalidParameters),
            Self::NotBuilt(_) => common(CommonFault::NotImplemented),
            Self::ReadOnly(_) => common(CommonFault::PermissionDenied),
            Self::Timeout(_) | Self::TimeoutAtCommit(_) => common(CommonFault::Timeout),
            Self::Settings { .. }
            | Self::Connect { .. }
            | Self::Lost { .. }
            | Self::LostAtCommit { .. } => ours(DbFault::DbConnectionFailed),
            Self::Query(_) | Self::Column { .. } => ours(DbFault::DbQueryFailed),
            Self::Constraint { .. } => ours(DbFault::DbConstraint),
            Self::Conflict(_) | Self::Retried { .. } => ours(DbFault::DbTransactionFailed),
            Self::Transaction { cause, .. } => match **cause {
                Self::Query(_) | Self::Column { .. } | Self::Constraint { .. } => {
                    ours(DbFault::DbTransactionFailed)
                }
                _ => cause.reason(),
            },
            Self::TooLarge => ours(DbFault::DbResultTooLarge),
            Self::Parts(cause) => cause.reason(),
        }
    }

    fn code(&self) -> Option<Code> {
        match self {
            Self::Constraint { unique: true, .. } => Some(Code::AlreadyExists),
            Self::Parts(cause) => cause.code(),
            _ => None,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        let mut add = |key, value: Option<String>| {
            if let Some(value) = value {
                all.push((key, value));
            }
        };
        let said = self.said();
        add("sqlstate", said.and_then(|s| s.sqlstate.clone()));
        add("constraint", said.and_then(|s| s.constraint.clone()));
        add("operation", self.operation().map(|n| n.to_string()));
        let cause = match self {
            Self::Transaction { cause, .. } => Some(cause),
            _ => None,
        };
        add(
            "cause",
            cause.map(|c| gearmesh_fault::meaning(&c.reason()).reason.clone()),
        );
        let phase = match self {
            Self::Transaction { cause, .. } => cause.phase(),
            other => other.phase(),
        };
        add("phase", phase.map(str::to_owned));
        all
    }

    fn violations(&self) -> Vec<(String, String)> {
        match self {
            Self::Parameter { field, what } => vec![(field.clone(), what.clone())],
            Self::Transaction { operation, cause } => cause
                .violations()
                .into_iter()
                .map(|(field, what)| (format!("operations[{operation}].{field}"), what))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let later = match self {
            Self::Connect { transient, .. } => *transient,
            Self::Lost { .. } | Self::Conflict(_) => true,
            Self::Retried { cause, .. } => cause.conflict(),
            Self::Transaction { cause, .. } => return cause.retry_after(),
            _ => false,
        };
        later.then_some(RETRY_FIRST * 10)
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        gearmesh_fault::status(&error)
    }
}

/// SQLSTATE 40001 and 40P01: serialization failure and deadlock. 55P03 and `SQLite`'s
/// 5 and 6: a lock that was not had in time.
const CONFLICTS: &[&str] = &["40001", "40P01", "55P03", "5", "6", "261", "517", "262"];

/// `PostgreSQL`'s `query_canceled`, `MySQL`'s interrupted query, `SQLite`'s interrupt.
const STOPPED: &[&str] = &["57014", "70100", "9"];

/// `PostgreSQL`: too many clients, starting up, shutting down.
const TRANSIENT: &[&str] = &["53300", "57P03", "57P01", "08004"];

impl Error {
    /// An error of the driver while a transaction was open.
    pub(crate) fn of(error: sqlx::Error, connection: &str, limit: Duration) -> Self {
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::Encode(_)
                | sqlx::Error::InvalidArgument(_) => Self::Query(Said {
                    message: error.to_string(),
                    ..Said::default()
                }),
                other => Self::Lost {
                    name: connection.to_owned(),
                    what: other.to_string(),
                },
            };
        };
        let code = database.code().map(|c| c.into_owned());
        let number = database
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
            .map(sqlx::mysql::MySqlDatabaseError::number);
        let said = Said {
            message: database.message().to_owned(),
            constraint: constraint(database.as_ref()),
            sqlstate: code.clone(),
        };
        let is = |list: &[&str]| code.as_deref().is_some_and(|c| list.contains(&c));
        // MySQL's lock wait timeout, and its statement time: both HY000.
        if is(CONFLICTS) || number == Some(1205) {
            return Self::Conflict(said);
        }
        if is(STOPPED) || number == Some(3024) {
            return Self::Timeout(limit);
        }
        // Class 57: an administrator ended the session, or the server goes down.
        if code.as_deref().is_some_and(|c| c.starts_with("57P")) {
            return Self::Lost {
                name: connection.to_owned(),
                what: said.message,
            };
        }
        // MySQL has its check constraints as HY000 4025 (MariaDB) and 3819.
        let check = matches!(number, Some(4025 | 3819));
        match database.kind() {
            sqlx::error::ErrorKind::Other if !check => Self::Query(said),
            sqlx::error::ErrorKind::UniqueViolation => Self::Constraint { said, unique: true },
            _ => Self::Constraint {
                said,
                unique: false,
            },
        }
    }

    /// An error of the driver while logging in.
    pub(crate) fn login(error: &sqlx::Error, connection: &str) -> Self {
        let (said, transient) = match error {
            sqlx::Error::Database(database) => {
                let code = database.code().map(|c| c.into_owned());
                let transient = code.as_deref().is_some_and(|c| TRANSIENT.contains(&c));
                let said = Said {
                    message: database.message().to_owned(),
                    sqlstate: code,
                    constraint: None,
                };
                (said, transient)
            }
            // A certificate that does not fit fits no better later.
            sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => (plain(error), false),
            sqlx::Error::Io(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                (plain(error), false)
            }
            other => (plain(other), true),
        };
        Self::Connect {
            name: connection.to_owned(),
            said,
            transient,
        }
    }
}

fn plain(error: &sqlx::Error) -> Said {
    Said {
        message: error.to_string(),
        ..Said::default()
    }
}

/// The constraint's name: `PostgreSQL` tells it, the others write it into the text.
fn constraint(error: &dyn sqlx::error::DatabaseError) -> Option<String> {
    if let Some(name) = error.constraint() {
        return Some(name.to_owned());
    }
    if error.kind() == sqlx::error::ErrorKind::Other && !error.message().contains("CONSTRAINT") {
        return None;
    }
    let message = error.message();
    for (before, after) in [("for key '", '\''), ("CONSTRAINT `", '`')] {
        if let Some((_, rest)) = message.split_once(before) {
            return rest.split(after).next().map(str::to_owned);
        }
    }
    let rest = message.split_once("constraint failed: ")?.1;
    Some(rest.to_owned())
}

#[cfg(test)]
mod tests {
    use gearmesh_fault::Failure;

    use super::*;

    #[test]
    fn procedure_that_failed_is_not_tried_again_and_leaves_its_effect_open() {
        let said = Said {
            message: "deadlock".to_owned(),
            sqlstate: Some("40001".to_owned()),
            constraint: None,
        };
        assert!(Error::Conflict(said.clone()).conflict());
        for cause in [
            Error::Conflict(said.clone()),
            Error::Query(said),
            Error::TooLarge,
        ] {
            let error = cause.in_parts();
            assert!(!error.conflict());
            let failure = Failure::of(&error.into());
            assert!(!failure.without_effect(), "{failure:?}");
        }
        let unsent = Error::parameter("params", "too few").in_parts();
        assert!(Failure::of(&unsent.into()).without_effect());
    }
}
