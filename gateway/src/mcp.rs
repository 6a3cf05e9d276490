//! The tools for AI agents, by the Model Context Protocol.
//!
//! Protocol types and transports come from the official SDK; which tools there are,
//! how they are called and what an answer looks like is ours, and the same over HTTP
//! and over standard input and output. HTTP is served without sessions: each POST
//! stands by itself, so any instance can answer it.

mod endpoint;
mod result;
mod server;
mod tools;

use gearmesh_link::Mesh;
use gearmesh_runtime::CancellationToken;
use rmcp::ServiceExt;

use self::server::Server;

pub(crate) use self::endpoint::Endpoint;

/// Why the server on standard input and output ended.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// The client did not begin as the protocol says.
    #[error("the client did not initialize: {0}")]
    Initialize(#[source] Box<rmcp::service::ServerInitializeError>),
    /// The task of the server failed.
    #[error("the server ended: {0}")]
    Ended(#[from] tokio::task::JoinError),
}

/// Serves every tool of a mesh over standard input and output until the client
/// closes it or `shutdown` is cancelled. Nothing else may write to standard output.
///
/// # Errors
/// [`StdioError::Initialize`] when the first message is none of the protocol.
pub async fn serve_stdio(mesh: Mesh, shutdown: CancellationToken) -> Result<(), StdioError> {
    let serving = Server::new(mesh).serve_with_ct(rmcp::transport::stdio_pipes(), shutdown.clone());
    let running = tokio::select! {
        running = serving => running.map_err(|e| StdioError::Initialize(Box::new(e)))?,
        () = shutdown.cancelled() => return Ok(()),
    };
    running.waiting().await?;
    Ok(())
}
