//! Translates between the protocol and jobs; no rules here.

use std::time::Duration;

use bytes::Bytes;
use gearmesh_api::db::v1 as api;
use gearmesh_api::db::v1::db_service_server::DbService;
use gearmesh_api::tool::v1::Json;
use gearmesh_runtime::CallOf;
use tonic::{Request, Response, Status};

use crate::connection::Connections;
use crate::database::{Database, Settings};
use crate::error::Error;
use crate::job::{Done, Job, Outcome, Work};
use crate::limits::{ANSWER_MARGIN, RETRIES_DEFAULT, STATEMENT_DEFAULT};
use crate::operation::Operation;
use crate::raw::Raw;
use crate::request;
use crate::session::Isolation;
use crate::sql::Param;

#[derive(Debug)]
pub(crate) struct Rpc {
    connections: Connections,
}

/// Where a call goes and how long it may take.
struct Call {
    connection: String,
    deadline: Option<Duration>,
}

impl Call {
    fn of<T>(request: &Request<T>, connection: &str) -> Self {
        Self {
            connection: connection.to_owned(),
            deadline: request.call().timeout,
        }
    }

    /// Ends before the caller's deadline, so that the answer can still say what happened.
    fn limit(&self, asked: Duration) -> Duration {
        match self.deadline {
            Some(deadline) => asked.min(deadline.mul_f64(ANSWER_MARGIN)),
            None => asked,
        }
    }
}

impl Rpc {
    pub(crate) fn new(connections: Connections) -> Self {
        Self { connections }
    }

    /// Runs the operation of a tool of its own.
    async fn one(&self, call: &Call, operation: Operation) -> Result<Outcome, Status> {
        let database = self.connections.find(&call.connection).await?;
        let job = Job {
            read_only: operation.reads(),
            work: Work::One(Box::new(operation)),
            isolation: None,
            retries: RETRIES_DEFAULT,
            limit: call.limit(database.statement),
        };
        let mut done = self.run(&database, &job).await?;
        Ok(done.outcomes.pop().unwrap_or_default())
    }

    async fn run(&self, database: &std::sync::Arc<Database>, job: &Job) -> Result<Done, Status> {
        let done = job.run(&self.connections.cx, database).await;
        if let Err(Error::Connect { said, .. }) = &done
            && said.sqlstate.is_some()
        {
            // The login was refused, so it may have been changed: the next call reads
            // it anew. A pool that is merely full is kept.
            self.connections.forget(&database.name);
        }
        Ok(done?)
    }
}

#[tonic::async_trait]
impl DbService for Rpc {
    async fn connect(
        &self,
        request: Request<api::ConnectRequest>,
    ) -> Result<Response<api::ConnectResponse>, Status> {
        let request = request.into_inner();
        let settings = settings(&request)?;
        let name = request.connection_id;
        self.connections.connect(&name, &settings).await?;
        Ok(Response::new(api::ConnectResponse {
            message: format!("connected to {} as `{name}`", settings.r#type),
            connection_id: name,
        }))
    }

    async fn query(
        &self,
        request: Request<api::QueryRequest>,
    ) -> Result<Response<api::QueryResponse>, Status> {
        let call = Call::of(&request, &request.get_ref().connection_id);
        let operation = request::query(request.get_ref())?;
        let outcome = self.one(&call, operation).await?;
        Ok(Response::new(api::QueryResponse {
            count: signed(outcome.count),
            results: rows(outcome.rows),
        }))
    }

    async fn insert(
        &self,
        request: Request<api::InsertRequest>,
    ) -> Result<Response<api::InsertResponse>, Status> {
        let call = Call::of(&request, &request.get_ref().connection_id);
        let request = request.into_inner();
        let operation = request::insert(&request.table, request.data.as_ref())?;
        let outcome = self.one(&call, operation).await?;
        Ok(Response::new(api::InsertResponse {
            count: signed(outcome.count),
            message: said("inserted", outcome.count),
            rows: rows(outcome.rows),
        }))
    }

    async fn update(
        &self,
        request: Request<api::UpdateRequest>,
    ) -> Result<Response<api::UpdateResponse>, Status> {
        let call = Call::of(&request, &request.get_ref().connection_id);
        let request = request.into_inner();
        let (condition, data) = (request.r#where.as_ref(), request.data.as_ref());
        let operation = request::update(&request.table, condition, data, request.upsert)?;
        let outcome = self.one(&call, operation).await?;
        let word = if outcome.inserted {
            "inserted"
        } else {
            "updated"
        };
        Ok(Response::new(api::UpdateResponse {
            count: signed(outcome.count),
            message: said(word, outcome.count),
        }))
    }

    async fn delete(
        &self,
        request: Request<api::DeleteRequest>,
    ) -> Result<Response<api::DeleteResponse>, Status> {
        let call = Call::of(&request, &request.get_ref().connection_id);
        let request = request.into_inner();
        let operation = request::delete(&request.table, request.r#where.as_ref())?;
        let outcome = self.one(&call, operation).await?;
        Ok(Response::new(api::DeleteResponse {
            count: signed(outcome.count),
            message: said("deleted", outcome.count),
        }))
    }

    async fn transaction(
        &self,
        request: Request<api::TransactionRequest>,
    ) -> Result<Response<api::TransactionResponse>, Status> {
        let call = Call::of(&request, &request.get_ref().connection_id);
        let request = request.into_inner();
        let operations = request::operations(&request.operations)?;
        let asked = match request.timeout {
            Some(time) => duration("timeout", time)?,
            None => STATEMENT_DEFAULT,
        };
        let retries = request
            .max_retries
            .map_or(RETRIES_DEFAULT, |n| u32::try_from(n).unwrap_or_default());
        let database = self.connections.find(&call.connection).await?;
        let job = Job {
            read_only: operations.iter().all(Operation::reads),
            work: Work::Many(operations),
            isolation: Isolation::parse(&request.isolation_level),
            retries,
            limit: call.limit(asked),
        };
        let done = self.run(&database, &job).await?;
        Ok(Response::new(api::TransactionResponse {
            message: format!("committed {} operations", done.outcomes.len()),
            retries: i32::try_from(done.retries).unwrap_or(i32::MAX),
            results: done.outcomes.into_iter().map(result).collect(),
        }))
    }

    async fn raw_query(
        &self,
        request: Request<api::RawQueryRequest>,
    ) -> Result<Response<api::RawQueryResponse>, Status> {
        let call = Call::of(&request, &request.get_ref().connection_id);
        let request = request.into_inner();
        let database = self.connections.find(&call.connection).await?;
        let raw = Raw::parse(database.dialect, &request.query)?;
        if request.read_only == Some(true) && !raw.reads {
            let what = "the statement writes; leave `readOnly` out to allow it";
            return Err(Error::parameter("readOnly", what).into());
        }
        let params: Result<Vec<Param>, Error> = request
            .params
            .iter()
            .enumerate()
            .map(|(i, value)| {
                let value = request::json(Some(value), &format!("params[{i}]"))?;
                Ok(Param {
                    value: value.unwrap_or_default(),
                    column: None,
                })
            })
            .collect();
        let job = Job {
            read_only: raw.reads && request.read_only != Some(false),
            work: Work::Raw {
                raw,
                params: params?,
            },
            isolation: None,
            retries: RETRIES_DEFAULT,
            limit: call.limit(database.statement),
        };
        let mut done = self.run(&database, &job).await?;
        let outcome = done.outcomes.pop().unwrap_or_default();
        Ok(Response::new(api::RawQueryResponse {
            count: signed(outcome.rows.len() as u64),
            affected: signed(outcome.count),
            rows: rows(outcome.rows),
        }))
    }

    async fn disconnect(
        &self,
        request: Request<api::DisconnectRequest>,
    ) -> Result<Response<api::DisconnectResponse>, Status> {
        let name = request.into_inner().connection_id;
        let message = if self.connections.disconnect(&name).await? {
            format!("`{name}` is closed")
        } else {
            format!("`{name}` was not open")
        };
        Ok(Response::new(api::DisconnectResponse {
            message,
            connection_id: name,
        }))
    }

    async fn list_connections(
        &self,
        _: Request<api::ListConnectionsRequest>,
    ) -> Result<Response<api::ListConnectionsResponse>, Status> {
        let connections: Vec<_> = self
            .connections
            .list()
            .await?
            .into_iter()
            .map(|listed| api::ConnectionInfo {
                name: listed.name,
                r#type: listed.r#type,
                open: i32::try_from(listed.open).unwrap_or(i32::MAX),
                idle: i32::try_from(listed.idle).unwrap_or(i32::MAX),
                pool_size: i32::try_from(listed.pool_size).unwrap_or(i32::MAX),
            })
            .collect();
        Ok(Response::new(api::ListConnectionsResponse {
            count: i32::try_from(connections.len()).unwrap_or(i32::MAX),
            connections,
        }))
    }
}

/// What `db.connect` saves.
fn settings(request: &api::ConnectRequest) -> Result<Settings, Error> {
    let reference = !request.vault_name.is_empty() || !request.credential_name.is_empty();
    let connection_string = match (request.connection_string.as_str(), reference) {
        ("", true) if request.vault_name.is_empty() || request.credential_name.is_empty() => {
            let what = "`vaultName` and `credentialName` belong together";
            return Err(Error::parameter("credentialName", what));
        }
        ("", true) => format!("vault://{}/{}", request.vault_name, request.credential_name),
        ("", false) => {
            let what = "is needed, or `vaultName` and `credentialName`";
            return Err(Error::parameter("connectionString", what));
        }
        (_, true) => {
            let what = "is given beside `vaultName` and `credentialName`; give one of them";
            return Err(Error::parameter("connectionString", what));
        }
        (text, false) => text.to_owned(),
    };
    let millis = |field: &'static str, time: Option<prost_types::Duration>| {
        let time = time.map(|t| duration(field, t)).transpose()?;
        Ok::<_, Error>(time.and_then(|t| u64::try_from(t.as_millis()).ok()))
    };
    Ok(Settings {
        r#type: request.r#type.clone(),
        connection_string,
        pool_size: request.pool_size.and_then(|n| u32::try_from(n).ok()),
        idle_timeout: millis("idleTimeout", request.idle_timeout)?,
        connection_timeout: millis("connectionTimeout", request.connection_timeout)?,
        statement_timeout: millis("statementTimeout", request.statement_timeout)?,
        read_only: request.read_only,
        ca_certificate: (!request.ca_certificate.is_empty())
            .then(|| request.ca_certificate.clone()),
    })
}

fn duration(field: &str, time: prost_types::Duration) -> Result<Duration, Error> {
    Duration::try_from(time).map_err(|_| Error::parameter(field, "is not negative"))
}

fn result(outcome: Outcome) -> api::OperationResult {
    api::OperationResult {
        count: signed(outcome.count),
        rows: rows(outcome.rows),
    }
}

fn rows(rows: Vec<Bytes>) -> Vec<Json> {
    rows.into_iter().map(|text| Json { text }).collect()
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn said(word: &str, count: u64) -> String {
    match count {
        1 => format!("{word} 1 row"),
        n => format!("{word} {n} rows"),
    }
}
