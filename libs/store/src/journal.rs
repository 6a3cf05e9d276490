//! The journal of runs.

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::append::{Accepted, Append, LIST_MAX, ListRuns, NewRun, OpenRun, Row, RunRow};
use crate::blob::Blob;
use crate::committer::{Committer, GROUP_MAX};
use crate::counts::Counts;
use crate::error::{Error, Result};
use crate::heads::Heads;
use crate::op::Op;
use crate::run_id::RunId;
use crate::sqlite::{cache, dedupe, journal as sql};
use crate::store::Store;
use crate::transaction::Transaction;
use crate::workflow::Workflows;

/// The journal of runs in a store. A cheap handle; with the last one the
/// committer ends, after its last commit.
#[derive(Debug, Clone)]
pub struct Journal {
    store: Store,
    ops: mpsc::Sender<Op>,
}

impl Journal {
    /// Opens the journal in a store and starts its committer by `spawn`. At most
    /// one journal may be open on a store.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn open(store: Store, spawn: impl FnOnce(BoxFuture<'static, ()>)) -> Result<Self> {
        store.migrate(sql::SET, sql::MIGRATIONS).await?;
        Workflows::migrate(&store).await?;
        // Over the writer, which is there: a reader would cost a thread.
        let mut writer = Transaction::start(&store).await?;
        let epoch = sql::epoch(&mut writer).await?;
        let mut heads = Heads::default();
        for (run, head) in sql::heads(&mut writer).await? {
            heads.insert(run, head);
        }
        writer.idle();
        let (ops, waiting) = mpsc::channel(GROUP_MAX);
        let committer = Committer::new(store.clone(), waiting, epoch, heads);
        spawn(Box::pin(committer.run()));
        Ok(Self { store, ops })
    }

    /// Accepts a run; it is durable when this answers [`Accepted::New`]. A run
    /// whose request key was used before, or whose dedupe key another run has, is not
    /// written.
    ///
    /// # Errors
    /// [`Error::Gap`] when its rows do not count from 1, [`Error::RunExists`],
    /// [`Error::TooLarge`]; [`Error::Full`], [`Error::Failed`], [`Error::Closed`].
    pub async fn accept(&self, run: NewRun) -> Result<Accepted> {
        let (answer, answered) = oneshot::channel();
        self.send(Op::Accept(Box::new(run), answer)).await?;
        answered.await.unwrap_or_else(|_| Err(self.closed()))
    }

    /// Writes what goes on in a run; it is durable when this answers. Rows may
    /// still follow a run's end.
    ///
    /// # Errors
    /// [`Error::Gap`] when the rows do not follow the newest one,
    /// [`Error::UnknownRun`], [`Error::Ended`] at a second end,
    /// [`Error::TooLarge`]; [`Error::Full`], [`Error::Failed`], [`Error::Closed`].
    pub async fn append(&self, append: Append) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.send(Op::Append(Box::new(append), answer)).await?;
        answered.await.unwrap_or_else(|_| Err(self.closed()))
    }

    /// The runs that have not ended, oldest first.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn open_runs(&self) -> Result<Vec<OpenRun>> {
        sql::open_runs(&mut *self.store.read().await?).await
    }

    /// The newest run that was ever accepted.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn last_run(&self) -> Result<Option<RunId>> {
        sql::last_run(&mut *self.store.read().await?).await
    }

    /// The run that a request with this key started, and the hash of that request; None
    /// when the key was never used, or is forgotten.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn request(&self, principal: &str, key: &str) -> Result<Option<(RunId, Vec<u8>)>> {
        sql::find_request(&mut *self.store.read().await?, principal, key).await
    }

    /// All rows of a run, none when there is no such run.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming the first row that is not as it was written;
    /// as [`Store::read`].
    pub async fn rows(&self, run: RunId) -> Result<Vec<Row>> {
        sql::read_rows(&mut *self.store.read().await?, run).await
    }

    /// A run as lists show it.
    ///
    /// # Errors
    /// [`Error::Damaged`]; as [`Store::read`].
    pub async fn run(&self, run: RunId) -> Result<Option<RunRow>> {
        sql::run(&mut *self.store.read().await?, run).await
    }

    /// Runs, newest first. A damaged one is left out and reported to the log.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn list(&self, filter: &ListRuns) -> Result<Vec<RunRow>> {
        let limit = match filter.limit {
            0 => LIST_MAX,
            n => n.min(LIST_MAX),
        };
        sql::list(&mut *self.store.read().await?, filter, limit).await
    }

    /// A large value by its hash.
    ///
    /// # Errors
    /// [`Error::DamagedBlob`]; as [`Store::read`].
    pub async fn blob(&self, hash: &[u8; 32]) -> Result<Option<Bytes>> {
        sql::blob(&mut *self.store.read().await?, hash).await
    }

    /// Forgets at most `max` request keys that came before `before_ms` (time
    /// since 1970); answers how many. Call it again while it answers `max`.
    ///
    /// Those of open runs stay, and those of runs that an open run waits for.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn purge_requests(&self, before_ms: i64, max: u32) -> Result<u64> {
        self.store
            .write(async |c| sql::purge_requests(c, before_ms, max).await)
            .await
    }

    /// Forgets at most `max` dedupe keys whose time was over at `now_ms` (time since
    /// 1970); answers how many.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn purge_dedupe(&self, now_ms: i64, max: u32) -> Result<u64> {
        self.store
            .write(async |c| dedupe::purge(c, now_ms, max).await)
            .await
    }

    /// What was kept under a hash at `since_ms` or later (time since 1970).
    ///
    /// # Errors
    /// [`Error::DamagedBlob`]; as [`Store::read`].
    pub async fn cached(&self, hash: &[u8; 32], since_ms: i64) -> Result<Option<Bytes>> {
        cache::find(&mut *self.store.read().await?, hash, since_ms).await
    }

    /// Keeps bytes under a hash, in place of what was kept there before.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; as [`Store::write`].
    pub async fn cache(&self, hash: &[u8; 32], at_ms: i64, bytes: Bytes) -> Result<()> {
        let kept = Blob { hash: *hash, bytes };
        kept.check()?;
        self.store
            .write(async |c| cache::keep(c, &kept, at_ms).await)
            .await
    }

    /// Forgets at most `max` kept results of before `before_ms` (time since 1970);
    /// answers how many.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn purge_cache(&self, before_ms: i64, max: u32) -> Result<u64> {
        self.store
            .write(async |c| cache::purge(c, before_ms, max).await)
            .await
    }

    /// The workflows that are kept in the same store.
    #[must_use]
    pub fn workflows(&self) -> Workflows {
        Workflows::of(self.store.clone())
    }

    /// What the store has cost since it was opened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.store.counts()
    }

    async fn send(&self, op: Op) -> Result<()> {
        self.store.usable()?;
        self.ops.send(op).await.map_err(|_| self.closed())
    }

    /// The committer is gone, or went without an answer.
    fn closed(&self) -> Error {
        Error::Closed(self.store.name().to_owned())
    }
}
