//! Groups in the file: who has what.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::Local;
use crate::error::{Error, Result};
use crate::event::{Delivery, GroupState};
use crate::log::{Ask, PAGE};
use crate::options::{GROUPS_MAX, IN_FLIGHT_MAX};
use crate::topic::{Name, Pattern};

impl Local {
    pub(crate) async fn group(&self, name: &Name, pattern: &Pattern, after: i64) -> Result<String> {
        let mut tx = self.begin().await?;
        let found: Option<String> = sqlx::query_scalar("SELECT pattern FROM grp WHERE name = ?")
            .bind(name.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(found) = found {
            return Ok(found);
        }
        let groups: i64 = sqlx::query_scalar("SELECT count(*) FROM grp")
            .fetch_one(&mut *tx)
            .await?;
        if usize::try_from(groups).is_ok_and(|n| n >= GROUPS_MAX) {
            return Err(Error::TooManyGroups);
        }
        sqlx::query("INSERT INTO grp (name, pattern, seq) VALUES (?, ?, ?)")
            .bind(name.as_str())
            .bind(pattern.as_str())
            .bind(after)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(pattern.as_str().to_owned())
    }

    pub(crate) async fn take(&self, ask: &Ask) -> Result<Vec<Delivery>> {
        loop {
            let (taken, end) = self.take_page(ask).await?;
            if end || !taken.is_empty() {
                return self.deliver(taken).await;
            }
        }
    }

    /// One piece of the log, and whether its end was reached.
    async fn take_page(&self, ask: &Ask) -> Result<(Vec<(i64, u32)>, bool)> {
        let stale = self.now_ms() - i64::try_from(ask.claim_after.as_millis()).unwrap_or(i64::MAX);
        // Looked at beside the writer first: a member that finds nothing writes nothing.
        let seen = self
            .position(ask, &mut *self.readers.acquire().await?)
            .await?;
        let old = self.held(ask, stale).await?;
        let new = ask.own_after.is_none() && old.len() < ask.max && !self.is_full(ask).await?;
        let mut scan = match new {
            true => Some(self.scan(&ask.pattern, seen, ask.max - old.len()).await?),
            false => None,
        };
        if old.is_empty() && scan.as_ref().is_none_or(|s| s.scanned_to == seen) {
            return Ok((Vec::new(), true));
        }
        let mut tx = self.begin().await?;
        let mut taken = self.claim(&mut tx, ask, &old).await?;
        // Another member may have been quicker. Nobody writes now, so the readers see all.
        let position = self.position(ask, &mut tx).await?;
        if scan.is_some() && position != seen {
            scan = Some(
                self.scan(&ask.pattern, position, ask.max - old.len())
                    .await?,
            );
        }
        if let Some(scan) = &scan {
            sqlx::query("UPDATE grp SET seq = ? WHERE name = ?")
                .bind(scan.scanned_to)
                .bind(ask.group.as_str())
                .execute(&mut *tx)
                .await?;
            self.hand_out(&mut tx, ask, &scan.matching).await?;
            taken.extend(scan.matching.iter().map(|seq| (*seq, 1)));
        }
        tx.commit().await?;
        Ok((taken, scan.is_none_or(|s| s.end)))
    }

    /// How far the group is.
    async fn position(&self, ask: &Ask, on: &mut SqliteConnection) -> Result<i64> {
        let found: Option<i64> = sqlx::query_scalar("SELECT seq FROM grp WHERE name = ?")
            .bind(ask.group.as_str())
            .fetch_optional(on)
            .await?;
        found.ok_or_else(|| Error::GroupNotFound(ask.group.as_str().to_owned()))
    }

    /// What is to be handed out again: the member's own at its begin, then what
    /// was not acknowledged in time, each with when it was handed out.
    async fn held(&self, ask: &Ask, stale: i64) -> Result<Vec<(i64, i64)>> {
        let limit = i64::try_from(ask.max).unwrap_or(i64::MAX);
        let held = match ask.own_after {
            Some(after) => {
                sqlx::query_as(
                    "SELECT seq, since FROM pending WHERE grp = ? AND member = ? AND seq > ? \
                     ORDER BY seq LIMIT ?",
                )
                .bind(ask.group.as_str())
                .bind(ask.member.as_str())
                .bind(after)
                .bind(limit)
                .fetch_all(&self.readers)
                .await?
            }
            None => {
                sqlx::query_as(
                    "SELECT seq, since FROM pending WHERE grp = ? AND since <= ? \
                     ORDER BY seq LIMIT ?",
                )
                .bind(ask.group.as_str())
                .bind(stale)
                .bind(limit)
                .fetch_all(&self.readers)
                .await?
            }
        };
        Ok(held)
    }

    /// Whether the member holds as many as it may.
    async fn is_full(&self, ask: &Ask) -> Result<bool> {
        let held: i64 =
            sqlx::query_scalar("SELECT count(*) FROM pending WHERE grp = ? AND member = ?")
                .bind(ask.group.as_str())
                .bind(ask.member.as_str())
                .fetch_one(&self.readers)
                .await?;
        Ok(usize::try_from(held).is_ok_and(|n| n + PAGE > IN_FLIGHT_MAX))
    }

    /// Takes over what still stands as it was seen.
    async fn claim(
        &self,
        tx: &mut SqliteConnection,
        ask: &Ask,
        old: &[(i64, i64)],
    ) -> Result<Vec<(i64, u32)>> {
        let mut taken = Vec::new();
        for (seq, since) in old {
            let deliveries: Option<u32> = sqlx::query_scalar(
                "UPDATE pending SET member = ?, since = ?, deliveries = deliveries + 1 \
                 WHERE grp = ? AND seq = ? AND since = ? RETURNING deliveries",
            )
            .bind(ask.member.as_str())
            .bind(self.now_ms())
            .bind(ask.group.as_str())
            .bind(seq)
            .bind(since)
            .fetch_optional(&mut *tx)
            .await?;
            taken.extend(deliveries.map(|n| (*seq, n)));
        }
        Ok(taken)
    }

    async fn hand_out(&self, tx: &mut SqliteConnection, ask: &Ask, new: &[i64]) -> Result<()> {
        sqlx::query(
            "INSERT INTO pending (grp, seq, member, since, deliveries) \
             SELECT ?, value, ?, ?, 1 FROM json_each(?)",
        )
        .bind(ask.group.as_str())
        .bind(ask.member.as_str())
        .bind(self.now_ms())
        .bind(serde_json::json!(new).to_string())
        .execute(&mut *tx)
        .await?;
        Ok(())
    }

    async fn deliver(&self, taken: Vec<(i64, u32)>) -> Result<Vec<Delivery>> {
        let counts: BTreeMap<i64, u32> = taken.into_iter().collect();
        let sequences: Vec<i64> = counts.keys().copied().collect();
        let events = self.load(&sequences).await?;
        let delivery = |event: crate::event::Event| Delivery {
            deliveries: counts.get(&event.sequence).copied().unwrap_or(1),
            event,
        };
        Ok(events.into_iter().map(delivery).collect())
    }

    pub(crate) async fn ack(&self, group: &Name, sequences: &[i64]) -> Result<usize> {
        let mut tx = self.begin().await?;
        let found: Option<i64> = sqlx::query_scalar("SELECT seq FROM grp WHERE name = ?")
            .bind(group.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        if found.is_none() {
            return Err(Error::GroupNotFound(group.as_str().to_owned()));
        }
        let done = sqlx::query(
            "DELETE FROM pending WHERE grp = ? AND seq IN (SELECT value FROM json_each(?))",
        )
        .bind(group.as_str())
        .bind(serde_json::json!(sequences).to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
    }

    pub(crate) async fn groups(&self) -> Result<Vec<GroupState>> {
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT name, pattern, seq, (SELECT count(*) FROM pending WHERE grp = name) \
             FROM grp ORDER BY name",
        )
        .fetch_all(&self.readers)
        .await?;
        let mut groups = Vec::with_capacity(rows.len());
        for (group, pattern, position, pending) in rows {
            let pattern = Pattern::parse(&pattern)?;
            let waiting: Vec<(String, i64)> =
                sqlx::query_as("SELECT topic, count(*) FROM event WHERE seq > ? GROUP BY topic")
                    .bind(position)
                    .fetch_all(&self.readers)
                    .await?;
            let ours = waiting.iter().filter(|(topic, _)| pattern.matches(topic));
            groups.push(GroupState {
                lag: ours.map(|(_, n)| n).sum(),
                group,
                pattern,
                members: 0,
                pending,
            });
        }
        Ok(groups)
    }

    pub(crate) async fn delete_group(&self, group: &Name) -> Result<bool> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM grp WHERE name = ?")
            .bind(group.as_str())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM pending WHERE grp = ?")
            .bind(group.as_str())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(gone.rows_affected() > 0)
    }
}
