//! What a session may call.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use url::{Host, Url};

use crate::error::Error;
use gearmesh_egress::Policy;

/// Ports of the web.
const PORTS: [u16; 2] = [80, 443];

/// Refusals that are remembered: enough for the answer of one call.
const REFUSALS_MAX: usize = 100;

/// A server that is open beyond the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    host: String,
    port: u16,
    policy: Policy,
}

impl Opened {
    /// The server of a URL, with what it opens.
    pub(crate) fn new(url: &Url, policy: Policy) -> Option<Self> {
        Some(Self {
            host: host_of(url)?,
            port: url.port_or_known_default()?,
            policy,
        })
    }

    /// A server of the configuration, private or not.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let policy = Policy {
            private: true,
            metadata: false,
        };
        Url::parse(text)
            .ok()
            .filter(|u| matches!(u.scheme(), "http" | "https") && u.path() == "/")
            .and_then(|u| Self::new(&u, policy))
            .ok_or_else(|| {
                Error::Allow(format!(
                    "`{text}` is no server; write it as `http://10.0.0.7:8080`"
                ))
            })
    }
}

/// Why a server is not called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It may not be.
    Denied(String),
    /// It cannot be.
    Unreached(String),
}

/// What a session may call, and what it was kept from.
#[derive(Debug)]
pub(crate) struct Gate {
    ports: Vec<u16>,
    opened: Mutex<Vec<Opened>>,
    refusals: Mutex<Refusals>,
}

#[derive(Debug, Default)]
struct Refusals {
    /// How many there were, ever.
    count: u64,
    last: VecDeque<(String, Refused)>,
}

impl Gate {
    pub(crate) fn new(ports: &[u16], opened: Vec<Opened>) -> Self {
        Self {
            ports: PORTS.into_iter().chain(ports.iter().copied()).collect(),
            opened: Mutex::new(opened),
            refusals: Mutex::default(),
        }
    }

    /// Opens a server for the rest of the session.
    pub(crate) fn open(&self, server: Opened) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.contains(&server) {
            opened.push(server);
        }
    }

    /// The addresses of a server, all of which may be connected to.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refused> {
        let host = host.to_ascii_lowercase();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let opened = self.policy(host, port);
        if opened.is_none() && !self.ports.contains(&port) {
            let text = format!("port {port} is none that pages may call");
            return Err(Refused::Denied(text));
        }
        let policy = opened.unwrap_or_default();
        let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => tokio::net::lookup_host((host, port))
                .await
                .map_err(|e| Refused::Unreached(format!("its name has no address: {e}")))?
                .collect(),
        };
        // One address that is denied denies all: a name that has public and
        // private ones is an attempt to be let in by chance.
        for address in &found {
            policy
                .check(address.ip())
                .map_err(|denied| Refused::Denied(denied.to_string()))?;
        }
        if found.is_empty() {
            return Err(Refused::Unreached("its name has no address".to_owned()));
        }
        Ok(found)
    }

    fn policy(&self, host: &str, port: u16) -> Option<Policy> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened
            .iter()
            .find(|o| o.host == host && o.port == port)
            .map(|o| o.policy)
    }

    /// Whether a URL may be opened, before the browser is asked to.
    pub(crate) async fn check(&self, url: &Url) -> Result<(), Error> {
        let denied = |reason: &str| Error::Denied {
            url: shown(url),
            reason: reason.to_owned(),
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::parameter(
                "url",
                format!("`{}` is neither http nor https", url.scheme()),
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::parameter(
                "url",
                "a user and a password do not belong into an address",
            ));
        }
        let (Some(host), Some(port)) = (host_of(url), url.port_or_known_default()) else {
            return Err(denied("it names no server"));
        };
        match self.resolve(&host, port).await {
            Ok(_) => Ok(()),
            Err(Refused::Denied(reason)) => Err(denied(&reason)),
            Err(Refused::Unreached(reason)) => Err(Error::Navigation {
                url: shown(url),
                reason,
            }),
        }
    }

    /// Remembers what was refused.
    pub(crate) fn refuse(&self, server: String, refused: Refused) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.count += 1;
        refusals.last.push_back((server, refused));
        if refusals.last.len() > REFUSALS_MAX {
            refusals.last.pop_front();
        }
    }

    /// How many refusals there were so far.
    pub(crate) fn count(&self) -> u64 {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.count
    }

    /// The refusals after the first `count`.
    pub(crate) fn since(&self, count: u64) -> Vec<(String, Refused)> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(refusals.count - count).unwrap_or(usize::MAX);
        let skip = refusals.last.len().saturating_sub(new);
        refusals.last.iter().skip(skip).cloned().collect()
    }
}

fn host_of(url: &Url) -> Option<String> {
    Some(match url.host()? {
        Host::Domain(name) => name.to_ascii_lowercase(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    })
}

/// An address without its query, where keys stand.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Refused for addresses that have none anyway.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(allow: &[&str]) -> Gate {
        let opened = allow.iter().map(|a| Opened::parse(a).unwrap()).collect();
        Gate::new(&[8443], opened)
    }

    async fn refused(gate: &Gate, url: &str) -> Option<String> {
        let url = Url::parse(url).unwrap();
        gate.check(&url).await.err().map(|e| e.to_string())
    }

    #[tokio::test]
    async fn private_addresses_schemes_and_ports_are_denied() {
        let gate = gate(&[]);
        for (url, why) in [
            ("http://127.0.0.1/", "loopback"),
            ("http://localhost/", "loopback"),
            ("http://[::1]/", "loopback"),
            ("http://[::ffff:10.0.0.1]/", "private"),
            ("http://2130706433/", "loopback"),
            ("http://169.254.169.254/latest", "metadata"),
            ("http://1.1.1.1:22/", "port 22"),
            ("file:///etc/passwd", "neither http nor https"),
            ("chrome://version", "neither http nor https"),
            ("javascript:1", "neither http nor https"),
            ("http://user:pw@1.1.1.1/", "user"),
        ] {
            let text = refused(&gate, url).await.unwrap_or_default();
            assert!(text.contains(why), "{url}: {text}");
            assert!(!text.contains("pw@"), "{text}");
        }
        for url in [
            "http://1.1.1.1/",
            "https://1.1.1.1/",
            "https://1.1.1.1:8443/",
        ] {
            assert_eq!(refused(&gate, url).await, None, "{url}");
        }
    }

    #[tokio::test]
    async fn opened_server_is_open_at_its_port_alone() {
        let gate = gate(&["http://127.0.0.1:8080"]);
        assert_eq!(refused(&gate, "http://127.0.0.1:8080/x").await, None);
        for closed in [
            "http://127.0.0.1/",
            "http://127.0.0.1:8081/",
            "http://127.0.0.2:8080/",
        ] {
            assert!(refused(&gate, closed).await.is_some(), "{closed}");
        }
        assert!(Opened::parse("10.0.0.7:8080").is_err());
        assert!(Opened::parse("http://10.0.0.7/path").is_err());
    }

    #[test]
    fn refusals_are_told_once_and_bounded() {
        let gate = gate(&[]);
        let mark = gate.count();
        gate.refuse("a:80".into(), Refused::Denied("x".into()));
        assert_eq!(gate.since(mark).len(), 1);
        assert!(gate.since(gate.count()).is_empty());
        for _ in 0..2 * REFUSALS_MAX {
            gate.refuse("b:80".into(), Refused::Denied("x".into()));
        }
        assert_eq!(gate.since(mark).len(), REFUSALS_MAX);
    }
}
