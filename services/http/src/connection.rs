//! Servers that have a name.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use crate::config::ConnectionSettings;
use crate::error::Error;
use crate::target::shown;
use gearmesh_egress::Policy;

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
    /// Reads settings and checks all of them that is no reference.
    pub(crate) fn read(name: &str, settings: serde_json::Value) -> Result<Self, Unusable> {
        Self::new(name, self::settings(name, settings)?)
    }

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
        if let Some(token) = settings.bearer {
            if headers.contains_key(header::AUTHORIZATION) {
                return Err(unusable(
                    "`bearer` and the header `Authorization` exclude each other".to_owned(),
                ));
            }
            let value = bearer(&token)
                .ok_or_else(|| unusable("`bearer` has a control character".to_owned()))?;
            headers.insert(header::AUTHORIZATION, value);
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

/// The settings of a connection.
pub(crate) fn settings(
    name: &str,
    settings: serde_json::Value,
) -> Result<ConnectionSettings, Unusable> {
    let known = ["url", "allowPrivate", "allowMetadata", "headers", "bearer"];
    let unknown = settings
        .as_object()
        .and_then(|all| all.keys().find(|k| !known.contains(&k.as_str())).cloned());
    let fits = serde_json::from_value(settings);
    // The parser's own words may repeat a value.
    fits.map_err(|_| Unusable {
        name: name.to_owned(),
        reason: match unknown {
            Some(key) => format!("there is no setting `{key}`"),
            None => "it needs `url` as text; `headers` hold text, `bearer` is text, \
                     `allowPrivate` and `allowMetadata` are true or false"
                .to_owned(),
        },
    })
}

/// The header value that carries a token; none for one that no header can hold.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Whether a URL is a path, which only a connection makes an address of.
pub(crate) fn is_path(url: &str) -> bool {
    Url::parse(url) == Err(url::ParseError::RelativeUrlWithoutBase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(name: &str, url: &str) -> Result<Connection, Unusable> {
        let settings = ConnectionSettings {
            url: url.to_owned(),
            ..ConnectionSettings::default()
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
    fn path_is_told_from_an_address() {
        for path in ["/x", "x?y", "", "//a.test/x"] {
            assert!(is_path(path), "{path}");
        }
        for address in ["http://a.test/x", "ftp://a", "http://", "x:y"] {
            assert!(!is_path(address), "{address}");
        }
    }

    #[test]
    fn bearer_is_the_authorization() {
        let with = |bearer: &str, headers: &[(&str, &str)]| {
            let headers = headers
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            let settings = ConnectionSettings {
                url: "http://a.test".to_owned(),
                headers: headers.collect(),
                bearer: Some(bearer.to_owned()),
                ..ConnectionSettings::default()
            };
            Connection::new("c", settings)
        };
        let headers = with("t0ken", &[("X", "y")]).unwrap().headers;
        assert_eq!(headers["authorization"], "Bearer t0ken");
        assert!(headers["authorization"].is_sensitive());
        assert!(with("t0ken", &[("authorization", "y")]).is_err());
        let error = with("t0ken\n", &[]).unwrap_err().to_string();
        assert!(!error.contains("t0ken"), "{error}");
    }
}
