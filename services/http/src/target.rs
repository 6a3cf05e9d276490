//! Where a request goes: a checked address, and what covers it.
//!
//! There is one parser of URLs, the one that the client itself uses: what is
//! checked is what is called, however the address was spelled.

use std::net::IpAddr;
use std::sync::Arc;

use url::{Host, Url};

use crate::connection::Connection;
use crate::error::Error;
use gearmesh_egress::{Denied, Policy};

/// Bytes of a URL with its query: servers refuse more.
pub(crate) const URL_MAX: usize = 8 * 1024;

/// Ports that may be called without further permission.
const PORTS: [u16; 2] = [80, 443];

/// An address to call, with the connection that covers it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: Url,
    pub(crate) connection: Option<Arc<Connection>>,
}

/// A URL as messages show it: without user, query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    match url.host_str() {
        Some(_) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
        None => format!("{}:", url.scheme()),
    }
}

impl Target {
    /// An address from outside: absolute, below the connection's when there is one.
    pub(crate) fn parse(text: &str, connection: Option<Arc<Connection>>) -> Result<Self, Error> {
        let unfit = |reason: String| Error::parameter("url", reason);
        if text.len() > URL_MAX {
            return Err(unfit(format!("has more than {URL_MAX} bytes")));
        }
        let url = match (Url::parse(text), &connection) {
            (Ok(url), None) => url,
            (Ok(url), Some(c)) if c.covers(&url) => url,
            (Ok(url), Some(c)) => {
                return Err(Error::Denied {
                    url: shown(&url),
                    reason: format!(
                        "it does not stand below the address of connection `{}`",
                        c.name
                    ),
                });
            }
            (Err(url::ParseError::RelativeUrlWithoutBase), Some(c)) => c.join(text)?,
            (Err(e), _) => return Err(unfit(format!("`{text}` is no address: {e}"))),
        };
        Ok(Self { url, connection })
    }

    /// The target of a redirect. Only the connection's own origin stays covered,
    /// and once left it stays left: a stranger must not steer into it.
    pub(crate) fn redirected(&self, url: Url) -> Self {
        let connection = self
            .connection
            .clone()
            .filter(|c| c.base.origin() == url.origin());
        Self { url, connection }
    }

    /// What the resolver may answer.
    pub(crate) fn policy(&self) -> Policy {
        self.connection
            .as_ref()
            .map(|c| c.policy)
            .unwrap_or_default()
    }

    /// Checks scheme, user, port and a literal address. Names are checked when
    /// they are resolved.
    pub(crate) fn check(&self, ports: &[u16]) -> Result<(), Error> {
        let denied = |reason: String| Error::Denied {
            url: shown(&self.url),
            reason,
        };
        if !matches!(self.url.scheme(), "http" | "https") {
            return Err(denied(format!(
                "`{}` is neither http nor https",
                self.url.scheme()
            )));
        }
        if !self.url.username().is_empty() || self.url.password().is_some() {
            return Err(denied(
                "it holds a user; use the header `Authorization`".to_owned(),
            ));
        }
        let port = self.url.port_or_known_default().unwrap_or_default();
        let own = self
            .connection
            .as_ref()
            .is_some_and(|c| c.base.port_or_known_default() == Some(port));
        if !(own || PORTS.contains(&port) || ports.contains(&port)) {
            return Err(denied(format!(
                "port {port} is not allowed; see `ports` in the section `[http]`"
            )));
        }
        let literal: IpAddr = match self.url.host() {
            Some(Host::Ipv4(v4)) => v4.into(),
            Some(Host::Ipv6(v6)) => v6.into(),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(denied("it has no host".to_owned())),
        };
        self.policy()
            .check(literal)
            .map_err(|e: Denied| denied(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConnectionSettings;

    fn connection(url: &str, allow_private: bool) -> Arc<Connection> {
        let settings = ConnectionSettings {
            url: url.to_owned(),
            allow_private,
            allow_metadata: false,
            bearer: None,
            headers: [("Authorization".to_owned(), "x".to_owned())].into(),
        };
        Arc::new(Connection::new("c", settings).unwrap())
    }

    fn outcome(text: &str, connection: Option<Arc<Connection>>) -> String {
        match Target::parse(text, connection).and_then(|t| t.check(&[8443]).map(|()| t)) {
            Ok(target) => target.url.to_string(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn strange_spellings_of_private_addresses_are_seen_through() {
        for text in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://017700000001/",
            "http://127.0.0.1./",
            "http://①②⑦.0.0.1/",
            "http://%31%32%37.0.0.1/",
            "http:127.0.0.1",
            "http:\\\\127.0.0.1\\",
            "HTTP://127.0.0.1",
            "http://\t127.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://[64:ff9b::7f00:1]/",
        ] {
            let found = outcome(text, None);
            assert!(found.contains("is a loopback address"), "{text}: {found}");
        }
        assert!(outcome("http://169.254.169.254/latest/", None).contains("is a metadata address"));
        assert!(outcome("http://0/", None).contains("is an unspecified address"));
    }

    #[test]
    fn scheme_user_and_port_are_checked() {
        for (text, expected) in [
            ("ftp://a.test/", "`ftp` is neither"),
            ("file:///etc/passwd", "`file` is neither"),
            ("data:text/plain,x", "`data` is neither"),
            ("http://u@a.test/", "holds a user"),
            ("http://:p@a.test/", "holds a user"),
            ("http://a.test:22/", "port 22"),
            ("http://a.test:0/", "port 0"),
            ("/path", "is no address"),
            ("http://", "is no address"),
            ("http://a.test:99999/", "is no address"),
        ] {
            let found = outcome(text, None);
            assert!(found.contains(expected), "{text}: {found}");
        }
        for text in [
            "http://a.test/",
            "https://a.test:80/",
            "http://a.test:8443/",
            "https://1.1.1.1/x?y",
        ] {
            assert_eq!(outcome(text, None), text);
        }
    }

    #[test]
    fn messages_show_neither_user_nor_query() {
        let found = outcome("http://user:word@a.test:22/p?token=s", None);
        assert!(
            !found.contains("word") && !found.contains("token"),
            "{found}"
        );
    }

    #[test]
    fn url_is_bounded() {
        let long = |n: usize| format!("http://a.test/{}", "x".repeat(n - "http://a.test/".len()));
        assert_eq!(outcome(&long(URL_MAX), None).len(), URL_MAX);
        assert!(outcome(&long(URL_MAX + 1), None).contains("has more than"));
    }

    #[test]
    fn path_stays_below_the_connection() {
        let root = || Some(connection("http://127.0.0.1:4711", true));
        let below = || Some(connection("http://127.0.0.1:4711/api", true));
        assert_eq!(
            outcome("/quotes?q=1", root()),
            "http://127.0.0.1:4711/quotes?q=1"
        );
        assert_eq!(
            outcome("quotes", below()),
            "http://127.0.0.1:4711/api/quotes"
        );
        assert_eq!(outcome("/v1:x", below()), "http://127.0.0.1:4711/api/v1:x");
        assert_eq!(outcome("?q=1", below()), "http://127.0.0.1:4711/api/?q=1");
        assert_eq!(
            outcome("http://127.0.0.1:4711/api/x", below()),
            "http://127.0.0.1:4711/api/x"
        );
        for text in [
            "../x",
            "/../x",
            "%2e%2e/x",
            "..\\x",
            "//b.test/x",
            "///b.test/x",
            "/\\b.test/x",
            "\\\\b.test/x",
            "http://127.0.0.1:4711/apix",
            "http://127.0.0.1:4711/x",
            "http://127.0.0.1:80/api/x",
            "https://127.0.0.1:4711/api/x",
            "http://b.test/api/x",
        ] {
            let found = outcome(text, below());
            let inside = found.starts_with("http://127.0.0.1:4711/api/");
            assert!(
                inside || found.contains("does not stand below"),
                "{text}: {found}"
            );
        }
    }

    #[test]
    fn private_address_needs_a_connection_that_allows_it() {
        let closed = connection("http://127.0.0.1:4711", false);
        assert!(outcome("/x", Some(closed)).contains("is a loopback address"));
        let metadata = connection("http://169.254.169.254", true);
        assert!(outcome("/x", Some(metadata)).contains("is a metadata address"));
    }

    #[test]
    fn redirect_to_another_origin_is_not_covered() {
        let start = Target::parse("/x", Some(connection("http://127.0.0.1:4711", true))).unwrap();
        let to = |target: &Target, url: &str| target.redirected(Url::parse(url).unwrap());
        assert!(to(&start, "http://127.0.0.1:4711/y").check(&[]).is_ok());
        assert!(to(&start, "http://127.0.0.1:80/y").check(&[]).is_err());
        assert!(
            to(&start, "http://127.0.0.1:4712/y")
                .check(&[4712])
                .is_err()
        );
        let away = to(&start, "http://b.test/");
        assert!(away.check(&[]).is_ok());
        assert!(
            to(&away, "http://127.0.0.1:4711/y").check(&[4711]).is_err(),
            "not even back"
        );
    }
}
