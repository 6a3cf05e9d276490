//! The keys of the format, as data, and what others call them.

/// The keys of one kind of map.
#[derive(Debug)]
pub(crate) struct Keys {
    /// What the map belongs to, in one word.
    pub(crate) owner: &'static str,
    /// The keys.
    pub(crate) names: &'static [&'static str],
    /// What other formats call a key, in lower case without `_` and `-`.
    pub(crate) other_names: &'static [(&'static str, &'static str)],
}

const fn keys(owner: &'static str, names: &'static [&'static str]) -> Keys {
    Keys {
        owner,
        names,
        other_names: &[],
    }
}

/// All maps of our own format.
const ALL: [&Keys; 16] = [
    &WORKFLOW,
    &CONCURRENCY,
    &TASK,
    &RETRY,
    &ON_ERROR,
    &APPROVE,
    &WAIT,
    &WAIT_EVENT,
    &REPEAT,
    &UNDO,
    &CACHE,
    &TRIGGER,
    &DST,
    &EVENT,
    &WEBHOOK,
    &FILE,
];

/// Every key of our own format, each with the word for the map that has it.
pub fn all_keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    let maps = ALL.into_iter().chain([&EMAIL]);
    maps.flat_map(|keys| keys.names.iter().map(|name| (keys.owner, *name)))
}

pub(crate) const WORKFLOW: Keys = Keys {
    owner: "workflow",
    names: &[
        "name",
        "title",
        "description",
        "labels",
        "inputs",
        "vars",
        "secrets",
        "triggers",
        "concurrency",
        "priority",
        "maxConcurrent",
        "timeout",
        "retry",
        "onError",
        "tasks",
        "outputs",
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
        ("onfail", "onFailure"),
        ("always", "finally"),
    ],
};

pub(crate) const TASK: Keys = Keys {
    owner: "task",
    names: &[
        "id",
        "tool",
        "workflow",
        "set",
        "approve",
        "wait",
        "tasks",
        "params",
        "connection",
        "needs",
        "when",
        "runIf",
        "each",
        "as",
        "maxConcurrent",
        "onItemError",
        "repeat",
        "retry",
        "timeout",
        "expect",
        "onError",
        "onUnknown",
        "undo",
        "priority",
        "save",
        "sensitive",
        "idempotencyKey",
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
    owner: "retry",
    names: &[
        "attempts", "delay", "backoff", "maxDelay", "jitter", "errors", "except",
    ],
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
    owner: "onError",
    names: &["use"],
    other_names: &[("value", "use"), ("default", "use"), ("fallback", "use")],
};

pub(crate) const CONCURRENCY: Keys = Keys {
    owner: "concurrency",
    names: &["limit", "key", "onConflict"],
    other_names: &[("max", "limit"), ("group", "key"), ("policy", "onConflict")],
};
pub(crate) const APPROVE: Keys = keys(
    "approve",
    &[
        "message",
        "approvers",
        "quorum",
        "timeout",
        "onTimeout",
        "form",
    ],
);
pub(crate) const WAIT: Keys = keys("wait", &["for", "until", "event", "where", "timeout"]);
pub(crate) const WAIT_EVENT: Keys = keys("wait.event", &["topic", "where", "timeout"]);
pub(crate) const REPEAT: Keys = Keys {
    owner: "repeat",
    names: &["until", "delay", "max", "timeout"],
    other_names: &[
        ("interval", "delay"),
        ("attempts", "max"),
        ("while", "until"),
    ],
};
pub(crate) const UNDO: Keys = keys("undo", &["tool", "params"]);
pub(crate) const CACHE: Keys = keys("cache", &["key", "ttl"]);

/// What a trigger is, with the settings that go with it beside [`TRIGGER_ANY`].
pub(crate) const TRIGGER_KINDS: [(&str, &[&str]); 8] = [
    ("cron", &SCHEDULE),
    ("rrule", &COUNTED),
    ("interval", &COUNTED),
    ("once", &SCHEDULE),
    ("event", &[]),
    ("webhook", &[]),
    ("file", &[]),
    ("email", &[]),
];

/// What every trigger may have.
pub(crate) const TRIGGER_ANY: [&str; 3] = ["id", "when", "inputs"];

const SCHEDULE: [&str; 9] = [
    "timezone",
    "dst",
    "jitter",
    "catchUp",
    "catchUpWindow",
    "catchUpMax",
    "until",
    "except",
    "overlap",
];

/// The settings of what counts from a first instant.
const COUNTED: [&str; 10] = [
    "start",
    "timezone",
    "dst",
    "jitter",
    "catchUp",
    "catchUpWindow",
    "catchUpMax",
    "until",
    "except",
    "overlap",
];

pub(crate) const TRIGGER: Keys = Keys {
    owner: "trigger",
    names: &[
        "id",
        "cron",
        "rrule",
        "interval",
        "once",
        "event",
        "webhook",
        "file",
        "email",
        "when",
        "inputs",
        "start",
        "timezone",
        "dst",
        "jitter",
        "catchUp",
        "catchUpWindow",
        "catchUpMax",
        "until",
        "except",
        "overlap",
    ],
    other_names: &[
        ("schedule", "cron"),
        ("every", "interval"),
        ("at", "once"),
        ("tz", "timezone"),
        ("zone", "timezone"),
        ("if", "when"),
        ("params", "inputs"),
        ("with", "inputs"),
        ("topic", "event"),
    ],
};
pub(crate) const DST: Keys = keys("dst", &["gap", "overlap"]);
pub(crate) const EVENT: Keys = keys("event", &["topic", "where"]);
pub(crate) const WEBHOOK: Keys = keys("webhook", &["path", "methods", "auth", "secret", "respond"]);
pub(crate) const FILE: Keys = keys("file", &["path", "glob", "events", "settle"]);
pub(crate) const EMAIL: Keys = keys("email", &["connection", "folder"]);

/// Keys of an Oktyv document, of its tasks, of a task's `retryPolicy`, and of its `config`.
pub(crate) const OKTYV: Keys = keys("request", &["tasks", "config"]);
pub(crate) const OKTYV_TASK: Keys = Keys {
    owner: "task",
    names: &[
        "id",
        "tool",
        "params",
        "dependsOn",
        "timeout",
        "retryPolicy",
        "priority",
        "vault",
    ],
    other_names: &[("needs", "dependsOn"), ("retry", "retryPolicy")],
};
pub(crate) const OKTYV_RETRY: Keys =
    keys("retryPolicy", &["maxAttempts", "backoff", "initialDelay"]);
pub(crate) const OKTYV_CONFIG: Keys = keys(
    "config",
    &["maxConcurrent", "continueOnError", "failureMode", "timeout"],
);

/// Names that an expression can read beside tasks: no task may be called so.
pub(crate) const ROOTS: [&str; 9] = [
    "inputs", "vars", "secrets", "run", "trigger", "now", "item", "index", "event",
];

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

/// Of [`RUN_FIELDS`] those that are known only once the graph has ended.
pub(crate) const RUN_END: [&str; 3] = ["status", "error", "failedTask"];

/// What `trigger` has, each kind some of them.
pub(crate) const TRIGGER_FIELDS: [&str; 10] = [
    "kind", "id", "time", "body", "headers", "query", "topic", "payload", "path", "message",
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
