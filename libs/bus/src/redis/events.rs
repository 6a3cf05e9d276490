//! Events on the server: keeping, reading, trimming.

use redis::AsyncCommands;
use redis::streams::StreamRangeReply;

use super::{PREFIX, Redis, entry, key, topic_key};
use crate::error::{Error, Result};
use crate::event::{Event, NewEvent, Published, Recent, TopicState};
use crate::log::{PAGE, Page};
use crate::topic::Pattern;

/// Events that one script removes: the server does nothing else meanwhile.
const TRIM_BATCH: i64 = 500;

impl Redis {
    pub(crate) async fn publish(&self, event: &NewEvent) -> Result<Published> {
        let published_ms = (self.now)();
        let (new, sequence): (bool, i64) = self
            .scripts
            .publish
            .key(PREFIX)
            .arg(&event.id)
            .arg(event.topic.as_str())
            .arg(event.payload.as_ref())
            .arg(&event.source)
            .arg(&event.publisher)
            .arg(published_ms)
            .arg(self.keep)
            .invoke_async(&mut self.connection())
            .await?;
        if new {
            return Ok(Published {
                sequence,
                published_ms,
                new,
            });
        }
        let kept = self.load(&[sequence]).await?.pop();
        let Some(kept) = kept else {
            let text = format!("event `{}` was trimmed meanwhile", event.id);
            return Err(Error::Unavailable(text));
        };
        if !event.equals(&kept) {
            return Err(Error::IdReused(event.id.clone()));
        }
        Ok(Published {
            sequence,
            published_ms: kept.published_ms,
            new,
        })
    }

    pub(crate) async fn newest(&self) -> Result<i64> {
        let newest: Option<i64> = self.connection().get(key("seq")).await?;
        Ok(newest.unwrap_or_default())
    }

    pub(crate) async fn trimmed_to(&self, pattern: &Pattern) -> Result<i64> {
        let trimmed: Vec<(String, i64)> = self.connection().hgetall(key("trimmed")).await?;
        let ours = trimmed.iter().filter(|(topic, _)| pattern.matches(topic));
        Ok(ours.map(|(_, seq)| *seq).max().unwrap_or_default())
    }

    pub(crate) async fn read(&self, pattern: &Pattern, after: i64) -> Result<Page> {
        let from = format!("({}", entry::id(after));
        let reply: StreamRangeReply = self
            .connection()
            .xrange_count(key("log"), from, "+", PAGE)
            .await?;
        let mut page = Page {
            events: Vec::new(),
            scanned_to: after,
            end: reply.ids.len() < PAGE,
        };
        for entry in &reply.ids {
            page.scanned_to = entry::sequence(&entry.id)?;
            let event = entry::event(entry)?;
            page.events
                .extend(event.filter(|e| pattern.matches(&e.topic)));
        }
        Ok(page)
    }

    /// The events of these places, in their order; those that are gone are left out.
    async fn load(&self, sequences: &[i64]) -> Result<Vec<Event>> {
        let mut pipe = redis::pipe();
        for sequence in sequences {
            let id = entry::id(*sequence);
            pipe.xrange(key("log"), &id, &id);
        }
        let replies: Vec<StreamRangeReply> = pipe.query_async(&mut self.connection()).await?;
        let mut events = Vec::with_capacity(sequences.len());
        for entry in replies.iter().flat_map(|r| &r.ids) {
            events.extend(entry::event(entry)?);
        }
        Ok(events)
    }

    pub(crate) async fn recent(&self, pattern: &Pattern, count: usize) -> Result<Recent> {
        let last = isize::try_from(count).unwrap_or(isize::MAX) - 1;
        let mut sequences: Vec<i64> = Vec::new();
        for topic in self.matching(pattern).await? {
            let newest: Vec<String> = self
                .connection()
                .zrevrange(topic_key(&topic), 0, last)
                .await?;
            sequences.extend(newest.iter().filter_map(|m| index(m)).map(|(seq, _)| seq));
        }
        sequences.sort_unstable_by(|a, b| b.cmp(a));
        sequences.truncate(count);
        let mut recent = Recent::default();
        for page in sequences.chunks(PAGE) {
            for event in self.load(page).await? {
                if !recent.add(event) {
                    return Ok(recent);
                }
            }
        }
        Ok(recent)
    }

    /// The topics of a pattern that have events, by name.
    pub(super) async fn matching(&self, pattern: &Pattern) -> Result<Vec<String>> {
        let mut topics: Vec<String> = match pattern.literal() {
            Some(topic) => vec![topic.to_owned()],
            None => self.connection().smembers(key("topics")).await?,
        };
        topics.retain(|t| pattern.matches(t));
        topics.sort_unstable();
        Ok(topics)
    }

    pub(crate) async fn topics(&self) -> Result<Vec<TopicState>> {
        let all = self.matching(&Pattern::parse("**")?).await?;
        let mut states = Vec::with_capacity(all.len());
        for topic in all {
            let index_key = topic_key(&topic);
            let (events, newest): (i64, Vec<String>) = redis::pipe()
                .zcard(&index_key)
                .zrevrange(&index_key, 0, 0)
                .query_async(&mut self.connection())
                .await?;
            let Some((last_sequence, last_published_ms)) = newest.first().and_then(|m| index(m))
            else {
                continue;
            };
            states.push(TopicState {
                topic,
                events,
                last_sequence,
                last_published_ms,
                subscribers: 0,
            });
        }
        Ok(states)
    }

    pub(crate) async fn trim(&self, pattern: &Pattern, until_ms: i64) -> Result<i64> {
        let mut removed = 0;
        for topic in self.matching(pattern).await? {
            loop {
                let batch: i64 = self
                    .scripts
                    .trim
                    .key(PREFIX)
                    .arg(&topic)
                    .arg(until_ms)
                    .arg(TRIM_BATCH)
                    .invoke_async(&mut self.connection())
                    .await?;
                removed += batch;
                if batch < TRIM_BATCH {
                    break;
                }
            }
        }
        Ok(removed)
    }
}

/// Sequence and time of a member of a topic's index.
fn index(member: &str) -> Option<(i64, i64)> {
    let (sequence, published) = member.split_once(':')?;
    Some((sequence.parse().ok()?, published.parse().ok()?))
}
