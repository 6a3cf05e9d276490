//! Answers over HTTP: JSON, and errors in the one form that all have.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tonic::{Code, Status};

use gearmesh_fault::{Failure, Refusal};
use gearmesh_link::names;
use gearmesh_runtime::Rng;

use crate::caller::SCOPE;

pub(crate) type Response = http::Response<Body>;

/// Media type of a JSON answer.
pub(crate) const JSON: &str = "application/json";

/// The media type of JSON Schema.
pub(crate) const SCHEMA_JSON: &str = "application/schema+json";

/// Media type of an error by RFC 9457.
const PROBLEM: &str = "application/problem+json";

/// Longest `traceparent` that is passed on, in bytes: version 00 has 55, later ones may add some.
const TRACE_MAX: usize = 128;

/// A call that did not come to an answer.
#[derive(Debug)]
pub(crate) struct Refused {
    status: Status,
    http: Option<StatusCode>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self {
            status,
            http: None,
            headers: Vec::new(),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Status::from(refusal).into()
    }
}

impl Refused {
    /// Another HTTP status than the reason has by itself.
    pub(crate) fn http(mut self, status: StatusCode) -> Self {
        self.http = Some(status);
        self
    }

    /// A header of the answer; left out when the text cannot be one.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

/// What an answer must know of who asked.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    /// Trace id of the request, 32 hex digits.
    trace_id: String,
    /// W3C trace context that goes on to the engine.
    trace: String,
    /// Errors are wanted as `application/problem+json`.
    problem: bool,
}

impl Asker {
    /// Takes the trace context of the request, or begins one.
    pub(crate) fn of(headers: &HeaderMap, rng: &dyn Rng) -> Self {
        let given = headers.get(names::TRACE).and_then(|v| v.to_str().ok());
        let (trace_id, trace) = match given.and_then(|t| Some((trace_id(t)?, t))) {
            Some((id, trace)) => (id.to_owned(), trace.to_owned()),
            None => {
                let id = format!("{:016x}{:016x}", rng.number(), rng.number() | 1);
                let trace = format!("00-{id}-{:016x}-01", rng.number() | 1);
                (id, trace)
            }
        };
        let problem = headers
            .get_all(header::ACCEPT)
            .iter()
            .any(|v| v.to_str().is_ok_and(|t| t.contains(PROBLEM)));
        Self {
            trace_id,
            trace,
            problem,
        }
    }

    pub(crate) fn trace(&self) -> &str {
        &self.trace
    }

    /// The answer that tells of an error.
    pub(crate) fn refuse(&self, refused: Refused) -> Response {
        let failure = seen(&refused.status, &self.trace_id);
        let status = refused.http.unwrap_or_else(|| status_of(&failure));
        let body = self.error_body(&failure, status);
        let media = if self.problem { PROBLEM } else { JSON };
        let mut response = with_body(status, media, body.to_string());
        if let Some(wait) = failure.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, retry_after(wait));
        }
        if let Some(challenge) = scope_challenge(&failure) {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.headers_mut().extend(refused.headers);
        response
    }

    /// The `google.rpc.Status` of an error within a stream.
    pub(crate) fn status_json(&self, status: &Status) -> Value {
        self.with_request(seen(status, &self.trace_id).to_json())
    }

    fn error_body(&self, failure: &Failure, status: StatusCode) -> Value {
        let body = self.with_request(failure.to_json());
        if !self.problem {
            return body;
        }
        json!({
            "type": format!("urn:gearmesh:{}:{}", failure.domain, failure.reason),
            "title": failure.reason,
            "status": status.as_u16(),
            "detail": body["message"],
            "code": body["code"],
            "details": body["details"],
        })
    }

    fn with_request(&self, mut body: Value) -> Value {
        if let Some(Value::Array(details)) = body.get_mut("details") {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.RequestInfo",
                "requestId": self.trace_id,
            }));
        }
        body
    }
}

/// The failure as outsiders see it: of a fault of the mesh only the reason. Ours say
/// no more anyway; what a foreign engine told of itself is logged here.
pub(crate) fn seen(status: &Status, trace_id: &str) -> Failure {
    let mut failure = Failure::of(status);
    if matches!(failure.code, Code::Internal | Code::Unknown) {
        tracing::error!(trace_id, reason = %failure.reason, error = %failure.message, "call failed inside");
        failure.message = "internal error; the log has the cause".to_owned();
        failure.metadata.clear();
        failure.violations.clear();
    }
    failure
}

/// A refusal for want of a scope names it (RFC 6750, 3.1).
fn scope_challenge(failure: &Failure) -> Option<HeaderValue> {
    let scope = failure.metadata.get(SCOPE)?;
    // Nothing that a quoted text could not hold: engines from elsewhere have metadata, too.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_:*".contains(&b);
    if failure.code != Code::PermissionDenied || !scope.bytes().all(plain) {
        return None;
    }
    let text =
        format!("Bearer realm=\"gearmesh\", error=\"insufficient_scope\", scope=\"{scope}\"");
    HeaderValue::try_from(text).ok()
}

pub(crate) fn status_of(failure: &Failure) -> StatusCode {
    StatusCode::from_u16(failure.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Whole seconds, rounded up: a client must not come back too early.
fn retry_after(wait: Duration) -> HeaderValue {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(seconds)
}

/// The trace id of a `traceparent`, when it is one.
fn trace_id(trace: &str) -> Option<&str> {
    /// Digits of a trace id and of a span id.
    const DIGITS: [usize; 2] = [32, 16];
    let is_hex = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let mut parts = trace.splitn(4, '-');
    let (version, id, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let valid = version.len() == 2
        && is_hex(version)
        && version != "ff"
        && id.len() == DIGITS[0]
        && is_hex(id)
        && id.bytes().any(|b| b != b'0')
        && span.len() == DIGITS[1]
        && is_hex(span)
        && flags.len() >= 2
        && trace.len() <= TRACE_MAX;
    valid.then_some(id)
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &Value) -> Response {
    with_body(status, JSON, value.to_string())
}

/// An answer that nobody may keep.
pub(crate) fn with_body(
    status: StatusCode,
    media: &'static str,
    body: impl Into<Body>,
) -> Response {
    let mut response = http::Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests {
    use gearmesh_api::tool::v1::CommonFault;
    use gearmesh_runtime::SystemRng;

    use super::*;

    fn asker(pairs: &[(&'static str, &'static str)]) -> Asker {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Asker::of(&headers, &SystemRng)
    }

    #[test]
    fn trace_context_is_taken_or_begun() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(asker(&[("traceparent", given)]).trace(), given);
        for bad in [
            "",
            "x",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7-b7-01",
        ] {
            let begun = asker(&[("traceparent", bad)]);
            assert!(trace_id(begun.trace()).is_some(), "{bad}: {begun:?}");
        }
    }

    #[test]
    fn wait_is_rounded_up() {
        for (ms, seconds) in [(1, "1"), (1_000, "1"), (1_001, "2")] {
            assert_eq!(retry_after(Duration::from_millis(ms)), seconds);
        }
    }

    #[test]
    fn fault_inside_shows_its_reason_alone() {
        let failure = seen(&Status::new(Code::Unknown, "select failed on /var/db"), "1");
        assert_eq!(failure.message, "internal error; the log has the cause");
        assert_eq!(failure.reason, "UNKNOWN");
    }

    #[test]
    fn error_has_its_status_its_reason_and_a_request_id() {
        let refusal =
            || Refusal::new(CommonFault::RateLimitExceeded, "x").after(Duration::from_millis(1500));
        let response = asker(&[]).refuse(refusal().into());
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["content-type"], JSON);
        let asker = asker(&[("accept", "application/json, application/problem+json")]);
        let body = asker.error_body(
            &Failure::of(&refusal().into()),
            StatusCode::TOO_MANY_REQUESTS,
        );
        assert_eq!(body["title"], "RATE_LIMIT_EXCEEDED");
        assert_eq!(body["status"], 429);
        assert_eq!(
            body["details"].as_array().and_then(|d| d.last()).unwrap()["requestId"],
            asker.trace_id
        );
    }
}
