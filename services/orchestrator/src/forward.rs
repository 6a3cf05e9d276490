//! Sends a call to the instance that owns what it is about.
//!
//! A run lies in a shard, and only the shard's owner may change it. A handler that meets a
//! run of another instance answers [`Elsewhere`](crate::Error::Elsewhere) before it has done
//! anything; here that answer becomes a call to the owner, as it came. No method is named: a
//! new one is forwarded as all others are.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Poll_, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::Frame;
use http_body_util::{BodyExt, Full, Limited};
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use gearmesh_api::MESSAGE_MAX;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use gearmesh_link::Link;
use gearmesh_runtime::Context;
use gearmesh_store::Shard;
use gearmesh_store::lease::Owners;

/// Names the shard on a refusal. It never leaves this service.
pub(crate) const SHARD: &str = "gearmesh-shard";

/// Counts the instances that have sent a call on.
pub(crate) const HOPS: &str = "gearmesh-hops";

/// Most instances that send one call on: two see different owners while a shard changes
/// hands, and no more than that.
const HOPS_MAX: u32 = 4;

/// How long a call waits for a shard to have an owner that answers: a take-over is quicker.
const OWNER_WAIT: Duration = Duration::from_secs(5);

/// Wait between two looks for the owner.
const OWNER_LOOK: Duration = Duration::from_millis(20);

/// Bytes of a call beside its message.
const FRAME: usize = 5;

/// The others of this service, and who of them owns what.
#[derive(Debug, Clone)]
pub(crate) struct Others {
    cx: Context,
    owners: Owners,
    /// Of this instance among the owners.
    me: String,
    links: Arc<Mutex<HashMap<String, Link>>>,
}

impl Others {
    pub(crate) fn new(cx: Context, owners: Owners, me: String) -> Self {
        Self {
            cx,
            owners,
            me,
            links: Arc::default(),
        }
    }

    /// A link to the instance at this address, kept: a connection each.
    fn link(&self, url: &str) -> Option<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(url) {
            return Some(link.clone());
        }
        let link = match self.cx.sibling(url) {
            Ok(link) => link,
            Err(error) => {
                tracing::warn!(url, %error, "a sibling cannot be reached");
                return None;
            }
        };
        // Each start of an instance is at another address.
        let owners = self.owners.all();
        links.retain(|known, _| owners.values().any(|owner| owner.endpoint == *known));
        links.insert(url.to_owned(), link.clone());
        Some(link)
    }

    /// Links to all other instances that own something.
    pub(crate) fn all(&self) -> Vec<Link> {
        let owners = self.owners.all();
        let mut seen = std::collections::BTreeSet::new();
        (owners.values())
            .filter(|owner| owner.name != self.me && seen.insert(owner.name.clone()))
            .filter_map(|owner| self.link(&owner.endpoint))
            .collect()
    }

    /// Where the living owner of a shard is; none while it has none.
    pub(crate) fn owner(&self, shard: Shard) -> Option<Place> {
        let owner = self.owners.of(shard)?;
        if owner.name == self.me {
            return Some(Place::Here);
        }
        self.link(&owner.endpoint).map(Place::There)
    }
}

/// Where the owner of a shard is.
#[derive(Debug)]
pub(crate) enum Place {
    Here,
    There(Link),
}

/// A service whose calls go to their owners.
#[derive(Debug, Clone)]
pub(crate) struct Forward<S> {
    inner: S,
    /// None where one process owns all.
    others: Option<Others>,
}

impl<S> Forward<S> {
    pub(crate) fn new(inner: S, others: Option<Others>) -> Self {
        Self { inner, others }
    }
}

impl<S: tonic::server::NamedService> tonic::server::NamedService for Forward<S> {
    const NAME: &'static str = S::NAME;
}

type Request = http::Request<Body>;
type Response = http::Response<Body>;

impl<S> Service<Request> for Forward<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Poll_<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let inner = self.inner.clone();
        match self.others.clone() {
            None => Box::pin(inner.oneshot(request)),
            Some(others) => Box::pin(async move { Ok(answer(inner, &others, request).await) }),
        }
    }
}

/// Answers here, or where the owner is.
async fn answer<S>(inner: S, others: &Others, request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone,
{
    let (mut parts, body) = request.into_parts();
    let bytes = match Limited::new(body, MESSAGE_MAX + FRAME).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => {
            let refusal = Refusal::new(CommonFault::InvalidParameters, error.to_string());
            return Status::from(refusal).into_http();
        }
    };
    let hops = hops(&parts.headers);
    let copy = |parts: &http::request::Parts| {
        let mut request = Request::new(Body::new(Full::new(bytes.clone())));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.version_mut() = parts.version;
        *request.headers_mut() = parts.headers.clone();
        *request.extensions_mut() = parts.extensions.clone();
        request
    };
    let waited = u64::try_from(OWNER_WAIT.as_micros()).unwrap_or(u64::MAX);
    let until_us = others.cx.clock().monotonic_us().saturating_add(waited);
    loop {
        let Ok(response) = inner.clone().oneshot(copy(&parts)).await;
        let Some(shard) = shard_of(&response) else {
            return response;
        };
        match others.owner(shard) {
            Some(Place::There(link)) if hops < HOPS_MAX => {
                parts.headers.insert(HOPS, (hops + 1).into());
                match link.oneshot(copy(&parts)).await {
                    Ok(response) => return response.map(|body| Body::new(Answer(body))),
                    // Nobody has seen it: the owner has gone, and another one comes.
                    Err(error) if error.unsent() => {
                        tracing::debug!(shard, %error, "the owner of a shard is away");
                    }
                    Err(error) => return unavailable(shard, &error.to_string()),
                }
            }
            _ => {}
        }
        if others.cx.clock().monotonic_us() >= until_us {
            return unavailable(shard, "nobody owns it yet");
        }
        others.cx.clock().sleep(OWNER_LOOK).await;
    }
}

/// What another instance answers. When that one dies in the middle, the answer ends as what
/// it is: a call to be made again, not a fault of the connection to the caller.
struct Answer(Body);

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Poll_<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(match frame {
            Some(Err(error)) => {
                let text = format!(
                    "the instance that has the run went away: {}",
                    error.message()
                );
                let status = Status::from(Refusal::new(CommonFault::StoreUnavailable, text));
                let mut trailers = http::HeaderMap::new();
                Some(match status.add_header(&mut trailers) {
                    Ok(()) => Ok(Frame::trailers(trailers)),
                    Err(status) => Err(status),
                })
            }
            frame => frame,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

fn hops(headers: &http::HeaderMap) -> u32 {
    let value = headers.get(HOPS).and_then(|v| v.to_str().ok());
    value.and_then(|v| v.parse().ok()).unwrap_or_default()
}

/// The shard that a refusal names.
fn shard_of(response: &Response) -> Option<Shard> {
    let value = response.headers().get(SHARD)?;
    value.to_str().ok()?.parse().ok()
}

fn unavailable(shard: Shard, reason: &str) -> Response {
    let text = format!("the instance that has the run (shard {shard}) does not answer: {reason}");
    Status::from(Refusal::new(CommonFault::StoreUnavailable, text)).into_http()
}
