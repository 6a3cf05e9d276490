//! What the fires of a schedule came to.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::error::Result;
use crate::table::Table;

/// A fire as history shows it.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) id: i64,
    pub(crate) fire_at: i64,
    pub(crate) origin: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) error: String,
    pub(crate) run: String,
    pub(crate) started: Option<i64>,
    pub(crate) ended: Option<i64>,
    pub(crate) duration: Option<i64>,
    pub(crate) outcome: String,
    pub(crate) result: Option<Vec<u8>>,
    pub(crate) retries: i64,
    pub(crate) fires: i64,
}

/// Figures of a schedule.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Figures {
    pub(crate) runs: i64,
    pub(crate) successes: i64,
    pub(crate) failures: i64,
    pub(crate) timeouts: i64,
    pub(crate) missed: i64,
    pub(crate) skipped: i64,
    /// Of ended runs, in milliseconds, in order.
    pub(crate) durations: Vec<i64>,
    pub(crate) last_run: Option<i64>,
    pub(crate) last_success: Option<i64>,
    pub(crate) last_failure: Option<i64>,
}

impl Figures {
    fn add(&mut self, past: &Past) {
        match past.status.as_str() {
            "missed" => self.missed += past.fires,
            "skipped" => self.skipped += past.fires,
            "started" | "ended" | "failed" => {
                self.runs += 1;
                self.last_run = self.last_run.max(past.started);
            }
            _ => {}
        }
        match past.outcome.as_str() {
            "success" => {
                self.successes += 1;
                self.last_success = self.last_success.max(past.started);
            }
            "timeout" => self.timeouts += 1,
            "failure" => self.failures += 1,
            _ => {}
        }
        if matches!(past.outcome.as_str(), "failure" | "timeout") {
            self.last_failure = self.last_failure.max(past.started);
        }
        if past.status == "ended" {
            self.durations.extend(past.duration);
        }
    }

    /// The mean of the durations.
    pub(crate) fn mean(&self) -> Option<i64> {
        let count = i64::try_from(self.durations.len())
            .ok()
            .filter(|n| *n > 0)?;
        Some(self.durations.iter().sum::<i64>() / count)
    }

    /// The duration that this share of them does not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Option<i64> {
        let rank = (self.durations.len() * percent).div_ceil(100).max(1);
        self.durations.get(rank - 1).copied()
    }

    /// Successes among ended runs, 0 to 100.
    pub(crate) fn success_rate(&self) -> f64 {
        let ended = self.successes + self.failures + self.timeouts;
        if ended == 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let rate = self.successes as f64 * 100.0 / ended as f64;
        rate
    }
}

/// The columns of a [`Past`]; the result is read only where it is shown.
const COLUMNS: &str = "id, fire_at, origin, status, reason, error, run, started, ended, duration, \
                       outcome, retries, fires";

impl Table {
    /// What became of the fires, newest first.
    pub(crate) async fn history(&self, schedule: &str, limit: i64) -> Result<Vec<Past>> {
        let mut reader = self.store().await?.read().await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS}, result FROM fire WHERE schedule = ? ORDER BY fire_at DESC, id DESC LIMIT ?"
        )))
        .bind(schedule)
        .bind(limit)
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(past).collect()
    }

    /// The figures of the fires since an instant.
    pub(crate) async fn figures(&self, schedule: &str, since: i64) -> Result<Figures> {
        let mut reader = self.store().await?.read().await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS}, NULL AS result FROM fire WHERE schedule = ? AND last_at >= ?"
        )))
        .bind(schedule)
        .bind(since)
        .fetch_all(&mut *reader)
        .await?;
        let mut figures = Figures::default();
        for row in &rows {
            figures.add(&past(row)?);
        }
        figures.durations.sort_unstable();
        Ok(figures)
    }
}

/// Deletes what has ended.
pub(crate) async fn clear(tx: &mut SqliteConnection, schedule: &str) -> Result<i64> {
    let gone =
        sqlx::query("DELETE FROM fire WHERE schedule = ? AND status NOT IN ('due', 'started')")
            .bind(schedule)
            .execute(&mut *tx)
            .await?;
    Ok(i64::try_from(gone.rows_affected()).unwrap_or(i64::MAX))
}

fn past(row: &SqliteRow) -> Result<Past> {
    Ok(Past {
        id: row.try_get("id")?,
        fire_at: row.try_get("fire_at")?,
        origin: row.try_get("origin")?,
        status: row.try_get("status")?,
        reason: row.try_get("reason")?,
        error: row.try_get("error")?,
        run: row.try_get("run")?,
        started: row.try_get("started")?,
        ended: row.try_get("ended")?,
        duration: row.try_get("duration")?,
        outcome: row.try_get("outcome")?,
        result: row.try_get("result")?,
        retries: row.try_get("retries")?,
        fires: row.try_get("fires")?,
    })
}
