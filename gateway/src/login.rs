//! From a connection and its headers to the caller.
//!
//! Three ways lead in: a client certificate of the mesh, an API token, and plain
//! loopback, where `dev` serves the user of this machine. A token is checked by the
//! identity engine; what it answered is kept for some seconds, since a client sends
//! its token with every request. Wrong, ended and revoked tokens get one answer; the
//! log says which it was.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, header};
use tonic::{Code, Request, Status};

use gearmesh_api::identity::v1::AuthenticateRequest;
use gearmesh_api::identity::v1::identity_service_client::IdentityServiceClient;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use gearmesh_link::Peer;
use gearmesh_runtime::Context;

use crate::caller::Caller;

/// How long an answer of the identity engine counts: so long may a token that was
/// revoked still be taken.
const KEPT: Duration = Duration::from_secs(10);

/// Answers that are kept at once; each holds a digest and some scopes.
const KEPT_MAX: usize = 10_000;

/// How long the identity engine may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How our tokens begin. Another bearer is somebody else's.
const TOKEN: &str = "gearmesh_";

/// What a caller can do who has not logged in.
const HOW: &str =
    "send `authorization: Bearer gearmesh_..` or show a client certificate of this mesh";

/// Checks who calls.
#[derive(Debug)]
pub(crate) struct Login {
    cx: Context,
    kept: Mutex<HashMap<[u8; 32], Kept>>,
}

/// What a request shows of its caller.
pub(crate) struct Shown {
    peer: Option<Peer>,
    token: Option<String>,
}

impl Shown {
    /// Of a request.
    pub(crate) fn by<B>(request: &http::Request<B>) -> Self {
        Self {
            peer: request.extensions().get::<Peer>().cloned(),
            token: bearer(request.headers()).map(str::to_owned),
        }
    }
}

#[derive(Debug, Clone)]
struct Kept {
    caller: Caller,
    /// On the monotonic clock, in microseconds.
    until_us: u64,
}

impl Login {
    pub(crate) fn new(cx: &Context) -> Self {
        Self {
            cx: cx.clone(),
            kept: Mutex::default(),
        }
    }

    /// The caller.
    ///
    /// # Errors
    /// UNAUTHENTICATED for whoever has not logged in; PERMISSION_DENIED for services of
    /// the mesh, which call each other and not the gateway; what kept the identity
    /// engine from answering.
    pub(crate) async fn caller(&self, shown: Shown) -> Result<Caller, Status> {
        if let Some(token) = &shown.token {
            return self.of_token(token).await;
        }
        match &shown.peer {
            // Plain text, which is served on loopback alone.
            None => Ok(Caller::local()),
            Some(peer) => match peer.agent() {
                Some(agent) => Ok(Caller::named(&format!("agent/{agent}"), peer.scopes())),
                None if peer.is_service() => {
                    let text =
                        format!("`{peer}` is a service of the mesh and calls engines directly");
                    Err(Refusal::new(CommonFault::PermissionDenied, text).into())
                }
                None => Err(unknown("nobody has logged in")),
            },
        }
    }

    async fn of_token(&self, token: &str) -> Result<Caller, Status> {
        let digest = digest(token);
        let now = self.cx.clock().monotonic_us();
        if let Some(kept) = self.kept(&digest).filter(|k| now < k.until_us) {
            return Ok(kept.caller);
        }
        let mut request = Request::new(AuthenticateRequest {
            token: token.to_owned(),
        });
        request.set_timeout(PATIENCE);
        let answer = IdentityServiceClient::new(self.cx.link("identity")?)
            .authenticate(request)
            .await;
        let answer = match answer {
            Ok(answer) => answer.into_inner(),
            Err(status) if refuses(&status) => {
                tracing::warn!(reason = status.message(), "token refused");
                return Err(unknown("the token is not valid"));
            }
            Err(status) => return Err(status),
        };
        let caller = Caller::named(&answer.principal, &answer.scopes);
        let kept = Kept {
            caller: caller.clone(),
            until_us: now.saturating_add(u64::try_from(KEPT.as_micros()).unwrap_or(u64::MAX)),
        };
        self.keep(digest, kept, now);
        Ok(caller)
    }

    fn kept(&self, digest: &[u8; 32]) -> Option<Kept> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(digest).cloned()
    }

    fn keep(&self, digest: [u8; 32], fresh: Kept, now: u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, k| now < k.until_us);
        }
        // Full of tokens that count: this one is asked for again.
        if kept.len() < KEPT_MAX {
            kept.insert(digest, fresh);
        }
    }
}

/// The identity engine knows the token not, or no longer.
fn refuses(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unauthenticated | Code::InvalidArgument | Code::NotFound
    )
}

fn unknown(what: &str) -> Status {
    Refusal::new(CommonFault::Unauthenticated, format!("{what}; {HOW}")).into()
}

/// One of our tokens, when the request has exactly one and no other login.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && token.starts_with(TOKEN)).then_some(token)
}

/// The cache holds no token.
fn digest(token: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}
