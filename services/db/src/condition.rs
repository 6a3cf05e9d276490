//! Which rows: from JSON to SQL.

use serde_json::{Map, Value};

use crate::dialect::Dialect;
use crate::error::Error;
use crate::limits::{DEPTH_MAX, PARAMS_MAX};
use crate::sql::{Name, Sql};

/// A condition that has been understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// All hold; none: always.
    All(Vec<Condition>),
    /// One at least holds.
    Any(Vec<Condition>),
    /// A column against a value that is not null.
    Compare(Name, &'static str, Value),
    /// A column among values; none: never.
    In(Name, Vec<Value>),
    /// Whether a column is null.
    Null(Name, bool),
}

impl Condition {
    /// Reads `where`; absent: all rows.
    pub(crate) fn parse(value: Option<&Value>) -> Result<Self, Error> {
        let Some(value) = value else {
            return Ok(Self::All(Vec::new()));
        };
        let parsed = object(value, "where", 0)?;
        if parsed.values() > PARAMS_MAX {
            let what = format!("has more than {PARAMS_MAX} values");
            return Err(Error::parameter("where", what));
        }
        Ok(parsed)
    }

    /// Reads the `where` of a change, which must choose: one that holds always
    /// would take every row.
    pub(crate) fn choosing(value: Option<&Value>) -> Result<Self, Error> {
        let parsed = Self::parse(value)?;
        if parsed.always() {
            return Err(Error::parameter(
                "where",
                "must name at least one column: an empty condition would take every row",
            ));
        }
        Ok(parsed)
    }

    fn always(&self) -> bool {
        match self {
            Self::All(all) => all.iter().all(Self::always),
            Self::Any(any) => any.iter().any(Self::always),
            _ => false,
        }
    }

    fn values(&self) -> usize {
        match self {
            Self::All(list) | Self::Any(list) => list.iter().map(Self::values).sum(),
            Self::Compare(..) => 1,
            Self::In(_, values) => values.len(),
            Self::Null(..) => 0,
        }
    }

    /// The columns with their values, when there are only plain equalities.
    pub(crate) fn equalities(&self) -> Option<Vec<(&Name, Value)>> {
        match self {
            Self::All(all) => {
                let lists: Option<Vec<_>> = all.iter().map(Self::equalities).collect();
                Some(lists?.into_iter().flatten().collect())
            }
            Self::Compare(name, "=", value) => Some(vec![(name, value.clone())]),
            Self::Null(name, true) => Some(vec![(name, Value::Null)]),
            _ => None,
        }
    }

    /// Adds ` WHERE ..`, or nothing when all rows are meant.
    pub(crate) fn write_where(&self, sql: &mut Sql) {
        if !self.always() {
            sql.push(" WHERE ");
            self.write(sql);
        }
    }

    fn write(&self, sql: &mut Sql) {
        match self {
            Self::All(list) if list.is_empty() => {
                sql.push("1 = 1");
            }
            Self::Any(list) if list.is_empty() => {
                sql.push("1 = 0");
            }
            Self::All(list) => joined(list, " AND ", sql),
            Self::Any(list) => joined(list, " OR ", sql),
            Self::Compare(name, operator, value) => {
                sql.name(name).push(" ").push(operator).push(" ");
                sql.bind(value.clone(), Some(name));
                // Alone SQLite has no escape character of its own.
                if *operator == "LIKE" && sql.dialect == Dialect::Sqlite {
                    sql.push(" ESCAPE '\\'");
                }
            }
            Self::In(_, values) if values.is_empty() => {
                sql.push("1 = 0");
            }
            Self::In(name, values) => {
                sql.name(name).push(" IN (");
                for (i, value) in values.iter().enumerate() {
                    if i > 0 {
                        sql.push(", ");
                    }
                    sql.bind(value.clone(), Some(name));
                }
                sql.push(")");
            }
            Self::Null(name, true) => {
                sql.name(name).push(" IS NULL");
            }
            Self::Null(name, false) => {
                sql.name(name).push(" IS NOT NULL");
            }
        }
    }
}

fn joined(list: &[Condition], word: &'static str, sql: &mut Sql) {
    sql.push("(");
    for (i, condition) in list.iter().enumerate() {
        if i > 0 {
            sql.push(word);
        }
        condition.write(sql);
    }
    sql.push(")");
}

fn object(value: &Value, path: &str, depth: usize) -> Result<Condition, Error> {
    let Value::Object(map) = value else {
        return Err(Error::parameter(path, "is an object of columns"));
    };
    if depth > DEPTH_MAX {
        let what = format!("is nested deeper than {DEPTH_MAX}");
        return Err(Error::parameter(path, what));
    }
    let mut all = Vec::with_capacity(map.len());
    for (key, value) in map {
        let path = format!("{path}.{key}");
        match value {
            // `or` with a list is the operator; a column of that name is quoted by `{"or": {"eq": ..}}`.
            Value::Array(list) if key == "or" => all.push(any(list, &path, depth)?),
            Value::Object(operators) => columns(key, operators, &path, &mut all)?,
            Value::Array(_) => {
                let what = "is a list; write {\"in\": [..]} for one of them, or {\"eq\": [..]} for the list itself";
                return Err(Error::parameter(path, what));
            }
            Value::Null => all.push(Condition::Null(Name::parse(key, &path)?, true)),
            plain => {
                let name = Name::parse(key, &path)?;
                all.push(Condition::Compare(name, "=", plain.clone()));
            }
        }
    }
    Ok(Condition::All(all))
}

fn any(list: &[Value], path: &str, depth: usize) -> Result<Condition, Error> {
    if list.is_empty() {
        return Err(Error::parameter(path, "needs at least one condition"));
    }
    let parts: Result<Vec<_>, _> = list
        .iter()
        .enumerate()
        .map(|(i, value)| object(value, &format!("{path}[{i}]"), depth + 1))
        .collect();
    Ok(Condition::Any(parts?))
}

fn columns(
    column: &str,
    operators: &Map<String, Value>,
    path: &str,
    all: &mut Vec<Condition>,
) -> Result<(), Error> {
    let name = Name::parse(column, path)?;
    if operators.is_empty() {
        return Err(Error::parameter(path, "needs an operator, as {\"gt\": 1}"));
    }
    for (operator, value) in operators {
        let path = format!("{path}.{operator}");
        let condition = match (operator.as_str(), value) {
            ("eq", Value::Null) => Condition::Null(name.clone(), true),
            ("ne", Value::Null) => Condition::Null(name.clone(), false),
            ("null", Value::Bool(is)) => Condition::Null(name.clone(), *is),
            ("null", _) => return Err(Error::parameter(path, "is true or false")),
            ("in", Value::Array(values)) if !values.contains(&Value::Null) => {
                Condition::In(name.clone(), values.clone())
            }
            ("in", _) => {
                return Err(Error::parameter(path, "is a list of values without null"));
            }
            ("like", value) if !value.is_string() => {
                return Err(Error::parameter(path, "is a text with % and _"));
            }
            (other, value) => {
                let Some(operator) = comparison(other) else {
                    let what =
                        "is no operator; there are eq, ne, lt, lte, gt, gte, in, like and null";
                    return Err(Error::parameter(path, what));
                };
                if value.is_null() {
                    return Err(Error::parameter(path, "cannot be null"));
                }
                Condition::Compare(name.clone(), operator, value.clone())
            }
        };
        all.push(condition);
    }
    Ok(())
}

fn comparison(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "eq" => "=",
        "ne" => "<>",
        "lt" => "<",
        "lte" => "<=",
        "gt" => ">",
        "gte" => ">=",
        "like" => "LIKE",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(value: Value) -> String {
        let mut sql = Sql::new(Dialect::Postgres, "");
        match Condition::choosing(Some(&value)) {
            Ok(condition) => {
                condition.write_where(&mut sql);
                format!("{} {}", sql.text.trim(), sql.params.len())
            }
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn operators_are_written_with_bound_values() {
        for (value, expected) in [
            (json!({"a": 1}), r#"WHERE ("a" = $1) 1"#),
            (json!({"a": null}), r#"WHERE ("a" IS NULL) 0"#),
            (
                json!({"a": {"gt": 1, "lte": 5}, "b": {"ne": "x"}}),
                r#"WHERE ("a" > $1 AND "a" <= $2 AND "b" <> $3) 3"#,
            ),
            (json!({"a": {"in": [1, 2]}}), r#"WHERE ("a" IN ($1, $2)) 2"#),
            (json!({"a": {"in": []}}), "WHERE (1 = 0) 0"),
            (
                json!({"or": [{"a": 1}, {"b": {"null": false}}], "c": {"like": "x%"}}),
                r#"WHERE ((("a" = $1) OR ("b" IS NOT NULL)) AND "c" LIKE $2) 2"#,
            ),
            (json!({"or": 3}), r#"WHERE ("or" = $1) 1"#),
            (
                json!({"a\" = 1 OR \"a": 1}),
                r#"WHERE ("a"" = 1 OR ""a" = $1) 1"#,
            ),
        ] {
            assert_eq!(written(value), expected);
        }
    }

    #[test]
    fn what_would_take_all_rows_is_refused() {
        for value in [json!({}), json!({"or": [{"a": 1}, {}]})] {
            assert!(written(value).contains("every row"));
        }
        assert!(Condition::choosing(None).is_err());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (value, path) in [
            (json!({"a": {"$gt": 1}}), "where.a.$gt"),
            (json!({"a": {}}), "where.a"),
            (json!({"a": [1]}), "where.a"),
            (json!({"a": {"in": 1}}), "where.a.in"),
            (json!({"a": {"in": [null]}}), "where.a.in"),
            (json!({"a": {"gt": null}}), "where.a.gt"),
            (json!({"or": []}), "where.or"),
            (json!({"or": [1]}), "where.or[0]"),
            (json!([1]), "where"),
        ] {
            assert!(written(value).starts_with(&format!("`{path}`")));
        }
        let mut deep = json!({"a": 1});
        for _ in 0..=DEPTH_MAX {
            deep = json!({"or": [deep]});
        }
        assert!(written(deep).contains("deeper"));
    }
}
