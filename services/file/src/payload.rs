//! What a write writes: JSON, text or bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::error::Error;

/// Reads the content of a write. Text is written as it is; in `binary` it is
/// base64; any other value is written as JSON without blanks.
pub(crate) fn of_json(text: &[u8], binary: bool) -> Result<Bytes, Error> {
    let wrong = |why: &str| Error::parameter("content", why);
    let value: &RawValue = serde_json::from_slice(text).map_err(|_| wrong("is no JSON value"))?;
    if !value.get().starts_with('"') {
        if binary {
            return Err(wrong("is text in base64 when `encoding` is binary"));
        }
        return Ok(compact(value.get()));
    }
    let text: String = serde_json::from_str(value.get()).map_err(|_| wrong("is no JSON text"))?;
    if !binary {
        return Ok(text.into());
    }
    let bytes = STANDARD
        .decode(text.as_bytes())
        .map_err(|_| wrong("is no base64"))?;
    Ok(bytes.into())
}

/// Takes away the blanks of a JSON text. Through a tree of values numbers beyond
/// 64 bits would change.
fn compact(json: &str) -> Bytes {
    let mut out = Vec::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for byte in json.bytes() {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            quoted = byte == b'"';
        }
        out.push(byte);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, binary: bool, expected: Option<&[u8]>) {
        let written = of_json(json.as_bytes(), binary).ok();
        assert_eq!(written.as_deref(), expected, "{json}");
    }

    #[test]
    fn text_is_written_as_it_is_and_all_else_as_json() {
        check(r#""hello\n\"you\"""#, false, Some(b"hello\n\"you\""));
        check(
            r#"{ "b": [1, 2.50, 123456789012345678901234567890], "a" : null }"#,
            false,
            Some(br#"{"b":[1,2.50,123456789012345678901234567890],"a":null}"#),
        );
        check(
            r#"{"a b" : "c \" d \\" , "e": " " }"#,
            false,
            Some(br#"{"a b":"c \" d \\","e":" "}"#),
        );
        check(" 7 ", false, Some(b"7"));
        check("", false, None);
        check("{", false, None);
    }

    #[test]
    fn binary_text_is_base64() {
        check(r#""AAH/""#, true, Some(&[0, 1, 255]));
        check(r#""""#, true, Some(b""));
        check(r#""no base64""#, true, None);
        check("{}", true, None);
    }
}
