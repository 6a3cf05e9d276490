//! A link from outside of the mesh to its gateway.

use http::HeaderValue;
use tonic::body::Body;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::Error;
use crate::link::{CONNECT_TIMEOUT, KEEPALIVE, KEEPALIVE_TIMEOUT, Link, LinkError};

/// How a client shows who it is, and whom it trusts.
#[derive(Clone, Default)]
pub struct Login {
    /// Roots that are trusted, in PEM; without them no `https://` address is reached.
    pub ca: Option<Vec<u8>>,
    /// Certificate chain and private key, in PEM.
    pub certificate: Option<(Vec<u8>, Vec<u8>)>,
    /// API token.
    pub token: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("ca", &self.ca.is_some())
            .field("certificate", &self.certificate.is_some())
            .field("token", &self.token.is_some())
            .finish()
    }
}

/// A link to a gateway at an `http://` or `https://` address, with a login. The
/// gateway's certificate must name the host of the address. Connects at the first
/// call, and again whenever the connection is lost.
///
/// # Errors
/// [`Error::Address`] when the text is no such address, or the login cannot be used
/// with it: a token is never sent in plain text off this machine.
pub fn remote_as(url: &str, login: &Login) -> Result<Link, Error> {
    let address = |reason: String| Error::Address {
        url: url.to_owned(),
        reason,
    };
    let mut endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|e| address(e.to_string()))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .tcp_nodelay(true);
    let host = endpoint.uri().host().unwrap_or_default().to_owned();
    let local = matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
    match endpoint.uri().scheme_str() {
        Some("https") => {
            let Some(ca) = &login.ca else {
                let text = "nothing says whom to trust; name the roots of the mesh";
                return Err(address(text.into()));
            };
            let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
            if let Some((chain, key)) = &login.certificate {
                tls = tls.identity(Identity::from_pem(chain, key));
            }
            endpoint = endpoint
                .tls_config(tls)
                .map_err(|e| address(format!("the certificates cannot be used: {e}")))?;
        }
        Some("http") if login.token.is_none() || local => {}
        Some("http") => return Err(address("a token is not sent in plain text".into())),
        _ => return Err(address("it must begin with `http://` or `https://`".into())),
    }
    let bearer = login
        .token
        .as_ref()
        .map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| address("the token has characters that no token has".into()))?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        })
        .transpose()?;
    let channel = endpoint
        .connect_lazy()
        .map_request(move |mut request: http::Request<Body>| {
            if let Some(bearer) = &bearer {
                let headers = request.headers_mut();
                headers.insert(http::header::AUTHORIZATION, bearer.clone());
            }
            request
        });
    Ok(BoxCloneSyncService::new(
        ServiceExt::<http::Request<Body>>::map_err(channel, |e| LinkError(e.into())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn token_stays_off_plain_networks() {
        let login = Login {
            token: Some("gearmesh_x".into()),
            ..Login::default()
        };
        let of = |url: &str| remote_as(url, &login).map(drop).map_err(|e| e.to_string());
        assert_eq!(of("http://127.0.0.1:1"), Ok(()));
        assert!(of("http://192.0.2.1:1").unwrap_err().contains("plain text"));
        assert!(
            of("https://gateway:1")
                .unwrap_err()
                .contains("whom to trust")
        );
        assert!(of("ftp://gateway").unwrap_err().contains("https://"));
        assert!(!format!("{login:?}").contains("gearmesh_x"));
    }
}
