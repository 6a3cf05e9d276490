//! One call to a pool: its tries, until one is answered.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::HeaderMap;
use tokio::time::Instant;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;

use crate::call::{grpc_timeout, parse_grpc_timeout};
use crate::link::LinkError;
use crate::names;
use crate::pool::{Method, Pool, Repeatable, Wish};
use crate::pool_member::{Lease, Member, now};
use crate::retry::Way;
use crate::retry_body::{Holding, Kept, ended};

/// Sends of one call at most, the first counted: with more instances dead than this
/// at once, another try is a matter for who called.
pub(crate) const TRIES_MAX: usize = 4;

/// The header with the time that is left.
const TIMEOUT: &str = "grpc-timeout";

type Request = http::Request<Body>;
type Response = http::Response<Body>;

/// Why a try was not answered.
struct Missed {
    way: Way,
    cause: String,
}

impl Pool {
    async fn answer(self, request: Request) -> Result<Response, LinkError> {
        let (parts, body) = request.into_parts();
        let begun = now();
        self.inner.budget.earn(begun);
        let mut method = self.method(parts.uri.path());
        method.repeatable |= parts.extensions.get::<Repeatable>().is_some();
        let deadline = text(&parts.headers, TIMEOUT)
            .and_then(parse_grpc_timeout)
            .and_then(|left| begun.checked_add(left));
        let run = text(&parts.headers, names::RUN);
        let key = text(&parts.headers, names::KEY).filter(|_| run.is_none() && !method.repeatable);
        let keeper = key.and_then(|key| self.keeper(key));
        let wish = Wish {
            instance: text(&parts.headers, names::INSTANCE).or(keeper.as_deref()),
            run,
        };
        let kept = Kept::new(body);
        let mut tried: Vec<Arc<Member>> = Vec::new();
        let mut missed: Option<Missed> = None;
        for sends in 1.. {
            let again = missed.as_ref().is_some_and(|m| m.way != Way::NotConnected);
            let Some(lease) = self
                .enter(wish, &tried)
                // Nobody else is there; the same one may have a new connection.
                .or_else(|| again.then(|| self.enter(wish, &[])).flatten())
            else {
                break;
            };
            let member = lease.member.clone();
            let mut parts = parts.clone();
            if sends > 1 && !forward(&mut parts.headers, deadline) {
                return Ok(timed_out());
            }
            let request = http::Request::from_parts(parts, kept.body());
            let failed = match send(request, lease, method).await {
                Ok(answer) => {
                    kept.release();
                    return Ok(answer);
                }
                Err(Failed::Link(error)) => return Err(error),
                Err(Failed::Missed(failed)) => failed,
            };
            tracing::debug!(
                engine = self.inner.engine, id = member.instance.id, way = ?failed.way,
                cause = failed.cause, "call missed an instance"
            );
            let way = failed.way;
            missed = Some(failed);
            if way != Way::Closed {
                tried.push(member);
            }
            if !self.may_repeat(way, method, &kept, sends)
                || wish.instance.is_some() && way == Way::NotConnected
            {
                break;
            }
        }
        Ok(self.unavailable(wish, missed).into_http())
    }

    fn may_repeat(&self, way: Way, method: Method, kept: &Kept, sends: usize) -> bool {
        sends < TRIES_MAX
            && (way.unsent() || method.repeatable)
            && kept.whole()
            && (!way.costs() || self.inner.budget.take(now()))
    }

    /// What the caller is told: who was not there, and whether the call was sent.
    fn unavailable(&self, wish: Wish<'_>, missed: Option<Missed>) -> tonic::Status {
        let engine = &self.inner.engine;
        let (text, phase) = match (&missed, wish.instance) {
            (None, Some(id)) => (
                format!(
                    "instance `{id}` of engine `{engine}` is not registered; only it may take this call"
                ),
                "connect",
            ),
            (None, None) => (
                format!(
                    "engine `{engine}` has no instance now; start one, or see that it registers"
                ),
                "connect",
            ),
            (Some(missed), _) => (
                format!("engine `{engine}` cannot be reached: {}", missed.cause),
                if missed.way.unsent() {
                    "connect"
                } else {
                    "exchange"
                },
            ),
        };
        let mut refusal = Refusal::new(CommonFault::EngineUnavailable, text)
            .with("engine", engine)
            .with("phase", phase);
        if let Some(id) = wish.instance {
            refusal = refusal.with("instance", id);
        }
        refusal.into()
    }
}

/// How a try ended without an answer.
enum Failed {
    /// The next one may do better.
    Missed(Missed),
    /// No try can: the call's own time is over.
    Link(LinkError),
}

/// One try. The breaker hears how it went.
async fn send(request: Request, lease: Lease, method: Method) -> Result<Response, Failed> {
    let member = lease.member.clone();
    let missed = |way: Way, error: &(dyn std::error::Error + 'static)| {
        match way {
            Way::NotConnected => member.breaker.unreached(now()),
            Way::Broken => member.breaker.broke(now()),
            // It is alive, or nothing is known of it.
            Way::Closed | Way::Refused | Way::TimedOut => {}
        }
        let cause = std::iter::successors(Some(error), |e| e.source()).last();
        Failed::Missed(Missed {
            way,
            cause: cause.map(ToString::to_string).unwrap_or_default(),
        })
    };
    let answer = match member.link.clone().oneshot(request).await {
        Ok(answer) => answer,
        Err(error) => {
            let way = Way::of(&error);
            return Err(match way {
                Way::TimedOut => Failed::Link(error),
                _ => missed(way, &error),
            });
        }
    };
    let answer = if method.repeatable && method.unary {
        ended(answer)
            .await
            .map_err(|status| missed(Way::Broken, &*status))?
    } else {
        answer
    };
    member.breaker.answered();
    Ok(answer.map(|body| Body::new(Holding::new(body, lease))))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Writes the time that is left; false when there is none.
fn forward(headers: &mut HeaderMap, deadline: Option<Instant>) -> bool {
    let Some(deadline) = deadline else {
        return true;
    };
    let left = deadline.saturating_duration_since(now());
    if left.is_zero() {
        return false;
    }
    if let Ok(value) = grpc_timeout(left).try_into() {
        headers.insert(TIMEOUT, value);
    }
    true
}

fn timed_out() -> Response {
    let text = "the call did not end within its deadline";
    tonic::Status::from(Refusal::new(CommonFault::Timeout, text)).into_http()
}

impl Service<Request> for Pool {
    type Response = Response;
    type Error = LinkError;
    type Future = BoxFuture<'static, Result<Response, LinkError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}
