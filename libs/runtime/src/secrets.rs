//! From references to values.

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use tonic::Status;

use crate::Secret;
use crate::context::Context;

/// How a reference begins.
const SCHEME: &str = "vault://";

/// Resolves the references that a service's requests and connections hold.
#[derive(Debug)]
pub struct Secrets<'a> {
    context: &'a Context,
}

impl<'a> Secrets<'a> {
    pub(crate) fn of(context: &'a Context) -> Self {
        Self { context }
    }

    /// The value of a `secret` field: a reference is resolved at the vault, any
    /// other text is itself.
    ///
    /// # Errors
    /// What the vault answered; ENGINE_UNAVAILABLE without one.
    pub async fn resolve(&self, value: &str) -> Result<Secret, Status> {
        if !value.starts_with(SCHEME) {
            return Ok(Secret::new(value.to_owned()));
        }
        let _ = self.context.link("vault")?;
        Err(Refusal::new(
            CommonFault::NotImplemented,
            "references are not resolved yet",
        )
        .into())
    }
}
