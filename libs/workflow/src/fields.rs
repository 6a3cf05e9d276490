//! The keys of a map of the file against those that the format knows.

use crate::diagnostic::{Report, quote};
use crate::keys::Keys;
use crate::nearest::nearest;
use crate::tree::Entry;

/// A map whose keys were checked.
#[derive(Debug)]
pub(crate) struct Fields<'t> {
    /// Keys that are read, or that are surely another spelling of one.
    read: Vec<(&'static str, &'t Entry)>,
    /// Keys that are reported: the key of the format that they are or may be.
    reported: Vec<Option<&'static str>>,
}

impl<'t> Fields<'t> {
    /// The entry of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'t Entry> {
        self.read
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, entry)| *entry)
    }

    /// Every entry with its key as the format has it.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &'t Entry)> + '_ {
        self.read.iter().map(|(key, entry)| (*key, *entry))
    }

    /// Whether the key is there, or a reported one may have been meant as it.
    pub(crate) fn may_have(&self, key: &str) -> bool {
        self.get(key).is_some() || self.reported.contains(&Some(key))
    }
}

impl Keys {
    /// Reports every key that is not read. `owner` is as in ``task `b` ``.
    pub(crate) fn check<'t>(
        &self,
        report: &mut Report<'_>,
        entries: &'t [Entry],
        owner: &str,
    ) -> Fields<'t> {
        let mut fields = Fields {
            read: Vec::with_capacity(entries.len()),
            reported: Vec::new(),
        };
        let mut others = Vec::new();
        for entry in entries {
            if let Some(key) = self.names.iter().find(|key| **key == entry.key) {
                fields.read.push((key, entry));
            } else if !is_free(&entry.key) {
                others.push(entry);
            }
        }
        let mut spelled: Vec<(&'static str, &'t Entry)> = Vec::new();
        for entry in others {
            let meant = self.report(report, &fields, entry, owner);
            fields.reported.push(meant.map(|(key, _)| key));
            spelled.extend(meant.filter(|(_, sure)| *sure).map(|(key, _)| (key, entry)));
        }
        for (key, entry) in spelled {
            if fields.get(key).is_none() && self.names.contains(&key) {
                fields.read.push((key, entry));
            }
        }
        fields
    }

    /// Whether the format has the key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.names.contains(&key)
    }

    /// Reports a key that is not read. The key that it is or may have been meant as, and whether surely.
    fn report(
        &self,
        report: &mut Report<'_>,
        fields: &Fields<'_>,
        entry: &Entry,
        owner: &str,
    ) -> Option<(&'static str, bool)> {
        let (key, span) = (quote(&entry.key), entry.key_span);
        let Some((name, sure)) = self.meant(report, &entry.key) else {
            let keys = self
                .names
                .iter()
                .map(|key| format!("`{key}`"))
                .collect::<Vec<_>>()
                .join(", ");
            let diagnostic = report.error(
                "UNKNOWN_KEY",
                span,
                format!("unknown key `{key}` in {owner}"),
            );
            diagnostic.hint(format!("the keys are {keys}"));
            return None;
        };
        let free = fields.get(name).is_none();
        let message = format!("unknown key `{key}` in {owner}; did you mean `{name}`?");
        let word = report.word_at(span, name);
        let diagnostic = report.error("UNKNOWN_KEY", span, message);
        if sure && free && self.names.contains(&name) {
            diagnostic.edit(span, word);
        }
        Some((name, sure && free))
    }

    /// The key that was meant by a name that is none, and whether its value is surely written alike.
    fn meant(&self, report: &mut Report<'_>, key: &str) -> Option<(&'static str, bool)> {
        let plain = plain(key);
        let mut all = self.names.iter().copied();
        if let Some(spelled) = all.clone().find(|known| known.to_lowercase() == plain) {
            return Some((spelled, true));
        }
        if let Some((_, name)) = self.other_names.iter().find(|(other, _)| *other == plain) {
            return Some((name, SAME_VALUE.contains(&plain.as_str())));
        }
        if !report.may_suggest() {
            return None;
        }
        let near = nearest(key, all.by_ref())?;
        let known = self.names.iter().find(|known| **known == near.name)?;
        Some((known, near.is_sure()))
    }
}

/// Other names of keys whose values are written alike.
const SAME_VALUE: [&str; 9] = [
    "steps",
    "dependson",
    "if",
    "condition",
    "with",
    "uses",
    "variables",
    "foreach",
    "parameters",
];

fn plain(key: &str) -> String {
    key.chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Keys that anyone may use for their own purposes.
fn is_free(key: &str) -> bool {
    key.starts_with("x-") || key == "$schema"
}
