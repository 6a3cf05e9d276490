//! Runs workflows: durable graphs of tool calls.
//!
//! What a run does next is decided by a pure function of its journal ([`plan`]);
//! what was decided is made durable before anything follows from it ([`run`]).
//! After a crash a run goes on from its last durable row, and only what the class
//! of a call allows is sent again.
//!
//! No engine's types are known here: a tool is what the catalogue says it is.

mod acceptance;
mod artifact;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod config;
mod error;
mod forward;
mod hash;
mod journal;
mod plan;
mod render;
mod rpc;
mod run;
mod seal;
mod seal_source;
mod seal_sweep;
mod sensitive;
mod simulate;
mod size;
mod stored;
mod voter;
mod why;

use gearmesh_api::orchestrator::v1::orchestrator_service_server::OrchestratorServiceServer;
use gearmesh_runtime::{BoxFuture, Context, Service};
use tonic::service::Routes;

pub use config::Config;
pub use journal::INLINE_MAX;

/// The orchestrator.
pub const SERVICE: Service = Service {
    name: "orchestrator",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        let config = cx.config::<Config>()?;
        let rpc = rpc::Rpc::open(cx, config).await?;
        let others = rpc.others();
        let server = OrchestratorServiceServer::new(rpc)
            .max_decoding_message_size(gearmesh_api::MESSAGE_MAX)
            .max_encoding_message_size(gearmesh_api::MESSAGE_MAX);
        Ok(Routes::new(forward::Forward::new(server, others)))
    })
}
