//! How a run ended, for people.

use serde_json::Value;

use crate::row::Status;
use crate::style::{Style, Tone};
use crate::text::{count, duration, field, list, number, printable, shorten, value};

/// Characters of one output; the rest is in `--output json`.
const OUTPUT_MAX: usize = 400;

/// Failed tasks and items that are shown; the rest is counted.
const FAILURES_MAX: usize = 10;

/// Characters of one detail of an error.
const DETAIL_MAX: usize = 200;

/// The verdict, the outputs, and for what went wrong the reasons; `quiet`: only the
/// outputs and the reasons.
pub(crate) fn render(run: &Value, style: Style, quiet: bool) -> String {
    let mut blocks = Vec::new();
    if !quiet {
        blocks.push(line(run, style));
    }
    blocks.extend(outputs(run, style));
    if !quiet {
        blocks.extend(skipped(run, style));
    }
    blocks.extend(error(run, style));
    blocks.extend(failures(run, style));
    blocks.join("\n")
}

/// `succeeded in 1.24 s   (9 tasks, 3 at once)`.
fn line(run: &Value, style: Style) -> String {
    let status = field(run, "status");
    let tone = match status {
        "succeeded" | "success" => Tone::Good,
        "partial" => Tone::Notice,
        _ => Tone::Bad,
    };
    let summary = run.get("summary").unwrap_or(&Value::Null);
    let of = |name: &str| number(summary, name);
    let mut parts = vec![count(of("total"), "task")];
    for word in ["failed", "skipped"] {
        if of(word) > 0 {
            parts.push(format!("{} {word}", of(word)));
        }
    }
    match at_once(run) {
        0 | 1 => {}
        n => parts.push(format!("{n} at once")),
    }
    let verb = match status {
        "timedOut" => "timed out",
        other => other,
    };
    format!(
        "{} in {}   ({})",
        style.paint(tone, &printable(verb)),
        duration(number(run, "duration")),
        parts.join(", ")
    )
}

/// The most tasks that were under way at one instant.
fn at_once(run: &Value) -> usize {
    let mut changes: Vec<(&str, i32)> = Vec::new();
    for task in run
        .get("tasks")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|t| t.values())
    {
        let (start, end) = (field(task, "startTime"), field(task, "endTime"));
        if !start.is_empty() && !end.is_empty() && start < end {
            changes.push((start, 1));
            changes.push((end, -1));
        }
    }
    // An end counts before a start of the same instant: the two did not overlap.
    changes.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, change) in changes {
        now += change;
        most = most.max(now);
    }
    usize::try_from(most).unwrap_or_default()
}

fn outputs(run: &Value, style: Style) -> Option<String> {
    let outputs = run.get("outputs")?.as_object().filter(|o| !o.is_empty())?;
    let width = outputs
        .keys()
        .map(|name| printable(name).chars().count())
        .max()
        .unwrap_or_default();
    let lines: Vec<String> = outputs
        .iter()
        .map(|(name, shown)| {
            let name = printable(name);
            let text = value(shown);
            format!(
                "  {}{}  {}",
                style.paint(Tone::Strong, &name),
                " ".repeat(width - name.chars().count()),
                shorten(&text, OUTPUT_MAX)
            )
        })
        .collect();
    Some(lines.join("\n"))
}

/// Why tasks were skipped, but for those whose condition said so.
fn skipped(run: &Value, style: Style) -> Option<String> {
    let tasks = run.get("tasks")?.as_object()?;
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (id, task) in tasks {
        let reason = field(task, "reason");
        if Status::of(field(task, "status")) != Status::Skipped
            || reason.is_empty()
            || reason == "CONDITION"
        {
            continue;
        }
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, ids)) => ids.push(id),
            None => reasons.push((reason, vec![id])),
        }
    }
    let lines: Vec<String> = reasons
        .into_iter()
        .map(|(reason, ids)| {
            style.paint(
                Tone::Quiet,
                &format!(
                    "  skipped {}: {}",
                    printable(&ids.join(", ")),
                    printable(reason)
                ),
            )
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn error(run: &Value, style: Style) -> Option<String> {
    let error = run.get("error").filter(|e| e.is_object())?;
    let head = format!("error[{}]", printable(field(error, "code")));
    let mut out = format!(
        "{}: {}",
        style.paint(Tone::Bad, &head),
        printable(field(error, "message"))
    );
    let task = field(error, "task");
    if !task.is_empty() {
        let attempt = match error.get("attempt").and_then(Value::as_u64) {
            Some(n) if n > 1 => format!(", attempt {n}"),
            _ => String::new(),
        };
        out.push_str(&format!("\n  --> task {}{attempt}", printable(task)));
    }
    match error.get("details") {
        Some(Value::Object(details)) => {
            for (name, told) in details {
                out.push_str(&format!("\n  = {}: {}", printable(name), detail(told)));
            }
        }
        Some(Value::Null) | None => {}
        Some(other) => out.push_str(&format!("\n  = details: {}", detail(other))),
    }
    let hint = field(error, "hint");
    if !hint.is_empty() {
        out.push_str(&format!("\n  = help: {}", printable(hint)));
    }
    Some(out)
}

/// One detail on one line: text as itself, its control characters as blanks.
fn detail(told: &Value) -> String {
    let text = match told {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut blanked: String = text
        .chars()
        .take(DETAIL_MAX + 1)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    blanked.truncate(blanked.trim_end().len());
    shorten(&blanked, DETAIL_MAX).into_owned()
}

/// The failed tasks and items that the error of the run does not name.
fn failures(run: &Value, style: Style) -> Option<String> {
    let told = run.get("error").map(|e| field(e, "task"));
    let mut all: Vec<(String, &Value)> = Vec::new();
    for (id, task) in run.get("tasks")?.as_object()? {
        for item in list(task, "errors") {
            let name = format!("{id}, item {}", number(item, "index"));
            all.extend(item.get("error").map(|error| (name, error)));
        }
        let error = task.get("error").filter(|e| e.is_object());
        if told != Some(id) && Status::of(field(task, "status")) == Status::Failed {
            all.extend(error.map(|error| (id.clone(), error)));
        }
    }
    let mut lines: Vec<String> = all
        .iter()
        .take(FAILURES_MAX)
        .map(|(name, error)| {
            let (code, message) = (field(error, "code"), field(error, "message"));
            format!(
                "  {} {}: {} {}",
                style.paint(Tone::Bad, "!!"),
                printable(name),
                printable(code),
                shorten(&printable(message), DETAIL_MAX)
            )
        })
        .collect();
    if let Some(more @ 1..) = all.len().checked_sub(FAILURES_MAX) {
        lines.push(format!("  and {more} more"));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(run: &Value, shown: &Expect) {
        shown.assert_eq(&render(run, Style::default(), false));
    }

    #[test]
    fn success_shows_time_and_outputs() {
        let task = |start: &str, end: &str| json!({"status": "succeeded", "startTime": start, "endTime": end});
        check(
            &json!({
                "status": "succeeded", "duration": 1240,
                "summary": {"total": 3, "succeeded": 3, "failed": 0, "skipped": 0},
                "tasks": {
                    "a": task("2026-01-25T12:00:00.000Z", "2026-01-25T12:00:00.500Z"),
                    "b": task("2026-01-25T12:00:00.100Z", "2026-01-25T12:00:00.900Z"),
                    "c": task("2026-01-25T12:00:00.900Z", "2026-01-25T12:00:01.240Z"),
                },
                "outputs": {"total": 12, "folder": "/tmp/x", "list": ["a", "b"]},
            }),
            &expect![[r#"
                succeeded in 1.24 s   (3 tasks, 2 at once)
                  total   12
                  folder  /tmp/x
                  list    ["a","b"]"#]],
        );
    }

    #[test]
    fn failure_shows_task_reason_and_what_was_skipped() {
        check(
            &json!({
                "status": "failed", "duration": 90, "summary": {"total": 4, "succeeded": 1, "failed": 1, "skipped": 2},
                "tasks": {
                    "a": {"status": "succeeded"}, "b": {"status": "failed"},
                    "c": {"status": "skipped", "reason": "NEED_FAILED"}, "d": {"status": "skipped", "reason": "NEED_FAILED"},
                    "e": {"status": "skipped", "reason": "CONDITION"},
                },
                "outputs": {},
                "error": {"code": "FILE_NOT_FOUND", "message": "no file `x`", "task": "b", "attempt": 2,
                    "hint": "look at the path", "details": {"path": "x", "page": "<html>\n<b>\"no\"</b>\n"}},
            }),
            &expect![[r#"
                failed in 0.09 s   (4 tasks, 1 failed, 2 skipped)
                  skipped c, d: NEED_FAILED
                error[FILE_NOT_FOUND]: no file `x`
                  --> task b, attempt 2
                  = path: x
                  = page: <html> <b>"no"</b>
                  = help: look at the path"#]],
        );
    }

    #[test]
    fn partial_run_says_what_failed() {
        let error = |message: &str| json!({"code": "FILE_NOT_FOUND", "message": message});
        let items: Vec<Value> = (0..FAILURES_MAX)
            .map(|i| json!({"index": i, "error": error("no item")}))
            .collect();
        let mut run = json!({
            "status": "partial", "duration": 90, "summary": {"total": 3, "succeeded": 2, "failed": 1},
            "tasks": {
                "a": {"status": "succeeded", "errors": items[..1]},
                "b": {"status": "failed", "error": error("no file `b`")},
                "c": {"status": "failed", "error": error("no file `c`")},
            },
            "outputs": {},
            "error": {"code": "FILE_NOT_FOUND", "message": "no file `c`", "task": "c"},
        });
        check(
            &run,
            &expect![[r#"
                partial in 0.09 s   (3 tasks, 1 failed)
                error[FILE_NOT_FOUND]: no file `c`
                  --> task c
                  !! a, item 0: FILE_NOT_FOUND no item
                  !! b: FILE_NOT_FOUND no file `b`"#]],
        );
        run["tasks"]["a"]["errors"] = items.into();
        let shown = render(&run, Style::default(), true);
        assert!(!shown.contains("partial in"), "{shown}");
        assert_eq!(shown.matches("!!").count(), FAILURES_MAX);
        assert!(shown.ends_with("  and 1 more"), "{shown}");
    }

    #[test]
    fn long_detail_is_cut() {
        assert_eq!(detail(&json!("x".repeat(DETAIL_MAX))).len(), DETAIL_MAX);
        let cut = detail(&json!("x".repeat(DETAIL_MAX + 1)));
        assert!(cut.len() == DETAIL_MAX && cut.ends_with(".."), "{cut}");
    }

    #[test]
    fn one_task_after_the_other_is_not_at_once() {
        let run = json!({"tasks": {
            "a": {"startTime": "1", "endTime": "2"}, "b": {"startTime": "2", "endTime": "3"}, "c": {"startTime": "2", "endTime": "2"},
        }});
        assert_eq!(at_once(&run), 1);
        assert_eq!(at_once(&json!({})), 0);
    }
}
