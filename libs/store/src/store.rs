//! One service's file in the folder of stores.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::sync::Mutex as AsyncMutex;

use crate::counts::{Counters, Counts};
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::migration::{Migration, way_back};
use crate::options::Options;
use crate::sqlite::{Writer, meta, readers};
use crate::transaction::Transaction;

/// A read-only connection; goes back when dropped.
pub type Reader = PoolConnection<Sqlite>;

/// Versions of the tables in a file, by set.
pub(crate) type Versions = BTreeMap<String, u32>;

/// One service's file, open. A cheap handle.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    name: String,
    path: PathBuf,
    readers: SqlitePool,
    /// None after [`Store::close`].
    pub(crate) writer: Arc<AsyncMutex<Option<Writer>>>,
    pub(crate) counters: Counters,
    versions: Mutex<Versions>,
    /// Why nothing is written any more.
    failed: OnceLock<String>,
    /// Given back when the store is closed. Last, so that the connections go first.
    lock: Mutex<Option<Lock>>,
}

impl Store {
    /// Opens `<folder>/<name>.db` as [`Options::default`] says.
    ///
    /// # Errors
    /// As [`Store::open_with`].
    pub async fn open(folder: &Path, name: &str) -> Result<Self> {
        Self::open_with(folder, name, Options::default()).await
    }

    /// Opens `<folder>/<name>.db`; makes folder and file, for their owner alone,
    /// when they are not there. A file that was not closed is checked first.
    ///
    /// # Errors
    /// [`Error::Locked`] when somebody has the file, [`Error::Corrupt`] when the
    /// check finds damage, [`Error::OldSqlite`], [`Error::Name`], [`Error::File`].
    pub async fn open_with(folder: &Path, name: &str, options: Options) -> Result<Self> {
        let (path, lock) = prepare(folder, name)?;
        let (writer, versions) = Writer::open(&path, options.durability).await?;
        let inner = Inner {
            name: name.to_owned(),
            readers: readers(&path),
            path,
            writer: Arc::new(AsyncMutex::new(Some(writer))),
            counters: Counters::default(),
            versions: Mutex::new(versions),
            failed: OnceLock::new(),
            lock: Mutex::new(Some(lock)),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The store's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The store's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// False after a write whose outcome is not known: nothing is written any
    /// more, and the process should end.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.inner.failed.get().is_none()
    }

    /// What the store has cost since it was opened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.inner.counters.read()
    }

    /// Brings one set of tables to the newest version that the program knows.
    /// Each set has versions of its own. Costs nothing when nothing is to do.
    ///
    /// # Errors
    /// [`Error::NewerSchema`] when the file is ahead of the program; what a
    /// statement of a step answers, and then none of the steps was done.
    pub async fn migrate(&self, set: &str, migrations: &[Migration]) -> Result<()> {
        let known = migrations.last().map_or(0, |m| m.version);
        let found = self.version(set);
        if found == known {
            return Ok(());
        }
        self.migrate_known(set, migrations)?;
        let mut transaction = self.begin().await?;
        // Another caller may have been first.
        let found = self.version(set);
        if found >= known {
            transaction.rollback().await;
            return Ok(());
        }
        if let Err(e) = meta::migrate(&mut transaction, set, found, migrations).await {
            transaction.rollback().await;
            return Err(e);
        }
        transaction.commit().await?;
        self.versions().insert(set.to_owned(), known);
        Ok(())
    }

    /// Takes one set of tables back to an older version, with all that only newer ones
    /// have room for. Nothing may use them meanwhile.
    ///
    /// # Errors
    /// [`Error::NewerSchema`]; [`Error::NoWayBack`] when a step cannot be undone, and what
    /// a statement answers: then none was.
    pub async fn migrate_down(&self, set: &str, migrations: &[Migration], to: u32) -> Result<()> {
        self.migrate_known(set, migrations)?;
        let texts = way_back(set, migrations, self.version(set), to)?;
        if texts.is_empty() {
            return Ok(());
        }
        self.write(async |c| meta::migrate_down(c, set, &texts, to).await)
            .await?;
        self.versions().insert(set.to_owned(), to);
        Ok(())
    }

    /// Refuses tables that are ahead of the program.
    fn migrate_known(&self, set: &str, migrations: &[Migration]) -> Result<()> {
        let known = migrations.last().map_or(0, |m| m.version);
        let found = self.version(set);
        if found > known {
            return Err(Error::NewerSchema {
                path: self.inner.path.clone(),
                set: set.to_owned(),
                found,
                known,
            });
        }
        Ok(())
    }

    /// A transaction on the writer. Others wait until it has ended, so do
    /// nothing in it that waits for anything but the store.
    ///
    /// # Errors
    /// [`Error::Failed`] and [`Error::Closed`].
    pub async fn begin(&self) -> Result<Transaction> {
        Transaction::begin(self).await
    }

    /// Runs `f` in a transaction: committed when it answers Ok, undone when it
    /// answers an error or is dropped.
    ///
    /// # Errors
    /// What `f` answers, and what [`Store::begin`] and
    /// [`Transaction::commit`] do.
    pub async fn write<T, E>(
        &self,
        f: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        let mut transaction = self.begin().await?;
        match f(&mut transaction).await {
            Ok(value) => {
                transaction.commit().await?;
                Ok(value)
            }
            Err(e) => {
                transaction.rollback().await;
                Err(e)
            }
        }
    }

    /// A connection that reads what is committed, beside the writer.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Sql`] when none becomes free in time.
    pub async fn read(&self) -> Result<Reader> {
        match self.inner.readers.acquire().await {
            Ok(reader) => Ok(reader),
            Err(sqlx::Error::PoolClosed) => Err(Error::Closed(self.inner.name.clone())),
            Err(e) => Err(e.into()),
        }
    }

    /// Closes the file for all handles: waits for whoever writes or reads, moves
    /// the log into the file, lets others open it. A store that is dropped instead is as durable, but
    /// may be checked when it is opened again.
    ///
    /// # Errors
    /// What the last write answers.
    pub async fn close(&self) -> Result<()> {
        self.inner.readers.close().await;
        let writer = self.inner.writer.lock().await.take();
        let closed = match writer {
            Some(writer) => writer.close(&self.inner.counters).await,
            None => Ok(()),
        };
        drop(whole(&self.inner.lock).take());
        closed
    }

    pub(crate) fn fail(&self, cause: &str) {
        if self.inner.failed.set(cause.to_owned()).is_ok() {
            tracing::error!(store = self.inner.name, cause, "the store has failed");
        }
    }

    /// # Errors
    /// [`Error::Failed`] when it has failed.
    pub(crate) fn usable(&self) -> Result<()> {
        match self.inner.failed.get() {
            Some(cause) => Err(Error::Failed(cause.clone())),
            None => Ok(()),
        }
    }

    fn version(&self, set: &str) -> u32 {
        self.versions().get(set).copied().unwrap_or_default()
    }

    fn versions(&self) -> MutexGuard<'_, Versions> {
        whole(&self.inner.versions)
    }
}

/// What is behind the locks here stays whole whatever their holder did.
fn whole<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the folder and the file, and takes the lock.
fn prepare(folder: &Path, name: &str) -> Result<(PathBuf, Lock)> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(Error::Name(name.to_owned()));
    }
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    let folder = std::path::absolute(folder).map_err(at(folder))?;
    let missing: Vec<_> = folder.ancestors().take_while(|f| !f.is_dir()).collect();
    if !missing.is_empty() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(at(&folder))?;
        // Each new folder outlives the power once the one that names it is flushed.
        for parent in missing.iter().filter_map(|f| f.parent()) {
            File::open(parent)
                .and_then(|p| p.sync_all())
                .map_err(at(parent))?;
        }
    }
    let path = folder.join(format!("{name}.db"));
    let lock = Lock::take(&path)?;
    // SQLite would take the rights from the mask; it gives its log those of the file.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(at(&path))?;
    Ok((path, lock))
}
