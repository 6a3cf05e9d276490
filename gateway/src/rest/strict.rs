//! JSON of a request's body: nothing twice, nothing too deep, nothing too much.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;

use crate::limits::{DEPTH_MAX, ELEMENTS_MAX};

/// Reads one JSON value and nothing behind it.
///
/// # Errors
/// INVALID_PARAMETERS with line and column.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    let mut elements = 0;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Seed {
        depth: 0,
        elements: &mut elements,
    };
    let parsed = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    parsed.map_err(|e| {
        Refusal::new(
            CommonFault::InvalidParameters,
            format!("the body is not valid JSON: {e}"),
        )
        .with("line", e.line().to_string())
        .with("column", e.column().to_string())
    })
}

struct Seed<'a> {
    depth: usize,
    elements: &'a mut usize,
}

impl Seed<'_> {
    fn inner(&mut self) -> Seed<'_> {
        Seed {
            depth: self.depth,
            elements: self.elements,
        }
    }

    fn descend<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {DEPTH_MAX}")));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        *self.elements += 1;
        if *self.elements > ELEMENTS_MAX {
            return Err(D::Error::custom(format_args!(
                "more than {ELEMENTS_MAX} values"
            )));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        self.descend()?;
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(self.inner())? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        self.descend()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("`{key}` is there twice")));
            }
            let value = access.next_value_seed(self.inner())?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let said = match parse(text.as_bytes()) {
            Ok(value) => value.to_string(),
            Err(refusal) => refusal.to_string(),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn values_come_as_they_are() {
        check(
            r#" {"b":[1,-2,3.5,null,true],"a":{"é":"\u00e9"},"n":18446744073709551615} "#,
            expect![[r#"{"b":[1,-2,3.5,null,true],"a":{"é":"é"},"n":18446744073709551615}"#]],
        );
    }

    #[test]
    fn fault_is_named_with_line_and_column() {
        check(
            "{\"a\": 1,\n \"a\": 2}",
            expect!["the body is not valid JSON: `a` is there twice at line 2 column 4"],
        );
        check(
            "{\"a\": ",
            expect!["the body is not valid JSON: EOF while parsing a value at line 1 column 6"],
        );
        check(
            "{} {}",
            expect!["the body is not valid JSON: trailing characters at line 1 column 4"],
        );
        check(
            "{'a': 1}",
            expect!["the body is not valid JSON: key must be a string at line 1 column 2"],
        );
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        let deep = parse(nested(DEPTH_MAX + 1).as_bytes())
            .unwrap_err()
            .to_string();
        assert!(deep.contains("nested deeper than 64"), "{deep}");
        let list = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(
            parse(list(ELEMENTS_MAX - 1).as_bytes()).is_ok(),
            "the list itself is one more"
        );
        let many = parse(list(ELEMENTS_MAX).as_bytes())
            .unwrap_err()
            .to_string();
        assert!(many.contains("more than 100000 values"), "{many}");
    }
}
