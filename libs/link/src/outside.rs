//! A link from outside of the mesh to its gateway.
//!
//! Why the two do not come together is told by a status like any other failure: a
//! person has to do something about it, and a second attempt is of no use.

use std::error::Error as StdError;

use http::HeaderValue;
use rustls::CertificateError;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tonic::body::Body;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;

use crate::Error;
use crate::link::{CONNECT_TIMEOUT, KEEPALIVE, KEEPALIVE_TIMEOUT, Link, LinkError};
use crate::spiffe::{Holder, Spiffe};

/// The metadata of a failure that says why a gateway and a client did not come
/// together: the name of an [`Unmet`].
pub const HANDSHAKE: &str = "handshake";

/// The metadata with the name in the client's certificate.
pub const CLIENT: &str = "client";

/// Why a gateway and a client did not come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet {
    /// The gateway's certificate is not signed by the roots that are trusted.
    NotTrusted,
    /// The gateway's certificate does not name the host of the address.
    OtherName,
    /// The gateway's certificate has ended.
    ServerExpired,
    /// The client's certificate has ended.
    ClientExpired,
    /// The gateway does not take the client's certificate.
    ClientRefused,
}

impl Unmet {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::NotTrusted,
        Self::OtherName,
        Self::ServerExpired,
        Self::ClientExpired,
        Self::ClientRefused,
    ];

    /// Its name, as codes are written.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotTrusted => "SERVER_NOT_TRUSTED",
            Self::OtherName => "SERVER_NAME_WRONG",
            Self::ServerExpired => "SERVER_CERTIFICATE_EXPIRED",
            Self::ClientExpired => "CERTIFICATE_EXPIRED",
            Self::ClientRefused => "CERTIFICATE_REFUSED",
        }
    }

    /// From what lies under a failed call; none when TLS is not the reason.
    fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        /// How rustls tells of an alert; HTTP/2 keeps no more than this text.
        const ALERT: &str = "received fatal alert: ";
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
                return Some(Self::of_server(why));
            }
            // An I/O error is not the source of what it holds.
            let held = error
                .downcast_ref::<std::io::Error>()
                .and_then(std::io::Error::get_ref);
            if let Some(unmet) = held.and_then(|held| Self::of(held)) {
                return Some(unmet);
            }
            let text = error.to_string();
            if let Some((_, alert)) = text.split_once(ALERT) {
                return Self::of_alert(alert);
            }
            next = error.source();
        }
        None
    }

    fn of_server(why: &CertificateError) -> Self {
        match why {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::OtherName
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Self::ServerExpired
            }
            _ => Self::NotTrusted,
        }
    }

    /// What the gateway says of the client's certificate.
    fn of_alert(alert: &str) -> Option<Self> {
        let is = |name: &str| alert.starts_with(name);
        if is("CertificateExpired") {
            return Some(Self::ClientExpired);
        }
        let refusals = [
            "BadCertificate",
            "UnknownCA",
            "Decrypt",
            "CertificateUnknown",
            "UnsupportedCertificate",
            "AccessDenied",
        ];
        refusals.into_iter().any(is).then_some(Self::ClientRefused)
    }

    /// The failure as callers see it.
    fn refusal(self, url: &str, host: &str, client: &str) -> Refusal {
        let text = match self {
            Self::NotTrusted => {
                format!("the certificate of {url} is not signed by the roots that are trusted")
            }
            Self::OtherName => format!("the certificate of {url} does not name `{host}`"),
            Self::ServerExpired => format!("the certificate of {url} has expired"),
            Self::ClientExpired => format!("your certificate `{client}` has expired"),
            Self::ClientRefused => format!("{url} does not take your certificate `{client}`"),
        };
        Refusal::new(CommonFault::Unauthenticated, text)
            .with(HANDSHAKE, self.code())
            .with(CLIENT, client)
    }
}

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

impl Login {
    /// The name in the client's certificate; empty when there is none that can be read.
    fn client(&self) -> String {
        let pem = self.certificate.as_ref().map(|(chain, _)| chain.as_slice());
        pem.and_then(agent).unwrap_or_default()
    }
}

/// The id of the client whose certificate this is.
fn agent(pem: &[u8]) -> Option<String> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, leaf) = X509Certificate::from_der(&der).ok()?;
    let names = leaf.subject_alternative_name().ok()??;
    let uri = names
        .value
        .general_names
        .iter()
        .find_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })?;
    match Spiffe::parse(uri).ok()?.holder() {
        Holder::Agent(id) => Some(id.clone()),
        _ => None,
    }
}

/// Whether the first certificate of this PEM is past its end.
fn has_ended(pem: &[u8]) -> bool {
    let Ok(der) = CertificateDer::from_pem_slice(pem) else {
        return false;
    };
    X509Certificate::from_der(&der)
        .is_ok_and(|(_, leaf)| leaf.validity().not_after < ASN1Time::now())
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
    let client = login.client();
    let chain = login.certificate.as_ref().map(|(chain, _)| chain.clone());
    let chain = chain.unwrap_or_default();
    let url = url.to_owned();
    let channel = endpoint
        .connect_lazy()
        .map_request(move |mut request: http::Request<Body>| {
            if let Some(bearer) = &bearer {
                let headers = request.headers_mut();
                headers.insert(http::header::AUTHORIZATION, bearer.clone());
            }
            request
        });
    let channel = ServiceExt::<http::Request<Body>>::map_err(channel, |e| LinkError(e.into()));
    let told = ServiceExt::<http::Request<Body>>::map_result(
        channel,
        move |result: Result<http::Response<Body>, LinkError>| {
            result.or_else(|error| {
                // The server's alert may be lost when it closes at once; an end of
                // ours is known without it.
                let ended = || has_ended(&chain).then_some(Unmet::ClientExpired);
                let unmet = Unmet::of(&error).or_else(ended).ok_or(error)?;
                let refusal = unmet.refusal(&url, &host, &client);
                Ok::<_, LinkError>(tonic::Status::from(refusal).into_http())
            })
        },
    );
    Ok(BoxCloneSyncService::new(told))
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

    #[test]
    fn reason_is_found_under_other_errors() {
        use rustls::Error as Tls;
        use std::io;
        let under = |error: Tls| Unmet::of(&io::Error::other(io::Error::other(error)));
        let of = |why: CertificateError| under(Tls::InvalidCertificate(why));
        assert_eq!(of(CertificateError::UnknownIssuer), Some(Unmet::NotTrusted));
        assert_eq!(of(CertificateError::BadSignature), Some(Unmet::NotTrusted));
        assert_eq!(
            of(CertificateError::NotValidForName),
            Some(Unmet::OtherName)
        );
        assert_eq!(of(CertificateError::Expired), Some(Unmet::ServerExpired));
        let alert = |alert| under(Tls::AlertReceived(alert));
        use rustls::AlertDescription as Alert;
        assert_eq!(alert(Alert::CertificateExpired), Some(Unmet::ClientExpired));
        assert_eq!(alert(Alert::UnknownCA), Some(Unmet::ClientRefused));
        assert_eq!(alert(Alert::DecryptError), Some(Unmet::ClientRefused));
        assert_eq!(alert(Alert::InternalError), None);
        assert_eq!(
            Unmet::of(&io::Error::from(io::ErrorKind::ConnectionRefused)),
            None
        );
    }
}
