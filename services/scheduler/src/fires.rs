//! The table of fires: one row for each, from due to its end.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::error::Result;
use crate::key::jitter;
use crate::plan::{Missed, Plan};
use crate::table::{Row, Table};

/// Refused starts in a row that pause a schedule (decisions G2).
pub(crate) const FAILURES_MAX: i64 = 5;

/// Fires of one schedule that are read at once.
const OF_ONE_MAX: i64 = 8;

/// How long the start of a fire by hand is left to its caller, in milliseconds.
const BY_HAND_MS: i64 = 60_000;

/// A fire that is to be sent or whose run is open.
#[derive(Debug, Clone)]
pub(crate) struct FireRow {
    pub(crate) id: i64,
    pub(crate) schedule: String,
    pub(crate) fire_at: i64,
    pub(crate) origin: String,
    pub(crate) run: String,
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ended {
    pub(crate) ended: i64,
    pub(crate) duration: i64,
    /// success, failure, timeout
    pub(crate) outcome: &'static str,
    pub(crate) reason: String,
    pub(crate) error: String,
    pub(crate) result: Option<Vec<u8>>,
    pub(crate) retries: i64,
}

impl Table {
    /// Makes what a schedule owes durable and moves its next fire, unless it was
    /// edited or paused meanwhile.
    pub(crate) async fn commit(&self, row: &Row, plan: &Plan, now: i64) -> Result<bool> {
        let jitter_ms = row.definition.policy().jitter_ms;
        let last = plan.due.last().map(|d| d.fire_at_ms);
        let (enabled, reason) = match plan.next_ms {
            Some(_) => (true, ""),
            None => (false, "ENDED"),
        };
        self.store()
            .await?
            .write(async |tx: &mut SqliteConnection| -> Result<bool> {
                // INVARIANT: rows and `next_fire` move together; an edit in between wins.
                let moved = sqlx::query(
                    "UPDATE schedule SET next_fire = ?, last_fire = coalesce(?, last_fire), enabled = ?, \
                     reason = ? WHERE id = ? AND etag = ? AND enabled = 1 AND next_fire = ?",
                )
                .bind(plan.next_ms)
                .bind(last)
                .bind(enabled)
                .bind(reason)
                .bind(&row.id)
                .bind(row.etag)
                .bind(row.next_fire)
                .execute(&mut *tx)
                .await?
                .rows_affected();
                if moved == 0 {
                    return Ok(false);
                }
                for due in &plan.due {
                    let wait = jitter(&row.id, due.fire_at_ms, jitter_ms);
                    let send_at = due.send_at_ms + wait;
                    insert(tx, &row.id, (due.fire_at_ms, ""), send_at).await?;
                }
                for missed in &plan.missed {
                    insert_missed(tx, &row.id, missed, now).await?;
                }
                Ok(true)
            })
            .await
    }

    /// Notes a fire by hand before it is sent.
    pub(crate) async fn by_hand(&self, schedule: &str, origin: &str, now: i64) -> Result<FireRow> {
        self.store()
            .await?
            .write(async |tx: &mut SqliteConnection| -> Result<FireRow> {
                let found = sqlx::query(
                    "SELECT id, schedule, fire_at, origin, run FROM fire \
                     WHERE schedule = ? AND origin = ? LIMIT 1",
                )
                .bind(schedule)
                .bind(origin)
                .fetch_optional(&mut *tx)
                .await?;
                if let Some(found) = found {
                    return fire_row(&found);
                }
                // Its caller starts it; the loop does only if the caller is broken off.
                let id = insert(tx, schedule, (now, origin), now + BY_HAND_MS).await?;
                Ok(FireRow {
                    id,
                    schedule: schedule.to_owned(),
                    fire_at: now,
                    origin: origin.to_owned(),
                    run: String::new(),
                })
            })
            .await
    }

    /// Fires that are due at an instant: the first few of each schedule, in the order of
    /// their sending, so that a schedule with a long queue does not hold up the others.
    pub(crate) async fn unsent(&self, now: i64, limit: i64) -> Result<Vec<FireRow>> {
        let mut reader = self.store().await?.read().await?;
        let rows = sqlx::query(
            "SELECT id, schedule, fire_at, origin, run FROM (SELECT *, row_number() OVER \
             (PARTITION BY schedule ORDER BY due_at, id) AS place FROM fire \
             WHERE status = 'due' AND due_at <= ?) WHERE place <= ? ORDER BY place, due_at, id LIMIT ?",
        )
        .bind(now)
        .bind(OF_ONE_MAX)
        .bind(limit)
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(fire_row).collect()
    }

    /// When the next fire is sent.
    pub(crate) async fn next_unsent(&self) -> Result<Option<i64>> {
        let mut reader = self.store().await?.read().await?;
        let next = sqlx::query_scalar("SELECT min(due_at) FROM fire WHERE status = 'due'")
            .fetch_one(&mut *reader)
            .await?;
        Ok(next)
    }

    /// Fires whose runs are open, of one schedule or of all.
    pub(crate) async fn open(&self, schedule: Option<&str>, limit: i64) -> Result<Vec<FireRow>> {
        let mut reader = self.store().await?.read().await?;
        let rows = sqlx::query(
            "SELECT id, schedule, fire_at, origin, run FROM fire \
             WHERE status = 'started' AND (?1 IS NULL OR schedule = ?1) ORDER BY id LIMIT ?2",
        )
        .bind(schedule)
        .bind(limit)
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(fire_row).collect()
    }

    /// The run of a fire has been started.
    pub(crate) async fn started(&self, fire: &FireRow, run: &str, now: i64) -> Result<()> {
        self.store()
            .await?
            .write(async |tx: &mut SqliteConnection| -> Result<()> {
                let moved = sqlx::query(
                    "UPDATE fire SET status = 'started', run = ?, started = ?, ended = NULL, duration = NULL, \
                     outcome = '', reason = '', error = '' WHERE id = ? AND status IN ('due', 'failed')",
                )
                .bind(run)
                .bind(now)
                .bind(fire.id)
                .execute(&mut *tx)
                .await?
                .rows_affected();
                if moved > 0 {
                    sqlx::query("UPDATE schedule SET failures = 0 WHERE id = ? AND failures > 0")
                        .bind(&fire.schedule)
                        .execute(&mut *tx)
                        .await?;
                }
                Ok(())
            })
            .await
    }

    /// A fire is left out.
    pub(crate) async fn skipped(&self, fire: &FireRow, reason: &str) -> Result<()> {
        self.store()
            .await?
            .write(async |tx: &mut SqliteConnection| -> Result<()> {
                sqlx::query(
                    "UPDATE fire SET status = 'skipped', reason = ? WHERE id = ? AND status = 'due'",
                )
                .bind(reason)
                .bind(fire.id)
                .execute(&mut *tx)
                .await?;
                Ok(())
            })
            .await
    }

    /// The start of a fire was refused for good. Some in a row pause the schedule,
    /// but for those by hand.
    pub(crate) async fn refused(
        &self,
        fire: &FireRow,
        (reason, message): (&str, &str),
        now: i64,
    ) -> Result<()> {
        self.store()
            .await?
            .write(async |tx: &mut SqliteConnection| -> Result<()> {
                sqlx::query(
                    "UPDATE fire SET status = 'failed', reason = ?1, error = ?2, started = ?3, ended = ?3, \
                     duration = 0, outcome = 'failure' WHERE id = ?4 AND status = 'due'",
                )
                .bind(reason)
                .bind(message)
                .bind(now)
                .bind(fire.id)
                .execute(&mut *tx)
                .await?;
                if !fire.origin.is_empty() {
                    return Ok(());
                }
                sqlx::query(
                    "UPDATE schedule SET failures = failures + 1 WHERE id = ?1",
                )
                .bind(&fire.schedule)
                .execute(&mut *tx)
                .await?;
                sqlx::query(
                    "UPDATE schedule SET enabled = 0, reason = 'FAILURES', next_fire = NULL, \
                     etag = etag + 1 WHERE id = ?1 AND failures >= ?2 AND enabled = 1",
                )
                .bind(&fire.schedule)
                .bind(FAILURES_MAX)
                .execute(&mut *tx)
                .await?;
                Ok(())
            })
            .await
    }

    /// The run of a fire has ended.
    pub(crate) async fn ended(&self, fire: &FireRow, end: &Ended) -> Result<()> {
        self.store()
            .await?
            .write(async |tx: &mut SqliteConnection| -> Result<()> {
                sqlx::query(
                    "UPDATE fire SET status = 'ended', ended = ?, duration = ?, outcome = ?, reason = ?, \
                     error = ?, result = ?, retries = ? WHERE id = ? AND status = 'started'",
                )
                .bind(end.ended)
                .bind(end.duration)
                .bind(end.outcome)
                .bind(&end.reason)
                .bind(&end.error)
                .bind(end.result.as_deref())
                .bind(end.retries)
                .bind(fire.id)
                .execute(&mut *tx)
                .await?;
                Ok(())
            })
            .await
    }

    /// Forgets fires that ended before an instant.
    pub(crate) async fn forget(&self, before: i64, limit: i64) -> Result<u64> {
        self.store()
            .await?
            .write(async |tx: &mut SqliteConnection| -> Result<u64> {
                let gone = sqlx::query(
                    "DELETE FROM fire WHERE id IN (SELECT id FROM fire WHERE last_at < ? \
                     AND status NOT IN ('due', 'started') ORDER BY id LIMIT ?)",
                )
                .bind(before)
                .bind(limit)
                .execute(&mut *tx)
                .await?;
                Ok(gone.rows_affected())
            })
            .await
    }
}

/// Leaves out the fires of a paused schedule that wait for their instant of sending:
/// nobody has sent them yet.
pub(crate) async fn skip_waiting(
    tx: &mut SqliteConnection,
    schedule: &str,
    now: i64,
) -> Result<()> {
    sqlx::query(
        "UPDATE fire SET status = 'skipped', reason = 'PAUSED' \
         WHERE schedule = ? AND status = 'due' AND origin = '' AND due_at > ?",
    )
    .bind(schedule)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Notes a fire that is to be sent; one that is there already stays as it is.
async fn insert(
    tx: &mut SqliteConnection,
    schedule: &str,
    (fire_at, origin): (i64, &str),
    send_at: i64,
) -> Result<i64> {
    let done = sqlx::query(
        "INSERT OR IGNORE INTO fire (schedule, fire_at, origin, due_at, status, reason, error, run, outcome, \
         retries, fires, last_at) VALUES (?1, ?2, ?3, ?4, 'due', '', '', '', '', 0, 1, ?2)",
    )
    .bind(schedule)
    .bind(fire_at)
    .bind(origin)
    .bind(send_at)
    .execute(&mut *tx)
    .await?;
    Ok(done.last_insert_rowid())
}

async fn insert_missed(
    tx: &mut SqliteConnection,
    schedule: &str,
    missed: &Missed,
    now: i64,
) -> Result<()> {
    sqlx::query(
        "INSERT OR IGNORE INTO fire (schedule, fire_at, origin, due_at, status, reason, error, run, outcome, \
         retries, fires, last_at) VALUES (?1, ?2, '', ?3, 'missed', 'LATE', '', '', '', 0, ?4, ?5)",
    )
    .bind(schedule)
    .bind(missed.first_ms)
    .bind(now)
    .bind(missed.count)
    .bind(missed.last_ms)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

fn fire_row(row: &SqliteRow) -> Result<FireRow> {
    Ok(FireRow {
        id: row.try_get("id")?,
        schedule: row.try_get("schedule")?,
        fire_at: row.try_get("fire_at")?,
        origin: row.try_get("origin")?,
        run: row.try_get("run")?,
    })
}
