//! The journal of runs.

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::append::{Accepted, Append, LIST_MAX, ListRuns, NewRun, OpenRun, Row, RunRow};
use crate::base::Base;
use crate::blob::Blob;
use crate::committer::{Committer, GROUP_MAX, Groups};
use crate::counts::Counts;
use crate::error::{Error, Result};
use crate::heads::Heads;
use crate::op::Op;
use crate::owned::Owned;
use crate::run_id::{RunId, Shard};
use crate::store::Store;
use crate::transaction::Transaction;
use crate::workflow::Workflows;
use crate::{postgres, sqlite};

/// The journal of runs in a store. A cheap handle; with the last one the
/// committer ends, after its last commit.
#[derive(Debug, Clone)]
pub struct Journal {
    base: Base,
    owned: Owned,
    ops: mpsc::Sender<Op>,
}

impl Journal {
    /// Opens the journal in a store and starts its committer by `spawn`. At most
    /// one journal may be open on a file. On a server this one takes all shards: for a
    /// process that shares its store with nobody.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn open(
        base: impl Into<Base>,
        spawn: impl FnOnce(BoxFuture<'static, ()>),
    ) -> Result<Self> {
        match base.into() {
            Base::Sqlite(store) => Self::open_file(store, spawn).await,
            Base::Postgres(store) => {
                store
                    .migrate(postgres::journal::SET, postgres::journal::MIGRATIONS)
                    .await?;
                let owned = postgres::shard::take_all(&store).await?;
                Self::open_owning(store, owned, spawn).await
            }
        }
    }

    /// Opens the journal on a server, to write to the shards that are in `owned` at any
    /// time. Whoever holds their leases fills it.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn open_owning(
        store: postgres::PgStore,
        owned: Owned,
        spawn: impl FnOnce(BoxFuture<'static, ()>),
    ) -> Result<Self> {
        store
            .migrate(postgres::journal::SET, postgres::journal::MIGRATIONS)
            .await?;
        let base = Base::from(store.clone());
        Workflows::migrate(&base).await?;
        let groups = postgres::Groups::new(store, owned.clone());
        let groups = Groups::Postgres(Box::new(groups));
        Ok(Self::start(base, groups, owned, Heads::default(), spawn))
    }

    async fn open_file(store: Store, spawn: impl FnOnce(BoxFuture<'static, ()>)) -> Result<Self> {
        store
            .migrate(sqlite::journal::SET, sqlite::journal::MIGRATIONS)
            .await?;
        let base = Base::from(store.clone());
        Workflows::migrate(&base).await?;
        // Over the writer, which is there: a reader would cost a thread.
        let mut writer = Transaction::start(&store).await?;
        let epoch = sqlite::journal::epoch(&mut writer).await?;
        let mut heads = Heads::default();
        for (run, head) in sqlite::journal::heads(&mut writer).await? {
            heads.insert(run, epoch, head);
        }
        writer.idle();
        let owned = Owned::from_iter([(0, epoch)]);
        let groups = Groups::Sqlite(sqlite::Groups::new(store));
        Ok(Self::start(base, groups, owned, heads, spawn))
    }

    fn start(
        base: Base,
        groups: Groups,
        owned: Owned,
        heads: Heads,
        spawn: impl FnOnce(BoxFuture<'static, ()>),
    ) -> Self {
        let (ops, waiting) = mpsc::channel(GROUP_MAX);
        let committer = Committer::new(groups, waiting, owned.clone(), heads);
        spawn(Box::pin(committer.run()));
        Self { base, owned, ops }
    }

    /// The shards that this journal writes to. A file has one, whatever the ids say.
    #[must_use]
    pub fn owned(&self) -> &Owned {
        &self.owned
    }

    /// Accepts a run; it is durable when this answers [`Accepted::New`]. A run
    /// whose request key was used before, or whose dedupe key another run has, is not
    /// written.
    ///
    /// # Errors
    /// [`Error::Gap`] when its rows do not count from 1, [`Error::RunExists`],
    /// [`Error::TooLarge`], [`Error::Nul`]; [`Error::Full`], [`Error::Failed`],
    /// [`Error::Closed`]. On a server [`Error::Fenced`], [`Error::Unavailable`] and
    /// [`Error::CommitUnknown`], after which the same request key makes a repeat safe.
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
    /// [`Error::UnknownRun`], [`Error::Ended`] at a second end; else as
    /// [`Journal::accept`]. After [`Error::CommitUnknown`] the run's rows tell.
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
        match &self.base {
            Base::Sqlite(store) => sqlite::journal::open_runs(&mut *store.read().await?).await,
            Base::Postgres(store) => postgres::journal::open_runs(&mut *store.read().await?).await,
        }
    }

    /// The runs of these shards that have not ended, oldest first. A file has one shard, 0,
    /// with all runs.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn open_runs_of(&self, shards: &[Shard]) -> Result<Vec<OpenRun>> {
        match &self.base {
            Base::Sqlite(_) if !shards.contains(&0) => Ok(Vec::new()),
            Base::Sqlite(_) => self.open_runs().await,
            Base::Postgres(store) => {
                postgres::journal::open_runs_of(&mut *store.read().await?, shards).await
            }
        }
    }

    /// The open runs of a shard that was gained: those that the journal now goes on
    /// with. What it knew of them from an earlier time is not used any more.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the shard is not owned; as [`Store::read`].
    pub async fn adopt(&self, shard: Shard) -> Result<Vec<OpenRun>> {
        if self.owned.epoch(shard).is_none() {
            return Err(Error::Fenced { shard });
        }
        self.open_runs_of(&[shard]).await
    }

    /// The newest run that was ever accepted.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn last_run(&self) -> Result<Option<RunId>> {
        match &self.base {
            Base::Sqlite(store) => sqlite::journal::last_run(&mut *store.read().await?).await,
            Base::Postgres(store) => postgres::journal::last_run(&mut *store.read().await?).await,
        }
    }

    /// The run that a request with this key started, and the hash of that request; None
    /// when the key was never used, or is forgotten.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn request(&self, principal: &str, key: &str) -> Result<Option<(RunId, Vec<u8>)>> {
        match &self.base {
            Base::Sqlite(store) => {
                sqlite::journal::find_request(&mut *store.read().await?, principal, key).await
            }
            Base::Postgres(store) => {
                postgres::journal::find_request(&mut *store.read().await?, principal, key).await
            }
        }
    }

    /// All rows of a run, none when there is no such run.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming the first row that is not as it was written;
    /// as [`Store::read`].
    pub async fn rows(&self, run: RunId) -> Result<Vec<Row>> {
        match &self.base {
            Base::Sqlite(store) => sqlite::journal::read_rows(&mut *store.read().await?, run).await,
            Base::Postgres(store) => {
                postgres::journal::read_rows(&mut *store.read().await?, run).await
            }
        }
    }

    /// A run as lists show it.
    ///
    /// # Errors
    /// [`Error::Damaged`]; as [`Store::read`].
    pub async fn run(&self, run: RunId) -> Result<Option<RunRow>> {
        match &self.base {
            Base::Sqlite(store) => sqlite::journal::run(&mut *store.read().await?, run).await,
            Base::Postgres(store) => postgres::journal::run(&mut *store.read().await?, run).await,
        }
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
        match &self.base {
            Base::Sqlite(store) => {
                sqlite::journal::list(&mut *store.read().await?, filter, limit).await
            }
            Base::Postgres(store) => {
                postgres::journal::list(&mut *store.read().await?, filter, limit).await
            }
        }
    }

    /// A large value by its hash.
    ///
    /// # Errors
    /// [`Error::DamagedBlob`]; as [`Store::read`].
    pub async fn blob(&self, hash: &[u8; 32]) -> Result<Option<Bytes>> {
        match &self.base {
            Base::Sqlite(store) => sqlite::journal::blob(&mut *store.read().await?, hash).await,
            Base::Postgres(store) => postgres::journal::blob(&mut *store.read().await?, hash).await,
        }
    }

    /// Forgets at most `max` request keys that came before `before_ms` (time
    /// since 1970); answers how many. Call it again while it answers `max`.
    ///
    /// Those of open runs stay, and those of runs that an open run waits for.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn purge_requests(&self, before_ms: i64, max: u32) -> Result<u64> {
        match &self.base {
            Base::Sqlite(store) => {
                let write =
                    async |c: &mut _| sqlite::journal::purge_requests(c, before_ms, max).await;
                store.write(write).await
            }
            Base::Postgres(store) => postgres::journal::purge_requests(store, before_ms, max).await,
        }
    }

    /// Forgets at most `max` dedupe keys whose time was over at `now_ms` (time since
    /// 1970); answers how many.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn purge_dedupe(&self, now_ms: i64, max: u32) -> Result<u64> {
        match &self.base {
            Base::Sqlite(store) => {
                let write = async |c: &mut _| sqlite::dedupe::purge(c, now_ms, max).await;
                store.write(write).await
            }
            Base::Postgres(store) => postgres::dedupe::purge(store, now_ms, max).await,
        }
    }

    /// What was kept under a hash at `since_ms` or later (time since 1970).
    ///
    /// # Errors
    /// [`Error::DamagedBlob`]; as [`Store::read`].
    pub async fn cached(&self, hash: &[u8; 32], since_ms: i64) -> Result<Option<Bytes>> {
        match &self.base {
            Base::Sqlite(store) => {
                sqlite::cache::find(&mut *store.read().await?, hash, since_ms).await
            }
            Base::Postgres(store) => {
                postgres::cache::find(&mut *store.read().await?, hash, since_ms).await
            }
        }
    }

    /// Keeps bytes under a hash, in place of what was kept there before.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; as [`Store::write`].
    pub async fn cache(&self, hash: &[u8; 32], at_ms: i64, bytes: Bytes) -> Result<()> {
        let kept = Blob { hash: *hash, bytes };
        kept.check()?;
        match &self.base {
            Base::Sqlite(store) => {
                let write = async |c: &mut _| sqlite::cache::keep(c, &kept, at_ms).await;
                store.write(write).await
            }
            Base::Postgres(store) => postgres::cache::keep(store, &kept, at_ms).await,
        }
    }

    /// Forgets at most `max` kept results of before `before_ms` (time since 1970);
    /// answers how many.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn purge_cache(&self, before_ms: i64, max: u32) -> Result<u64> {
        match &self.base {
            Base::Sqlite(store) => {
                let write = async |c: &mut _| sqlite::cache::purge(c, before_ms, max).await;
                store.write(write).await
            }
            Base::Postgres(store) => postgres::cache::purge(store, before_ms, max).await,
        }
    }

    /// The workflows that are kept in the same store.
    #[must_use]
    pub fn workflows(&self) -> Workflows {
        Workflows::of(self.base.clone())
    }

    /// What the store has cost since it was opened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.base.counts()
    }

    async fn send(&self, op: Op) -> Result<()> {
        self.base.usable()?;
        self.ops.send(op).await.map_err(|_| self.closed())
    }

    /// The committer is gone, or went without an answer.
    fn closed(&self) -> Error {
        Error::Closed(self.base.name().to_owned())
    }
}
