//! Events, and what a bus tells about topics and groups.

use bytes::Bytes;

use crate::error::Error;
use crate::topic::{Pattern, Topic};

/// Largest payload, in bytes: an event says that something happened; what is
/// larger is a file, and the event has its path.
pub const PAYLOAD_MAX: usize = 256 * 1024;

/// Longest source, in characters: the name of an agent.
pub const SOURCE_MAX: usize = 100;

/// Most events that one look back gives.
pub const RECENT_MAX: usize = 1_000;

/// Payload after which a look back ends: well below the largest gRPC message.
pub const RECENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An event to publish.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Names the event; a second event of the same id is not kept. 1 to 100 characters.
    pub id: String,
    /// What it is about.
    pub topic: Topic,
    /// Its content, at most [`PAYLOAD_MAX`] bytes.
    pub payload: Bytes,
    /// The agent that it is from, as the publisher says.
    pub source: String,
    /// Who published it, as the mesh knows.
    pub publisher: String,
}

impl NewEvent {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.payload.len() > PAYLOAD_MAX {
            return Err(Error::PayloadTooLarge(self.payload.len()));
        }
        if self.source.chars().count() > SOURCE_MAX {
            return Err(Error::Source);
        }
        Ok(())
    }

    /// Whether an event that is kept says the same.
    pub(crate) fn equals(&self, kept: &Event) -> bool {
        self.topic.as_str() == kept.topic
            && self.payload == kept.payload
            && self.source == kept.source
    }
}

/// Where an event was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its place in the one order of all topics, from 1.
    pub sequence: i64,
    /// When it was published, in milliseconds since 1970.
    pub published_ms: i64,
    /// False: an event of this id was kept before, and this is its place.
    pub new: bool,
}

/// An event that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place in the one order of all topics.
    pub sequence: i64,
    /// Its id.
    pub id: String,
    /// Its topic.
    pub topic: String,
    /// Its content.
    pub payload: Bytes,
    /// The agent that it is from, as the publisher said.
    pub source: String,
    /// Who published it, as the mesh knows.
    pub publisher: String,
    /// When it was published, in milliseconds since 1970.
    pub published_ms: i64,
}

/// An event that was handed to a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The event.
    pub event: Event,
    /// How often it was handed to a member of the group; 1 without group.
    pub deliveries: u32,
}

/// A look back.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    /// The events, newest first.
    pub events: Vec<Event>,
    /// Older ones were left out, for their size.
    pub truncated: bool,
}

impl Recent {
    /// Adds an event; false when it is not to be, and neither are older ones.
    pub(crate) fn add(&mut self, event: Event) -> bool {
        let size: usize = self.events.iter().map(|e| e.payload.len()).sum();
        if size + event.payload.len() > RECENT_BYTES_MAX {
            self.truncated = true;
            return false;
        }
        self.events.push(event);
        true
    }
}

/// How a topic stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Its name.
    pub topic: String,
    /// How many events are kept.
    pub events: i64,
    /// The sequence of the newest.
    pub last_sequence: i64,
    /// When the newest was published.
    pub last_published_ms: i64,
    /// Who follows it now.
    pub subscribers: usize,
}

/// How a group stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    /// Its name.
    pub group: String,
    /// What it follows.
    pub pattern: Pattern,
    /// Members that are subscribed now.
    pub members: usize,
    /// Handed out and not acknowledged.
    pub pending: i64,
    /// Not handed out yet.
    pub lag: i64,
}
