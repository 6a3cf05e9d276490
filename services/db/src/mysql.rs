//! `MySQL` and `MariaDB`: the server converts what is bound; bytes and times are
//! made ready here by the type of their column.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::{Map, Value};
use sqlx::mysql::types::MySqlTime;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::pool::PoolConnection;
use sqlx::types::chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use sqlx::{
    Column, ConnectOptions, Connection, Executor, MySql, Row, Statement, TypeInfo, ValueRef,
};

use crate::database::{Database, Pools};
use crate::error::Error;
use crate::session::{Answer, Budget, Failed, Mode, gather};
use crate::sql::{Param, Table, safe};
use crate::value::{self, Bound, Kind};

/// A login in use.
#[derive(Debug)]
pub(crate) struct Live {
    conn: PoolConnection<MySql>,
    thread: Option<u64>,
    mariadb: bool,
}

impl Live {
    pub(crate) fn new(conn: PoolConnection<MySql>) -> Self {
        Self {
            conn,
            thread: None,
            mariadb: false,
        }
    }

    pub(crate) async fn begin(&mut self, mode: Mode) -> Result<(), sqlx::Error> {
        // Each of the two reads the comment that is meant for it.
        let mut text = format!(
            "SET time_zone = '+00:00' /*M! , max_statement_time = {} */ /*!50704 , max_execution_time = {} */; ",
            mode.limit.as_secs_f64(),
            mode.limit.as_millis().max(1),
        );
        if let Some(isolation) = mode.isolation {
            let _ = write!(
                text,
                "SET TRANSACTION ISOLATION LEVEL {}; ",
                isolation.sql()
            );
        }
        text.push_str(if mode.read_only {
            "START TRANSACTION READ ONLY; "
        } else {
            "START TRANSACTION; "
        });
        text.push_str("SELECT CAST(connection_id() AS UNSIGNED), version()");
        let rows = sqlx::raw_sql(safe(text)).fetch_all(&mut *self.conn).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        self.thread = Some(row.try_get(0)?);
        self.mariadb = row.try_get::<String, _>(1)?.contains("MariaDB");
        Ok(())
    }

    /// `MariaDB` alone gives inserted rows back.
    pub(crate) fn returning(&self) -> bool {
        self.mariadb
    }

    pub(crate) async fn kinds(
        &mut self,
        table: &Table,
    ) -> Result<HashMap<String, Kind>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT CAST(column_name AS CHAR), CAST(data_type AS CHAR) FROM information_schema.columns \
             WHERE table_schema = COALESCE(?, database()) AND table_name = ?",
        )
        .bind(table.schema.as_ref().map(|s| s.as_str().to_owned()))
        .bind(table.name.as_str().to_owned())
        .fetch_all(&mut *self.conn)
        .await?;
        rows.iter()
            .map(|row| {
                let (column, kind): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                let kind = match kind.to_ascii_lowercase().as_str() {
                    "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
                        Kind::Bytes
                    }
                    "datetime" | "timestamp" => Kind::Instant,
                    _ => Kind::Other,
                };
                Ok((column, kind))
            })
            .collect()
    }

    pub(crate) async fn run(
        &mut self,
        text: &str,
        params: &[Param],
        kinds: &HashMap<String, Kind>,
        budget: &mut Budget,
    ) -> Result<Answer, Failed> {
        let expected = if params.iter().any(|p| p.column.is_none()) || params.is_empty() {
            let statement = (&mut *self.conn).prepare(safe(text.to_owned())).await?;
            match statement.parameters() {
                Some(sqlx::Either::Right(count)) => count,
                Some(sqlx::Either::Left(types)) => types.len(),
                None => params.len(),
            }
        } else {
            params.len()
        };
        if expected != params.len() {
            let what = format!(
                "the statement takes {expected} values, {} were given",
                params.len()
            );
            return Err(Error::parameter("params", what).into());
        }
        let mut query = sqlx::query(safe(text.to_owned()));
        for bound in value::all(params, kinds)? {
            query = match bound {
                Bound::Null => query.bind(None::<String>),
                Bound::Bool(b) => query.bind(b),
                Bound::Int(n) => query.bind(n),
                Bound::Unsigned(n) => query.bind(n),
                Bound::Float(n) => query.bind(n),
                Bound::Text(text) => query.bind(text),
                Bound::Bytes(bytes) => query.bind(bytes),
            };
        }
        let stream = (&mut *self.conn).fetch_many(query);
        gather::<MySql>(stream, budget, cells, |done| {
            (done.rows_affected(), done.last_insert_id())
        })
        .await
    }

    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(&mut *self.conn).await?;
        Ok(())
    }

    pub(crate) async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("ROLLBACK").execute(&mut *self.conn).await?;
        Ok(())
    }

    /// Has another login end this one, with what it runs.
    pub(crate) async fn cancel(self, database: &Database) -> Result<(), sqlx::Error> {
        let held = self.conn.detach();
        if let (Some(thread), Pools::MySql { options, .. }) = (self.thread, &database.pools) {
            let mut other: MySqlConnection = options.connect().await?;
            // Cannot be prepared, and a number has no quotes to leave.
            let kill = safe(format!("KILL {thread}"));
            sqlx::raw_sql(kill).execute(&mut other).await?;
            other.close().await?;
        }
        drop(held);
        Ok(())
    }

    pub(crate) fn forget(self) {
        drop(self.conn.detach());
    }
}

fn cells(row: &MySqlRow) -> Result<Map<String, Value>, Error> {
    let mut out = Map::new();
    for (i, column) in row.columns().iter().enumerate() {
        let kind = column.type_info().name();
        let value = cell(row, i, kind).map_err(|e| Error::Column {
            column: column.name().to_owned(),
            kind: kind.to_owned(),
            what: e.to_string(),
        })?;
        value::put(&mut out, column.name(), value);
    }
    Ok(out)
}

fn cell(row: &MySqlRow, i: usize, kind: &str) -> Result<Value, sqlx::Error> {
    if row.try_get_raw(i)?.is_null() {
        return Ok(Value::Null);
    }
    Ok(match kind {
        // The type's name for one digit, which may be more than a yes or no.
        "BOOLEAN" => match row.try_get_unchecked::<i8, _>(i)? {
            0 => false.into(),
            1 => true.into(),
            other => other.into(),
        },
        "TINYINT" | "SMALLINT" | "INT" | "MEDIUMINT" | "BIGINT" => {
            value::integer(row.try_get_unchecked(i)?)
        }
        "FLOAT" => value::single(row.try_get_unchecked(i)?),
        "DOUBLE" => value::float(row.try_get_unchecked(i)?),
        "TIMESTAMP" => value::moment(row.try_get_unchecked::<DateTime<Utc>, _>(i)?),
        "DATETIME" => value::local(row.try_get_unchecked::<NaiveDateTime, _>(i)?),
        "DATE" => row.try_get_unchecked::<NaiveDate, _>(i)?.to_string().into(),
        "TIME" => row.try_get_unchecked::<MySqlTime, _>(i)?.to_string().into(),
        "JSON" => {
            let text: String = row.try_get_unchecked(i)?;
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" | "GEOMETRY" => {
            value::base64(&row.try_get_unchecked::<Vec<u8>, _>(i)?)
        }
        "BIT" | "YEAR" => value::unsigned(row.try_get_unchecked(i)?),
        unsigned if unsigned.ends_with("UNSIGNED") => value::unsigned(row.try_get_unchecked(i)?),
        // DECIMAL too travels as text, with all of its digits.
        _ => row.try_get_unchecked::<String, _>(i)?.into(),
    })
}
