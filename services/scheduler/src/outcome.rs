//! From the end of a run to what history keeps of it.

use gearmesh_api::orchestrator::v1::Run;

use crate::fires::Ended;
use crate::target::TASK;

/// Outputs that history keeps; larger ones are read from the run.
const RESULT_MAX: usize = 16 * 1024;

/// The reason of a run that was cancelled, which the run itself does not call an error.
const CANCELLED: &str = "RUN_CANCELLED";

/// How a run ended; none while it is open.
pub(crate) fn of(run: &Run) -> Option<Ended> {
    let ended = run.end_time.as_ref().map(ms)?;
    let error = run.error.clone().unwrap_or_default();
    let in_time = !matches!(
        error.code.as_str(),
        "TASK_TIMEOUT" | "RUN_TIMEOUT" | "TIMEOUT"
    );
    let outcome = match run.status.as_str() {
        "succeeded" => "success",
        "timedOut" => "timeout",
        _ if !in_time => "timeout",
        _ => "failure",
    };
    let started = run.start_time.as_ref().map_or(ended, ms);
    let attempts = run.tasks.get(TASK).map_or(1, |t| i64::from(t.attempts));
    let reason = match (run.status.as_str(), error.code) {
        ("cancelled", code) if code.is_empty() => CANCELLED.to_owned(),
        (_, code) => code,
    };
    let result = run.outputs.as_ref().map(|o| o.text.to_vec());
    Some(Ended {
        ended,
        duration: (ended - started).max(0),
        outcome,
        reason,
        error: error.message,
        result: result.filter(|r| r.len() <= RESULT_MAX),
        retries: (attempts - 1).max(0),
    })
}

fn ms(at: &prost_types::Timestamp) -> i64 {
    at.seconds * 1000 + i64::from(at.nanos) / 1_000_000
}
