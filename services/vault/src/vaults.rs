//! The vaults: what may be stored, changed and opened.

use bytes::Bytes;
use gearmesh_runtime::{Context, Keyed};
use gearmesh_store::{Begin, Ledger};
use sqlx::SqliteConnection;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::connection::{self, Id};
use crate::error::Error;
use crate::name::{CredentialName, VaultName};
use crate::opened::Opened;
use crate::record::{self, Place};
use crate::reference::{Reference, Referred};
use crate::root::Source;
use crate::sealed::Sealed;
use crate::table::{self, Stored};

/// Largest value, in bytes: keys, certificates, service accounts; documents are files.
pub const VALUE_MAX: usize = 1024 * 1024;

/// References of one request: more than any tool has fields for.
pub const REFERENCES_MAX: usize = 100;

/// Bytes of all values that one request resolves, so that they fit into a message.
pub(crate) const RESOLVED_MAX: usize = 8 * 1024 * 1024;

/// Versions of a secret that stay readable; a rotation each week for two years.
pub const VERSIONS_KEPT: u64 = 100;

/// What the value of a secret is.
pub(crate) const TEXT: &str = "text/plain";

/// What the key is derived for that hides requests in the ledger.
const LEDGER: &[u8] = b"gearmesh vault ledger";

/// The first and so far only version of a vault's key.
pub(crate) const KEK_VERSION: u32 = 1;

/// The vaults of this engine. The store is opened at the first call.
#[derive(Debug)]
pub(crate) struct Vaults {
    context: Context,
    source: Source,
    opened: OnceCell<Opened>,
}

/// A change, as a transaction makes it.
pub(crate) enum Change {
    Set {
        vault: VaultName,
        credential: CredentialName,
        value: Given,
    },
    Delete {
        vault: VaultName,
        credential: CredentialName,
    },
    DeleteVault {
        vault: VaultName,
    },
}

/// A value as it is given; cannot be shown.
pub(crate) enum Given {
    Value(Zeroizing<String>),
    /// Of a value that is copied, with the run on whose behalf.
    Reference(Referred, Option<String>),
}

/// What a change did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changed {
    /// The version after it; 0 without one.
    pub(crate) version: u64,
    /// Whether there was something before.
    pub(crate) existed: bool,
}

/// A value that was found.
pub(crate) struct Opening {
    pub(crate) value: Zeroizing<String>,
    pub(crate) version: u64,
    pub(crate) created_ms: i64,
}

impl Vaults {
    pub(crate) fn new(context: Context, source: Source) -> Self {
        Self {
            context,
            source,
            opened: OnceCell::new(),
        }
    }

    /// Opens store and root key; a store without a root key gets one.
    pub(crate) async fn open(&self) -> Result<&Opened, Error> {
        self.opened
            .get_or_try_init(|| async {
                let store = self.context.store().await?.clone();
                store.migrate("vault", table::MIGRATIONS).await?;
                let row = table::root(&mut *store.read().await?).await?;
                let source = self.source.clone();
                let has = row.clone();
                // Files are read, and a passphrase takes its time.
                let work = tokio::task::spawn_blocking(move || match has {
                    Some(row) => Ok((source.load(&row)?, row)),
                    None => source.make(),
                });
                let (root, made) = match work.await {
                    Ok(done) => done?,
                    Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
                };
                if row.is_none() {
                    let now = self.context.clock().now_ms();
                    store
                        .write(async |c: &mut SqliteConnection| -> Result<(), Error> {
                            table::insert_root(c, &made, now).await
                        })
                        .await
                        .map_err(Error::written)?;
                }
                Ok(Opened { store, root })
            })
            .await
    }

    /// The value of a reference.
    pub(crate) async fn resolve(&self, reference: &Reference) -> Result<Opening, Error> {
        let opened = self.open().await?;
        let mut reader = opened.store.read().await?;
        opened.value(&mut reader, reference).await
    }

    /// The values of references, in their order, for who asks on behalf of a run.
    pub(crate) async fn resolve_all(
        &self,
        references: &[Referred],
        run: Option<&str>,
    ) -> Result<Vec<Opening>, Error> {
        let opened = self.open().await?;
        let mut reader = opened.store.read().await?;
        let mut bytes = 0;
        let mut all = Vec::with_capacity(references.len());
        for reference in references {
            let found = opened.referred(&mut reader, reference, run).await?;
            bytes += found.value.len();
            if bytes > RESOLVED_MAX {
                return Err(Error::ResolvedTooLarge);
            }
            all.push(found);
        }
        Ok(all)
    }

    /// Names of a vault's secrets, in their order.
    pub(crate) async fn credentials(&self, vault: &VaultName) -> Result<Vec<String>, Error> {
        let opened = self.open().await?;
        let mut reader = opened.store.read().await?;
        if table::vault(&mut reader, vault.as_str()).await?.is_none() {
            return Err(Error::NoVault(vault.as_str().to_owned()));
        }
        table::credentials(&mut reader, vault.as_str()).await
    }

    /// Names of all vaults, in their order.
    pub(crate) async fn vaults(&self) -> Result<Vec<String>, Error> {
        let opened = self.open().await?;
        let mut reader = opened.store.read().await?;
        table::vaults(&mut reader).await
    }

    /// Makes a change. With a key, the change and the key are one transaction: a
    /// repeat is answered with the first answer, which `reply` encodes. `given` is
    /// what the layers left out of the request's hash since it is secret.
    pub(crate) async fn change<R>(
        &self,
        change: Change,
        keyed: Option<Keyed>,
        given: &str,
        reply: R,
    ) -> Result<Bytes, Error>
    where
        R: Fn(&Changed) -> Bytes + Send,
    {
        let opened = self.open().await?;
        let now = self.context.clock().now_ms();
        let call = keyed.map(|keyed| {
            let mut call = keyed.entry();
            // Under a key, so that whoever has the ledger cannot try out values.
            let parts = record::bound(&[&call.hash, given.as_bytes()]);
            let parts = Zeroizing::new(parts);
            call.hash = opened.root.mac(&[LEDGER, &parts]);
            call
        });
        if call.is_some() {
            Ledger::open(opened.store.clone()).await?;
        }
        opened
            .store
            .write(async |tx: &mut SqliteConnection| -> Result<Bytes, Error> {
                if let Some(call) = &call
                    && let Begin::Done(reply) = Ledger::begin_in(tx, call).await?
                {
                    return Ok(reply);
                }
                let changed = opened.apply(tx, &change, now).await?;
                let reply = reply(&changed);
                if let Some(call) = &call {
                    Ledger::done_in(tx, call, reply.clone()).await?;
                }
                Ok(reply)
            })
            .await
            .map_err(Error::written)
    }

    /// The time.
    pub(crate) fn now_ms(&self) -> i64 {
        self.context.clock().now_ms()
    }

    /// Stores a connection's settings; answers their version. What in them was sealed for
    /// the run that stores them is stored as it is: the connection outlives the run.
    pub(crate) async fn save_connection(
        &self,
        id: &Id,
        settings: &[u8],
        run: Option<&str>,
    ) -> Result<u64, Error> {
        let mut members = connection::settings(settings)?;
        let opened = self.open().await?;
        let sealed = connection::sealed(&mut members);
        let own = if sealed.is_empty() {
            None
        } else {
            let mut reader = opened.store.read().await?;
            for text in sealed {
                let found = opened
                    .sealed(&mut reader, &Sealed::parse(text)?, run)
                    .await?;
                text.clone_from(&found.value);
            }
            let text = Zeroizing::new(serde_json::Value::Object(members).to_string());
            connection::settings(text.as_bytes())?;
            Some(text)
        };
        let settings = own.as_ref().map_or(settings, |text| text.as_bytes());
        let now = self.context.clock().now_ms();
        opened
            .store
            .write(async |tx: &mut SqliteConnection| -> Result<u64, Error> {
                let kek = opened.kek_or_new(tx, connection::VAULT, now).await?;
                let version = table::next_connection(tx).await?;
                let place = place_of(id, version, now);
                let record = record::seal(&kek, &place, settings).map_err(|_| Error::Encryption)?;
                let stored = Stored {
                    version,
                    created_ms: now,
                    record,
                };
                table::put_connection(tx, &id.kind, &id.name, &stored).await?;
                Ok(version)
            })
            .await
            .map_err(Error::written)
    }

    /// A connection's settings and their version.
    pub(crate) async fn find_connection(&self, id: &Id) -> Result<(Bytes, u64), Error> {
        let opened = self.open().await?;
        let mut reader = opened.store.read().await?;
        let missing = || Error::NoConnection {
            kind: id.kind.clone(),
            name: id.name.clone(),
        };
        let stored = table::connection(&mut reader, &id.kind, &id.name)
            .await?
            .ok_or_else(missing)?;
        let at = || format!("connection `{}` of kind `{}`", id.name, id.kind);
        let kek = opened
            .kek(&mut reader, connection::VAULT)
            .await?
            .ok_or_else(|| Error::Tampered(at()))?;
        let place = place_of(id, stored.version, stored.created_ms);
        let settings =
            record::open(&kek, &place, &stored.record).map_err(|_| Error::Tampered(at()))?;
        Ok((Bytes::copy_from_slice(&settings), stored.version))
    }

    /// The name of the only connection of a kind.
    pub(crate) async fn only_connection(&self, kind: &str) -> Result<String, Error> {
        let mut names = self.connections(kind).await?;
        match (names.pop(), names.len()) {
            (Some(name), 0) => Ok(name),
            (found, others) => Err(Error::WhichConnection {
                kind: kind.to_owned(),
                count: others + usize::from(found.is_some()),
            }),
        }
    }

    /// Removes a connection; says whether there was one.
    pub(crate) async fn remove_connection(&self, id: &Id) -> Result<bool, Error> {
        let opened = self.open().await?;
        opened
            .store
            .write(async |tx: &mut SqliteConnection| -> Result<bool, Error> {
                table::delete_connection(tx, &id.kind, &id.name).await
            })
            .await
            .map_err(Error::written)
    }

    /// Names of a kind's connections, in their order.
    pub(crate) async fn connections(&self, kind: &str) -> Result<Vec<String>, Error> {
        let opened = self.open().await?;
        let mut reader = opened.store.read().await?;
        table::connections(&mut reader, kind).await
    }
}

fn place_of(id: &Id, version: u64, created_ms: i64) -> Place<'_> {
    Place {
        vault: connection::VAULT,
        path: [&id.kind, &id.name],
        version,
        created_ms,
        content_type: connection::CONTENT_TYPE,
        kek_version: KEK_VERSION,
    }
}
