//! YAML as people write it: small maps and lists in one line, texts without quotes where they
//! mean themselves.

use serde_json::Value;

use crate::scalar;

/// Longest line with a map or a list in it, in characters.
const LINE_MAX: usize = 100;

/// A document as it grows.
#[derive(Debug, Default)]
pub(super) struct Yaml {
    text: String,
}

impl Yaml {
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// A comment of one line; what it quotes may have others.
    pub(super) fn comment(&mut self, indent: usize, text: &str) {
        let text: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        self.line(indent, &format!("# {text}"));
    }

    /// A key without a value: what follows is deeper.
    pub(super) fn open(&mut self, indent: usize, key: &str) {
        self.line(indent, &format!("{}:", word(key)));
    }

    /// A key with its value.
    pub(super) fn entry(&mut self, indent: usize, key: &str, value: &Value) {
        let head = format!("{}:", word(key));
        self.put(indent, indent, &head, value);
    }

    /// The entries of a map as one item of a list, in a block of its own.
    pub(super) fn item(&mut self, indent: usize, entries: &[(String, Value)]) {
        for (at, (key, value)) in entries.iter().enumerate() {
            let dash = if at == 0 { "- " } else { "  " };
            let head = format!("{dash}{}:", word(key));
            self.put(indent, indent + 2, &head, value);
        }
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A value behind its head: in the same line if it fits, else below, deeper than `under`.
    fn put(&mut self, indent: usize, under: usize, head: &str, value: &Value) {
        let flow = flow(value);
        let fits = indent + head.chars().count() + flow.chars().count() < LINE_MAX;
        match value {
            Value::Object(map) if !fits && !map.is_empty() => {
                self.line(indent, head);
                for (key, value) in map {
                    self.entry(under + 2, key, value);
                }
            }
            Value::Array(items) if !fits && !items.is_empty() => {
                self.line(indent, head);
                for item in items {
                    self.list_item(under + 2, item);
                }
            }
            _ => self.line(indent, &format!("{head} {flow}")),
        }
    }

    fn list_item(&mut self, indent: usize, item: &Value) {
        match item {
            Value::Object(map) if !map.is_empty() && flow(item).chars().count() > LINE_MAX => {
                let entries: Vec<(String, Value)> =
                    map.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                self.item(indent, &entries);
            }
            // What is nested deeper than this stands in one line, however long.
            _ => self.line(indent, &format!("- {}", flow(item))),
        }
    }
}

/// A value in one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", word(key), flow(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text, in quotes unless it means itself without them.
pub(super) fn word(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    // The notation of JSON is one of YAML's, but for characters that YAML does not print.
    let mut quoted = String::with_capacity(text.len() + 2);
    for character in Value::from(text).to_string().chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{feff}' | '\u{2028}' | '\u{2029}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted
}

fn is_plain(text: &str) -> bool {
    let starts = |c: char| c.is_alphabetic() || matches!(c, '_' | '/');
    let inside = |c: char| c.is_alphanumeric() || " _-./:@+'()!?=;~".contains(c);
    let duration = text.chars().all(|c| c.is_ascii_alphanumeric());
    let plain = duration || (text.starts_with(starts) && text.chars().all(inside));
    plain
        && !text.is_empty()
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && scalar::resolve(text).is_none()
}
