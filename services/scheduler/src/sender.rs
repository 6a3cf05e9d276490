//! The loop that starts the runs of due fires.
//!
//! A fire leaves `due` by an answer alone. Whatever is lost is sent again under the
//! same request key, so the orchestrator starts one run for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use gearmesh_fault::Failure;
use gearmesh_runtime::Context;
use tokio::sync::Notify;
use tonic::{Code, Status};

use crate::error::{Error, Result};
use crate::fires::{Ended, FireRow};
use crate::key::request_key;
use crate::outcome;
use crate::policy::Overlap;
use crate::runs::{Runs, Start};
use crate::schedules::PAUSED;
use crate::table::{Row, Table};
use crate::target::Target;

/// Fires that are read at once, and schedules that are served at once.
const BATCH: i64 = 512;
const AT_ONCE: usize = 16;

/// How soon a fire that waits for something is looked at again.
const AGAIN: Duration = Duration::from_millis(250);

/// How soon the runs that are open are asked for their end, so that history has it
/// though nobody reads it.
const OUTCOMES_EVERY_MS: i64 = 10_000;
const OUTCOMES_MAX: i64 = 200;

/// Waits after starts that found nobody.
const BACKOFF_FIRST_MS: i64 = 500;
const BACKOFF_MAX_MS: i64 = 30_000;

/// How long fires are remembered, how often the old ones are looked for, and how
/// many go at once (scheduling.md 6).
const KEPT_MS: i64 = 30 * 24 * 3600 * 1000;
const FORGET_EVERY_MS: i64 = 60_000;
const FORGET_MAX: i64 = 1_000;

/// The loop that sends, and what it shares with calls by hand.
#[derive(Debug)]
pub(crate) struct Sender {
    context: Context,
    table: Arc<Table>,
    runs: Runs,
    due: Arc<Notify>,
    /// By schedule: not before this instant, and the wait that it had.
    waits: Mutex<HashMap<String, (i64, i64)>>,
}

/// What became of a fire that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It has left `due`.
    Done,
    /// It stays, and so do those behind it.
    Later,
}

impl Sender {
    pub(crate) fn new(context: Context, table: Arc<Table>, due: Arc<Notify>) -> Self {
        Self {
            runs: Runs::new(context.clone()),
            context,
            table,
            due,
            waits: Mutex::default(),
        }
    }

    /// Sends until the process drains. A start that is broken off is sent again by
    /// the next process.
    pub(crate) async fn run(self: Arc<Self>) {
        let shutdown = self.context.shutdown().clone();
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.forever() => {}
        }
    }

    async fn forever(&self) {
        let (mut asked, mut forgot) = (0, 0);
        self.due.notified().await;
        loop {
            let now = self.now();
            let wait = match self.once(now).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(%error, "fires not sent");
                    AGAIN
                }
            };
            if (now - asked).abs() >= OUTCOMES_EVERY_MS {
                asked = now;
                if let Err(error) = self.outcomes(None).await {
                    tracing::warn!(%error, "ends of runs not read");
                }
            }
            if (now - forgot).abs() >= FORGET_EVERY_MS {
                forgot = now;
                if let Err(error) = self.table.forget(now - KEPT_MS, FORGET_MAX).await {
                    tracing::warn!(%error, "old fires not deleted");
                }
            }
            tokio::select! {
                () = self.due.notified() => {}
                () = self.context.clock().sleep(wait) => {}
            }
        }
    }

    /// Sends what is due, and says when to look again.
    async fn once(&self, now: i64) -> Result<Duration> {
        let mut by_schedule: BTreeMap<String, Vec<FireRow>> = BTreeMap::new();
        for fire in self.table.unsent(now, BATCH).await? {
            by_schedule
                .entry(fire.schedule.clone())
                .or_default()
                .push(fire);
        }
        let steps: Vec<Result<Step>> = futures::stream::iter(by_schedule)
            .map(|(schedule, fires)| self.send_all(schedule, fires))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut later = false;
        for step in steps {
            later |= step? == Step::Later;
        }
        if later {
            return Ok(AGAIN);
        }
        let wait = match self.table.next_unsent().await? {
            Some(at) => at - self.now(),
            None => OUTCOMES_EVERY_MS,
        };
        // A clock that is set is seen within a second.
        let most = if wait < OUTCOMES_EVERY_MS {
            1_000
        } else {
            OUTCOMES_EVERY_MS
        };
        Ok(Duration::from_millis(wait.clamp(1, most).unsigned_abs()))
    }

    /// Sends the fires of one schedule in their order.
    async fn send_all(&self, schedule: String, fires: Vec<FireRow>) -> Result<Step> {
        if self.waiting(&schedule) {
            return Ok(Step::Later);
        }
        let row = match self.table.get(&schedule).await {
            Ok(row) => row,
            Err(Error::NotFound(_)) => return Ok(Step::Done),
            Err(error) => return Err(error),
        };
        let overlap = row.definition.policy().overlap;
        for (place, fire) in fires.iter().enumerate() {
            // Only a fire by the clock heeds runs that are open.
            let heeds = fire.origin.is_empty() && overlap != Overlap::Allow;
            if heeds {
                // Who cannot be asked may have ended: that decides nothing.
                if !self.outcomes(Some(&schedule)).await? {
                    self.back_off(&schedule);
                    return Ok(Step::Later);
                }
            }
            if heeds && !self.table.open(Some(&schedule), 1).await?.is_empty() {
                if row.reason == PAUSED {
                    self.table.skipped(fire, PAUSED).await?;
                    continue;
                }
                match overlap {
                    Overlap::Skip => {
                        self.table.skipped(fire, "OVERLAP").await?;
                        continue;
                    }
                    Overlap::QueueOne => {
                        for further in fires.get(place + 1..).unwrap_or_default() {
                            self.table.skipped(further, "OVERLAP").await?;
                        }
                    }
                    Overlap::CancelRunning => self.cancel_open(&schedule).await?,
                    Overlap::Queue | Overlap::Allow => {}
                }
                return Ok(Step::Later);
            }
            if self.send(&row, fire).await? == Step::Later {
                return Ok(Step::Later);
            }
        }
        Ok(Step::Done)
    }

    async fn send(&self, row: &Row, fire: &FireRow) -> Result<Step> {
        match self.start(row, fire).await {
            Ok(_) => Ok(Step::Done),
            Err(Error::Call(status)) if lost(&status) => {
                tracing::debug!(schedule = row.id, error = %status, "start is tried again");
                self.back_off(&row.id);
                Ok(Step::Later)
            }
            Err(Error::Store(error)) => Err(error.into()),
            Err(Error::Sql(error)) => Err(error.into()),
            Err(error) => {
                let failure = Failure::of(&Status::from(error));
                let why = (failure.reason.as_str(), failure.message.as_str());
                if failure.reason == "KEY_REUSED" {
                    // Its run was started before the schedule was edited; the answer was lost.
                    self.table.skipped(fire, "STARTED_BEFORE_EDIT").await?;
                } else {
                    tracing::warn!(schedule = row.id, reason = failure.reason, "start refused");
                    self.table.refused(fire, why, self.now()).await?;
                }
                Ok(Step::Done)
            }
        }
    }

    /// Starts the run of a fire and notes it.
    ///
    /// # Errors
    /// What the orchestrator answers.
    pub(crate) async fn start(&self, row: &Row, fire: &FireRow) -> Result<String> {
        let start = Start {
            target: Target::of(&row.definition)?,
            key: request_key(&fire.schedule, fire.fire_at, &fire.origin),
            owner: &row.owner,
            scopes: row.scopes.clone(),
        };
        let run = self.runs.start(start).await?;
        self.table.started(fire, &run, self.now()).await?;
        self.waits().remove(&fire.schedule);
        Ok(run)
    }

    async fn cancel_open(&self, schedule: &str) -> Result<()> {
        for fire in self.table.open(Some(schedule), OUTCOMES_MAX).await? {
            if let Err(status) = self.runs.cancel(&fire.run).await {
                tracing::debug!(schedule, run = fire.run, error = %status, "run not cancelled");
            }
        }
        Ok(())
    }

    /// Asks for the ends of open runs, of one schedule or of all; false when the
    /// orchestrator did not answer for one.
    pub(crate) async fn outcomes(&self, schedule: Option<&str>) -> Result<bool> {
        let mut answered = true;
        for fire in self.table.open(schedule, OUTCOMES_MAX).await? {
            let end = match self.runs.get(&fire.run).await {
                Ok(run) => outcome::of(&run),
                Err(status) if status.code() == Code::NotFound => Some(Ended {
                    ended: self.now(),
                    outcome: "failure",
                    reason: "RUN_NOT_FOUND".to_owned(),
                    error: "the orchestrator does not know the run any more".to_owned(),
                    ..Ended::default()
                }),
                Err(_) => {
                    answered = false;
                    None
                }
            };
            if let Some(end) = end {
                self.table.ended(&fire, &end).await?;
            }
        }
        Ok(answered)
    }

    fn waiting(&self, schedule: &str) -> bool {
        let now = self.now();
        // A clock that was set back must not hold a fire for long.
        (self.waits().get(schedule)).is_some_and(|(at, wait)| now < *at && *at - now <= *wait)
    }

    fn back_off(&self, schedule: &str) {
        let now = self.now();
        let mut waits = self.waits();
        let wait = (waits.get(schedule)).map_or(BACKOFF_FIRST_MS, |(_, wait)| wait * 2);
        let wait = wait.min(BACKOFF_MAX_MS);
        waits.insert(schedule.to_owned(), (now + wait, wait));
    }

    fn waits(&self) -> std::sync::MutexGuard<'_, HashMap<String, (i64, i64)>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        self.context.clock().now_ms()
    }
}

/// Whether it is open if the start took effect, or nobody was there to take it: then
/// it is sent again.
fn lost(status: &Status) -> bool {
    Failure::of(status).retryable
        || matches!(
            status.code(),
            Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::Unknown
                | Code::Internal
        )
}
