//! Servers that answer, hang, break off, drain and die.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use gearmesh_registry::Instance;
use http_body_util::StreamBody;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::body::Body;

/// What a server does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Answer,
    /// It never answers.
    Hang,
    /// Its answer breaks off behind the headers.
    BreakOff,
}

#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) does: Mutex<Does>,
    calls: AtomicUsize,
    under_way: AtomicUsize,
    pub(crate) timeouts: Mutex<Vec<String>>,
    /// A call that hung was given up.
    pub(crate) dropped: AtomicBool,
}

struct Drops(Arc<Seen>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
        self.0.dropped.store(true, Ordering::SeqCst);
    }
}

async fn answer(seen: Arc<Seen>, request: axum::extract::Request) -> http::Response<Body> {
    seen.calls.fetch_add(1, Ordering::SeqCst);
    if let Some(timeout) = request.headers().get("grpc-timeout") {
        let text = timeout.to_str().unwrap().to_owned();
        seen.timeouts.lock().unwrap().push(text);
    }
    let does = *seen.does.lock().unwrap();
    // One empty message.
    let message = http_body::Frame::data(Bytes::from_static(&[0; 5]));
    let last = match does {
        Does::Answer => {
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
            Ok(http_body::Frame::trailers(trailers))
        }
        Does::BreakOff => Err(Status::aborted("broken off")),
        Does::Hang => {
            seen.under_way.fetch_add(1, Ordering::SeqCst);
            let _drops = Drops(seen);
            std::future::pending().await
        }
    };
    let frames = futures::stream::iter([Ok(message), last]);
    let mut response = http::Response::new(Body::new(StreamBody::new(frames)));
    let grpc = http::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    response
}

/// A server on a runtime of its own, which can be killed with all its connections.
pub(crate) struct Server {
    pub(crate) id: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    runtime: Option<tokio::runtime::Runtime>,
    stop: Option<oneshot::Sender<()>>,
}

impl Server {
    pub(crate) fn start(id: &'static str, does: Does) -> Self {
        Self::start_at(id, does, "127.0.0.1:0".parse().unwrap(), None)
    }

    pub(crate) fn start_at(
        id: &'static str,
        does: Does,
        address: SocketAddr,
        age: Option<Duration>,
    ) -> Self {
        let seen = Arc::new(Seen {
            does: Mutex::new(does),
            calls: AtomicUsize::default(),
            under_way: AtomicUsize::default(),
            timeouts: Mutex::default(),
            dropped: AtomicBool::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let state = seen.clone();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let routes =
                axum::Router::new().fallback(move |request| answer(state.clone(), request));
            let mut server = tonic::transport::Server::builder();
            if let Some(age) = age {
                server = server.max_connection_age(age);
            }
            server
                .add_routes(tonic::service::Routes::from(routes))
                .serve_with_incoming_shutdown(
                    tonic::transport::server::TcpIncoming::from(listener),
                    async move {
                        let _ = stopped.await;
                    },
                )
                .await
                .unwrap();
        });
        Self {
            id,
            address,
            seen,
            runtime: Some(runtime),
            stop: Some(stop),
        }
    }

    pub(crate) fn instance(&self) -> Instance {
        Instance {
            id: self.id.to_owned(),
            engine: "state".to_owned(),
            url: format!("http://{}", self.address),
            tags: Vec::new(),
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.seen.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn under_way(&self) -> usize {
        self.seen.under_way.load(Ordering::SeqCst)
    }

    /// As `kill -9`: all connections are cut, and then none is taken any more.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
            while std::net::TcpStream::connect(self.address).is_ok() {
                std::thread::yield_now();
            }
        }
    }

    /// Takes nothing new, ends what is under way, and goes.
    pub(crate) fn drain(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
