//! The keys of the format, as data: which are read, which are not built yet, and what others call them.

use crate::diagnostic::{Report, quote};
use crate::nearest::nearest;
use crate::tree::Entry;

/// The keys of one kind of map.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Keys that are read.
    pub(crate) built: &'static [&'static str],
    /// Keys of the format that are not built yet.
    pub(crate) planned: &'static [&'static str],
    /// What other formats call a key, in lower case without `_` and `-`.
    pub(crate) other_names: &'static [(&'static str, &'static str)],
}

pub(crate) const WORKFLOW: Keys = Keys {
    built: &[
        "name",
        "title",
        "description",
        "labels",
        "inputs",
        "vars",
        "maxConcurrent",
        "timeout",
        "retry",
        "onError",
        "outputs",
        "tasks",
    ],
    planned: &[
        "secrets",
        "triggers",
        "concurrency",
        "priority",
        "onFailure",
        "onSuccess",
        "finally",
    ],
    other_names: &[
        ("steps", "tasks"),
        ("jobs", "tasks"),
        ("nodes", "tasks"),
        ("id", "name"),
        ("env", "vars"),
        ("variables", "vars"),
        ("params", "inputs"),
        ("parameters", "inputs"),
        ("arguments", "inputs"),
        ("on", "triggers"),
        ("schedule", "triggers"),
        ("results", "outputs"),
        ("returns", "outputs"),
        ("maxparallel", "maxConcurrent"),
        ("parallelism", "maxConcurrent"),
        ("continueonerror", "onError"),
        ("failuremode", "onError"),
        ("retrypolicy", "retry"),
        ("retries", "retry"),
    ],
};

pub(crate) const TASK: Keys = Keys {
    built: &[
        "id",
        "tool",
        "set",
        "params",
        "connection",
        "needs",
        "when",
        "runIf",
        "each",
        "as",
        "maxConcurrent",
        "onItemError",
        "retry",
        "timeout",
        "onError",
        "expect",
        "idempotencyKey",
    ],
    planned: &[
        "workflow",
        "approve",
        "wait",
        "tasks",
        "repeat",
        "onUnknown",
        "undo",
        "priority",
        "save",
        "sensitive",
        "cache",
    ],
    other_names: &[
        ("dependson", "needs"),
        ("dependencies", "needs"),
        ("depends", "needs"),
        ("after", "needs"),
        ("if", "when"),
        ("condition", "when"),
        ("with", "params"),
        ("args", "params"),
        ("arguments", "params"),
        ("parameters", "params"),
        ("inputs", "params"),
        ("input", "params"),
        ("uses", "tool"),
        ("action", "tool"),
        ("call", "tool"),
        ("use", "tool"),
        ("name", "id"),
        ("foreach", "each"),
        ("for", "each"),
        ("items", "each"),
        ("withitems", "each"),
        ("itemname", "as"),
        ("retrypolicy", "retry"),
        ("retries", "retry"),
        ("timeoutseconds", "timeout"),
        ("continueonerror", "onError"),
        ("vars", "set"),
        ("assert", "expect"),
        ("maxparallel", "maxConcurrent"),
        ("saveas", "save"),
        ("until", "repeat"),
        ("steps", "tasks"),
    ],
};

pub(crate) const RETRY: Keys = Keys {
    built: &[
        "attempts", "delay", "backoff", "maxDelay", "jitter", "errors", "except",
    ],
    planned: &[],
    other_names: &[
        ("maxattempts", "attempts"),
        ("max", "attempts"),
        ("times", "attempts"),
        ("initialdelay", "delay"),
        ("interval", "delay"),
        ("wait", "delay"),
        ("strategy", "backoff"),
        ("on", "errors"),
    ],
};

pub(crate) const ON_ERROR: Keys = Keys {
    built: &["use"],
    planned: &["undo"],
    other_names: &[("value", "use"), ("default", "use"), ("fallback", "use")],
};

/// Keys of an Oktyv document, of its tasks, of a task's `retryPolicy`, and of its `config`.
pub(crate) const OKTYV: Keys = Keys {
    built: &["tasks", "config"],
    planned: &[],
    other_names: &[],
};
pub(crate) const OKTYV_TASK: Keys = Keys {
    built: &[
        "id",
        "tool",
        "params",
        "dependsOn",
        "timeout",
        "retryPolicy",
        "priority",
        "vault",
    ],
    planned: &[],
    other_names: &[("needs", "dependsOn"), ("retry", "retryPolicy")],
};
pub(crate) const OKTYV_RETRY: Keys = Keys {
    built: &["maxAttempts", "backoff", "initialDelay"],
    planned: &[],
    other_names: &[],
};
pub(crate) const OKTYV_CONFIG: Keys = Keys {
    built: &["maxConcurrent", "continueOnError", "failureMode", "timeout"],
    planned: &[],
    other_names: &[],
};

/// Names that an expression can read beside tasks: no task may be called so.
pub(crate) const ROOTS: [&str; 9] = [
    "inputs", "vars", "secrets", "run", "trigger", "now", "item", "index", "event",
];

/// Of [`ROOTS`] those that are not built yet.
pub(crate) const PLANNED_ROOTS: [&str; 3] = ["secrets", "trigger", "event"];

/// What `run` has.
pub(crate) const RUN_FIELDS: [&str; 10] = [
    "id",
    "workflow",
    "version",
    "url",
    "scheduledAt",
    "startTime",
    "status",
    "error",
    "failedTask",
    "actor",
];

/// What a task has for others.
pub(crate) const TASK_FIELDS: [&str; 8] = [
    "result",
    "status",
    "error",
    "attempts",
    "startTime",
    "endTime",
    "duration",
    "errors",
];

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
            if let Some(key) = self.built.iter().find(|key| **key == entry.key) {
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
            if fields.get(key).is_none() && self.built.contains(&key) {
                fields.read.push((key, entry));
            }
        }
        fields
    }

    /// Whether the format has the key, built or not.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.built.contains(&key) || self.planned.contains(&key)
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
        if let Some(planned) = self.planned.iter().find(|planned| **planned == entry.key) {
            report.error(
                "NOT_IMPLEMENTED",
                span,
                format!("key `{key}` of {owner} is not built yet"),
            );
            return Some((planned, false));
        }
        let Some((name, sure)) = self.meant(report, &entry.key) else {
            let keys = self
                .built
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
        if sure && free && self.built.contains(&name) {
            diagnostic.edit(span, word);
        }
        Some((name, sure && free))
    }

    /// The key that was meant by a name that is none, and whether its value is surely written alike.
    fn meant(&self, report: &mut Report<'_>, key: &str) -> Option<(&'static str, bool)> {
        let plain = plain(key);
        let mut all = self.built.iter().chain(self.planned).copied();
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
        let known = self
            .built
            .iter()
            .chain(self.planned)
            .find(|known| **known == near.name)?;
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
