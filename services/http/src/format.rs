//! From the bytes of a body to a JSON value, by the body's type.

use base64::Engine;
use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};
use serde_json::value::RawValue;

/// Levels of lists and objects in a JSON body: what reads it further on recurses.
pub(crate) const DEPTH_MAX: usize = 64;

/// How a body is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Text,
    Html,
    Xml,
    Binary,
    Empty,
}

impl Format {
    /// The word that the answer names it by.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Html => "html",
            Self::Xml => "xml",
            Self::Binary => "binary",
            Self::Empty => "empty",
        }
    }
}

/// A media type as far as it decides how a body is read.
#[derive(Debug)]
struct Media {
    format: Option<Format>,
    encoding: Option<&'static Encoding>,
}

impl Media {
    fn of(content_type: &str) -> Self {
        let mut parts = content_type.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let encoding = parts
            .filter_map(|p| p.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
            .and_then(|(_, label)| Encoding::for_label(label.trim().trim_matches('"').as_bytes()));
        let format = match essence.as_str() {
            "" => None,
            "application/json" | "text/json" => Some(Format::Json),
            "text/html" | "application/xhtml+xml" => Some(Format::Html),
            "application/xml" | "text/xml" => Some(Format::Xml),
            "application/javascript"
            | "application/x-ndjson"
            | "application/jsonl"
            | "application/yaml"
            | "application/toml"
            | "application/x-www-form-urlencoded" => Some(Format::Text),
            other if other.ends_with("+json") => Some(Format::Json),
            other if other.ends_with("+xml") && !other.starts_with("image/") => Some(Format::Xml),
            other if other.starts_with("text/") => Some(Format::Text),
            _ => Some(Format::Binary),
        };
        Self { format, encoding }
    }
}

/// The JSON text of a body, none of an empty one, or why it cannot be read.
pub(crate) fn parse(content_type: &str, body: Vec<u8>) -> Result<(Option<Bytes>, Format), String> {
    if body.is_empty() {
        return Ok((None, Format::Empty));
    }
    let media = Media::of(content_type);
    let format = media.format.unwrap_or_else(|| {
        let is_text = !body.contains(&0) && std::str::from_utf8(&body).is_ok();
        if is_text {
            Format::Text
        } else {
            Format::Binary
        }
    });
    let text = match format {
        Format::Json => json(body, media.encoding)?,
        Format::Binary => {
            let mut text = String::with_capacity(body.len().div_ceil(3) * 4 + 2);
            text.push('"');
            base64::engine::general_purpose::STANDARD.encode_string(&body, &mut text);
            text.push('"');
            Bytes::from(text)
        }
        _ => {
            let (text, ..) = media.encoding.unwrap_or(UTF_8).decode(&body);
            let text = serde_json::to_vec(&text).map_err(|e| e.to_string())?;
            Bytes::from(text)
        }
    };
    Ok((Some(text), format))
}

/// The beginning of a body as text; nothing of a binary one.
pub(crate) fn preview(content_type: &str, body: &[u8]) -> String {
    let media = Media::of(content_type);
    if media.format == Some(Format::Binary) || body.contains(&0) {
        return String::new();
    }
    let (text, ..) = media.encoding.unwrap_or(UTF_8).decode(body);
    text.into_owned()
}

/// Checks a JSON body and gives it as it came: numbers keep their digits.
fn json(body: Vec<u8>, encoding: Option<&'static Encoding>) -> Result<Bytes, String> {
    let text = match encoding {
        Some(encoding) if encoding != UTF_8 => Bytes::from(encoding.decode(&body).0.into_owned()),
        _ => {
            let body = Bytes::from(body);
            // RFC 8259 8.1: a byte order mark may be ignored.
            body.strip_prefix(b"\xef\xbb\xbf")
                .map_or(body.clone(), |rest| body.slice_ref(rest))
        }
    };
    if depth(&text) > DEPTH_MAX {
        return Err(format!("its JSON is nested more than {DEPTH_MAX} levels"));
    }
    let value: &RawValue =
        serde_json::from_slice(&text).map_err(|e| format!("it is no JSON: {e}"))?;
    Ok(text.slice_ref(value.get().as_bytes()))
}

/// The deepest nesting of a JSON text; of something else any number.
fn depth(text: &[u8]) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' => now = now.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'\\' => {
                            bytes.next();
                        }
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &str, body: impl AsRef<[u8]>) -> (String, &'static str) {
        match parse(content_type, body.as_ref().to_vec()) {
            Ok((data, format)) => {
                let data = data.map(|d| String::from_utf8(d.to_vec()).unwrap());
                (data.unwrap_or_default(), format.as_str())
            }
            Err(e) => (e, "error"),
        }
    }

    #[test]
    fn type_decides_how_a_body_is_read() {
        for (kind, body, data, format) in [
            (
                "application/json",
                r#" {"b":1,"a":[2]} "#,
                r#"{"b":1,"a":[2]}"#,
                "json",
            ),
            ("application/problem+json; charset=utf-8", "1", "1", "json"),
            ("Text/HTML", "<p>\"é\"", r#""<p>\"é\"""#, "html"),
            ("application/atom+xml", "<a/>", r#""<a/>""#, "xml"),
            ("text/plain", "x\ny", r#""x\ny""#, "text"),
            ("text/csv", "a,b", r#""a,b""#, "text"),
            ("application/x-ndjson", "{}\n{}", r#""{}\n{}""#, "text"),
            ("image/png", "\u{1}x", r#""AXg=""#, "binary"),
            ("image/svg+xml", "<svg/>", r#""PHN2Zy8+""#, "binary"),
            ("", "{}", r#""{}""#, "text"),
            ("", "a\0b", r#""YQBi""#, "binary"),
            ("application/json", "", "", "empty"),
        ] {
            assert_eq!(
                read(kind, body),
                (data.to_owned(), format),
                "{kind} {body:?}"
            );
        }
    }

    #[test]
    fn charset_is_honoured() {
        assert_eq!(
            read("text/plain; charset=iso-8859-1", b"\xe9"),
            ("\"é\"".to_owned(), "text")
        );
        assert_eq!(
            read("text/plain; charset=\"UTF-16LE\"", b"h\0i\0"),
            ("\"hi\"".to_owned(), "text")
        );
        assert_eq!(
            read("application/json; charset=latin1", b"\"\xe9\""),
            ("\"é\"".to_owned(), "json")
        );
        assert_eq!(
            read("application/json", b"\xef\xbb\xbf[]"),
            ("[]".to_owned(), "json")
        );
        assert_eq!(
            read("text/plain", b"\xff"),
            ("\"\u{fffd}\"".to_owned(), "text")
        );
    }

    #[test]
    fn digits_and_order_survive() {
        let text = r#"{"z":12345678901234567890123,"a":1.10}"#;
        assert_eq!(read("application/json", text).0, text);
    }

    #[test]
    fn broken_json_is_an_error() {
        for body in ["{", "[1,]", "{} {}", "\"\u{1}\"", "nul"] {
            let (message, format) = read("application/json", body);
            assert_eq!(format, "error", "{body}");
            assert!(message.starts_with("it is no JSON"), "{message}");
        }
        assert_eq!(read("application/json", b"\"\xff\"").1, "error");
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(read("application/json", nested(DEPTH_MAX)).1, "json");
        assert!(
            read("application/json", nested(DEPTH_MAX + 1))
                .0
                .contains("nested")
        );
        let text = format!("[\"{}\\\"[\"]", "[".repeat(DEPTH_MAX));
        assert_eq!(
            read("application/json", text).1,
            "json",
            "brackets in text do not count"
        );
    }

    #[test]
    fn preview_is_text_or_nothing() {
        assert_eq!(preview("text/plain", b"\xff!"), "\u{fffd}!");
        assert_eq!(preview("", b"no such thing"), "no such thing");
        assert_eq!(preview("image/png", b"x"), "");
        assert_eq!(preview("", b"\0"), "");
    }
}
