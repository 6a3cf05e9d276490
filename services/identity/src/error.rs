//! Why the engine refuses.

use std::path::PathBuf;

use gearmesh_api::identity::v1::IdentityFault;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::{EnumValueDescriptor, Fault, common, reason};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Config(String),
    #[error("cannot use `{}`: {source}", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the CA cannot be used: {0}")]
    Ca(#[from] rcgen::Error),
    #[error("this identity engine has no CA; name its folder in `[identity] ca`")]
    NoCa,
    /// Why is for the log alone.
    #[error("the node credential is not valid for this leaf")]
    Credential(Refused),
    #[error("the signing request {0}")]
    Csr(&'static str),
    #[error("no token `{0}`")]
    NoToken(String),
    /// Why is for the log alone.
    #[error("the token is not valid")]
    Token(TokenRefused),
    #[error("`{field}` {what}")]
    Field {
        field: &'static str,
        what: &'static str,
    },
    #[error(transparent)]
    Store(#[from] gearmesh_store::Error),
    #[error("the store failed: {0}")]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Runtime(#[from] gearmesh_runtime::Error),
    #[error("the machine gives no random numbers")]
    Random,
}

/// Why a credential was refused.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Refused {
    #[error("it cannot be read")]
    Unreadable,
    #[error("this CA has not signed it")]
    Foreign,
    #[error("it is of another trust domain")]
    Domain,
    #[error("its signature over the request is wrong")]
    Signature,
    #[error("it stands for another name than the request's")]
    Name,
    #[error("it was revoked")]
    Revoked,
    #[error("it was not used for 30 days")]
    Stale,
}

/// Why a token was refused.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub(crate) enum TokenRefused {
    #[error("it has not the form of a token")]
    Form,
    #[error("no token has its id")]
    Unknown,
    #[error("its secret is wrong")]
    Secret,
    #[error("it was revoked")]
    Revoked,
    #[error("it has expired")]
    Expired,
}

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        let ours =
            |fault: IdentityFault| reason("gearmesh.identity.v1.IdentityFault", fault as i32);
        match self {
            Self::NoCa => ours(IdentityFault::CaMissing),
            Self::Credential(_) => ours(IdentityFault::CredentialRefused),
            Self::Csr(_) => ours(IdentityFault::CsrInvalid),
            Self::NoToken(_) => ours(IdentityFault::TokenNotFound),
            Self::Token(_) => common(CommonFault::Unauthenticated),
            Self::Field { .. } => common(CommonFault::InvalidParameters),
            Self::Store(e) => e.reason(),
            Self::Sql(_) | Self::Runtime(_) => common(CommonFault::StoreFailed),
            Self::Config(_) | Self::File { .. } | Self::Ca(_) | Self::Random => {
                common(CommonFault::InternalError)
            }
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NoToken(id) => vec![("id", id.clone())],
            _ => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<(String, String)> {
        match self {
            Self::Field { field, .. } => vec![((*field).to_owned(), self.to_string())],
            _ => Vec::new(),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        gearmesh_fault::status(&error)
    }
}
