//! Files in named folders, and archives of them.
//!
//! Workflows and agents name files; whoever runs the mesh says which folders
//! those names may reach. The engine turns a text into a place below one of these
//! roots (`relative`, `root`, `place`) and reaches it by handle alone, without
//! links (`folder`), so that no text, no archive and nobody who renames
//! meanwhile gets out of them.
//!
//! What it writes appears in one step (`draft`), and a call that is sent again
//! under its key after a crash gives the same answer (`note`). `rpc` translates;
//! the rest is plain blocking code, which `Job::run` keeps off the threads that
//! serve. It speaks to Linux: `openat2` and nameless files have no equal elsewhere.
//!
//! Must not know: workflows, other engines, the network.

mod answer;
mod archive;
mod batch;
mod claim;
mod config;
mod content;
mod copy;
mod digest;
mod draft;
mod engine;
mod error;
mod folder;
mod fsync;
mod gzip;
mod listing;
mod note;
mod payload;
mod place;
mod relative;
mod relocation;
mod removal;
mod root;
mod rpc;
mod sweep;
#[cfg(test)]
mod testing;
mod walk;

use std::sync::Arc;

use gearmesh_api::MESSAGE_MAX;
use gearmesh_api::file::v1::file_service_server::FileServiceServer;
use gearmesh_runtime::{BoxFuture, Call, Context, Service};
use tonic::service::Routes;

pub use config::{Config, RootConfig};
pub use fsync::Fsyncs;

/// The file engine.
pub const SERVICE: Service = Service {
    name: "file",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start: |cx| start(cx, Fsyncs::default()),
};

/// Starts the engine with a counter of the caller's, who wants to know what its
/// writes cost.
#[must_use]
pub fn start(
    cx: Context,
    fsyncs: Fsyncs,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        let config: Config = cx.config()?;
        let state = (config.shared.clone()).unwrap_or_else(|| cx.folder().to_owned());
        let engine =
            engine::Engine::new(state, &config, cx.clock().clone(), cx.rng().clone(), fsyncs)?;
        let engine = Arc::new(engine);
        cx.spawn(sweep(cx.clone(), engine.clone()));
        let server = FileServiceServer::new(rpc::Rpc::new(engine))
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX);
        Ok(Routes::new(server))
    })
}

/// Takes away what crashes left, once after each start.
async fn sweep(cx: Context, engine: Arc<engine::Engine>) {
    let job = engine.job(&Call::default());
    tokio::select! {
        () = cx.shutdown().cancelled() => {}
        swept = async {
            cx.ready().await;
            job.run(|job| Ok(sweep::sweep(job))).await
        } => match swept {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "swept away what a crash had left"),
            Err(error) => tracing::warn!(%error, "the sweep did not end"),
        }
    }
}
