//! What a workflow needs around it, and when it starts by itself, as far as a server tells.

use std::collections::HashMap;

use gearmesh_workflow::{Trigger, Workflow};
use serde_json::{Value, json};

use crate::client::Client;
use crate::error::Error;
use crate::style::{Style, Tone};
use crate::text::{field, list, printable, texts};

/// Fires of each trigger that are shown.
const FIRES: u32 = 3;

/// The kinds of triggers that fire by the clock, and what the scheduler calls them.
const BY_CLOCK: [(&str, &str); 4] = [
    ("cron", "cronExpression"),
    ("rrule", "rrule"),
    ("interval", "interval"),
    ("once", "executeAt"),
];

/// Settings of a trigger that say when it fires.
const SETTINGS: [&str; 6] = ["timezone", "dst", "start", "until", "except", "jitter"];

/// The secrets of a workflow, each with whether it is there; null: that is not known.
pub(crate) async fn secrets(workflow: &Workflow, client: Option<&Client>) -> Vec<Value> {
    let mut vaults: HashMap<String, Option<Vec<String>>> = HashMap::new();
    let mut told = Vec::new();
    for (name, reference) in &workflow.secrets {
        let found = match (client, parts(reference)) {
            (Some(client), Some((vault, secret))) => {
                if !vaults.contains_key(vault) {
                    let names = names(client, vault).await;
                    vaults.insert(vault.to_owned(), names);
                }
                let names = vaults.get(vault).and_then(Option::as_ref);
                names.map(|names| names.iter().any(|name| name == secret))
            }
            _ => None,
        };
        told.push(json!({"name": name, "reference": reference, "found": found}));
    }
    told
}

/// Vault and secret of `vault://vault/secret@version#field`.
fn parts(reference: &str) -> Option<(&str, &str)> {
    let (vault, rest) = reference.strip_prefix("vault://")?.split_once('/')?;
    let secret = rest.split(['@', '#']).next()?;
    Some((vault, secret))
}

/// The names of a vault's secrets; `None` when they cannot be seen.
async fn names(client: &Client, vault: &str) -> Option<Vec<String>> {
    match client.call("vault.list", json!({"vaultName": vault})).await {
        Ok(answer) => {
            let names = texts(&answer, "credentials");
            Some(names.map(str::to_owned).collect())
        }
        Err(Error::Call(failure)) if failure.reason == "VAULT_NOT_FOUND" => Some(Vec::new()),
        Err(_) => None,
    }
}

/// The triggers of a workflow, those of the clock with their next fires.
pub(crate) async fn triggers(workflow: &Workflow, client: Option<&Client>) -> Vec<Value> {
    let mut told = Vec::new();
    for trigger in &workflow.triggers {
        let mut one = json!({"kind": trigger.kind, "value": trigger.value});
        if let Some(id) = &trigger.id {
            one["id"] = id.clone().into();
        }
        let answer = match (client, preview(trigger)) {
            (Some(client), Some(params)) => client.call("scheduler.preview", params).await.ok(),
            _ => None,
        };
        if let Some(mut answer) = answer {
            for name in ["fires", "meaning", "notes"] {
                one[name] = answer.get_mut(name).map(Value::take).unwrap_or_default();
            }
        }
        told.push(one);
    }
    told
}

/// The parameters of a preview; `None` for what does not fire by the clock.
fn preview(trigger: &Trigger) -> Option<Value> {
    let (_, name) = BY_CLOCK.iter().find(|(kind, _)| *kind == trigger.kind)?;
    let mut params = json!({"count": FIRES});
    params[*name] = trigger.value.clone();
    for setting in SETTINGS {
        if let Some(value) = trigger.settings.get(setting) {
            params[setting] = value.clone();
        }
    }
    Some(params)
}

/// Secrets and triggers of a plan, for people.
pub(crate) fn lines(plan: &Value, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for secret in list(plan, "secrets") {
        let reference = printable(field(secret, "reference")).into_owned();
        lines.push(match secret.get("found").and_then(Value::as_bool) {
            Some(true) => format!("secret {reference}"),
            Some(false) => {
                let missing = format!("secret {reference} is missing");
                style.paint(Tone::Bad, &missing)
            }
            None => format!("secret {reference}, not looked for"),
        });
    }
    for trigger in list(plan, "triggers") {
        let value = match trigger.get("value") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let mut line = format!("trigger {} {value}", field(trigger, "kind"));
        if !field(trigger, "meaning").is_empty() {
            line.push_str(&format!(": {}", field(trigger, "meaning")));
        }
        lines.push(printable(&line).into_owned());
        for fire in list(trigger, "fires") {
            let local = field(fire, "local").replace('T', " ");
            let line = format!("  next {local} {}", field(fire, "offset"));
            lines.push(printable(&line).into_owned());
        }
        for note in texts(trigger, "notes") {
            lines.push(style.paint(Tone::Notice, &format!("  note {}", printable(note))));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::Map;

    use super::*;

    #[test]
    fn reference_has_a_vault_and_a_secret() {
        assert_eq!(parts("vault://demo/hook"), Some(("demo", "hook")));
        assert_eq!(parts("vault://demo/hook@3#key"), Some(("demo", "hook")));
        assert_eq!(parts("demo/hook"), None);
    }

    #[test]
    fn trigger_of_the_clock_is_asked_for_by_the_words_of_the_scheduler() {
        let trigger = |kind: &str, value: Value| Trigger {
            id: None,
            kind: kind.into(),
            value,
            when: None,
            inputs: Vec::new(),
            settings: Map::from_iter([
                ("timezone".to_owned(), json!("Europe/Chisinau")),
                ("catchUp".to_owned(), json!("last")),
            ]),
        };
        assert_eq!(
            preview(&trigger("cron", json!("30 2 * * *"))),
            Some(
                json!({"count": 3, "cronExpression": "30 2 * * *", "timezone": "Europe/Chisinau"})
            )
        );
        assert_eq!(preview(&trigger("webhook", json!({}))), None);
    }

    #[test]
    fn missing_secrets_and_next_fires_are_told() {
        let plan = json!({
            "secrets": [{"reference": "vault://a/b", "found": true}, {"reference": "vault://a/c", "found": false}, {"reference": "vault://a/d"}],
            "triggers": [{"kind": "cron", "value": "30 2 * * *", "meaning": "At 02:30", "notes": ["2027-03-28: x"],
                "fires": [{"local": "2026-11-22T02:30:00", "offset": "+02:00"}]},
                {"kind": "webhook", "value": {"path": "/hooks/x"}}],
        });
        expect![[r#"
            secret vault://a/b
            secret vault://a/c is missing
            secret vault://a/d, not looked for
            trigger cron 30 2 * * *: At 02:30
              next 2026-11-22 02:30:00 +02:00
              note 2027-03-28: x
            trigger webhook {"path":"/hooks/x"}"#]]
        .assert_eq(&lines(&plan, Style::default()).join("\n"));
    }
}
