//! The HTTP clients, one for each set of permissions.
//!
//! A client keeps connections open. If one client served calls with different
//! permissions, a call without any could get a connection that a permission had
//! opened. So there is one for each, made when first needed.

use std::error::Error as _;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::OnceCell;
use url::Url;

use crate::error::Error;
use crate::request::HEADERS_MAX;
use crate::target::{Target, shown};
use gearmesh_egress::{Denied, Policy};

/// Time to connect, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections kept open for each server.
const IDLE_MAX: usize = 8;

/// Headers of an answer, counted; their bytes are bounded apart.
const HEADER_COUNT_MAX: usize = 256;

const USER_AGENT: &str = concat!("gearmesh/", env!("CARGO_PKG_VERSION"));

/// The clients: by permission and by whether they speak TLS.
///
/// Plain ones load no root certificates, so that they work where there are none.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    made: [OnceCell<reqwest::Client>; 8],
}

impl Clients {
    /// The client for a target that has been checked.
    pub(crate) async fn of(&self, target: &Target) -> Result<&reqwest::Client, Error> {
        let policy = target.policy();
        let tls = target.url.scheme() == "https";
        let slot =
            usize::from(policy.private) | usize::from(policy.metadata) << 1 | usize::from(tls) << 2;
        self.made[slot]
            .get_or_try_init(|| async move {
                // Root certificates are read from disk.
                match tokio::task::spawn_blocking(move || build(policy, tls)).await {
                    Ok(client) => client.map_err(Error::Client),
                    Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
                }
            })
            .await
    }
}

fn build(policy: Policy, tls: bool) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .dns_resolver(Guarded(policy))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_MAX)
        .http1_max_headers(HEADER_COUNT_MAX)
        .http2_max_header_list_size(u32::try_from(HEADERS_MAX).unwrap_or(u32::MAX))
        .tls_version_min(reqwest::tls::Version::TLS_1_2);
    if tls {
        builder.https_only(true).build()
    } else {
        builder.tls_certs_only([]).build()
    }
}

/// A resolver that answers only addresses that may be connected to. The client
/// connects to what it answers and asks nobody else.
#[derive(Debug)]
struct Guarded(Policy);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            check(policy, &found)?;
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

/// One address that is denied denies all: a name that has public and private
/// ones is an attempt to be let in by chance.
fn check(policy: Policy, found: &[SocketAddr]) -> Result<(), Denied> {
    found
        .iter()
        .try_for_each(|address| policy.check(address.ip()))
}

/// What an error of the client means.
pub(crate) fn failure(error: &reqwest::Error, url: &Url) -> Error {
    let url = shown(url);
    let mut last: &dyn std::error::Error = error;
    while let Some(cause) = last.source() {
        last = cause;
        if let Some(denied) = cause.downcast_ref::<Denied>() {
            let reason = format!("its name leads to {denied}");
            return Error::Denied { url, reason };
        }
    }
    // The innermost cause says it; the outer ones repeat the address with its query.
    let reason = if error.source().is_some() {
        last.to_string()
    } else {
        "the client gave no cause".to_owned()
    };
    if error.is_connect() {
        Error::Unreached { url, reason }
    } else {
        Error::Cut { url, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses
            .iter()
            .map(|a| SocketAddr::new(a.parse().unwrap(), 0))
            .collect()
    }

    #[test]
    fn one_denied_address_denies_the_name() {
        let policy = Policy::default();
        assert!(check(policy, &found(&["1.1.1.1", "2606:4700::1"])).is_ok());
        assert!(check(policy, &found(&["1.1.1.1", "10.0.0.1"])).is_err());
        assert!(check(policy, &found(&["::ffff:169.254.169.254"])).is_err());
    }

    #[tokio::test]
    async fn name_of_a_private_address_is_denied_where_it_is_resolved() {
        // `localhost` is the one name that leads to a private address everywhere.
        let clients = Clients::default();
        let target = Target::parse("http://localhost:1/?key=s", None).unwrap();
        let client = clients.of(&target).await.unwrap();
        let error = client.get(target.url.clone()).send().await.unwrap_err();
        let error = failure(&error, &target.url);
        assert!(matches!(error, Error::Denied { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("is a loopback address") && !text.contains("key"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn every_client_can_be_made() {
        for private in [false, true] {
            let policy = Policy {
                private,
                metadata: !private,
            };
            assert!(build(policy, false).is_ok());
        }
    }
}
