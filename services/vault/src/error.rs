//! Why the engine refuses. No value of a secret is ever part of an error.

use std::path::PathBuf;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_api::vault::v1::VaultFault;
use gearmesh_fault::{EnumValueDescriptor, Fault, common, reason};

use crate::connection::SETTINGS_MAX;
use crate::key::KEY_BYTES;
use crate::name::{CREDENTIAL_NAME_MAX, VAULT_NAME_MAX};
use crate::sealed::SEALED_MAX;
use crate::vaults::{REFERENCES_MAX, RESOLVED_MAX, VALUE_MAX};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no vault named `{0}`; vault.list_vaults shows all")]
    NoVault(String),
    #[error("vault `{vault}` has no secret named `{credential}`{}", in_version(*version))]
    NoCredential {
        vault: String,
        credential: String,
        version: Option<u64>,
    },
    #[error("`{reference}`: the value is no JSON object with the member `{field}`")]
    NoField { reference: String, field: String },
    #[error("the name of a vault is 1 to {VAULT_NAME_MAX} of a-z, 0-9 and `-`")]
    VaultName,
    #[error("the name of a secret is 1 to {CREDENTIAL_NAME_MAX} of a-z, 0-9, `-` and `_`")]
    CredentialName,
    #[error(
        "no reference: {0}; write `vault://vault/credential`, with `@version` and `#field` where wanted"
    )]
    Reference(&'static str),
    #[error("a value has at most {VALUE_MAX} bytes, this one has {0}")]
    ValueTooLarge(usize),
    #[error("1 to {REFERENCES_MAX} references are resolved at once, not {0}")]
    References(usize),
    #[error("1 to {SEALED_MAX} values are sealed at once, not {0}")]
    Sealed(usize),
    #[error(
        "`{0}` was not sealed for this run; write the secret itself, or store it with vault.set and write that reference"
    )]
    NotSealedHere(String),
    #[error("the values together have more than {RESOLVED_MAX} bytes; resolve fewer at once")]
    ResolvedTooLarge,
    #[error("`{field}` {reason}")]
    Parameter {
        field: &'static str,
        reason: &'static str,
    },
    #[error("the settings of a connection have at most {SETTINGS_MAX} bytes, these have {0}")]
    SettingsTooLarge(usize),
    #[error("no connection `{name}` of kind `{kind}`")]
    NoConnection { kind: String, name: String },
    #[error("name one of the {count} connections of kind `{kind}`")]
    WhichConnection { kind: String, count: usize },
    #[error(
        "what is stored at `{0}` was changed from outside or is damaged; restore it from a backup"
    )]
    Tampered(String),
    #[error("{0} was stored with another root key; configure that one in `[vault]`")]
    WrongKey(String),
    #[error("the value could not be encrypted")]
    Encryption,
    #[error("the root key `{}` cannot be read: {source}", path.display())]
    KeyFile {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("others can read `{}` (mode {mode:o}); give it the mode 600", path.display())]
    KeyExposed { path: PathBuf, mode: u32 },
    #[error(
        "the root key `{}` is gone, and the vault's store needs it; restore the file (a new key would open nothing)",
        .0.display()
    )]
    KeyLost(PathBuf),
    #[error("there is no file `{}`, which `[vault]` names; restore it, or for a new vault make one for its owner alone (`umask 077; openssl rand -hex 32`)", .0.display())]
    KeyMissing(PathBuf),
    #[error("`vault.{key}`: {reason}")]
    Config {
        key: &'static str,
        reason: &'static str,
    },
    #[error("the root key in {0} has not {KEY_BYTES} bytes, as they are or as hex digits")]
    KeyLength(String),
    #[error("the vault's store is not one that this version reads: {0}")]
    Format(&'static str),
    #[error("the key cannot be derived from the passphrase: {0}")]
    Derivation(String),
    #[error("the store could not be read: {0}")]
    Read(#[from] sqlx::Error),
    #[error("the store could not be written: {0}")]
    Write(#[source] sqlx::Error),
    #[error(transparent)]
    Store(#[from] gearmesh_store::Error),
    #[error("the store cannot be opened: {0}")]
    Open(#[from] gearmesh_runtime::Error),
    #[error("a stored reply cannot be read: {0}")]
    Reply(#[from] prost::DecodeError),
}

fn in_version(version: Option<u64>) -> String {
    version.map_or_else(String::new, |v| format!(" in version {v}"))
}

impl Error {
    /// As the failure of a write.
    pub(crate) fn written(self) -> Self {
        match self {
            Self::Read(e) => Self::Write(e),
            e => e,
        }
    }

    fn ours(&self) -> Option<VaultFault> {
        Some(match self {
            Self::NoVault(_) => VaultFault::VaultNotFound,
            Self::NoCredential { .. } => VaultFault::CredentialNotFound,
            Self::NoField { .. } => VaultFault::FieldNotFound,
            Self::VaultName => VaultFault::InvalidVaultName,
            Self::CredentialName => VaultFault::InvalidCredentialName,
            Self::Reference(_) => VaultFault::InvalidReference,
            Self::NotSealedHere(_) => VaultFault::NotSealedHere,
            Self::Tampered(_) => VaultFault::TamperedData,
            Self::WrongKey(_) => VaultFault::DecryptionFailed,
            Self::Encryption => VaultFault::EncryptionFailed,
            Self::KeyFile { .. }
            | Self::KeyExposed { .. }
            | Self::KeyLost(_)
            | Self::KeyMissing(_)
            | Self::Derivation(_)
            | Self::Config { .. } => VaultFault::KeychainAccessDenied,
            Self::KeyLength(_) => VaultFault::InvalidKeyLength,
            Self::Format(_) => VaultFault::InvalidVaultFile,
            Self::Read(_) | Self::Open(_) => VaultFault::VaultReadFailed,
            Self::Write(_) => VaultFault::VaultWriteFailed,
            Self::Store(e) => store(e)?,
            _ => return None,
        })
    }
}

/// What an error of the store means here; none: what it means everywhere.
fn store(error: &gearmesh_store::Error) -> Option<VaultFault> {
    use gearmesh_store::Error as E;
    Some(match error {
        E::Corrupt { .. } | E::NewerSchema { .. } => VaultFault::InvalidVaultFile,
        E::Locked { .. } | E::File { .. } | E::Closed(_) | E::Sql(_) => VaultFault::VaultReadFailed,
        E::Failed(_) => VaultFault::VaultWriteFailed,
        _ => return None,
    })
}

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        if let Some(fault) = self.ours() {
            return reason("gearmesh.vault.v1.VaultFault", fault as i32);
        }
        match self {
            Self::ValueTooLarge(_)
            | Self::References(_)
            | Self::Sealed(_)
            | Self::Parameter { .. } => common(CommonFault::InvalidParameters),
            Self::ResolvedTooLarge | Self::SettingsTooLarge(_) => common(CommonFault::TooLarge),
            Self::NoConnection { .. } => common(CommonFault::ConnectionNotFound),
            Self::WhichConnection { .. } => common(CommonFault::ConnectionRequired),
            Self::Store(e) => e.reason(),
            _ => common(CommonFault::InternalError),
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NoVault(vault) => vec![("vaultName", vault.clone())],
            Self::NoCredential {
                vault, credential, ..
            } => vec![
                ("vaultName", vault.clone()),
                ("credentialName", credential.clone()),
            ],
            Self::NoConnection { name, .. } => vec![("connection", name.clone())],
            _ => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<(String, String)> {
        let field = match self {
            Self::VaultName => "vaultName",
            Self::CredentialName => "credentialName",
            Self::ValueTooLarge(_) => "value",
            Self::Sealed(_) => "values",
            Self::References(_) => "references",
            Self::Parameter { field, .. } => field,
            _ => return Vec::new(),
        };
        vec![(field.to_owned(), self.to_string())]
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        gearmesh_fault::status(&error)
    }
}
