//! Keeps what a call resolved out of its answer.
//!
//! Whoever resolves a reference notes the value here, in a set that belongs to
//! the call under way. The layers look through the answer, messages and status
//! alike, and write `«redacted:reference»` wherever a value stands in one of its
//! usual forms. A call that resolves nothing pays for an empty set.

mod body;
mod forms;
mod message;

use std::sync::{Arc, Mutex, PoisonError};

use gearmesh_catalog::Tool;
use serde_json::Value;
use tonic::body::Body;

use crate::Secret;
use forms::Forms;

/// Members of a connection's settings whose names hold one of these are secret
/// when they are no references.
const SECRET_NAMES: [&str; 8] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "bearer",
    "authorization",
    "apikey",
    "privatekey",
];

tokio::task_local! {
    static SEEN: Seen;
}

/// What a call has resolved so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    values: Arc<Mutex<Vec<(String, Secret)>>>,
    /// The run to which the call belongs.
    run: Option<Arc<str>>,
}

impl Seen {
    fn push(&self, reference: &str, secret: &Secret) {
        let mut all = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all
            .iter()
            .any(|(r, s)| r == reference && s.expose() == secret.expose());
        if !known {
            all.push((reference.to_owned(), secret.clone()));
        }
    }

    /// The forms to look for; none when nothing was resolved.
    fn forms(&self) -> Option<Forms> {
        let all = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        (!all.is_empty()).then(|| Forms::of(&all))
    }

    /// How many values there are; it only rises.
    fn len(&self) -> usize {
        let all = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        all.len()
    }
}

/// Notes a value that the call under way has resolved.
pub(crate) fn note(reference: &str, secret: &Secret) {
    // Outside of a call there is no answer to keep it out of.
    let _ = SEEN.try_with(|seen| seen.push(reference, secret));
}

/// The run to which the call under way belongs; empty: none.
pub(crate) fn run() -> String {
    let run = SEEN.try_with(|seen| seen.run.as_deref().map(str::to_owned));
    run.ok().flatten().unwrap_or_default()
}

/// Notes the secrets that stand in a connection's settings themselves.
pub(crate) fn note_settings(connection: &str, settings: &Value) {
    let Value::Object(members) = settings else {
        return;
    };
    for (name, value) in members {
        let plain = name.to_ascii_lowercase().replace(['_', '-'], "");
        match value {
            Value::String(text)
                if SECRET_NAMES.iter().any(|s| plain.contains(s))
                    && !crate::Secrets::is_reference(text) =>
            {
                let mark = format!("{connection}#{name}");
                note(&mark, &Secret::new(text.to_owned()));
            }
            Value::Object(_) => note_settings(connection, value),
            _ => {}
        }
    }
}

/// Answers a call of a tool, with what it resolves kept out of the answer. Other
/// RPCs (no tool) stay as they are.
pub(crate) async fn watched<F>(
    tool: Option<Arc<Tool>>,
    run: Option<String>,
    work: F,
) -> http::Response<Body>
where
    F: Future<Output = http::Response<Body>>,
{
    let Some(tool) = tool else {
        return work.await;
    };
    let seen = Seen {
        run: run.map(Arc::from),
        ..Seen::default()
    };
    let response = SEEN.scope(seen.clone(), work).await;
    // A stream may resolve later what it needs.
    if seen.len() == 0 && !tool.method.is_server_streaming() {
        return response;
    }
    body::scrubbed(response, tool, seen)
}
