//! Between JSON and what databases hold: the rules that all dialects share.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::sql::{Name, Param};

/// Greatest whole number that every JSON reader holds exactly.
const SAFE_MAX: u64 = (1 << 53) - 1;

/// Key of the object that stands for bytes where no column says so.
const BASE64_KEY: &str = "$base64";

/// What a column wants, as far as JSON cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bytes,
    /// A point in time without a zone of its own, kept in UTC.
    Instant,
    Other,
}

/// A value to bind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bound {
    Null,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// From JSON to what is bound, for databases that convert by themselves.
pub(crate) fn bound(value: &Value, kind: Kind) -> Result<Bound, String> {
    if let Some(bytes) = marked(value) {
        return Ok(Bound::Bytes(bytes?));
    }
    Ok(match value {
        Value::Null => Bound::Null,
        Value::Bool(b) => Bound::Bool(*b),
        Value::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(n), _) => Bound::Int(n),
            (None, Some(n)) => Bound::Unsigned(n),
            _ => Bound::Float(n.as_f64().unwrap_or_default()),
        },
        Value::String(text) => match kind {
            Kind::Bytes => Bound::Bytes(bytes(text)?),
            Kind::Instant => Bound::Text(instant(text)),
            Kind::Other => Bound::Text(text.clone()),
        },
        Value::Array(_) | Value::Object(_) => Bound::Text(value.to_string()),
    })
}

/// All parameters of a statement, by the columns that they belong to.
pub(crate) fn all(params: &[Param], kinds: &HashMap<String, Kind>) -> Result<Vec<Bound>, Error> {
    let one = |(i, param): (usize, &Param)| {
        let column = param.column.as_ref().map(Name::as_str);
        let kind = column.and_then(|c| kinds.get(c)).copied();
        bound(&param.value, kind.unwrap_or(Kind::Other)).map_err(|what| {
            let field = column.map_or_else(|| format!("params[{i}]"), str::to_owned);
            Error::parameter(field, what)
        })
    };
    params.iter().enumerate().map(one).collect()
}

/// The bytes of `{"$base64": ".."}`; none when the value is no such object.
pub(crate) fn marked(value: &Value) -> Option<Result<Vec<u8>, String>> {
    let map = value.as_object()?;
    match (map.len(), map.get(BASE64_KEY)?) {
        (1, Value::String(text)) => Some(bytes(text)),
        _ => None,
    }
}

/// Bytes from base64.
pub(crate) fn bytes(text: &str) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(text)
        .map_err(|e| format!("is no base64, as bytes must be: {e}"))
}

/// Bytes as base64.
pub(crate) fn base64(bytes: &[u8]) -> Value {
    STANDARD.encode(bytes).into()
}

/// `MySQL` knows neither `T` nor `Z`; other texts are the database's to judge.
fn instant(text: &str) -> String {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => {
            let utc = time.with_timezone(&Utc).naive_utc();
            utc.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
        }
        Err(_) => text.to_owned(),
    }
}

/// A whole number: as text where a reader of JSON could lose digits.
pub(crate) fn integer(n: i64) -> Value {
    if n.unsigned_abs() <= SAFE_MAX {
        n.into()
    } else {
        n.to_string().into()
    }
}

/// As [`integer`].
pub(crate) fn unsigned(n: u64) -> Value {
    if n <= SAFE_MAX {
        n.into()
    } else {
        n.to_string().into()
    }
}

/// A number with a point; what JSON cannot write is text.
pub(crate) fn float(n: f64) -> Value {
    if n.is_nan() {
        return "NaN".into();
    }
    if n.is_infinite() {
        return if n > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    n.into()
}

/// As [`float`], with the digits that a single has.
pub(crate) fn single(n: f32) -> Value {
    match n.to_string().parse() {
        Ok(same) if n.is_finite() => float(same),
        _ => float(f64::from(n)),
    }
}

/// The whole numbers of a list, however deep, by the rule of [`integer`].
pub(crate) fn integers(value: Value) -> Value {
    match value {
        Value::Number(n) => match n.as_i64() {
            Some(n) => integer(n),
            None => Value::Number(n),
        },
        Value::Array(list) => list.into_iter().map(integers).collect(),
        other => other,
    }
}

/// A point in time.
pub(crate) fn moment(time: DateTime<Utc>) -> Value {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
}

/// A time of the day at a date, without zone.
pub(crate) fn local(time: NaiveDateTime) -> Value {
    time.format("%Y-%m-%dT%H:%M:%S%.f").to_string().into()
}

/// Adds a column to a row; of two columns with one name the second gets a number.
pub(crate) fn put(row: &mut Map<String, Value>, name: &str, value: Value) {
    if !row.contains_key(name) {
        row.insert(name.to_owned(), value);
        return;
    }
    let mut number = 2;
    while row.contains_key(&format!("{name}_{number}")) {
        number += 1;
    }
    row.insert(format!("{name}_{number}"), value);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(integer((1 << 53) - 1), json!(9_007_199_254_740_991_i64));
        assert_eq!(integer(1 << 53), json!("9007199254740992"));
        assert_eq!(integer(i64::MIN), json!("-9223372036854775808"));
        assert_eq!(unsigned(u64::MAX), json!("18446744073709551615"));
        assert_eq!(single(1.1), json!(1.1));
        assert_eq!(float(f64::NEG_INFINITY), json!("-Infinity"));
        assert_eq!(
            integers(json!([1, [9_007_199_254_740_993_i64, null]])),
            json!([1, ["9007199254740993", null]])
        );
    }

    #[test]
    fn bytes_and_times_are_bound_as_such() {
        let of = |value, kind| bound(&value, kind);
        assert_eq!(of(json!("AAE="), Kind::Bytes), Ok(Bound::Bytes(vec![0, 1])));
        assert_eq!(
            of(json!({"$base64": "AAE="}), Kind::Other),
            Ok(Bound::Bytes(vec![0, 1]))
        );
        assert!(of(json!("%"), Kind::Bytes).is_err());
        assert_eq!(
            of(json!("2026-01-02T03:04:05.5+01:00"), Kind::Instant),
            Ok(Bound::Text("2026-01-02 02:04:05.500000".into()))
        );
        assert_eq!(
            of(json!({"a": [1]}), Kind::Other),
            Ok(Bound::Text("{\"a\":[1]}".into()))
        );
        assert_eq!(
            of(json!(u64::MAX), Kind::Other),
            Ok(Bound::Unsigned(u64::MAX))
        );
    }

    #[test]
    fn columns_of_one_name_are_all_kept() {
        let mut row = Map::new();
        for n in 1..=3 {
            put(&mut row, "id", n.into());
        }
        assert_eq!(Value::Object(row), json!({"id": 1, "id_2": 2, "id_3": 3}));
    }
}
