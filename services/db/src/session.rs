//! A login while one transaction uses it. Whatever ends early is ended at the
//! database too.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use gearmesh_runtime::Context;
use serde_json::{Map, Value};
use sqlx::Either;

use crate::database::Database;
use crate::dialect::Dialect;
use crate::error::Error;
use crate::limits::{CANCEL_MAX, RESULT_BYTES_MAX, ROWS_MAX};
use crate::sql::{Param, Table};
use crate::value::Kind;
use crate::{mysql, postgres, sqlite};

/// What a transaction may see of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Isolation {
    /// The level of a name; none for an empty one.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "ReadUncommitted" => Self::ReadUncommitted,
            "ReadCommitted" => Self::ReadCommitted,
            "RepeatableRead" => Self::RepeatableRead,
            "Serializable" => Self::Serializable,
            _ => return None,
        })
    }

    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "READ UNCOMMITTED",
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
            Self::Serializable => "SERIALIZABLE",
        }
    }
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) read_only: bool,
    pub(crate) isolation: Option<Isolation>,
    /// Longest time of a statement, for the database to keep.
    pub(crate) limit: Duration,
}

/// What a statement gave.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Bytes>,
    pub(crate) affected: u64,
    /// `MySQL`'s first generated key.
    pub(crate) generated: u64,
}

/// What is left for the rows of one call.
#[derive(Debug)]
pub(crate) struct Budget {
    rows: usize,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            rows: ROWS_MAX,
            bytes: RESULT_BYTES_MAX,
        }
    }

    /// Takes a row in, as text.
    fn take(&mut self, row: Map<String, Value>) -> Result<Bytes, Error> {
        let text = Value::Object(row).to_string();
        self.rows = self.rows.checked_sub(1).ok_or(Error::TooLarge)?;
        self.bytes = self.bytes.checked_sub(text.len()).ok_or(Error::TooLarge)?;
        Ok(text.into())
    }
}

/// A failure below: the driver's, to be judged by who knows the connection, or ours.
#[derive(Debug)]
pub(crate) enum Failed {
    Driver(sqlx::Error),
    Ours(Error),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// What a driver gives of a statement: its rows, and how it ended.
type Stream<'a, Db> = BoxStream<
    'a,
    Result<Either<<Db as sqlx::Database>::QueryResult, <Db as sqlx::Database>::Row>, sqlx::Error>,
>;

/// Reads all that a statement gives, as far as the budget goes.
pub(crate) async fn gather<Db: sqlx::Database>(
    mut stream: Stream<'_, Db>,
    budget: &mut Budget,
    row: impl Fn(&Db::Row) -> Result<Map<String, Value>, Error>,
    done: impl Fn(&Db::QueryResult) -> (u64, u64),
) -> Result<Answer, Failed> {
    let mut answer = Answer::default();
    while let Some(next) = stream.next().await {
        match next? {
            Either::Left(result) => {
                let (affected, generated) = done(&result);
                answer.affected += affected;
                answer.generated = generated;
            }
            Either::Right(found) => answer.rows.push(budget.take(row(&found)?)?),
        }
    }
    Ok(answer)
}

#[derive(Debug)]
enum Live {
    Postgres(postgres::Live),
    MySql(mysql::Live),
    Sqlite(sqlite::Live),
}

/// A login taken from its pool for one transaction.
#[derive(Debug)]
pub(crate) struct Session {
    cx: Context,
    database: Arc<Database>,
    limit: Duration,
    live: Option<Live>,
}

impl Session {
    /// Takes a login and begins the transaction.
    pub(crate) async fn begin(
        cx: &Context,
        database: &Arc<Database>,
        mode: Mode,
    ) -> Result<Self, Error> {
        use crate::database::Pools;
        let refused = |e: sqlx::Error| match e {
            sqlx::Error::PoolTimedOut => database.crowded(),
            other => Error::login(&other, &database.name),
        };
        let live = match &database.pools {
            Pools::Postgres { pool, .. } => {
                Live::Postgres(postgres::Live::new(pool.acquire().await.map_err(refused)?))
            }
            Pools::MySql { pool, .. } => {
                Live::MySql(mysql::Live::new(pool.acquire().await.map_err(refused)?))
            }
            Pools::Sqlite { read, write } => {
                // A file that is yet to be made is made by the one that may write.
                let pool = if mode.read_only && database.there() {
                    read
                } else {
                    write
                };
                Live::Sqlite(sqlite::Live::new(pool.acquire().await.map_err(refused)?))
            }
        };
        let mut session = Self {
            cx: cx.clone(),
            database: database.clone(),
            limit: mode.limit,
            live: Some(live),
        };
        let begun = match &mut session.live {
            Some(Live::Postgres(live)) => live.begin(mode).await,
            Some(Live::MySql(live)) => live.begin(mode).await,
            Some(Live::Sqlite(live)) => live.begin(mode).await,
            None => Ok(()),
        };
        match begun {
            Ok(()) => Ok(session),
            Err(e) => Err(session.judged(e.into())),
        }
    }

    fn judged(&self, failed: Failed) -> Error {
        match failed {
            Failed::Driver(e) => Error::of(e, &self.database.name, self.limit),
            Failed::Ours(e) => e,
        }
    }

    /// Runs one statement.
    pub(crate) async fn run(
        &mut self,
        text: &str,
        params: &[Param],
        kinds: &HashMap<String, Kind>,
        budget: &mut Budget,
    ) -> Result<Answer, Error> {
        let answer = match &mut self.live {
            Some(Live::Postgres(live)) => live.run(text, params, budget).await,
            Some(Live::MySql(live)) => live.run(text, params, kinds, budget).await,
            Some(Live::Sqlite(live)) => live.run(text, params, kinds, budget).await,
            None => Ok(Answer::default()),
        };
        answer.map_err(|e| self.judged(e))
    }

    /// What the columns of a table want, where JSON does not say it.
    pub(crate) async fn kinds(&mut self, table: &Table) -> Result<HashMap<String, Kind>, Error> {
        let kinds = match &mut self.live {
            // PostgreSQL says for each placeholder which type it expects.
            Some(Live::Postgres(_)) | None => Ok(HashMap::new()),
            Some(Live::MySql(live)) => live.kinds(table).await,
            Some(Live::Sqlite(live)) => live.kinds(table).await,
        };
        kinds.map_err(|e| self.judged(e.into()))
    }

    /// Whether the database gives inserted rows back.
    pub(crate) fn returning(&self) -> bool {
        match &self.live {
            Some(Live::MySql(live)) => live.returning(),
            _ => true,
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.database.dialect
    }

    /// Commits and gives the login back; `clean` forgets what a statement of a
    /// caller may have set for the session.
    pub(crate) async fn commit(mut self, clean: bool) -> Result<(), Error> {
        let ended = match &mut self.live {
            Some(Live::Postgres(live)) => live.commit(clean).await,
            Some(Live::MySql(live)) => live.commit().await,
            Some(Live::Sqlite(live)) => live.commit().await,
            None => Ok(()),
        };
        match ended {
            Ok(()) => {
                self.live = None;
                Ok(())
            }
            Err(e) => {
                let error = Error::of(e, &self.database.name, self.limit).in_doubt();
                self.close(&error).await;
                Err(error)
            }
        }
    }

    /// Ends the transaction after an error: the login goes back if it can be used.
    pub(crate) async fn close(mut self, error: &Error) {
        if error.breaks() {
            if matches!(error, Error::Lost { .. } | Error::LostAtCommit { .. }) {
                // There is nobody left to tell.
                if let Some(live) = self.live.take() {
                    live.forget();
                }
            }
            return;
        }
        let ended = match &mut self.live {
            Some(Live::Postgres(live)) => live.rollback().await,
            Some(Live::MySql(live)) => live.rollback().await,
            Some(Live::Sqlite(live)) => live.rollback().await,
            None => Ok(()),
        };
        if ended.is_ok() {
            self.live = None;
        }
    }
}

impl Live {
    fn forget(self) {
        match self {
            Self::Postgres(live) => live.forget(),
            Self::MySql(live) => live.forget(),
            Self::Sqlite(live) => live.forget(),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(live) = self.live.take() else { return };
        let database = self.database.clone();
        let cancel = async move {
            let stopped = match live {
                Live::Postgres(live) => live.cancel(&database).await,
                Live::MySql(live) => live.cancel(&database).await,
                Live::Sqlite(live) => {
                    live.forget();
                    Ok(())
                }
            };
            if let Err(error) = stopped {
                tracing::warn!(connection = %database.name, %error, "statement not stopped");
            }
        };
        self.cx.spawn(async move {
            // The server ends the statement at its own time-out, if the word does not arrive.
            let _ = tokio::time::timeout(CANCEL_MAX, cancel).await;
        });
    }
}
