//! What stands beside the tasks of a workflow.

use std::time::Duration;

use crate::diagnostic::{Report, quote};
use crate::fields::Fields;
use crate::model::{MAX_CONCURRENT, OnError, PRIORITY};
use crate::retry::Retry;
use crate::source::Span;
use crate::tree::Entry;
use crate::{field, policy};

/// Longest name of a workflow, in characters.
pub(crate) const NAME_MAX: usize = 63;

const OWNER: &str = "the workflow";

const ON_ERROR: [(&str, OnError); 3] = [
    ("stop", OnError::Stop),
    ("continue", OnError::Continue),
    ("undo", OnError::Undo),
];

/// What stands beside the tasks. Faults are reported; what has one gets its default.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) name: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) secrets: Vec<(String, String)>,
    pub(crate) priority: u8,
    pub(crate) max_concurrent: usize,
    pub(crate) timeout: Option<Duration>,
    pub(crate) on_error: OnError,
    pub(crate) retry: Option<Retry>,
}

impl Head {
    pub(crate) fn read(report: &mut Report<'_>, fields: &Fields<'_>, start: Span) -> Head {
        if !fields.may_have("name") {
            report
                .error("MISSING_KEY", start, "the workflow has no `name`")
                .hint("as in `name: nightly-export`");
        }
        let max = fields
            .get("maxConcurrent")
            .and_then(|entry| field::whole(report, entry, OWNER, 1, 100));
        let priority = fields
            .get("priority")
            .and_then(|entry| field::whole(report, entry, OWNER, 1, 9));
        let mut text = |key| {
            fields
                .get(key)
                .and_then(|entry| field::text(report, entry, OWNER))
        };
        let (title, description) = (text("title"), text("description"));
        Head {
            name: fields.get("name").and_then(|entry| name(report, entry)),
            title,
            description,
            labels: fields
                .get("labels")
                .and_then(|entry| field::labels(report, entry, OWNER))
                .unwrap_or_default(),
            secrets: fields
                .get("secrets")
                .map(|entry| secrets(report, entry))
                .unwrap_or_default(),
            priority: priority
                .and_then(|priority| u8::try_from(priority).ok())
                .unwrap_or(PRIORITY),
            max_concurrent: max
                .and_then(|max| usize::try_from(max).ok())
                .unwrap_or(MAX_CONCURRENT),
            timeout: fields
                .get("timeout")
                .and_then(|entry| field::duration(report, entry, OWNER, false)),
            on_error: fields
                .get("onError")
                .and_then(|entry| field::choice(report, entry, OWNER, &ON_ERROR))
                .unwrap_or(OnError::Stop),
            retry: fields
                .get("retry")
                .and_then(|entry| policy::retry(report, entry, OWNER)),
        }
    }
}

/// Whether a character may stand in the name of a workflow.
fn fits(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

/// Whether a text may be the name of a workflow.
pub(crate) fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    begins && name.len() <= NAME_MAX && name.chars().all(fits)
}

/// The name of a workflow, of this one or one that it calls.
pub(crate) fn name(report: &mut Report<'_>, entry: &Entry) -> Option<String> {
    let name = field::text(report, entry, OWNER)?;
    if is_name(&name) {
        return Some(name);
    }
    let spelled = name
        .to_lowercase()
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .collect::<String>();
    let spelled: String = spelled
        .trim_matches(|c: char| !c.is_ascii_lowercase())
        .chars()
        .take(NAME_MAX)
        .collect();
    let message = format!(
        "`{}`: a name has small letters, digits and hyphens and begins with a letter",
        quote(&name)
    );
    let diagnostic = report.error("INVALID_ID", entry.value.span, message);
    if !spelled.is_empty() {
        diagnostic.hint(format!("as in `{spelled}`"));
    }
    None
}

/// Names for references; those that are none are reported and left out.
fn secrets(report: &mut Report<'_>, entry: &Entry) -> Vec<(String, String)> {
    let Some(entries) = entry.value.map() else {
        field::unexpected(
            report,
            entry,
            OWNER,
            "a map of names to `vault://` references",
        );
        return Vec::new();
    };
    let mut secrets = Vec::with_capacity(entries.len());
    for secret in entries {
        let owner = format!("secret `{}`", quote(&secret.key));
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let digit = |c: char| c.is_ascii_digit();
        if secret.key.is_empty() || !secret.key.chars().all(plain) || secret.key.starts_with(digit)
        {
            let message = format!(
                "`{}`: a secret's name has letters, digits and `_` only",
                quote(&secret.key)
            );
            report.error("INVALID_ID", secret.key_span, message);
            continue;
        }
        match secret.value.text() {
            Some(text) if is_reference(text) => {
                secrets.push((secret.key.clone(), text.to_owned()));
            }
            // What may be the secret itself is not repeated.
            Some(_) => {
                let message = format!("{owner}: expected a reference as `vault://vault/secret`");
                report.error("INVALID_VALUE", secret.value.span, message);
            }
            None => {
                let expected = "a reference as `vault://vault/secret`";
                field::unexpected_value(report, &secret.value, &owner, expected);
            }
        }
    }
    secrets
}

/// What a reference looks like, for a JSON Schema; [`is_reference`] decides.
pub(crate) const REFERENCE: &str = r"^vault://[a-z0-9-]+/[a-z0-9_-]+(@[1-9][0-9]*)?(#[\s\S]+)?$";

/// Whether a text is `vault://vault/secret[@version][#field]`.
pub(crate) fn is_reference(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("vault://") else {
        return false;
    };
    let (rest, field) = match rest.split_once('#') {
        Some((rest, field)) => (rest, !field.is_empty()),
        None => (rest, true),
    };
    let (rest, version) = match rest.split_once('@') {
        Some((rest, version)) => {
            let number = version.parse::<u64>().ok();
            (
                rest,
                number.is_some_and(|n| n > 0 && n.to_string() == version),
            )
        }
        None => (rest, true),
    };
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let vault = |name: &str| !name.is_empty() && name.bytes().all(letter);
    let secret = |name: &str| !name.is_empty() && name.bytes().all(|b| letter(b) || b == b'_');
    let both = rest
        .split_once('/')
        .is_some_and(|(first, second)| vault(first) && secret(second));
    both && version && field
}

/// The vault and the secret that a reference names; `None` for what is no reference.
pub(crate) fn referred(text: &str) -> Option<(&str, &str)> {
    let rest = text
        .strip_prefix("vault://")
        .filter(|_| is_reference(text))?;
    let end = rest.find(['@', '#']).unwrap_or(rest.len());
    rest.get(..end)?.split_once('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_vault_and_secret() {
        // WF-2.7
        for good in ["vault://a/b", "vault://a-1/b_c@12", "vault://a/b@1#a.b"] {
            assert!(is_reference(good), "{good}");
        }
        for bad in [
            "vault:/a/b",
            "vault://a",
            "vault://a/",
            "vault:///b",
            "vault://A/b",
            "vault://a/b/c",
            "vault://a/b@",
            "vault://a/b@0",
            "vault://a/b@01",
            "vault://a/b#",
            "a/b",
        ] {
            assert!(!is_reference(bad), "{bad}");
            assert_eq!(referred(bad), None, "{bad}");
        }
    }

    #[test]
    fn reference_names_a_vault_and_a_secret() {
        for text in [
            "vault://a-1/b_c",
            "vault://a-1/b_c@12",
            "vault://a-1/b_c#x/y",
            "vault://a-1/b_c@1#x@2",
        ] {
            assert_eq!(referred(text), Some(("a-1", "b_c")), "{text}");
        }
    }
}
