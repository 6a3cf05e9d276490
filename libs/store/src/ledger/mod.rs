//! The ledger of effects: what has begun and what has ended, by key.

mod call;
mod entry;
mod rules;

pub use call::{Begin, Call, Fenced};
pub(crate) use entry::{Entry, Holder, Pair, Status};

use bytes::Bytes;
use sqlx::sqlite::SqliteConnection;

use crate::append::{BODY_MAX, TEXT_MAX, bounded};
use crate::error::{Error, Result};
use crate::sqlite::effect as sql;
use crate::store::Store;
use rules::{Decision, Ending};

/// The ledger in a store. A cheap handle.
#[derive(Debug, Clone)]
pub struct Ledger {
    store: Store,
}

impl Ledger {
    /// Opens the ledger in an engine's store.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn open(store: Store) -> Result<Self> {
        store.migrate(sql::SET, sql::MIGRATIONS).await?;
        Ok(Self { store })
    }

    /// Asks whether a call may take effect. At [`Begin::Go`] it is durable that
    /// it has begun.
    ///
    /// # Errors
    /// [`Error::KeyReused`], [`Error::KeyInUse`], [`Error::StaleEpoch`],
    /// [`Error::TooLarge`]; as [`Store::write`].
    pub async fn begin(&self, call: &Call) -> Result<Begin> {
        let mut transaction = self.store.begin().await?;
        let (begin, written) = match begin(&mut transaction, call).await {
            Ok(done) => done,
            Err(e) => {
                transaction.rollback().await;
                return Err(e);
            }
        };
        if written {
            transaction.commit().await?;
        } else {
            transaction.rollback().await;
        }
        Ok(begin)
    }

    /// Records that a call has taken effect, and its reply.
    ///
    /// # Errors
    /// [`Error::StaleEpoch`] when the entry is not this attempt's any more,
    /// [`Error::TooLarge`]; as [`Store::write`].
    pub async fn done(&self, call: &Call, reply: Bytes) -> Result<()> {
        self.store
            .write(async |c| end(c, call, Ending::Done(reply)).await)
            .await
    }

    /// Records that a call has taken no effect: the next attempt begins anew.
    ///
    /// # Errors
    /// As [`Ledger::done`].
    pub async fn failed(&self, call: &Call) -> Result<()> {
        self.store
            .write(async |c| end(c, call, Ending::Failed).await)
            .await
    }

    /// Records that nobody knows whether a call has taken effect.
    ///
    /// # Errors
    /// As [`Ledger::done`].
    pub async fn unknown(&self, call: &Call) -> Result<()> {
        self.store
            .write(async |c| end(c, call, Ending::Unknown).await)
            .await
    }

    /// Says how far the call of a key has come, and refuses from now on each
    /// attempt up to `(epoch, attempt)` that has not begun.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn fence(
        &self,
        owner: &str,
        tool: &str,
        key: &str,
        epoch: i64,
        attempt: i64,
    ) -> Result<Fenced> {
        let pair = Pair { epoch, attempt };
        checked(owner, tool, key)?;
        self.store
            .write(async |c| {
                let entry = sql::find(c, owner, tool, key).await?;
                let (entry, answer) = rules::fence(entry, pair);
                if let Some(entry) = entry {
                    sql::put(c, owner, tool, key, &entry).await?;
                }
                Ok(answer)
            })
            .await
    }

    /// As [`Ledger::begin`], inside an engine's own transaction, with the
    /// effect. Nothing is to be recorded on an error or at [`Begin::Done`].
    ///
    /// # Errors
    /// As [`Ledger::begin`].
    pub async fn begin_in(connection: &mut SqliteConnection, call: &Call) -> Result<Begin> {
        Ok(begin(connection, call).await?.0)
    }

    /// As [`Ledger::done`], inside the transaction of [`Ledger::begin_in`].
    ///
    /// # Errors
    /// As [`Ledger::done`].
    pub async fn done_in(
        connection: &mut SqliteConnection,
        call: &Call,
        reply: Bytes,
    ) -> Result<()> {
        end(connection, call, Ending::Done(reply)).await
    }

    /// Forgets at most `max` entries that had expired before `now_ms` (time
    /// since 1970); answers how many. Call it again while it answers `max`.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn purge(&self, now_ms: i64, max: u32) -> Result<u64> {
        self.store
            .write(async |c| sql::purge(c, now_ms, max).await)
            .await
    }
}

/// The answer, and whether anything was written.
async fn begin(c: &mut SqliteConnection, call: &Call) -> Result<(Begin, bool)> {
    checked(&call.owner, &call.tool, &call.key)?;
    bounded("a run's name", call.run.len(), TEXT_MAX)?;
    bounded("a task's name", call.task.len(), TEXT_MAX)?;
    let entry = sql::find(c, &call.owner, &call.tool, &call.key).await?;
    let begin = match rules::begin(entry, call)? {
        Decision::Answer(reply) => return Ok((Begin::Done(reply), false)),
        Decision::Same => return Ok((Begin::Started, false)),
        Decision::Start(entry) => {
            sql::start(c, &call.owner, &call.tool, &call.key, &entry).await?;
            Begin::Go
        }
        Decision::Resume(entry) => {
            sql::put(c, &call.owner, &call.tool, &call.key, &entry).await?;
            Begin::Started
        }
    };
    Ok((begin, true))
}

async fn end(c: &mut SqliteConnection, call: &Call, ending: Ending) -> Result<()> {
    if let Ending::Done(reply) = &ending {
        bounded("a reply", reply.len(), BODY_MAX)?;
    }
    let entry = sql::find(c, &call.owner, &call.tool, &call.key).await?;
    match rules::end(entry, call, ending)? {
        Some(entry) => sql::put(c, &call.owner, &call.tool, &call.key, &entry).await,
        None => Ok(()),
    }
}

fn checked(owner: &str, tool: &str, key: &str) -> Result<()> {
    bounded("an owner's name", owner.len(), TEXT_MAX)?;
    bounded("a tool's name", tool.len(), TEXT_MAX)?;
    bounded("a key", key.len(), TEXT_MAX)
}

pub(crate) fn damaged(tool: &str, key: &str) -> Error {
    Error::DamagedEffect {
        tool: tool.to_owned(),
        key: key.to_owned(),
    }
}
