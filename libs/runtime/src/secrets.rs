//! From references to values.

use gearmesh_api::MESSAGE_MAX;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_api::vault::v1::ResolveRequest;
use gearmesh_api::vault::v1::vault_service_client::VaultServiceClient;
use gearmesh_fault::Refusal;
use gearmesh_link::Link;
use tonic::Status;
use tonic_types::StatusExt;

use crate::Secret;
use crate::context::Context;
use crate::scrub;

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

    /// Whether a text is a reference, and not a value.
    #[must_use]
    pub fn is_reference(value: &str) -> bool {
        value.starts_with(SCHEME)
    }

    /// The reference of a secret by the names of vault and secret.
    #[must_use]
    pub fn reference(vault: &str, credential: &str) -> String {
        format!("{SCHEME}{vault}/{credential}")
    }

    /// The value of a `secret` field: a reference is resolved at the vault, any
    /// other text is itself.
    ///
    /// What was resolved appears in no answer of the call that is under way: the
    /// layers write `«redacted:reference»` in its place. A task that the handler
    /// starts is outside of that.
    ///
    /// # Errors
    /// What the vault answered; ENGINE_UNAVAILABLE without one.
    pub async fn resolve(&self, value: &str) -> Result<Secret, Status> {
        let mut all = self.resolve_all(&[value]).await?;
        all.pop().ok_or_else(too_few)
    }

    /// As [`Secrets::resolve`] for several values, in their order, with one call.
    ///
    /// # Errors
    /// As [`Secrets::resolve`].
    pub async fn resolve_all(&self, values: &[&str]) -> Result<Vec<Secret>, Status> {
        let references: Vec<String> = values
            .iter()
            .filter(|v| Self::is_reference(v))
            .map(|v| (*v).to_owned())
            .collect();
        let mut resolved = self.ask(references).await?.into_iter();
        values
            .iter()
            .map(|value| {
                if !Self::is_reference(value) {
                    return Ok(Secret::new((*value).to_owned()));
                }
                let secret = resolved.next().ok_or_else(too_few)?;
                scrub::note(value, &secret);
                Ok(secret)
            })
            .collect()
    }

    async fn ask(&self, references: Vec<String>) -> Result<Vec<Secret>, Status> {
        if references.is_empty() {
            return Ok(Vec::new());
        }
        // What was sealed for the run of this call is answered to it alone.
        let run = scrub::run();
        let answer = client(self.context)?
            .resolve(ResolveRequest { references, run })
            .await
            .map_err(before_effect)?;
        let values = answer.into_inner().values;
        Ok(values.into_iter().map(|v| Secret::new(v.value)).collect())
    }
}

/// The vault, from here.
pub(crate) fn client(context: &Context) -> Result<VaultServiceClient<Link>, Status> {
    let link = context.link("vault").map_err(before_effect)?;
    Ok(VaultServiceClient::new(link)
        .max_decoding_message_size(MESSAGE_MAX)
        .max_encoding_message_size(MESSAGE_MAX))
}

/// Says in the answer of the vault that the call itself has done nothing yet: what
/// is asked of the vault is needed for the effect, so it is asked before.
pub(crate) fn before_effect(status: Status) -> Status {
    let details = status.get_error_details();
    let Some(info) = details.error_info() else {
        return status;
    };
    let mut metadata = info.metadata.clone();
    metadata.insert("phase".to_owned(), "connect".to_owned());
    let (reason, domain) = (info.reason.clone(), info.domain.clone());
    let mut details = details.clone();
    details.set_error_info(reason, domain, metadata);
    Status::with_error_details(status.code(), status.message(), details)
}

fn too_few() -> Status {
    let text = "the vault answered fewer values than it was asked for";
    Refusal::new(CommonFault::InternalError, text).into()
}
