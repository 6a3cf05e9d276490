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
use tokio::io::{AsyncRead, AsyncWrite};

use self::server::Server;
use crate::caller::Caller;

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
    serve(mesh, rmcp::transport::stdio_pipes(), shutdown).await
}

async fn serve<R, W>(
    mesh: Mesh,
    streams: (R, W),
    shutdown: CancellationToken,
) -> Result<(), StdioError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    // Whoever starts this program is the user of this machine.
    let serving = Server::new(mesh, Some(Caller::local())).serve_with_ct(streams, shutdown.clone());
    let running = tokio::select! {
        running = serving => running.map_err(|e| StdioError::Initialize(Box::new(e)))?,
        () = shutdown.cancelled() => return Ok(()),
    };
    running.waiting().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rmcp::model::CallToolRequestParams;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn tools_are_served_over_a_pipe_until_the_client_ends() {
        let mesh = gearmesh_testkit::TestMesh::start(&[gearmesh_state::SERVICE]).await;
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let serving = serve(
            mesh.mesh().clone(),
            tokio::io::split(ours),
            CancellationToken::new(),
        );
        let asking = async {
            let client = ().serve(tokio::io::split(theirs)).await.unwrap();
            assert_eq!(client.list_all_tools().await.unwrap().len(), 4);
            let arguments = json!({"key": "a", "value": [1]});
            let call = CallToolRequestParams::new("state_put")
                .with_arguments(arguments.as_object().unwrap().clone());
            let answer = client.call_tool(call).await.unwrap();
            assert_eq!(
                answer.structured_content,
                Some(json!({"key": "a", "version": 1}))
            );
            client.cancel().await.unwrap();
        };
        let (served, ()) = tokio::join!(serving, asking);
        served.unwrap();
    }

    #[tokio::test]
    async fn shutdown_ends_the_server() {
        let mesh = gearmesh_testkit::TestMesh::start(&[gearmesh_state::SERVICE]).await;
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let shutdown = CancellationToken::new();
        let serving = serve(
            mesh.mesh().clone(),
            tokio::io::split(ours),
            shutdown.clone(),
        );
        let asking = async {
            let client = ().serve(tokio::io::split(theirs)).await.unwrap();
            shutdown.cancel();
            client.waiting().await.unwrap();
        };
        let (served, _) = tokio::join!(serving, asking);
        served.unwrap();
    }

    #[tokio::test]
    async fn first_message_must_be_of_the_protocol() {
        let mesh = gearmesh_testkit::TestMesh::start(&[gearmesh_state::SERVICE]).await;
        let (ours, theirs) = tokio::io::duplex(1024);
        drop(theirs);
        let served = serve(
            mesh.mesh().clone(),
            tokio::io::split(ours),
            CancellationToken::new(),
        )
        .await;
        assert!(
            matches!(served, Err(StdioError::Initialize(_))),
            "{served:?}"
        );
    }
}
