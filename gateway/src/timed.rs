//! Calls within their time.
//!
//! An engine of ours ends a call at its deadline with a reason. A foreign one does
//! not, nor one that hangs, and the transport between processes ends a call without
//! one; so the time is kept here as well and told in the same words.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use serde_json::Value;
use tonic::{Code, Status, TimeoutExpired};

use gearmesh_api::MESSAGE_MAX;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_catalog::Tool;
use gearmesh_fault::Refusal;
use gearmesh_link::{Call, Link, invoke, invoke_stream};

/// The messages of a tool.
pub(crate) type Messages = Pin<Box<dyn Stream<Item = Result<Value, Status>> + Send>>;

/// Calls a tool and waits for its answer; of a stream the last message is the answer.
///
/// # Errors
/// As [`invoke`]; TIMEOUT when the tool's time, or the caller's if shorter, is over.
pub(crate) async fn answer(
    link: &Link,
    tool: &Tool,
    params: Value,
    mut call: Call,
) -> Result<Value, Status> {
    let limit = limit(tool, &call);
    call.timeout = Some(limit);
    match tokio::time::timeout(limit, invoke(link, tool, params, &call)).await {
        Ok(answer) => answer.map_err(|status| with_reason(status, tool, limit)),
        Err(_) => Err(late(tool, limit)),
    }
}

/// The messages of a streaming tool. The call begins with the first poll; its time is
/// how long the engine may take to begin the stream.
pub(crate) fn messages(link: Link, tool: Arc<Tool>, params: Value, mut call: Call) -> Messages {
    let limit = limit(&tool, &call);
    call.timeout = Some(limit);
    let of = tool.clone();
    let begin = async move {
        let begun = tokio::time::timeout(limit, invoke_stream(&link, &tool, params, &call)).await;
        begun.unwrap_or_else(|_| Err(late(&tool, limit)))
    };
    let stream = futures::stream::once(begin).try_flatten();
    Box::pin(stream.map(move |message| message.map_err(|status| with_reason(status, &of, limit))))
}

/// The caller's time up to the tool's bound, else the tool's own.
fn limit(tool: &Tool, call: &Call) -> Duration {
    call.timeout
        .map_or(tool.timeout, |t| t.min(tool.timeout_max))
}

/// Whether the transport ended a call at its deadline.
pub(crate) fn is_expired(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |e| e.source()).any(|e| e.is::<TimeoutExpired>())
}

fn with_reason(status: Status, tool: &Tool, limit: Duration) -> Status {
    match std::error::Error::source(&status) {
        Some(source) if is_expired(source) => late(tool, limit),
        _ if is_too_large(&status) => {
            let text = format!(
                "the answer of `{}` is larger than {MESSAGE_MAX} bytes",
                tool.id
            );
            Refusal::new(CommonFault::ResponseTooLarge, text).into()
        }
        _ => status,
    }
}

/// Whether the answer went beyond the bound of our client, which says so by words alone.
fn is_too_large(status: &Status) -> bool {
    let said = status.message().contains("length too large");
    said && status.code() == Code::OutOfRange && status.details().is_empty()
}

fn late(tool: &Tool, limit: Duration) -> Status {
    let text = format!("`{}` did not end within {} ms", tool.id, limit.as_millis());
    Refusal::new(CommonFault::Timeout, text).into()
}
