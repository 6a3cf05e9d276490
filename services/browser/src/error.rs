//! Why a call failed.

use std::time::Duration;

use gearmesh_api::browser::v1::BrowserFault;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::{EnumValueDescriptor, Fault, common, reason};

/// Wait before a refused session is asked for again: the time of a short task.
const CONTEXT_RETRY: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{reason}")]
    Parameter { field: String, reason: String },
    #[error("`{selector}` finds nothing on the page")]
    ElementNotFound { selector: String },
    #[error("`{url}` cannot be opened: {reason}")]
    Navigation { url: String, reason: String },
    #[error("{0}")]
    Unavailable(String),
    #[error("`{selector}` cannot be used: {reason}")]
    Interaction { selector: String, reason: String },
    #[error("the script failed: {0}")]
    Script(String),
    #[error("the page cannot be drawn: {0}")]
    Render(String),
    #[error(
        "session `{0}` is not open here: not opened yet, closed, idle for too long, or of an engine that has ended; call browser.navigate first"
    )]
    NoSession(String),
    #[error("session `{session}` has no page `{page}` any more; call browser.navigate")]
    NoPage { session: String, page: String },
    #[error(
        "session `{0}` was lost with its browser; call browser.navigate, and log in again where that is needed"
    )]
    Lost(String),
    #[error("page `{0}` was lost: its process ended; call browser.navigate")]
    PageLost(String),
    #[error("`{url}` may not be called: {reason}")]
    Denied { url: String, reason: String },
    #[error("{0}")]
    PageLimit(String),
    #[error("{0}")]
    ContextLimit(String),
    #[error("{what} took longer than {} ms", limit.as_millis())]
    Timeout { what: &'static str, limit: Duration },
    #[error("the browser answered what was not expected: {0}")]
    Protocol(String),
    #[error("the proxy of a session cannot listen on loopback: {0}")]
    Proxy(#[source] std::io::Error),
    #[error("configuration `browser.allow`: {0}")]
    Allow(String),
    /// Something was done to the page before it failed.
    #[error("{0}")]
    Begun(#[source] Box<Error>),
    /// What another part of the mesh answered.
    #[error("{}", .0.message())]
    Passed(Box<tonic::Status>),
}

impl Error {
    pub(crate) fn parameter(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Parameter {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// Marks that the page had been acted on: a repeat would act again.
    pub(crate) fn begun(self) -> Self {
        match self {
            Self::Begun(_) => self,
            other => Self::Begun(Box::new(other)),
        }
    }

    /// Whether the page changed under the question, so that it may be asked again.
    pub(crate) fn is_moving(&self) -> bool {
        matches!(self, Self::Protocol(text) if text.contains("ontext") || text.contains("avigat"))
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        Self::Passed(Box::new(status))
    }
}

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        let ours = |fault: BrowserFault| reason("gearmesh.browser.v1.BrowserFault", fault as i32);
        match self {
            Self::Parameter { .. } => common(CommonFault::InvalidParameters),
            Self::ElementNotFound { .. } => ours(BrowserFault::ElementNotFound),
            Self::Navigation { .. } => ours(BrowserFault::NavigationFailed),
            Self::Unavailable(_) => ours(BrowserFault::BrowserUnavailable),
            Self::Interaction { .. } => ours(BrowserFault::InteractionFailed),
            Self::Script(_) => ours(BrowserFault::ScriptFailed),
            Self::Render(_) => ours(BrowserFault::RenderFailed),
            Self::NoSession(_) | Self::NoPage { .. } | Self::Lost(_) | Self::PageLost(_) => {
                ours(BrowserFault::SessionLost)
            }
            Self::Denied { .. } => ours(BrowserFault::EgressDenied),
            Self::PageLimit(_) => ours(BrowserFault::PageLimit),
            Self::ContextLimit(_) => ours(BrowserFault::ContextLimit),
            Self::Timeout { .. } => common(CommonFault::Timeout),
            Self::Protocol(_) | Self::Proxy(_) | Self::Allow(_) | Self::Passed(_) => {
                common(CommonFault::InternalError)
            }
            Self::Begun(cause) => cause.reason(),
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::ElementNotFound { selector } | Self::Interaction { selector, .. } => {
                vec![("selector", selector.clone())]
            }
            Self::Navigation { url, .. } | Self::Denied { url, .. } => vec![("url", url.clone())],
            Self::NoSession(session) | Self::Lost(session) => vec![("session", session.clone())],
            Self::NoPage { session, page } => {
                vec![("session", session.clone()), ("page", page.clone())]
            }
            Self::PageLost(page) => vec![("page", page.clone())],
            // Nothing has been done where no browser was.
            Self::Unavailable(_) => vec![("phase", "connect".to_owned())],
            Self::Begun(cause) => {
                let mut metadata = cause.metadata();
                metadata.retain(|(key, _)| *key != "phase");
                metadata.push(("phase", "exchange".to_owned()));
                metadata
            }
            _ => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<(String, String)> {
        match self {
            Self::Parameter { field, reason } => vec![(field.clone(), reason.clone())],
            Self::Begun(cause) => cause.violations(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ContextLimit(_) => Some(CONTEXT_RETRY),
            _ => None,
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Passed(status) => *status,
            error => gearmesh_fault::status(&error),
        }
    }
}
