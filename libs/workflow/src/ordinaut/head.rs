//! What stands beside the steps.

use std::time::Duration;

use serde_json::Value;

use super::schedule;
use super::value::{given, seconds, text, whole, wrong};
use crate::diagnostic::Report;
use crate::model::{Concurrency, OnConflict, PRIORITY};
use crate::node::Node;
use crate::retry::{Backoff, Retry};
use crate::tree::{Entry, Tree};
use crate::trigger::Trigger;

/// Longest name of a workflow, in characters.
const NAME_MAX: usize = 63;

/// Longest `dedupe_key` and `concurrency_key`, in characters.
const KEY_MAX: usize = 100;

/// How often a step is tried again when the document does not say, and at most.
const RETRIES: u32 = 3;
const RETRIES_MAX: u64 = 10;

const OWNER: &str = "the task";

/// Faults are reported; what has one gets its default.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) name: String,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) triggers: Vec<Trigger>,
    pub(super) concurrency: Option<Concurrency>,
    pub(super) priority: u8,
    pub(super) dedupe: Option<(String, Duration)>,
    /// How a step is tried again; one attempt: never.
    pub(super) retry: Retry,
}

impl Head {
    pub(super) fn read(report: &mut Report<'_>, root: &Tree, params: &[Entry]) -> Head {
        let title = given(root, "title").and_then(|entry| text(report, entry, OWNER));
        let description = given(root, "description").and_then(|entry| text(report, entry, OWNER));
        let trigger = schedule::read(report, root, params);
        let concurrency = key(report, root, "concurrency_key").map(|key| Concurrency {
            limit: 1,
            key: Some(Node::Constant(Value::from(format!("global:{key}")))),
            on_conflict: OnConflict::Queue,
        });
        let priority = given(root, "priority")
            .and_then(|entry| whole(report, entry, OWNER, 1, 9))
            .and_then(|priority| u8::try_from(priority).ok());
        Head {
            name: title.as_deref().map_or_else(|| "ordinaut".to_owned(), name),
            title,
            description,
            triggers: trigger.into_iter().collect(),
            concurrency,
            priority: priority.unwrap_or(PRIORITY),
            dedupe: dedupe(report, root),
            retry: retry(report, root),
        }
    }
}

/// A name from a title: its small letters and digits, joined by hyphens. A title without any is
/// told from others by a number made of it.
pub(crate) fn name(title: &str) -> String {
    let mut name = String::with_capacity(title.len());
    for character in title.to_lowercase().chars() {
        if character.is_ascii_alphanumeric() {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    if name.is_empty() {
        return format!("task-{:08x}", checksum(title));
    }
    let name = name.get(..NAME_MAX).unwrap_or(name);
    name.trim_end_matches('-').to_owned()
}

/// FNV-1a, in 32 bits: names of one title are equal everywhere and always.
fn checksum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |sum, byte| {
        (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

fn key(report: &mut Report<'_>, root: &Tree, key: &str) -> Option<String> {
    let entry = given(root, key)?;
    let text = text(report, entry, OWNER)?;
    if text.chars().count() > KEY_MAX {
        let expected = format!("at most {KEY_MAX} characters");
        wrong(
            report,
            &entry.value,
            &format!("`{key}` of {OWNER}"),
            &expected,
        );
        return None;
    }
    Some(text)
}

/// A key without a window answers nothing again.
fn dedupe(report: &mut Report<'_>, root: &Tree) -> Option<(String, Duration)> {
    let key = key(report, root, "dedupe_key");
    let entry = given(root, "dedupe_window_seconds")?;
    if entry.value.value() == 0 {
        return None;
    }
    let window = seconds(report, entry, OWNER)?;
    Some((key?, window))
}

fn retry(report: &mut Report<'_>, root: &Tree) -> Retry {
    let retries = given(root, "max_retries").and_then(|entry| retries(report, entry, OWNER));
    let entry = given(root, "backoff_strategy");
    let backoff = match entry.map(|entry| (entry, entry.value.text())) {
        None | Some((_, Some("exponential_jitter"))) => Backoff::Exponential,
        Some((_, Some("linear"))) => Backoff::Linear,
        Some((_, Some("fixed"))) => Backoff::Constant,
        Some((entry, _)) => {
            let expected = "one of exponential_jitter, linear, fixed";
            wrong(
                report,
                &entry.value,
                "`backoff_strategy` of the task",
                expected,
            );
            Backoff::Exponential
        }
    };
    Retry {
        attempts: retries.unwrap_or(RETRIES + 1),
        backoff,
        jitter: backoff == Backoff::Exponential,
        ..Retry::default()
    }
}

/// Attempts in all.
pub(super) fn retries(report: &mut Report<'_>, entry: &Entry, owner: &str) -> Option<u32> {
    let retries = whole(report, entry, owner, 0, RETRIES_MAX)?;
    u32::try_from(retries).ok().map(|retries| retries + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_names() {
        for (title, expected) in [
            ("Weekday Morning Briefing", "weekday-morning-briefing"),
            ("  9 a.m.: «Backup»!  ", "a-m-backup"),
            ("Été", "t"),
        ] {
            assert_eq!(name(title), expected, "{title}");
        }
        let told_apart = name("Утренний обзор");
        assert!(told_apart.starts_with("task-") && told_apart.len() == 13);
        assert_ne!(name("Утро"), name("Вечер"));
        assert_eq!(name(&"ab ".repeat(40)).len(), 62);
    }
}
