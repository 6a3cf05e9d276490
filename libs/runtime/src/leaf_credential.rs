//! Node credentials: the right of a process to ask for leaves.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::error::Error;

/// Largest credential or certificate file: both have some hundred bytes.
const FILE_MAX: u64 = 256 * 1024;

/// What a credential signs begins with this, so that its signature is good for
/// nothing else.
const CONTEXT: &[u8] = b"gearmesh leaf request v1\n";

/// The right of a process to ask for leaves: a file that `gearmesh init` wrote,
/// readable by its owner alone.
pub struct NodeCredential {
    document: Box<str>,
    key: Ed25519KeyPair,
}

impl std::fmt::Debug for NodeCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeCredential")
            .field("document", &self.document)
            .finish_non_exhaustive()
    }
}

/// The file: what the CA has signed, and the private key beside it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    credential: Box<RawValue>,
    key: String,
}

impl NodeCredential {
    /// Reads a credential file.
    ///
    /// # Errors
    /// INSECURE_CONFIG when others can read it; [`Error::Config`] when it is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read_private(path, "mesh.credential")?;
        let wrong = |reason: &str| Error::Config {
            key: "mesh.credential".to_owned(),
            reason: format!("`{}` {reason}", path.display()),
        };
        let file: File = serde_json::from_slice(&text)
            .map_err(|_| wrong("is no node credential of `gearmesh init`"))?;
        let key = Zeroizing::new(
            BASE64
                .decode(&file.key)
                .map_err(|_| wrong("has a key that is no base64"))?,
        );
        let key = Ed25519KeyPair::from_pkcs8(&key)
            .map_err(|_| wrong("has a key that is no Ed25519 key in PKCS #8"))?;
        Ok(Self {
            document: file.credential.get().into(),
            key,
        })
    }

    /// The text of a credential file.
    ///
    /// # Errors
    /// When `document` is no JSON.
    pub fn write(document: &str, key_pkcs8: &[u8]) -> Result<String, serde_json::Error> {
        let file = File {
            credential: RawValue::from_string(document.to_owned())?,
            key: BASE64.encode(key_pkcs8),
        };
        serde_json::to_string(&file)
    }

    /// What the CA has signed; nothing in it is secret.
    #[must_use]
    pub fn document(&self) -> &[u8] {
        self.document.as_bytes()
    }

    /// Signs a request for a leaf.
    #[must_use]
    pub fn sign(&self, csr: &[u8]) -> Vec<u8> {
        self.key.sign(&Self::signed(csr)).as_ref().to_vec()
    }

    /// The bytes that [`NodeCredential::sign`] signs for a request.
    #[must_use]
    pub fn signed(csr: &[u8]) -> Vec<u8> {
        [CONTEXT, csr].concat()
    }
}

/// Reads a file that its owner alone may read.
///
/// # Errors
/// INSECURE_CONFIG when others can read it, [`Error::Config`] when this process cannot.
pub fn read_private(path: &Path, key: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |e: std::io::Error| Error::Config {
        key: key.to_owned(),
        reason: format!("`{}` cannot be read: {e}", path.display()),
    };
    // Checked on what was opened, so that nobody can change it between.
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::Insecure {
            key: key.to_owned(),
            reason: format!(
                "`{}` has mode {mode:04o}, so that others can use it; chmod 600 it",
                path.display()
            ),
        });
    }
    let (owner, me) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != me && me != 0 {
        return Err(Error::Insecure {
            key: key.to_owned(),
            reason: format!(
                "`{}` belongs to user {owner}, not to this process's {me}",
                path.display()
            ),
        });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.by_ref()
        .take(FILE_MAX)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}
