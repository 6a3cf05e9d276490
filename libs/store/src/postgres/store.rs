//! One service's schema on a server.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{Connection, Postgres, pool::PoolConnection};

use super::connect::{self, PgOptions};
use super::{leaves_doubt, meta};
use crate::counts::{Counters, Counts};
use crate::error::{Error, Result};
use crate::migration::Migration;

/// One service's schema on a server, open. A cheap handle.
#[derive(Clone)]
pub struct PgStore {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    options: PgConnectOptions,
    pool: PgPool,
    counters: Counters,
    /// Where the server's log stood when the store was opened.
    wal_from: AtomicU64,
}

impl fmt::Debug for PgStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the options: they hold the password.
        f.debug_struct("PgStore")
            .field("name", &self.inner.name)
            .field("host", &self.inner.options.get_host())
            .finish_non_exhaustive()
    }
}

impl PgStore {
    /// Opens the schema of a service as [`PgOptions::default`] says.
    ///
    /// # Errors
    /// As [`PgStore::open_with`].
    pub async fn open(url: &str, name: &str) -> Result<Self> {
        Self::open_with(url, name, PgOptions::default()).await
    }

    /// Opens the schema of a service, `gearmesh_<name>`, in the database of a
    /// `postgres://` URL; makes it when it is not there.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the server does not answer, or not to this user;
    /// [`Error::Unfit`] when it cannot be a store, [`Error::Name`].
    pub async fn open_with(url: &str, name: &str, options: PgOptions) -> Result<Self> {
        let connect = connect::options(url, name, options)?;
        let pool = connect::pool(connect.clone(), options.connections);
        let inner = Inner {
            name: name.to_owned(),
            options: connect,
            pool,
            counters: Counters::default(),
            wal_from: AtomicU64::new(0),
        };
        let store = Self {
            inner: Arc::new(inner),
        };
        let mut connection = store.connect(false).await?;
        connect::check(&mut connection, name).await?;
        meta::prepare(&mut connection).await?;
        let at = meta::wal_at(&mut connection).await?;
        store.inner.wal_from.store(at, Ordering::Relaxed);
        // It was closed well when it says so, and is gone when not.
        let _ = connection.close().await;
        Ok(store)
    }

    /// The store's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The schema's name.
    #[must_use]
    pub fn schema(&self) -> String {
        format!("{}{}", super::SCHEMA, self.inner.name)
    }

    /// What the store has cost since it was opened; each commit counts as one flush.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.inner.counters.read()
    }

    /// Bytes that the server has added to its log since the store was opened, whoever
    /// wrote them.
    ///
    /// # Errors
    /// As [`PgStore::read`].
    pub async fn wal_bytes(&self) -> Result<u64> {
        let at = meta::wal_at(&mut *self.read().await?).await?;
        Ok(at.saturating_sub(self.inner.wal_from.load(Ordering::Relaxed)))
    }

    /// Brings one set of tables to the newest version that the program knows, whoever
    /// else does the same. Each set has versions of its own.
    ///
    /// # Errors
    /// As [`Store::migrate`](crate::Store::migrate).
    pub async fn migrate(&self, set: &str, migrations: &[Migration]) -> Result<()> {
        let known = migrations.last().map_or(0, |m| m.version);
        if meta::version(&mut *self.read().await?, set).await? == known {
            return Ok(());
        }
        let schema = self.schema();
        self.write(async |c| meta::migrate(c, &schema, set, migrations).await)
            .await
    }

    /// Takes one set of tables back to an older version, with all that only newer ones
    /// have room for. Nothing may use them meanwhile.
    ///
    /// # Errors
    /// As [`Store::migrate_down`](crate::Store::migrate_down).
    pub async fn migrate_down(&self, set: &str, migrations: &[Migration], to: u32) -> Result<()> {
        self.write(async |c| meta::migrate_down(c, set, migrations, to).await)
            .await
    }

    /// A connection that reads what is committed.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Unavailable`].
    pub async fn read(&self) -> Result<PoolConnection<Postgres>> {
        match self.inner.pool.acquire().await {
            Ok(reader) => Ok(reader),
            Err(sqlx::Error::PoolClosed) => Err(Error::Closed(self.inner.name.clone())),
            Err(e) => Err(e.into()),
        }
    }

    /// Runs `f` in a transaction, beside the journal's writer: committed when it answers
    /// Ok, undone when it answers an error or is dropped.
    ///
    /// # Errors
    /// As [`PgStore::transact`].
    pub(crate) async fn write<T>(
        &self,
        f: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T> {
        self.transact(async |c| Ok((f(c).await?, true))).await
    }

    /// As [`PgStore::write`], and undone as well when `f` says that nothing is to be kept.
    ///
    /// # Errors
    /// What `f` answers; [`Error::CommitUnknown`] when the connection was lost at the
    /// commit; as [`PgStore::read`].
    pub(crate) async fn transact<T>(
        &self,
        f: impl AsyncFnOnce(&mut PgConnection) -> Result<(T, bool)>,
    ) -> Result<T> {
        let mut connection = self.read().await?;
        let mut transaction = connection.begin().await?;
        let (value, keep) = match f(&mut transaction).await {
            Ok(done) => done,
            Err(e) => {
                // It fails where the connection is gone, and the transaction with it.
                let _ = transaction.rollback().await;
                return Err(e);
            }
        };
        if !keep {
            let _ = transaction.rollback().await;
            return Ok(value);
        }
        match transaction.commit().await {
            Ok(()) => {
                self.inner.counters.commit(1);
                Ok(value)
            }
            Err(e) if leaves_doubt(&e) => Err(Error::CommitUnknown),
            Err(e) => Err(e.into()),
        }
    }

    /// Closes all connections; waits for those that are in use. A journal's own ends with
    /// the journal.
    pub async fn close(&self) {
        self.inner.pool.close().await;
    }

    /// # Errors
    /// [`Error::Closed`] when it was closed.
    pub(crate) fn usable(&self) -> Result<()> {
        if self.inner.pool.is_closed() {
            return Err(Error::Closed(self.inner.name.clone()));
        }
        Ok(())
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// A connection of its own, outside the pool.
    pub(crate) async fn connect(&self, writer: bool) -> Result<PgConnection> {
        self.usable()?;
        let options = if writer {
            connect::writer_options(&self.inner.options)
        } else {
            self.inner.options.clone()
        };
        PgConnection::connect_with(&options)
            .await
            .map_err(|e| Error::Unavailable(e.to_string()))
    }

    /// The versions of all sets, by name.
    ///
    /// # Errors
    /// As [`PgStore::read`].
    pub async fn versions(&self) -> Result<BTreeMap<String, u32>> {
        meta::versions(&mut *self.read().await?).await
    }
}
