//! The table of entries and its queries.

use bytes::Bytes;
use gearmesh_runtime::{Context, Keyed};
use gearmesh_store::{Begin, Ledger, Migration, Store};
use sqlx::{Row, SqliteConnection};
use tokio::sync::OnceCell;

use crate::entry::{Entry, Key, Ttl, Value};
use crate::error::Error;

const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: include_str!("../migrations/1_entry.sql"),
    down: None,
}];

/// Expired rows that one change removes beside its own work: the table shrinks
/// without a sweeper of its own, and no change waits for many.
const SWEEP: i64 = 16;

/// The entries of this engine. The store is opened at the first call.
#[derive(Debug)]
pub(crate) struct Table {
    context: Context,
    store: OnceCell<Store>,
}

/// A change, as a transaction makes it.
#[derive(Debug)]
pub(crate) enum Change {
    Put {
        key: Key,
        value: Value,
        ttl: Option<Ttl>,
        version: Option<u64>,
    },
    Delete {
        key: Key,
        version: Option<u64>,
    },
}

/// What a change did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changed {
    /// The version after it; 0 without value.
    pub(crate) version: u64,
    pub(crate) expires_ms: Option<i64>,
    /// Whether there was a value before.
    pub(crate) existed: bool,
}

impl Table {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context,
            store: OnceCell::new(),
        }
    }

    async fn store(&self) -> Result<&Store, Error> {
        self.store
            .get_or_try_init(|| async {
                let store = self.context.store().await?.clone();
                store.migrate("state", MIGRATIONS).await?;
                Ok(store)
            })
            .await
    }

    /// Reads an entry that has not expired.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<(Entry, Bytes)>, Error> {
        let now = self.context.clock().now_ms();
        let mut reader = self.store().await?.read().await?;
        let row = sqlx::query(
            "SELECT key, version, length(value) AS size, updated, expires, value FROM entry \
             WHERE key = ? AND (expires IS NULL OR expires > ?)",
        )
        .bind(key.as_str())
        .bind(now)
        .fetch_optional(&mut *reader)
        .await?;
        row.map(|row| {
            Ok((
                entry(&row)?,
                Bytes::from(row.try_get::<Vec<u8>, _>("value")?),
            ))
        })
        .transpose()
    }

    /// Entries whose keys begin with `prefix` and come after `after`, in order.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Entry>, Error> {
        let now = self.context.clock().now_ms();
        let mut reader = self.store().await?.read().await?;
        let rows = sqlx::query(
            "SELECT key, version, length(value) AS size, updated, expires FROM entry \
             WHERE key >= ?1 AND substr(key, 1, length(?1)) = ?1 AND key > ?2 \
             AND (expires IS NULL OR expires > ?3) ORDER BY key LIMIT ?4",
        )
        .bind(prefix)
        .bind(after)
        .bind(now)
        .bind(limit)
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(entry).collect()
    }

    /// Makes a change. With a key, the change and the key are one transaction: a
    /// repeat is answered with the first answer, which `reply` encodes.
    pub(crate) async fn change<R>(
        &self,
        change: Change,
        keyed: Option<Keyed>,
        reply: R,
    ) -> Result<Bytes, Error>
    where
        R: Fn(&Changed) -> Bytes + Send,
    {
        let now = self.context.clock().now_ms();
        let store = self.store().await?;
        let call = keyed.as_ref().map(Keyed::entry);
        if call.is_some() {
            Ledger::open(store.clone()).await?;
        }
        store
            .write(async |tx: &mut SqliteConnection| -> Result<Bytes, Error> {
                if let Some(call) = &call
                    && let Begin::Done(reply) = Ledger::begin_in(tx, call).await?
                {
                    return Ok(reply);
                }
                let changed = apply(tx, &change, now).await?;
                let reply = reply(&changed);
                if let Some(call) = &call {
                    Ledger::done_in(tx, call, reply.clone()).await?;
                }
                Ok(reply)
            })
            .await
    }
}

async fn apply(tx: &mut SqliteConnection, change: &Change, now: i64) -> Result<Changed, Error> {
    sqlx::query(
        "DELETE FROM entry WHERE key IN (SELECT key FROM entry WHERE expires <= ? LIMIT ?)",
    )
    .bind(now)
    .bind(SWEEP)
    .execute(&mut *tx)
    .await?;
    let (key, wanted) = match change {
        Change::Put { key, version, .. } | Change::Delete { key, version } => (key, *version),
    };
    let found: Option<(i64, Option<i64>)> =
        sqlx::query_as("SELECT version, expires FROM entry WHERE key = ?")
            .bind(key.as_str())
            .fetch_optional(&mut *tx)
            .await?;
    let found = match found {
        Some((version, expires)) if expires.is_none_or(|e| e > now) => {
            u64::try_from(version).unwrap_or_default()
        }
        _ => 0,
    };
    if let Some(wanted) = wanted
        && wanted != found
    {
        return Err(Error::VersionMismatch {
            key: key.as_str().to_owned(),
            wanted,
            found,
        });
    }
    match change {
        Change::Put { value, ttl, .. } => {
            let version = found + 1;
            let expires_ms = ttl.map(|t| t.expires_at(now));
            sqlx::query(
                "INSERT INTO entry (key, value, version, updated, expires) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (key) DO UPDATE SET value = ?2, version = ?3, updated = ?4, expires = ?5",
            )
            .bind(key.as_str())
            .bind(value.as_bytes())
            .bind(i64::try_from(version).unwrap_or(i64::MAX))
            .bind(now)
            .bind(expires_ms)
            .execute(&mut *tx)
            .await?;
            Ok(Changed {
                version,
                expires_ms,
                existed: found > 0,
            })
        }
        Change::Delete { .. } => {
            sqlx::query("DELETE FROM entry WHERE key = ?")
                .bind(key.as_str())
                .execute(&mut *tx)
                .await?;
            Ok(Changed {
                version: 0,
                expires_ms: None,
                existed: found > 0,
            })
        }
    }
}

fn entry(row: &sqlx::sqlite::SqliteRow) -> Result<Entry, Error> {
    Ok(Entry {
        key: row.try_get("key")?,
        version: u64::try_from(row.try_get::<i64, _>("version")?).unwrap_or_default(),
        size: row.try_get("size")?,
        updated_ms: row.try_get("updated")?,
        expires_ms: row.try_get("expires")?,
    })
}
