//! Why a request failed.

use std::time::Duration;

use gearmesh_api::http::v1::HttpFault;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::{EnumValueDescriptor, Fault, common, reason};
use http::StatusCode;
use tonic::Code;

use crate::connection::Unusable;
use crate::redirect::REDIRECTS_MAX;
use crate::status;

/// Why a request failed. Addresses in it have no query: that is where keys stand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{reason}")]
    Parameter { field: String, reason: String },
    #[error(transparent)]
    Connection(#[from] Unusable),
    #[error("`{url}` may not be called: {reason}")]
    Denied { url: String, reason: String },
    #[error("`{url}` answered {status}")]
    Status {
        url: String,
        status: StatusCode,
        excerpt: String,
        retry_after: Option<Duration>,
    },
    #[error("`{url}` answered in the coding `{coding}`, which cannot be read")]
    Coding { url: String, coding: String },
    #[error("`{url}` redirected more than {REDIRECTS_MAX} times")]
    RedirectLoop { url: String },
    #[error("`{url}` redirected to what is no address: {reason}")]
    RedirectTarget { url: String, reason: String },
    #[error("`{url}` answered with more than {limit} bytes of {what}")]
    TooLarge {
        url: String,
        what: &'static str,
        limit: usize,
    },
    #[error("`{url}` answered with a body that cannot be read: {reason}")]
    Unreadable { url: String, reason: String },
    #[error("`{url}` cannot be reached: {reason}")]
    Unreached { url: String, reason: String },
    #[error("the exchange with `{url}` broke off: {reason}")]
    Cut { url: String, reason: String },
    #[error("`{url}` did not answer within {} ms", limit.as_millis())]
    Timeout { url: String, limit: Duration },
    #[error("no client for requests: {0}")]
    Client(#[source] reqwest::Error),
    /// The request had been answered by a redirect to its result, and the way there failed.
    #[error("{0}")]
    Behind(#[source] Box<Error>),
}

impl Error {
    /// A parameter that does not fit.
    pub(crate) fn parameter(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Parameter {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreached { .. } | Self::Cut { .. } | Self::Timeout { .. } => true,
            Self::Status { status, .. } => status::is_transient(*status),
            Self::Behind(cause) => cause.is_transient(),
            _ => false,
        }
    }
}

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        let ours = |fault: HttpFault| reason("gearmesh.http.v1.HttpFault", fault as i32);
        match self {
            Self::Parameter { .. } | Self::Connection(_) => common(CommonFault::InvalidParameters),
            Self::Denied { .. } => ours(HttpFault::EgressDenied),
            Self::Status { .. } => ours(HttpFault::HttpStatus),
            Self::Coding { .. } => ours(HttpFault::UnsupportedFormat),
            Self::RedirectLoop { .. } | Self::RedirectTarget { .. } => {
                ours(HttpFault::RedirectFailed)
            }
            Self::TooLarge { .. } => common(CommonFault::ResponseTooLarge),
            Self::Unreadable { .. } => common(CommonFault::ParseError),
            Self::Unreached { .. } | Self::Cut { .. } => common(CommonFault::NetworkError),
            Self::Timeout { .. } => common(CommonFault::Timeout),
            Self::Client(_) => common(CommonFault::InternalError),
            Self::Behind(cause) => cause.reason(),
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Status {
                url,
                status,
                excerpt,
                ..
            } => vec![
                ("status", status.as_str().to_owned()),
                ("body", excerpt.clone()),
                ("url", url.clone()),
            ],
            // Whether the request had left: only before that nothing has happened.
            Self::Unreached { url, .. } => {
                vec![("phase", "connect".to_owned()), ("url", url.clone())]
            }
            Self::Cut { url, .. } => vec![("phase", "exchange".to_owned()), ("url", url.clone())],
            // The server had answered by then, so it may have done what was asked.
            Self::Coding { url, .. }
            | Self::RedirectLoop { url }
            | Self::RedirectTarget { url, .. }
            | Self::TooLarge { url, .. }
            | Self::Unreadable { url, .. } => {
                vec![("phase", "exchange".to_owned()), ("url", url.clone())]
            }
            Self::Denied { url, .. } | Self::Timeout { url, .. } => vec![("url", url.clone())],
            Self::Behind(cause) => {
                let mut metadata = cause.metadata();
                metadata.retain(|(key, _)| *key != "phase");
                metadata.push(("phase", "exchange".to_owned()));
                metadata
            }
            Self::Connection(unusable) => vec![("connection", unusable.name.clone())],
            Self::Parameter { .. } | Self::Client(_) => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<(String, String)> {
        match self {
            Self::Parameter { field, reason } => vec![(field.clone(), reason.clone())],
            Self::Connection(unusable) => vec![("connection".to_owned(), unusable.to_string())],
            Self::Behind(cause) => cause.violations(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status {
                status,
                retry_after,
                ..
            } if status::is_transient(*status) => Some(retry_after.unwrap_or_default()),
            Self::Behind(cause) => cause.retry_after(),
            _ => None,
        }
    }

    fn code(&self) -> Option<Code> {
        match self {
            Self::Status { status, .. } => Some(status::code(*status)),
            Self::Behind(cause) => cause.code(),
            _ => None,
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        gearmesh_fault::status(&error)
    }
}
