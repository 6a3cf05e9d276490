//! The table of schedules.

use bytes::Bytes;
use gearmesh_runtime::{Context, Keyed};
use gearmesh_store::{Begin, Ledger, Migration, Store};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use tokio::sync::OnceCell;

use crate::definition::Definition;
use crate::error::{Error, Result};

const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: include_str!("../migrations/1_schedule.sql"),
    down: None,
}];

/// Schedules of one store (scheduling.md 6).
pub const SCHEDULES_MAX: i64 = 100_000;

/// The columns of a [`Row`].
const COLUMNS: &str = "id, definition, enabled, reason, etag, next_fire, last_fire, failures, \
                       created, updated, owner, scopes";

/// The store of this engine, opened at the first use.
#[derive(Debug)]
pub(crate) struct Table {
    context: Context,
    store: OnceCell<Store>,
}

/// A stored schedule.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) definition: Definition,
    pub(crate) enabled: bool,
    pub(crate) reason: String,
    pub(crate) etag: i64,
    pub(crate) next_fire: Option<i64>,
    pub(crate) last_fire: Option<i64>,
    pub(crate) failures: i64,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    /// Who wrote it last, in whose name its runs are started.
    pub(crate) owner: String,
    /// What that one may do, with blanks between; none: everything.
    pub(crate) scopes: Option<String>,
}

/// Which schedules are listed.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) enabled: Option<bool>,
    pub(crate) kind: String,
    pub(crate) action: String,
    /// Names behind this one.
    pub(crate) after: String,
    pub(crate) limit: i64,
}

impl Table {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context,
            store: OnceCell::new(),
        }
    }

    /// Whether anything was ever stored: without it no file is made.
    pub(crate) fn exists(&self) -> bool {
        let file = format!("{}.db", self.context.service());
        self.store.get().is_some() || self.context.folder().join(file).exists()
    }

    pub(crate) async fn store(&self) -> Result<&Store> {
        self.store
            .get_or_try_init(|| async {
                let store = self.context.store().await?.clone();
                store.migrate("scheduler", MIGRATIONS).await?;
                Ok(store)
            })
            .await
    }

    /// Makes a change. With a key, the change and the key are one transaction: a
    /// repeat is answered with the first answer.
    pub(crate) async fn change(
        &self,
        keyed: Option<Keyed>,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<Bytes>,
    ) -> Result<Bytes> {
        let store = self.store().await?;
        let call = keyed.as_ref().map(Keyed::entry);
        if call.is_some() {
            Ledger::open(store.clone()).await?;
        }
        store
            .write(async |tx: &mut SqliteConnection| -> Result<Bytes> {
                if let Some(call) = &call
                    && let Begin::Done(reply) = Ledger::begin_in(tx, call).await?
                {
                    return Ok(reply);
                }
                let reply = work(tx).await?;
                if let Some(call) = &call {
                    Ledger::done_in(tx, call, reply.clone()).await?;
                }
                Ok(reply)
            })
            .await
    }

    /// The schedule of an id or a name.
    pub(crate) async fn get(&self, id: &str) -> Result<Row> {
        let mut reader = self.store().await?.read().await?;
        find(&mut reader, id).await
    }

    /// Schedules by name.
    pub(crate) async fn list(&self, filter: &Filter) -> Result<Vec<Row>> {
        let mut reader = self.store().await?.read().await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM schedule WHERE name > ?1 AND (?2 IS NULL OR enabled = ?2) \
             AND (?3 = '' OR kind = ?3) AND (?4 = '' OR action = ?4) ORDER BY name LIMIT ?5"
        )))
        .bind(&filter.after)
        .bind(filter.enabled)
        .bind(&filter.kind)
        .bind(&filter.action)
        .bind(filter.limit)
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(row).collect()
    }

    /// Schedules whose next fire is due, those that wait longest first.
    pub(crate) async fn due(&self, now_ms: i64, limit: i64) -> Result<Vec<Row>> {
        let mut reader = self.store().await?.read().await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM schedule WHERE enabled = 1 AND next_fire <= ? \
             ORDER BY next_fire LIMIT ?"
        )))
        .bind(now_ms)
        .bind(limit)
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(row).collect()
    }

    /// The earliest next fire.
    pub(crate) async fn next_fire(&self) -> Result<Option<i64>> {
        let mut reader = self.store().await?.read().await?;
        let next = sqlx::query_scalar(
            "SELECT min(next_fire) FROM schedule WHERE enabled = 1 AND next_fire IS NOT NULL",
        )
        .fetch_one(&mut *reader)
        .await?;
        Ok(next)
    }

    /// Stops a schedule for a reason of the engine's own.
    pub(crate) async fn disable(&self, id: &str, etag: i64, reason: &str) -> Result<()> {
        self.store()
            .await?
            .write(async |tx: &mut SqliteConnection| -> Result<()> {
                sqlx::query(
                    "UPDATE schedule SET enabled = 0, reason = ?, next_fire = NULL \
                     WHERE id = ? AND etag = ?",
                )
                .bind(reason)
                .bind(id)
                .bind(etag)
                .execute(&mut *tx)
                .await?;
                Ok(())
            })
            .await
    }
}

/// The schedule of an id or a name; the id goes before.
pub(crate) async fn find(connection: &mut SqliteConnection, id: &str) -> Result<Row> {
    let found = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM schedule WHERE id = ?1 OR name = ?1 ORDER BY id = ?1 DESC LIMIT 1"
    )))
    .bind(id)
    .fetch_optional(&mut *connection)
    .await?;
    match found {
        Some(found) => row(&found),
        None => Err(Error::NotFound(id.to_owned())),
    }
}

/// Stores a new schedule.
pub(crate) async fn insert(tx: &mut SqliteConnection, row: &Row) -> Result<()> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM schedule")
        .fetch_one(&mut *tx)
        .await?;
    if count >= SCHEDULES_MAX {
        return Err(Error::Limit);
    }
    free(tx, &row.definition.name, &row.id).await?;
    sqlx::query(
        "INSERT INTO schedule (id, name, kind, action, definition, enabled, reason, etag, next_fire, \
         last_fire, failures, created, updated, owner, scopes) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.id)
    .bind(&row.definition.name)
    .bind(row.definition.kind()?.name())
    .bind(row.definition.action_type.as_deref().unwrap_or_default())
    .bind(serde_json::to_string(&row.definition)?)
    .bind(row.enabled)
    .bind(&row.reason)
    .bind(row.etag)
    .bind(row.next_fire)
    .bind(row.last_fire)
    .bind(row.failures)
    .bind(row.created)
    .bind(row.updated)
    .bind(&row.owner)
    .bind(&row.scopes)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Stores an edit, if nobody else made one since the row was read.
pub(crate) async fn update(tx: &mut SqliteConnection, row: &Row, seen: i64) -> Result<()> {
    free(tx, &row.definition.name, &row.id).await?;
    let changed = sqlx::query(
        "UPDATE schedule SET name = ?, kind = ?, action = ?, definition = ?, enabled = ?, reason = ?, \
         etag = ?, next_fire = ?, failures = ?, updated = ?, owner = ?, scopes = ? WHERE id = ? AND etag = ?",
    )
    .bind(&row.definition.name)
    .bind(row.definition.kind()?.name())
    .bind(row.definition.action_type.as_deref().unwrap_or_default())
    .bind(serde_json::to_string(&row.definition)?)
    .bind(row.enabled)
    .bind(&row.reason)
    .bind(row.etag)
    .bind(row.next_fire)
    .bind(row.failures)
    .bind(row.updated)
    .bind(&row.owner)
    .bind(&row.scopes)
    .bind(&row.id)
    .bind(seen)
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if changed == 0 {
        let found = find(tx, &row.id).await?;
        return Err(Error::Etag {
            wanted: seen.to_string(),
            found: found.etag.to_string(),
        });
    }
    Ok(())
}

/// Deletes a schedule with its fires.
pub(crate) async fn delete(tx: &mut SqliteConnection, id: &str) -> Result<Row> {
    let row = find(tx, id).await?;
    for sql in [
        "DELETE FROM fire WHERE schedule = ?",
        "DELETE FROM schedule WHERE id = ?",
    ] {
        sqlx::query(sql).bind(&row.id).execute(&mut *tx).await?;
    }
    Ok(row)
}

/// Refuses a name that another schedule has, as name or as id.
async fn free(tx: &mut SqliteConnection, name: &str, id: &str) -> Result<()> {
    let taken: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM schedule WHERE (name = ?1 OR id = ?1) AND id <> ?2",
    )
    .bind(name)
    .bind(id)
    .fetch_one(&mut *tx)
    .await?;
    if taken > 0 {
        return Err(Error::Exists(name.to_owned()));
    }
    Ok(())
}

fn row(row: &SqliteRow) -> Result<Row> {
    Ok(Row {
        id: row.try_get("id")?,
        definition: serde_json::from_str(row.try_get::<&str, _>("definition")?)?,
        enabled: row.try_get("enabled")?,
        reason: row.try_get("reason")?,
        etag: row.try_get("etag")?,
        next_fire: row.try_get("next_fire")?,
        last_fire: row.try_get("last_fire")?,
        failures: row.try_get("failures")?,
        created: row.try_get("created")?,
        updated: row.try_get("updated")?,
        owner: row.try_get("owner")?,
        scopes: row.try_get("scopes")?,
    })
}
