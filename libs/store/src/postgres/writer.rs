//! The connection that writes groups, and the server behind it.

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::{PgStore, connect};
use crate::error::{Error, Result};

/// A connection, and what finds it again from another one.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) connection: PgConnection,
    pub(super) backend: Backend,
    pub(super) server: Server,
}

/// A connection as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Backend {
    pid: i32,
    /// Ids of processes come again.
    started: String,
}

/// A server's data. Another one may be behind the same address, after a failover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    system: i64,
    timeline: String,
}

impl Writer {
    pub(super) async fn open(store: &PgStore) -> Result<Self> {
        let mut connection = store.connect(true).await?;
        connect::check_primary(&mut connection).await?;
        let row = sqlx::query(
            "SELECT pid, backend_start::text, (SELECT system_identifier FROM pg_control_system()),
left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_stat_activity WHERE pid = pg_backend_pid()",
        )
        .fetch_one(&mut connection)
        .await?;
        let backend = Backend {
            pid: row.try_get(0)?,
            started: row.try_get(1)?,
        };
        let server = Server {
            system: row.try_get(2)?,
            timeline: row.try_get(3)?,
        };
        Ok(Self {
            connection,
            backend,
            server,
        })
    }

    /// A number that no other writer of the store has, nor had.
    pub(super) async fn number(&mut self) -> Result<i64> {
        // Rows of writers that are gone; nobody asks for them any more.
        sqlx::query("DELETE FROM txn WHERE at < now() - interval '1 hour'")
            .execute(&mut self.connection)
            .await?;
        let number = sqlx::query_scalar("SELECT nextval('txn_writer')");
        Ok(number.fetch_one(&mut self.connection).await?)
    }

    /// Sees to it that a group is on disk or never will be; true when it is.
    ///
    /// The key of its row lets this wait for the transaction that may still run. When
    /// that takes too long, its connection is ended: nobody listens at the other end.
    pub(super) async fn settle(&mut self, id: i64, old: &Backend) -> Result<bool> {
        const LOCK_NOT_AVAILABLE: &str = "55P03";
        loop {
            let inserted = sqlx::query(
                "INSERT INTO txn(id, outcome) VALUES ($1, 'aborted') ON CONFLICT DO NOTHING",
            )
            .bind(id)
            .execute(&mut self.connection)
            .await;
            match inserted {
                Ok(done) if done.rows_affected() > 0 => return Ok(false),
                // It was there: the group's own, or that of an earlier try to settle it
                // whose answer was lost.
                Ok(_) => break,
                Err(sqlx::Error::Database(e))
                    if e.code().as_deref() == Some(LOCK_NOT_AVAILABLE) =>
                {
                    self.end(old).await?;
                }
                Err(e) => return Err(lost(e)),
            }
        }
        let outcome: String = sqlx::query_scalar("SELECT outcome FROM txn WHERE id = $1")
            .bind(id)
            .fetch_one(&mut self.connection)
            .await
            .map_err(lost)?;
        Ok(outcome == "committed")
    }

    async fn end(&mut self, old: &Backend) -> Result<()> {
        tracing::warn!(
            pid = old.pid,
            "a connection that left a group in doubt is ended"
        );
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND backend_start = $2::timestamptz",
        )
        .bind(old.pid)
        .bind(&old.started)
        .execute(&mut self.connection)
        .await
        .map_err(lost)?;
        Ok(())
    }
}

/// Whatever went wrong, the way to the server is what is in doubt.
fn lost(error: sqlx::Error) -> Error {
    Error::Unavailable(error.to_string())
}
