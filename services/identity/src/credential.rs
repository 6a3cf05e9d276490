//! The right to ask for leaves of one name.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gearmesh_link::Holder;
use gearmesh_runtime::NodeCredential;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ca::Ca;
use crate::error::{Error, Refused};

/// What the CA signs of a credential begins with this: no certificate does.
const CONTEXT: &str = "gearmesh node credential v1";

/// A credential that is not used for so long has ended.
pub(crate) const UNUSED_MAX_S: i64 = 30 * 86_400;

/// A node credential without its private key. The CA has signed it, so that the
/// engine need not have seen it before.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Credential {
    pub(crate) id: String,
    trust_domain: String,
    /// `/engine/NAME`, `/gateway` or `/agent/ID`.
    spiffe: String,
    /// Names and addresses by which outside clients reach its holder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hosts: Vec<String>,
    /// What a client may do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) scopes: Vec<String>,
    /// Ed25519, raw, base64.
    public_key: String,
    /// In seconds since 1970.
    pub(crate) created: i64,
    /// Of the CA, base64.
    signature: String,
}

/// For whom a credential is.
#[derive(Debug)]
pub(crate) struct For<'a> {
    pub(crate) holder: &'a Holder,
    pub(crate) hosts: &'a [String],
    pub(crate) scopes: &'a [String],
}

impl Credential {
    /// Makes a credential; gives the text of its file too.
    pub(crate) fn make(ca: &Ca, whose: &For<'_>, now: i64) -> Result<(Self, String), Error> {
        let random = SystemRandom::new();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| Error::Random)?;
        let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());
        let key = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| Error::Random)?;
        let mut id = [0; 8];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| Error::Random)?;
        let mut credential = Self {
            id: format!("cred_{}", hex::encode(id)),
            trust_domain: ca.domain().to_owned(),
            spiffe: whose.holder.to_string(),
            hosts: whose.hosts.to_vec(),
            scopes: whose.scopes.to_vec(),
            public_key: BASE64.encode(key.public_key()),
            created: now,
            signature: String::new(),
        };
        credential.signature = BASE64.encode(ca.sign(&credential.signed())?);
        let unwritable = |e: serde_json::Error| Error::Config(e.to_string());
        let document = serde_json::to_string(&credential).map_err(unwritable)?;
        let file = NodeCredential::write(&document, &pkcs8).map_err(unwritable)?;
        Ok((credential, file))
    }

    /// Reads a credential that this CA has signed, and who stands behind it.
    pub(crate) fn parse(ca: &Ca, document: &[u8]) -> Result<(Self, Holder), Refused> {
        let credential: Self = serde_json::from_slice(document).map_err(|_| Refused::Unreadable)?;
        let signature = BASE64
            .decode(&credential.signature)
            .map_err(|_| Refused::Unreadable)?;
        if !ca.has_signed(&credential.signed(), &signature) {
            return Err(Refused::Foreign);
        }
        if credential.trust_domain != ca.domain() {
            return Err(Refused::Domain);
        }
        let holder = Holder::parse(&credential.spiffe).ok_or(Refused::Unreadable)?;
        Ok((credential, holder))
    }

    /// Whether the credential's holder has signed a request.
    pub(crate) fn has_signed(&self, csr: &[u8], signature: &[u8]) -> bool {
        let Ok(key) = BASE64.decode(&self.public_key) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&NodeCredential::signed(csr), signature)
            .is_ok()
    }

    pub(crate) fn spiffe(&self) -> String {
        format!("spiffe://{}{}", self.trust_domain, self.spiffe)
    }

    /// What the CA signs: every field, each behind its length, so that no two
    /// credentials have one text.
    fn signed(&self) -> Vec<u8> {
        let created = self.created.to_string();
        let lists = [&self.hosts, &self.scopes].map(|list| {
            let parts: Vec<String> = list.iter().map(|t| format!("{}:{t}", t.len())).collect();
            parts.concat()
        });
        let [hosts, scopes] = &lists;
        let fields = [
            CONTEXT,
            &self.id,
            &self.trust_domain,
            &self.spiffe,
            hosts,
            scopes,
            &self.public_key,
            &created,
        ];
        let parts: Vec<String> = fields
            .iter()
            .map(|f| format!("{}:{f}\n", f.len()))
            .collect();
        parts.concat().into_bytes()
    }
}
