//! Tables and statements of the workflows.

use bytes::Bytes;
use futures::TryStreamExt;
use sqlx::postgres::PgConnection;
use sqlx::{FromRow, Row as _};

use super::{PgStore, effect};
use crate::error::Result;
use crate::ledger::{Begin, Call, Name, begin, done};
use crate::migration::Migration;
use crate::workflow::{Change, Changed, Filler, Head, List, Page, State, StoredVersion, Version};

/// The tables' name among the sets of a store.
pub(crate) const SET: &str = "workflow";

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: "
CREATE TABLE workflow(
  version bigint NOT NULL, created_at bigint NOT NULL, source_crc bigint NOT NULL, crc bigint NOT NULL,
  name text COLLATE \"C\" NOT NULL, spec_hash bytea NOT NULL, source text NOT NULL,
  file_name text NOT NULL, dialect text NOT NULL, title text NOT NULL, author text NOT NULL,
  comment text NOT NULL, words text COLLATE \"C\" NOT NULL, summary bytea NOT NULL, sketch bytea NOT NULL,
  UNIQUE (name, version)
);
CREATE TABLE workflow_head(
  newest bigint NOT NULL, changed_at bigint NOT NULL, crc bigint NOT NULL,
  name text COLLATE \"C\" PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('enabled', 'disabled', 'deleted')), etag text NOT NULL
) WITH (fillfactor = 70);
",
    down: Some("DROP TABLE workflow, workflow_head"),
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

pub(crate) async fn head(c: &mut PgConnection, name: &str) -> Result<Option<Head>> {
    let row = sqlx::query_as(
        "SELECT name, newest, state, etag, changed_at, crc FROM workflow_head WHERE name = $1",
    )
    .bind(name)
    .fetch_optional(c)
    .await?;
    row.map(Head::whole).transpose()
}

pub(crate) async fn version(
    c: &mut PgConnection,
    name: &str,
    version: u32,
) -> Result<Option<Version>> {
    let row = sqlx::query_as(
        "SELECT name, version, spec_hash, source, file_name, dialect, title, author, comment,
words, summary, sketch, created_at, source_crc, crc FROM workflow WHERE name = $1 AND version = $2",
    )
    .bind(name)
    .bind(i64::from(version))
    .fetch_optional(c)
    .await?;
    row.map(Version::whole).transpose()
}

pub(crate) async fn versions(
    c: &mut PgConnection,
    name: &str,
    before: Option<u32>,
    limit: u32,
) -> Result<Page<Version>> {
    let mut rows = sqlx::query_as(listed!(
        " FROM workflow AS w WHERE w.name = $1 AND w.version < $2 ORDER BY w.version DESC LIMIT $3"
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

/// Rows of a list that are asked for at once: what is read past a full page is thrown away.
const LIST_ROWS: i64 = 64;

pub(crate) async fn list(
    c: &mut PgConnection,
    filter: &List,
    limit: u32,
) -> Result<Page<(Head, Version)>> {
    let mut page = Filler::new(limit);
    let mut after = filter.after.clone().unwrap_or_default();
    // In parts, because a server sends all that was asked for, read or not.
    loop {
        let rows = sqlx::query(listed!(
            ", h.name, h.newest, h.state, h.etag, h.changed_at, h.crc
FROM workflow_head AS h JOIN workflow AS w ON w.name = h.name AND w.version = h.newest
WHERE h.name > $1 AND CASE WHEN $2 IS NULL THEN h.state <> 'deleted' ELSE h.state = $2 END
AND ($3 IS NULL OR position($3 IN w.words) > 0) ORDER BY h.name LIMIT $4"
        ))
        .bind(&after)
        .bind(filter.state.map(State::as_str))
        .bind(filter.words.as_deref())
        .bind(LIST_ROWS)
        .fetch_all(&mut *c)
        .await?;
        let last = rows.len() < usize::try_from(LIST_ROWS).unwrap_or_default();
        for row in rows {
            let version = Version::listed(StoredVersion::from_row(&row)?);
            let head = (
                row.try_get(15)?,
                row.try_get(16)?,
                row.try_get(17)?,
                row.try_get(18)?,
                row.try_get(19)?,
                row.try_get(20)?,
            );
            after = row.try_get(15)?;
            match Head::whole(head).and_then(|head| Ok((head, version?))) {
                Ok((head, version)) => {
                    let bytes = version.listed_bytes();
                    if !page.take((head, version), bytes) {
                        return Ok(page.page());
                    }
                }
                Err(e) => tracing::error!(error = %e, "a workflow is left out of a list"),
            }
        }
        if last {
            return Ok(page.page());
        }
    }
}

pub(crate) async fn names(c: &mut PgConnection, limit: u32) -> Result<Vec<String>> {
    let text = "SELECT name FROM workflow_head WHERE state <> 'deleted' ORDER BY name LIMIT $1";
    let names = sqlx::query_scalar(text).bind(i64::from(limit));
    Ok(names.fetch_all(c).await?)
}

pub(crate) async fn sketches(c: &mut PgConnection, limit: u32) -> Result<Vec<(String, Bytes)>> {
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT h.name, w.sketch FROM workflow_head AS h
JOIN workflow AS w ON w.name = h.name AND w.version = h.newest
WHERE h.state <> 'deleted' ORDER BY h.name LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    let sketch = |(name, sketch)| (name, Bytes::from(sketch));
    Ok(rows.into_iter().map(sketch).collect())
}

pub(crate) async fn change_alone(
    store: &PgStore,
    wanted: &Change,
    keyed: Option<(&Call, Bytes)>,
) -> Result<Changed> {
    store
        .transact(async |c| {
            let changed = change(c, wanted, keyed).await?;
            let done = changed == Changed::Done;
            Ok((changed, done))
        })
        .await
}

/// To be undone by the caller unless it is [`Changed::Done`].
async fn change(
    c: &mut PgConnection,
    change: &Change,
    keyed: Option<(&Call, Bytes)>,
) -> Result<Changed> {
    if let Some((call, _)) = &keyed {
        let (begun, _) = effect::step(c, Name::of(call), |entry| begin(entry, call)).await?;
        if let Begin::Done(reply) = begun {
            return Ok(Changed::Answered(reply));
        }
    }
    if !set_head(c, change).await? {
        return Ok(Changed::Stale);
    }
    if let Some(version) = &change.version {
        add(c, version).await?;
    }
    if let Some((call, reply)) = keyed {
        effect::step(c, Name::of(call), |entry| done(entry, call, &reply)).await?;
    }
    Ok(Changed::Done)
}

/// False when the head is not as it was seen.
async fn set_head(c: &mut PgConnection, change: &Change) -> Result<bool> {
    let head = &change.head;
    let text = match change.before {
        None => {
            "INSERT INTO workflow_head(newest, state, etag, changed_at, crc, name)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
        }
        Some(_) => {
            "UPDATE workflow_head SET newest = $1, state = $2, etag = $3, changed_at = $4, crc = $5
WHERE name = $6 AND etag = $7"
        }
    };
    let mut query = sqlx::query(text)
        .bind(i64::from(head.newest))
        .bind(head.state.as_str())
        .bind(&head.etag)
        .bind(head.changed_at_ms)
        .bind(i64::from(head.crc()))
        .bind(&head.name);
    if let Some(before) = &change.before {
        query = query.bind(before);
    }
    Ok(query.execute(c).await?.rows_affected() > 0)
}

async fn add(c: &mut PgConnection, version: &Version) -> Result<()> {
    let source_crc = version.source_crc();
    sqlx::query(
        "INSERT INTO workflow(name, version, spec_hash, source, file_name, dialect, title, author, comment,
words, summary, sketch, created_at, source_crc, crc)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(&version.name)
    .bind(i64::from(version.version))
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
    .bind(i64::from(source_crc))
    .bind(i64::from(version.crc(source_crc)))
    .execute(c)
    .await?;
    Ok(())
}

pub(crate) async fn purge(store: &PgStore, before_ms: i64, max: u32) -> Result<u64> {
    let purge = async |c: &mut PgConnection| {
        let gone: i64 = sqlx::query_scalar(
            "WITH h AS (DELETE FROM workflow_head WHERE name IN
(SELECT name FROM workflow_head WHERE state = 'deleted' AND changed_at < $1 LIMIT $2) RETURNING name),
w AS (DELETE FROM workflow WHERE name IN (SELECT name FROM h))
SELECT count(*) FROM h",
        )
        .bind(before_ms)
        .bind(i64::from(max))
        .fetch_one(c)
        .await?;
        Ok(gone.unsigned_abs())
    };
    store.write(purge).await
}
