//! A row of `PostgreSQL`: what its types are in JSON.

use std::fmt::Write;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use serde_json::{Map, Value};
use sqlx::postgres::{PgRow, PgTypeInfo, PgTypeKind, PgValueRef};
use sqlx::{Row, TypeInfo, ValueRef};

use crate::error::Error;
use crate::{numeric, value};

/// Seconds from 1970 to 2000, where this database begins to count.
const EPOCH: i64 = 946_684_800;

/// Types that are read from the wire here; the server writes all others as JSON.
pub(crate) fn known(kind: &PgTypeInfo) -> bool {
    matches!(kind.kind(), PgTypeKind::Enum(_))
        || matches!(
            kind.name(),
            "BOOL"
                | "INT2"
                | "INT4"
                | "INT8"
                | "OID"
                | "FLOAT4"
                | "FLOAT8"
                | "NUMERIC"
                | "TEXT"
                | "VARCHAR"
                | "CHAR"
                | "NAME"
                | "UNKNOWN"
                | "UUID"
                | "JSON"
                | "JSONB"
                | "BYTEA"
                | "TIMESTAMPTZ"
                | "TIMESTAMP"
                | "DATE"
                | "TIME"
                | "VOID"
        )
}

/// Has the server write what is not known here.
pub(crate) fn as_json(sql: &str, columns: &[(String, PgTypeInfo)]) -> String {
    let mut out = "WITH gearmesh_result(".to_owned();
    for i in 0..columns.len() {
        let _ = write!(out, "{}c{i}", if i > 0 { ", " } else { "" });
    }
    let sql = sql.trim_end().trim_end_matches(';');
    let _ = write!(out, ") AS ({sql}\n) SELECT ");
    for (i, (_, kind)) in columns.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        let _ = match kind.name() {
            _ if known(kind) => write!(out, "c{i}"),
            // As numbers in JSON they would lose digits.
            "NUMERIC[]" => write!(out, "to_jsonb(c{i}::text[])"),
            _ => write!(out, "to_jsonb(c{i})"),
        };
    }
    out.push_str(" FROM gearmesh_result");
    out
}

pub(crate) fn cells(
    row: &PgRow,
    columns: &[(String, PgTypeInfo)],
) -> Result<Map<String, Value>, Error> {
    let mut out = Map::new();
    for (i, (name, kind)) in columns.iter().enumerate() {
        let unreadable = |what: String| Error::Column {
            column: name.clone(),
            kind: kind.name().to_owned(),
            what,
        };
        let raw = row.try_get_raw(i).map_err(|e| unreadable(e.to_string()))?;
        let value = if raw.is_null() {
            Value::Null
        } else {
            cell(row, i, raw, kind).map_err(|e| unreadable(e.to_string()))?
        };
        value::put(&mut out, name, value);
    }
    Ok(out)
}

fn cell(
    row: &PgRow,
    i: usize,
    raw: PgValueRef<'_>,
    kind: &PgTypeInfo,
) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
    if !known(kind) {
        let value: Value = row.try_get(i)?;
        return Ok(match kind.name() {
            "INT8[]" => value::integers(value),
            _ => value,
        });
    }
    Ok(match kind.name() {
        "BOOL" => row.try_get::<bool, _>(i)?.into(),
        "INT2" => row.try_get::<i16, _>(i)?.into(),
        "INT4" => row.try_get::<i32, _>(i)?.into(),
        "INT8" => value::integer(row.try_get(i)?),
        "OID" => u32::from_be_bytes(raw.as_bytes()?.try_into()?).into(),
        "FLOAT4" => value::single(row.try_get(i)?),
        "FLOAT8" => value::float(row.try_get(i)?),
        "NUMERIC" => numeric::text(raw.as_bytes()?).ok_or("no digits")?.into(),
        "UUID" => row.try_get::<sqlx::types::Uuid, _>(i)?.to_string().into(),
        "JSON" | "JSONB" => row.try_get(i)?,
        "BYTEA" => value::base64(raw.as_bytes()?),
        "TIMESTAMPTZ" | "TIMESTAMP" | "DATE" | "TIME" => time(kind.name(), raw.as_bytes()?)?,
        "VOID" => Value::Null,
        _ => raw.as_str()?.into(),
    })
}

/// Times by hand: the driver's types know no infinity and end too early.
fn time(kind: &str, bytes: &[u8]) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
    const BEYOND: &str = "beyond the years that can be written";
    if kind == "DATE" {
        let days = i32::from_be_bytes(bytes.try_into()?);
        return Ok(match days {
            i32::MAX => "infinity".into(),
            i32::MIN => "-infinity".into(),
            days => NaiveDate::from_ymd_opt(2000, 1, 1)
                .and_then(|d| d.checked_add_signed(TimeDelta::days(days.into())))
                .ok_or(BEYOND)?
                .to_string()
                .into(),
        });
    }
    let micros = i64::from_be_bytes(bytes.try_into()?);
    if kind == "TIME" {
        let time = NaiveTime::from_num_seconds_from_midnight_opt(
            u32::try_from(micros / 1_000_000)?,
            u32::try_from(micros % 1_000_000)? * 1_000,
        );
        // 24:00:00 is a time here.
        return Ok(time.map_or_else(|| "24:00:00".into(), |t| t.to_string().into()));
    }
    if micros == i64::MAX || micros == i64::MIN {
        return Ok(if micros > 0 { "infinity" } else { "-infinity" }.into());
    }
    let since = micros.checked_add(EPOCH * 1_000_000).ok_or(BEYOND)?;
    let moment = DateTime::from_timestamp_micros(since).ok_or(BEYOND)?;
    Ok(if kind == "TIMESTAMP" {
        value::local(moment.naive_utc())
    } else {
        value::moment(moment)
    })
}
