//! Who a request says that it is for, and which page sent it.
//!
//! A page of a foreign site can make a browser call a server on this machine, and
//! by rebinding its name can even read the answer. The `Host` then names the
//! foreign site, or the `Origin` does; so both are checked on every route.

use http::uri::Authority;
use http::{HeaderMap, Uri, header};

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;

use crate::config::Config;

/// The names and origins that are ours.
#[derive(Debug, Clone)]
pub(crate) struct Origins {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Origins {
    pub(crate) fn new(config: &Config) -> Self {
        let lower = |list: &[String]| list.iter().map(|s| s.to_ascii_lowercase()).collect();
        Self {
            hosts: lower(&config.hosts),
            origins: lower(&config.origins),
        }
    }

    /// Checks a request.
    ///
    /// # Errors
    /// FOREIGN_ORIGIN naming the header at fault.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let foreign = |name: &'static str, value: &str| {
            let text = format!(
                "`{name}: {value}` is none of this server's; see `[gateway]` in the configuration"
            );
            Refusal::new(CommonFault::ForeignOrigin, text).with("header", name)
        };
        let mut named = false;
        // HTTP/2 has the authority in the target, HTTP/1.1 in the header; a request may have both.
        let hosts = headers
            .get_all(header::HOST)
            .iter()
            .map(|v| v.to_str().unwrap_or("?"));
        for host in uri
            .authority()
            .map(Authority::as_str)
            .into_iter()
            .chain(hosts)
        {
            named = true;
            if !self.is_host(host) {
                return Err(foreign("Host", host));
            }
        }
        if !named {
            return Err(foreign("Host", ""));
        }
        for origin in headers.get_all(header::ORIGIN) {
            let origin = origin.to_str().unwrap_or("?");
            if !self.is_origin(origin) {
                return Err(foreign("Origin", origin));
            }
        }
        Ok(())
    }

    fn is_host(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        if authority.as_str().contains('@') {
            return false;
        }
        let name = authority.host().to_ascii_lowercase();
        is_loopback(&name)
            || self
                .hosts
                .iter()
                .any(|h| *h == name || *h == host.to_ascii_lowercase())
    }

    fn is_origin(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.origins.contains(&origin) {
            return true;
        }
        let Some((scheme, rest)) = origin.split_once("://") else {
            return false;
        };
        let authority = rest
            .parse::<Authority>()
            .ok()
            .filter(|a| !a.as_str().contains('@'));
        matches!(scheme, "http" | "https") && authority.is_some_and(|a| is_loopback(a.host()))
    }

    /// The names that are ours beside the loopback ones.
    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The origins that are ours beside the loopback ones.
    pub(crate) fn origins(&self) -> &[String] {
        &self.origins
    }
}

/// Whether a host, with or without a port, is this machine by a loopback name.
pub(crate) fn names_this_machine(host: &str) -> bool {
    host.parse::<Authority>().is_ok_and(|authority| {
        !authority.as_str().contains('@') && is_loopback(&authority.host().to_ascii_lowercase())
    })
}

fn is_loopback(host: &str) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|a| a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Origins {
        Origins::new(&Config {
            hosts: vec!["Mesh.example.com".into(), "other.example.com:8420".into()],
            origins: vec!["https://console.example.com".into()],
        })
    }

    #[test]
    fn loopback_and_named_hosts_are_ours() {
        for host in [
            "localhost",
            "LocalHost:8420",
            "127.0.0.1:1",
            "127.8.8.8",
            "[::1]:8420",
            "mesh.example.com",
            "mesh.example.com:99",
            "other.example.com:8420",
        ] {
            assert!(ours().is_host(host), "{host}");
        }
        for host in [
            "",
            "?",
            "evil.com",
            "localhost.evil.com",
            "127.0.0.1.evil.com",
            "10.0.0.1",
            "[::2]",
            "other.example.com:8421",
            "evil.com@localhost",
        ] {
            assert!(!ours().is_host(host), "{host}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_foreign() {
        for origin in [
            "http://localhost:5173",
            "https://127.0.0.1",
            "http://[::1]:9",
            "https://console.example.com",
        ] {
            assert!(ours().is_origin(origin), "{origin}");
        }
        for origin in [
            "null",
            "?",
            "",
            "https://evil.com",
            "http://localhost.evil.com",
            "file://localhost",
            "https://console.example.com:444",
            "http://evil.com@localhost",
        ] {
            assert!(!ours().is_origin(origin), "{origin}");
        }
    }

    #[test]
    fn every_header_of_a_request_is_checked() {
        let check = |uri: &'static str, pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            ours().check(&Uri::from_static(uri), &headers).is_ok()
        };
        assert!(check("/v1", &[("host", "localhost")]));
        assert!(check("http://localhost/v1", &[]));
        assert!(!check("/v1", &[]), "a request without a host is for nobody");
        assert!(!check("http://localhost/v1", &[("host", "evil.com")]));
        assert!(!check(
            "/v1",
            &[("host", "localhost"), ("host", "evil.com")]
        ));
        assert!(!check(
            "/v1",
            &[("host", "localhost"), ("origin", "https://evil.com")]
        ));
    }
}
