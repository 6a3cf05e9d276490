//! What travels beside a request, from its headers.

use http::HeaderMap;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use gearmesh_link::{Call, KEY_MAX, names};

use crate::caller::Caller;
use crate::deadline;
use crate::reply::Asker;

/// # Errors
/// INVALID_PARAMETERS naming the header at fault.
pub(crate) fn of(headers: &HeaderMap, asker: &Asker, caller: &Caller) -> Result<Call, Refusal> {
    Ok(Call {
        principal: caller.principal().map(str::to_owned),
        scopes: caller.scopes(),
        timeout: deadline::of(headers)?,
        key: key(headers)?,
        trace: Some(asker.trace().to_owned()),
        ..Call::default()
    })
}

/// `Idempotency-Key`, bare or as a quoted text.
fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let bad = || {
        let text =
            format!("`Idempotency-Key` must be 1 to {KEY_MAX} printable ASCII characters, once");
        Refusal::new(CommonFault::InvalidParameters, text).field("Idempotency-Key", "is no key")
    };
    let mut values = headers.get_all(names::KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(bad());
    }
    let text = value.to_str().map_err(|_| bad())?.trim();
    let key = match text.strip_prefix('"') {
        Some(rest) => unquote(rest).ok_or_else(bad)?,
        None => text.to_owned(),
    };
    let fits =
        (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|b| (b' '..=b'~').contains(&b));
    if fits { Ok(Some(key)) } else { Err(bad()) }
}

/// The rest of a quoted text behind its first quote, to its end.
fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_suffix('"')?;
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => match chars.next()? {
                escaped @ ('"' | '\\') => out.push(escaped),
                _ => return None,
            },
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_read_bare_or_quoted() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", text.parse().unwrap());
            key(&headers).map_err(|e| e.to_string())
        };
        for (text, expected) in [
            ("k-1", "k-1"),
            ("\"k 1\"", "k 1"),
            (r#""a\"b\\""#, r#"a"b\"#),
        ] {
            assert_eq!(of(text), Ok(Some(expected.to_owned())), "{text}");
        }
        assert!(of(&"k".repeat(KEY_MAX)).is_ok());
        for bad in [
            "",
            "\"",
            "\"\"",
            "\"a",
            r#""a"b""#,
            r#""a\n""#,
            &"k".repeat(KEY_MAX + 1),
        ] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
    }
}
