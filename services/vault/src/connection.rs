//! Connections: settings under kind and name.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::sealed::Sealed;

/// The vault whose key wraps the keys of connections. Its name is none that a
/// vault of people can have.
pub(crate) const VAULT: &str = ":connections";

/// What the settings are.
pub(crate) const CONTENT_TYPE: &str = "application/json; connection";

/// Largest settings as JSON text, in bytes: addresses, flags, certificates.
pub const SETTINGS_MAX: usize = 64 * 1024;

const KIND_MAX: usize = 50;
const NAME_MAX: usize = 128;

/// A connection's kind and name.
#[derive(Debug, Clone)]
pub(crate) struct Id {
    pub(crate) kind: String,
    pub(crate) name: String,
}

impl Id {
    pub(crate) fn parse(kind: &str, name: &str) -> Result<Self, Error> {
        if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control)
        {
            return Err(Error::Parameter {
                field: "name",
                reason: "has 1 to 128 characters, none of them a control character",
            });
        }
        Ok(Self {
            kind: self::kind(kind)?,
            name: name.to_owned(),
        })
    }
}

/// What speaks there, as `postgres`.
pub(crate) fn kind(text: &str) -> Result<String, Error> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if (1..=KIND_MAX).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(Error::Parameter {
        field: "kind",
        reason: "is 1 to 50 of a-z, 0-9, `-` and `_`",
    })
}

/// The settings, when they are a JSON object of bounded size.
pub(crate) fn settings(text: &[u8]) -> Result<Map<String, Value>, Error> {
    if text.len() > SETTINGS_MAX {
        return Err(Error::SettingsTooLarge(text.len()));
    }
    // The parser's own words could hold a part of a secret.
    serde_json::from_slice(text).map_err(|_| Error::Parameter {
        field: "settings",
        reason: "must be a JSON object",
    })
}

/// The texts in settings that refer to what was sealed for a run.
pub(crate) fn sealed(settings: &mut Map<String, Value>) -> Vec<&mut String> {
    let mut found = Vec::new();
    let mut open: Vec<&mut Value> = settings.values_mut().collect();
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) if Sealed::is(text) => found.push(text),
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values_mut()),
            _ => {}
        }
    }
    found
}
