//! From an error of the domain to a gRPC status.

use std::collections::HashMap;
use std::time::Duration;

use prost_reflect::EnumValueDescriptor;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use gearmesh_api::tool::v1::CommonFault;

use crate::reason::{common, meaning};

/// An error that knows its reason.
///
/// The message is the error's `Display`: lower case, no full stop, naming the
/// thing. Each engine adds `impl From<Error> for Status` with one line, since a
/// blanket implementation would break the orphan rule (E0210).
pub trait Fault: std::error::Error {
    /// The value of a fault enum that names the reason.
    fn reason(&self) -> EnumValueDescriptor;

    /// What a program may want to know beside the message; never a secret.
    fn metadata(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The fields at fault: JSON path and what is wrong with each.
    fn violations(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The least wait before a retry.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// The code of this answer, for reasons whose code varies.
    fn code(&self) -> Option<Code> {
        None
    }
}

/// The status of an error: code, message, `ErrorInfo` and what else applies.
///
/// An error of the mesh itself (INTERNAL, UNKNOWN) is logged here with its
/// causes; the caller gets the reason alone.
#[must_use]
pub fn status(fault: &(impl Fault + ?Sized)) -> Status {
    let meaning = meaning(&fault.reason());
    let code = match fault.code() {
        Some(code) if meaning.varies => code,
        _ => meaning.code,
    };
    let internal = matches!(code, Code::Internal | Code::Unknown);
    let message = if internal {
        tracing::error!(reason = %meaning.reason, error = %causes(fault), "internal error");
        "internal error; the log has the cause".to_owned()
    } else {
        fault.to_string()
    };
    let metadata: HashMap<String, String> = if internal {
        HashMap::new()
    } else {
        fault
            .metadata()
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect()
    };
    let mut details = ErrorDetails::with_error_info(meaning.reason, meaning.domain, metadata);
    let violations = fault.violations();
    if !violations.is_empty() {
        let fields: Vec<_> = violations
            .into_iter()
            .map(|(field, what)| FieldViolation::new(field, what))
            .collect();
        details.set_bad_request(fields);
    }
    if let Some(wait) = fault.retry_after() {
        details.set_retry_info(Some(wait));
    }
    Status::with_error_details(code, message, details)
}

fn causes(fault: &(impl Fault + ?Sized)) -> String {
    let mut text = fault.to_string();
    let mut next = fault.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// A refusal with one of the reasons that all share, for code that has no error
/// type of its own: layers, links, the gateway.
#[derive(Debug, Clone)]
pub struct Refusal {
    fault: CommonFault,
    message: String,
    metadata: Vec<(&'static str, String)>,
    violations: Vec<(String, String)>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal; the message in lower case, without a full stop.
    #[must_use]
    pub fn new(fault: CommonFault, message: impl Into<String>) -> Self {
        Self {
            fault,
            message: message.into(),
            metadata: Vec::new(),
            violations: Vec::new(),
            retry_after: None,
        }
    }

    /// Adds what a program may want to know.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((key, value.into()));
        self
    }

    /// Adds a field at fault.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>, what: impl Into<String>) -> Self {
        self.violations.push((path.into(), what.into()));
        self
    }

    /// Sets the least wait before a retry.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Parameters that do not fit: JSON path and what is wrong with each.
    #[must_use]
    pub fn parameters(violations: Vec<(String, String)>) -> Self {
        let message = match violations.as_slice() {
            [(path, what)] if path.is_empty() => what.clone(),
            [(path, what)] => format!("`{path}`: {what}"),
            all => {
                let list: Vec<_> = all.iter().map(|(p, w)| format!("`{p}`: {w}")).collect();
                format!("{} parameters do not fit: {}", all.len(), list.join("; "))
            }
        };
        Self {
            violations,
            ..Self::new(CommonFault::InvalidParameters, message)
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl Fault for Refusal {
    fn reason(&self) -> EnumValueDescriptor {
        common(self.fault)
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        self.metadata.clone()
    }

    fn violations(&self) -> Vec<(String, String)> {
        self.violations.clone()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        status(&refusal)
    }
}
