//! Translates between the protocol and the vaults; no rules here.

use bytes::Bytes;
use gearmesh_api::tool::v1::Json;
use gearmesh_api::vault::v1 as api;
use gearmesh_api::vault::v1::vault_service_server::VaultService;
use gearmesh_runtime::{CallOf, Keyed};
use prost::Message;
use prost_types::Timestamp;
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use crate::connection::{self, Id};
use crate::error::Error;
use crate::name::{CredentialName, VaultName};
use crate::reference::{Reference, Referred};
use crate::sealed::{self, SEALED_MAX, Scope, Sealed};
use crate::sealing::RUNS_MAX;
use crate::vaults::{Change, Changed, Given, REFERENCES_MAX, VALUE_MAX, Vaults};

#[derive(Debug)]
pub(crate) struct Rpc {
    vaults: Vaults,
}

impl Rpc {
    pub(crate) fn new(vaults: Vaults) -> Self {
        Self { vaults }
    }

    /// Makes a change and answers with the reply, or that of the first time.
    async fn change<M: Message + Default>(
        &self,
        change: Change,
        keyed: Option<Keyed>,
        given: &str,
        reply: impl Fn(&Changed) -> M + Send + Sync,
    ) -> Result<Response<M>, Status> {
        let reply = |changed: &Changed| Bytes::from(reply(changed).encode_to_vec());
        let reply = self.vaults.change(change, keyed, given, reply).await?;
        Ok(Response::new(M::decode(reply).map_err(Error::from)?))
    }
}

#[tonic::async_trait]
impl VaultService for Rpc {
    async fn set(
        &self,
        request: Request<api::SetRequest>,
    ) -> Result<Response<api::SetResponse>, Status> {
        let keyed = Keyed::of(&request);
        let run = request.call().run;
        let request = request.into_inner();
        let given = Zeroizing::new(request.value.unwrap_or_default());
        let vault = VaultName::parse(&request.vault_name)?;
        let credential = CredentialName::parse(&request.credential_name)?;
        if given.len() > VALUE_MAX {
            return Err(Error::ValueTooLarge(given.len()).into());
        }
        let value = if Referred::is(&given) {
            Given::Reference(Referred::parse(&given)?, run)
        } else {
            Given::Value(given.clone())
        };
        let name = format!("{}/{}", vault.as_str(), credential.as_str());
        let change = Change::Set {
            vault,
            credential,
            value,
        };
        self.change(change, keyed, &given, |changed| api::SetResponse {
            message: format!("stored version {} of {name}", changed.version),
            version: changed.version,
        })
        .await
    }

    async fn get(
        &self,
        request: Request<api::GetRequest>,
    ) -> Result<Response<api::GetResponse>, Status> {
        let request = request.into_inner();
        let reference = Reference {
            vault: VaultName::parse(&request.vault_name)?,
            credential: CredentialName::parse(&request.credential_name)?,
            version: None,
            field: None,
        };
        // Opened, so that a damaged one is told now; the value goes nowhere.
        let found = self.vaults.resolve(&reference).await?;
        Ok(Response::new(api::GetResponse {
            credential_name: request.credential_name,
            value: reference.to_string(),
            version: found.version,
            created: Some(timestamp(found.created_ms)),
        }))
    }

    async fn list(
        &self,
        request: Request<api::ListRequest>,
    ) -> Result<Response<api::ListResponse>, Status> {
        let vault = VaultName::parse(&request.into_inner().vault_name)?;
        let credentials = self.vaults.credentials(&vault).await?;
        Ok(Response::new(api::ListResponse {
            vault_name: vault.as_str().to_owned(),
            count: count(&credentials),
            credentials,
        }))
    }

    async fn delete(
        &self,
        request: Request<api::DeleteRequest>,
    ) -> Result<Response<api::DeleteResponse>, Status> {
        let keyed = Keyed::of(&request);
        let request = request.into_inner();
        let vault = VaultName::parse(&request.vault_name)?;
        let credential = CredentialName::parse(&request.credential_name)?;
        let message = format!("deleted {}/{}", vault.as_str(), credential.as_str());
        let change = Change::Delete { vault, credential };
        self.change(change, keyed, "", |_| api::DeleteResponse {
            message: message.clone(),
        })
        .await
    }

    async fn delete_vault(
        &self,
        request: Request<api::DeleteVaultRequest>,
    ) -> Result<Response<api::DeleteVaultResponse>, Status> {
        let keyed = Keyed::of(&request);
        let vault = VaultName::parse(&request.into_inner().vault_name)?;
        let name = vault.as_str().to_owned();
        let change = Change::DeleteVault { vault };
        self.change(change, keyed, "", |changed| api::DeleteVaultResponse {
            message: if changed.existed {
                format!("deleted vault {name}")
            } else {
                format!("there was no vault {name}")
            },
        })
        .await
    }

    async fn list_vaults(
        &self,
        _: Request<api::ListVaultsRequest>,
    ) -> Result<Response<api::ListVaultsResponse>, Status> {
        let vaults = self.vaults.vaults().await?;
        Ok(Response::new(api::ListVaultsResponse {
            count: count(&vaults),
            vaults,
        }))
    }

    async fn resolve(
        &self,
        request: Request<api::ResolveRequest>,
    ) -> Result<Response<api::ResolveResponse>, Status> {
        let api::ResolveRequest {
            references: texts,
            run,
        } = request.into_inner();
        if texts.is_empty() || texts.len() > REFERENCES_MAX {
            return Err(Error::References(texts.len()).into());
        }
        let references = texts
            .iter()
            .map(|text| Referred::parse(text))
            .collect::<Result<Vec<_>, _>>()?;
        let run = Some(run).filter(|run| !run.is_empty());
        let found = self.vaults.resolve_all(&references, run.as_deref()).await?;
        let values = found
            .into_iter()
            .map(|f| api::ResolvedValue {
                value: String::clone(&f.value),
                version: f.version,
            })
            .collect();
        Ok(Response::new(api::ResolveResponse { values }))
    }

    async fn seal_run(
        &self,
        request: Request<api::SealRunRequest>,
    ) -> Result<Response<api::SealRunResponse>, Status> {
        let request = request.into_inner();
        let values: Vec<_> = request.values.into_iter().map(Zeroizing::new).collect();
        let scope = Scope::parse(&request.scope)?;
        let run = sealed::run(&request.run)?;
        let from = match request.from_run.as_str() {
            "" => None,
            from => Some(sealed::run(from)?),
        };
        let references = self.vaults.seal(&scope, run, &values, from).await?;
        Ok(Response::new(api::SealRunResponse { references }))
    }

    async fn unseal_run(
        &self,
        request: Request<api::UnsealRunRequest>,
    ) -> Result<Response<api::UnsealRunResponse>, Status> {
        let request = request.into_inner();
        if request.references.is_empty() || request.references.len() > SEALED_MAX {
            return Err(Error::Sealed(request.references.len()).into());
        }
        let run = sealed::run(&request.run)?;
        let references = request.references.iter().map(|text| Sealed::parse(text));
        let references = references.collect::<Result<Vec<_>, _>>()?;
        let values = self.vaults.unseal(run, &references).await?;
        let values = values.iter().map(|value| String::clone(value)).collect();
        Ok(Response::new(api::UnsealRunResponse { values }))
    }

    async fn drop_run(
        &self,
        request: Request<api::DropRunRequest>,
    ) -> Result<Response<api::DropRunResponse>, Status> {
        let request = request.into_inner();
        let dropped = self.vaults.drop_run(sealed::run(&request.run)?).await?;
        Ok(Response::new(api::DropRunResponse { dropped }))
    }

    async fn list_sealed_runs(
        &self,
        request: Request<api::ListSealedRunsRequest>,
    ) -> Result<Response<api::ListSealedRunsResponse>, Status> {
        let request = request.into_inner();
        let max = request.page_size.map_or(Ok(RUNS_MAX), usize::try_from);
        let Some(max) = max.ok().filter(|max| (1..=RUNS_MAX).contains(max)) else {
            return Err(Error::Parameter {
                field: "pageSize",
                reason: "is 1 to 1000",
            }
            .into());
        };
        let before_ms = request.before.map_or(i64::MAX, |t| {
            t.seconds.saturating_mul(1000) + i64::from(t.nanos / 1_000_000)
        });
        let listed = self.vaults.sealed_runs(before_ms, &request.page_token, max);
        let runs = listed.await?;
        let next_page_token = match runs.last() {
            Some(last) if runs.len() == max => last.clone(),
            _ => String::new(),
        };
        Ok(Response::new(api::ListSealedRunsResponse {
            runs,
            next_page_token,
        }))
    }

    async fn reveal(
        &self,
        request: Request<api::RevealRequest>,
    ) -> Result<Response<api::RevealResponse>, Status> {
        let request = request.into_inner();
        let reference = Reference {
            vault: VaultName::parse(&request.vault_name)?,
            credential: CredentialName::parse(&request.credential_name)?,
            version: request.version,
            field: None,
        };
        let found = self.vaults.resolve(&reference).await?;
        tracing::info!(%reference, version = found.version, "secret revealed to a person");
        Ok(Response::new(api::RevealResponse {
            value: String::clone(&found.value),
            version: found.version,
        }))
    }

    async fn save_connection(
        &self,
        request: Request<api::SaveConnectionRequest>,
    ) -> Result<Response<api::SaveConnectionResponse>, Status> {
        let request = request.into_inner();
        let id = Id::parse(&request.kind, &request.name)?;
        let settings = request.settings.unwrap_or_default().text;
        let run = Some(request.run).filter(|run| !run.is_empty());
        let saved = self.vaults.save_connection(&id, &settings, run.as_deref());
        let version = saved.await?;
        Ok(Response::new(api::SaveConnectionResponse { version }))
    }

    async fn find_connection(
        &self,
        request: Request<api::FindConnectionRequest>,
    ) -> Result<Response<api::FindConnectionResponse>, Status> {
        let request = request.into_inner();
        let kind = connection::kind(&request.kind)?;
        let name = match request.name {
            Some(name) => name,
            None => self.vaults.only_connection(&kind).await?,
        };
        let id = Id::parse(&kind, &name)?;
        let (text, version) = self.vaults.find_connection(&id).await?;
        Ok(Response::new(api::FindConnectionResponse {
            name,
            settings: Some(Json { text }),
            version,
        }))
    }

    async fn remove_connection(
        &self,
        request: Request<api::RemoveConnectionRequest>,
    ) -> Result<Response<api::RemoveConnectionResponse>, Status> {
        let request = request.into_inner();
        let id = Id::parse(&request.kind, &request.name)?;
        let removed = self.vaults.remove_connection(&id).await?;
        Ok(Response::new(api::RemoveConnectionResponse { removed }))
    }

    async fn list_connections(
        &self,
        request: Request<api::ListConnectionsRequest>,
    ) -> Result<Response<api::ListConnectionsResponse>, Status> {
        let kind = connection::kind(&request.into_inner().kind)?;
        let names = self.vaults.connections(&kind).await?;
        Ok(Response::new(api::ListConnectionsResponse { names }))
    }
}

fn count(names: &[String]) -> i32 {
    i32::try_from(names.len()).unwrap_or(i32::MAX)
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp {
        seconds: ms.div_euclid(1000),
        nanos: i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default(),
    }
}
