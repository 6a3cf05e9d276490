//! Why the engine refuses.

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::{EnumValueDescriptor, Fault, common};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Bus(#[from] gearmesh_bus::Error),
    #[error("the payload is no JSON: {0}")]
    Payload(serde_json::Error),
    #[error("`{0}` is no cursor: take the `cursor` of an event, or `0`")]
    Cursor(String),
    #[error("`{0}` says something about a group, and no `group` is named")]
    NoGroup(&'static str),
    #[error("the age is no duration")]
    Age,
    #[error("the time to acknowledge is no duration")]
    AckTimeout,
    #[error("`{0}` is no token of a page before")]
    PageToken(String),
}

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        match self {
            Self::Bus(e) => e.reason(),
            _ => common(CommonFault::InvalidParameters),
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Bus(e) => e.metadata(),
            _ => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<(String, String)> {
        let field = match self {
            Self::Bus(e) => return e.violations(),
            Self::Payload(_) => "payload",
            Self::Cursor(_) => "after",
            Self::NoGroup(field) => field,
            Self::Age => "maxAge",
            Self::AckTimeout => "ackTimeout",
            Self::PageToken(_) => "pageToken",
        };
        vec![(field.to_owned(), self.to_string())]
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        gearmesh_fault::status(&error)
    }
}
