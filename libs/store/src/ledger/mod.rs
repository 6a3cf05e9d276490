//! The ledger of effects: what has begun and what has ended, by key.

mod call;
mod entry;
mod rules;
mod step;

pub use call::{Begin, Call, Fenced};
use entry::Pair;
pub(crate) use entry::{Entry, StoredEntry};
use step::end;
pub(crate) use step::{Name, Step, Write, begin, done};

use bytes::Bytes;
use sqlx::sqlite::SqliteConnection;

use crate::base::Base;
use crate::error::{Error, Result};
use crate::postgres;
use crate::sqlite::effect as sqlite;
use rules::Ending;

/// The ledger in a store. A cheap handle.
#[derive(Debug, Clone)]
pub struct Ledger {
    base: Base,
}

impl Ledger {
    /// Opens the ledger in an engine's store.
    ///
    /// # Errors
    /// As [`Store::migrate`](crate::Store::migrate).
    pub async fn open(base: impl Into<Base>) -> Result<Self> {
        let base = base.into();
        match &base {
            Base::Sqlite(store) => store.migrate(sqlite::SET, sqlite::MIGRATIONS).await?,
            Base::Postgres(store) => {
                use postgres::effect::{MIGRATIONS, SET};
                store.migrate(SET, MIGRATIONS).await?;
            }
        }
        Ok(Self { base })
    }

    /// Asks whether a call may take effect. At [`Begin::Go`] it is durable that
    /// it has begun.
    ///
    /// # Errors
    /// [`Error::KeyReused`], [`Error::KeyInUse`], [`Error::StaleEpoch`],
    /// [`Error::TooLarge`]; as [`Store::write`](crate::Store::write).
    pub async fn begin(&self, call: &Call) -> Result<Begin> {
        step::check_call(call)?;
        self.step(Name::of(call), |entry| begin(entry, call)).await
    }

    /// Records that a call has taken effect, and its reply.
    ///
    /// # Errors
    /// [`Error::StaleEpoch`] when the entry is not this attempt's any more,
    /// [`Error::TooLarge`]; as [`Store::write`](crate::Store::write).
    pub async fn done(&self, call: &Call, reply: Bytes) -> Result<()> {
        self.end(call, &Ending::Done(reply)).await
    }

    /// Records that a call has taken no effect: the next attempt begins anew.
    ///
    /// # Errors
    /// As [`Ledger::done`].
    pub async fn failed(&self, call: &Call) -> Result<()> {
        self.end(call, &Ending::Failed).await
    }

    /// Records that nobody knows whether a call has taken effect.
    ///
    /// # Errors
    /// As [`Ledger::done`].
    pub async fn unknown(&self, call: &Call) -> Result<()> {
        self.end(call, &Ending::Unknown).await
    }

    /// Says how far the call of a key has come, and refuses from now on each
    /// attempt up to `(epoch, attempt)` that has not begun.
    ///
    /// # Errors
    /// As [`Store::write`](crate::Store::write).
    pub async fn fence(
        &self,
        owner: &str,
        tool: &str,
        key: &str,
        epoch: i64,
        attempt: i64,
    ) -> Result<Fenced> {
        let pair = Pair { epoch, attempt };
        let name = Name { owner, tool, key };
        name.check()?;
        self.step(name, |entry| {
            let (entry, answer) = rules::fence(entry, pair);
            Ok((answer, entry.map(Write::Put)))
        })
        .await
    }

    /// As [`Ledger::begin`], inside an engine's own transaction, with the
    /// effect. Nothing is to be recorded on an error or at [`Begin::Done`].
    ///
    /// # Errors
    /// As [`Ledger::begin`].
    pub async fn begin_in(connection: &mut SqliteConnection, call: &Call) -> Result<Begin> {
        step::check_call(call)?;
        let step = |entry| begin(entry, call);
        Ok(sqlite::step(connection, Name::of(call), step).await?.0)
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
        let ending = Ending::Done(reply);
        step::check_ending(&ending)?;
        let step = |entry| end(entry, call, &ending);
        sqlite::step(connection, Name::of(call), step).await?;
        Ok(())
    }

    /// Forgets at most `max` entries that had expired before `now_ms` (time
    /// since 1970); answers how many. Call it again while it answers `max`.
    ///
    /// # Errors
    /// As [`Store::write`](crate::Store::write).
    pub async fn purge(&self, now_ms: i64, max: u32) -> Result<u64> {
        match &self.base {
            Base::Sqlite(store) => {
                let purge = async |c: &mut _| sqlite::purge(c, now_ms, max).await;
                store.write(purge).await
            }
            Base::Postgres(store) => postgres::effect::purge(store, now_ms, max).await,
        }
    }

    async fn end(&self, call: &Call, ending: &Ending) -> Result<()> {
        step::check_ending(ending)?;
        self.step(Name::of(call), |entry| end(entry, call, ending))
            .await
    }

    /// Takes a step from the entry that is there to the one that follows, alone.
    async fn step<T>(&self, name: Name<'_>, step: impl Step<T>) -> Result<T> {
        let store = match &self.base {
            Base::Sqlite(store) => store,
            Base::Postgres(store) => {
                // Its size must not weigh on the calls of those who have a file.
                return Box::pin(postgres::effect::step_alone(store, name, step)).await;
            }
        };
        let mut transaction = store.begin().await?;
        match sqlite::step(&mut transaction, name, step).await {
            Ok((answer, written)) => {
                if written {
                    transaction.commit().await?;
                } else {
                    transaction.rollback().await;
                }
                Ok(answer)
            }
            Err(e) => {
                transaction.rollback().await;
                Err(e)
            }
        }
    }
}

pub(crate) fn damaged(tool: &str, key: &str) -> Error {
    Error::DamagedEffect {
        tool: tool.to_owned(),
        key: key.to_owned(),
    }
}
