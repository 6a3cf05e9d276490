//! Why the engine refuses.

use std::time::Duration;

use gearmesh_api::email::v1::EmailFault;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::{EnumValueDescriptor, Failure, Fault, common, reason};
use tonic::{Code, Status};

use crate::attachment::ATTACHMENTS_MAX;

/// Why a call failed. No error holds a password or what was sent for a login.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{reason}")]
    Parameter { field: String, reason: String },
    #[error("{reason}")]
    Address { field: String, reason: String },
    #[error("connection `{name}` cannot be used: {reason}")]
    Connection { name: String, reason: String },
    #[error("no mail connection named `{0}`")]
    NoConnection(String),
    #[error("`{server}` did not accept the login{}", answer(*.code))]
    Login { server: String, code: Option<u16> },
    #[error("`{server}` cannot be reached: {reason}")]
    Unreachable { server: String, reason: String },
    #[error("`{server}` cannot be used without verified TLS: {reason}")]
    Tls {
        server: String,
        cause: &'static str,
        reason: String,
    },
    #[error("`{server}` refused {what} with {code}: {text}")]
    Refused {
        server: String,
        what: String,
        code: u16,
        text: String,
    },
    #[error("nothing was sent: {reason}")]
    NotSent { reason: String },
    #[error("`{server}` did not say whether it took the mail: {reason}")]
    Unanswered { server: String, reason: String },
    #[error("`{server}` did not give the mails: {reason}")]
    Fetch { server: String, reason: String },
    #[error("the mailbox has no folder `{0}`")]
    Folder(String),
    #[error("the text is no mail: it does not begin with headers")]
    NoMail,
    #[error("the attachments have more than {ATTACHMENTS_MAX} bytes with `{0}`")]
    TooLarge(String),
    #[error("the message cannot be built: {0}")]
    Build(String),
    #[error("{}", .0.message())]
    Upstream(Box<Status>),
}

fn answer(code: Option<u16>) -> String {
    code.map(|c| format!(" ({c})")).unwrap_or_default()
}

/// Waits at least this long before a mail that was refused for now is sent again:
/// greylisting servers want some minutes, most others less.
const RETRY_AFTER: Duration = Duration::from_secs(30);

impl Error {
    /// A parameter that does not fit.
    pub(crate) fn parameter(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Parameter {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// As a failure of a send that had not begun: what came from others and leaves
    /// the effect open is said to have had none.
    pub(crate) fn before_send(self) -> Self {
        match self {
            Self::Upstream(status) if !Failure::of(&status).without_effect() => Self::NotSent {
                reason: status.message().to_owned(),
            },
            other => other,
        }
    }

    fn is_for_now(&self) -> bool {
        match self {
            Self::Refused { code, .. } => (400..500).contains(code),
            Self::Unreachable { .. } | Self::NotSent { .. } => true,
            _ => false,
        }
    }
}

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        let ours = |fault: EmailFault| reason("gearmesh.email.v1.EmailFault", fault as i32);
        match self {
            Self::Parameter { .. } | Self::Connection { .. } => {
                common(CommonFault::InvalidParameters)
            }
            Self::NoConnection(_) => common(CommonFault::ConnectionNotFound),
            Self::Address { .. } => ours(EmailFault::EmailInvalidAddress),
            Self::Login { .. } => ours(EmailFault::EmailAuthFailed),
            Self::Unreachable { .. } | Self::Tls { .. } => ours(EmailFault::EmailConnectionFailed),
            Self::Refused { .. } | Self::NotSent { .. } | Self::Unanswered { .. } => {
                ours(EmailFault::EmailSendFailed)
            }
            Self::Fetch { .. } => ours(EmailFault::EmailFetchFailed),
            Self::Folder(_) => ours(EmailFault::FolderNotFound),
            Self::NoMail => ours(EmailFault::EmailParseFailed),
            Self::TooLarge(_) => ours(EmailFault::EmailAttachmentTooLarge),
            Self::Build(_) | Self::Upstream(_) => common(CommonFault::InternalError),
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        // `phase` says whether a mail may have left: the layers read it.
        let connect = ("phase", "connect".to_owned());
        match self {
            Self::Login { server, .. } => vec![("server", server.clone())],
            Self::Unreachable { server, .. } => vec![connect, ("server", server.clone())],
            Self::Tls { server, cause, .. } => vec![
                connect,
                ("server", server.clone()),
                ("cause", (*cause).to_owned()),
            ],
            Self::Refused { server, code, .. } => vec![
                connect,
                ("server", server.clone()),
                ("status", code.to_string()),
            ],
            Self::NotSent { .. } => vec![connect],
            Self::Unanswered { server, .. } => {
                vec![("phase", "exchange".to_owned()), ("server", server.clone())]
            }
            Self::Fetch { server, .. } => vec![("server", server.clone())],
            Self::Folder(folder) => vec![("folder", folder.clone())],
            Self::Connection { name, .. } | Self::NoConnection(name) => {
                vec![("connection", name.clone())]
            }
            Self::TooLarge(filename) => vec![("filename", filename.clone())],
            _ => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<(String, String)> {
        match self {
            Self::Parameter { field, reason } | Self::Address { field, reason } => {
                vec![(field.clone(), reason.clone())]
            }
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { .. } if self.is_for_now() => Some(RETRY_AFTER),
            _ if self.is_for_now() => Some(Duration::ZERO),
            _ => None,
        }
    }

    fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { .. } if !self.is_for_now() => Some(Code::FailedPrecondition),
            Self::Tls { .. } => Some(Code::FailedPrecondition),
            _ => None,
        }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Upstream(Box::new(status))
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            // What another engine said already has its reason.
            Error::Upstream(status) => *status,
            error => gearmesh_fault::status(&error),
        }
    }
}
