//! The section `[gateway]`.

use http::uri::{Authority, Uri};
use serde::Deserialize;

/// Settings of the gateway; an unknown key is an error.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Names under which the gateway is reached beside the loopback ones, as
    /// `mesh.example.com` or, for one port only, `mesh.example.com:8420`.
    pub hosts: Vec<String>,
    /// Origins whose pages may call, as `https://console.example.com`; the
    /// loopback ones always may.
    pub origins: Vec<String>,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("`gateway.hosts`: `{0}` is no host name; write it as `mesh.example.com`")]
    Host(String),
    #[error("`gateway.origins`: `{0}` is no origin; write it as `https://console.example.com`")]
    Origin(String),
}

impl Config {
    /// Finds settings that could never match a request.
    pub(crate) fn check(&self) -> Result<(), Error> {
        // There are no patterns: one that looks like it must not seem to work.
        let is_host = |h: &&String| {
            h.parse::<Authority>()
                .is_ok_and(|a| !a.as_str().contains(['@', '*']))
        };
        let is_origin = |o: &&String| {
            let scheme = o.starts_with("http://") || o.starts_with("https://");
            let bare = o
                .parse::<Uri>()
                .is_ok_and(|u| u.path() == "/" && u.query().is_none());
            scheme && bare && !o.ends_with('/') && !o.contains('*')
        };
        if let Some(host) = self.hosts.iter().find(|h| !is_host(h)) {
            return Err(Error::Host(host.clone()));
        }
        match self.origins.iter().find(|o| !is_origin(o)) {
            Some(origin) => Err(Error::Origin(origin.clone())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_that_could_never_match_is_refused_by_name() {
        let check = |host: &str, origin: &str| {
            let config = Config {
                hosts: vec![host.into()],
                origins: vec![origin.into()],
            };
            config.check().map_err(|e| e.to_string())
        };
        assert_eq!(
            check("mesh.example.com:8420", "https://console.example.com"),
            Ok(())
        );
        for origin in [
            "console.example.com",
            "https://a.example.com/",
            "https://a.example.com/x",
            "*",
        ] {
            assert!(
                check("a", origin).unwrap_err().contains("gateway.origins"),
                "{origin}"
            );
        }
        for host in ["https://a", "a b", "u@a"] {
            assert!(
                check(host, "https://a")
                    .unwrap_err()
                    .contains("gateway.hosts"),
                "{host}"
            );
        }
    }
}
