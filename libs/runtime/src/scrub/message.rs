//! The texts and bytes of a message.

use std::collections::HashMap;

use bytes::Bytes;
use prost_reflect::{DynamicMessage, MapKey, ReflectMessage, Value};
use serde::de::IgnoredAny;

use super::forms::Forms;

/// The message that holds any JSON value as text.
const JSON: &str = "gearmesh.tool.v1.Json";

/// Scrubs all that a message holds; says whether there was anything.
pub(super) fn scrub(message: &mut DynamicMessage, forms: &Forms) -> bool {
    let is_json = message.descriptor().full_name() == JSON;
    let mut changed = false;
    for (_, value) in message.fields_mut() {
        changed |= match value {
            Value::Bytes(text) if is_json => json(text, forms),
            value => self::value(value, forms),
        };
    }
    changed
}

fn value(value: &mut Value, forms: &Forms) -> bool {
    match value {
        Value::String(text) => match forms.text(text) {
            Some(clean) => {
                *text = clean;
                true
            }
            None => false,
        },
        Value::Bytes(bytes) => match forms.bytes(bytes) {
            Some(clean) => {
                *bytes = clean.into();
                true
            }
            None => false,
        },
        Value::Message(message) => scrub(message, forms),
        Value::List(list) => {
            let mut changed = false;
            for element in list {
                changed |= self::value(element, forms);
            }
            changed
        }
        Value::Map(map) => self::map(map, forms),
        _ => false,
    }
}

fn map(map: &mut HashMap<MapKey, Value>, forms: &Forms) -> bool {
    let mut changed = false;
    for element in map.values_mut() {
        changed |= value(element, forms);
    }
    let keys: Vec<(MapKey, String)> = map
        .keys()
        .filter_map(|key| Some((key.clone(), forms.text(key.as_str()?)?)))
        .collect();
    for (key, clean) in keys {
        if let Some(element) = map.remove(&key) {
            map.insert(MapKey::String(clean), element);
            changed = true;
        }
    }
    changed
}

/// Scrubs JSON text, which stays JSON.
fn json(text: &mut Bytes, forms: &Forms) -> bool {
    let Some(clean) = forms.bytes(text) else {
        return false;
    };
    // A value of digits alone may have stood as a number, and a mark is none.
    *text = if serde_json::from_slice::<IgnoredAny>(&clean).is_ok() {
        clean.into()
    } else {
        match serde_json::from_slice(text) {
            Ok(mut tree) => {
                walk(&mut tree, forms);
                tree.to_string().into()
            }
            Err(_) => Bytes::from_static(b"null"),
        }
    };
    true
}

fn walk(tree: &mut serde_json::Value, forms: &Forms) {
    use serde_json::Value::{Array, Number, Object, String};
    match tree {
        String(text) => {
            if let Some(clean) = forms.text(text) {
                *text = clean;
            }
        }
        Number(number) => {
            if let Some(clean) = forms.text(&number.to_string()) {
                *tree = String(clean);
            }
        }
        Array(list) => list.iter_mut().for_each(|v| walk(v, forms)),
        Object(members) => {
            *members = std::mem::take(members)
                .into_iter()
                .map(|(key, mut value)| {
                    walk(&mut value, forms);
                    (forms.text(&key).unwrap_or(key), value)
                })
                .collect();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn scrubbed(value: &str, text: &str) -> String {
        let forms = Forms::of(&[("r".to_owned(), Secret::new(value.into()))]);
        let mut bytes = Bytes::copy_from_slice(text.as_bytes());
        json(&mut bytes, &forms);
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn json_stays_json() {
        assert_eq!(
            scrubbed("a\"b\\c\n", r#"{"k":"x a\"b\\c\n y","z":1.50}"#),
            r#"{"k":"x «redacted:r» y","z":1.50}"#
        );
        assert_eq!(
            scrubbed("123456", r#"{"a":123456,"123456":"n"}"#),
            r#"{"a":"«redacted:r»","«redacted:r»":"n"}"#
        );
        assert_eq!(scrubbed("absent", "[1, 2]"), "[1, 2]");
    }
}
