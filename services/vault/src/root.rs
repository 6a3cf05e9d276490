//! Where the root key comes from.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::error::Error;
use crate::key::{KEY_BYTES, Key};
use crate::passphrase::{Cost, PASSPHRASE_MIN, SALT_BYTES, derive};

/// The default file in the state folder.
const FILE: &str = "vault.key";

/// What the proof of a root key in the store is derived for.
pub(crate) const PROOF: &str = "gearmesh vault root";

/// Larger files are no keys and no passphrases.
const FILE_MAX: u64 = 4096;

/// Where the root key comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The file in the state folder; made for a new store.
    Default(PathBuf),
    /// A file that somebody else keeps; never made here, since a path that is
    /// wrong would then look like a new vault.
    File(PathBuf),
    /// The key itself, from the environment.
    Literal(Key),
    /// A file with a passphrase.
    Passphrase(PathBuf),
}

/// What a store says of its root key.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) derivation: Option<Derivation>,
    pub(crate) proof: Vec<u8>,
}

/// How a root key is derived from a passphrase.
#[derive(Debug, Clone)]
pub(crate) struct Derivation {
    pub(crate) salt: Vec<u8>,
    pub(crate) cost: Cost,
}

impl Source {
    /// What the configuration says; nothing is read yet.
    pub(crate) fn of(config: &Config, folder: &Path) -> Result<Self, Error> {
        let wrong = |reason| Error::Config {
            key: "rootKey",
            reason,
        };
        match (&config.root_key, &config.passphrase_file) {
            (Some(_), Some(_)) => Err(wrong("give it or `passphraseFile`, not both")),
            (None, Some(path)) => Ok(Self::Passphrase(path.clone())),
            (None, None) => Ok(Self::Default(folder.join(FILE))),
            (Some(text), None) => {
                if let Some(path) = text.strip_prefix("file:") {
                    Ok(Self::File(path.into()))
                } else if let Some(digits) = text.strip_prefix("hex:") {
                    let key = parse(digits.as_bytes());
                    let key = key.ok_or_else(|| Error::KeyLength("`vault.rootKey`".to_owned()))?;
                    Ok(Self::Literal(key))
                } else {
                    Err(wrong("write `file:PATH`, or `hex:` and 64 digits"))
                }
            }
        }
    }

    /// Whether a file that the configuration names can be read; the default one may
    /// not be there yet.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::File(path) => read_key(path).map(drop),
            Self::Passphrase(path) => read_passphrase(path).map(drop),
            Self::Default(_) | Self::Literal(_) => Ok(()),
        }
    }

    /// The root key of a store that has none yet, and what the store is to say of it.
    /// Blocks.
    pub(crate) fn make(&self) -> Result<(Key, Row), Error> {
        let (key, derivation) = match self {
            Self::Default(path) if !path.exists() => (create(path)?, None),
            Self::Default(path) | Self::File(path) => (read_key(path)?, None),
            Self::Literal(key) => (key.clone(), None),
            Self::Passphrase(path) => {
                let mut salt = vec![0; SALT_BYTES];
                rand::fill(&mut salt).map_err(|_| Error::Encryption)?;
                let cost = Cost::NEW;
                let key = derive(&read_passphrase(path)?, &salt, cost)?;
                (key, Some(Derivation { salt, cost }))
            }
        };
        let proof = key.proof(PROOF).to_vec();
        Ok((key, Row { derivation, proof }))
    }

    /// The root key of a store that has one. Another key than the one with which
    /// the store was made is refused. Blocks.
    pub(crate) fn load(&self, row: &Row) -> Result<Key, Error> {
        let key = match (self, &row.derivation) {
            (Self::Default(path), None) if !path.exists() => {
                return Err(Error::KeyLost(path.clone()));
            }
            (Self::Default(path) | Self::File(path), None) => read_key(path)?,
            (Self::Literal(key), None) => key.clone(),
            (Self::Passphrase(path), Some(by)) => {
                derive(&read_passphrase(path)?, &by.salt, by.cost)?
            }
            (Self::Passphrase(_), None) => {
                return Err(Error::Config {
                    key: "passphraseFile",
                    reason: "the store was made with a root key; configure `rootKey`",
                });
            }
            (_, Some(_)) => {
                return Err(Error::Config {
                    key: "rootKey",
                    reason: "the store was made with a passphrase; configure `passphraseFile`",
                });
            }
        };
        if key.proves(PROOF, &row.proof) {
            Ok(key)
        } else {
            Err(Error::WrongKey("the vault's store".to_owned()))
        }
    }
}

/// Makes a key file for its owner alone, on disk before anything is encrypted.
fn create(path: &Path) -> Result<Key, Error> {
    let failed = |source| Error::KeyFile {
        path: path.to_owned(),
        source,
    };
    let key = Key::random().map_err(|_| Error::Encryption)?;
    let text = Zeroizing::new(format!("{}\n", &*Zeroizing::new(hex::encode(key.expose()))));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))
        .and_then(|f| f.sync_all())
        .map_err(failed)?;
    Ok(key)
}

fn read_key(path: &Path) -> Result<Key, Error> {
    let bytes = read_private(path)?;
    parse(&bytes).ok_or_else(|| Error::KeyLength(format!("`{}`", path.display())))
}

/// A key as hex digits, as text editors leave them, or as it is.
fn parse(bytes: &[u8]) -> Option<Key> {
    if bytes.len() == KEY_BYTES {
        return Key::of(bytes).ok();
    }
    let digits = std::str::from_utf8(bytes).ok()?.trim();
    let bytes = Zeroizing::new(hex::decode(digits).ok()?);
    Key::of(&bytes).ok()
}

fn read_passphrase(path: &Path) -> Result<Zeroizing<String>, Error> {
    let wrong = |reason| Error::Config {
        key: "passphraseFile",
        reason,
    };
    let bytes = read_private(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it holds what is no text"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.chars().count() < PASSPHRASE_MIN {
        return Err(wrong("a passphrase has at least 8 characters"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// Reads a file that nobody but its owner may read.
fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::KeyMissing(path.to_owned()),
        _ => Error::KeyFile {
            path: path.to_owned(),
            source,
        },
    };
    let file = File::open(path).map_err(failed)?;
    // Of the open file: the path may lead elsewhere by now.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::KeyExposed {
            path: path.to_owned(),
            mode,
        });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    file.take(FILE_MAX)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(root_key: Option<&str>, passphrase: Option<&Path>) -> Config {
        Config {
            root_key: root_key.map(str::to_owned),
            passphrase_file: passphrase.map(Path::to_owned),
        }
    }

    fn private(path: &Path, text: &[u8], mode: u32) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn default_file_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::of(&config(None, None), folder.path()).unwrap();
        let (key, row) = source.make().unwrap();
        let path = folder.path().join(FILE);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (again, _) = source.make().unwrap();
        assert_eq!(again.expose(), key.expose(), "taken, not made anew");
        assert_eq!(source.load(&row).unwrap().expose(), key.expose());
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(source.load(&row), Err(Error::KeyLost(_))));
        assert!(!path.exists());
    }

    #[test]
    fn file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        let text = hex::encode([7; KEY_BYTES]);
        let spec = format!("file:{}", path.display());
        let source = Source::of(&config(Some(&spec), None), folder.path()).unwrap();
        assert!(matches!(source.make(), Err(Error::KeyMissing(_))));
        for mode in [0o644, 0o640, 0o604, 0o620] {
            private(&path, text.as_bytes(), mode);
            assert!(
                matches!(source.make(), Err(Error::KeyExposed { .. })),
                "{mode:o}"
            );
        }
        for mode in [0o600, 0o400] {
            private(&path, format!("{text}\n").as_bytes(), mode);
            assert_eq!(source.make().unwrap().0.expose(), [7; KEY_BYTES]);
            std::fs::remove_file(&path).unwrap();
        }
        for bad in [&b""[..], b"abc", &[7; KEY_BYTES + 1], b"zz"] {
            private(&path, bad, 0o600);
            assert!(matches!(source.make(), Err(Error::KeyLength(_))), "{bad:?}");
        }
    }

    #[test]
    fn another_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let of = |digits: &str| {
            let spec = format!("hex:{}", digits.repeat(KEY_BYTES));
            Source::of(&config(Some(&spec), None), folder.path()).unwrap()
        };
        let (_, row) = of("07").make().unwrap();
        assert!(of("07").load(&row).is_ok());
        assert!(matches!(of("08").load(&row), Err(Error::WrongKey(_))));
    }

    #[test]
    fn store_tells_its_kind_of_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        private(&path, b"correct horse\n", 0o600);
        let secret = Source::of(&config(None, Some(&path)), folder.path()).unwrap();
        let plain = Source::of(&config(None, None), folder.path()).unwrap();
        let (key, row) = secret.make().unwrap();
        assert_eq!(secret.load(&row).unwrap().expose(), key.expose());
        assert!(matches!(plain.load(&row), Err(Error::Config { .. })));
        let (_, plain_row) = plain.make().unwrap();
        assert!(matches!(secret.load(&plain_row), Err(Error::Config { .. })));
        private(&path, b"correct horsf\n", 0o600);
        assert!(matches!(secret.load(&row), Err(Error::WrongKey(_))));
        private(&path, b"1234567\n", 0o600);
        assert!(matches!(secret.make(), Err(Error::Config { .. })));
        private(&path, b"correct horse", 0o644);
        assert!(matches!(secret.load(&row), Err(Error::KeyExposed { .. })));
    }

    #[test]
    fn setting_is_one_of_its_forms() {
        let folder = Path::new("x");
        for bad in ["", "vault.key", "env:X"] {
            let error = Source::of(&config(Some(bad), None), folder).unwrap_err();
            assert!(matches!(error, Error::Config { .. }), "{bad}");
        }
        let error = Source::of(&config(Some("hex:00"), None), folder).unwrap_err();
        assert!(matches!(error, Error::KeyLength(_)));
        let both = config(Some("file:x"), Some(Path::new("y")));
        assert!(Source::of(&both, folder).is_err());
    }
}
