//! How commands reach a server: over plain loopback, or by TLS with a login.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gearmesh_link::{Link, Login, remote_as};

use crate::error::Error;
use crate::globals::Globals;

/// The login of this invocation: what is typed is typed once.
static LOGIN: OnceLock<Login> = OnceLock::new();

/// Reads the login that the flags name.
pub(crate) fn prepare(globals: &Globals) -> Result<(), Error> {
    let login = read(globals)?;
    // A second preparation has the same flags.
    let _ = LOGIN.set(login);
    Ok(())
}

/// A link to a server.
pub(crate) fn link(url: &str) -> Result<Link, Error> {
    let nobody = Login::default();
    remote_as(url, LOGIN.get().unwrap_or(&nobody)).map_err(|e| Error::Usage {
        message: e.to_string(),
        help: Some(
            "--login DIR names a folder that `gearmesh init --client NAME` made; else give --ca FILE and --token-file FILE"
                .to_owned(),
        ),
    })
}

fn read(globals: &Globals) -> Result<Login, Error> {
    let file = |name: &str| globals.login.as_ref().map(|folder| folder.join(name));
    let certificate = match (
        globals.cert.clone().or_else(|| file("cert.pem")),
        globals.key.clone().or_else(|| file("key.pem")),
    ) {
        (Some(cert), Some(key)) => Some((bytes(&cert)?, bytes(&key)?)),
        (None, None) => None,
        _ => {
            return Err(Error::usage(
                "a certificate needs its key: give --cert and --cert-key".to_owned(),
            ));
        }
    };
    let ca = globals.ca.clone().or_else(|| file("ca.pem"));
    let token = match &globals.token_file {
        Some(path) => Some(text(path)?.trim().to_owned()),
        None => globals.env_token.clone(),
    };
    Ok(Login {
        ca: ca.as_deref().map(bytes).transpose()?,
        certificate,
        token: token.filter(|t| !t.is_empty()),
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|e| unreadable(path, &e))
}

fn text(path: &PathBuf) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|e| unreadable(path, &e))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::usage(format!("cannot read {}: {error}", path.display()))
}
