//! `PostgreSQL`: every value travels as text and is cast to the type that the
//! server expects at its place, so that no type of its many is lost.

use std::fmt::Write;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use serde_json::{Map, Value};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Location, Token, Tokenizer};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgRow, PgTypeInfo, PgTypeKind, PgValueRef};
use sqlx::{
    Column, ConnectOptions, Connection, Either, Executor, Postgres, Row, Statement, TypeInfo,
    ValueRef,
};

use crate::database::{Database, Pools};
use crate::error::{Error, Said};
use crate::numeric;
use crate::session::{Answer, Budget, Failed, Mode, gather};
use crate::sql::{Param, safe};
use crate::value;

/// Seconds from 1970 to 2000, where this database begins to count.
const EPOCH: i64 = 946_684_800;

/// A login in use.
#[derive(Debug)]
pub(crate) struct Live {
    conn: PoolConnection<Postgres>,
    process: Option<i32>,
}

impl Live {
    pub(crate) fn new(conn: PoolConnection<Postgres>) -> Self {
        Self {
            conn,
            process: None,
        }
    }

    pub(crate) async fn begin(&mut self, mode: Mode) -> Result<(), sqlx::Error> {
        let mut text = "BEGIN".to_owned();
        if let Some(isolation) = mode.isolation {
            let _ = write!(text, " ISOLATION LEVEL {}", isolation.sql());
        }
        if mode.read_only {
            text.push_str(" READ ONLY");
        }
        let _ = write!(
            text,
            "; SET LOCAL statement_timeout = {}; SELECT pg_backend_pid()",
            mode.limit.as_millis().max(1)
        );
        let rows = sqlx::raw_sql(safe(text)).fetch_all(&mut *self.conn).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        self.process = Some(row.try_get(0)?);
        Ok(())
    }

    pub(crate) async fn run(
        &mut self,
        text: &str,
        params: &[Param],
        budget: &mut Budget,
    ) -> Result<Answer, Failed> {
        let statement = (&mut *self.conn).prepare(safe(text.to_owned())).await;
        let statement = statement.map_err(hinted)?;
        let types: &[PgTypeInfo] = match statement.parameters() {
            Some(Either::Left(types)) => types,
            _ => &[],
        };
        if types.len() != params.len() {
            let what = format!(
                "the statement takes {} values, {} were given",
                types.len(),
                params.len()
            );
            return Err(Error::parameter("params", what).into());
        }
        let (mut sql, mut bound) = (text.to_owned(), Vec::new());
        if !params.is_empty() {
            sql = cast(text, types)?;
            for (i, (param, kind)) in params.iter().zip(types).enumerate() {
                let field = match &param.column {
                    Some(column) => column.as_str().to_owned(),
                    None => format!("params[{i}]"),
                };
                let written = written(&param.value, kind.name());
                bound.push(written.map_err(|what| Error::parameter(field, what))?);
            }
        }
        let columns: Vec<(String, PgTypeInfo)> = statement
            .columns()
            .iter()
            .map(|c| (c.name().to_owned(), c.type_info().clone()))
            .collect();
        if columns.iter().any(|(_, kind)| !known(kind)) {
            sql = as_json(&sql, &columns);
        }
        let mut query = sqlx::query(safe(sql)).persistent(false);
        for text in bound {
            query = query.bind(text);
        }
        let stream = (&mut *self.conn).fetch_many(query);
        gather::<Postgres>(
            stream,
            budget,
            |row| cells(row, &columns),
            |done| (done.rows_affected(), 0),
        )
        .await
    }

    pub(crate) async fn commit(&mut self, clean: bool) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(&mut *self.conn).await?;
        if clean {
            let reset = "RESET SESSION AUTHORIZATION; RESET ALL; SELECT pg_advisory_unlock_all()";
            // The commit stands; a login that cannot be cleaned is not used again.
            if sqlx::raw_sql(reset).execute(&mut *self.conn).await.is_err() {
                self.conn.close_on_drop();
            }
        }
        Ok(())
    }

    pub(crate) async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("ROLLBACK").execute(&mut *self.conn).await?;
        // A table that was altered makes its old plans fail; new ones are made.
        self.conn.clear_cached_statements().await
    }

    /// Has another login tell the server to stop what this one runs.
    pub(crate) async fn cancel(self, database: &Database) -> Result<(), sqlx::Error> {
        let held = self.conn.detach();
        if let (Some(process), Pools::Postgres { options, .. }) = (self.process, &database.pools) {
            let mut other: PgConnection = options.connect().await?;
            sqlx::query("SELECT pg_cancel_backend($1)")
                .bind(process)
                .execute(&mut other)
                .await?;
            other.close().await?;
        }
        drop(held);
        Ok(())
    }

    pub(crate) fn forget(self) {
        drop(self.conn.detach());
    }
}

/// A parameter whose type nothing tells is the caller's to name.
fn hinted(error: sqlx::Error) -> Failed {
    match &error {
        sqlx::Error::Database(e) if e.code().as_deref() == Some("42P18") => {
            Failed::Ours(Error::Query(Said {
                message: format!("{}; write its type, as `$1::int`", e.message()),
                sqlstate: Some("42P18".to_owned()),
                constraint: None,
            }))
        }
        _ => Failed::Driver(error),
    }
}

/// Puts `$1::text::TYPE` in the place of each `$1`.
fn cast(sql: &str, types: &[PgTypeInfo]) -> Result<String, Error> {
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
fn written(value: &Value, kind: &str) -> Result<Option<String>, String> {
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

/// Types that are read from the wire here; the server writes all others as JSON.
fn known(kind: &PgTypeInfo) -> bool {
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
fn as_json(sql: &str, columns: &[(String, PgTypeInfo)]) -> String {
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

fn cells(row: &PgRow, columns: &[(String, PgTypeInfo)]) -> Result<Map<String, Value>, Error> {
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
