//! Small translations that several answers share.

use std::collections::HashMap;

use serde_json::{Map, Value};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_api::tool::v1::Json;
use gearmesh_workflow::{Diagnostic, Dialect};

use super::{PAGE_DEFAULT, PAGE_MAX};

/// The dialect of this name; none for an empty one.
pub(super) fn dialect(text: &str) -> Option<Dialect> {
    Dialect::from_name(text)
}

pub(super) fn inputs(given: HashMap<String, Json>) -> Map<String, Value> {
    given
        .into_iter()
        .map(|(name, value)| (name, from_json(&value)))
        .collect()
}

pub(super) fn from_json(value: &Json) -> Value {
    serde_json::from_slice(&value.text).unwrap_or_default()
}

/// A text, unless it is empty.
pub(super) fn text(text: String) -> Option<String> {
    Some(text).filter(|t| !t.is_empty())
}

/// Entries of one page.
pub(super) fn page_size(asked: i32) -> usize {
    let size = match asked {
        0 => PAGE_DEFAULT,
        n => n.clamp(1, PAGE_MAX),
    };
    usize::try_from(size).unwrap_or(1)
}

pub(super) fn milliseconds(time: &prost_types::Timestamp) -> i64 {
    time.seconds
        .saturating_mul(1_000)
        .saturating_add(i64::from(time.nanos) / 1_000_000)
}

pub(super) fn diagnostic(d: Diagnostic) -> api::Diagnostic {
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    api::Diagnostic {
        code: d.code.to_owned(),
        message: d.message,
        file: d.location.file,
        line: small(d.location.line),
        column: small(d.location.column),
        length: small(d.location.length),
        hints: d.hints,
        edits: d
            .edits
            .into_iter()
            .map(|e| api::Edit {
                start: small(e.start),
                end: small(e.end),
                text: e.text,
            })
            .collect(),
    }
}
