//! The CA: a root that `gearmesh init` made, and the intermediate that signs.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use gearmesh_link::{Holder, SCOPES_OID, Spiffe, write_scopes};
use gearmesh_runtime::{read_certificates, read_private};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SanType, SerialNumber, SigningKey,
};

use crate::error::Error;

/// Leaves begin this long before they are signed: clocks differ.
pub const BACKDATED_S: i64 = 5 * 60;

/// Longest life of a leaf from its signing on: an hour with what it is backdated.
pub const LEAF_MAX_S: i64 = 3_600 - BACKDATED_S;

/// Life of a root and of an intermediate. There is no way yet to replace one
/// without a fresh `gearmesh init`.
const ROOT_S: i64 = 10 * 365 * 86_400;
const INTERMEDIATE_S: i64 = 5 * 365 * 86_400;

/// Random bytes of a serial number; RFC 5280 allows 20.
const SERIAL_LEN: usize = 16;

/// Names of the CA's files.
pub(crate) const ROOT: &str = "root.pem";
pub(crate) const ROOT_KEY: &str = "root.key";
pub(crate) const INTERMEDIATE: &str = "intermediate.pem";
pub(crate) const INTERMEDIATE_KEY: &str = "intermediate.key";

/// The CA that signs leaves and node credentials.
#[derive(Debug)]
pub(crate) struct Ca {
    domain: String,
    issuer: Issuer<'static, KeyPair>,
    intermediate: Vec<u8>,
    roots: Vec<Vec<u8>>,
}

/// A fresh CA, for its files.
pub(crate) struct Made {
    pub(crate) root: String,
    pub(crate) root_key: String,
    pub(crate) intermediate: String,
    pub(crate) intermediate_key: String,
}

/// What a leaf says.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) spiffe: &'a Spiffe,
    /// DNS names and addresses by which outside clients reach it.
    pub(crate) hosts: &'a [String],
    /// What a client may do.
    pub(crate) scopes: &'a [String],
    /// Seconds from now.
    pub(crate) lifetime: i64,
}

/// A signed leaf.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// The leaf and the intermediate, in DER.
    pub(crate) chain: Vec<Vec<u8>>,
    /// In hex.
    pub(crate) serial: String,
    /// In seconds since 1970.
    pub(crate) expires: i64,
}

impl Ca {
    /// Makes a root and an intermediate.
    pub(crate) fn make(domain: &str, now: i64) -> Result<Made, Error> {
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let root = authority(&format!("Gearmesh root of {domain}"), 1, now, ROOT_S)?;
        let root_pem = root.self_signed(&root_key)?.pem();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let name = format!("Gearmesh intermediate of {domain}");
        let mut params = authority(&name, 0, now, INTERMEDIATE_S)?;
        params.use_authority_key_identifier_extension = true;
        let root_key_pem = root_key.serialize_pem();
        let intermediate = params.signed_by(&key, &Issuer::new(root, root_key))?;
        Ok(Made {
            root: root_pem,
            root_key: root_key_pem,
            intermediate: intermediate.pem(),
            intermediate_key: key.serialize_pem(),
        })
    }

    /// Opens the CA of a folder. The root's key is not needed, and may be elsewhere.
    pub(crate) fn open(folder: &Path, domain: &str) -> Result<Self, Error> {
        let file = |name: &str| -> PathBuf { folder.join(name) };
        let roots = read_certificates(&file(ROOT), "identity.ca")?;
        let intermediate = read_certificates(&file(INTERMEDIATE), "identity.ca")?
            .into_iter()
            .next()
            .unwrap_or_default();
        let key = read_private(&file(INTERMEDIATE_KEY), "identity.ca")?;
        let key = std::str::from_utf8(&key)
            .ok()
            .and_then(|pem| KeyPair::from_pem(pem).ok())
            .ok_or_else(|| {
                let path = file(INTERMEDIATE_KEY);
                Error::Config(format!("`{}` is no private key in PEM", path.display()))
            })?;
        Ok(Self {
            domain: domain.to_owned(),
            issuer: Issuer::from_ca_cert_der(&intermediate.as_slice().into(), key)?,
            intermediate,
            roots,
        })
    }

    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    /// The roots, in DER.
    pub(crate) fn roots(&self) -> &[Vec<u8>] {
        &self.roots
    }

    /// Signs a leaf for a public key.
    pub(crate) fn leaf(
        &self,
        key: &impl PublicKeyData,
        wanted: &Wanted<'_>,
        now: i64,
    ) -> Result<Leaf, Error> {
        let serial = serial()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + since(now - BACKDATED_S);
        let expires = now + wanted.lifetime.min(LEAF_MAX_S);
        params.not_after = epoch + since(expires);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let uri = wanted.spiffe.to_string().try_into()?;
        params.subject_alt_names.push(SanType::URI(uri));
        for host in wanted.hosts {
            params.subject_alt_names.push(match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host.as_str().try_into()?),
            });
        }
        params.extended_key_usages = match wanted.spiffe.holder() {
            Holder::Agent(_) => vec![ExtendedKeyUsagePurpose::ClientAuth],
            // Services of the mesh answer and ask.
            _ => vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ],
        };
        if !wanted.scopes.is_empty() {
            let scopes = write_scopes(wanted.scopes);
            let extension = CustomExtension::from_oid_content(&SCOPES_OID, scopes);
            params.custom_extensions.push(extension);
        }
        let leaf = params.signed_by(key, &self.issuer)?;
        Ok(Leaf {
            chain: vec![leaf.der().to_vec(), self.intermediate.clone()],
            serial: hex::encode(serial),
            expires,
        })
    }

    /// Signs bytes that are no certificate: they must begin with a text of their own.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.issuer.key().sign(bytes)?)
    }

    /// Whether this CA has signed these bytes.
    pub(crate) fn has_signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let key = self.issuer.key().public_key_raw();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
            .verify(bytes, signature)
            .is_ok()
    }
}

fn authority(name: &str, below: u8, now: i64, lifetime: i64) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since(now - BACKDATED_S);
    params.not_after = epoch + since(now + lifetime);
    Ok(params)
}

fn serial() -> Result<[u8; SERIAL_LEN], Error> {
    let mut serial = [0; SERIAL_LEN];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| Error::Random)?;
    // Positive, and of one length.
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

/// Seconds as the time behind 1970.
fn since(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}
