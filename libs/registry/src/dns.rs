//! `dns:`: addresses of a name, asked again and again.
//!
//! A and AAAA records by the host's own resolver (`getaddrinfo`), the port from the
//! pattern. SRV records would bring a resolver of their own into the tree; a headless
//! service of Kubernetes and Consul's DNS both answer A records.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;

use crate::address::Address;
use crate::instance::in_order;
use crate::{Error, Instance};

/// Wait between two questions: an instance that has left is gone well within the 12 s
/// that the mesh promises, and a resolver is asked no more than this.
const INTERVAL: Duration = Duration::from_secs(4);

/// Where the engine's name goes.
const ENGINE: &str = "{engine}";

/// `{engine}.svc.example:8443`, with `http://` before it for plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let url = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let wrong = |reason: String| Error::setting(&format!("dns:{text}"), reason);
        if !url.contains(ENGINE) {
            return Err(wrong(format!(
                "it does not say where the engine's name goes; write it as dns:{ENGINE}.svc.example:8443"
            )));
        }
        let pattern = Self { text: url };
        pattern.address("x").map_err(wrong)?;
        Ok(pattern)
    }

    fn address(&self, engine: &str) -> Result<Address, String> {
        Address::parse(&self.text.replace(ENGINE, engine))
    }
}

/// Asks until nobody listens. A question without an answer changes nothing: the
/// resolver's trouble is not the engines'.
pub(crate) async fn watch(pattern: Pattern, engine: String, set: watch::Sender<Vec<Instance>>) {
    let address = match pattern.address(&engine) {
        Ok(address) => address,
        Err(error) => {
            tracing::error!(engine, error, "engine's name makes no host name");
            return;
        }
    };
    loop {
        match tokio::net::lookup_host((address.bare_host(), address.port)).await {
            Ok(found) => {
                let found = in_order(found.map(|a| instance(&engine, a, address.tls)).collect());
                set.send_if_modified(|set| {
                    let changed = *set != found;
                    *set = found;
                    changed
                });
            }
            Err(error) => tracing::debug!(engine, %error, "name not resolved"),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn instance(engine: &str, address: SocketAddr, tls: bool) -> Instance {
    let scheme = if tls { "https" } else { "http" };
    Instance {
        id: address.to_string(),
        engine: engine.to_owned(),
        url: format!("{scheme}://{address}"),
        tags: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_names_the_engine_and_a_port() {
        let of = |text| Pattern::parse(text).map(|p| p.address("file").unwrap().url());
        assert_eq!(of("{engine}.x:84").unwrap(), "https://file.x:84");
        assert_eq!(of("http://{engine}:84").unwrap(), "http://file:84");
        for bad in ["x:84", "", "{engine} x:84", "{engine}.x:84/y"] {
            let error = of(bad).unwrap_err().to_string();
            assert!(error.contains("dns:"), "{error}");
        }
    }
}
