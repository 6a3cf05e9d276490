//! The tools of a mesh as an MCP server, for one transport or another.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rmcp::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, ErrorData, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool as McpTool,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};
use tonic::Status;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_catalog::Catalog;
use gearmesh_fault::{Failure, Refusal};
use gearmesh_link::{Call, Mesh};

use super::{result, tools};
use crate::caller::Caller;
use crate::rest::{not_found, with_preset};
use crate::timed;

/// How long a list may be kept, in milliseconds.
const LIST_TTL_MS: u64 = 300_000;

/// The key of `_meta` that works as `Idempotency-Key` does.
const KEY: &str = "gearmesh/idempotencyKey";

/// The tools of a mesh; clones share their list.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    mesh: Mesh,
    /// Who calls when a request does not say so; none over HTTP, where each does.
    user: Option<Caller>,
    listed: Arc<ArcSwapOption<Listed>>,
}

/// The list of one generation of the catalogue.
#[derive(Debug)]
struct Listed {
    generation: u64,
    tools: Vec<McpTool>,
}

impl Server {
    pub(crate) fn new(mesh: Mesh, user: Option<Caller>) -> Self {
        Self {
            mesh,
            user,
            listed: Arc::default(),
        }
    }

    fn listed(&self) -> Arc<Listed> {
        let generation = self.mesh.generation();
        match self.listed.load_full() {
            Some(listed) if listed.generation == generation => listed,
            _ => {
                let listed = Arc::new(Listed {
                    generation,
                    tools: tools::list(&self.mesh.catalog()),
                });
                self.listed.store(Some(listed.clone()));
                listed
            }
        }
    }

    /// Who calls. Fails closed: a transport that lost the login calls for nobody.
    fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        let parts = context.extensions.get::<http::request::Parts>();
        parts
            .and_then(|parts| parts.extensions.get::<Caller>())
            .or(self.user.as_ref())
            .cloned()
            .unwrap_or_else(|| Caller::named("nobody", &[]))
    }

    async fn call(
        &self,
        catalog: &Catalog,
        name: &str,
        arguments: Option<Value>,
        caller: &Caller,
        call: Call,
    ) -> Result<Value, Status> {
        let found = catalog.get(name).ok_or_else(|| not_found(catalog, name))?;
        let params = with_preset(&found, arguments)?;
        let tool = found.tool.clone();
        caller.may_call(&tool, &params)?;
        if tool.client_streaming {
            let text = format!("`{}` takes a stream; call it by gRPC", tool.id);
            return Err(Refusal::new(CommonFault::NotImplemented, text).into());
        }
        let link = self.mesh.link(&tool.engine)?;
        timed::answer(&link, &tool, params, call).await
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(
                Implementation::new("gearmesh", env!("CARGO_PKG_VERSION")).with_title("Gearmesh"),
            )
            .with_instructions(tools::instructions(&self.mesh.catalog()))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|r| r.cursor.is_some()) {
            return Err(ErrorData::invalid_params(
                "the list has one page; there is no cursor",
                None,
            ));
        }
        let (caller, catalog) = (self.caller(&context), self.mesh.catalog());
        let mut tools = self.listed().tools.clone();
        // A model is not shown what its login could never call.
        tools.retain(|t| {
            catalog
                .get(&t.name)
                .is_some_and(|found| caller.may_ever(found.tool))
        });
        let mut result = ListToolsResult::with_all_items(tools);
        result.ttl_ms = Some(LIST_TTL_MS);
        result.cache_scope = Some(CacheScope::Private);
        Ok(result)
    }

    fn get_tool(&self, name: &str) -> Option<McpTool> {
        self.listed().tools.iter().find(|t| t.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let catalog = self.mesh.catalog();
        if catalog.get(&request.name).is_none() {
            return Err(unknown(&catalog, &request.name));
        }
        let caller = self.caller(&context);
        let trace = context.meta.get_traceparent().map(str::to_owned);
        let call = Call {
            key: context
                .meta
                .get(KEY)
                .and_then(Value::as_str)
                .map(str::to_owned),
            trace: trace.clone(),
            principal: caller.principal().map(str::to_owned),
            scopes: caller.scopes(),
            ..Call::default()
        };
        let arguments = request.arguments.map(Value::Object);
        let answer = tokio::select! {
            answer = self.call(&catalog, &request.name, arguments, &caller, call) => answer,
            // The client took the call back or left; dropping the call cancels the engine's.
            () = context.ct.cancelled() => Err(Refusal::new(CommonFault::Cancelled, "the call was cancelled").into()),
        };
        Ok(match answer {
            Ok(value) => result::answered(value).into(),
            Err(status) => result::failed(&status, trace.as_deref().unwrap_or_default()).into(),
        })
    }
}

/// An unknown name is a fault of the protocol, not of a tool.
fn unknown(catalog: &Catalog, name: &str) -> ErrorData {
    let refusal = not_found(catalog, name);
    let message = refusal.to_string();
    let nearest = catalog.nearest(name);
    let near: Vec<String> = nearest
        .iter()
        .filter_map(|id| Some(catalog.get(id)?.tool.mcp_name()))
        .collect();
    let status = Failure::of(&refusal.into()).to_json();
    ErrorData::invalid_params(message, Some(json!({"nearest": near, "status": status})))
}
