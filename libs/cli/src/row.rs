//! One task of a run, as the tree shows it.

use serde_json::Value;

use crate::style::{Style, Tone};
use crate::text::{duration, field, printable, shorten};

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    Running,
    Retrying,
    Succeeded,
    Failed,
    Skipped,
    Cancelled,
}

impl Status {
    pub(crate) fn of(text: &str) -> Self {
        match text {
            "running" | "waiting" => Self::Running,
            "retrying" => Self::Retrying,
            "succeeded" | "success" => Self::Succeeded,
            "failed" => Self::Failed,
            "skipped" => Self::Skipped,
            "cancelled" => Self::Cancelled,
            _ => Self::Pending,
        }
    }

    pub(crate) fn is_end(self) -> bool {
        !matches!(self, Self::Pending | Self::Running | Self::Retrying)
    }

    /// Two characters and what they mean to the eye.
    pub(crate) fn mark(self) -> (&'static str, Tone) {
        match self {
            Self::Pending => ("  ", Tone::Quiet),
            Self::Running => ("..", Tone::Notice),
            Self::Retrying => ("~~", Tone::Notice),
            Self::Succeeded => ("ok", Tone::Good),
            Self::Failed => ("!!", Tone::Bad),
            Self::Skipped => ("--", Tone::Quiet),
            Self::Cancelled => ("xx", Tone::Bad),
        }
    }
}

/// Characters of a note: an error's sentence fits, a page of text does not.
const NOTE_MAX: usize = 100;

/// A task and what has been heard of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) tool: String,
    pub(crate) status: Status,
    pub(crate) attempt: u64,
    /// Place in the order of ends; 0: has not ended.
    pub(crate) ended: usize,
    note: String,
    duration: Option<u64>,
    /// When the attempt or the wait began, on the viewer's clock.
    since: u64,
    /// How long the wait before the next attempt takes.
    wait: u64,
    items: Option<Items>,
}

/// Progress of an `each` task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Items {
    total: u64,
    done: u64,
    failed: u64,
}

impl Row {
    pub(crate) fn new(id: &str, tool: &str) -> Self {
        Self {
            id: printable(id).into_owned(),
            tool: printable(tool).into_owned(),
            status: Status::Pending,
            attempt: 0,
            ended: 0,
            note: String::new(),
            duration: None,
            since: 0,
            wait: 0,
            items: None,
        }
    }

    /// Takes over how the task stands in a result document.
    pub(crate) fn restore(&mut self, task: &Value, now: u64) {
        let number = |name: &str| task.get(name).and_then(Value::as_u64);
        let status = Status::of(field(task, "status"));
        if self.status == status {
            return;
        }
        self.status = status;
        self.attempt = number("attempts").unwrap_or_default();
        self.duration = number("duration").filter(|_| status.is_end());
        self.since = now.saturating_sub(number("duration").unwrap_or_default());
        self.note = match task.get("error").filter(|e| e.is_object()) {
            Some(error) => error_note(error),
            None => printable(field(task, "reason")).into_owned(),
        };
        if let Some(items) = task.get("items").filter(|i| i.is_object()) {
            let number = |name: &str| items.get(name).and_then(Value::as_u64).unwrap_or_default();
            let failed = number("failed");
            self.items = Some(Items {
                total: number("total"),
                done: number("succeeded") + number("skipped") + failed,
                failed,
            });
        }
    }

    /// Takes in an event of the task. `now` is the viewer's clock in milliseconds.
    pub(crate) fn apply(&mut self, event: &Value, now: u64) {
        let status = Status::of(field(event, "status"));
        let number = |name: &str| event.get(name).and_then(Value::as_u64);
        if event.get("item").is_some_and(|i| !i.is_null()) {
            self.apply_item(event, status, now);
            return;
        }
        let note = printable(field(event, "note")).into_owned();
        let expanded = status == Status::Running && !note.is_empty();
        if expanded {
            let total = note
                .split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or_default();
            self.items = Some(Items {
                total,
                ..Items::default()
            });
        }
        if status != Status::Running || self.status != Status::Running {
            self.since = now;
        }
        self.status = status;
        self.attempt = number("attempt").filter(|a| *a > 0).unwrap_or(self.attempt);
        self.wait = 0;
        self.note = if expanded { String::new() } else { note };
        if let Some(error) = event.get("error").filter(|e| e.is_object()) {
            self.note = error_note(error);
        }
        match status {
            Status::Retrying => self.wait = number("duration").unwrap_or_default(),
            _ if status.is_end() => self.duration = Some(number("duration").unwrap_or_default()),
            _ => {}
        }
    }

    fn apply_item(&mut self, event: &Value, status: Status, now: u64) {
        if self.status == Status::Pending {
            self.status = Status::Running;
            self.since = now;
        }
        let items = self.items.get_or_insert_default();
        if status.is_end() {
            items.done += 1;
            items.failed += u64::from(status == Status::Failed);
        }
        if status == Status::Succeeded {
            self.note.clear();
        }
        if let Some(error) = event.get("error").filter(|e| e.is_object()) {
            let index = event
                .get("item")
                .and_then(Value::as_u64)
                .unwrap_or_default();
            self.note = format!("item {index}: {}", error_note(error));
        }
    }

    /// What is said behind the time.
    pub(crate) fn remark(&self, now: u64) -> String {
        let mut parts = Vec::new();
        if let Some(items) = self.items {
            let failed = match items.failed {
                0 => String::new(),
                n => format!(", {n} failed"),
            };
            parts.push(match items.total {
                0 => format!("{} done{failed}", items.done),
                total => format!("{}/{total}{failed}", items.done),
            });
        }
        if self.status == Status::Retrying {
            let left = (self.since + self.wait).saturating_sub(now);
            parts.push(format!(
                "retrying in {}.{} s: {}",
                left / 1000,
                left % 1000 / 100,
                self.note
            ));
        } else if !self.note.is_empty() {
            parts.push(self.note.clone());
        }
        if self.attempt > 1 {
            parts.push(format!("attempt {}", self.attempt));
        }
        parts.join("   ")
    }

    /// How long it took, or has been under way.
    pub(crate) fn time(&self, now: u64) -> String {
        match (self.duration, self.status) {
            (Some(ms), _) => duration(ms),
            (None, Status::Running) => duration(now.saturating_sub(self.since)),
            _ => String::new(),
        }
    }

    /// The row with its columns padded to these widths.
    pub(crate) fn line(&self, widths: &Widths, now: u64, style: Style) -> String {
        let (mark, tone) = self.status.mark();
        let tone_of_row = if self.status == Status::Skipped {
            Tone::Quiet
        } else {
            Tone::Strong
        };
        let (id, tool) = (
            shorten(&self.id, Widths::ID_MAX),
            shorten(&self.tool, Widths::TOOL_MAX),
        );
        let id_padded = format!("{id:<width$}", width = widths.id);
        let line = format!(
            "  {}  {}  {tool:<width$}  {:>9}  ",
            style.paint(tone, mark),
            style.paint(tone_of_row, &id_padded),
            self.time(now),
            width = widths.tool,
        );
        let room = widths
            .line
            .saturating_sub(widths.id + widths.tool + 21)
            .clamp(12, NOTE_MAX);
        let remark = self.remark(now);
        let remark = shorten(&remark, room);
        let remark = if matches!(self.status, Status::Failed | Status::Retrying) {
            style.paint(tone, &remark)
        } else {
            style.paint(Tone::Quiet, &remark)
        };
        format!("{line}{remark}").trim_end().to_owned()
    }
}

/// Widths of the columns, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Widths {
    pub(crate) id: usize,
    pub(crate) tool: usize,
    pub(crate) line: usize,
}

impl Widths {
    pub(crate) const ID_MAX: usize = 32;
    pub(crate) const TOOL_MAX: usize = 28;

    /// Widths for these rows.
    pub(crate) fn of(rows: &[Row], line: usize) -> Self {
        let widest = |of: fn(&Row) -> &str, max: usize| {
            rows.iter()
                .map(|r| of(r).chars().count())
                .max()
                .unwrap_or(0)
                .min(max)
        };
        Self {
            id: widest(|r| &r.id, Self::ID_MAX),
            tool: widest(|r| &r.tool, Self::TOOL_MAX),
            line,
        }
    }
}

fn error_note(error: &Value) -> String {
    printable(&format!(
        "{} {}",
        field(error, "code"),
        field(error, "message")
    ))
    .into_owned()
}
