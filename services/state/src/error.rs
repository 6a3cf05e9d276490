//! Why the engine refuses.

use gearmesh_api::state::v1::StateFault;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::{EnumValueDescriptor, Fault, common, reason};

use crate::entry::{KEY_MAX, VALUE_MAX};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("key `{0}` has no value")]
    NotFound(String),
    #[error("key `{key}` has version {found}, not {wanted}")]
    VersionMismatch {
        key: String,
        wanted: u64,
        found: u64,
    },
    #[error("the value has {0} bytes; at most {VALUE_MAX} are kept")]
    TooLarge(usize),
    #[error("a key has 1 to {KEY_MAX} characters and no control characters")]
    Key,
    #[error("a value lives from 1 s to 10 years")]
    Ttl,
    #[error("`{0}` is no token of a page before")]
    PageToken(String),
    #[error("a page has at least 1 entry")]
    PageSize,
    #[error(transparent)]
    Store(#[from] gearmesh_store::Error),
    #[error("the store failed: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("the store cannot be opened: {0}")]
    Open(#[from] gearmesh_runtime::Error),
    #[error("a stored reply cannot be read: {0}")]
    Reply(#[from] prost::DecodeError),
}

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        let ours = |fault: StateFault| reason("gearmesh.state.v1.StateFault", fault as i32);
        match self {
            Self::NotFound(_) => ours(StateFault::StateNotFound),
            Self::VersionMismatch { .. } => ours(StateFault::VersionMismatch),
            Self::TooLarge(_) => ours(StateFault::ValueTooLarge),
            Self::Key | Self::Ttl | Self::PageToken(_) | Self::PageSize => {
                common(CommonFault::InvalidParameters)
            }
            Self::Store(e) => e.reason(),
            Self::Sql(_) | Self::Open(_) => common(CommonFault::StoreFailed),
            Self::Reply(_) => common(CommonFault::InternalError),
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NotFound(key) => vec![("key", key.clone())],
            Self::VersionMismatch { key, found, .. } => {
                vec![("key", key.clone()), ("version", found.to_string())]
            }
            _ => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<(String, String)> {
        let field = match self {
            Self::Key => "key",
            Self::Ttl => "ttl",
            Self::PageToken(_) => "pageToken",
            Self::PageSize => "pageSize",
            _ => return Vec::new(),
        };
        vec![(field.to_owned(), self.to_string())]
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        gearmesh_fault::status(&error)
    }
}
