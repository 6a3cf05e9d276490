//! `SQLite`: a value's storage class says what it is, not the type of its column.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, Executor, Row, Sqlite, Statement, TypeInfo, ValueRef};

use crate::error::Error;
use crate::session::{Answer, Budget, Failed, Mode, gather};
use crate::sql::{Param, Table, safe};
use crate::value::{self, Bound, Kind};

/// Steps of the machine between two looks whether a statement is still wanted.
const STEPS: i32 = 10_000;

/// A login in use.
#[derive(Debug)]
pub(crate) struct Live {
    conn: PoolConnection<Sqlite>,
    stop: Arc<AtomicBool>,
}

impl Live {
    pub(crate) fn new(conn: PoolConnection<Sqlite>) -> Self {
        Self {
            conn,
            stop: Arc::new(AtomicBool::new(false)),
        }
    }

    pub(crate) async fn begin(&mut self, mode: Mode) -> Result<(), sqlx::Error> {
        let stop = self.stop.clone();
        self.conn
            .lock_handle()
            .await?
            .set_progress_handler(STEPS, move || !stop.load(Ordering::Relaxed));
        // A lock for writing that is taken at once cannot lose against another's.
        let begin = if mode.read_only {
            "BEGIN"
        } else {
            "BEGIN IMMEDIATE"
        };
        sqlx::raw_sql(begin).execute(&mut *self.conn).await?;
        Ok(())
    }

    pub(crate) async fn kinds(
        &mut self,
        table: &Table,
    ) -> Result<HashMap<String, Kind>, sqlx::Error> {
        let rows = sqlx::query("SELECT name, type FROM pragma_table_info(?, ?)")
            .bind(table.name.as_str().to_owned())
            .bind(table.schema.as_ref().map(|s| s.as_str().to_owned()))
            .fetch_all(&mut *self.conn)
            .await?;
        rows.iter()
            .map(|row| {
                let (column, kind): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                let kind = if kind.to_ascii_uppercase().contains("BLOB") {
                    Kind::Bytes
                } else {
                    Kind::Other
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
        let statement = (&mut *self.conn).prepare(safe(text.to_owned())).await?;
        let expected = match statement.parameters() {
            Some(sqlx::Either::Right(count)) => count,
            Some(sqlx::Either::Left(types)) => types.len(),
            None => params.len(),
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
                // Beyond its whole numbers: as text it is at least the same digits.
                Bound::Unsigned(n) => query.bind(n.to_string()),
                Bound::Float(n) => query.bind(n),
                Bound::Text(text) => query.bind(text),
                Bound::Bytes(bytes) => query.bind(bytes),
            };
        }
        let stream = (&mut *self.conn).fetch_many(query);
        gather::<Sqlite>(stream, budget, cells, |done| (done.rows_affected(), 0)).await
    }

    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(&mut *self.conn).await?;
        self.conn.lock_handle().await?.remove_progress_handler();
        Ok(())
    }

    pub(crate) async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("ROLLBACK").execute(&mut *self.conn).await?;
        self.conn.lock_handle().await?.remove_progress_handler();
        Ok(())
    }

    /// Stops what it runs, and closes it; the file's journal takes the rest back.
    pub(crate) fn forget(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.conn.detach());
    }
}

fn cells(row: &SqliteRow) -> Result<Map<String, Value>, Error> {
    let mut out = Map::new();
    for (i, column) in row.columns().iter().enumerate() {
        let value = cell(row, i).map_err(|e| Error::Column {
            column: column.name().to_owned(),
            kind: column.type_info().name().to_owned(),
            what: e.to_string(),
        })?;
        value::put(&mut out, column.name(), value);
    }
    Ok(out)
}

fn cell(row: &SqliteRow, i: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(i)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let class = raw.type_info().name().to_owned();
    drop(raw);
    Ok(match class.as_str() {
        "INTEGER" => value::integer(row.try_get_unchecked(i)?),
        "REAL" => value::float(row.try_get_unchecked(i)?),
        "BLOB" => value::base64(&row.try_get_unchecked::<Vec<u8>, _>(i)?),
        _ => row.try_get_unchecked::<String, _>(i)?.into(),
    })
}
