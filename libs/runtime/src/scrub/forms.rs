//! The forms in which a value may stand in an answer.

use std::fmt::Write as _;

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::Secret;

/// Shorter values are no secrets that could be told from other text.
const LENGTH_MIN: usize = 6;

/// What to look for, and what to write in its place. The longest come first, so
/// that no form is broken by one that is a part of it.
#[derive(Default)]
pub(crate) struct Forms(Vec<Form>);

struct Form {
    bytes: Zeroizing<Vec<u8>>,
    mark: String,
}

impl Forms {
    /// The forms of these values, each with its reference.
    pub(super) fn of(all: &[(String, Secret)]) -> Self {
        let mut forms = Self::default();
        for (reference, secret) in all {
            forms.add(reference, secret.expose());
            // An engine may send one member of a value that is an object.
            if let Ok(serde_json::Value::Object(members)) = serde_json::from_str(secret.expose()) {
                for (name, member) in &members {
                    if let Some(text) = member.as_str() {
                        forms.add(&format!("{reference}#{name}"), text);
                    }
                }
            }
        }
        forms.0.sort_by_key(|f| std::cmp::Reverse(f.bytes.len()));
        forms
    }

    fn add(&mut self, reference: &str, value: &str) {
        if value.len() < LENGTH_MIN {
            return;
        }
        let mark = format!("«redacted:{reference}»");
        // A value that its own name tells would be told by the mark.
        let mark = if mark.contains(value) {
            "«redacted»".to_owned()
        } else {
            mark
        };
        let mut push = |bytes: Vec<u8>| {
            let bytes = Zeroizing::new(bytes);
            if !self.0.iter().any(|f| f.bytes == bytes) {
                let mark = mark.clone();
                self.0.push(Form { bytes, mark });
            }
        };
        push(value.as_bytes().to_vec());
        for escaped in [json(value), json_ascii(value)] {
            push(escaped.into_bytes());
        }
        for hex in [hex::encode(value), hex::encode_upper(value)] {
            push(hex.into_bytes());
        }
        for shift in 0..3 {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                push(base64(value, shift, engine));
            }
        }
        for (space, upper) in [("%20", true), ("%20", false), ("+", true), ("+", false)] {
            push(percent(value, space, upper).into_bytes());
        }
        push(value.encode_utf16().flat_map(u16::to_le_bytes).collect());
        push(value.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }

    /// The text without any of the forms; none when there is none in it.
    pub(super) fn text(&self, text: &str) -> Option<String> {
        let clean = self.bytes(text.as_bytes())?;
        Some(String::from_utf8_lossy(&clean).into_owned())
    }

    /// The bytes without any of the forms; none when there is none in them.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut clean: Option<Vec<u8>> = None;
        for form in &self.0 {
            let from = clean.as_deref().unwrap_or(bytes);
            if let Some(next) = replaced(from, &form.bytes, form.mark.as_bytes()) {
                clean = Some(next);
            }
        }
        clean
    }
}

fn replaced(bytes: &[u8], form: &[u8], mark: &[u8]) -> Option<Vec<u8>> {
    let mut hits = memchr::memmem::find_iter(bytes, form).peekable();
    hits.peek()?;
    let mut out = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for hit in hits {
        out.extend_from_slice(bytes.get(from..hit).unwrap_or_default());
        out.extend_from_slice(mark);
        from = hit + form.len();
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    Some(out)
}

/// The inside of the value as JSON text.
fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted
        .get(1..quoted.len().saturating_sub(1))
        .unwrap_or_default()
        .to_owned()
}

/// As [`json`], as those write it who keep to ASCII.
fn json_ascii(value: &str) -> String {
    let mut out = String::new();
    for c in json(value).chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// What base64 makes of the value when `shift` bytes stand before it, without the
/// characters that its neighbours decide about too.
fn base64(value: &str, shift: usize, engine: &impl base64::Engine) -> Vec<u8> {
    let mut padded = Zeroizing::new(vec![0; shift]);
    padded.extend_from_slice(value.as_bytes());
    let text = Zeroizing::new(engine.encode(&*padded).into_bytes());
    let (first, end) = ((8 * shift).div_ceil(6), 8 * padded.len() / 6);
    text.get(first..end).unwrap_or_default().to_vec()
}

fn percent(value: &str, space: &str, upper: bool) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
                Ok(())
            }
            b' ' => out.write_str(space),
            byte if upper => write!(out, "%{byte:02X}"),
            byte => write!(out, "%{byte:02x}"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const VALUE: &str = "pä$$ w/\"r?d>1~";

    fn forms(value: &str) -> Forms {
        Forms::of(&[("vault://a/b".to_owned(), Secret::new(value.to_owned()))])
    }

    #[test]
    fn value_goes_in_every_form() {
        let forms = forms(VALUE);
        let all = [
            VALUE.to_owned(),
            serde_json::json!({"k": VALUE}).to_string(),
            "\"p\\u00e4$$ w/\\\"r?d>1~\"".to_owned(),
            hex::encode(VALUE),
            hex::encode_upper(VALUE),
            "p%C3%A4%24%24%20w%2F%22r%3Fd%3E1~".to_owned(),
            "p%c3%a4%24%24+w%2f%22r%3fd%3e1~".to_owned(),
        ];
        for text in all {
            let clean = forms.text(&format!("<{text}>")).expect("found");
            assert!(clean.contains("«redacted:vault://a/b»"), "{text}: {clean}");
            assert!(!clean.contains("w/") && !clean.contains("w%2"), "{clean}");
        }
    }

    #[test]
    fn base64_is_found_at_every_offset() {
        let forms = forms(VALUE);
        for before in ["", "u", "us", "use", "user:"] {
            for after in ["", "x", "xy"] {
                let plain = format!("{before}{VALUE}{after}");
                for text in [STANDARD.encode(&plain), URL_SAFE.encode(&plain)] {
                    let clean = forms.text(&text).expect("found");
                    assert!(clean.contains("«redacted"), "{before} {after}: {clean}");
                    assert!(clean.len() < "«redacted:vault://a/b»".len() + 24, "{clean}");
                }
            }
        }
    }

    #[test]
    fn short_values_and_others_stay() {
        assert_eq!(forms("12345").text("12345"), None);
        assert!(forms("123456").text("x123456y").is_some());
        assert_eq!(forms("123456").text("12345 6"), None);
        assert_eq!(forms("").text("anything"), None);
    }

    #[test]
    fn members_of_an_object_are_values_too() {
        let forms = forms(r#"{"user": "adalove", "password": "hunter22"}"#);
        assert_eq!(
            forms.text("login as adalove with hunter22").as_deref(),
            Some("login as «redacted:vault://a/b#user» with «redacted:vault://a/b#password»")
        );
    }

    #[test]
    fn mark_does_not_tell_the_value() {
        let all = [(
            "vault://work/password".to_owned(),
            Secret::new("password".into()),
        )];
        assert_eq!(
            Forms::of(&all).text("password!").as_deref(),
            Some("«redacted»!")
        );
    }

    #[test]
    fn longer_value_is_not_broken_by_a_shorter() {
        let all = [
            ("short".to_owned(), Secret::new("abcdef".into())),
            ("long".to_owned(), Secret::new("abcdefghij".into())),
        ];
        let forms = Forms::of(&all);
        assert_eq!(
            forms.text("abcdefghij abcdef").as_deref(),
            Some("«redacted:long» «redacted:short»")
        );
    }
}
