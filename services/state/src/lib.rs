//! Small values under names, kept between runs: counters, cursors, flags.
//!
//! Workflows need a place for what one run must tell the next, with
//! compare-and-set so that two runs cannot overwrite each other unseen. It is
//! the smallest engine and the pattern of all others: `rpc` translates, `entry`
//! holds the rules, `table` the queries.

mod config;
mod entry;
mod error;
mod rpc;
mod table;

use gearmesh_api::state::v1::state_service_server::StateServiceServer;
use gearmesh_runtime::{BoxFuture, Context, Service};
use tonic::service::Routes;

pub use config::Config;
pub use entry::{KEY_MAX, VALUE_MAX};

/// The state engine.
pub const SERVICE: Service = Service {
    name: "state",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        cx.config::<Config>()?;
        let table = table::Table::new(cx);
        Ok(Routes::new(StateServiceServer::new(rpc::Rpc::new(table))))
    })
}
