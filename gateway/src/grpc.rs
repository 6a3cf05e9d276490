//! Native gRPC, passed on as bytes by its method path.
//!
//! No message is decoded and none is held back: headers, frames and trailers go
//! through in both directions as they come, and a caller that leaves drops the
//! engine's call with its own.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use tonic::Status;
use tonic::body::Body as GrpcBody;
use tonic::metadata::MetadataMap;
use tower::ServiceExt;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_catalog::{Catalog, Rpc};
use gearmesh_fault::Refusal;
use gearmesh_link::{Call, names};
use gearmesh_runtime::{Context, Reflection};

use crate::caller::Caller;
use crate::deadline;
use crate::health::GrpcHealth;
use crate::reply::Response;
use crate::timed;

/// The name by which `access` lets the gateway call an RPC.
const PEER: &str = "gateway";

/// How the scope of an RPC ends that the mesh calls for itself.
const INTERNAL: &str = ":internal";

/// Headers that are not the caller's to set, by their beginning: those of the mesh,
/// and those by which a proxy would vouch for an address.
const PREFIXES_STRIPPED: [&str; 3] = [names::INTERNAL_PREFIX, "x-gearmesh-", "x-forwarded-"];

/// Headers of one connection, and the caller's own credentials: neither goes further.
const STRIPPED: [HeaderName; 10] = [
    header::CONNECTION,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::FORWARDED,
    header::AUTHORIZATION,
    header::COOKIE,
    HeaderName::from_static("keep-alive"),
];

/// Passes gRPC requests on.
#[derive(Debug)]
pub(crate) struct Proxy {
    cx: Context,
    reflection: Reflection,
    health: GrpcHealth,
}

impl Proxy {
    pub(crate) fn new(cx: &Context) -> Self {
        Self {
            cx: cx.clone(),
            reflection: Reflection::of_all(cx.mesh().clone()),
            health: GrpcHealth::new(cx),
        }
    }

    /// Whether a request is native gRPC, `application/grpc` or `application/grpc+proto`.
    pub(crate) fn takes(headers: &HeaderMap) -> bool {
        let media = headers
            .get(header::CONTENT_TYPE)
            .map(HeaderValue::as_bytes)
            .unwrap_or_default();
        match media.strip_prefix(b"application/grpc") {
            Some(rest) => rest.is_empty() || rest.starts_with(b"+") || rest.starts_with(b";"),
            None => false,
        }
    }

    /// Whether a request asks for health.
    pub(crate) fn is_health(path: &str) -> bool {
        GrpcHealth::serves(path)
    }

    /// Answers whoever has logged in; a request without a [`Caller`] is answered when it
    /// asks for health, and learns whether we serve.
    pub(crate) async fn answer(&self, request: http::Request<Body>) -> Response {
        let request = request.map(GrpcBody::new);
        let path = request.uri().path();
        let known = request.extensions().get::<Caller>().is_some();
        let response = if GrpcHealth::serves(path) {
            self.health.answer(request, known).await
        } else if !known {
            Status::from(nobody()).into_http()
        } else if Reflection::serves(path) {
            self.reflection.answer(request).await
        } else {
            self.pass(request).await.unwrap_or_else(Status::into_http)
        };
        response.map(Body::new)
    }

    /// Sends the request on. The deadline is for the beginning of the answer, as
    /// everywhere in gRPC.
    async fn pass(
        &self,
        mut request: http::Request<GrpcBody>,
    ) -> Result<http::Response<GrpcBody>, Status> {
        let limit = shorten(request.headers_mut());
        let link = self.prepare(&mut request)?;
        let answer = link.oneshot(request);
        let answered = match limit {
            Some(Duration::ZERO) => return Err(late()),
            Some(limit) => tokio::time::timeout(limit, answer)
                .await
                .map_err(|_| late())?,
            None => answer.await,
        };
        answered.map_err(|error| unreached(&error))
    }

    /// Finds the engine and makes the request one of the mesh.
    fn prepare(
        &self,
        request: &mut http::Request<GrpcBody>,
    ) -> Result<gearmesh_link::Link, Status> {
        let catalog = self.cx.catalog();
        let path = request.uri().path();
        let rpc = catalog
            .rpc(path)
            .filter(|rpc| is_open(rpc))
            .ok_or_else(|| unknown(&catalog, path))?;
        let caller = request.extensions().get::<Caller>();
        caller.ok_or_else(nobody)?.may_use(rpc)?;
        let principal = caller
            .and_then(Caller::principal)
            .and_then(|p| HeaderValue::from_str(p).ok());
        let scopes = caller.and_then(Caller::scopes);
        let link = self.cx.link(&rpc.engine)?;
        let engine = HeaderValue::from_str(&rpc.engine).map_err(|e| {
            Refusal::new(
                CommonFault::InternalError,
                format!("engine `{}`: {e}", rpc.engine),
            )
        })?;
        let headers = request.headers_mut();
        strip(headers);
        headers.insert(names::ENGINE, engine);
        if let Some(principal) = principal {
            headers.insert(names::PRINCIPAL, principal);
        }
        if let Some(scopes) = scopes {
            // Without them a run would be taken for one of somebody who may do everything.
            let scopes = HeaderValue::from_str(&scopes)
                .map_err(|e| Refusal::new(CommonFault::InternalError, format!("scopes: {e}")))?;
            headers.insert(names::SCOPES, scopes);
        }
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        *request.version_mut() = Version::HTTP_2;
        Ok(link)
    }
}

/// Whether callers from outside may use an RPC: every tool, of the rest those that name
/// us, but for those that we alone call, which nobody's scopes open.
fn is_open(rpc: &Rpc) -> bool {
    rpc.tool.is_some()
        || rpc
            .access
            .as_ref()
            .is_some_and(|a| a.peers.iter().any(|p| p == PEER) && !a.scope.ends_with(INTERNAL))
}

/// INVARIANT: the gateway lets nobody come so far without a login.
fn nobody() -> Refusal {
    Refusal::new(CommonFault::Unauthenticated, "nobody has logged in")
}

/// Removes what a caller from outside may not say.
fn strip(headers: &mut HeaderMap) {
    for name in &STRIPPED {
        headers.remove(name);
    }
    let internal: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            PREFIXES_STRIPPED
                .iter()
                .any(|p| name.as_str().starts_with(p))
        })
        .cloned()
        .collect();
    for name in internal {
        headers.remove(name);
    }
}

/// Lets our deadline and the engine's strike before the one of the server under us,
/// which would answer without a reason. Gives the time that is left.
fn shorten(headers: &mut HeaderMap) -> Option<Duration> {
    let given = headers
        .get(deadline::GRPC_TIMEOUT)?
        .to_str()
        .ok()
        .and_then(deadline::grpc)?;
    let left = deadline::shortened(given);
    let call = Call {
        timeout: Some(left),
        ..Call::default()
    };
    let mut metadata = MetadataMap::new();
    if call.write(&mut metadata).is_ok()
        && let Some(value) = metadata.into_headers().remove(deadline::GRPC_TIMEOUT)
    {
        headers.insert(deadline::GRPC_TIMEOUT, value);
    }
    Some(left)
}

fn unknown(catalog: &Catalog, path: &str) -> Status {
    let near: Vec<&str> = catalog
        .nearest(&tool_id(path))
        .iter()
        .filter_map(|id| Some(catalog.get(id)?.tool.path.as_str()))
        .collect();
    let mut text = format!("no RPC `{path}` is served here");
    if !near.is_empty() {
        text.push_str("; near: ");
        text.push_str(&near.join(", "));
    }
    Refusal::new(CommonFault::NotImplemented, text)
        .with("nearest", near.join(","))
        .into()
}

/// `/gearmesh.file.v1.FileService/ArchiveCreate` as the tool that it would be.
fn tool_id(path: &str) -> String {
    let (service, method) = path
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or((path, ""));
    let is_version =
        |s: &&str| s.starts_with('v') && s[1..].starts_with(|c: char| c.is_ascii_digit());
    let engine = service
        .rsplit('.')
        .skip(1)
        .find(|s| !is_version(s))
        .unwrap_or(service);
    let mut id = format!("{engine}.");
    for (i, c) in method.char_indices() {
        if c.is_uppercase() && i > 0 {
            id.push('_');
        }
        id.extend(c.to_lowercase());
    }
    id
}

fn late() -> Status {
    let text = "the engine did not answer within the deadline";
    Refusal::new(CommonFault::Timeout, text).into()
}

/// Nobody answered, or not in time.
fn unreached(error: &(dyn std::error::Error + 'static)) -> Status {
    if timed::is_expired(error) {
        return late();
    }
    let cause = std::iter::successors(Some(error), |e| e.source())
        .last()
        .map(ToString::to_string);
    let text = format!(
        "the engine cannot be reached: {}",
        cause.unwrap_or_default()
    );
    Refusal::new(CommonFault::EngineUnavailable, text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn only_native_grpc_is_taken() {
        for (media, taken) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;x=y", true),
            ("application/grpcx", false),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            assert_eq!(
                Proxy::takes(&headers(&[("content-type", media)])),
                taken,
                "{media}"
            );
        }
    }

    #[test]
    fn caller_cannot_speak_for_the_mesh() {
        let mut given = headers(&[
            ("gearmesh-run", "run_1"),
            ("gearmesh-epoch", "7"),
            ("x-gearmesh-principal", "root"),
            ("x-forwarded-for", "1.2.3.4"),
            ("authorization", "Bearer x"),
            ("connection", "keep-alive"),
            ("idempotency-key", "k"),
            ("traceparent", "t"),
            ("x-own", "stays"),
        ]);
        strip(&mut given);
        let mut left: Vec<_> = given.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["idempotency-key", "traceparent", "x-own"]);
    }

    #[test]
    fn deadline_of_the_engine_strikes_first() {
        for (given, left) in [
            ("1S", "980000u"),
            ("100m", "80000000n"),
            ("2m", "0n"),
            ("nonsense", "nonsense"),
        ] {
            let mut headers = headers(&[("grpc-timeout", given)]);
            shorten(&mut headers);
            assert_eq!(headers["grpc-timeout"], left, "{given}");
        }
    }

    #[test]
    fn method_path_reads_as_a_tool() {
        assert_eq!(
            tool_id("/gearmesh.file.v1.FileService/ArchiveCreate"),
            "file.archive_create"
        );
        assert_eq!(tool_id("/acme.Crm/Get"), "acme.get");
        assert_eq!(tool_id("/"), "/.");
    }
}
