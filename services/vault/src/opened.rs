//! Vaults that are open: what happens to values and keys within a transaction.

use gearmesh_store::Store;
use sqlx::SqliteConnection;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::key::Key;
use crate::record::{self, Place};
use crate::reference::{Reference, Referred};
use crate::root::PROOF;
use crate::table::{self, Stored, VaultRow};
use crate::vaults::{Change, Changed, Given, KEK_VERSION, Opening, TEXT, VERSIONS_KEPT};

/// The store and the key of its keys.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) root: Key,
}

impl Opened {
    pub(crate) async fn value(
        &self,
        c: &mut SqliteConnection,
        reference: &Reference,
    ) -> Result<Opening, Error> {
        let (vault, name) = (reference.vault.as_str(), reference.credential.as_str());
        let kek = self
            .kek(c, vault)
            .await?
            .ok_or_else(|| Error::NoVault(vault.to_owned()))?;
        let missing = || Error::NoCredential {
            vault: vault.to_owned(),
            credential: name.to_owned(),
            version: reference.version,
        };
        let stored = table::credential(c, vault, name, reference.version)
            .await?
            .ok_or_else(missing)?;
        let place = Place {
            vault,
            path: ["", name],
            version: stored.version,
            created_ms: stored.created_ms,
            content_type: TEXT,
            kek_version: KEK_VERSION,
        };
        let tampered = || Error::Tampered(reference.to_string());
        let value = record::open(&kek, &place, &stored.record).map_err(|_| tampered())?;
        let value = std::str::from_utf8(&value).map_err(|_| tampered())?;
        Ok(Opening {
            value: reference.of(Zeroizing::new(value.to_owned()))?,
            version: stored.version,
            created_ms: stored.created_ms,
        })
    }

    /// The value of a reference of either kind, for who asks on behalf of a run.
    pub(crate) async fn referred(
        &self,
        c: &mut SqliteConnection,
        referred: &Referred,
        run: Option<&str>,
    ) -> Result<Opening, Error> {
        match referred {
            Referred::Stored(reference) => self.value(c, reference).await,
            Referred::Sealed(sealed) => self.sealed(c, sealed, run).await,
        }
    }

    /// Stores a version of a value; a missing vault is made.
    pub(crate) async fn store_value(
        &self,
        tx: &mut SqliteConnection,
        (vault, name): (&str, &str),
        version: u64,
        value: &Zeroizing<String>,
        now_ms: i64,
    ) -> Result<(), Error> {
        let kek = self.kek_or_new(tx, vault, now_ms).await?;
        let place = Place {
            vault,
            path: ["", name],
            version,
            created_ms: now_ms,
            content_type: TEXT,
            kek_version: KEK_VERSION,
        };
        let record = record::seal(&kek, &place, value.as_bytes()).map_err(|_| Error::Encryption)?;
        let stored = Stored {
            version,
            created_ms: now_ms,
            record,
        };
        let oldest = (version + 1).saturating_sub(VERSIONS_KEPT);
        table::insert_credential(tx, vault, name, &stored, oldest).await
    }

    pub(crate) async fn apply(
        &self,
        tx: &mut SqliteConnection,
        change: &Change,
        now_ms: i64,
    ) -> Result<Changed, Error> {
        match change {
            Change::Set {
                vault,
                credential,
                value,
            } => {
                let (vault, name) = (vault.as_str(), credential.as_str());
                let value = match value {
                    Given::Value(value) => value.clone(),
                    Given::Reference(from, run) => {
                        self.referred(tx, from, run.as_deref()).await?.value
                    }
                };
                let found = table::newest(tx, vault, name).await?;
                let version = found + 1;
                self.store_value(tx, (vault, name), version, &value, now_ms)
                    .await?;
                Ok(Changed {
                    version,
                    existed: found > 0,
                })
            }
            Change::Delete { vault, credential } => {
                let (vault, name) = (vault.as_str(), credential.as_str());
                if table::vault(tx, vault).await?.is_none() {
                    return Err(Error::NoVault(vault.to_owned()));
                }
                if !table::delete_credential(tx, vault, name).await? {
                    return Err(Error::NoCredential {
                        vault: vault.to_owned(),
                        credential: name.to_owned(),
                        version: None,
                    });
                }
                Ok(Changed {
                    version: 0,
                    existed: true,
                })
            }
            Change::DeleteVault { vault } => Ok(Changed {
                version: 0,
                existed: table::delete_vault(tx, vault.as_str()).await?,
            }),
        }
    }

    /// A vault's key; none without the vault.
    pub(crate) async fn kek(
        &self,
        c: &mut SqliteConnection,
        vault: &str,
    ) -> Result<Option<Key>, Error> {
        let Some(row) = table::vault(c, vault).await? else {
            return Ok(None);
        };
        if row.kek_version != KEK_VERSION {
            return Err(Error::Tampered(format!("vault `{vault}`")));
        }
        if !self.root.proves(PROOF, &row.proof) {
            return Err(Error::WrongKey(format!("vault `{vault}`")));
        }
        let aad = kek_aad(vault, &row);
        record::unwrap(&self.root, &aad, &row.kek)
            .map(Some)
            .map_err(|_| Error::Tampered(format!("vault `{vault}`")))
    }

    /// A vault's key; a missing vault is made.
    pub(crate) async fn kek_or_new(
        &self,
        tx: &mut SqliteConnection,
        vault: &str,
        now_ms: i64,
    ) -> Result<Key, Error> {
        if let Some(kek) = self.kek(tx, vault).await? {
            return Ok(kek);
        }
        let kek = Key::random().map_err(|_| Error::Encryption)?;
        let mut row = VaultRow {
            kek_version: KEK_VERSION,
            proof: self.root.proof(PROOF).to_vec(),
            created_ms: now_ms,
            kek: Vec::new(),
        };
        let aad = kek_aad(vault, &row);
        row.kek = record::wrap(&self.root, &aad, &kek).map_err(|_| Error::Encryption)?;
        table::insert_vault(tx, vault, &row).await?;
        Ok(kek)
    }
}

/// What a vault's key is bound to.
fn kek_aad(vault: &str, row: &VaultRow) -> Vec<u8> {
    record::bound(&[
        b"kek",
        vault.as_bytes(),
        &row.kek_version.to_be_bytes(),
        &row.created_ms.to_be_bytes(),
    ])
}
