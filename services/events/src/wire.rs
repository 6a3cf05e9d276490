//! What the bus has, in the words of the protocol.

use gearmesh_api::events::v1 as api;
use gearmesh_api::tool::v1::Json;
use gearmesh_bus::{Delivery, Event, GroupState, TopicState};
use prost_types::Timestamp;

use crate::error::Error;

/// Entries of a page when the caller names no number, and at most.
const PAGE_DEFAULT: i32 = 50;
const PAGE_MAX: i32 = 200;

/// How a page token begins, so that a foreign text is told from one.
const TOKEN_PREFIX: &str = "after:";

pub(crate) fn event(event: Event) -> api::Event {
    api::Event {
        event_id: event.id,
        sequence: event.sequence,
        topic: event.topic,
        payload: Some(Json {
            text: event.payload,
        }),
        source_agent_id: event.source,
        published_at: Some(timestamp(event.published_ms)),
        published_by: event.publisher,
    }
}

pub(crate) fn delivery(delivery: Delivery) -> api::SubscribeResponse {
    api::SubscribeResponse {
        cursor: delivery.event.sequence.to_string(),
        deliveries: i32::try_from(delivery.deliveries).unwrap_or(i32::MAX),
        event: Some(event(delivery.event)),
    }
}

pub(crate) fn topic(state: TopicState) -> api::Topic {
    api::Topic {
        topic: state.topic,
        events: state.events,
        last_sequence: state.last_sequence,
        last_published_at: Some(timestamp(state.last_published_ms)),
        subscribers: i32::try_from(state.subscribers).unwrap_or(i32::MAX),
    }
}

pub(crate) fn group(state: GroupState) -> api::Group {
    api::Group {
        topic: state.pattern.as_str().to_owned(),
        group: state.group,
        members: i32::try_from(state.members).unwrap_or(i32::MAX),
        pending: state.pending,
        lag: state.lag,
    }
}

/// The piece of a list, ordered by name, that a page shows, and the next token.
pub(crate) fn page<T>(
    mut all: Vec<T>,
    name: fn(&T) -> &str,
    size: i32,
    token: &str,
) -> Result<(Vec<T>, String), Error> {
    if !token.is_empty() {
        let after = token
            .strip_prefix(TOKEN_PREFIX)
            .ok_or_else(|| Error::PageToken(token.to_owned()))?;
        all.retain(|entry| name(entry) > after);
    }
    let size = match size {
        0 => PAGE_DEFAULT,
        n => n.min(PAGE_MAX),
    };
    let size = usize::try_from(size).unwrap_or_default();
    let more = all.len() > size;
    all.truncate(size);
    let next = match all.last() {
        Some(last) if more => format!("{TOKEN_PREFIX}{}", name(last)),
        _ => String::new(),
    };
    Ok((all, next))
}

pub(crate) fn timestamp(ms: i64) -> Timestamp {
    Timestamp {
        seconds: ms.div_euclid(1000),
        nanos: i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default(),
    }
}
