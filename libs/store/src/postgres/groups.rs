//! How a server takes groups of operations.

use std::collections::HashSet;
use std::time::Duration;

use super::writer::{Backend, Server, Writer};
use super::{PgStore, contents, fenced_off, in_the_way, journal, keys, leaves_doubt, shard};
use crate::append::NewRun;
use crate::committer::Outcome;
use crate::error::{Error, Result};
use crate::group::{Group, Losers};
use crate::heads::Head;
use crate::owned::Owned;
use crate::run_id::{RunId, Shard};

/// How long callers wait for a server that is away, and for the outcome of a group that
/// it did not answer.
const AWAY_MAX: Duration = Duration::from_secs(10);
/// How long a try to reach it takes once it has been away that long: callers are then
/// told at once.
const TRY_MAX: Duration = Duration::from_secs(1);
/// Wait between two tries.
const AGAIN: Duration = Duration::from_millis(50);
/// Bits of a group's id below the number of its writer.
const ID_BITS: u32 = 40;
/// Commits between two removals of rows of `txn`, and the rows of its own that a writer
/// leaves. Only the newest is ever asked for.
const TIDY_COMMITS: i64 = 256;
/// How often a group is sent again that a neighbour's transaction got in the way of.
const TRIES: usize = 5;

/// The writer of groups to a server.
#[derive(Debug)]
pub(crate) struct Groups {
    store: PgStore,
    owned: Owned,
    /// None while it is used, so that whoever is interrupted loses it.
    writer: Option<Writer>,
    /// The server on which the shards were acquired.
    server: Option<Server>,
    /// This writer's part of the ids of groups; 0 until there was a connection.
    number: i64,
    /// Groups that were sent.
    sent: i64,
    /// A group that was sent and not answered.
    doubt: Option<Doubt>,
    /// Whether callers were kept waiting for as long as they are.
    away: bool,
    /// Why the last connection failed.
    cause: Option<String>,
}

#[derive(Debug, Clone)]
struct Doubt {
    id: i64,
    backend: Backend,
}

impl Groups {
    pub(crate) fn new(store: PgStore, owned: Owned) -> Self {
        Self {
            store,
            owned,
            writer: None,
            server: None,
            number: 0,
            sent: 0,
            doubt: None,
            away: false,
            cause: None,
        }
    }

    /// Where these runs stand.
    pub(crate) async fn heads(&mut self, runs: &[RunId]) -> Result<Vec<(RunId, Head)>> {
        let heads = self.patiently(async |groups| {
            loop {
                let mut writer = groups.ready().await?;
                groups.store.counters().statement();
                match journal::heads(&mut writer.connection, runs).await {
                    Ok(heads) => {
                        groups.writer = Some(writer);
                        return Ok(heads);
                    }
                    // Nothing was written: read again on a new connection.
                    Err(e) if leaves_doubt(&e) => {}
                    Err(e) => {
                        groups.writer = Some(writer);
                        return Err(e.into());
                    }
                }
            }
        });
        heads.await
    }

    /// One transaction over the group. A group of unknown outcome is settled first, be it
    /// an earlier one or this.
    pub(crate) async fn write(&mut self, group: &Group<'_>) -> Result<Outcome> {
        self.patiently(async |groups| groups.try_write(group).await)
            .await
    }

    /// Removes rows of groups whose outcome is known.
    pub(crate) async fn tidy(&mut self) {
        if self.sent % TIDY_COMMITS != 0 {
            return;
        }
        let Some(mut writer) = self.writer.take() else {
            return;
        };
        let first = self.number << ID_BITS;
        self.store.counters().statement();
        let removed = sqlx::query("DELETE FROM txn WHERE id >= $1 AND id < $2")
            .bind(first)
            .bind(first + self.sent - TIDY_COMMITS)
            .execute(&mut writer.connection);
        match tokio::time::timeout(TRY_MAX, removed).await {
            Ok(Ok(_)) => self.writer = Some(writer),
            // They stay until the next time.
            Ok(Err(e)) => tracing::warn!(error = %e, "rows of old groups were not removed"),
            Err(_) => tracing::warn!("rows of old groups were not removed in time"),
        }
    }

    /// Does something for as long as callers wait. A server that has been away for longer
    /// is tried once, shortly.
    async fn patiently<T>(&mut self, f: impl AsyncFnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.store.usable()?;
        let limit = if self.away { TRY_MAX } else { AWAY_MAX };
        let before = self.doubt.as_ref().map(|doubt| doubt.id);
        self.cause = None;
        let done = tokio::time::timeout(limit, f(self)).await;
        self.away = done.is_err();
        done.unwrap_or_else(|_| {
            // While an earlier group is in doubt, this one was not sent.
            let unknown = |doubt: &Doubt| Some(doubt.id) != before;
            if self.doubt.as_ref().is_some_and(unknown) {
                return Err(Error::CommitUnknown);
            }
            let cause = self.cause.take();
            let cause = cause.unwrap_or_else(|| format!("no answer within {limit:?}"));
            Err(Error::Unavailable(cause))
        })
    }

    async fn try_write(&mut self, group: &Group<'_>) -> Result<Outcome> {
        let mut tries = 0;
        while tries < TRIES {
            let mut writer = self.ready().await?;
            let lost = self.lost(group);
            if !lost.is_empty() {
                self.writer = Some(writer);
                return Ok(Outcome::Lost(lost));
            }
            self.sent += 1;
            let doubt = Doubt {
                id: self.number << ID_BITS | self.sent,
                backend: writer.backend.clone(),
            };
            let id = doubt.id;
            self.doubt = Some(doubt);
            let mut known = None;
            let sent = self.send(&mut writer, id, group, &mut known).await;
            match sent {
                Ok(losers) => {
                    self.doubt = None;
                    self.writer = Some(writer);
                    self.store.counters().commit(1);
                    return Ok(Outcome::Committed(losers));
                }
                Err(e) if leaves_doubt(&e) => {
                    drop(writer);
                    if let Some(losers) = self.settled(group, known).await? {
                        self.store.counters().commit(1);
                        return Ok(Outcome::Committed(losers));
                    }
                }
                // The server's word that it was undone.
                Err(e) => {
                    self.doubt = None;
                    if fenced_off(&e) {
                        return self.whose(writer, group).await;
                    }
                    self.writer = Some(writer);
                    if !in_the_way(&e) {
                        return Err(refused(e));
                    }
                    tries += 1;
                }
            }
        }
        let what = "other transactions were in the way again and again".to_owned();
        Err(Error::Unavailable(what))
    }

    /// Sends the group; the runs that lost. When it was known which before the commit was
    /// sent, `known` says it also if this fails.
    async fn send(
        &self,
        writer: &mut Writer,
        id: i64,
        group: &Group<'_>,
        known: &mut Option<Losers>,
    ) -> Result<Losers, sqlx::Error> {
        let counters = self.store.counters();
        let new = group.new_runs();
        if new.iter().any(|run| run.dedupe.is_some()) {
            return self.send_deduped(writer, id, group, known).await;
        }
        let contents = group.contents(&Losers::new());
        let statement = contents::statement(id, group, &contents, true)?;
        counters.statement();
        // All of the answer: what comes before its end is no commit yet.
        let late = statement.fetch_all(&mut writer.connection).await?;
        keys::answers(&mut writer.connection, counters, &new, &late).await
    }

    /// As [`Groups::send`], of a group with dedupe keys: those must be asked first, one by
    /// one, because each may name another run.
    async fn send_deduped(
        &self,
        writer: &mut Writer,
        id: i64,
        group: &Group<'_>,
        known: &mut Option<Losers>,
    ) -> Result<Losers, sqlx::Error> {
        use sqlx::Connection;
        let counters = self.store.counters();
        counters.statement();
        let mut transaction = writer.connection.begin().await?;
        let losers = keys::take(&mut transaction, counters, &group.new_runs()).await?;
        let contents = group.contents(&losers);
        let statement = contents::statement(id, group, &contents, false)?;
        counters.statement();
        statement.fetch_all(&mut *transaction).await?;
        *known = Some(losers.clone());
        counters.statement();
        transaction.commit().await?;
        Ok(losers)
    }

    /// Finds out what became of this group: its losers when it is on disk, None when it
    /// never will be.
    async fn settled(
        &mut self,
        group: &Group<'_>,
        known: Option<Losers>,
    ) -> Result<Option<Losers>> {
        let (mut writer, there) = self.settle().await?;
        if there != Some(true) {
            self.doubt = None;
            self.writer = Some(writer);
            return Ok(None);
        }
        // The answer that was lost would have named them. Until they are known, the
        // group stays in doubt for whoever waits no longer.
        let new = group.new_runs();
        let losers = loop {
            let found = match &known {
                Some(losers) => Ok(losers.clone()),
                None => losers(&mut writer, &self.store, &new).await,
            };
            match found {
                Ok(losers) => break losers,
                Err(e) if leaves_doubt(&e) => writer = self.settle().await?.0,
                Err(e) => return Err(refused(e)),
            }
        };
        self.doubt = None;
        self.writer = Some(writer);
        Ok(Some(losers))
    }

    /// A connection on which nothing is in doubt.
    async fn ready(&mut self) -> Result<Writer> {
        if self.doubt.is_none()
            && let Some(writer) = self.writer.take()
        {
            return Ok(writer);
        }
        let (writer, _) = self.settle().await?;
        self.doubt = None;
        Ok(writer)
    }

    /// A connection, and whether the group that was in doubt is on disk. Goes on until
    /// whoever waits gives up.
    async fn settle(&mut self) -> Result<(Writer, Option<bool>)> {
        loop {
            match self.try_settle().await {
                Err(Error::Unavailable(cause)) => {
                    tracing::debug!(cause, "the store is away");
                    self.cause = Some(cause);
                    tokio::time::sleep(AGAIN).await;
                }
                done => return done,
            }
        }
    }

    async fn try_settle(&mut self) -> Result<(Writer, Option<bool>)> {
        let mut writer = Writer::open(&self.store).await?;
        if self
            .server
            .as_ref()
            .is_some_and(|known| *known != writer.server)
        {
            tracing::warn!(
                store = self.store.name(),
                "another server answers, or after a failover: no shard is owned any more"
            );
            self.owned.clear();
            // Its sequence may have missed who drew from it last.
            self.number = 0;
        }
        self.server = Some(writer.server.clone());
        if self.number == 0 {
            self.number = writer.number().await?;
        }
        let Some(doubt) = self.doubt.clone() else {
            return Ok((writer, None));
        };
        let there = writer.settle(doubt.id, &doubt.backend).await?;
        tracing::info!(there, "a group that the store did not answer is settled");
        Ok((writer, Some(there)))
    }

    /// Shards of the group that were given up since it was put together.
    fn lost(&self, group: &Group<'_>) -> Vec<Shard> {
        let lost = |shard: &Shard, epoch| self.owned.epoch(*shard) != Some(epoch);
        let lost = group
            .fences
            .iter()
            .filter(|(s, fence)| lost(s, fence.epoch));
        lost.map(|(shard, _)| *shard).collect()
    }

    /// Which shards of the group have other owners.
    async fn whose(&mut self, mut writer: Writer, group: &Group<'_>) -> Result<Outcome> {
        let shards: Vec<_> = group.fences.keys().copied().map(i16::from).collect();
        self.store.counters().statement();
        let found = shard::epochs(&mut writer.connection, &shards).await?;
        self.writer = Some(writer);
        let held: HashSet<_> = found.into_iter().collect();
        let lost = |(shard, epoch): (Shard, i64)| !held.contains(&(i16::from(shard), epoch));
        let fences = group
            .fences
            .iter()
            .map(|(shard, fence)| (*shard, fence.epoch));
        let lost: Vec<_> = fences
            .filter(|fence| lost(*fence))
            .map(|(s, _)| s)
            .collect();
        if lost.is_empty() {
            let what = "shards changed hands while they were looked at".to_owned();
            return Err(Error::Unavailable(what));
        }
        Ok(Outcome::Lost(lost))
    }
}

/// The losers of a group that is there: those of its new runs that are not.
async fn losers(
    writer: &mut Writer,
    store: &PgStore,
    new: &[&NewRun],
) -> Result<Losers, sqlx::Error> {
    let runs: Vec<_> = new.iter().map(|run| run.run).collect();
    let there: Vec<RunId> = sqlx::query_scalar("SELECT run FROM run WHERE run = ANY($1)")
        .bind(&runs)
        .fetch_all(&mut writer.connection)
        .await?;
    let there: HashSet<_> = there.into_iter().collect();
    let late: Vec<_> = runs
        .into_iter()
        .filter(|run| !there.contains(run))
        .collect();
    keys::answers(&mut writer.connection, store.counters(), new, &late).await
}

/// A group whose repeats of requests find no answer any more is on disk all the same.
fn refused(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::RowNotFound => Error::CommitUnknown,
        e => e.into(),
    }
}
