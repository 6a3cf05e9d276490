//! From a gRPC status to what a surface shows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::reason::known;

/// A failed call, read from its status. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The gRPC code.
    pub code: Code,
    /// The reason, as `FILE_NOT_FOUND`; the code's name when none was given.
    pub reason: String,
    /// Whose reason it is; empty when none was given.
    pub domain: String,
    /// One sentence.
    pub message: String,
    /// What a program may want to know.
    pub metadata: BTreeMap<String, String>,
    /// The fields at fault.
    pub violations: Vec<Violation>,
    /// The least wait before a retry, when the answer names one.
    pub retry_after: Option<Duration>,
    /// Whether the same call may succeed later.
    pub retryable: bool,
}

/// A field at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON path of the field.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl Failure {
    /// Reads a status, of ours or of a foreign service.
    ///
    /// Without a reason that is known here, UNAVAILABLE alone counts as
    /// retryable: every other code may stand behind an effect.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let reason = info.map_or_else(|| code_name(status.code()).to_owned(), |i| i.reason.clone());
        let domain = info.map(|i| i.domain.clone()).unwrap_or_default();
        let retry_after = details.retry_info().and_then(|r| r.retry_delay);
        let retryable = match known(&domain, &reason) {
            Some(m) if m.varies => retry_after.is_some(),
            Some(m) => m.retryable,
            None => retry_after.is_some() || status.code() == Code::Unavailable,
        };
        Self {
            code: status.code(),
            reason,
            domain,
            message: status.message().to_owned(),
            metadata: info
                .map(|i| i.metadata.clone().into_iter().collect())
                .unwrap_or_default(),
            violations: details
                .bad_request()
                .map(|b| {
                    b.field_violations
                        .iter()
                        .map(|v| Violation {
                            field: v.field.clone(),
                            description: v.description.clone(),
                        })
                        .collect()
                })
                .unwrap_or_default(),
            retry_after,
            retryable,
        }
    }

    /// Whether the answer itself says that the call had no effect: it was refused,
    /// or never reached the other end. All else leaves that open, also an answer
    /// that came when the request had left.
    ///
    /// Engines that talk to others say in the metadata `phase` how far a failed
    /// call came: `connect` before the request left, `exchange` behind it, `undone`
    /// when the other end surely took it back. A peer that answers 503 says that it
    /// did not take the request.
    #[must_use]
    pub fn without_effect(&self) -> bool {
        let said = |key: &str| self.metadata.get(key).map(String::as_str);
        match said("phase") {
            Some("connect" | "undone") => return true,
            Some("exchange") => return false,
            _ => {}
        }
        if self.reason == "HTTP_STATUS" && said("status") == Some("503") {
            return true;
        }
        matches!(
            self.code,
            Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::ResourceExhausted
                | Code::FailedPrecondition
                | Code::Aborted
                | Code::OutOfRange
                | Code::Unimplemented
        ) && self.reason != "OUTCOME_UNKNOWN"
            && self.reason != "STORE_FULL"
    }

    /// The `google.rpc.Status` as JSON: `code`, `message`, `details`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut details = vec![json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": self.reason,
            "domain": self.domain,
            "metadata": self.metadata,
        })];
        if !self.violations.is_empty() {
            let fields: Vec<_> = self
                .violations
                .iter()
                .map(|v| json!({"field": v.field, "description": v.description}))
                .collect();
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": fields,
            }));
        }
        if let Some(wait) = self.retry_after {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{}s", wait.as_secs_f64()),
            }));
        }
        json!({"code": self.code as i32, "message": self.message, "details": details})
    }

    /// The HTTP status of this failure.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match (self.domain.as_str(), self.reason.as_str()) {
            ("gearmesh", "KEY_REUSED") => 422,
            ("gearmesh", "TOO_LARGE") => 413,
            ("gearmesh", "METHOD_NOT_ALLOWED") => 405,
            ("gearmesh", "UNSUPPORTED_MEDIA_TYPE") => 415,
            _ => http_status(self.code),
        }
    }
}

/// The HTTP status of a gRPC code.
fn http_status(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    }
}

/// A code's name as the specification of gRPC writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use gearmesh_api::tool::v1::CommonFault;

    use super::*;
    use crate::Refusal;

    #[test]
    fn refusal_survives_the_way_over_a_status() {
        let refusal = Refusal::new(
            CommonFault::RateLimitExceeded,
            "60 calls a minute are used up",
        )
        .with("limit", "60")
        .field("items[2]", "one too many")
        .after(Duration::from_millis(1500));
        let failure = Failure::of(&Status::from(refusal));
        assert_eq!(failure.code, Code::ResourceExhausted);
        assert_eq!(failure.reason, "RATE_LIMIT_EXCEEDED");
        assert_eq!(failure.metadata["limit"], "60");
        assert_eq!(failure.violations[0].field, "items[2]");
        assert_eq!(failure.retry_after, Some(Duration::from_millis(1500)));
        assert!(failure.retryable);
        assert_eq!(failure.http_status(), 429);
        assert_eq!(
            failure.to_json()["details"][0]["reason"],
            "RATE_LIMIT_EXCEEDED"
        );
    }

    #[test]
    fn internal_error_tells_the_caller_no_cause() {
        let refusal = Refusal::new(CommonFault::InternalError, "select failed on /var/db")
            .with("path", "/var/db");
        let status = Status::from(refusal);
        assert!(!format!("{status:?}").contains("/var/db"), "{status:?}");
    }

    #[test]
    fn foreign_status_is_retried_only_when_unavailable() {
        assert!(Failure::of(&Status::new(Code::Unavailable, "x")).retryable);
        assert!(!Failure::of(&Status::new(Code::Aborted, "x")).retryable);
        assert_eq!(
            Failure::of(&Status::new(Code::Aborted, "x")).reason,
            "ABORTED"
        );
    }

    #[test]
    fn effect_is_excluded_only_where_the_answer_says_so() {
        let of = |code, reason: &str, metadata: &[(&str, &str)]| {
            let failure = Failure {
                reason: reason.to_owned(),
                metadata: metadata
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
                ..Failure::of(&Status::new(code, "x"))
            };
            failure.without_effect()
        };
        assert!(of(Code::InvalidArgument, "INVALID_PARAMETERS", &[]));
        assert!(of(
            Code::Unavailable,
            "NETWORK_ERROR",
            &[("phase", "connect")]
        ));
        assert!(of(Code::Unavailable, "HTTP_STATUS", &[("status", "503")]));
        assert!(of(Code::NotFound, "HTTP_STATUS", &[("status", "404")]));
        assert!(!of(Code::Unavailable, "HTTP_STATUS", &[("status", "502")]));
        assert!(!of(
            Code::Unavailable,
            "NETWORK_ERROR",
            &[("phase", "exchange")]
        ));
        assert!(!of(Code::DataLoss, "PARSE_ERROR", &[("phase", "exchange")]));
        assert!(!of(Code::DeadlineExceeded, "TIMEOUT", &[]));
        assert!(!of(Code::Internal, "INTERNAL_ERROR", &[]));
        assert!(!of(Code::Aborted, "OUTCOME_UNKNOWN", &[]));
        assert!(!of(Code::ResourceExhausted, "STORE_FULL", &[]));
    }

    #[test]
    fn reused_key_is_422() {
        let status = Status::from(Refusal::new(CommonFault::KeyReused, "x"));
        assert_eq!(Failure::of(&status).http_status(), 422);
    }
}
