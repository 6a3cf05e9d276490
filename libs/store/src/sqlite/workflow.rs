//! Tables and statements of the workflows.

use bytes::Bytes;
use futures::TryStreamExt;
use sqlx::sqlite::SqliteConnection;
use sqlx::{FromRow, Row as _};

use crate::error::{Error, Result};
use crate::ledger::{Begin, Call, Ledger};
use crate::migration::Migration;
use crate::store::Store;
use crate::workflow::{Change, Changed, Filler, Head, List, Page, State, StoredVersion, Version};

/// The tables' name among the sets of a store.
pub(crate) const SET: &str = "workflow";

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: "
CREATE TABLE workflow(
  name TEXT NOT NULL, version INTEGER NOT NULL, spec_hash BLOB NOT NULL, source TEXT NOT NULL,
  file_name TEXT NOT NULL, dialect TEXT NOT NULL, title TEXT NOT NULL, author TEXT NOT NULL,
  comment TEXT NOT NULL, words TEXT NOT NULL, summary BLOB NOT NULL, sketch BLOB NOT NULL,
  created_at INTEGER NOT NULL, source_crc INTEGER NOT NULL, crc INTEGER NOT NULL,
  UNIQUE (name, version)
) STRICT;
CREATE TABLE workflow_head(
  name TEXT PRIMARY KEY, newest INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('enabled', 'disabled', 'deleted')),
  etag TEXT NOT NULL, changed_at INTEGER NOT NULL, crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
",
    down: Some("DROP TABLE workflow; DROP TABLE workflow_head"),
}];

/// Without the source, which lists do not show.
macro_rules! listed {
    ($rest:literal) => {
        concat!(
            "SELECT w.name, w.version, w.spec_hash, '', w.file_name, w.dialect, w.title, w.author, w.comment,
w.words, w.summary, w.sketch, w.created_at, w.source_crc, w.crc",
            $rest
        )
    };
}

pub(crate) async fn head(c: &mut SqliteConnection, name: &str) -> Result<Option<Head>> {
    let row = sqlx::query_as(
        "SELECT name, newest, state, etag, changed_at, crc FROM workflow_head WHERE name = ?",
    )
    .bind(name)
    .fetch_optional(c)
    .await?;
    row.map(Head::whole).transpose()
}

pub(crate) async fn version(
    c: &mut SqliteConnection,
    name: &str,
    version: u32,
) -> Result<Option<Version>> {
    let row = sqlx::query_as(
        "SELECT name, version, spec_hash, source, file_name, dialect, title, author, comment,
words, summary, sketch, created_at, source_crc, crc FROM workflow WHERE name = ? AND version = ?",
    )
    .bind(name)
    .bind(version)
    .fetch_optional(c)
    .await?;
    row.map(Version::whole).transpose()
}

pub(crate) async fn versions(
    c: &mut SqliteConnection,
    name: &str,
    before: Option<u32>,
    limit: u32,
) -> Result<Page<Version>> {
    let mut rows = sqlx::query_as(listed!(
        " FROM workflow AS w WHERE w.name = ? AND w.version < ? ORDER BY w.version DESC LIMIT ?"
    ))
    .bind(name)
    .bind(before.map_or(i64::MAX, i64::from))
    .bind(i64::from(limit) + 1)
    .fetch(c);
    let mut page = Filler::new(limit);
    while let Some(row) = rows.try_next().await? {
        let version = Version::listed(row)?;
        let bytes = version.listed_bytes();
        if !page.take(version, bytes) {
            break;
        }
    }
    Ok(page.page())
}

pub(crate) async fn list(
    c: &mut SqliteConnection,
    filter: &List,
    limit: u32,
) -> Result<Page<(Head, Version)>> {
    let mut rows = sqlx::query(listed!(
        ", h.name, h.newest, h.state, h.etag, h.changed_at, h.crc
FROM workflow_head AS h JOIN workflow AS w ON w.name = h.name AND w.version = h.newest
WHERE h.name > ?1 AND CASE WHEN ?2 IS NULL THEN h.state <> 'deleted' ELSE h.state = ?2 END
AND (?3 IS NULL OR instr(w.words, ?3) > 0) ORDER BY h.name"
    ))
    .bind(filter.after.as_deref().unwrap_or_default())
    .bind(filter.state.map(State::as_str))
    .bind(filter.words.as_deref())
    .fetch(c);
    let mut page = Filler::new(limit);
    while let Some(row) = rows.try_next().await? {
        let version = Version::listed(StoredVersion::from_row(&row)?);
        let head = (
            row.try_get(15)?,
            row.try_get(16)?,
            row.try_get(17)?,
            row.try_get(18)?,
            row.try_get(19)?,
            row.try_get(20)?,
        );
        match Head::whole(head).and_then(|head| Ok((head, version?))) {
            Ok((head, version)) => {
                let bytes = version.listed_bytes();
                if !page.take((head, version), bytes) {
                    break;
                }
            }
            Err(e) => tracing::error!(error = %e, "a workflow is left out of a list"),
        }
    }
    Ok(page.page())
}

pub(crate) async fn names(c: &mut SqliteConnection, limit: u32) -> Result<Vec<String>> {
    let text = "SELECT name FROM workflow_head WHERE state <> 'deleted' ORDER BY name LIMIT ?";
    let names = sqlx::query_scalar(text).bind(limit).fetch_all(c).await?;
    Ok(names)
}

pub(crate) async fn sketches(c: &mut SqliteConnection, limit: u32) -> Result<Vec<(String, Bytes)>> {
    sqlx::query(
        "SELECT h.name, w.sketch FROM workflow_head AS h
JOIN workflow AS w ON w.name = h.name AND w.version = h.newest
WHERE h.state <> 'deleted' ORDER BY h.name LIMIT ?",
    )
    .bind(limit)
    .fetch(c)
    .map_err(Error::from)
    .and_then(async |row| Ok((row.try_get(0)?, Bytes::from(row.try_get::<Vec<u8>, _>(1)?))))
    .try_collect()
    .await
}

pub(crate) async fn change_alone(
    store: &Store,
    wanted: &Change,
    keyed: Option<(&Call, Bytes)>,
) -> Result<Changed> {
    let mut transaction = store.begin().await?;
    match change(&mut transaction, wanted, keyed).await {
        Ok(Changed::Done) => {
            transaction.commit().await?;
            Ok(Changed::Done)
        }
        other => {
            transaction.rollback().await;
            other
        }
    }
}

/// To be undone by the caller unless it is [`Changed::Done`].
async fn change(
    c: &mut SqliteConnection,
    change: &Change,
    keyed: Option<(&Call, Bytes)>,
) -> Result<Changed> {
    if let Some((call, _)) = &keyed
        && let Begin::Done(reply) = Ledger::begin_in(c, call).await?
    {
        return Ok(Changed::Answered(reply));
    }
    if !set_head(c, change).await? {
        return Ok(Changed::Stale);
    }
    if let Some(version) = &change.version {
        add(c, version).await?;
    }
    if let Some((call, reply)) = keyed {
        Ledger::done_in(c, call, reply).await?;
    }
    Ok(Changed::Done)
}

/// False when the head is not as it was seen.
async fn set_head(c: &mut SqliteConnection, change: &Change) -> Result<bool> {
    let head = &change.head;
    let text = match change.before {
        None => {
            "INSERT INTO workflow_head(newest, state, etag, changed_at, crc, name)
VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING"
        }
        Some(_) => {
            "UPDATE workflow_head SET newest = ?1, state = ?2, etag = ?3, changed_at = ?4, crc = ?5
WHERE name = ?6 AND etag = ?7"
        }
    };
    let mut query = sqlx::query(text)
        .bind(head.newest)
        .bind(head.state.as_str())
        .bind(&head.etag)
        .bind(head.changed_at_ms)
        .bind(head.crc())
        .bind(&head.name);
    if let Some(before) = &change.before {
        query = query.bind(before);
    }
    Ok(query.execute(c).await?.rows_affected() > 0)
}

async fn add(c: &mut SqliteConnection, version: &Version) -> Result<()> {
    let source_crc = version.source_crc();
    sqlx::query(
        "INSERT INTO workflow(name, version, spec_hash, source, file_name, dialect, title, author, comment,
words, summary, sketch, created_at, source_crc, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&version.name)
    .bind(version.version)
    .bind(version.spec_hash.as_slice())
    .bind(&version.source)
    .bind(&version.file_name)
    .bind(&version.dialect)
    .bind(&version.title)
    .bind(&version.author)
    .bind(&version.comment)
    .bind(&version.words)
    .bind(version.summary.as_ref())
    .bind(version.sketch.as_ref())
    .bind(version.created_at_ms)
    .bind(source_crc)
    .bind(version.crc(source_crc))
    .execute(c)
    .await?;
    Ok(())
}

pub(crate) async fn purge(c: &mut SqliteConnection, before_ms: i64, max: u32) -> Result<u64> {
    let gone: Vec<String> = sqlx::query_scalar(
        "DELETE FROM workflow_head WHERE name IN
(SELECT name FROM workflow_head WHERE state = 'deleted' AND changed_at < ? LIMIT ?) RETURNING name",
    )
    .bind(before_ms)
    .bind(max)
    .fetch_all(&mut *c)
    .await?;
    for name in &gone {
        sqlx::query("DELETE FROM workflow WHERE name = ?")
            .bind(name)
            .execute(&mut *c)
            .await?;
    }
    Ok(gone.len() as u64)
}
