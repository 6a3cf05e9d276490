//! An instance's share of a schema's shards, kept.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::sync::watch;
use tokio::time::timeout;

use super::plan::{Command, Input, Leases};
use crate::error::{Error, Result};
use crate::owned::Owned;
use crate::postgres::{PgStore, keeper as sql};
use crate::run_id::Shard;

/// How long the store may take to answer: some of its answers may be lost before the lease is.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// One process that shares a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instance {
    /// Its name, another one after each start.
    pub name: String,
    /// Where the others reach it.
    pub endpoint: String,
    /// The machine that it runs on.
    pub host: String,
    /// Its number there.
    pub process: u32,
    /// When it started, by the store's clock; time since 1970.
    pub started_at_ms: i64,
}

/// What has become of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is this instance's.
    Gained(Shard),
    /// It is to be given away: begin nothing in it, and say [`Keeper::yielded`] when all
    /// that was begun is over.
    Yields(Shard),
    /// It is somebody else's: drop all that is known of it.
    Lost(Shard),
}

/// Who owns which shard, as this instance saw it last. A cheap handle.
#[derive(Debug, Clone)]
pub struct Owners(watch::Receiver<Arc<BTreeMap<Shard, Instance>>>);

impl Owners {
    /// The living owner of a shard; None while it has none.
    #[must_use]
    pub fn of(&self, shard: Shard) -> Option<Instance> {
        self.0.borrow().get(&shard).cloned()
    }

    /// All shards that have a living owner.
    #[must_use]
    pub fn all(&self) -> Arc<BTreeMap<Shard, Instance>> {
        self.0.borrow().clone()
    }

    /// Waits until the owners are seen to change.
    pub async fn changed(&mut self) {
        // An error says that the keeper has ended: nothing changes any more.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Keeps an instance's share. It holds one connection, by which the others see that the
/// instance lives; without it the share is lost when the lease runs out.
#[derive(Debug)]
pub struct Keeper {
    store: PgStore,
    me: Instance,
    connection: Option<PgConnection>,
    leases: Leases,
    owned: Owned,
    owners: watch::Sender<Arc<BTreeMap<Shard, Instance>>>,
    draining: bool,
}

impl Keeper {
    /// An instance that owns nothing yet. What it gains and loses is noted in `owned`.
    #[must_use]
    pub fn new(store: PgStore, me: Instance, owned: Owned) -> Self {
        Self {
            store,
            connection: None,
            leases: Leases::new(me.name.clone()),
            me,
            owned,
            owners: watch::Sender::default(),
            draining: false,
        }
    }

    /// Who owns which shard.
    #[must_use]
    pub fn owners(&self) -> Owners {
        Owners(self.owners.subscribe())
    }

    /// Does what is due. To be called every [`STEP_MS`](super::STEP_MS); `now_ms` is a clock
    /// that goes on while the machine sleeps and never back.
    ///
    /// A store that does not answer is tried again with the next step.
    pub async fn step(&mut self, now_ms: &(dyn Fn() -> i64 + Send + Sync)) -> Vec<Change> {
        let mut inputs = VecDeque::from([Input::Tick]);
        // What a commit has met, or the writer has found of another server.
        for (shard, epoch) in self.leases.held() {
            if self.owned.epoch(shard) != Some(epoch) {
                inputs.push_back(Input::Fenced(shard));
            }
        }
        self.take(inputs, now_ms).await
    }

    /// Says that nothing is under way any more in a shard that yields.
    pub async fn yielded(
        &mut self,
        shard: Shard,
        now_ms: &(dyn Fn() -> i64 + Send + Sync),
    ) -> Vec<Change> {
        self.take(VecDeque::from([Input::Yielded(shard)]), now_ms)
            .await
    }

    /// Begins to give all shards away.
    pub async fn drain(&mut self, now_ms: &(dyn Fn() -> i64 + Send + Sync)) -> Vec<Change> {
        self.draining = true;
        self.take(VecDeque::from([Input::Drain]), now_ms).await
    }

    /// Whether all is given away after [`Keeper::drain`].
    #[must_use]
    pub fn drained(&self) -> bool {
        self.leases.drained()
    }

    /// Lets the others know that this instance is gone.
    pub async fn leave(mut self) {
        if let Some(mut connection) = self.connection.take()
            && sql::leave(&mut connection, &self.me.name).await.is_ok()
        {
            // It was told; how the connection ends says no more.
            let _ = connection.close().await;
        }
    }

    async fn take(
        &mut self,
        mut inputs: VecDeque<Input>,
        now_ms: &(dyn Fn() -> i64 + Send + Sync),
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some(input) = inputs.pop_front() {
            for command in self.leases.advance(now_ms(), input) {
                match command {
                    Command::Gain(shard, epoch) => {
                        self.owned.insert(shard, epoch);
                        changes.push(Change::Gained(shard));
                    }
                    Command::Lose(shard) => {
                        self.owned.remove(shard);
                        changes.push(Change::Lost(shard));
                    }
                    Command::Yield(shard) => changes.push(Change::Yields(shard)),
                    // The lease runs out by the own clock, also while the store is silent.
                    command => match timeout(ANSWER_MAX, self.ask(command, now_ms)).await {
                        Ok(Ok(answer)) => inputs.extend(answer),
                        Ok(Err(error)) => {
                            tracing::warn!(%error, "the store does not answer its leases");
                            self.connection = None;
                        }
                        Err(_) => {
                            tracing::warn!("the store does not answer its leases in time");
                            self.connection = None;
                        }
                    },
                }
            }
        }
        changes
    }

    /// Asks the store; its answer.
    async fn ask(
        &mut self,
        command: Command,
        now_ms: &(dyn Fn() -> i64 + Send + Sync),
    ) -> Result<Option<Input>> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let mut connection = self.store.connect(false).await?;
                sql::prepare(&mut connection).await?;
                // By it the others see that this instance lives.
                sql::renew(&mut connection, &self.me, self.draining).await?;
                none.insert(connection)
            }
        };
        match command {
            Command::Renew => {
                let sent_ms = now_ms();
                sql::renew(connection, &self.me, self.draining).await?;
                Ok(Some(Input::Renewed { sent_ms }))
            }
            Command::Look => {
                let instances = sql::instances(connection).await?;
                let shards = sql::shards(connection).await?;
                self.note_owners(&instances, &shards);
                Ok(Some(Input::Looked(sql::view(&instances, shards))))
            }
            Command::Acquire(wanted) => {
                let got = sql::acquire(connection, &self.me.name, &wanted).await?;
                Ok(Some(Input::Acquired(got)))
            }
            Command::Release(shard, epoch) => {
                self.owned.lose(shard, epoch);
                sql::release(connection, shard, epoch).await?;
                Ok(None)
            }
            Command::Gain(..) | Command::Lose(_) | Command::Yield(_) => {
                Err(Error::Failed("nothing to ask the store about".to_owned()))
            }
        }
    }

    fn note_owners(&self, instances: &[sql::Shown], shards: &[super::SeenShard]) {
        let mut owners = BTreeMap::new();
        for seen in shards {
            let owner = instances
                .iter()
                .find(|i| i.seen.alive && i.seen.name == seen.owner);
            if let Some(owner) = owner {
                owners.insert(seen.shard, owner.instance.clone());
            }
        }
        self.owners.send_if_modified(|known| {
            let differs = **known != owners;
            if differs {
                *known = Arc::new(owners);
            }
            differs
        });
    }
}
