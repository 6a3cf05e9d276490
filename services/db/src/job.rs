//! One transaction: its operations, its retries, its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gearmesh_runtime::Context;
use serde_json::{Map, Value};

use crate::database::Database;
use crate::dialect::Dialect;
use crate::error::Error;
use crate::limits::{RETRY_FIRST, ROWS_MAX};
use crate::operation::{self, Operation, Record, Select};
use crate::raw::Raw;
use crate::session::{Answer, Budget, Isolation, Mode, Session};
use crate::sql::{Param, Sql, Table};
use crate::value::Kind;

/// What is done in the transaction.
#[derive(Debug)]
pub(crate) enum Work {
    /// The operation of a tool of its own.
    One(Box<Operation>),
    /// The operations of `db.transaction`.
    Many(Vec<Operation>),
    /// A statement that a caller wrote.
    Raw { raw: Raw, params: Vec<Param> },
}

/// A transaction to run.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) read_only: bool,
    pub(crate) isolation: Option<Isolation>,
    pub(crate) retries: u32,
    /// Longest time of the whole.
    pub(crate) limit: Duration,
}

/// What an operation did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Bytes>,
    /// Rows that were read, or else changed.
    pub(crate) count: u64,
    /// Whether an upsert inserted.
    pub(crate) inserted: bool,
}

/// What all did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) retries: u32,
}

impl Job {
    /// Runs the job. Whoever drops the future ends its statement at the database too.
    pub(crate) async fn run(&self, cx: &Context, database: &Arc<Database>) -> Result<Done, Error> {
        if database.read_only && !self.read_only {
            return Err(Error::ReadOnly(database.name.clone()));
        }
        let committing = AtomicBool::new(false);
        let attempts = self.attempts(cx, database, &committing);
        match tokio::time::timeout(self.limit, attempts).await {
            Ok(done) => done,
            Err(_) if committing.load(Ordering::Relaxed) => Err(Error::TimeoutAtCommit(self.limit)),
            Err(_) => Err(Error::Timeout(self.limit)),
        }
    }

    async fn attempts(
        &self,
        cx: &Context,
        database: &Arc<Database>,
        committing: &AtomicBool,
    ) -> Result<Done, Error> {
        let mut retries = 0;
        loop {
            match self.attempt(cx, database, committing, retries).await {
                Ok(outcomes) => return Ok(Done { outcomes, retries }),
                Err(e) if e.conflict() && retries < self.retries => {
                    tracing::debug!(connection = %database.name, error = %e, "transaction is tried again");
                    tokio::time::sleep(RETRY_FIRST * 2_u32.pow(retries.min(10))).await;
                    retries += 1;
                }
                Err(e) if e.conflict() => {
                    let cause = Box::new(e);
                    return Err(Error::Retried { retries, cause });
                }
                Err(e) => return Err(e),
            }
        }
    }

    async fn attempt(
        &self,
        cx: &Context,
        database: &Arc<Database>,
        committing: &AtomicBool,
        retries: u32,
    ) -> Result<Vec<Outcome>, Error> {
        let lasting = matches!(&self.work, Work::Raw { raw, .. } if !raw.undone);
        committing.store(lasting, Ordering::Relaxed);
        let mode = Mode {
            read_only: self.read_only,
            isolation: self.isolation,
            limit: self.limit.min(database.statement),
        };
        let mut session = Session::begin(cx, database, mode).await?;
        match self.operations(&mut session, retries).await {
            Ok(outcomes) => {
                // What only read has no effect that could be in doubt.
                committing.store(!self.read_only, Ordering::Relaxed);
                let clean = matches!(self.work, Work::Raw { .. });
                session.commit(clean).await?;
                Ok(outcomes)
            }
            Err(e) => {
                session.close(&e).await;
                Err(e)
            }
        }
    }

    async fn operations(&self, session: &mut Session, retries: u32) -> Result<Vec<Outcome>, Error> {
        let mut tables = Tables {
            session,
            kinds: HashMap::new(),
            budget: Budget::new(),
            first: retries == 0,
        };
        match &self.work {
            Work::One(operation) => Ok(vec![tables.run(operation).await?]),
            Work::Many(operations) => {
                let mut outcomes = Vec::with_capacity(operations.len());
                for (i, operation) in operations.iter().enumerate() {
                    let done = tables.run(operation).await;
                    outcomes.push(done.map_err(|cause| Error::Transaction {
                        operation: i,
                        cause: Box::new(cause),
                    })?);
                }
                Ok(outcomes)
            }
            Work::Raw { raw, params } => {
                let none = HashMap::new();
                let budget = &mut tables.budget;
                let answer = tables.session.run(&raw.text, params, &none, budget).await;
                let answer = answer.map_err(|e| match (raw.undone, raw.parts) {
                    (true, _) => e,
                    (false, false) => e.in_doubt(),
                    (false, true) => e.in_parts(),
                })?;
                Ok(vec![Outcome {
                    rows: answer.rows,
                    count: if self.read_only { 0 } else { answer.affected },
                    inserted: false,
                }])
            }
        }
    }
}

/// A session with what is known of its tables.
struct Tables<'a> {
    session: &'a mut Session,
    kinds: HashMap<Table, HashMap<String, Kind>>,
    budget: Budget,
    /// No conflict was met yet.
    first: bool,
}

impl Tables<'_> {
    async fn run(&mut self, operation: &Operation) -> Result<Outcome, Error> {
        let dialect = self.session.dialect();
        match operation {
            Operation::Query(select) => self.select(select).await,
            Operation::Insert { table, records } => {
                let rows = self.insert(table, records).await?;
                Ok(Outcome {
                    rows,
                    count: records.len() as u64,
                    inserted: true,
                })
            }
            Operation::Update {
                table,
                condition,
                data,
                upsert,
            } => {
                let sql = operation::update(dialect, table, condition, data);
                let changed = self.statement(table, &sql).await?.affected;
                match upsert {
                    Some(record) if changed == 0 => self.upsert(table, record).await,
                    _ => Ok(Outcome {
                        count: changed,
                        ..Outcome::default()
                    }),
                }
            }
            Operation::Delete { table, condition } => {
                let sql = operation::delete(dialect, table, condition);
                Ok(Outcome {
                    count: self.statement(table, &sql).await?.affected,
                    ..Outcome::default()
                })
            }
        }
    }

    async fn statement(&mut self, table: &Table, sql: &Sql) -> Result<Answer, Error> {
        if !self.kinds.contains_key(table) {
            let kinds = self.session.kinds(table).await?;
            self.kinds.insert(table.clone(), kinds);
        }
        let none = HashMap::new();
        let kinds = self.kinds.get(table).unwrap_or(&none);
        let (text, params) = (&sql.text, &sql.params);
        self.session
            .run(text, params, kinds, &mut self.budget)
            .await
    }

    async fn select(&mut self, select: &Select) -> Result<Outcome, Error> {
        let sql = select.sql(self.session.dialect());
        let mut rows = self.statement(&select.table, &sql).await?.rows;
        if !select.without.is_empty() {
            rows = rows
                .iter()
                .map(|row| without(row, &select.without))
                .collect();
        }
        Ok(Outcome {
            count: rows.len() as u64,
            rows,
            inserted: false,
        })
    }

    /// No row matched; another call may insert it at the same moment, and then
    /// the next attempt updates that one.
    async fn upsert(&mut self, table: &Table, record: &Record) -> Result<Outcome, Error> {
        match self.insert(table, std::slice::from_ref(record)).await {
            Err(Error::Constraint { said, unique: true }) if self.first => {
                Err(Error::Conflict(said))
            }
            Err(e) => Err(e),
            Ok(_) => Ok(Outcome {
                count: 1,
                inserted: true,
                ..Outcome::default()
            }),
        }
    }

    async fn insert(&mut self, table: &Table, records: &[Record]) -> Result<Vec<Bytes>, Error> {
        let dialect = self.session.dialect();
        let returning = self.session.returning();
        let mut rows = Vec::with_capacity(records.len().min(ROWS_MAX));
        let mut at = 0;
        for sql in operation::inserts(dialect, table, records, returning, !returning) {
            let answer = self.statement(table, &sql).await?;
            if returning {
                rows.extend(answer.rows);
            } else if let Some(record) = records.get(at) {
                rows.extend(self.again(table, record, answer.generated).await?);
                at += 1;
            }
        }
        Ok(rows)
    }

    /// Reads an inserted row back by its key, for databases that do not return it.
    async fn again(
        &mut self,
        table: &Table,
        record: &Record,
        generated: u64,
    ) -> Result<Vec<Bytes>, Error> {
        let mut sql = Sql::new(Dialect::MySql, "SHOW KEYS FROM ");
        sql.table(table).push(" WHERE Key_name = 'PRIMARY'");
        let keys = self.statement(table, &sql).await?.rows;
        let mut select = Sql::new(Dialect::MySql, "SELECT * FROM ");
        select.table(table);
        for (i, key) in keys.iter().enumerate() {
            let column = serde_json::from_slice::<Value>(key).unwrap_or_default();
            let column = column["Column_name"].as_str().unwrap_or_default();
            let name = crate::sql::Name::parse(column, "table")?;
            let given = record.iter().find(|(n, v)| *n == name && !v.is_null());
            let value = given.map_or_else(|| generated.into(), |(_, v)| v.clone());
            select.push(if i == 0 { " WHERE " } else { " AND " });
            select.name(&name).push(" = ").bind(value, Some(&name));
        }
        if keys.is_empty() {
            // Without a key the row cannot be told from others: what was given is shown.
            let row: Map<String, Value> = record
                .iter()
                .map(|(n, v)| (n.as_str().to_owned(), v.clone()))
                .collect();
            return Ok(vec![Value::Object(row).to_string().into()]);
        }
        Ok(self.statement(table, &select).await?.rows)
    }
}

/// A row without some columns.
fn without(row: &Bytes, columns: &[String]) -> Bytes {
    match serde_json::from_slice::<Map<String, Value>>(row) {
        Ok(mut map) => {
            map.retain(|key, _| !columns.contains(key));
            Value::Object(map).to_string().into()
        }
        Err(_) => row.clone(),
    }
}
