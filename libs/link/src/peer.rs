//! Who is at the other end of a call.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use tonic::body::Body;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::link::Link;
use crate::spiffe::{Holder, Spiffe, SpiffeError};

/// Who is at the other end of a call: an extension of the request.
///
/// Over TLS it is read from the peer's certificate, in one process the link
/// carries it. A request without one came over plain text, which is for this
/// machine alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    inner: Arc<Inner>,
}

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    who: Who,
    scopes: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Who {
    /// A service of this process.
    Local(Holder),
    /// Whoever holds the key of a certificate.
    Certified(Spiffe),
    /// Spoke TLS and showed no certificate.
    Stranger,
}

/// A certificate that says nothing that the mesh understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Not X.509.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// Not exactly one name.
    #[error("the certificate has {0} URI names; a leaf of the mesh has one")]
    Names(usize),
    /// A name of something else.
    #[error(transparent)]
    Spiffe(#[from] SpiffeError),
    /// Of another mesh.
    #[error("`{found}` is not of the trust domain `{wanted}`")]
    Domain {
        /// The name in the certificate.
        found: String,
        /// The trust domain of this mesh.
        wanted: String,
    },
    /// Scopes that cannot be read.
    #[error("the scopes in the certificate cannot be read")]
    Scopes,
}

/// The extension of a client's leaf that holds its scopes, as one UTF-8 text
/// with blanks between them. Under the arc for ids without registration.
pub const SCOPES_OID: [u64; 3] = [2, 25, 4_821_774_013_590_263_117];

impl Peer {
    /// A service of this process.
    #[must_use]
    pub fn local(service: &str) -> Self {
        Self::of(Who::Local(Holder::of_service(service)), Vec::new())
    }

    /// Somebody who spoke TLS without a certificate.
    #[must_use]
    pub fn stranger() -> Self {
        Self::of(Who::Stranger, Vec::new())
    }

    /// Whoever holds the key of a certificate. The chain has been verified before.
    ///
    /// # Errors
    /// When the certificate has not exactly one URI, the name of somebody in this
    /// trust domain.
    pub fn of_certificate(
        certificate: &CertificateDer<'_>,
        domain: &str,
    ) -> Result<Self, PeerError> {
        let (_, leaf) =
            X509Certificate::from_der(certificate).map_err(|_| PeerError::Unreadable)?;
        let names = leaf
            .subject_alternative_name()
            .map_err(|_| PeerError::Unreadable)?;
        let uris: Vec<&str> = names
            .iter()
            .flat_map(|n| &n.value.general_names)
            .filter_map(|n| match n {
                GeneralName::URI(uri) => Some(*uri),
                _ => None,
            })
            .collect();
        let [uri] = uris.as_slice() else {
            return Err(PeerError::Names(uris.len()));
        };
        let spiffe = Spiffe::parse(uri)?;
        if spiffe.domain() != domain {
            return Err(PeerError::Domain {
                found: spiffe.to_string(),
                wanted: domain.to_owned(),
            });
        }
        let oid = SCOPES_OID.map(|n| n.to_string()).join(".");
        let scopes = leaf
            .extensions()
            .iter()
            .find(|e| e.oid.to_id_string() == oid)
            .map(|e| read_scopes(e.value).ok_or(PeerError::Scopes))
            .transpose()?;
        Ok(Self::of(Who::Certified(spiffe), scopes.unwrap_or_default()))
    }

    /// When a certificate ends, in seconds since 1970.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn valid_until(certificate: &CertificateDer<'_>) -> Result<u64, PeerError> {
        let (_, leaf) =
            X509Certificate::from_der(certificate).map_err(|_| PeerError::Unreadable)?;
        // One that ended before 1970 has ended.
        Ok(u64::try_from(leaf.validity().not_after.timestamp()).unwrap_or_default())
    }

    fn of(who: Who, scopes: Vec<String>) -> Self {
        Self {
            inner: Arc::new(Inner { who, scopes }),
        }
    }

    /// The row of the matrix: `gateway`, an engine's id, `agent` or `stranger`.
    #[must_use]
    pub fn role(&self) -> &str {
        match &self.inner.who {
            Who::Local(holder) => holder.role(),
            Who::Certified(spiffe) => spiffe.holder().role(),
            Who::Stranger => Holder::STRANGER,
        }
    }

    /// The id of a client with a certificate.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        match &self.inner.who {
            Who::Certified(spiffe) => match spiffe.holder() {
                Holder::Agent(id) => Some(id),
                _ => None,
            },
            _ => None,
        }
    }

    /// What a client may do, as its leaf says; empty for services.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.inner.scopes
    }

    /// The name in the certificate; none for local peers and strangers.
    #[must_use]
    pub fn spiffe(&self) -> Option<&Spiffe> {
        match &self.inner.who {
            Who::Certified(spiffe) => Some(spiffe),
            _ => None,
        }
    }

    /// Whether it is a service of the mesh, here or elsewhere, whose metadata
    /// `gearmesh-*` is believed. A client's is not.
    #[must_use]
    pub fn is_service(&self) -> bool {
        match &self.inner.who {
            Who::Local(_) => true,
            Who::Certified(spiffe) => !matches!(spiffe.holder(), Holder::Agent(_)),
            Who::Stranger => false,
        }
    }

    /// Whether no certificate was shown.
    #[must_use]
    pub fn is_stranger(&self) -> bool {
        self.inner.who == Who::Stranger
    }

    /// A link whose calls say that this peer makes them.
    #[must_use]
    pub fn on(&self, link: Link) -> Link {
        let peer = self.clone();
        BoxCloneSyncService::new(link.map_request(move |mut request: http::Request<Body>| {
            request.extensions_mut().insert(peer.clone());
            request
        }))
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.inner.who {
            Who::Local(holder) => write!(f, "{holder} here"),
            Who::Certified(spiffe) => spiffe.fmt(f),
            Who::Stranger => f.write_str(Holder::STRANGER),
        }
    }
}

/// Tag of a UTF8String in DER.
const UTF8: u8 = 0x0c;

/// The value of the scopes' extension, in DER.
///
/// # Panics
/// Never; scopes longer than 65,535 bytes are cut, which no issuer sends.
#[must_use]
pub fn write_scopes(scopes: &[String]) -> Vec<u8> {
    let text = scopes.join(" ");
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let mut der = vec![UTF8];
    match length {
        0..=0x7f => der.push(length.to_be_bytes()[1]),
        0x80..=0xff => der.extend([0x81, length.to_be_bytes()[1]]),
        _ => {
            der.push(0x82);
            der.extend(length.to_be_bytes());
        }
    }
    der.extend(text.bytes().take(usize::from(length)));
    der
}

fn read_scopes(der: &[u8]) -> Option<Vec<String>> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, text) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&n, rest) = rest.split_first()?;
            (usize::from(n), rest)
        }
        0x82 => {
            let (n, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*n)), rest)
        }
        _ => return None,
    };
    if tag != UTF8 || text.len() != length {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    Some(text.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_survive_their_der() {
        for count in [0, 1, 12, 30, 64, 900] {
            let scopes: Vec<String> = (0..count).map(|n| format!("engine{n}:read")).collect();
            assert_eq!(read_scopes(&write_scopes(&scopes)), Some(scopes));
        }
        for bad in [
            &[][..],
            &[0x0c],
            &[0x0c, 2, b'a'],
            &[0x04, 1, b'a'],
            &[0x0c, 0x83, 0, 0, 1],
        ] {
            assert_eq!(read_scopes(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn roles_of_peers() {
        assert_eq!(Peer::local("gateway").role(), "gateway");
        assert_eq!(Peer::local("file").role(), "file");
        assert!(Peer::local("file").is_service());
        let stranger = Peer::stranger();
        assert_eq!(
            (stranger.role(), stranger.is_service(), stranger.agent()),
            ("stranger", false, None)
        );
    }
}
