//! A parameter of `PostgreSQL`: its text, and the type that it is cast to.

use std::fmt::Write;

use serde_json::Value;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Location, Token, Tokenizer};
use sqlx::TypeInfo;
use sqlx::postgres::PgTypeInfo;

use crate::error::Error;
use crate::value;

/// Puts `$1::text::TYPE` in the place of each `$1`.
pub(crate) fn cast(sql: &str, types: &[PgTypeInfo]) -> Result<String, Error> {
    let unreadable = |e: &dyn std::fmt::Display| Error::parameter("query", e.to_string());
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|e| unreadable(&e))?;
    let mut out = String::with_capacity(sql.len() + types.len() * 16);
    let mut places = Places::new(sql);
    let mut copied = 0;
    for token in tokens {
        let Token::Placeholder(name) = &token.token else {
            continue;
        };
        let number: Option<usize> = name.strip_prefix('$').and_then(|n| n.parse().ok());
        let kind = number.and_then(|n| types.get(n.checked_sub(1)?));
        let (Some(kind), start, end) = (
            kind,
            places.byte(token.span.start),
            places.byte(token.span.end),
        ) else {
            return Err(unreadable(&format!("`{name}` is no placeholder")));
        };
        out.push_str(sql.get(copied..start).unwrap_or_default());
        let _ = write!(out, "({name}::text");
        if !textual(kind.name()) {
            let _ = write!(out, "::{}", type_name(kind.name()));
        }
        out.push(')');
        copied = end;
    }
    out.push_str(sql.get(copied..).unwrap_or_default());
    Ok(out)
}

/// From lines and columns to bytes, forwards.
struct Places<'a> {
    text: &'a str,
    at: Location,
    byte: usize,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: Location::new(1, 1),
            byte: 0,
        }
    }

    fn byte(&mut self, wanted: Location) -> usize {
        for c in self.text.get(self.byte..).unwrap_or_default().chars() {
            if (self.at.line, self.at.column) >= (wanted.line, wanted.column) {
                break;
            }
            self.byte += c.len_utf8();
            if c == '\n' {
                self.at = Location::new(self.at.line + 1, 1);
            } else {
                self.at.column += 1;
            }
        }
        self.byte
    }
}

/// A value as the text that the server reads as this type.
pub(crate) fn written(value: &Value, kind: &str) -> Result<Option<String>, String> {
    if value.is_null() {
        return Ok(None);
    }
    if let Some(bytes) = value::marked(value) {
        return Ok(Some(hex(&bytes?)));
    }
    Ok(Some(match (value, kind) {
        (value, "JSON" | "JSONB") => value.to_string(),
        (Value::String(text), "BYTEA") => hex(&value::bytes(text)?),
        (Value::String(text), _) => text.clone(),
        (Value::Array(list), kind) if kind.ends_with("[]") => {
            array(list, kind.trim_end_matches("[]"))?
        }
        (Value::Array(_) | Value::Object(_), kind) if !textual(kind) => {
            return Err(format!("is no {kind}"));
        }
        (other, _) => other.to_string(),
    }))
}

/// An array's text: every element quoted, so that none is read as something else.
fn array(list: &[Value], kind: &str) -> Result<String, String> {
    let mut out = "{".to_owned();
    for (i, value) in list.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        match value {
            Value::Array(inner) if !kind.starts_with("JSON") => {
                out.push_str(&array(inner, kind)?);
            }
            value => match written(value, kind)? {
                None => out.push_str("NULL"),
                Some(text) => {
                    out.push('"');
                    for c in text.chars() {
                        if matches!(c, '"' | '\\') {
                            out.push('\\');
                        }
                        out.push(c);
                    }
                    out.push('"');
                }
            },
        }
    }
    out.push('}');
    Ok(out)
}

fn hex(bytes: &[u8]) -> String {
    let mut out = "\\x".to_owned();
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The name under which SQL knows the type with all of its length: `CHAR` alone would be
/// one character, and what is longer cut without a word.
fn type_name(kind: &str) -> &str {
    match kind {
        "CHAR" => "bpchar",
        "CHAR[]" => "bpchar[]",
        "\"CHAR\"" => "\"char\"",
        "\"CHAR\"[]" => "\"char\"[]",
        "BIT" => "varbit",
        "BIT[]" => "varbit[]",
        other => other,
    }
}

fn textual(kind: &str) -> bool {
    matches!(kind, "TEXT" | "VARCHAR" | "UNKNOWN")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn placeholders_are_cast_and_nothing_else_is_touched() {
        let types = [PgTypeInfo::with_name("INT4"), PgTypeInfo::with_name("TEXT")];
        for (sql, expected) in [
            ("a = $1", "a = ($1::text::INT4)"),
            (
                "'$1' = $2 -- $1\nor \"ü$1\" = $1 /* $2 */;",
                "'$1' = ($2::text) -- $1\nor \"ü$1\" = ($1::text::INT4) /* $2 */;",
            ),
            ("$x$ $1 $x$ || $2", "$x$ $1 $x$ || ($2::text)"),
            ("E'\\'$1' || $2", "E'\\'$1' || ($2::text)"),
        ] {
            assert_eq!(cast(sql, &types).unwrap(), expected);
        }
        assert!(cast("$3", &types).is_err());
    }

    #[test]
    fn arrays_cannot_leave_their_quotes() {
        let text = |value: Value, kind| written(&value, kind).unwrap().unwrap();
        assert_eq!(
            text(json!(["a,b", "\"}\\", null, ""]), "TEXT[]"),
            r#"{"a,b","\"}\\",NULL,""}"#
        );
        assert_eq!(
            text(json!([[1, 2], [3, 4]]), "INT4[]"),
            r#"{{"1","2"},{"3","4"}}"#
        );
        assert_eq!(text(json!("x"), "JSONB"), "\"x\"");
        assert_eq!(text(json!("AAE="), "BYTEA"), "\\x0001");
        assert!(written(&json!({"a": 1}), "INT4").is_err());
    }
}
