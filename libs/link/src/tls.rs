//! TLS of the mesh: who we are, whom we trust, and links that check the engine.
//!
//! TLS 1.3 alone, by rustls over aws-lc-rs. Leaves and roots lie behind one
//! pointer that is swapped whole; every handshake reads it anew, so that a fresh
//! leaf is used from the next connection on and open ones end by their age.
//! Sessions are never resumed: a resumed one would outlive the check of its leaf.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::spiffe::Holder;
use crate::tls_verify::{ClientOf, LeafOf, ServerOf};

pub use crate::tls_remote::remote_tls;

/// ALPN names, in the order in which they are preferred.
const ALPN_H2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Certificates or keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Refused by the TLS library.
    #[error("the certificate or key cannot be used: {0}")]
    Rustls(#[from] rustls::Error),
    /// There is nothing to check a peer against.
    #[error("there is no root certificate")]
    NoRoots,
    /// The verifier of clients cannot be made.
    #[error("clients cannot be verified: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// Who this process is, by service, and whom it trusts. Clones share both.
#[derive(Debug, Clone)]
pub struct Credentials {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    domain: String,
    provider: Arc<CryptoProvider>,
    material: ArcSwap<Material>,
}

/// What a handshake uses; replaced as a whole.
#[derive(Debug, Clone)]
struct Material {
    leaves: BTreeMap<String, Arc<CertifiedKey>>,
    roots: Arc<RootCertStore>,
}

/// Whether a listener takes callers without a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// They must show one of the mesh.
    Required,
    /// They may show none, and are strangers then.
    Optional,
}

/// Which HTTP a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    /// HTTP/2 alone: gRPC.
    Two,
    /// HTTP/1.1 too: browsers, REST.
    OneAndTwo,
}

impl Credentials {
    /// Trusts these roots (DER), and has no leaf yet.
    ///
    /// # Errors
    /// Without roots, and when one cannot be read.
    pub fn new(domain: &str, roots: &[Vec<u8>]) -> Result<Self, TlsError> {
        let material = Material {
            leaves: BTreeMap::new(),
            roots: store(roots)?,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                domain: domain.to_owned(),
                provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
                material: ArcSwap::from_pointee(material),
            }),
        })
    }

    /// The trust domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.inner.domain
    }

    /// Whether a service has a leaf.
    #[must_use]
    pub fn has_leaf(&self, service: &str) -> bool {
        self.inner.material.load().leaves.contains_key(service)
    }

    /// Replaces the leaf of a service, from the next handshake on. `chain` begins
    /// with the leaf (DER), `key` is PKCS #8.
    ///
    /// # Errors
    /// When they do not belong together or cannot be used.
    pub fn set_leaf(&self, service: &str, chain: &[Vec<u8>], key: Vec<u8>) -> Result<(), TlsError> {
        let key = self
            .inner
            .provider
            .key_provider
            .load_private_key(PrivateKeyDer::Pkcs8(key.into()))?;
        let chain = chain
            .iter()
            .map(|c| CertificateDer::from(c.clone()))
            .collect();
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match()?;
        let certified = Arc::new(certified);
        self.inner.material.rcu(|material| {
            let mut next = Material::clone(material);
            next.leaves.insert(service.to_owned(), certified.clone());
            next
        });
        Ok(())
    }

    /// Replaces the roots (DER), from the next handshake on.
    ///
    /// # Errors
    /// Without roots, and when one cannot be read; the old ones stay then.
    pub fn set_roots(&self, roots: &[Vec<u8>]) -> Result<(), TlsError> {
        let roots = store(roots)?;
        self.inner.material.rcu(|material| Material {
            leaves: material.leaves.clone(),
            roots: roots.clone(),
        });
        Ok(())
    }

    /// What a listener needs for one handshake.
    ///
    /// # Errors
    /// When no verifier can be made of the roots.
    pub fn server(&self, clients: Clients, http: Http) -> Result<Arc<ServerConfig>, TlsError> {
        let material = self.inner.material.load_full();
        let provider = self.inner.provider.clone();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            material.roots.clone(),
            provider.clone(),
        );
        let verifier = match clients {
            Clients::Required => verifier,
            Clients::Optional => verifier.allow_unauthenticated(),
        };
        let verifier = ClientOf::new(verifier.build()?, self.inner.domain.clone());
        let leaves = LeafOf::any(material.leaves.clone());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::new(leaves));
        config.alpn_protocols = match http {
            Http::Two => vec![ALPN_H2.to_vec()],
            Http::OneAndTwo => vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()],
        };
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// What a connection to `holder` needs for one handshake, made by `service`;
    /// without a leaf of that service, by any that is here, or by a stranger.
    ///
    /// # Errors
    /// When the TLS library refuses its own defaults.
    pub(crate) fn client(
        &self,
        holder: &Holder,
        service: &str,
    ) -> Result<Arc<ClientConfig>, TlsError> {
        let material = self.inner.material.load_full();
        let verifier = ServerOf::new(
            material.roots.clone(),
            self.inner.provider.clone(),
            self.inner.domain.clone(),
            holder.clone(),
        );
        let leaf = material
            .leaves
            .get(service)
            .or_else(|| material.leaves.values().next())
            .cloned();
        let mut config = ClientConfig::builder_with_provider(self.inner.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(LeafOf::one(leaf)));
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}

fn store(roots: &[Vec<u8>]) -> Result<Arc<RootCertStore>, TlsError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(CertificateDer::from(root.clone()))?;
    }
    if store.is_empty() {
        return Err(TlsError::NoRoots);
    }
    Ok(Arc::new(store))
}
