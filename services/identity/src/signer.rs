//! Who gets a leaf, and of which name.

use std::sync::Arc;

use gearmesh_link::{Holder, Spiffe};
use gearmesh_runtime::{BoxFuture, Clock, Issued, Issuer};
use rcgen::{CertificateSigningRequestParams, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType};

use crate::ca::{Ca, Leaf, Wanted};
use crate::credential::Credential;
use crate::error::{Error, Refused};
use crate::table::Table;

/// Decides who gets a leaf, has it signed and notes it.
#[derive(Debug)]
pub(crate) struct Signer {
    ca: Ca,
    table: Arc<Table>,
    clock: Arc<dyn Clock>,
    lifetime: i64,
}

/// A request for a leaf, as its asker signed it.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) credential: &'a [u8],
    pub(crate) csr: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl Signer {
    pub(crate) fn new(ca: Ca, table: Arc<Table>, clock: Arc<dyn Clock>, lifetime: i64) -> Self {
        Self {
            ca,
            table,
            clock,
            lifetime,
        }
    }

    pub(crate) fn roots(&self) -> &[Vec<u8>] {
        self.ca.roots()
    }

    /// Signs a leaf for whoever holds a credential's key.
    pub(crate) async fn sign(&self, asked: &Asked<'_>) -> Result<Leaf, Error> {
        let (credential, holder) =
            Credential::parse(&self.ca, asked.credential).map_err(Error::Credential)?;
        if !credential.has_signed(asked.csr, asked.signature) {
            return Err(Error::Credential(Refused::Signature));
        }
        // Parsed behind the signature: strangers reach no parser of PKCS #10.
        let (spiffe, key) = self.read(asked.csr)?;
        if *spiffe.holder() != holder {
            return Err(Error::Credential(Refused::Name));
        }
        let wanted = Wanted {
            spiffe: &spiffe,
            hosts: &credential.hosts,
            scopes: &credential.scopes,
            lifetime: self.lifetime,
        };
        let now = self.now();
        let leaf = self.ca.leaf(&key, &wanted, now)?;
        let name = spiffe.to_string();
        self.table.used(&credential, &leaf, &name, now).await?;
        tracing::info!(
            spiffe = name,
            credential = credential.id,
            serial = leaf.serial,
            "leaf signed"
        );
        Ok(leaf)
    }

    /// The name and the key of a request; its own signature is verified.
    fn read(&self, csr: &[u8]) -> Result<(Spiffe, impl PublicKeyData + use<>), Error> {
        let request = CertificateSigningRequestParams::from_der(&csr.into())
            .map_err(|_| Error::Csr("is no PKCS #10 whose signature is right"))?;
        if *request.public_key.algorithm() != PKCS_ECDSA_P256_SHA256 {
            return Err(Error::Csr("has another key than P-256"));
        }
        let [SanType::URI(uri)] = request.params.subject_alt_names.as_slice() else {
            return Err(Error::Csr("must have exactly one name, a URI"));
        };
        let spiffe = Spiffe::parse(uri.as_str())
            .map_err(|_| Error::Csr("has a name that is no SPIFFE id of a mesh"))?;
        if spiffe.domain() != self.ca.domain() {
            return Err(Error::Credential(Refused::Domain));
        }
        Ok((spiffe, request.public_key))
    }

    fn now(&self) -> i64 {
        self.clock.now_ms() / 1000
    }

    async fn own(&self, service: &str, csr: &[u8]) -> Result<Leaf, Error> {
        let (spiffe, key) = self.read(csr)?;
        if *spiffe.holder() != Holder::of_service(service) {
            return Err(Error::Credential(Refused::Name));
        }
        let wanted = Wanted {
            spiffe: &spiffe,
            hosts: &[],
            scopes: &[],
            lifetime: self.lifetime,
        };
        let now = self.now();
        let leaf = self.ca.leaf(&key, &wanted, now)?;
        self.table.issued(&leaf, &spiffe.to_string(), now).await?;
        Ok(leaf)
    }
}

impl Issuer for Signer {
    fn issue<'a>(
        &'a self,
        service: &'a str,
        csr: &'a [u8],
    ) -> BoxFuture<'a, Result<Issued, Box<dyn std::error::Error + Send + Sync>>> {
        Box::pin(async move {
            let leaf = self.own(service, csr).await?;
            Ok(Issued {
                chain: leaf.chain,
                roots: self.ca.roots().to_vec(),
                expires: leaf.expires,
            })
        })
    }
}
