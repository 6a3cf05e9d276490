//! Named peers: from the configuration, else from the vault.

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use serde_json::Value;
use tonic::Status;

use crate::context::Context;

/// The connections that a service may use.
#[derive(Debug)]
pub struct Connections<'a> {
    context: &'a Context,
}

/// A connection that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its settings; a secret in them may be a reference.
    pub settings: Value,
    /// Rises when the connection is saved anew; 0 for the configuration's.
    pub version: u64,
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
        let configured = &self.context.inner.connections;
        let of_kind: Vec<_> = configured.iter().filter(|(_, c)| c.kind == kind).collect();
        let found = match name {
            Some(name) => of_kind.iter().find(|(n, _)| *n == name),
            None if of_kind.len() == 1 => of_kind.first(),
            None => {
                let text = format!(
                    "name one of the {} connections of kind `{kind}`",
                    of_kind.len()
                );
                return Err(Refusal::new(CommonFault::ConnectionRequired, text).into());
            }
        };
        let Some((name, connection)) = found else {
            let text = format!(
                "no connection `{}` of kind `{kind}`",
                name.unwrap_or_default()
            );
            return Err(Refusal::new(CommonFault::ConnectionNotFound, text).into());
        };
        Ok(Found {
            name: (*name).clone(),
            settings: connection.settings.clone(),
            version: 0,
        })
    }

    /// Saves a connection in the vault; one of the same name is replaced.
    ///
    /// # Errors
    /// What the vault answered; ENGINE_UNAVAILABLE without one.
    pub async fn save(&self, _kind: &str, _name: &str, _settings: Value) -> Result<(), Status> {
        Err(Refusal::new(CommonFault::NotImplemented, "connections are not saved yet").into())
    }

    /// Removes a saved connection; says whether there was one.
    ///
    /// # Errors
    /// As [`Connections::save`].
    pub async fn remove(&self, _kind: &str, _name: &str) -> Result<bool, Status> {
        Ok(false)
    }

    /// Names of all connections of a kind, in their order.
    ///
    /// # Errors
    /// As [`Connections::save`].
    pub async fn list(&self, kind: &str) -> Result<Vec<String>, Status> {
        let configured = &self.context.inner.connections;
        Ok(configured
            .iter()
            .filter(|(_, c)| c.kind == kind)
            .map(|(n, _)| n.clone())
            .collect())
    }
}
