//! From a connection and its headers to the caller.
//!
//! Three ways lead in: a client certificate of the mesh, an API token, and plain
//! loopback, where `dev` serves the user of this machine. A token is checked by the
//! identity engine; what it answered is kept for some seconds, since a client sends
//! its token with every request. Wrong, ended and revoked tokens get one answer; the
//! log says which it was.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use tokio::sync::Semaphore;
use tonic::{Code, Request, Status};

use gearmesh_api::identity::v1::identity_service_client::IdentityServiceClient;
use gearmesh_api::identity::v1::{AuthenticateRequest, AuthenticateResponse};
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use gearmesh_link::Peer;
use gearmesh_runtime::Context;

use crate::caller::Caller;
use crate::origin;

/// How long an answer of the identity engine counts: so long may a token that was
/// revoked still be taken.
const KEPT: Duration = Duration::from_secs(10);

/// Answers that are kept at once; each holds a digest and some scopes.
const KEPT_MAX: usize = 10_000;

/// How long the identity engine may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Questions to the identity engine at once: whoever guesses tokens must not keep it
/// from its other work, and is told at once to come back later.
const ASKING_MAX: usize = 64;

/// When one is to come back who found too many asking.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How our tokens begin. Another bearer is somebody else's.
const TOKEN: &str = "gearmesh_";

/// Longest token that is looked at; ours have 56 characters.
const TOKEN_MAX: usize = 256;

/// Headers by which a proxy says that it passes a request on. What came through one may
/// have come from anywhere, whatever address the connection is from.
const PASSED_ON: [HeaderName; 4] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

/// What a caller can do who has not logged in.
const HOW: &str =
    "send `authorization: Bearer gearmesh_..` or show a client certificate of this mesh";

/// Checks who calls.
#[derive(Debug)]
pub(crate) struct Login {
    cx: Context,
    kept: Mutex<HashMap<[u8; 32], Kept>>,
    asking: Arc<Semaphore>,
}

/// What a request shows of its caller.
pub(crate) struct Shown {
    peer: Option<Peer>,
    bearer: Bearer,
    /// Comes from this machine and says nothing to the contrary.
    here: bool,
}

/// What stands in `authorization`.
#[derive(Debug, PartialEq, Eq)]
enum Bearer {
    Absent,
    /// What may be one of our tokens.
    Ours(String),
    /// Something else, or several.
    Other,
}

impl Shown {
    /// Of a request.
    pub(crate) fn by<B>(request: &http::Request<B>) -> Self {
        let headers = request.headers();
        let named = request
            .uri()
            .authority()
            .map(http::uri::Authority::as_str)
            .into_iter()
            .chain(
                headers
                    .get_all(header::HOST)
                    .iter()
                    .map(|v| v.to_str().unwrap_or("?")),
            )
            .all(origin::names_this_machine);
        Self {
            peer: request.extensions().get::<Peer>().cloned(),
            bearer: bearer(headers),
            here: named && PASSED_ON.iter().all(|name| !headers.contains_key(name)),
        }
    }

    /// Whether a token or the like was shown, valid or not.
    pub(crate) fn has_bearer(&self) -> bool {
        self.bearer != Bearer::Absent
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
            asking: Arc::new(Semaphore::new(ASKING_MAX)),
        }
    }

    /// The caller.
    ///
    /// # Errors
    /// UNAUTHENTICATED for whoever has not logged in; PERMISSION_DENIED for services of
    /// the mesh, which call each other and not the gateway; what kept the identity
    /// engine from answering.
    pub(crate) async fn caller(&self, shown: Shown) -> Result<Caller, Status> {
        let agent = shown.peer.as_ref().and_then(Peer::agent);
        if let Some(peer) = shown.peer.as_ref().filter(|p| p.is_service()) {
            // Also with a token: the leaf of an engine has no business here.
            let text = format!("`{peer}` is a service of the mesh and calls engines directly");
            return Err(Refusal::new(CommonFault::PermissionDenied, text).into());
        }
        match (&shown.bearer, &shown.peer, agent) {
            (Bearer::Ours(token), ..) => self.of_token(token).await,
            (Bearer::Other, ..) => Err(unknown("the login is none of this mesh")),
            // Plain text, which is served on loopback alone.
            (Bearer::Absent, None, _) if shown.here => Ok(Caller::local()),
            (Bearer::Absent, Some(peer), Some(agent)) => {
                Ok(Caller::named(&format!("agent/{agent}"), peer.scopes()))
            }
            (Bearer::Absent, ..) => Err(unknown("nobody has logged in")),
        }
    }

    async fn of_token(&self, token: &str) -> Result<Caller, Status> {
        let digest = digest(token);
        let now = self.cx.clock().monotonic_us();
        if let Some(kept) = self.kept(&digest).filter(|k| now < k.until_us) {
            return Ok(kept.caller);
        }
        let Ok(_place) = self.asking.try_acquire() else {
            let text = "too many tokens are being checked";
            let refusal = Refusal::new(CommonFault::RateLimitExceeded, text);
            return Err(refusal.after(ASK_AGAIN).into());
        };
        let mut request = Request::new(AuthenticateRequest {
            token: token.to_owned(),
        });
        request.set_timeout(PATIENCE);
        let answer = IdentityServiceClient::new(self.cx.link("identity")?)
            .authenticate(request)
            .await;
        let answer = match answer {
            Ok(answer) => answer.into_inner(),
            // Why is in the log of the identity engine.
            Err(status) if refuses(&status) => return Err(unknown("the token is not valid")),
            Err(status) => return Err(status),
        };
        let caller = Caller::named(&answer.principal, &answer.scopes);
        let kept = Kept {
            caller: caller.clone(),
            until_us: now.saturating_add(self.keeping_us(&answer)),
        };
        self.keep(digest, kept, now);
        Ok(caller)
    }

    /// How long an answer counts: not beyond the token's own end.
    fn keeping_us(&self, answer: &AuthenticateResponse) -> u64 {
        let ends_ms = answer
            .expires
            .map_or(0, |e| e.seconds.saturating_mul(1_000));
        let left_ms = ends_ms.saturating_sub(self.cx.clock().now_ms());
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or_default());
        u64::try_from(left.min(KEPT).as_micros()).unwrap_or_default()
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

/// What a request has for a login in its headers. Of two logins neither counts: who
/// checks one and who uses the other must not be two.
fn bearer(headers: &HeaderMap) -> Bearer {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Bearer::Absent;
    };
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| token.starts_with(TOKEN) && token.len() <= TOKEN_MAX);
    match (token, values.next()) {
        (Some(token), None) => Bearer::Ours(token.to_owned()),
        _ => Bearer::Other,
    }
}

/// The cache holds no token.
fn digest(token: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, pairs: &[(&'static str, &'static str)]) -> http::Request<()> {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn one_token_of_ours_is_a_login_and_all_else_is_none() {
        let ours = || Bearer::Ours("gearmesh_x".to_owned());
        let of = |values: &[&'static str]| {
            let pairs: Vec<_> = values.iter().map(|v| ("authorization", *v)).collect();
            bearer(request("/", &pairs).headers())
        };
        assert_eq!(of(&[]), Bearer::Absent);
        assert_eq!(of(&["Bearer gearmesh_x"]), ours());
        assert_eq!(of(&["bearer  gearmesh_x "]), ours());
        for other in [
            "",
            "Bearer",
            "gearmesh_x",
            "Basic gearmesh_x",
            "Bearer eyJhbGciOiJub25lIn0.e30.",
        ] {
            assert_eq!(of(&[other]), Bearer::Other, "{other:?}");
        }
        assert_eq!(
            of(&["Bearer gearmesh_x", "Bearer gearmesh_x"]),
            Bearer::Other
        );
        let long: &'static str = format!("Bearer gearmesh_{}", "x".repeat(TOKEN_MAX)).leak();
        assert_eq!(of(&[long]), Bearer::Other);
    }

    #[test]
    fn only_what_comes_straight_from_this_machine_is_from_here() {
        let here = |uri: &str, pairs: &[(&'static str, &'static str)]| {
            Shown::by(&request(uri, pairs)).here
        };
        assert!(here("/v1", &[("host", "localhost:8420")]));
        assert!(here("http://127.0.0.1:8420/v1", &[]));
        assert!(!here("/v1", &[("host", "mesh.example.com")]));
        assert!(!here(
            "http://localhost/v1",
            &[("host", "mesh.example.com")]
        ));
        for header in ["forwarded", "via", "x-forwarded-for", "x-real-ip"] {
            let pairs = [("host", "localhost"), (header, "192.0.2.1")];
            assert!(!here("/v1", &pairs), "{header}");
        }
    }
}
