//! Events in the file: keeping, reading, trimming.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Local;
use crate::error::{Error, Result};
use crate::event::{Event, NewEvent, Published, Recent, TopicState};
use crate::log::{PAGE, Page};
use crate::topic::Pattern;

/// Rows whose topics are looked at in one read: without payload they are small.
const SCAN: i64 = 1_024;

/// Events that one transaction removes: others can write in between.
const TRIM_BATCH: i64 = 1_000;

/// Old events that one publish removes beyond those that are kept.
const DROP_BATCH: i64 = 16;

impl Local {
    pub(crate) async fn publish(&self, event: &NewEvent) -> Result<Published> {
        let mut tx = self.begin().await?;
        let kept = sqlx::query("SELECT * FROM event WHERE id = ?")
            .bind(&event.id)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(row) = kept {
            let kept = read(&row)?;
            if !event.equals(&kept) {
                return Err(Error::IdReused(event.id.clone()));
            }
            return Ok(Published {
                sequence: kept.sequence,
                published_ms: kept.published_ms,
                new: false,
            });
        }
        let published_ms = self.now_ms();
        let sequence: i64 = sqlx::query_scalar(
            "INSERT INTO event (id, topic, source, publisher, published, payload) \
             VALUES (?, ?, ?, ?, ?, ?) RETURNING seq",
        )
        .bind(&event.id)
        .bind(event.topic.as_str())
        .bind(&event.source)
        .bind(&event.publisher)
        .bind(published_ms)
        .bind(event.payload.as_ref())
        .fetch_one(&mut *tx)
        .await?;
        self.drop_old(&mut tx, sequence).await?;
        tx.commit().await?;
        Ok(Published {
            sequence,
            published_ms,
            new: true,
        })
    }

    async fn drop_old(&self, tx: &mut SqliteConnection, newest: i64) -> Result<()> {
        let removed: Vec<(String, i64)> = sqlx::query_as(
            "DELETE FROM event WHERE seq IN \
             (SELECT seq FROM event WHERE seq <= ? ORDER BY seq LIMIT ?) RETURNING topic, seq",
        )
        .bind(newest - self.keep)
        .bind(DROP_BATCH)
        .fetch_all(&mut *tx)
        .await?;
        for (topic, seq) in removed {
            note_trimmed(tx, &topic, seq).await?;
            sqlx::query("DELETE FROM pending WHERE seq = ?")
                .bind(seq)
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn newest(&self) -> Result<i64> {
        let newest: Option<i64> =
            sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'event'")
                .fetch_optional(&self.readers)
                .await?;
        Ok(newest.unwrap_or_default())
    }

    pub(crate) async fn trimmed_to(&self, pattern: &Pattern) -> Result<i64> {
        let trimmed: Vec<(String, i64)> = sqlx::query_as("SELECT topic, seq FROM trimmed")
            .fetch_all(&self.readers)
            .await?;
        let ours = trimmed.iter().filter(|(topic, _)| pattern.matches(topic));
        Ok(ours.map(|(_, seq)| *seq).max().unwrap_or_default())
    }

    pub(crate) async fn read(&self, pattern: &Pattern, after: i64) -> Result<Page> {
        let scan = self.scan(pattern, after, PAGE).await?;
        Ok(Page {
            events: self.load(&scan.matching).await?,
            scanned_to: scan.scanned_to,
            end: scan.end,
        })
    }

    /// The next places of a pattern in the log, at most so many.
    pub(super) async fn scan(&self, pattern: &Pattern, after: i64, max: usize) -> Result<Scan> {
        let rows: Vec<(i64, String)> = match pattern.literal() {
            Some(topic) => {
                sqlx::query_as(
                    "SELECT seq, topic FROM event WHERE topic = ? AND seq > ? ORDER BY seq LIMIT ?",
                )
                .bind(topic)
                .bind(after)
                .bind(SCAN)
                .fetch_all(&self.readers)
                .await?
            }
            None => {
                sqlx::query_as("SELECT seq, topic FROM event WHERE seq > ? ORDER BY seq LIMIT ?")
                    .bind(after)
                    .bind(SCAN)
                    .fetch_all(&self.readers)
                    .await?
            }
        };
        let mut scan = Scan {
            matching: Vec::new(),
            scanned_to: after,
            end: rows.len() < usize::try_from(SCAN).unwrap_or_default(),
        };
        for (seq, topic) in rows {
            if pattern.matches(&topic) {
                if scan.matching.len() == max {
                    scan.end = false;
                    break;
                }
                scan.matching.push(seq);
            }
            scan.scanned_to = seq;
        }
        Ok(scan)
    }

    /// The events of these places, in order; those that are gone are left out.
    pub(super) async fn load(&self, sequences: &[i64]) -> Result<Vec<Event>> {
        if sequences.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "SELECT * FROM event WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq",
        )
        .bind(serde_json::json!(sequences).to_string())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }

    pub(crate) async fn recent(&self, pattern: &Pattern, count: usize) -> Result<Recent> {
        let mut recent = Recent::default();
        let mut before = i64::MAX;
        while recent.events.len() < count {
            let rows: Vec<(i64, String)> = match pattern.literal() {
                Some(topic) => {
                    sqlx::query_as(
                        "SELECT seq, topic FROM event WHERE topic = ? AND seq < ? \
                         ORDER BY seq DESC LIMIT ?",
                    )
                    .bind(topic)
                    .bind(before)
                    .bind(SCAN)
                    .fetch_all(&self.readers)
                    .await?
                }
                None => {
                    sqlx::query_as(
                        "SELECT seq, topic FROM event WHERE seq < ? ORDER BY seq DESC LIMIT ?",
                    )
                    .bind(before)
                    .bind(SCAN)
                    .fetch_all(&self.readers)
                    .await?
                }
            };
            let Some((last, _)) = rows.last() else { break };
            before = *last;
            let mut wanted: Vec<i64> = (rows.iter())
                .filter(|(_, topic)| pattern.matches(topic))
                .map(|(seq, _)| *seq)
                .collect();
            wanted.truncate(count - recent.events.len());
            for page in wanted.chunks(PAGE) {
                for event in self.load(page).await?.into_iter().rev() {
                    if !recent.add(event) {
                        return Ok(recent);
                    }
                }
            }
        }
        Ok(recent)
    }

    pub(crate) async fn topics(&self) -> Result<Vec<TopicState>> {
        let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
            "SELECT t.topic, t.n, t.last, e.published FROM \
             (SELECT topic, count(*) AS n, max(seq) AS last FROM event GROUP BY topic) t \
             JOIN event e ON e.seq = t.last ORDER BY t.topic",
        )
        .fetch_all(&self.readers)
        .await?;
        let state = |(topic, events, last_sequence, last_published_ms)| TopicState {
            topic,
            events,
            last_sequence,
            last_published_ms,
            subscribers: 0,
        };
        Ok(rows.into_iter().map(state).collect())
    }

    pub(crate) async fn trim(&self, pattern: &Pattern, until_ms: i64) -> Result<i64> {
        let topics: Vec<String> = sqlx::query_scalar("SELECT DISTINCT topic FROM event")
            .fetch_all(&self.readers)
            .await?;
        let mut removed = 0;
        for topic in topics.iter().filter(|t| pattern.matches(t)) {
            loop {
                let batch = self.trim_batch(topic, until_ms).await?;
                removed += batch;
                if batch < TRIM_BATCH {
                    break;
                }
            }
        }
        Ok(removed)
    }

    async fn trim_batch(&self, topic: &str, until_ms: i64) -> Result<i64> {
        let mut tx = self.begin().await?;
        let gone: Vec<i64> = sqlx::query_scalar(
            "DELETE FROM event WHERE seq IN \
             (SELECT seq FROM event WHERE topic = ? AND published <= ? ORDER BY seq LIMIT ?) \
             RETURNING seq",
        )
        .bind(topic)
        .bind(until_ms)
        .bind(TRIM_BATCH)
        .fetch_all(&mut *tx)
        .await?;
        if let Some(last) = gone.iter().max() {
            note_trimmed(&mut tx, topic, *last).await?;
            sqlx::query("DELETE FROM pending WHERE seq IN (SELECT value FROM json_each(?))")
                .bind(serde_json::json!(gone).to_string())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(i64::try_from(gone.len()).unwrap_or(i64::MAX))
    }
}

/// A piece of the log without payloads.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) matching: Vec<i64>,
    pub(super) scanned_to: i64,
    pub(super) end: bool,
}

async fn note_trimmed(tx: &mut SqliteConnection, topic: &str, seq: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO trimmed (topic, seq) VALUES (?1, ?2) \
         ON CONFLICT (topic) DO UPDATE SET seq = max(seq, ?2)",
    )
    .bind(topic)
    .bind(seq)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Event> {
    Ok(Event {
        sequence: row.try_get("seq")?,
        id: row.try_get("id")?,
        topic: row.try_get("topic")?,
        payload: row.try_get::<Vec<u8>, _>("payload")?.into(),
        source: row.try_get("source")?,
        publisher: row.try_get("publisher")?,
        published_ms: row.try_get("published")?,
    })
}
