//! The fixture engine: `rpc` translates, `load` counts, `jobs` and `roles` know the answers.

mod error;
mod jobs;
mod load;
mod roles;
mod rpc;

use gearmesh_runtime::{BoxFuture, Context, Service};
use tonic::service::Routes;

use self::api::fixture_service_server::FixtureServiceServer;

/// The generated types.
#[allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::too_many_lines,
    reason = "generated"
)]
pub mod api {
    tonic::include_proto!("fixture.v1");
}

/// Its descriptors with what they import, options and comments included.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fixture.bin"));

/// The fixture engine.
pub const SERVICE: Service = Service {
    name: "fixture",
    descriptors: || DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move { Ok(Routes::new(FixtureServiceServer::new(rpc::Rpc::new(cx)))) })
}
