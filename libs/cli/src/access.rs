//! How commands reach a server: over plain loopback, or by TLS with a login.

use std::path::Path;
use std::sync::OnceLock;

use gearmesh_fault::Failure;
use gearmesh_link::{CLIENT, HANDSHAKE, Link, Login, Unmet, remote_as};

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
    link_as(url, LOGIN.get().unwrap_or(&nobody))
}

fn link_as(url: &str, login: &Login) -> Result<Link, Error> {
    remote_as(url, login).map_err(|e| Error::Usage {
        message: e.to_string(),
        help: Some(
            "--login DIR names a folder that `gearmesh init --client NAME` made; else give --ca FILE and --token-file FILE"
                .to_owned(),
        ),
    })
}

/// The code of a failure to come together with a server, when it is one.
pub(crate) fn code(failure: &Failure) -> Option<&'static str> {
    unmet(failure).map(Unmet::code)
}

fn unmet(failure: &Failure) -> Option<Unmet> {
    let code = failure.metadata.get(HANDSHAKE)?;
    Unmet::ALL.into_iter().find(|unmet| unmet.code() == code)
}

/// What helps when a login is missing, was refused or has too small a scope.
pub(crate) fn help(failure: &Failure) -> Option<String> {
    let client = failure.metadata.get(CLIENT).filter(|c| !c.is_empty());
    let client = client.map_or("NAME", String::as_str);
    Some(match (unmet(failure), failure.reason.as_str()) {
        (Some(Unmet::NotTrusted), _) => {
            "give the roots of that mesh with --ca FILE: they are in its file `ca/root.pem`".into()
        }
        (Some(Unmet::OtherName), _) => {
            "use a name that it has; `gearmesh init --host HOST` gives a gateway further ones".into()
        }
        (Some(Unmet::ServerExpired), _) => {
            "see that the identity engine of that mesh runs; the gateway's log says since when it gets no certificate".into()
        }
        (Some(Unmet::ClientExpired), _) => {
            format!("gearmesh init --folder MESH --renew {client}")
        }
        (Some(Unmet::ClientRefused), _) => {
            "it is of another mesh: `gearmesh init --client NAME` in the folder of this one makes one".into()
        }
        (None, "UNAUTHENTICATED") => {
            "--login DIR names a folder that `gearmesh init --client NAME` made; else give --token-file FILE".into()
        }
        (None, "PERMISSION_DENIED") => {
            let scope = failure.metadata.get("scope")?;
            format!("whoever runs the mesh gives it: gearmesh token create --name NAME --scopes {scope}")
        }
        _ => return None,
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
    std::fs::read(path).map_err(|e| unreadable(path, e))
}

fn text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|e| unreadable(path, e))
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
