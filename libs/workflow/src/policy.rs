//! What the file says of failures: `retry` and `onError`.

use crate::diagnostic::Report;
use crate::model::TaskOnError;
use crate::retry::{ATTEMPTS_MAX, Backoff, Retry};
use crate::tree::Entry;
use crate::value::{Place, Reader};
use crate::{field, keys};

/// Reads the `onError` of a task.
pub(crate) fn on_error(
    reader: &mut Reader<'_, '_, '_>,
    entry: &Entry,
    owner: &str,
    mut place: Place<'_>,
) -> Option<TaskOnError> {
    if let Some(entries) = entry.value.map() {
        let owner = format!("`onError` of {owner}");
        let fields = keys::ON_ERROR.check(reader.report, entries, &owner);
        let Some(value) = fields.get("use") else {
            if entries.is_empty() {
                field::unexpected_value(
                    reader.report,
                    &entry.value,
                    &owner,
                    "stop, continue or `{use: value}`",
                );
            }
            return None;
        };
        return reader.node(&value.value, &mut place).map(TaskOnError::Use);
    }
    let words = [("stop", false), ("continue", true)];
    let goes_on = field::choice(reader.report, entry, owner, &words)?;
    Some(if goes_on {
        TaskOnError::Continue
    } else {
        TaskOnError::Stop
    })
}

/// Reads a `retry`.
pub(crate) fn retry(report: &mut Report<'_>, entry: &Entry, owner: &str) -> Option<Retry> {
    let Some(entries) = entry.value.map() else {
        field::unexpected(report, entry, owner, "a map as `{attempts: 3, delay: 1s}`");
        return None;
    };
    let owner = &format!("`retry` of {owner}");
    let fields = keys::RETRY.check(report, entries, owner);
    let words = [
        ("constant", Backoff::Constant),
        ("linear", Backoff::Linear),
        ("exponential", Backoff::Exponential),
    ];
    let mut retry = Retry::default();
    if let Some(attempts) = fields
        .get("attempts")
        .and_then(|e| field::whole(report, e, owner, 1, u64::from(ATTEMPTS_MAX)))
    {
        retry.attempts = u32::try_from(attempts).unwrap_or(ATTEMPTS_MAX);
    }
    if let Some(delay) = fields
        .get("delay")
        .and_then(|e| field::duration(report, e, owner, true))
    {
        retry.delay = delay;
    }
    if let Some(backoff) = fields
        .get("backoff")
        .and_then(|e| field::choice(report, e, owner, &words))
    {
        retry.backoff = backoff;
    }
    if let Some(max) = fields
        .get("maxDelay")
        .and_then(|e| field::duration(report, e, owner, false))
    {
        retry.max_delay = Some(max);
    }
    if let Some(jitter) = fields
        .get("jitter")
        .and_then(|e| field::boolean(report, e, owner))
    {
        retry.jitter = jitter;
    }
    let mut codes = |key| {
        let codes = fields
            .get(key)
            .and_then(|entry| field::texts(report, entry, owner));
        codes
            .unwrap_or_default()
            .into_iter()
            .map(|(code, _)| code)
            .collect()
    };
    retry.errors = codes("errors");
    retry.except = codes("except");
    Some(retry)
}
