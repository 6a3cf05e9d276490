//! Servers for tests, and what is needed to call them.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::client::Clients;
use crate::config::ConnectionSettings;
use crate::connection::Connection;
use crate::error::Error;
use crate::exchange::{Answer, exchange};
use crate::request::Request;
use crate::target::Target;

/// A server on loopback; it stops when this is dropped.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Peer {
    /// Serves routes.
    pub(super) async fn routes(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound above");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self {
            address,
            _tasks: tasks,
        }
    }

    /// Answers every connection with these bytes once a request has come, then closes it.
    pub(super) async fn bytes(answer: impl Into<Bytes>) -> Self {
        let answer = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound above");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("accepts");
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&answer).await;
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }

    /// A connection to the server, with a credential of its own.
    pub(super) fn connection(&self) -> Arc<Connection> {
        let settings = ConnectionSettings {
            url: format!("http://{}", self.address),
            allow_private: true,
            allow_metadata: false,
            bearer: None,
            headers: [("Authorization".to_owned(), "Bearer own".to_owned())].into(),
        };
        Arc::new(Connection::new("peer", settings).expect("a plain address"))
    }

    /// A request to the server.
    pub(super) fn request(&self, method: &str, path: &str) -> Request {
        let target = Target::parse(path, Some(self.connection())).expect("a path");
        let mut request = Request::new(method, target).expect("a method");
        request.add_headers([]).expect("the connection's");
        request
    }

    /// Gets a path once.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, Error> {
        send(&self.request("GET", path)).await
    }
}

/// Sends a request once.
pub(super) async fn send(request: &Request) -> Result<Answer, Error> {
    exchange(&Clients::default(), &[], request, 0).await
}
