//! What a handshake checks beyond the chain: names of the mesh.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::peer::{Peer, PeerError};
use crate::spiffe::Holder;

/// A chain of the mesh whose leaf names somebody else than was asked for.
#[derive(thiserror::Error)]
#[error("asked for `{wanted}`, but `{found}` answered")]
struct Other {
    wanted: Holder,
    found: String,
}

/// The TLS library shows errors of others by their `Debug`.
impl std::fmt::Debug for Other {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

/// Checks the server: its chain, and that it is the engine that was asked for.
/// Its address and DNS names say nothing.
#[derive(Debug)]
pub(crate) struct ServerOf {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    domain: String,
    holder: Holder,
}

impl ServerOf {
    pub(crate) fn new(
        roots: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
        domain: String,
        holder: Holder,
    ) -> Self {
        Self {
            roots,
            provider,
            domain,
            holder,
        }
    }
}

impl ServerCertVerifier for ServerOf {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            intermediates,
            now,
            algorithms,
        )?;
        let peer = Peer::of_certificate(leaf, &self.domain).map_err(refused)?;
        match peer.spiffe() {
            Some(found) if *found.holder() == self.holder => Ok(ServerCertVerified::assertion()),
            _ => Err(refused(Other {
                wanted: self.holder.clone(),
                found: peer.to_string(),
            })),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, leaf, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Checks the client: its chain, and that its leaf names somebody of the mesh.
#[derive(Debug)]
pub(crate) struct ClientOf {
    chain: Arc<dyn ClientCertVerifier>,
    domain: String,
}

impl ClientOf {
    pub(crate) fn new(chain: Arc<dyn ClientCertVerifier>, domain: String) -> Self {
        Self { chain, domain }
    }
}

impl ClientCertVerifier for ClientOf {
    fn offer_client_auth(&self) -> bool {
        self.chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(leaf, intermediates, now)?;
        Peer::of_certificate(leaf, &self.domain)
            .map(|_| verified)
            .map_err(|e: PeerError| refused(e))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// The leaf that a handshake shows: one, or that of the service which is asked for.
#[derive(Debug)]
pub(crate) struct LeafOf {
    leaves: BTreeMap<String, Arc<CertifiedKey>>,
}

impl LeafOf {
    pub(crate) fn any(leaves: BTreeMap<String, Arc<CertifiedKey>>) -> Self {
        Self { leaves }
    }

    pub(crate) fn one(leaf: Option<Arc<CertifiedKey>>) -> Self {
        Self {
            leaves: leaf.map(|l| (String::new(), l)).into_iter().collect(),
        }
    }
}

/// The DNS name by which a client says which service of a process it means.
/// Engines' ids have `_`, DNS names do not.
pub(crate) fn server_name(holder: &Holder, domain: &str) -> String {
    format!("{}.{domain}", holder.role().replace('_', "-"))
}

impl ResolvesServerCert for LeafOf {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let label = hello.server_name().and_then(|n| n.split('.').next());
        let asked = label.and_then(|l| self.leaves.get(&l.replace('-', "_")));
        // Clients from outside ask for a host name: they mean the gateway.
        asked
            .or_else(|| self.leaves.get(Holder::GATEWAY))
            .or_else(|| self.leaves.values().next())
            .cloned()
    }
}

impl ResolvesClientCert for LeafOf {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.leaves.values().next().cloned()
    }

    fn has_certs(&self) -> bool {
        !self.leaves.is_empty()
    }
}
