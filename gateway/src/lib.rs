//! The one door to the mesh: native gRPC, REST, OpenAPI and MCP on one port.
//!
//! Nothing here knows a tool. Each surface iterates the catalogue and calls by
//! descriptor, so that an RPC which is added to an engine's proto is served by all
//! of them without a line of code. A native gRPC request is passed on as bytes by
//! its method path; JSON is converted once, in the catalogue's one function.
//!
//! What is derived from the catalogue (routes, documents, lists) is built anew
//! when an engine has joined and swapped as a whole ([`view`]). Errors of every
//! surface are the same `google.rpc.Status` with the same reason.
//!
//! Must not know: any engine's types, stores.

mod caller;
mod config;
mod deadline;
mod gateway;
mod grpc;
mod health;
mod limits;
mod login;
mod mcp;
mod openapi;
mod origin;
mod page;
mod reply;
mod rest;
mod timed;
mod view;

use gearmesh_runtime::{BoxFuture, Context, Service};
use tonic::service::Routes;

pub use config::Config;
pub use limits::{BODY_MAX, DEPTH_MAX, ELEMENTS_MAX, URL_MAX};
pub use mcp::{StdioError, serve_stdio};
pub use openapi::openapi;
pub use rest::tools_json;

/// The gateway.
pub const SERVICE: Service = Service {
    name: "gateway",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        let config: Config = cx.config()?;
        let gateway = gateway::Gateway::new(cx, &config)?;
        let answer = move |request: axum::extract::Request| {
            let gateway = gateway.clone();
            async move { gateway.answer(request).await }
        };
        // One fallback over everything: axum's own router has no `{id}:verb`.
        Ok(Routes::from(axum::Router::new().fallback(answer)))
    })
}
