//! One attempt: a call with a deadline, and what is known when it has ended.

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::Status;

use gearmesh_catalog::Tool;
use gearmesh_fault::Failure;
use gearmesh_link::invoke;
use gearmesh_runtime::{Call, Context};
use gearmesh_store::Journal;

use crate::plan::{Answer, Dispatch, Problem};
use crate::run::cache;
use crate::run::fence::{Fenced, fence};
use crate::run::shaped;

/// The engine's deadline is this much later than ours, so that ours speaks.
const DEADLINE_MARGIN: Duration = Duration::from_secs(1);

/// What an attempt needs to know of its run.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) run: String,
    pub(crate) task: String,
    /// On whose behalf the run was started.
    pub(crate) principal: String,
    /// What that one may do; none: everything.
    pub(crate) scopes: Option<String>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) timeout: Option<Duration>,
    /// How often the engine itself may try again.
    pub(crate) retries: u32,
    /// What the tool's example and its schema say, in place of a call.
    pub(crate) mock: bool,
    /// The result is kept for no later call.
    pub(crate) sensitive: bool,
}

/// Makes the attempt. Ends at once when `abort` is cancelled: the call is
/// dropped, which the engine sees as a gRPC cancellation.
pub(crate) async fn attempt(
    cx: &Context,
    journal: &Journal,
    setting: &Setting,
    dispatch: Dispatch,
    abort: CancellationToken,
) -> Answer {
    if abort.is_cancelled() {
        // Never sent: there is nothing to fence.
        return Answer::Cancelled;
    }
    let kept = !setting.mock && !setting.sensitive;
    if kept && let Some(result) = cache::find(cx, journal, &dispatch).await {
        return Answer::Cached(result);
    }
    let catalog = cx.catalog();
    let Some(found) = catalog.get(&dispatch.resolved.tool) else {
        let text = format!("no tool `{}`", dispatch.resolved.tool);
        return failed(Problem::new("TOOL_NOT_FOUND", text));
    };
    let tool = found.tool.clone();
    if setting.mock {
        return Answer::Done(shaped::answer(&tool));
    }
    let link = match cx.link(&tool.engine) {
        Ok(link) => link,
        Err(status) => return refused(cx, &status),
    };
    let call = call(setting, &dispatch);
    let limit = async {
        match setting.timeout {
            Some(timeout) => cx.clock().sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let params = dispatch.resolved.params.clone();
    tokio::select! {
        answer = invoke(&link, &tool, params, &call) => match answer {
            Ok(result) => {
                if kept {
                    cache::keep(cx, journal, &dispatch, &result).await;
                }
                Answer::Done(result)
            }
            Err(status) => answered(cx, &tool, &dispatch, &status).await,
        },
        () = limit => timed_out(cx, setting, &tool, &dispatch).await,
        () = abort.cancelled() => aborted(cx, &tool, &dispatch).await,
    }
}

fn call(setting: &Setting, dispatch: &Dispatch) -> Call {
    Call {
        timeout: setting.timeout.map(|t| t + DEADLINE_MARGIN),
        key: Some(dispatch.key.clone()),
        run: Some(setting.run.clone()),
        task: Some(setting.task.clone()),
        item: u32::try_from(dispatch.item).unwrap_or(u32::MAX),
        pass: dispatch.pass,
        epoch: dispatch.epoch,
        attempt: dispatch.attempt,
        folder: setting.folder.clone(),
        retries: Some(setting.retries),
        instance: Some(dispatch.served_by.clone()).filter(|i| !i.is_empty()),
        principal: Some(setting.principal.clone()).filter(|p| !p.is_empty()),
        scopes: setting.scopes.clone(),
        ..Call::default()
    }
}

/// The engine answered an error, or could not be reached.
async fn answered(cx: &Context, tool: &Tool, dispatch: &Dispatch, status: &Status) -> Answer {
    let failure = Failure::of(status);
    if failure.reason == "OUTCOME_UNKNOWN" {
        return Answer::Unknown(problem(cx, &failure));
    }
    let unsent = failure.reason == "ENGINE_UNAVAILABLE" && failure.without_effect();
    if unsent && dispatch.class == "AT_MOST_ONCE" && !dispatch.served_by.is_empty() {
        // The instance that was meant went away before it got the call; another takes
        // it, and the task's `retry` is not for that.
        return Answer::Unsent(problem(cx, &failure));
    }
    if dispatch.class == "AT_MOST_ONCE" && !failure.without_effect() {
        return match fence(cx, tool, dispatch).await {
            Fenced::Absent => refused(cx, status),
            Fenced::Done(result) => Answer::Done(result),
            Fenced::Started => unknown(&tool.id, &failure.message, Some(&failure.reason)),
        };
    }
    refused(cx, status)
}

/// Our own deadline has passed, and the call has been dropped.
async fn timed_out(cx: &Context, setting: &Setting, tool: &Tool, dispatch: &Dispatch) -> Answer {
    let ms = setting.timeout.unwrap_or_default().as_millis();
    let text = format!("Task '{}' timed out after {ms}ms", setting.task);
    if dispatch.class == "AT_MOST_ONCE" {
        match fence(cx, tool, dispatch).await {
            Fenced::Absent => {}
            Fenced::Done(result) => return Answer::Done(result),
            Fenced::Started => return unknown(&tool.id, &text, Some("TASK_TIMEOUT")),
        }
    }
    failed(Problem {
        retryable: true,
        ..Problem::new("TASK_TIMEOUT", text)
    })
}

/// The run is being ended, and the call has been dropped. After the fence no
/// effect of it begins any more.
async fn aborted(cx: &Context, tool: &Tool, dispatch: &Dispatch) -> Answer {
    match dispatch.class.as_str() {
        "IDEMPOTENT" | "AT_LEAST_ONCE" => Answer::Cancelled,
        _ => match fence(cx, tool, dispatch).await {
            Fenced::Absent => Answer::Cancelled,
            Fenced::Done(result) => Answer::Done(result),
            Fenced::Started => unknown(&tool.id, "the run was cancelled", Some("RUN_CANCELLED")),
        },
    }
}

/// An attempt that was under way when the process died.
pub(crate) async fn recover(cx: &Context, dispatch: &Dispatch) -> Answer {
    if matches!(dispatch.class.as_str(), "IDEMPOTENT" | "AT_LEAST_ONCE") {
        return Answer::Lost;
    }
    let catalog = cx.catalog();
    let Some(found) = catalog.get(&dispatch.resolved.tool) else {
        return match dispatch.class.as_str() {
            "AT_MOST_ONCE" => unknown(&dispatch.resolved.tool, "its engine is gone", None),
            _ => Answer::Lost,
        };
    };
    match fence(cx, found.tool, dispatch).await {
        Fenced::Absent => Answer::Lost,
        Fenced::Done(result) => Answer::Done(result),
        Fenced::Started if dispatch.class == "AT_MOST_ONCE" => unknown(
            &found.tool.id,
            "the orchestrator stopped while it was under way",
            None,
        ),
        Fenced::Started => Answer::Lost,
    }
}

fn unknown(tool: &str, why: &str, cause: Option<&str>) -> Answer {
    let text = format!("whether `{tool}` took effect is not known: {why}");
    let details = cause.map_or(serde_json::Value::Null, |c| serde_json::json!({"cause": c}));
    let details = Box::new(details);
    Answer::Unknown(Problem {
        hint: "look at the target before you repeat the call".to_owned(),
        details,
        ..Problem::new("OUTCOME_UNKNOWN", text)
    })
}

fn failed(problem: Problem) -> Answer {
    Answer::Failed {
        problem,
        retry_after_ms: None,
    }
}

fn refused(cx: &Context, status: &Status) -> Answer {
    let failure = Failure::of(status);
    Answer::Failed {
        problem: problem(cx, &failure),
        retry_after_ms: failure
            .retry_after
            .map(|w| i64::try_from(w.as_millis()).unwrap_or(i64::MAX)),
    }
}

/// A failed call as the problem of a task. Whether a retry helps is what the
/// catalogue says of the reason, for engines of any origin.
fn problem(cx: &Context, failure: &Failure) -> Problem {
    let retryable = match cx.catalog().fault(&failure.domain, &failure.reason) {
        Some(info) if info.varies => failure.retry_after.is_some(),
        Some(info) => info.retryable,
        None => failure.retryable,
    };
    let mut details = serde_json::Map::new();
    for (key, value) in &failure.metadata {
        details.insert(key.clone(), value.clone().into());
    }
    if !failure.violations.is_empty() {
        let fields = failure
            .violations
            .iter()
            .map(|v| serde_json::json!({"field": v.field, "description": v.description}))
            .collect();
        details.insert("fields".to_owned(), fields);
    }
    Problem {
        code: failure.reason.clone(),
        message: failure.message.clone(),
        retryable,
        hint: String::new(),
        details: if details.is_empty() {
            Box::default()
        } else {
            Box::new(details.into())
        },
    }
}
