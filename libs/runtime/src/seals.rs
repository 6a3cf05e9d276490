//! Values that the vault keeps for one run alone.

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_api::vault::v1::{
    DropRunRequest, ListSealedRunsRequest, SealRunRequest, UnsealRunRequest,
};
use gearmesh_fault::Refusal;
use prost_types::Timestamp;
use tonic::Status;

use crate::context::Context;
use crate::secrets::client;

/// Values of one request, and their bytes together: what the vault takes.
const VALUES_MAX: usize = 1_000;
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Seals values for runs, and reads them back.
#[derive(Debug)]
pub struct Seals<'a> {
    context: &'a Context,
}

impl<'a> Seals<'a> {
    /// Bytes of the largest value: a longer one is sealed in pieces.
    pub const VALUE_MAX: usize = 1024 * 1024;

    pub(crate) fn of(context: &'a Context) -> Self {
        Self { context }
    }

    /// Keeps values for a run in a scope of 32 hex digits; answers a reference for each.
    /// References among the values that the run `from` may use are taken over.
    ///
    /// # Errors
    /// What the vault answered; ENGINE_UNAVAILABLE without one.
    pub async fn seal(
        &self,
        scope: &str,
        run: &str,
        values: Vec<String>,
        from: Option<&str>,
    ) -> Result<Vec<String>, Status> {
        let wanted = values.len();
        let mut references = Vec::with_capacity(wanted);
        let mut values = values.into_iter().peekable();
        while values.peek().is_some() {
            let (mut some, mut bytes) = (Vec::new(), 0);
            while let Some(value) = values.next_if(|value| {
                some.is_empty() || (some.len() < VALUES_MAX && bytes + value.len() <= BYTES_MAX)
            }) {
                bytes += value.len();
                some.push(value);
            }
            let request = SealRunRequest {
                scope: scope.to_owned(),
                run: run.to_owned(),
                values: some,
                from_run: from.unwrap_or_default().to_owned(),
            };
            let answer = client(self.context)?.seal_run(request).await?;
            references.extend(answer.into_inner().references);
        }
        if references.len() != wanted {
            return Err(wrong_number());
        }
        Ok(references)
    }

    /// The values behind references of a run, in their order.
    ///
    /// # Errors
    /// As [`Seals::seal`].
    pub async fn unseal(&self, run: &str, references: &[String]) -> Result<Vec<String>, Status> {
        let mut values = Vec::with_capacity(references.len());
        while let Some(rest) = references.get(values.len()..).filter(|r| !r.is_empty()) {
            let request = UnsealRunRequest {
                run: run.to_owned(),
                references: rest.iter().take(VALUES_MAX).cloned().collect(),
            };
            // As many as fit into an answer.
            let answer = client(self.context)?.unseal_run(request).await?;
            let some = answer.into_inner().values;
            if some.is_empty() || some.len() > rest.len() {
                return Err(wrong_number());
            }
            values.extend(some);
        }
        Ok(values)
    }

    /// Forgets what was sealed for a run.
    ///
    /// # Errors
    /// As [`Seals::seal`].
    pub async fn drop_run(&self, run: &str) -> Result<(), Status> {
        let request = DropRunRequest {
            run: run.to_owned(),
        };
        client(self.context)?.drop_run(request).await?;
        Ok(())
    }

    /// A page of the runs for which nothing was sealed since an instant, and the token of
    /// the next page; none: it is the last.
    ///
    /// # Errors
    /// As [`Seals::seal`].
    pub async fn runs(
        &self,
        before_ms: i64,
        page_token: String,
    ) -> Result<(Vec<String>, Option<String>), Status> {
        let request = ListSealedRunsRequest {
            before: Some(Timestamp {
                seconds: before_ms.div_euclid(1000),
                nanos: i32::try_from(before_ms.rem_euclid(1000) * 1_000_000).unwrap_or_default(),
            }),
            page_size: None,
            page_token,
        };
        let answer = client(self.context)?.list_sealed_runs(request).await?;
        let answer = answer.into_inner();
        let next = Some(answer.next_page_token).filter(|token| !token.is_empty());
        Ok((answer.runs, next))
    }
}

fn wrong_number() -> Status {
    let text = "the vault answered another number of values than it was asked for";
    Refusal::new(CommonFault::InternalError, text).into()
}
