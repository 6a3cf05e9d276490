//! Groups on the server: consumer groups of the one stream.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::AsyncCommands;
use redis::streams::{
    StreamAutoClaimOptions, StreamAutoClaimReply, StreamId, StreamInfoConsumersReply,
    StreamInfoGroupsReply, StreamPendingCountReply, StreamReadOptions, StreamReadReply,
};

use super::{PREFIX, Redis, entry, key, topic_key};
use crate::error::{Error, Result};
use crate::event::{Delivery, GroupState};
use crate::log::{Ask, PAGE};
use crate::options::{GROUPS_MAX, IN_FLIGHT_MAX};
use crate::topic::{Name, Pattern};

/// A member that has asked for nothing for so long and holds nothing is forgotten.
const MEMBER_IDLE: Duration = Duration::from_secs(24 * 3600);

/// Pieces of what is pending that one look goes through, ten pages each.
const CLAIM_ROUNDS: usize = 100;

impl Redis {
    pub(crate) async fn group(&self, name: &Name, pattern: &Pattern, after: i64) -> Result<String> {
        let found: String = self
            .scripts
            .group
            .key(PREFIX)
            .arg(name.as_str())
            .arg(pattern.as_str())
            .arg(after)
            .arg(GROUPS_MAX)
            .arg(u64::try_from(MEMBER_IDLE.as_millis()).unwrap_or(u64::MAX))
            .invoke_async(&mut self.connection())
            .await?;
        if found.is_empty() {
            return Err(Error::TooManyGroups);
        }
        Ok(found)
    }

    pub(crate) async fn take(&self, ask: &Ask) -> Result<Vec<Delivery>> {
        if let Some(after) = ask.own_after {
            let own = self.group_read(ask, &entry::id(after)).await?;
            return self.again(ask, own).await;
        }
        let late = self.claim(ask).await?;
        if !late.is_empty() {
            return self.again(ask, late).await;
        }
        loop {
            if self.is_full(ask).await? {
                return Ok(Vec::new());
            }
            let new = self.group_read(ask, ">").await?;
            let end = new.len() < ask.max;
            let taken = self.sift(ask, new).await?;
            if end || !taken.is_empty() {
                return Ok(taken);
            }
        }
    }

    async fn group_read(&self, ask: &Ask, from: &str) -> Result<Vec<StreamId>> {
        let options = StreamReadOptions::default()
            .group(ask.group.as_str(), ask.member.as_str())
            .count(ask.max);
        let reply: Option<StreamReadReply> = self
            .connection()
            .xread_options(&[key("log")], &[from], &options)
            .await
            .map_err(|e| of_group(e, &ask.group))?;
        let keys = reply.map(|r| r.keys).unwrap_or_default();
        Ok(keys.into_iter().flat_map(|k| k.ids).collect())
    }

    /// Takes over what was not acknowledged in time.
    async fn claim(&self, ask: &Ask) -> Result<Vec<StreamId>> {
        let idle = u64::try_from(ask.claim_after.as_millis()).unwrap_or(u64::MAX);
        let mut from = "0-0".to_owned();
        for _ in 0..CLAIM_ROUNDS {
            let reply: StreamAutoClaimReply = self
                .connection()
                .xautoclaim_options(
                    key("log"),
                    ask.group.as_str(),
                    ask.member.as_str(),
                    idle,
                    &from,
                    StreamAutoClaimOptions::default().count(ask.max),
                )
                .await
                .map_err(|e| of_group(e, &ask.group))?;
            if !reply.claimed.is_empty() || reply.next_stream_id == "0-0" {
                return Ok(reply.claimed);
            }
            from = reply.next_stream_id;
        }
        Ok(Vec::new())
    }

    /// Those that match; the others, and those that were trimmed, are done with.
    async fn sift(&self, ask: &Ask, entries: Vec<StreamId>) -> Result<Vec<Delivery>> {
        let mut taken = Vec::new();
        let mut done = Vec::new();
        for entry in entries {
            match entry::event(&entry)? {
                Some(event) if ask.pattern.matches(&event.topic) => taken.push(Delivery {
                    event,
                    deliveries: 1,
                }),
                _ => done.push(entry.id),
            }
        }
        if !done.is_empty() {
            let _: usize = self
                .connection()
                .xack(key("log"), ask.group.as_str(), &done)
                .await?;
        }
        Ok(taken)
    }

    /// As [`Redis::sift`], with how often each was handed out.
    async fn again(&self, ask: &Ask, entries: Vec<StreamId>) -> Result<Vec<Delivery>> {
        let mut taken = self.sift(ask, entries).await?;
        let (Some(first), Some(last)) = (taken.first(), taken.last()) else {
            return Ok(taken);
        };
        let reply: StreamPendingCountReply = self
            .connection()
            .xpending_consumer_count(
                key("log"),
                ask.group.as_str(),
                entry::id(first.event.sequence),
                entry::id(last.event.sequence),
                IN_FLIGHT_MAX,
                ask.member.as_str(),
            )
            .await?;
        let mut counts = BTreeMap::new();
        for pending in reply.ids {
            counts.insert(entry::sequence(&pending.id)?, pending.times_delivered);
        }
        for delivery in &mut taken {
            let count = counts.get(&delivery.event.sequence).copied().unwrap_or(1);
            delivery.deliveries = u32::try_from(count).unwrap_or(u32::MAX);
        }
        Ok(taken)
    }

    /// Whether the member holds as many as it may.
    async fn is_full(&self, ask: &Ask) -> Result<bool> {
        let reply: StreamInfoConsumersReply = self
            .connection()
            .xinfo_consumers(key("log"), ask.group.as_str())
            .await
            .map_err(|e| of_group(e, &ask.group))?;
        let own = reply
            .consumers
            .iter()
            .find(|c| c.name == ask.member.as_str());
        Ok(own.is_some_and(|c| c.pending + PAGE > IN_FLIGHT_MAX))
    }

    pub(crate) async fn ack(&self, group: &Name, sequences: &[i64]) -> Result<usize> {
        let known: bool = (self.connection())
            .hexists(key("groups"), group.as_str())
            .await?;
        if !known {
            return Err(Error::GroupNotFound(group.as_str().to_owned()));
        }
        let ids: Vec<String> = sequences.iter().map(|s| entry::id(*s)).collect();
        let done = (self.connection())
            .xack(key("log"), group.as_str(), &ids)
            .await?;
        Ok(done)
    }

    pub(crate) async fn groups(&self) -> Result<Vec<GroupState>> {
        let patterns: BTreeMap<String, String> = self.connection().hgetall(key("groups")).await?;
        if patterns.is_empty() {
            return Ok(Vec::new());
        }
        let reply: StreamInfoGroupsReply = self.connection().xinfo_groups(key("log")).await?;
        let mut states = Vec::with_capacity(patterns.len());
        for (group, pattern) in patterns {
            let pattern = Pattern::parse(&pattern)?;
            let Some(info) = reply.groups.iter().find(|g| g.name == group) else {
                continue;
            };
            let position = entry::sequence(&info.last_delivered_id)?;
            let mut lag = 0;
            for topic in self.matching(&pattern).await? {
                let waiting: i64 = self
                    .connection()
                    .zcount(topic_key(&topic), format!("({position}"), "+inf")
                    .await?;
                lag += waiting;
            }
            states.push(GroupState {
                group,
                pattern,
                members: 0,
                pending: i64::try_from(info.pending).unwrap_or(i64::MAX),
                lag,
            });
        }
        Ok(states)
    }

    pub(crate) async fn delete_group(&self, group: &Name) -> Result<bool> {
        // Both in one transaction, so that none is left without the other.
        let (known, _): (bool, bool) = redis::pipe()
            .atomic()
            .hdel(key("groups"), group.as_str())
            .xgroup_destroy(key("log"), group.as_str())
            .query_async(&mut self.connection())
            .await
            .or_else(|e| match e.code() {
                // There is no stream yet.
                Some("ERR") => Ok((false, false)),
                _ => Err(e),
            })?;
        Ok(known)
    }
}

fn of_group(error: redis::RedisError, group: &Name) -> Error {
    match error.code() {
        Some("NOGROUP") => Error::GroupNotFound(group.as_str().to_owned()),
        _ => error.into(),
    }
}
