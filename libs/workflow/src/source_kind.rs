//! Triggers that go by something that happened: `event`, `webhook`, `file`, `email`.

use serde_json::{Map, Value};

use crate::field;
use crate::fields::Fields;
use crate::head::is_reference;
use crate::keys::{self, Keys};
use crate::pause::check_topic;
use crate::schedule::word;
use crate::tree::{Data, Entry};
use crate::triggers::fixed;
use crate::value::{Place, Reader};

const AUTH: [&str; 3] = ["token", "hmac", "none"];
const RESPOND: [&str; 2] = ["accepted", "result"];
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const FILE_EVENTS: [&str; 3] = ["created", "changed", "deleted"];

/// Reads the value of such a trigger; a name of a secret becomes its reference. `None` when
/// something is wrong, which is reported.
pub(crate) fn read(
    reader: &mut Reader<'_, '_, '_>,
    kind: &str,
    entry: &Entry,
    owner: &str,
    secrets: &[(String, String)],
) -> Option<Value> {
    let owner = &format!("`{kind}` of {owner}");
    match kind {
        "event" => event(reader, entry, owner),
        "webhook" => webhook(reader, entry, owner, secrets),
        "file" => file(reader, entry, owner),
        _ => {
            let as_in = "{connection: mail}";
            let (fields, value) = map(reader, entry, &keys::EMAIL, owner, as_in, &["connection"])?;
            for key in ["connection", "folder"] {
                fields
                    .get(key)
                    .map(|e| field::text(reader.report, e, owner));
            }
            fixed(reader.report, &entry.value, owner).then_some(value)
        }
    }
}

/// The fields of a map, all of `required` there, and its value.
fn map<'t>(
    reader: &mut Reader<'_, '_, '_>,
    entry: &'t Entry,
    keys: &Keys,
    owner: &str,
    as_in: &str,
    required: &[&str],
) -> Option<(Fields<'t>, Value)> {
    let Some(entries) = entry.value.map() else {
        let expected = format!("a map as `{as_in}`");
        field::unexpected_value(reader.report, &entry.value, owner, &expected);
        return None;
    };
    let fields = keys.check(reader.report, entries, owner);
    for key in required {
        if !fields.may_have(key) {
            let message = format!("{owner} has no `{key}`");
            reader.report.error("MISSING_KEY", entry.key_span, message);
        }
    }
    let value: Map<String, Value> = fields
        .all()
        .map(|(key, entry)| (key.to_owned(), entry.value.value()))
        .collect();
    Some((fields, Value::Object(value)))
}

/// A topic as text, or a map with it.
fn event(reader: &mut Reader<'_, '_, '_>, entry: &Entry, owner: &str) -> Option<Value> {
    if let Data::Text(topic, _) = &entry.value.data {
        check_topic(reader, topic, entry.value.span, owner);
        return fixed(reader.report, &entry.value, owner).then(|| entry.value.value());
    }
    let as_in = "{topic: order.created}";
    let (fields, value) = map(reader, entry, &keys::EVENT, owner, as_in, &["topic"])?;
    if let Some(topic) = fields.get("topic") {
        let text = field::text(reader.report, topic, owner)?;
        check_topic(reader, &text, topic.value.span, owner);
        if !fixed(reader.report, &topic.value, owner) {
            return None;
        }
    }
    if let Some(filter) = fields.get("where") {
        let place = Place {
            event: true,
            run: false,
            ..Place::before("triggers.event.where")
        };
        reader.condition(filter, &place, owner)?;
    }
    Some(value)
}

fn webhook(
    reader: &mut Reader<'_, '_, '_>,
    entry: &Entry,
    owner: &str,
    secrets: &[(String, String)],
) -> Option<Value> {
    let as_in = "{path: /hooks/x, auth: hmac, secret: \"${secrets.hook}\"}";
    let required = ["path", "auth"];
    let (fields, mut value) = map(reader, entry, &keys::WEBHOOK, owner, as_in, &required)?;
    if let Some(path) = fields.get("path") {
        let text = path.value.text();
        if !text.is_some_and(|text| text.starts_with('/') && !text.contains(['?', '#', ' '])) {
            field::unexpected(reader.report, path, owner, "a path as `/hooks/refund`");
        }
    }
    for (key, all) in [("auth", AUTH.as_slice()), ("respond", RESPOND.as_slice())] {
        if let Some(entry) = fields.get(key) {
            word(reader.report, entry, owner, all);
        }
    }
    list(reader, fields.get("methods"), owner, &METHODS);
    let auth = fields.get("auth").and_then(|entry| entry.value.text());
    match (auth, fields.get("secret")) {
        (Some("none"), Some(secret)) => {
            let message = format!("{owner} has `auth: none` and a `secret`");
            reader
                .report
                .error("INVALID_VALUE", secret.key_span, message);
        }
        (Some("token" | "hmac"), None) if !fields.may_have("secret") => {
            let message = format!("{owner} has no `secret`");
            let diagnostic = reader.report.error("MISSING_KEY", entry.key_span, message);
            diagnostic
                .hint("as in `secret: \"${secrets.hook}\"`, or a reference `vault://vault/secret`");
        }
        _ => {}
    }
    if let Some(entry) = fields.get("secret") {
        let reference = secret(reader, entry, owner, secrets)?;
        if let Value::Object(map) = &mut value {
            map.insert("secret".to_owned(), reference.into());
        }
    }
    for (key, entry) in fields.all() {
        if key != "secret" && !fixed(reader.report, &entry.value, owner) {
            return None;
        }
    }
    Some(value)
}

/// The reference that a webhook's secret is.
fn secret(
    reader: &mut Reader<'_, '_, '_>,
    entry: &Entry,
    owner: &str,
    secrets: &[(String, String)],
) -> Option<String> {
    let Some(text) = entry.value.text() else {
        field::unexpected(
            reader.report,
            entry,
            owner,
            "`${secrets.name}` or a reference",
        );
        return None;
    };
    if is_reference(text) {
        return Some(text.to_owned());
    }
    if !text.contains("${") {
        // What may be the secret itself is not repeated.
        let message = format!(
            "`secret` of {owner}: expected `${{secrets.name}}` or a reference as `vault://vault/secret`"
        );
        reader
            .report
            .error("LITERAL_SECRET", entry.value.span, message);
        return None;
    }
    let place = Place {
        secret: true,
        run: false,
        ..Place::before("triggers.webhook.secret")
    };
    let template = reader.template(&entry.value, &place)?;
    let (expression, _) = template.expressions().next()?;
    let name = expression.text().trim().strip_prefix("secrets.");
    let known = name.and_then(|name| {
        secrets
            .iter()
            .find(|(known, _)| known == name.trim_matches('"'))
    });
    if known.is_none() && name.is_none() {
        field::unexpected(
            reader.report,
            entry,
            owner,
            "`${secrets.name}` or a reference",
        );
    }
    known.map(|(_, reference)| reference.clone())
}

fn file(reader: &mut Reader<'_, '_, '_>, entry: &Entry, owner: &str) -> Option<Value> {
    let as_in = "{path: work://in, glob: \"*.csv\"}";
    let (fields, value) = map(reader, entry, &keys::FILE, owner, as_in, &["path"])?;
    for key in ["path", "glob"] {
        fields
            .get(key)
            .map(|e| field::text(reader.report, e, owner));
    }
    list(reader, fields.get("events"), owner, &FILE_EVENTS);
    if let Some(settle) = fields.get("settle") {
        field::duration(reader.report, settle, owner, true);
    }
    fixed(reader.report, &entry.value, owner).then_some(value)
}

/// A list of some of the words, at least one.
fn list(reader: &mut Reader<'_, '_, '_>, entry: Option<&Entry>, owner: &str, all: &[&str]) {
    let Some((entry, items)) =
        entry.and_then(|e| Some((e, field::texts(reader.report, e, owner)?)))
    else {
        return;
    };
    let wrong = items.iter().find(|(item, _)| !all.contains(&item.as_str()));
    if items.is_empty() || wrong.is_some() {
        let span = wrong.map_or(entry.value.span, |(_, span)| *span);
        let message = format!(
            "`{}` of {owner}: expected some of {}",
            entry.key,
            all.join(", ")
        );
        reader.report.error("INVALID_VALUE", span, message);
    }
}
