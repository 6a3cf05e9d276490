//! Servers that the configuration names.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::address::Policy;
use crate::config::ConnectionSettings;
use crate::error::Error;
use crate::target::shown;

/// The kind that this engine's connections have.
pub(crate) const KIND: &str = "http";

/// A server with a name.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) name: String,
    /// Its path ends with a slash.
    pub(crate) base: Url,
    pub(crate) policy: Policy,
    /// Sent with each request to its origin.
    pub(crate) headers: HeaderMap,
}

/// Why a connection's settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("connection `{name}`: {reason}")]
pub(crate) struct Unusable {
    pub(crate) name: String,
    pub(crate) reason: String,
}

impl Connection {
    pub(crate) fn new(name: &str, settings: ConnectionSettings) -> Result<Self, Unusable> {
        let unusable = |reason: String| Unusable {
            name: name.to_owned(),
            reason,
        };
        let mut base =
            Url::parse(&settings.url).map_err(|e| unusable(format!("`url` is no address: {e}")))?;
        let plain = matches!(base.scheme(), "http" | "https")
            && base.username().is_empty()
            && base.password().is_none();
        if !plain || base.query().is_some() || base.fragment().is_some() {
            return Err(unusable(
                "`url` must be http or https, without user, query and fragment".to_owned(),
            ));
        }
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        let mut headers = HeaderMap::new();
        for (key, value) in settings.headers {
            let header = HeaderName::try_from(&key)
                .map_err(|_| unusable(format!("`{key}` names no header")))?;
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| unusable(format!("header `{key}` has a control character")))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(Self {
            name: name.to_owned(),
            base,
            policy: Policy {
                private: settings.allow_private,
                metadata: settings.allow_metadata,
            },
            headers,
        })
    }

    /// Whether a URL stands below the connection's address.
    pub(crate) fn covers(&self, url: &Url) -> bool {
        let base = self.base.path();
        let below = url.path().starts_with(base) || url.path() == &base[..base.len() - 1];
        url.origin() == self.base.origin() && below
    }

    /// The URL of a path below the connection's address.
    pub(crate) fn join(&self, path: &str) -> Result<Url, Error> {
        // A leading slash means the connection's root, not the server's.
        let relative = path.strip_prefix('/').unwrap_or(path);
        // `./` keeps a colon in the first segment from being read as a scheme.
        let url = self
            .base
            .join(&format!("./{relative}"))
            .map_err(|e| Error::parameter("url", format!("`{path}` is no path: {e}")))?;
        if self.covers(&url) {
            return Ok(url);
        }
        Err(Error::Denied {
            url: shown(&url),
            reason: format!(
                "it does not stand below the address of connection `{}`",
                self.name
            ),
        })
    }
}

/// All connections of the kind, by name.
#[derive(Debug, Default)]
pub(crate) struct Connections(BTreeMap<String, Arc<Connection>>);

impl Connections {
    pub(crate) fn new(connections: impl IntoIterator<Item = Connection>) -> Self {
        Self(
            connections
                .into_iter()
                .map(|c| (c.name.clone(), Arc::new(c)))
                .collect(),
        )
    }

    /// The connection of a call: the one that it names; for a path without a
    /// name the only one there is; for an address none.
    pub(crate) fn of(&self, name: &str, url: &str) -> Result<Option<Arc<Connection>>, Error> {
        if !name.is_empty() {
            let found = self
                .0
                .get(name)
                .ok_or_else(|| Error::NoConnection(name.to_owned()))?;
            return Ok(Some(found.clone()));
        }
        if Url::parse(url) != Err(url::ParseError::RelativeUrlWithoutBase) {
            return Ok(None);
        }
        let mut all = self.0.values();
        match (all.next(), all.next()) {
            (Some(only), None) => Ok(Some(only.clone())),
            _ => Err(Error::WhichConnection {
                url: url.split(['?', '#']).next().unwrap_or_default().to_owned(),
                count: self.0.len(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(name: &str, url: &str) -> Result<Connection, Unusable> {
        let settings = ConnectionSettings {
            url: url.to_owned(),
            allow_private: false,
            allow_metadata: false,
            headers: BTreeMap::new(),
        };
        Connection::new(name, settings)
    }

    #[test]
    fn address_of_a_connection_is_checked_when_it_is_read() {
        for bad in [
            "x",
            "/x",
            "ftp://a.test",
            "http://u:p@a.test",
            "http://a.test/?q",
            "http://a.test/#f",
        ] {
            assert!(connection("c", bad).is_err(), "{bad}");
        }
        assert_eq!(
            connection("c", "http://a.test/v1").unwrap().base.as_str(),
            "http://a.test/v1/"
        );
    }

    #[test]
    fn path_without_a_name_takes_the_only_connection() {
        let one = || connection("one", "http://a.test").unwrap();
        let two = || connection("two", "http://b.test").unwrap();
        let pick = |all: Vec<Connection>, name: &str, url: &str| match Connections::new(all)
            .of(name, url)
        {
            Ok(found) => found.map_or("none".to_owned(), |c| c.name.clone()),
            Err(e) => e.to_string(),
        };
        assert_eq!(pick(vec![one()], "", "/x"), "one");
        assert_eq!(pick(vec![one()], "", "http://a.test/x"), "none");
        assert_eq!(pick(vec![one(), two()], "two", "/x"), "two");
        assert!(
            pick(vec![one(), two()], "", "/x?k=s").starts_with("`/x` is a path, and there are 2")
        );
        assert!(pick(vec![], "", "/x").contains("there are 0"));
        assert_eq!(
            pick(vec![one()], "three", "/x"),
            "no connection named `three` of kind http"
        );
    }
}
