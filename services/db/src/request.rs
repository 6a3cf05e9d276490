//! From requests to operations: what the constraints of fields cannot say.

use gearmesh_api::db::v1 as api;
use gearmesh_api::tool::v1::Json;
use serde_json::Value;

use crate::condition::Condition;
use crate::error::Error;
use crate::limits::ROWS_MAX;
use crate::operation::{Operation, Record, Select, record};
use crate::sql::{Name, Table};

/// Free-form JSON; absent and null are nothing.
pub(crate) fn json(value: Option<&Json>, field: &str) -> Result<Option<Value>, Error> {
    let Some(value) = value else { return Ok(None) };
    if value.text.is_empty() {
        return Ok(None);
    }
    let parsed: Value = serde_json::from_slice(&value.text)
        .map_err(|e| Error::parameter(field, format!("is no JSON: {e}")))?;
    Ok((!parsed.is_null()).then_some(parsed))
}

/// At most one of two spellings.
fn one<T>(a: (&'static str, Option<T>), b: (&'static str, Option<T>)) -> Result<Option<T>, Error> {
    match (a.1, b.1) {
        (Some(_), Some(_)) => Err(Error::parameter(
            b.0,
            format!("means the same as `{}`; give one of them", a.0),
        )),
        (Some(value), None) | (None, Some(value)) => Ok(Some(value)),
        (None, None) => Ok(None),
    }
}

/// `db.query`.
pub(crate) fn query(request: &api::QueryRequest) -> Result<Operation, Error> {
    let mut columns = names(&request.select, "select")?;
    let mut without = Vec::new();
    if let Some(projection) = json(request.projection.as_ref(), "projection")? {
        if !columns.is_empty() {
            let what = "means the same as `select`; give one of them";
            return Err(Error::parameter("projection", what));
        }
        (columns, without) = projected(&projection)?;
    }
    let order_by = json(request.order_by.as_ref(), "orderBy")?;
    let sort = json(request.sort.as_ref(), "sort")?;
    let order = match one(("orderBy", order_by), ("sort", sort))? {
        Some(value) => order(
            &value,
            if request.sort.is_some() {
                "sort"
            } else {
                "orderBy"
            },
        )?,
        None => Vec::new(),
    };
    let offset = one(("offset", request.offset), ("skip", request.skip))?;
    Ok(Operation::Query(Select {
        table: Table::parse(&request.table)?,
        condition: Condition::parse(json(request.r#where.as_ref(), "where")?.as_ref())?,
        columns,
        without,
        order,
        limit: request.limit,
        offset: offset.unwrap_or_default(),
    }))
}

/// `db.insert`.
pub(crate) fn insert(table: &str, data: Option<&Json>) -> Result<Operation, Error> {
    let records = match json(data, "data")? {
        Some(Value::Object(map)) => vec![record(&map, "data")?],
        Some(Value::Array(list)) if (1..=ROWS_MAX).contains(&list.len()) => list
            .iter()
            .enumerate()
            .map(|(i, value)| match value {
                Value::Object(map) => record(map, &format!("data[{i}]")),
                _ => Err(Error::parameter(
                    format!("data[{i}]"),
                    "is an object of columns with values",
                )),
            })
            .collect::<Result<Vec<_>, _>>()?,
        _ => {
            let what = format!("is a record, or a list of 1 to {ROWS_MAX} records");
            return Err(Error::parameter("data", what));
        }
    };
    Ok(Operation::Insert {
        table: Table::parse(table)?,
        records,
    })
}

/// `db.update`.
pub(crate) fn update(
    table: &str,
    condition: Option<&Json>,
    data: Option<&Json>,
    upsert: bool,
) -> Result<Operation, Error> {
    let condition = Condition::choosing(json(condition, "where")?.as_ref())?;
    let data = match json(data, "data")? {
        Some(Value::Object(map)) if !map.is_empty() => record(&map, "data")?,
        _ => {
            let what = "is an object of at least one column with its value";
            return Err(Error::parameter("data", what));
        }
    };
    let upsert = upsert.then(|| whole(&condition, &data)).transpose()?;
    Ok(Operation::Update {
        table: Table::parse(table)?,
        condition,
        data,
        upsert,
    })
}

/// The record that an upsert inserts: the condition's values, then the data's.
fn whole(condition: &Condition, data: &Record) -> Result<Record, Error> {
    let Some(equalities) = condition.equalities() else {
        let what = "can only hold plain values when `upsert` is set: a row is made from them";
        return Err(Error::parameter("where", what));
    };
    let of_data = |name: &Name| data.iter().any(|(n, _)| n == name);
    let mut record: Record = equalities
        .into_iter()
        .filter(|(name, _)| !of_data(name))
        .map(|(name, value)| (name.clone(), value))
        .collect();
    record.extend(data.iter().cloned());
    Ok(record)
}

/// `db.delete`.
pub(crate) fn delete(table: &str, condition: Option<&Json>) -> Result<Operation, Error> {
    Ok(Operation::Delete {
        table: Table::parse(table)?,
        condition: Condition::choosing(json(condition, "where")?.as_ref())?,
    })
}

/// The operations of `db.transaction`.
pub(crate) fn operations(list: &[api::Operation]) -> Result<Vec<Operation>, Error> {
    list.iter()
        .enumerate()
        .map(|(i, operation)| {
            one_of(operation).map_err(|cause| match cause {
                Error::Parameter { field, what } => {
                    Error::parameter(format!("operations[{i}].{field}"), what)
                }
                other => other,
            })
        })
        .collect()
}

fn one_of(operation: &api::Operation) -> Result<Operation, Error> {
    let foreign = |field: &str, given: bool| {
        if given {
            let what = format!(
                "does not belong to an operation of type {}",
                operation.r#type
            );
            return Err(Error::parameter(field, what));
        }
        Ok(())
    };
    let kind = operation.r#type.as_str();
    if kind != "query" {
        foreign("select", !operation.select.is_empty())?;
        foreign("orderBy", operation.order_by.is_some())?;
        foreign("limit", operation.limit.is_some())?;
        foreign("offset", operation.offset.is_some())?;
    }
    foreign("upsert", kind != "update" && operation.upsert)?;
    foreign(
        "data",
        !matches!(kind, "insert" | "update") && operation.data.is_some(),
    )?;
    foreign("where", kind == "insert" && operation.r#where.is_some())?;
    let (condition, data) = (operation.r#where.as_ref(), operation.data.as_ref());
    match kind {
        "insert" => insert(&operation.table, data),
        "update" => update(&operation.table, condition, data, operation.upsert),
        "delete" => delete(&operation.table, condition),
        _ => query(&api::QueryRequest {
            table: operation.table.clone(),
            r#where: operation.r#where.clone(),
            select: operation.select.clone(),
            order_by: operation.order_by.clone(),
            limit: operation.limit,
            offset: operation.offset,
            ..api::QueryRequest::default()
        }),
    }
}

fn names(list: &[String], field: &str) -> Result<Vec<Name>, Error> {
    list.iter()
        .enumerate()
        .map(|(i, text)| Name::parse(text, &format!("{field}[{i}]")))
        .collect()
}

/// Columns to read, or to leave out.
fn projected(value: &Value) -> Result<(Vec<Name>, Vec<String>), Error> {
    let bad = || {
        let what = "is an object of columns, all with 1 or all with 0";
        Error::parameter("projection", what)
    };
    let map = value.as_object().ok_or_else(bad)?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for (key, value) in map {
        let name = Name::parse(key, &format!("projection.{key}"))?;
        match value {
            Value::Bool(true) => with.push(name),
            Value::Bool(false) => without.push(key.clone()),
            Value::Number(n) if n.as_i64() == Some(1) => with.push(name),
            Value::Number(n) if n.as_i64() == Some(0) => without.push(key.clone()),
            _ => return Err(bad()),
        }
    }
    if !with.is_empty() && !without.is_empty() {
        return Err(bad());
    }
    Ok((with, without))
}

fn order(value: &Value, field: &str) -> Result<Vec<(Name, bool)>, Error> {
    let Value::Object(map) = value else {
        return Err(Error::parameter(field, "is an object of columns"));
    };
    map.iter()
        .map(|(key, value)| {
            let path = format!("{field}.{key}");
            let descending = match value {
                Value::String(word) if word.eq_ignore_ascii_case("asc") => false,
                Value::String(word) if word.eq_ignore_ascii_case("desc") => true,
                Value::Number(n) if n.as_i64() == Some(1) => false,
                Value::Number(n) if n.as_i64() == Some(-1) => true,
                _ => return Err(Error::parameter(path, "is asc, desc, 1 or -1")),
            };
            Ok((Name::parse(key, &path)?, descending))
        })
        .collect()
}
