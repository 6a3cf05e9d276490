//! Entries of the stream.

use redis::streams::StreamId;

use crate::error::{Error, Result};
use crate::event::Event;

/// The entry id of a sequence.
pub(super) fn id(sequence: i64) -> String {
    format!("{sequence}-0")
}

/// The sequence of an entry id.
pub(super) fn sequence(id: &str) -> Result<i64> {
    id.split('-')
        .next()
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| unreadable(id))
}

/// The event of an entry; none when it was trimmed while somebody held it.
pub(super) fn event(entry: &StreamId) -> Result<Option<Event>> {
    if entry.map.is_empty() {
        return Ok(None);
    }
    let text = |name: &str| {
        entry
            .get::<String>(name)
            .ok_or_else(|| unreadable(&entry.id))
    };
    let payload: Vec<u8> = entry.get("payload").ok_or_else(|| unreadable(&entry.id))?;
    Ok(Some(Event {
        sequence: sequence(&entry.id)?,
        id: text("id")?,
        topic: text("topic")?,
        payload: payload.into(),
        source: text("source")?,
        publisher: text("publisher")?,
        published_ms: text("published")?
            .parse()
            .map_err(|_| unreadable(&entry.id))?,
    }))
}

fn unreadable(id: &str) -> Error {
    Error::Unavailable(format!("entry `{id}` of the stream is none of ours"))
}
