//! The one layer stack around every engine: panic, trace, deadline, constraints,
//! idempotency.
//!
//! It sits on the engine's routes, not on the transport, so that a local link
//! has deadlines and checks as a remote one has: tonic enforces its own only in
//! its server and channel.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context as Poll_, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use prost_reflect::DynamicMessage;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::{Service, ServiceExt};

use gearmesh_api::MESSAGE_MAX;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_catalog::{Class, Keyed as KeyClass, Tool, grants, json};
use gearmesh_fault::{Failure, Refusal};
use gearmesh_link::{Call, Mesh, Peer};
use gearmesh_store::Begin;

use crate::context::Context;
use crate::keyed::Keyed;
use crate::ledger::LazyLedger;
use crate::peer::strip;
use crate::scrub;
use crate::trace::{self, Served};

/// Length of the prefix of a gRPC message: a flag and four bytes of length.
const FRAME_HEAD: usize = 5;

/// The scope of those who may let engines use what the vault keeps.
const REFERENCES: &str = "vault:read";

type Response = http::Response<Body>;

/// An engine's routes behind the layers.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    routes: Routes,
    mesh: Mesh,
    ledger: LazyLedger,
    context: Context,
}

/// What the layers know of a request before the engine sees it.
struct Known {
    tool: Arc<Tool>,
    call: Call,
}

impl Guard {
    pub(crate) fn new(routes: Routes, ledger: LazyLedger, context: Context) -> Self {
        Self {
            inner: Arc::new(Inner {
                routes: routes.prepare(),
                mesh: context.mesh().clone(),
                ledger,
                context,
            }),
        }
    }

    async fn answer(self, mut request: http::Request<Body>) -> Response {
        let path = request.uri().path().to_owned();
        let peer = request.extensions().get::<Peer>().cloned();
        let matrix = &self.inner.context.inner.matrix;
        if let Err(refusal) = matrix.admit(&self.inner.mesh.catalog(), &path, peer.as_ref()) {
            let peer = peer.map(|p| p.to_string());
            tracing::warn!(rpc = %path, peer, %refusal, "call refused");
            return refuse(refusal);
        }
        strip(request.headers_mut(), peer.as_ref());
        let call = match Call::read(request.headers()) {
            Ok(call) => call,
            Err(e) => return refuse(Refusal::new(CommonFault::InvalidParameters, e.to_string())),
        };
        let served = Served::of(&path, request.headers());
        let work = async {
            let catalog = self.inner.mesh.catalog();
            match catalog.by_path(&path).cloned() {
                Some(tool) => self.guarded(request, Known { tool, call }).await,
                None => self.route(request, call).await,
            }
        };
        match AssertUnwindSafe(served.answer(work)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => refuse(panicked(&path)),
        }
    }

    /// Deadline around the rest.
    async fn guarded(&self, request: http::Request<Body>, known: Known) -> Response {
        let limit = known
            .call
            .timeout
            .map_or(known.tool.timeout, |t| t.min(known.tool.timeout_max));
        let tool = known.tool.clone();
        let work = self.clone().checked(request, known);
        let ended = if tool.detach {
            // Goes on when the caller leaves; the task is seen by drain.
            let (caller, span) = (trace::caller(), tracing::Span::current());
            let task = (self.inner.context).spawn(trace::carried(caller, span, work));
            tokio::time::timeout(limit, task)
                .await
                .map(|joined| joined.unwrap_or_else(|_| refuse(panicked(&tool.id))))
        } else {
            tokio::time::timeout(limit, work).await
        };
        ended.unwrap_or_else(|_| refuse(timed_out(&tool, limit)))
    }

    /// Constraints of the fields, then idempotency.
    async fn checked(self, request: http::Request<Body>, known: Known) -> Response {
        if known.tool.client_streaming {
            return self.route(request, known.call).await;
        }
        let (parts, body) = request.into_parts();
        let bytes = match Limited::new(body, MESSAGE_MAX + FRAME_HEAD).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(_) => {
                let text = format!("the request is larger than {MESSAGE_MAX} bytes");
                return refuse(Refusal::new(CommonFault::TooLarge, text));
            }
        };
        let message = match message_of(&bytes, &known.tool) {
            Ok(message) => message,
            Err(refusal) => return refuse(refusal),
        };
        let violations = json::validate(&message);
        if !violations.is_empty() {
            let fields = violations
                .into_iter()
                .map(|v| (v.path, v.message))
                .collect();
            return refuse(Refusal::parameters(fields));
        }
        if let Err(refusal) = may_refer(&known, &message) {
            return refuse(refusal);
        }
        let request = http::Request::from_parts(parts, Body::new(Full::new(bytes)));
        if known.call.key.is_some() {
            self.keyed(request, known, &message).await
        } else {
            self.route(request, known.call).await
        }
    }

    /// A call with a key: by its class, the ledger stands before it.
    async fn keyed(
        &self,
        mut request: http::Request<Body>,
        known: Known,
        message: &DynamicMessage,
    ) -> Response {
        let value = json::encode(message);
        let Class { keyed: class, .. } = known.tool.class_of(&value);
        let keyed = Keyed {
            tool: known.tool.id.clone(),
            engine: self.inner.ledger.engine(),
            hash: hash(value),
            call: known.call.clone(),
        };
        match class {
            KeyClass::Idempotent | KeyClass::AtLeastOnce => self.route(request, known.call).await,
            KeyClass::Txn => {
                request.extensions_mut().insert(keyed);
                self.route(request, known.call).await
            }
            KeyClass::Queryable | KeyClass::AtMostOnce => {
                self.recorded(request, known, class, &keyed).await
            }
        }
    }

    /// Commits `started` before the effect and the outcome after it.
    async fn recorded(
        &self,
        request: http::Request<Body>,
        known: Known,
        class: KeyClass,
        keyed: &Keyed,
    ) -> Response {
        let ledger = match self.inner.ledger.get().await {
            Ok(ledger) => ledger,
            Err(status) => return status.into_http(),
        };
        let entry = keyed.entry();
        match ledger.begin(&entry).await {
            Ok(Begin::Go) => {}
            Ok(Begin::Started) if class == KeyClass::Queryable => {}
            Ok(Begin::Done(reply)) => return replay(&reply),
            Ok(Begin::Started) => {
                let text = format!(
                    "an earlier attempt of `{}` had begun; whether it took effect is not known",
                    known.tool.id
                );
                return refuse(Refusal::new(CommonFault::OutcomeUnknown, text));
            }
            Err(e) => return gearmesh_fault::status(&e).into_http(),
        }
        // Whoever leaves from here on leaves `started` behind, which is the truth.
        let response = self.route(request, known.call).await;
        let recorded = match outcome(response).await {
            Outcome::Done { reply, response } => {
                ledger.done(&entry, reply).await.map(|()| response)
            }
            Outcome::Failed(response) => ledger.failed(&entry).await.map(|()| response),
            Outcome::Unknown(response) => ledger.unknown(&entry).await.map(|()| response),
        };
        recorded.unwrap_or_else(|e| gearmesh_fault::status(&e).into_http())
    }

    async fn route(&self, mut request: http::Request<Body>, call: Call) -> Response {
        let run = call.run.clone();
        request.extensions_mut().insert(call);
        let tool = (self.inner.mesh.catalog())
            .by_path(request.uri().path())
            .cloned();
        let answer = self.inner.routes.clone().oneshot(request);
        scrub::watched(tool, run, answer.map(|Ok(response)| response)).await
    }
}

impl Service<http::Request<Body>> for Guard {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Poll_<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(this.answer(request).await) })
    }
}

/// How a recorded call ended, as far as its effect goes.
enum Outcome {
    Done { reply: Bytes, response: Response },
    Failed(Response),
    Unknown(Response),
}

async fn outcome(response: Response) -> Outcome {
    let (parts, body) = response.into_parts();
    let (bytes, trailers) = match body.collect().await {
        Ok(collected) => {
            let trailers = collected.trailers().cloned();
            (collected.to_bytes(), trailers)
        }
        Err(status) => return Outcome::Unknown(status.into_http()),
    };
    let status = Status::from_header_map(trailers.as_ref().unwrap_or(&parts.headers));
    let rebuilt = {
        let trailers = trailers.clone().map(Ok);
        let body = Full::new(bytes.clone()).with_trailers(async { trailers });
        http::Response::from_parts(parts, Body::new(body))
    };
    match status {
        Some(status) if status.code() != Code::Ok => {
            if Failure::of(&status).without_effect() {
                Outcome::Failed(rebuilt)
            } else {
                Outcome::Unknown(rebuilt)
            }
        }
        _ => Outcome::Done {
            reply: bytes.slice(FRAME_HEAD.min(bytes.len())..),
            response: rebuilt,
        },
    }
}

/// The stored answer of a finished call, as a gRPC response.
fn replay(reply: &[u8]) -> Response {
    let mut frame = Vec::with_capacity(FRAME_HEAD + reply.len());
    frame.push(0);
    let length = u32::try_from(reply.len()).unwrap_or(u32::MAX);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(reply);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(frame)).with_trailers(async { Some(Ok(trailers)) });
    let mut response = http::Response::new(Body::new(body));
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/grpc"),
    );
    response
}

/// Decodes the one message of a unary request.
fn message_of(frame: &Bytes, tool: &Tool) -> Result<DynamicMessage, Refusal> {
    let malformed = |what: &str| {
        let text = format!("the request of `{}` {what}", tool.id);
        Refusal::new(CommonFault::InvalidParameters, text)
    };
    let head = frame
        .get(..FRAME_HEAD)
        .ok_or_else(|| malformed("is empty"))?;
    if head[0] != 0 {
        return Err(malformed("is compressed, which is not offered"));
    }
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let body = frame.slice(FRAME_HEAD..);
    if body.len() != length {
        return Err(malformed("is not one whole message"));
    }
    DynamicMessage::decode(tool.method.input(), body)
        .map_err(|e| malformed(&format!("is no {}: {e}", tool.method.input().full_name())))
}

/// Whoever lets an engine use a secret of the vault may at least see that it is there:
/// an engine that sends what it is given could else be made to send any of them.
fn may_refer(known: &Known, message: &DynamicMessage) -> Result<(), Refusal> {
    let held = known.call.scopes.as_deref();
    if held.is_none_or(|held| grants(held, REFERENCES)) {
        return Ok(());
    }
    let Some(path) = json::reference(message) else {
        return Ok(());
    };
    let text = format!(
        "`{path}` of `{}` refers to a secret, which needs the scope `{REFERENCES}`",
        known.tool.id
    );
    Err(Refusal::new(CommonFault::PermissionDenied, text).with("scope", REFERENCES))
}

/// Hash of a request, independent of the order in which its maps were written.
fn hash(mut value: serde_json::Value) -> [u8; 32] {
    value.sort_all_objects();
    digest(value.to_string().as_bytes())
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

fn timed_out(tool: &Tool, limit: Duration) -> Refusal {
    let text = format!("`{}` did not end within {} ms", tool.id, limit.as_millis());
    Refusal::new(CommonFault::Timeout, text)
}

fn refuse(refusal: Refusal) -> Response {
    Status::from(refusal).into_http()
}

/// The panic's own words stay here: they may quote what the call was about, and what
/// it resolved. The hook of the process has written them to its error output.
fn panicked(what: &str) -> Refusal {
    let text = format!("`{what}` panicked; its process has said why in its log");
    Refusal::new(CommonFault::InternalError, text)
}
