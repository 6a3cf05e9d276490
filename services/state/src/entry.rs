//! Keys and values that cannot be wrong.

use std::time::Duration;

use bytes::Bytes;

use crate::error::Error;

/// Longest key, in characters: names with some levels, no documents.
pub const KEY_MAX: usize = 512;

/// Largest value as JSON text, in bytes: state is for what a run must remember,
/// files are for the rest.
pub const VALUE_MAX: usize = 64 * 1024;

/// Shortest and longest life of a value that expires.
const TTL_MIN: Duration = Duration::from_secs(1);
const TTL_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A key: 1 to [`KEY_MAX`] characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn parse(text: String) -> Result<Self, Error> {
        if text.is_empty() || text.chars().count() > KEY_MAX || text.chars().any(char::is_control) {
            return Err(Error::Key);
        }
        Ok(Self(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value as JSON text of at most [`VALUE_MAX`] bytes.
#[derive(Debug, Clone)]
pub(crate) struct Value(Bytes);

impl Value {
    pub(crate) fn parse(text: Bytes) -> Result<Self, Error> {
        if text.len() > VALUE_MAX {
            return Err(Error::TooLarge(text.len()));
        }
        Ok(Self(text))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How long a value lives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ttl(Duration);

impl Ttl {
    pub(crate) fn parse(time: Duration) -> Result<Self, Error> {
        if (TTL_MIN..=TTL_MAX).contains(&time) {
            Ok(Self(time))
        } else {
            Err(Error::Ttl)
        }
    }

    /// The instant at which a value stored now expires, in milliseconds since 1970.
    pub(crate) fn expires_at(self, now_ms: i64) -> i64 {
        now_ms.saturating_add(i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A stored entry, without its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) version: u64,
    pub(crate) size: i64,
    pub(crate) updated_ms: i64,
    pub(crate) expires_ms: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_bounded_and_printable() {
        assert!(Key::parse("ä".repeat(KEY_MAX)).is_ok());
        for bad in [
            String::new(),
            "k".repeat(KEY_MAX + 1),
            "a\nb".into(),
            "\u{7f}".into(),
        ] {
            assert!(Key::parse(bad.clone()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn value_is_bounded() {
        assert!(Value::parse(vec![b'1'; VALUE_MAX].into()).is_ok());
        assert!(Value::parse(vec![b'1'; VALUE_MAX + 1].into()).is_err());
    }

    #[test]
    fn ttl_is_bounded() {
        assert!(Ttl::parse(TTL_MIN).is_ok() && Ttl::parse(TTL_MAX).is_ok());
        assert!(Ttl::parse(Duration::from_millis(999)).is_err());
        assert!(Ttl::parse(TTL_MAX + Duration::from_secs(1)).is_err());
    }
}
