//! The path of a request, segment by segment.

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;

/// A path split at its slashes, before a route is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    pub(crate) segments: Vec<Segment<'a>>,
}

/// What stands between two slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    /// As it was sent.
    pub(crate) raw: &'a str,
    /// With every escape decoded.
    pub(crate) text: String,
}

impl<'a> Path<'a> {
    /// # Errors
    /// INVALID_PARAMETERS for a path without a leading slash or with a bad escape.
    pub(crate) fn parse(path: &'a str) -> Result<Self, Refusal> {
        let bad = |what: String| Refusal::new(CommonFault::InvalidParameters, what);
        let rest = path
            .strip_prefix('/')
            .ok_or_else(|| bad("the path must begin with `/`".to_owned()))?;
        if rest.is_empty() {
            return Ok(Self {
                segments: Vec::new(),
            });
        }
        let segment = |raw: &'a str| {
            Segment::new(raw).ok_or_else(|| bad(format!("`{raw}` holds a bad `%` escape")))
        };
        let segments = rest.split('/').map(segment).collect::<Result<_, _>>()?;
        Ok(Self { segments })
    }
}

impl<'a> Segment<'a> {
    pub(crate) fn new(raw: &'a str) -> Option<Self> {
        let text = decode(raw, &|_| true)?;
        Some(Self { raw, text })
    }
}

/// Decodes `%XX` where the decoded byte is wanted; none for a bad escape or for
/// bytes that are not UTF-8. A `+` is a plus.
pub(crate) fn decode(text: &str, wanted: &dyn Fn(u8) -> bool) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            out.push(byte);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        let decoded = hex(digits[0])? * 16 + hex(digits[1])?;
        if wanted(decoded) {
            out.push(decoded);
        } else {
            out.push(b'%');
            out.extend_from_slice(digits);
        }
        rest = tail;
    }
    String::from_utf8(out).ok()
}

/// Several segments as one value: the characters that RFC 6570 reserves stay encoded,
/// so that an encoded slash is told from one between segments.
pub(crate) fn decode_joined<'a>(segments: impl Iterator<Item = &'a str>) -> Option<String> {
    const RESERVED: &[u8] = b":/?#[]@!$&'()*+,;=";
    let mut out = String::new();
    for (i, raw) in segments.enumerate() {
        if i > 0 {
            out.push('/');
        }
        out.push_str(&decode(raw, &|byte| !RESERVED.contains(&byte))?);
    }
    Some(out)
}

/// Escapes a value so that it is one segment of a path.
pub(crate) fn encode(value: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(value.len());
    for &byte in value.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_one_by_one() {
        let path = Path::parse("/v1/a%2Fb/c+d/%C3%A9/").unwrap();
        let texts: Vec<_> = path.segments.iter().map(|s| s.text.as_str()).collect();
        assert_eq!(texts, ["v1", "a/b", "c+d", "é", ""]);
        assert!(Path::parse("/").unwrap().segments.is_empty());
        for bad in ["v1", "/%", "/%4", "/%zz", "/%FF", "/%+1"] {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reserved_characters_stay_encoded_across_segments() {
        let joined = decode_joined(["a%2Fb", "c%20d", "%3A"].into_iter());
        assert_eq!(joined.as_deref(), Some("a%2Fb/c d/%3A"));
    }

    #[test]
    fn encoded_value_is_one_segment() {
        for value in ["a/b c", "é:1", "plain-1._~"] {
            let encoded = encode(value);
            assert!(!encoded.contains('/'), "{encoded}");
            assert_eq!(decode(&encoded, &|_| true).as_deref(), Some(value));
        }
    }
}
