//! Clients with a certificate.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gearmesh_link::{Holder, Spiffe, is_id};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

use crate::ca::{LEAF_MAX_S, ROOT, Wanted};
use crate::credential::{Credential, For};
use crate::error::Error;
use crate::init::{CA, CLIENTS, InitError, Made, open, remembered, thing};
use crate::init_files::{Mode, folder, vacant, write};
use crate::scope::{SCOPES_MAX, is_scope};

/// Shortest life of a client's first certificate, in seconds.
const LIFETIME_MIN_S: i64 = 60;

/// A client to be.
#[derive(Debug, Clone)]
pub struct Client {
    /// The folder of the mesh.
    pub folder: PathBuf,
    /// The client's id.
    pub name: String,
    /// What it may do, as `file:read`.
    pub scopes: Vec<String>,
    /// How long its first certificate is valid, in seconds.
    pub lifetime: i64,
}

/// Makes a client's credential and its first certificate, as PEM files that every
/// gRPC library reads.
///
/// # Errors
/// CA_MISSING without one, ALREADY_INITIALIZED when the client has a folder.
pub fn client(client: &Client, now: i64) -> Result<Vec<Made>, InitError> {
    if !is_id(&client.name) {
        let text = format!(
            "`{}` is no name of letters, digits, `.`, `_` and `-`",
            client.name
        );
        return Err(InitError::Value(text));
    }
    let count = client.scopes.len();
    if !(1..=SCOPES_MAX).contains(&count) || !client.scopes.iter().all(|s| is_scope(s)) {
        let text = "name 1 to 64 scopes, as `file:read,http:*`; `*` is everything";
        return Err(InitError::Value(text.to_owned()));
    }
    if !(LIFETIME_MIN_S..=LEAF_MAX_S).contains(&client.lifetime) {
        let text = format!("a certificate lives {LIFETIME_MIN_S} to {LEAF_MAX_S} seconds");
        return Err(InitError::Value(text));
    }
    let opened = open(&client.folder)?;
    let at = client.folder.join(CLIENTS).join(&client.name);
    vacant(&at)?;
    let holder = Holder::Agent(client.name.clone());
    let whose = For {
        holder: &holder,
        hosts: &[],
        scopes: &client.scopes,
    };
    let (credential, text) = Credential::make(&opened.ca, &whose, now)?;
    let spiffe = Spiffe::new(opened.ca.domain(), holder.clone(), "")
        .map_err(|e| InitError::Value(e.to_string()))?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::Ca)?;
    let wanted = Wanted {
        spiffe: &spiffe,
        hosts: &[],
        scopes: &client.scopes,
        lifetime: client.lifetime,
    };
    let leaf = opened.ca.leaf(&key, &wanted, now)?;
    folder(&at)?;
    let roots = std::fs::read_to_string(client.folder.join(CA).join(ROOT));
    let roots = roots.map_err(|source| InitError::File {
        path: client.folder.join(CA).join(ROOT),
        source,
    })?;
    let files = [
        ("ca.pem", roots, Mode::Open, "whom to trust".to_owned()),
        (
            "cert.pem",
            pem("CERTIFICATE", &leaf.chain),
            Mode::Open,
            format!("certificate of {spiffe}, valid for {} s", client.lifetime),
        ),
        (
            "key.pem",
            key.serialize_pem(),
            Mode::Secret,
            "its key".to_owned(),
        ),
        (
            "credential.json",
            text,
            Mode::Secret,
            format!(
                "credential {}, by which `gearmesh init --renew` gets a fresh one",
                credential.id
            ),
        ),
    ];
    let mut list = Vec::new();
    for (name, text, mode, what) in files {
        write(&at.join(name), &text, mode)?;
        list.push(thing(what, at.join(name)));
    }
    Ok(list)
}

/// What a client's folder says about where to ask for a fresh certificate.
#[derive(Debug)]
pub struct Renewal {
    /// The client's folder.
    pub folder: PathBuf,
    /// The trust domain.
    pub trust_domain: String,
    /// Address of the identity engine.
    pub identity: String,
}

/// Where a client of a mesh asks for a fresh certificate.
///
/// # Errors
/// CA_MISSING without a mesh in the folder.
pub fn renewal(at: &Path, name: &str) -> Result<Renewal, InitError> {
    let mesh = remembered(at)?;
    Ok(Renewal {
        folder: at.join(CLIENTS).join(name),
        trust_domain: mesh.trust_domain,
        identity: mesh.identity,
    })
}

/// DER as PEM.
#[must_use]
pub fn pem(label: &str, parts: &[Vec<u8>]) -> String {
    use base64::Engine as _;
    /// RFC 7468: lines of 64 characters.
    const LINE: usize = 64;
    let mut out = String::new();
    for der in parts {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        // Writing to a String does not fail.
        let _ = writeln!(out, "-----BEGIN {label}-----");
        for line in text.as_bytes().chunks(LINE) {
            let _ = writeln!(out, "{}", String::from_utf8_lossy(line));
        }
        let _ = writeln!(out, "-----END {label}-----");
    }
    out
}
