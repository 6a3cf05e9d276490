//! What `gearmesh init` does: the CA of a mesh, the credentials of its processes
//! and clients, as files.
//!
//! Whoever can read the CA's folder is the mesh, so this works without a server
//! and is done once, on the machine of the operator:
//!
//! ```text
//! ca/           root.pem root.key intermediate.pem intermediate.key mesh.json
//! credentials/  SERVICE.json, one for each service
//! config/       SERVICE.toml, the settings that use them
//! clients/NAME/ ca.pem cert.pem key.pem credential.json
//! ```

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use gearmesh_link::{Holder, is_domain};
use serde::{Deserialize, Serialize};

use crate::ca::{Ca, INTERMEDIATE, INTERMEDIATE_KEY, LEAF_MAX_S, ROOT, ROOT_KEY};
use crate::credential::{Credential, For};
use crate::error::Error;
use crate::init_files::{Mode, folder, vacant, write};

pub use crate::init_client::{Client, Renewal, client, pem, renewal};

/// Folders of what is made.
pub(crate) const CA: &str = "ca";
const CREDENTIALS: &str = "credentials";
const CONFIG: &str = "config";
pub(crate) const CLIENTS: &str = "clients";

/// What the later calls must know of the mesh.
const MESH: &str = "mesh.json";

/// The operator's own client, which may do everything.
const ADMIN: &str = "admin";
const EVERYTHING: &str = "*";

/// Names by which the gateway is reached when none is given.
const GATEWAY_HOSTS: [&str; 4] = ["gateway", "localhost", "127.0.0.1", "::1"];

/// Names and addresses of one gateway.
const HOSTS_MAX: usize = 32;

/// Something that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What it is.
    pub what: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// It is there already.
    #[error("`{}` is there already, and nothing is written over it", .0.display())]
    Exists(PathBuf),
    /// There is no CA.
    #[error("there is no CA in `{}`", .0.display())]
    NoCa(PathBuf),
    /// A value cannot be used.
    #[error("{0}")]
    Value(String),
    /// A file cannot be used.
    #[error("cannot use `{}`: {source}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The CA cannot be made or used.
    #[error("{0}")]
    Ca(String),
}

impl InitError {
    /// The reason, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists(_) => "ALREADY_INITIALIZED",
            Self::NoCa(_) => "CA_MISSING",
            Self::Value(_) => "INVALID_PARAMETERS",
            Self::File { .. } => "FILE_UNUSABLE",
            Self::Ca(_) => "CA_UNUSABLE",
        }
    }

    /// What may help.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Exists(_) => Some("name another --folder, or take what is there away yourself"),
            Self::NoCa(_) => Some("`gearmesh init` in this folder makes one"),
            _ => None,
        }
    }
}

impl From<Error> for InitError {
    fn from(error: Error) -> Self {
        Self::Ca(error.to_string())
    }
}

/// A mesh to be.
#[derive(Debug, Clone)]
pub struct Mesh {
    /// Where its files go.
    pub folder: PathBuf,
    /// A DNS name in lower case.
    pub trust_domain: String,
    /// Address of the identity engine, as `https://10.0.0.5:8421`.
    pub identity: String,
    /// The services that get credentials.
    pub services: Vec<String>,
    /// Names and addresses by which clients reach the gateway, beside the usual.
    pub hosts: Vec<String>,
    /// Make what is missing, and be content with what is there.
    pub if_absent: bool,
}

/// What is remembered of a mesh.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Remembered {
    pub(crate) trust_domain: String,
    pub(crate) identity: String,
}

/// The CA of a folder, opened.
pub(crate) struct Opened {
    folder: PathBuf,
    pub(crate) ca: Ca,
    mesh: Remembered,
}

/// Makes the CA, credentials and settings for the services, and a client `admin`
/// that may do everything.
///
/// # Errors
/// ALREADY_INITIALIZED when there is a CA; it and all else stays as it is then.
pub fn mesh(mesh: &Mesh, now: i64) -> Result<Vec<Made>, InitError> {
    if !is_domain(&mesh.trust_domain) {
        let text = format!("`{}` is no DNS name in lower case", mesh.trust_domain);
        return Err(InitError::Value(text));
    }
    if !mesh.identity.starts_with("https://") {
        let text = format!("`{}` must begin with https://", mesh.identity);
        return Err(InitError::Value(text));
    }
    check_hosts(&mesh.hosts)?;
    let mut list = Vec::new();
    if !(mesh.if_absent && mesh.folder.join(CA).join(MESH).exists()) {
        list.extend(authority(mesh, now)?);
    }
    let there = |path: &[&str]| {
        let path = path
            .iter()
            .fold(mesh.folder.clone(), |p, part| p.join(part));
        mesh.if_absent && path.exists()
    };
    for service in &mesh.services {
        if !there(&[CONFIG, &format!("{service}.toml")]) {
            list.extend(node(&mesh.folder, service, &mesh.hosts, now)?);
        }
    }
    if !there(&[CLIENTS, ADMIN]) {
        let admin = Client {
            folder: mesh.folder.clone(),
            name: ADMIN.to_owned(),
            scopes: vec![EVERYTHING.to_owned()],
            lifetime: LEAF_MAX_S,
        };
        list.extend(client(&admin, now)?);
    }
    Ok(list)
}

/// Makes the CA: it is there whole or not at all.
fn authority(mesh: &Mesh, now: i64) -> Result<Vec<Made>, InitError> {
    let at = mesh.folder.join(CA);
    vacant(&at)?;
    let made = Ca::make(&mesh.trust_domain, now)?;
    let fresh = mesh.folder.join("ca.new");
    vacant(&fresh)?;
    folder(&fresh)?;
    let remembered = Remembered {
        trust_domain: mesh.trust_domain.clone(),
        identity: mesh.identity.clone(),
    };
    let remembered =
        serde_json::to_string(&remembered).map_err(|e| InitError::Ca(e.to_string()))?;
    for (name, text, mode) in [
        (ROOT, &made.root, Mode::Open),
        (ROOT_KEY, &made.root_key, Mode::Secret),
        (INTERMEDIATE, &made.intermediate, Mode::Open),
        (INTERMEDIATE_KEY, &made.intermediate_key, Mode::Secret),
        (MESH, &remembered, Mode::Open),
    ] {
        write(&fresh.join(name), text, mode)?;
    }
    std::fs::rename(&fresh, &at).map_err(|source| InitError::File {
        path: at.clone(),
        source,
    })?;
    Ok(vec![
        thing("root certificate, for everybody", at.join(ROOT)),
        thing("root key, to be kept elsewhere", at.join(ROOT_KEY)),
        thing(
            "key that signs, for identity alone",
            at.join(INTERMEDIATE_KEY),
        ),
    ])
}

/// Makes credential and settings of one service. Its instances share them.
///
/// # Errors
/// CA_MISSING without one, ALREADY_INITIALIZED when the service has a credential.
pub fn node(at: &Path, service: &str, hosts: &[String], now: i64) -> Result<Vec<Made>, InitError> {
    check_hosts(hosts)?;
    let opened = open(at)?;
    let holder = Holder::of_service(service);
    if Holder::parse(&holder.to_string()).is_none() {
        let text = format!("`{service}` is no name of a service");
        return Err(InitError::Value(text));
    }
    let config = at.join(CONFIG).join(format!("{service}.toml"));
    vacant(&config)?;
    folder(&at.join(CONFIG))?;
    let mut list = Vec::new();
    // The identity engine signs its own leaf and needs no credential.
    if service != "identity" {
        let path = at.join(CREDENTIALS).join(format!("{service}.json"));
        vacant(&path)?;
        folder(&at.join(CREDENTIALS))?;
        let mut all: Vec<String> = Vec::new();
        if holder == Holder::Gateway {
            all.extend(GATEWAY_HOSTS.map(str::to_owned));
            all.extend(
                hosts
                    .iter()
                    .filter(|h| !GATEWAY_HOSTS.contains(&h.as_str()))
                    .cloned(),
            );
        }
        let whose = For {
            holder: &holder,
            hosts: &all,
            scopes: &[],
        };
        let (credential, text) = Credential::make(&opened.ca, &whose, now)?;
        write(&path, &text, Mode::Secret)?;
        let what = format!("credential {} of {}", credential.id, credential.spiffe());
        list.push(thing(what, path));
    }
    write(&config, &opened.fragment(service), Mode::Open)?;
    list.push(thing(format!("settings of {service}"), config));
    Ok(list)
}

pub(crate) fn remembered(at: &Path) -> Result<Remembered, InitError> {
    let path = at.join(CA).join(MESH);
    let text = std::fs::read(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => InitError::NoCa(at.join(CA)),
        _ => InitError::File {
            path: path.clone(),
            source: e,
        },
    })?;
    serde_json::from_slice(&text)
        .map_err(|e| InitError::Ca(format!("`{}` cannot be read: {e}", path.display())))
}

pub(crate) fn open(at: &Path) -> Result<Opened, InitError> {
    let mesh = remembered(at)?;
    let folder = std::path::absolute(at).map_err(|source| InitError::File {
        path: at.to_owned(),
        source,
    })?;
    let ca = Ca::open(&folder.join(CA), &mesh.trust_domain)?;
    Ok(Opened { folder, ca, mesh })
}

impl Opened {
    /// The settings by which a service takes part in the mesh.
    fn fragment(&self, service: &str) -> String {
        let path = |parts: &[&str]| {
            let path = parts
                .iter()
                .fold(self.folder.clone(), |p, part| p.join(part));
            // JSON's strings are TOML's basic strings.
            serde_json::Value::from(path.to_string_lossy().into_owned()).to_string()
        };
        let mut out = format!(
            "# Written by `gearmesh init`: who {service} is in the mesh, and whom it trusts.\n"
        );
        let authority = self.mesh.identity.trim_start_matches("https://");
        if service == "identity" && authority.parse::<std::net::SocketAddr>().is_ok() {
            let _ = writeln!(out, "listen = \"{authority}\"\n");
        }
        let _ = writeln!(out, "[mesh]\nca = {}", path(&[CA, ROOT]));
        let _ = writeln!(out, "trustDomain = \"{}\"", self.mesh.trust_domain);
        if service == "identity" {
            let _ = writeln!(out, "\n[identity]\nca = {}", path(&[CA]));
        } else {
            let file = format!("{service}.json");
            let _ = writeln!(out, "credential = {}", path(&[CREDENTIALS, &file]));
            let _ = writeln!(out, "identity = \"{}\"", self.mesh.identity);
        }
        out
    }
}

fn check_hosts(hosts: &[String]) -> Result<(), InitError> {
    let fits = |h: &String| h.parse::<IpAddr>().is_ok() || is_domain(h);
    if hosts.len() > HOSTS_MAX || !hosts.iter().all(fits) {
        let text = format!("--host takes at most {HOSTS_MAX} DNS names in lower case or addresses");
        return Err(InitError::Value(text));
    }
    Ok(())
}

pub(crate) fn thing(what: impl Into<String>, path: PathBuf) -> Made {
    Made {
        what: what.into(),
        path,
    }
}
