//! What can go wrong at a bus.

use gearmesh_fault::{EnumValueDescriptor, Fault, reason};

use crate::event::{PAYLOAD_MAX, SOURCE_MAX};
use crate::options::{GROUPS_MAX, SUBSCRIBERS_MAX};
use crate::topic::TOPIC_MAX;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong at a bus.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No topic.
    #[error(
        "`{0}` is no topic: write 1 to {TOPIC_MAX} characters, parts of letters, digits, `_` and `-` separated by `.`"
    )]
    Topic(String),
    /// No pattern.
    #[error(
        "`{0}` is no topic or pattern: write parts separated by `.`, `*` for one part, a last `**` for the rest"
    )]
    Pattern(String),
    /// No name of a group or member.
    #[error("`{0}` is no name: write 1 to {TOPIC_MAX} letters, digits, `.`, `_` and `-`")]
    Name(String),
    /// The payload is too large.
    #[error("the payload has {0} bytes; at most {PAYLOAD_MAX} are taken")]
    PayloadTooLarge(usize),
    /// The source is too long.
    #[error("a source has at most {SOURCE_MAX} characters")]
    Source,
    /// The id names another event.
    #[error("an event `{0}` with other content is kept already")]
    IdReused(String),
    /// Events after the cursor are gone, or the cursor is of another bus.
    #[error("events after cursor `{0}` are not kept any more; begin without cursor, or with `0`")]
    CursorExpired(i64),
    /// No such group.
    #[error("there is no group `{0}`")]
    GroupNotFound(String),
    /// The group follows something else.
    #[error("group `{group}` follows `{found}`, not `{wanted}`")]
    GroupTopicMismatch {
        /// The group.
        group: String,
        /// What it follows.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// As many subscribers as a process takes.
    #[error("there are {SUBSCRIBERS_MAX} subscribers already")]
    TooManySubscribers,
    /// As many groups as a bus keeps.
    #[error("there are {GROUPS_MAX} groups already")]
    TooManyGroups,
    /// The URL is none of a bus. It may hold a password and is not told.
    #[error(
        "the setting `bus` cannot be used: {0}; write `local:`, `redis://host:port/db` or `rediss://host:port/db`"
    )]
    Url(String),
    /// No space is left.
    #[error("the bus has no space left")]
    Full,
    /// The bus does not answer, or has failed.
    #[error("the bus failed: {0}")]
    Unavailable(String),
}

impl Error {
    /// Whether the same may succeed a moment later.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        /// SQLITE_FULL, in the low byte of the extended code.
        const FULL: i32 = 13;
        let code = error
            .as_database_error()
            .and_then(|e| e.code()?.parse::<i32>().ok());
        match code {
            Some(code) if code & 0xff == FULL => Self::Full,
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<redis::RedisError> for Error {
    fn from(error: redis::RedisError) -> Self {
        match error.code() {
            Some("OOM") => Self::Full,
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// The enums of the reasons. Their generated types are not among what this crate
/// may see, so their values are taken by number; a test holds each to its name.
const COMMON: &str = "gearmesh.tool.v1.CommonFault";
const INVALID_PARAMETERS: i32 = 1;
const KEY_REUSED: i32 = 13;
const STORE_FULL: i32 = 25;
const EVENTS: &str = "gearmesh.events.v1.EventsFault";
const GROUP_NOT_FOUND: i32 = 1;
const GROUP_TOPIC_MISMATCH: i32 = 2;
const CURSOR_EXPIRED: i32 = 3;
const PAYLOAD_TOO_LARGE: i32 = 4;
const TOO_MANY_SUBSCRIBERS: i32 = 5;
const TOO_MANY_GROUPS: i32 = 6;
const BUS_UNAVAILABLE: i32 = 7;

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        let (of, value) = match self {
            Self::Topic(_) | Self::Pattern(_) | Self::Name(_) | Self::Source => {
                (COMMON, INVALID_PARAMETERS)
            }
            Self::IdReused(_) => (COMMON, KEY_REUSED),
            Self::Full => (COMMON, STORE_FULL),
            Self::GroupNotFound(_) => (EVENTS, GROUP_NOT_FOUND),
            Self::GroupTopicMismatch { .. } => (EVENTS, GROUP_TOPIC_MISMATCH),
            Self::CursorExpired(_) => (EVENTS, CURSOR_EXPIRED),
            Self::PayloadTooLarge(_) => (EVENTS, PAYLOAD_TOO_LARGE),
            Self::TooManySubscribers => (EVENTS, TOO_MANY_SUBSCRIBERS),
            Self::TooManyGroups => (EVENTS, TOO_MANY_GROUPS),
            Self::Url(_) | Self::Unavailable(_) => (EVENTS, BUS_UNAVAILABLE),
        };
        reason(of, value)
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::GroupNotFound(group) => vec![("group", group.clone())],
            Self::GroupTopicMismatch { group, found, .. } => {
                vec![("group", group.clone()), ("topic", found.clone())]
            }
            Self::CursorExpired(cursor) => vec![("cursor", cursor.to_string())],
            Self::PayloadTooLarge(size) => {
                vec![
                    ("size", size.to_string()),
                    ("limit", PAYLOAD_MAX.to_string()),
                ]
            }
            _ => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<(String, String)> {
        let field = match self {
            Self::Topic(_) | Self::Pattern(_) => "topic",
            Self::Name(_) => "group",
            Self::Source => "sourceAgentId",
            _ => return Vec::new(),
        };
        vec![(field.to_owned(), self.to_string())]
    }
}

#[cfg(test)]
mod tests {
    use gearmesh_fault::meaning;

    use super::*;

    #[test]
    fn every_error_has_the_reason_of_its_name() {
        let text = || "x".to_owned();
        let mismatch = Error::GroupTopicMismatch {
            group: text(),
            found: text(),
            wanted: text(),
        };
        let cases = [
            (Error::Topic(text()), "INVALID_PARAMETERS"),
            (Error::IdReused(text()), "KEY_REUSED"),
            (Error::Full, "STORE_FULL"),
            (Error::GroupNotFound(text()), "GROUP_NOT_FOUND"),
            (mismatch, "GROUP_TOPIC_MISMATCH"),
            (Error::CursorExpired(1), "CURSOR_EXPIRED"),
            (Error::PayloadTooLarge(1), "PAYLOAD_TOO_LARGE"),
            (Error::TooManySubscribers, "TOO_MANY_SUBSCRIBERS"),
            (Error::TooManyGroups, "TOO_MANY_GROUPS"),
            (Error::Unavailable(text()), "BUS_UNAVAILABLE"),
        ];
        for (error, name) in cases {
            assert_eq!(meaning(&error.reason()).reason, name, "{error}");
        }
    }
}
