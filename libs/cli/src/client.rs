//! Calls of a server, as JSON.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use gearmesh_api::DESCRIPTORS;
use gearmesh_catalog::{Catalog, Engines, Source, Tool};
use gearmesh_link::{Call, Link, invoke, invoke_rpc, invoke_stream, reflect};
use serde_json::Value;
use tonic::Status;

use crate::access;
use crate::error::Error;
use crate::limit::Limit;
use crate::text::field;

/// Items that are asked for at once, the most that a page of the orchestrator has.
const PAGE: usize = 200;

/// A server and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    url: String,
    link: Link,
    catalog: Arc<Catalog>,
    /// When the command must have ended.
    limit: Option<Limit>,
}

/// Messages of a stream as they come.
pub(crate) type Messages = Pin<Box<dyn Stream<Item = Result<Value, Status>> + Send>>;

/// All tools that are built in.
pub(crate) fn built_in() -> Result<Catalog, Error> {
    Ok(Catalog::build(&[Source {
        descriptors: DESCRIPTORS,
        engines: Engines::All,
    }])?)
}

impl Client {
    /// A client that knows the tools of orchestrator, scheduler and vault. Connects at the
    /// first call.
    pub(crate) fn of_runs(url: &str, limit: Option<Limit>) -> Result<Self, Error> {
        let catalog = Catalog::build(&[Source {
            descriptors: DESCRIPTORS,
            engines: Engines::Only(&["orchestrator", "scheduler", "vault"]),
        }])?;
        Self::with(url, Arc::new(catalog), limit)
    }

    /// A client that knows the tools of this catalogue.
    pub(crate) fn with(
        url: &str,
        catalog: Arc<Catalog>,
        limit: Option<Limit>,
    ) -> Result<Self, Error> {
        Ok(Self::over(url, access::link(url)?, catalog, limit))
    }

    /// A client over a link of the caller's.
    pub(crate) fn over(url: &str, link: Link, catalog: Arc<Catalog>, limit: Option<Limit>) -> Self {
        Self {
            url: url.to_owned(),
            link,
            catalog,
            limit,
        }
    }

    /// A call that ends with the command.
    fn in_time(&self, key: Option<String>) -> Call {
        Call {
            key,
            timeout: self.limit.map(|limit| limit.left()),
            ..Call::default()
        }
    }

    /// Calls a tool that this program itself relies on.
    pub(crate) async fn call(&self, id: &str, params: Value) -> Result<Value, Error> {
        let tool = self.tool(id)?;
        self.invoke(&tool, params, None).await
    }

    /// As [`Client::call`], with an idempotency key.
    pub(crate) async fn call_once(
        &self,
        id: &str,
        params: Value,
        key: &str,
    ) -> Result<Value, Error> {
        let tool = self.tool(id)?;
        self.invoke(&tool, params, Some(key.to_owned())).await
    }

    /// Calls an RPC that is no tool, by its path.
    pub(crate) async fn call_rpc(&self, path: &str, params: Value) -> Result<Value, Error> {
        let catalog = built_in()?;
        let rpc = catalog.rpc(path).ok_or_else(|| Error::NotFound {
            code: "NOT_IMPLEMENTED",
            message: format!("no RPC `{path}`"),
            help: None,
        })?;
        invoke_rpc(&self.link, rpc, params, &self.in_time(None))
            .await
            .map_err(|status| self.failed(&status))
    }

    /// Calls a tool.
    pub(crate) async fn invoke(
        &self,
        tool: &Tool,
        params: Value,
        key: Option<String>,
    ) -> Result<Value, Error> {
        invoke(&self.link, tool, params, &self.in_time(key))
            .await
            .map_err(|status| self.failed(&status))
    }

    /// Calls a tool whose answer is a stream.
    pub(crate) async fn stream(
        &self,
        tool: &Tool,
        params: Value,
        key: Option<String>,
    ) -> Result<Messages, Error> {
        match self.open(tool, params, key).await {
            Ok(messages) => Ok(messages),
            Err(status) => Err(self.failed(&status)),
        }
    }

    /// As [`Client::call`], of a tool whose answer is a stream.
    pub(crate) async fn call_stream(&self, id: &str, params: Value) -> Result<Messages, Error> {
        let tool = self.tool(id)?;
        self.stream(&tool, params, None).await
    }

    /// The items of a list under `key`, page by page, up to so many; and whether there are
    /// more.
    pub(crate) async fn pages(
        &self,
        id: &str,
        mut params: Value,
        key: &str,
        most: usize,
    ) -> Result<(Vec<Value>, bool), Error> {
        let mut items: Vec<Value> = Vec::new();
        loop {
            params["pageSize"] = (most - items.len()).clamp(1, PAGE).into();
            let mut answer = self.call(id, params.clone()).await?;
            if let Some(Value::Array(found)) = answer.get_mut(key).map(Value::take) {
                items.extend(found);
            }
            let next = field(&answer, "nextPageToken");
            if next.is_empty() || items.len() >= most {
                let more = !next.is_empty() || items.len() > most;
                items.truncate(most);
                return Ok((items, more));
            }
            params["pageToken"] = next.into();
        }
    }

    /// Follows a run from behind an event. The status of a failure decides whether
    /// it is tried again, so it comes as it is.
    pub(crate) async fn watch(&self, run: &str, after: &str) -> Result<Messages, Status> {
        let tool = self
            .tool("orchestrator.watch_run")
            .map_err(|e| Status::unimplemented(e.to_string()))?;
        self.open(
            &tool,
            serde_json::json!({"runId": run, "after": after}),
            None,
        )
        .await
    }

    async fn open(
        &self,
        tool: &Tool,
        params: Value,
        key: Option<String>,
    ) -> Result<Messages, Status> {
        let call = Call {
            key,
            ..Call::default()
        };
        Ok(Box::pin(
            invoke_stream(&self.link, tool, params, &call).await?,
        ))
    }

    /// The error of a status of this server.
    pub(crate) fn failed(&self, status: &Status) -> Error {
        Error::of_call(status, &self.url)
    }

    fn tool(&self, id: &str) -> Result<Arc<Tool>, Error> {
        match self.catalog.get(id) {
            Some(found) => Ok(found.tool.clone()),
            None => Err(Error::NotFound {
                code: "TOOL_NOT_FOUND",
                message: format!("no tool `{id}`"),
                help: None,
            }),
        }
    }
}

/// What a server describes by reflection.
pub(crate) async fn describe(url: &str) -> Result<Vec<u8>, Error> {
    let link = access::link(url)?;
    reflect(&link, url).await.map_err(|error| match error {
        gearmesh_link::Error::Reflection { status, .. } => Error::of_call(&status, url),
        other => Error::usage(other.to_string()),
    })
}

/// The catalogue of a server.
pub(crate) async fn catalog_of(url: &str) -> Result<Arc<Catalog>, Error> {
    let descriptors = describe(url).await?;
    Ok(Arc::new(Catalog::build(&[Source {
        descriptors: &descriptors,
        engines: Engines::All,
    }])?))
}
