//! Addresses of gRPC servers.

use url::Url;

/// Host and port of a gRPC server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The host; an IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether it is reached by TLS.
    pub(crate) tls: bool,
}

impl Address {
    /// Reads `https://host:port` or `http://host:port`, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "give an address as https://HOST:PORT";
        let url = Url::parse(text).map_err(|e| format!("`{text}`: {e}; {EXPECTED}"))?;
        let wrong = |what: &str| format!("`{text}` {what}; {EXPECTED}");
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong("has another scheme")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("an address holds a login; {EXPECTED}"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has more than host and port"));
        }
        Ok(Self {
            host: url
                .host_str()
                .ok_or_else(|| wrong("has no host"))?
                .to_owned(),
            port: url
                .port_or_known_default()
                .ok_or_else(|| wrong("has no port"))?,
            tls,
        })
    }

    /// `host:port`.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The host without the brackets of IPv6.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// As a URL.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_scheme_host_and_port() {
        let v6 = Address::parse("https://[::1]:8443").unwrap();
        assert_eq!(
            (v6.authority(), v6.bare_host()),
            ("[::1]:8443".into(), "::1")
        );
        assert_eq!(Address::parse("http://a:80").unwrap().url(), "http://a:80");
        assert_eq!(Address::parse("https://a").unwrap().port, 443);
        for bad in [
            "a:1",
            "ftp://a:1",
            "https://a:1/x",
            "https://a:1?x",
            "https://u:geheim@a:1",
            "https://a:99999",
            "",
        ] {
            let error = Address::parse(bad).unwrap_err();
            assert!(error.contains("https://HOST:PORT"), "{error}");
            assert!(!error.contains("geheim"), "{error}");
        }
    }
}
