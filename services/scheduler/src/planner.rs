//! The loop that looks for due schedules and makes their fires durable.
//!
//! It never starts anything itself: once the rows are committed, the sender does,
//! and does so again after a crash.

use std::sync::Arc;
use std::time::Duration;

use gearmesh_runtime::Context;
use tokio::sync::Notify;

use crate::error::Result;
use crate::plan::Plan;
use crate::table::{Row, Table};

/// How long the loop sleeps at most: a wall clock that jumps is seen within it, and
/// an edit by another hand in the store.
const LOOK: Duration = Duration::from_millis(250);

/// Schedules that are planned before the loop looks for its end.
const BATCH: i64 = 512;

/// Wait after a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// The loop that plans.
#[derive(Debug, Clone)]
pub(crate) struct Planner {
    pub(crate) context: Context,
    pub(crate) table: Arc<Table>,
    /// A schedule was made or changed.
    pub(crate) edited: Arc<Notify>,
    /// There is something to send.
    pub(crate) due: Arc<Notify>,
}

impl Planner {
    /// Plans until the process drains.
    pub(crate) async fn run(self) {
        let shutdown = self.context.shutdown().clone();
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.forever() => {}
        }
    }

    async fn forever(self) {
        self.context.ready().await;
        while !self.table.exists() {
            self.edited.notified().await;
        }
        // What was due when the process ended is sent first.
        self.due.notify_one();
        loop {
            match self.once().await {
                Ok(next) => self.wait(next).await,
                Err(error) => {
                    tracing::warn!(%error, "schedules not looked at");
                    self.context.clock().sleep(PAUSE).await;
                }
            }
        }
    }

    /// Plans all that is due, and gives the instant of the next fire.
    async fn once(&self) -> Result<Option<i64>> {
        let now = self.context.clock().now_ms();
        loop {
            let rows = self.table.due(now, BATCH).await?;
            let Some(full) = i64::try_from(rows.len()).ok().filter(|n| *n > 0) else {
                break;
            };
            for row in &rows {
                self.plan(row, now).await?;
            }
            self.due.notify_one();
            if full < BATCH {
                break;
            }
        }
        self.table.next_fire().await
    }

    async fn plan(&self, row: &Row, now: i64) -> Result<()> {
        let Some(next) = row.next_fire else {
            return Ok(());
        };
        let planned = row.definition.timetable(row.created).and_then(|timetable| {
            let policy = row.definition.policy();
            Ok(Plan::make(&timetable, &policy, next, now)?)
        });
        match planned {
            Ok(plan) => {
                self.table.commit(row, &plan, now).await?;
            }
            // A rule that was accepted and cannot be followed any more must not stop the others.
            Err(error) => {
                tracing::warn!(schedule = row.id, %error, "schedule stopped");
                self.table.disable(&row.id, row.etag, "INVALID").await?;
            }
        }
        Ok(())
    }

    /// Sleeps until the next fire, or until a schedule is edited. Looks at the clock in
    /// between: it may be set.
    async fn wait(&self, next: Option<i64>) {
        loop {
            let now = self.context.clock().now_ms();
            let left = match next {
                Some(next) if next <= now => return,
                Some(next) => Duration::from_millis((next - now).unsigned_abs()).min(LOOK),
                None => LOOK,
            };
            tokio::select! {
                () = self.edited.notified() => return,
                () = self.context.clock().sleep(left) => {}
            }
        }
    }
}
