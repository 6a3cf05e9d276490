//! Translates between the protocol and the table; no rules here.

use std::time::Duration;

use bytes::Bytes;
use gearmesh_api::state::v1 as api;
use gearmesh_api::state::v1::state_service_server::StateService;
use gearmesh_api::tool::v1::Json;
use gearmesh_runtime::Keyed;
use prost::Message;
use prost_types::Timestamp;
use tonic::{Request, Response, Status};

use crate::entry::{Entry, Key, Ttl, Value};
use crate::error::Error;
use crate::table::{Change, Changed, Table};

/// Entries of a page when the caller names no number, and at most.
const PAGE_DEFAULT: i32 = 100;
const PAGE_MAX: i32 = 1_000;

/// How a page token begins, so that a foreign text is told from one.
const TOKEN_PREFIX: &str = "after:";

#[derive(Debug)]
pub(crate) struct Rpc {
    table: Table,
}

impl Rpc {
    pub(crate) fn new(table: Table) -> Self {
        Self { table }
    }
}

#[tonic::async_trait]
impl StateService for Rpc {
    async fn get(
        &self,
        request: Request<api::GetRequest>,
    ) -> Result<Response<api::GetResponse>, Status> {
        let key = Key::parse(request.into_inner().key)?;
        let (entry, value) = self
            .table
            .get(&key)
            .await?
            .ok_or_else(|| Error::NotFound(key.as_str().to_owned()))?;
        Ok(Response::new(api::GetResponse {
            key: entry.key,
            value: Some(Json { text: value }),
            version: entry.version,
            updated: Some(timestamp(entry.updated_ms)),
            expires: entry.expires_ms.map(timestamp),
        }))
    }

    async fn put(
        &self,
        request: Request<api::PutRequest>,
    ) -> Result<Response<api::PutResponse>, Status> {
        let keyed = Keyed::of(&request);
        let request = request.into_inner();
        let key = Key::parse(request.key.clone())?;
        let value = Value::parse(request.value.map(|v| v.text).unwrap_or_default())?;
        let ttl = request.ttl.map(duration).transpose()?;
        let change = Change::Put {
            key,
            value,
            ttl,
            version: request.version,
        };
        let reply = |changed: &Changed| {
            let response = api::PutResponse {
                key: request.key.clone(),
                version: changed.version,
                expires: changed.expires_ms.map(timestamp),
            };
            Bytes::from(response.encode_to_vec())
        };
        let reply = self.table.change(change, keyed, reply).await?;
        Ok(Response::new(
            api::PutResponse::decode(reply).map_err(Error::from)?,
        ))
    }

    async fn list(
        &self,
        request: Request<api::ListRequest>,
    ) -> Result<Response<api::ListResponse>, Status> {
        let request = request.into_inner();
        let size = page_size(request.page_size)?;
        let after = page_token(&request.page_token)?;
        let mut entries = self
            .table
            .list(&request.prefix, after, i64::from(size) + 1)
            .await?;
        let more = entries.len() > size as usize;
        entries.truncate(size as usize);
        let next_page_token = match entries.last() {
            Some(last) if more => format!("{TOKEN_PREFIX}{}", last.key),
            _ => String::new(),
        };
        Ok(Response::new(api::ListResponse {
            count: i32::try_from(entries.len()).unwrap_or(i32::MAX),
            entries: entries.into_iter().map(listed).collect(),
            next_page_token,
        }))
    }

    async fn delete(
        &self,
        request: Request<api::DeleteRequest>,
    ) -> Result<Response<api::DeleteResponse>, Status> {
        let keyed = Keyed::of(&request);
        let request = request.into_inner();
        let change = Change::Delete {
            key: Key::parse(request.key)?,
            version: request.version,
        };
        let reply = |changed: &Changed| {
            let response = api::DeleteResponse {
                deleted: changed.existed,
            };
            Bytes::from(response.encode_to_vec())
        };
        let reply = self.table.change(change, keyed, reply).await?;
        Ok(Response::new(
            api::DeleteResponse::decode(reply).map_err(Error::from)?,
        ))
    }
}

fn listed(entry: Entry) -> api::Entry {
    api::Entry {
        key: entry.key,
        version: entry.version,
        size: entry.size,
        updated: Some(timestamp(entry.updated_ms)),
        expires: entry.expires_ms.map(timestamp),
    }
}

/// 0 means the default, too large is reduced, negative is refused.
fn page_size(asked: i32) -> Result<i32, Error> {
    match asked {
        0 => Ok(PAGE_DEFAULT),
        n if n < 0 => Err(Error::PageSize),
        n => Ok(n.min(PAGE_MAX)),
    }
}

fn page_token(token: &str) -> Result<&str, Error> {
    if token.is_empty() {
        return Ok("");
    }
    token
        .strip_prefix(TOKEN_PREFIX)
        .ok_or_else(|| Error::PageToken(token.to_owned()))
}

fn duration(time: prost_types::Duration) -> Result<Ttl, Error> {
    let time = Duration::try_from(time).map_err(|_| Error::Ttl)?;
    Ttl::parse(time)
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp {
        seconds: ms.div_euclid(1000),
        nanos: i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default(),
    }
}
