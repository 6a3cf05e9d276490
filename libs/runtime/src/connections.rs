//! Named peers: from the configuration, else from the vault.

use std::collections::BTreeSet;

use gearmesh_api::tool::v1::{CommonFault, Json};
use gearmesh_api::vault::v1::{
    FindConnectionRequest, ListConnectionsRequest, RemoveConnectionRequest, SaveConnectionRequest,
};
use gearmesh_fault::Refusal;
use serde_json::Value;
use tonic::Status;

use crate::config::Connection;
use crate::context::Context;
use crate::scrub;
use crate::secrets::{before_effect, client};

/// The connections that a service may use. A name that the configuration has is
/// the configuration's, whatever the vault holds under it.
#[derive(Debug)]
pub struct Connections<'a> {
    context: &'a Context,
}

/// A connection that was found.
#[derive(Clone)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its settings; a secret in them may be a reference.
    pub settings: Value,
    /// Rises when the connection is saved anew; 0 for the configuration's.
    pub version: u64,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The settings may hold a secret that is no reference.
        f.debug_struct("Found")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl<'a> Connections<'a> {
    pub(crate) fn of(context: &'a Context) -> Self {
        Self { context }
    }

    /// The connection of this kind and name; without a name the only one of its kind.
    ///
    /// # Errors
    /// CONNECTION_NOT_FOUND, or CONNECTION_REQUIRED without a name when there is
    /// not exactly one.
    pub async fn find(&self, kind: &str, name: Option<&str>) -> Result<Found, Status> {
        match name {
            Some(name) => match self.configured(kind).find(|(n, _)| *n == name) {
                Some((name, connection)) => Ok(found(name, connection)),
                None if self.has_vault() => self.saved(kind, name).await,
                None => {
                    let text = format!("no connection `{name}` of kind `{kind}`");
                    let refusal = Refusal::new(CommonFault::ConnectionNotFound, text);
                    Err(refusal.with("connection", name).into())
                }
            },
            None => self.only(kind).await,
        }
    }

    /// The only connection of a kind.
    async fn only(&self, kind: &str) -> Result<Found, Status> {
        let mut names = self.list(kind).await?.into_iter();
        match (names.next(), names.len()) {
            (Some(name), 0) => match self.configured(kind).find(|(n, _)| **n == name) {
                Some((name, connection)) => Ok(found(name, connection)),
                None => self.saved(kind, &name).await,
            },
            (first, others) => {
                let count = others + usize::from(first.is_some());
                let text = match count {
                    0 => format!("there is no connection of kind `{kind}`; make one and name it"),
                    _ => format!("name one of the {count} connections of kind `{kind}`"),
                };
                Err(Refusal::new(CommonFault::ConnectionRequired, text).into())
            }
        }
    }

    /// Saves a connection in the vault; one of the same name is replaced.
    ///
    /// # Errors
    /// What the vault answered; ENGINE_UNAVAILABLE without one.
    pub async fn save(&self, kind: &str, name: &str, settings: Value) -> Result<(), Status> {
        let settings = Json {
            text: settings.to_string().into(),
        };
        let request = SaveConnectionRequest {
            kind: kind.to_owned(),
            name: name.to_owned(),
            settings: Some(settings),
            run: scrub::run(),
        };
        client(self.context)?.save_connection(request).await?;
        Ok(())
    }

    /// Removes a saved connection; says whether there was one. Those of the
    /// configuration stay.
    ///
    /// # Errors
    /// As [`Connections::save`].
    pub async fn remove(&self, kind: &str, name: &str) -> Result<bool, Status> {
        let request = RemoveConnectionRequest {
            kind: kind.to_owned(),
            name: name.to_owned(),
        };
        let answer = client(self.context)?.remove_connection(request).await?;
        Ok(answer.into_inner().removed)
    }

    /// Names of all connections of a kind, in their order.
    ///
    /// # Errors
    /// As [`Connections::save`]; a mesh without a vault has those of the
    /// configuration.
    pub async fn list(&self, kind: &str) -> Result<Vec<String>, Status> {
        let mut names: BTreeSet<String> = self.configured(kind).map(|(n, _)| n.clone()).collect();
        if self.has_vault() {
            let request = ListConnectionsRequest {
                kind: kind.to_owned(),
            };
            let answer = client(self.context)?
                .list_connections(request)
                .await
                .map_err(before_effect)?;
            names.extend(answer.into_inner().names);
        }
        Ok(names.into_iter().collect())
    }

    fn configured(&self, kind: &str) -> impl Iterator<Item = (&'a String, &'a Connection)> {
        let all = &self.context.inner.connections;
        all.iter().filter(move |(_, c)| c.kind == kind)
    }

    /// Whether there is a vault at all. One that does not answer is an error
    /// instead: without it nobody can tell which connections there are.
    fn has_vault(&self) -> bool {
        self.context.link("vault").is_ok()
    }

    async fn saved(&self, kind: &str, name: &str) -> Result<Found, Status> {
        let request = FindConnectionRequest {
            kind: kind.to_owned(),
            name: Some(name.to_owned()),
        };
        let answer = client(self.context)?
            .find_connection(request)
            .await
            .map_err(before_effect)?;
        let answer = answer.into_inner();
        let text = answer.settings.unwrap_or_default().text;
        let settings = serde_json::from_slice(&text).map_err(|_| {
            let text = format!("the settings of connection `{name}` are no JSON");
            Refusal::new(CommonFault::InternalError, text)
        })?;
        scrub::note_settings(&answer.name, &settings);
        Ok(Found {
            name: answer.name,
            settings,
            version: answer.version,
        })
    }
}

fn found(name: &str, connection: &Connection) -> Found {
    Found {
        name: name.to_owned(),
        settings: connection.settings.clone(),
        version: 0,
    }
}
