//! The parts of the schema: tasks, retries, triggers.

use serde_json::{Map, Value, json};

use crate::again::{REPEAT_DEFAULT, REPEAT_MAX};
use crate::ids::ID_MAX;
use crate::keys::{TRIGGER, TRIGGER_ANY, TRIGGER_KINDS};
use crate::model::ITEMS_MAX;
use crate::pause::{APPROVERS_MAX, QUORUM_MAX};
use crate::retry::ATTEMPTS_MAX;
use crate::schedule::CATCH_UP_MAX;
use crate::task_kind::KINDS;

/// A definition of the same schema.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// A text that is not empty.
pub(super) fn text() -> Value {
    json!({"type": "string", "minLength": 1})
}

/// A list with at least so many items.
pub(super) fn list_of(items: &Value, least: usize) -> Value {
    json!({"type": "array", "items": items, "minItems": least})
}

/// A map whose values are alike.
pub(super) fn map_of(values: &Value) -> Value {
    json!({"type": "object", "additionalProperties": values})
}

/// A map with these keys only, beside those that are free.
pub(super) fn strict(properties: &Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {"^(x-|\\$schema$)": true},
        "additionalProperties": false,
        "required": required,
    })
}

pub(super) fn duration() -> Value {
    json!({
        "type": "string",
        "pattern": "^([0-9]+(ms|[smhdw]))+$",
        "description": "with units: 250ms, 30s, 1h30m",
    })
}

pub(super) fn retry() -> Value {
    let codes = list_of(&text(), 0);
    strict(
        &json!({
            "attempts": {"type": "integer", "minimum": 1, "maximum": ATTEMPTS_MAX, "default": 3},
            "delay": reference("duration"),
            "backoff": {"enum": ["constant", "linear", "exponential"], "default": "exponential"},
            "maxDelay": reference("duration"),
            "jitter": {"type": "boolean", "default": true},
            "errors": codes,
            "except": codes,
        }),
        &[],
    )
}

/// A task; `tools` says whether the names of tools are known.
pub(super) fn task(tools: bool) -> Value {
    let tool = if tools { reference("tool") } else { text() };
    let at_once = json!({"type": "integer", "minimum": 1, "maximum": 100});
    let mut task = strict(
        &json!({
            "id": {"type": "string", "pattern": format!("^[A-Za-z_][A-Za-z0-9_]{{0,{}}}$", ID_MAX - 1)},
            "tool": tool,
            "workflow": reference("name"),
            "set": {"type": "object"},
            "approve": approve(),
            "wait": wait(),
            "tasks": reference("tasks"),
            "params": {"type": ["object", "null"]},
            "connection": text(),
            "needs": list_of(&text(), 0),
            "when": reference("condition"),
            "runIf": {
                "enum": ["ready", "noneFailed", "allSucceeded", "allDone", "anySucceeded", "anyFailed"],
                "default": "ready",
            },
            "each": {"anyOf": [
                {"type": "array", "maxItems": ITEMS_MAX},
                {"type": "string", "pattern": "^\\$\\{"},
            ]},
            "as": text(),
            "maxConcurrent": at_once,
            "onItemError": {"enum": ["stop", "continue"], "default": "stop"},
            "repeat": strict(
                &json!({
                    "until": reference("condition"),
                    "delay": reference("duration"),
                    "max": {"type": "integer", "minimum": 1, "maximum": REPEAT_MAX, "default": REPEAT_DEFAULT},
                    "timeout": reference("duration"),
                }),
                &["until"],
            ),
            "retry": reference("retry"),
            "timeout": reference("duration"),
            "expect": reference("condition"),
            "onError": {"anyOf": [
                {"enum": ["stop", "continue"]},
                strict(&json!({"use": true}), &["use"]),
            ]},
            "onUnknown": {"enum": ["fail", "retry", "ask"], "default": "fail"},
            "undo": strict(&json!({"tool": tool, "params": {"type": ["object", "null"]}}), &["tool"]),
            "priority": {"type": "integer", "minimum": 0, "maximum": 100, "default": 0},
            "save": text(),
            "sensitive": {"type": "boolean", "default": false},
            "idempotencyKey": text(),
            "cache": strict(&json!({"key": text(), "ttl": reference("duration")}), &["key", "ttl"]),
        }),
        &["id"],
    );
    let kinds = KINDS.map(|kind| json!({"required": [kind]}));
    task["oneOf"] = json!(kinds);
    if tools {
        task["allOf"] = json!([reference("call")]);
        task["properties"]["undo"]["allOf"] = json!([reference("call")]);
    }
    task
}

fn approve() -> Value {
    strict(
        &json!({
            "message": text(),
            "approvers": {
                "type": "array",
                "items": {"type": "string", "pattern": "^(user:.|role:.|.*\\$\\{)"},
                "minItems": 1,
                "maxItems": APPROVERS_MAX,
            },
            "quorum": {"type": "integer", "minimum": 1, "maximum": QUORUM_MAX, "default": 1},
            "timeout": reference("duration"),
            "onTimeout": {"enum": ["reject", "approve", "fail"], "default": "reject"},
            "form": reference("inputs"),
        }),
        &["message", "approvers"],
    )
}

fn wait() -> Value {
    let event = strict(
        &json!({
            "topic": text(),
            "where": reference("condition"),
            "timeout": reference("duration"),
        }),
        &["topic"],
    );
    let computed = json!({"type": "string", "pattern": "\\$\\{"});
    let mut wait = strict(
        &json!({
            "for": {"anyOf": [reference("duration"), computed]},
            "until": text(),
            "event": {"anyOf": [text(), event]},
            "where": reference("condition"),
            "timeout": reference("duration"),
        }),
        &[],
    );
    wait["oneOf"] =
        json!([{"required": ["for"]}, {"required": ["until"]}, {"required": ["event"]}]);
    wait
}

pub(super) fn trigger() -> Value {
    let instant = text();
    let mut trigger = strict(
        &json!({
            "id": text(),
            "cron": text(),
            "rrule": text(),
            "interval": reference("duration"),
            "once": instant,
            "event": {"anyOf": [
                text(),
                strict(&json!({"topic": text(), "where": reference("condition")}), &["topic"]),
            ]},
            "webhook": strict(
                &json!({
                    "path": {"type": "string", "pattern": "^/"},
                    "methods": list_of(&json!({"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]}), 1),
                    "auth": {"enum": ["token", "hmac", "none"]},
                    "secret": text(),
                    "respond": {"enum": ["accepted", "result"], "default": "accepted"},
                }),
                &["path", "auth"],
            ),
            "file": strict(
                &json!({
                    "path": text(),
                    "glob": text(),
                    "events": list_of(&json!({"enum": ["created", "changed", "deleted"]}), 1),
                    "settle": reference("duration"),
                }),
                &["path"],
            ),
            "email": strict(&json!({"connection": text(), "folder": text()}), &["connection"]),
            "when": reference("condition"),
            "inputs": {"type": "object"},
            "start": instant,
            "timezone": text(),
            "dst": strict(
                &json!({
                    "gap": {"enum": ["after", "shift", "skip"]},
                    "overlap": {"enum": ["first", "last", "both"]},
                }),
                &[],
            ),
            "jitter": reference("duration"),
            "catchUp": {"enum": ["none", "last", "all"], "default": "last"},
            "catchUpWindow": reference("duration"),
            "catchUpMax": {"type": "integer", "minimum": 1, "maximum": CATCH_UP_MAX, "default": 100},
            "until": instant,
            "except": {"anyOf": [text(), list_of(&text(), 0)]},
            "overlap": {"enum": ["skip", "queueOne", "queue", "allow", "cancelRunning"]},
        }),
        &[],
    );
    let kinds = TRIGGER_KINDS.map(|(kind, settings)| {
        let others = TRIGGER.names.iter().filter(|name| {
            **name != kind && !TRIGGER_ANY.contains(name) && !settings.contains(name)
        });
        let none: Map<String, Value> = others
            .map(|name| ((*name).to_owned(), json!(false)))
            .collect();
        json!({"required": [kind], "properties": none})
    });
    trigger["oneOf"] = json!(kinds);
    trigger
}
