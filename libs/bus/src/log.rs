//! The one log behind a bus: what each backend does.

use std::time::Duration;

use crate::error::Result;
use crate::event::{Delivery, Event, GroupState, NewEvent, Published, Recent, TopicState};
use crate::local::Local;
use crate::redis::Redis;
use crate::subscribers::Follower;
use crate::topic::{Name, Pattern};

/// Most events of one read: at the largest payload 8 MiB.
pub(crate) const PAGE: usize = 32;

/// A piece of the log.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Those that match.
    pub(crate) events: Vec<Event>,
    /// How far was looked.
    pub(crate) scanned_to: i64,
    /// Whether the end of the log was reached.
    pub(crate) end: bool,
}

/// What a member asks for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) group: Name,
    pub(crate) pattern: Pattern,
    pub(crate) member: Name,
    /// What others have not acknowledged for so long goes to this member.
    pub(crate) claim_after: Duration,
    /// How many at most, up to [`PAGE`]: what is taken is kept from the others.
    pub(crate) max: usize,
    /// What the member itself has not acknowledged, after this sequence; none: not asked.
    pub(crate) own_after: Option<i64>,
}

/// A backend.
#[derive(Debug)]
pub(crate) enum Log {
    Local(Local),
    Redis(Box<Redis>),
}

/// One call for both backends.
macro_rules! either {
    ($log:expr, $call:ident ( $($arg:expr),* )) => {
        match $log {
            Log::Local(log) => log.$call($($arg),*).await,
            Log::Redis(log) => log.$call($($arg),*).await,
        }
    };
}

impl Log {
    /// Keeps an event, or finds the one of its id.
    pub(crate) async fn publish(&self, event: &NewEvent) -> Result<Published> {
        either!(self, publish(event))
    }

    /// The sequence of the newest event ever; 0 before the first.
    pub(crate) async fn newest(&self) -> Result<i64> {
        either!(self, newest())
    }

    /// The newest sequence that was trimmed from the topics of a pattern.
    pub(crate) async fn trimmed_to(&self, pattern: &Pattern) -> Result<i64> {
        either!(self, trimmed_to(pattern))
    }

    /// The next piece of the log.
    pub(crate) async fn read(&self, pattern: &Pattern, after: i64) -> Result<Page> {
        either!(self, read(pattern, after))
    }

    pub(crate) async fn recent(&self, pattern: &Pattern, count: usize) -> Result<Recent> {
        either!(self, recent(pattern, count))
    }

    /// The topics, by name; `subscribers` is not filled in.
    pub(crate) async fn topics(&self) -> Result<Vec<TopicState>> {
        either!(self, topics())
    }

    /// Removes what was published at `until_ms` or before.
    pub(crate) async fn trim(&self, pattern: &Pattern, until_ms: i64) -> Result<i64> {
        either!(self, trim(pattern, until_ms))
    }

    /// Makes a group that begins after a sequence, when there is none; answers what it follows.
    pub(crate) async fn group(&self, name: &Name, pattern: &Pattern, after: i64) -> Result<String> {
        either!(self, group(name, pattern, after))
    }

    /// The next events for a member: those that it must acknowledge.
    pub(crate) async fn take(&self, ask: &Ask) -> Result<Vec<Delivery>> {
        either!(self, take(ask))
    }

    pub(crate) async fn ack(&self, group: &Name, sequences: &[i64]) -> Result<usize> {
        either!(self, ack(group, sequences))
    }

    /// The groups, by name; `members` is not filled in.
    pub(crate) async fn groups(&self) -> Result<Vec<GroupState>> {
        either!(self, groups())
    }

    pub(crate) async fn delete_group(&self, group: &Name) -> Result<bool> {
        either!(self, delete_group(group))
    }

    /// Those who follow in other processes.
    pub(crate) async fn others(&self) -> Result<Vec<Follower>> {
        match self {
            Self::Local(_) => Ok(Vec::new()),
            Self::Redis(log) => log.others().await,
        }
    }
}
