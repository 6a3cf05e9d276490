//! Making and changing schedules.

use std::sync::Arc;

use bytes::Bytes;
use gearmesh_runtime::{Context, Keyed};
use gearmesh_schedule::Timetable;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::definition::Definition;
use crate::error::{Error, Result};
use crate::runs::Runs;
use crate::table::{self, Row, Table};
use crate::target::Target;
use crate::{fires, history};

/// Letters of an id: Crockford's base 32, which has no two that look alike.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ID_LENGTH: u32 = 13;

/// Reasons for which a schedule does not fire.
pub(crate) const PAUSED: &str = "PAUSED";
pub(crate) const ENDED: &str = "ENDED";

/// The schedules of this engine.
#[derive(Debug)]
pub(crate) struct Schedules {
    pub(crate) context: Context,
    pub(crate) table: Arc<Table>,
    runs: Runs,
    edited: Arc<Notify>,
}

/// In whose name runs are started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owner {
    pub(crate) principal: String,
    /// What that one may do, with blanks between; none: everything.
    pub(crate) scopes: Option<String>,
}

impl Owner {
    /// The caller of a request.
    pub(crate) fn of(call: gearmesh_runtime::Call) -> Self {
        Self {
            principal: call.principal.unwrap_or_default(),
            scopes: call.scopes,
        }
    }
}

/// A change of a schedule as it was asked for.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) id: String,
    pub(crate) given: Definition,
    /// Fields that go back to their defaults.
    pub(crate) reset: Vec<String>,
    pub(crate) etag: Option<String>,
    /// Who edits.
    pub(crate) owner: Owner,
}

impl Schedules {
    pub(crate) fn new(context: Context, table: Arc<Table>, edited: Arc<Notify>) -> Self {
        Self {
            runs: Runs::new(context.clone()),
            context,
            table,
            edited,
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.context.clock().now_ms()
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms()).unwrap_or_default()
    }

    /// Makes a schedule; `reply` is what a repeat under the same key is answered.
    pub(crate) async fn create(
        &self,
        mut definition: Definition,
        (enabled, owner): (bool, Owner),
        keyed: Option<Keyed>,
        reply: impl Fn(&Row, &Timetable) -> Bytes,
    ) -> Result<Bytes> {
        let now_ms = self.now_ms();
        let (timetable, first) = match self.checked(&mut definition, now_ms).await {
            Ok(checked) => checked,
            Err(error) => return self.repeated(keyed, error).await,
        };
        let row = Row {
            id: self.id(),
            definition,
            enabled,
            reason: if enabled { "" } else { PAUSED }.to_owned(),
            etag: 1,
            next_fire: enabled.then_some(first),
            last_fire: None,
            failures: 0,
            created: now_ms,
            updated: now_ms,
            owner: owner.principal,
            scopes: owner.scopes,
        };
        let reply = self
            .table
            .change(keyed, async |tx| {
                table::insert(tx, &row).await?;
                Ok(reply(&row, &timetable))
            })
            .await?;
        self.edited.notify_one();
        Ok(reply)
    }

    /// What a repeat under a key is answered, which may well have become impossible
    /// since; without a first call the error.
    async fn repeated(&self, keyed: Option<Keyed>, error: Error) -> Result<Bytes> {
        if keyed.is_none() {
            return Err(error);
        }
        self.table.change(keyed, async |_| Err(error)).await
    }

    /// Checks a definition and gives its first fire.
    async fn checked(&self, definition: &mut Definition, now_ms: i64) -> Result<(Timetable, i64)> {
        if definition.name.trim() != definition.name {
            let message = "a name does not begin or end with a blank";
            return Err(Error::parameter("name", message));
        }
        let now = Timestamp::from_millisecond(now_ms).unwrap_or_default();
        definition.fix_start(now)?;
        let timetable = definition.timetable(now_ms)?;
        let first = timetable.first(&definition.spec()?, now)?;
        self.runs.validate(&Target::of(definition)?).await?;
        Ok((timetable, first.as_millisecond()))
    }

    /// Changes a schedule.
    pub(crate) async fn update(
        &self,
        edit: Edit,
        keyed: Option<Keyed>,
        reply: impl Fn(&Row, &Timetable) -> Bytes,
    ) -> Result<Bytes> {
        let (row, seen, timetable) = match self.edited(&edit).await {
            Ok(edited) => edited,
            Err(error) => return self.repeated(keyed, error).await,
        };
        let reply = self
            .table
            .change(keyed, async |tx| {
                // Behind the ledger: a repeat of the edit that made it stale is no conflict.
                if let Some(wanted) = edit
                    .etag
                    .filter(|e| !e.is_empty() && *e != seen.to_string())
                {
                    let found = seen.to_string();
                    return Err(Error::Etag { wanted, found });
                }
                table::update(tx, &row, seen).await?;
                Ok(reply(&row, &timetable))
            })
            .await?;
        self.edited.notify_one();
        Ok(reply)
    }

    /// A schedule as an edit makes it, the etag that it had, and when it fires.
    async fn edited(&self, edit: &Edit) -> Result<(Row, i64, Timetable)> {
        let mut row = self.table.get(&edit.id).await?;
        let seen = row.etag;
        let before = row.definition.spec()?;
        for field in &edit.reset {
            row.definition.reset(field)?;
        }
        row.definition.overlay(edit.given.clone());
        let now_ms = self.now_ms();
        row.definition.fix_start(self.now())?;
        let timetable = if row.definition.spec()? == before {
            self.runs.validate(&Target::of(&row.definition)?).await?;
            row.definition.timetable(row.created)?
        } else {
            let (timetable, first) = self.checked(&mut row.definition, now_ms).await?;
            if row.reason == ENDED {
                row.enabled = true;
                row.reason.clear();
            }
            row.next_fire = row.enabled.then_some(first);
            timetable
        };
        row.etag += 1;
        row.updated = now_ms;
        // Runs may do what the one may do who wrote what they do.
        row.owner.clone_from(&edit.owner.principal);
        row.scopes.clone_from(&edit.owner.scopes);
        Ok((row, seen, timetable))
    }

    /// Deletes a schedule.
    pub(crate) async fn delete(
        &self,
        id: &str,
        keyed: Option<Keyed>,
        reply: impl Fn(&Row) -> Bytes,
    ) -> Result<Bytes> {
        let reply = self
            .table
            .change(keyed, async |tx| Ok(reply(&table::delete(tx, id).await?)))
            .await?;
        self.edited.notify_one();
        Ok(reply)
    }

    /// Deletes the history of a schedule.
    pub(crate) async fn clear(
        &self,
        id: &str,
        keyed: Option<Keyed>,
        reply: impl Fn(&Row, i64) -> Bytes,
    ) -> Result<Bytes> {
        self.table
            .change(keyed, async |tx| {
                let row = table::find(tx, id).await?;
                let deleted = history::clear(tx, &row.id).await?;
                Ok(reply(&row, deleted))
            })
            .await
    }

    /// Pauses a schedule; a paused one stays as it is.
    pub(crate) async fn pause(&self, id: &str) -> Result<Row> {
        self.turn(id, |row, _| {
            if !row.enabled && row.reason != ENDED {
                return Ok(false);
            }
            row.enabled = false;
            row.reason = PAUSED.to_owned();
            row.next_fire = None;
            Ok(true)
        })
        .await
    }

    /// Resumes a schedule from now on; one that fires stays as it is.
    pub(crate) async fn resume(&self, id: &str) -> Result<Row> {
        self.turn(id, |row, now| {
            if row.enabled {
                return Ok(false);
            }
            let timetable = row.definition.timetable(row.created)?;
            let first = timetable.first(&row.definition.spec()?, now)?;
            row.enabled = true;
            row.reason.clear();
            row.failures = 0;
            row.next_fire = Some(first.as_millisecond());
            Ok(true)
        })
        .await
    }

    async fn turn(
        &self,
        id: &str,
        how: impl FnOnce(&mut Row, Timestamp) -> Result<bool>,
    ) -> Result<Row> {
        let (now, now_ms) = (self.now(), self.now_ms());
        let store = self.table.store().await?;
        let row = store
            .write(async |tx: &mut sqlx::SqliteConnection| -> Result<Row> {
                let mut row = table::find(tx, id).await?;
                let seen = row.etag;
                if how(&mut row, now)? {
                    row.etag += 1;
                    row.updated = now_ms;
                    table::update(tx, &row, seen).await?;
                }
                if row.reason == PAUSED {
                    fires::skip_waiting(tx, &row.id, now_ms).await?;
                }
                Ok(row)
            })
            .await?;
        self.edited.notify_one();
        Ok(row)
    }

    fn id(&self) -> String {
        let mut number = self.context.rng().number();
        let mut id = "sch_".to_owned();
        for _ in 0..ID_LENGTH {
            let at = usize::try_from(number % 32).unwrap_or_default();
            id.push(char::from(*LETTERS.get(at).unwrap_or(&b'0')));
            number /= 32;
        }
        id
    }
}
