//! An engine that is not ours: it hangs, counts without end, and creates things. It
//! joins by configuration and reflection as anybody's server does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use prost_reflect::DescriptorPool;
use tokio::sync::watch;
use tonic::service::Routes;

use crate::Served;

const PROTO: &str = r#"
syntax = "proto3";
package fixture.v1;
import "gearmesh/tool/v1/tool.proto";
import "google/api/annotations.proto";

service SlowService {
  rpc Hang(HangRequest) returns (Thing);
  rpc Big(HangRequest) returns (Thing);
  rpc Count(HangRequest) returns (stream Thing);
  rpc CreateThing(CreateThingRequest) returns (CreateThingResponse) {
    option (google.api.http) = {post: "/v1/things" body: "*" response_body: "thing"};
    option (gearmesh.tool.v1.tool) = {effect: EFFECT_WRITE};
  }
  rpc GetThing(Thing) returns (Thing) {
    option (google.api.http) = {get: "/v1/things/{thing_id}"};
    option (gearmesh.tool.v1.tool) = {effect: EFFECT_READ};
  }
}
message HangRequest {}
message Thing { string thing_id = 1; }
message CreateThingRequest { Thing thing = 1; }
message CreateThingResponse { Thing thing = 1; }
"#;

/// How long anything may take that does not wait for a person.
const LIMIT: Duration = Duration::from_secs(10);

/// What the engine has seen.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) begun: u32,
    pub(crate) dropped: u32,
}

/// The engine.
pub(crate) struct Fixture {
    address: SocketAddr,
    seen: watch::Receiver<Seen>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Counts a call when it begins and when it is dropped.
struct Counted(watch::Sender<Seen>);

impl Counted {
    fn begin(seen: &watch::Sender<Seen>) -> Self {
        seen.send_modify(|s| s.begun += 1);
        Self(seen.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|s| s.dropped += 1);
    }
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let (tell, seen) = watch::channel(Seen::default());
        let (hang, count) = (tell.clone(), tell);
        let router = reflection()
            .into_axum_router()
            .route(
                "/fixture.v1.SlowService/Hang",
                axum::routing::post(async move || {
                    let _counted = Counted::begin(&hang);
                    std::future::pending::<()>().await;
                }),
            )
            .route(
                "/fixture.v1.SlowService/Big",
                axum::routing::post(too_large),
            )
            .route(
                "/fixture.v1.SlowService/Count",
                axum::routing::post(async move || endless(&count)),
            )
            .route(
                "/fixture.v1.SlowService/CreateThing",
                axum::routing::post(echo),
            )
            .route(
                "/fixture.v1.SlowService/GetThing",
                axum::routing::post(echo),
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = tonic::transport::Server::builder()
            .add_routes(Routes::from(router))
            .serve_with_incoming(incoming);
        let server = tokio::spawn(async move { server.await.unwrap() });
        Self {
            address,
            seen,
            server,
        }
    }

    /// A gateway that has joined this engine as `slow`.
    pub(crate) async fn served(&self) -> Served {
        let url = format!("http://{}", self.address);
        let served = Served::start_with(|config| config.set("engines.slow.url", url)).await;
        let mesh = served.mesh.mesh().clone();
        gearmesh_testkit::wait_until("the engine has joined", LIMIT, || mesh.link("slow").is_ok())
            .await;
        served
    }

    pub(crate) fn seen(&self) -> Seen {
        *self.seen.borrow()
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Seen) -> bool) {
        let mut seen = self.seen.clone();
        let wait = seen.wait_for(|s| holds(s));
        let reached = tokio::time::timeout(LIMIT, wait).await;
        assert!(reached.is_ok(), "{what}: not within {LIMIT:?}");
    }
}

/// One message, then silence for as long as somebody listens.
fn endless(seen: &watch::Sender<Seen>) -> http::Response<Body> {
    let counted = Counted::begin(seen);
    // `Thing {thing_id: "1"}`.
    let first = frame(b"\x0a\x011");
    let silence = stream::once(async move {
        let _counted = counted;
        std::future::pending::<Result<Bytes, Infallible>>().await
    });
    grpc(Body::from_stream(stream::iter([Ok(first)]).chain(silence)))
}

/// Begins a message that is one byte larger than any may be.
async fn too_large() -> http::Response<Body> {
    let mut head = BytesMut::new();
    head.put_u8(0);
    head.put_u32(u32::try_from(gearmesh_api::MESSAGE_MAX + 1).unwrap());
    grpc(Body::from(head.freeze()))
}

/// Answers what was asked: both messages have the thing in field 1.
async fn echo(request: axum::extract::Request) -> http::Response<Body> {
    let bytes = request.into_body().collect().await.unwrap().to_bytes();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let body = http_body_util::Full::new(bytes).with_trailers(async { Some(Ok(trailers)) });
    grpc(Body::new(body))
}

fn grpc(body: Body) -> http::Response<Body> {
    let response = http::Response::builder().header("content-type", "application/grpc");
    response.body(body).unwrap()
}

fn frame(message: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).unwrap());
    out.put_slice(message);
    out.freeze()
}

fn reflection() -> Routes {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slow.proto"), PROTO).unwrap();
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let mut compiler =
        protox::Compiler::new([folder.path(), std::path::Path::new(protos)]).unwrap();
    compiler
        .include_imports(true)
        .open_files(["slow.proto"])
        .unwrap();
    let bytes = compiler.encode_file_descriptor_set();
    assert!(DescriptorPool::decode(bytes.as_slice()).is_ok());
    let server = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(&bytes)
        .build_v1()
        .unwrap();
    Routes::new(server)
}
