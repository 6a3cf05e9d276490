//! The files of a mesh, made as the command line asks.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use gearmesh_cli::{InitOptions, InitWhat, Made, StartError};
use gearmesh_identity::LEAF_MAX_S;
use gearmesh_identity::init::{self, InitError};
use gearmesh_runtime::{
    Clock, Holder, NodeCredential, Spiffe, SystemClock, TRUST_DOMAIN, ask_leaf, read_certificates,
};

use crate::services;

/// Makes what is asked for.
pub(crate) async fn init(options: InitOptions) -> Result<Vec<Made>, StartError> {
    let now = SystemClock::default().now_ms() / 1000;
    let folder = options.folder;
    let made = match options.what {
        InitWhat::Mesh {
            trust_domain,
            identity,
            hosts,
            if_absent,
        } => init::mesh(
            &init::Mesh {
                folder,
                trust_domain: trust_domain.unwrap_or_else(|| TRUST_DOMAIN.to_owned()),
                identity,
                services: services::NAMES.iter().map(|n| (*n).to_owned()).collect(),
                hosts,
                if_absent,
            },
            now,
        ),
        InitWhat::Node { name, hosts } => init::node(&folder, &name, &hosts, now),
        InitWhat::Client {
            name,
            scopes,
            lifetime,
        } => {
            let seconds = lifetime.map(|t| i64::try_from(t.as_secs()).unwrap_or(i64::MAX));
            let client = init::Client {
                folder,
                name,
                scopes,
                lifetime: seconds.unwrap_or(LEAF_MAX_S),
            };
            init::client(&client, now)
        }
        InitWhat::Renew { name } => return renew(&folder, &name).await,
    };
    let made = made.map_err(|e| failed(&e))?;
    Ok(made
        .into_iter()
        .map(|m| Made {
            what: m.what,
            path: m.path,
        })
        .collect())
}

/// Asks the identity engine for a fresh certificate of a client.
async fn renew(folder: &Path, name: &str) -> Result<Vec<Made>, StartError> {
    let renewal = init::renewal(folder, name).map_err(|e| failed(&e))?;
    let unusable = |message: String| StartError {
        code: StartError::FAILED,
        message,
        help: None,
    };
    let at = |file: &str| renewal.folder.join(file);
    let roots = read_certificates(&at("ca.pem"), "ca.pem").map_err(|e| unusable(e.to_string()))?;
    let node = NodeCredential::read(&at("credential.json")).map_err(|e| unusable(e.to_string()))?;
    let spiffe = Spiffe::new(&renewal.trust_domain, Holder::Agent(name.to_owned()), "")
        .map_err(|e| unusable(e.to_string()))?;
    let (issued, key) = ask_leaf(&renewal.identity, &roots, &node, &spiffe)
        .await
        .map_err(|e| StartError {
            code: "CERTIFICATE_NOT_RENEWED",
            message: format!("{} gave no certificate: {e}", renewal.identity),
            help: Some(
                "see that the identity engine runs there; its log says why it refuses".into(),
            ),
        })?;
    let mut made = Vec::new();
    // The key first: a client that reads between the two finds a pair that does not
    // fit, and reads again.
    let files = [
        (
            "key.pem",
            init::pem("PRIVATE KEY", &[key.to_vec()]),
            0o600,
            "its key",
        ),
        (
            "cert.pem",
            init::pem("CERTIFICATE", &issued.chain),
            0o644,
            "fresh certificate",
        ),
    ];
    for (file, text, mode, what) in files {
        replace(&at(file), &text, mode)
            .map_err(|e| unusable(format!("cannot write `{}`: {e}", at(file).display())))?;
        made.push(Made {
            what: what.to_owned(),
            path: at(file),
        });
    }
    Ok(made)
}

/// Writes a file whole or not at all.
fn replace(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

fn failed(error: &InitError) -> StartError {
    StartError {
        code: error.code(),
        message: error.to_string(),
        help: error.help().map(str::to_owned),
    }
}
