//! A transaction on the writer.

use std::ops::{Deref, DerefMut};

use sqlx::sqlite::SqliteConnection;
use tokio::sync::OwnedMutexGuard;

use crate::error::{Error, Result, Severity, severity};
use crate::sqlite::Writer;
use crate::store::Store;

/// A transaction on the writer: a connection, and the promise that nobody else
/// writes. Dropped without [`Transaction::commit`], it is undone.
#[derive(Debug)]
pub struct Transaction {
    store: Store,
    writer: OwnedMutexGuard<Option<Writer>>,
}

/// Nobody takes the writer out while a guard is held, and none is made without.
const PRESENT: &str = "the writer was there when the guard was made";

impl Transaction {
    /// Waits for the writer; the caller sends BEGIN with its first statement.
    pub(crate) async fn start(store: &Store) -> Result<Self> {
        store.usable()?;
        let mut transaction = Self {
            writer: store.inner.writer.clone().lock_owned().await,
            store: store.clone(),
        };
        // It may have failed while this one waited.
        store.usable()?;
        let Some(writer) = transaction.writer.as_mut() else {
            return Err(Error::Closed(store.name().to_owned()));
        };
        writer.clear(&store.inner.counters).await;
        Ok(transaction)
    }

    pub(crate) async fn begin(store: &Store) -> Result<Self> {
        let mut transaction = Self::start(store).await?;
        if let Err(e) = transaction.writer().begin(&store.inner.counters).await {
            if let Error::Failed(cause) = &e {
                store.fail(cause);
            }
            return Err(e);
        }
        Ok(transaction)
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// [`Error::Full`] and [`Error::Sql`] (a deferred constraint): it was
    /// undone. [`Error::Failed`]: it may be there or not, and the store takes
    /// no more writes.
    pub async fn commit(mut self) -> Result<()> {
        let store = self.store.clone();
        let writer = self.writer();
        if let Err(e) = writer.commit(&store.inner.counters).await {
            match severity(&e) {
                Severity::Full | Severity::Statement => {
                    writer.rollback(&store.inner.counters).await
                }
                Severity::Fatal | Severity::Lost => store.fail(&e.to_string()),
            }
            return Err(e.into());
        }
        self.tidy().await;
        Ok(())
    }

    /// Notes that its owner has sent COMMIT with a text of its own.
    pub(crate) fn committed(&mut self) {
        let store = self.store.clone();
        self.writer().committed(&store.inner.counters);
    }

    /// Gives the writer back when nothing was begun.
    pub(crate) fn idle(mut self) {
        self.writer().open = false;
    }

    /// Housekeeping after a commit; keeps the writer meanwhile.
    pub(crate) async fn tidy(mut self) {
        let store = self.store.clone();
        if let Err(e) = self.writer().tidy(&store.inner.counters).await {
            match e {
                Error::Failed(cause) => store.fail(&cause),
                // The log grows until the next try.
                e => tracing::warn!(store = store.name(), error = %e, "checkpoint failed"),
            }
        }
    }

    /// Undoes it. Dropping does the same, later.
    pub async fn rollback(mut self) {
        let store = self.store.clone();
        self.writer().rollback(&store.inner.counters).await;
    }

    /// Says how many bytes this transaction writes about.
    pub(crate) fn weigh(&mut self, bytes: u64) {
        self.writer().weigh(bytes);
    }

    fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().expect(PRESENT)
    }
}

impl Deref for Transaction {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.writer.as_ref().expect(PRESENT).connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.writer().connection
    }
}
