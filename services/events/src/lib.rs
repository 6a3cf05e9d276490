//! Events under topics, kept until they are trimmed.
//!
//! Workflows, engines and people tell each other that something happened without
//! knowing each other. The bus does the work (`gearmesh-bus`: a file or Redis, by
//! the setting `bus`); here it becomes tools. A group remembers at the bus what
//! it has seen, so any instance of this engine serves any of its members.

mod config;
mod error;
mod event_id;
mod rpc;
mod subscribe;
mod wire;

use gearmesh_api::events::v1::events_service_server::EventsServiceServer;
use gearmesh_runtime::{BoxFuture, Context, Service};
use tonic::service::Routes;

pub use config::Config;

/// The events engine.
pub const SERVICE: Service = Service {
    name: "events",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        cx.config::<Config>()?;
        Ok(Routes::new(EventsServiceServer::new(rpc::Rpc::new(cx))))
    })
}
