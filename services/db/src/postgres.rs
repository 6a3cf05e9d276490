//! `PostgreSQL`: every value travels as text and is cast to the type that the
//! server expects at its place, so that no type of its many is lost.

use std::fmt::Write;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgTypeInfo};
use sqlx::{
    Column, ConnectOptions, Connection, Either, Executor, Postgres, Row, Statement, TypeInfo,
};

use crate::database::{Database, Pools};
use crate::error::{Error, Said};
use crate::postgres_param::{cast, written};
use crate::postgres_row::{as_json, cells, known};
use crate::session::{Answer, Budget, Failed, Mode, gather};
use crate::sql::{Param, safe};

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
