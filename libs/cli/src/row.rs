//! One task of a run, as the tree shows it.

use serde_json::Value;

use crate::style::{Style, Tone};
use crate::text::{duration, field, printable, shorten};
use crate::widths::Widths;

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    Running,
    /// Waits before a further attempt or round.
    Retrying,
    /// Waits for people, an event, a time or another run.
    Waiting,
    Succeeded,
    Failed,
    Skipped,
    Cancelled,
    /// Its effect was taken back.
    Undone,
}

impl Status {
    pub(crate) fn of(text: &str) -> Self {
        match text {
            "running" | "undoing" => Self::Running,
            "retrying" | "repeating" => Self::Retrying,
            "waiting" => Self::Waiting,
            "succeeded" | "success" => Self::Succeeded,
            "failed" => Self::Failed,
            "skipped" => Self::Skipped,
            "cancelled" => Self::Cancelled,
            "undone" => Self::Undone,
            _ => Self::Pending,
        }
    }

    pub(crate) fn is_end(self) -> bool {
        !matches!(
            self,
            Self::Pending | Self::Running | Self::Retrying | Self::Waiting
        )
    }

    /// Two characters and what they mean to the eye.
    pub(crate) fn mark(self) -> (&'static str, Tone) {
        match self {
            Self::Pending => ("  ", Tone::Quiet),
            Self::Running => ("..", Tone::Notice),
            Self::Retrying => ("~~", Tone::Notice),
            Self::Waiting => ("::", Tone::Notice),
            Self::Succeeded => ("ok", Tone::Good),
            Self::Failed => ("!!", Tone::Bad),
            Self::Skipped => ("--", Tone::Quiet),
            Self::Cancelled => ("xx", Tone::Bad),
            Self::Undone => ("<<", Tone::Notice),
        }
    }
}

/// A task and what has been heard of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) tool: String,
    pub(crate) status: Status,
    pub(crate) attempt: u64,
    /// Place in the order of ends; 0: has not ended.
    pub(crate) ended: usize,
    /// The row of the group in which it stands.
    pub(crate) group: Option<usize>,
    pub(crate) items: Option<Items>,
    note: String,
    /// The word of the status, where one mark stands for several.
    word: String,
    duration: Option<u64>,
    /// When the attempt or the wait began, on the viewer's clock.
    since: u64,
    /// How long the wait takes.
    wait: u64,
}

/// Progress of an `each` task, or of a task within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Items {
    pub(crate) total: u64,
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
            group: None,
            items: None,
            note: String::new(),
            word: String::new(),
            duration: None,
            since: 0,
            wait: 0,
        }
    }

    /// Takes over how the task stands in a result document.
    pub(crate) fn restore(&mut self, task: &Value, now: u64) {
        let number = |name: &str| task.get(name).and_then(Value::as_u64);
        let status = Status::of(field(task, "status"));
        if let Some(items) = task.get("items").filter(|i| i.is_object()) {
            let number = |name: &str| items.get(name).and_then(Value::as_u64).unwrap_or_default();
            let failed = number("failed");
            self.items = Some(Items {
                total: number("total"),
                done: number("succeeded") + number("skipped") + failed,
                failed,
            });
        }
        if self.status == status {
            return;
        }
        self.status = status;
        self.attempt = number("attempts").unwrap_or_default();
        self.duration = number("duration").filter(|_| status.is_end());
        self.since = now.saturating_sub(number("duration").unwrap_or_default());
        self.note = match task.get("error").filter(|e| e.is_object()) {
            Some(error) => error_note(error),
            None if status == Status::Waiting => awaited(field(task, "waitsFor")),
            None => printable(field(task, "reason")).into_owned(),
        };
        for (name, word) in [("reused", "reused"), ("cached", "from the cache")] {
            if task.get(name).and_then(Value::as_bool) == Some(true) && self.note.is_empty() {
                word.clone_into(&mut self.note);
            }
        }
    }

    /// Takes in an event of the task. `now` is the viewer's clock in milliseconds.
    /// `of_item`: it is of one item alone.
    pub(crate) fn apply(&mut self, event: &Value, of_item: bool, now: u64) {
        let status = Status::of(field(event, "status"));
        let number = |name: &str| event.get(name).and_then(Value::as_u64);
        if of_item {
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
        field(event, "status").clone_into(&mut self.word);
        self.status = status;
        self.duration = None;
        self.attempt = number("attempt").filter(|a| *a > 0).unwrap_or(self.attempt);
        self.wait = 0;
        self.note = match status {
            Status::Waiting => awaited(&note),
            _ if expanded => String::new(),
            _ => note,
        };
        if let Some(error) = event.get("error").filter(|e| e.is_object()) {
            self.note = match status {
                Status::Waiting => format!("{}: {}", self.note, error_note(error)),
                _ => error_note(error),
            };
        }
        match status {
            Status::Retrying | Status::Waiting => {
                self.wait = number("duration").unwrap_or_default();
            }
            _ if status.is_end() => self.duration = Some(number("duration").unwrap_or_default()),
            _ => {}
        }
    }

    fn apply_item(&mut self, event: &Value, status: Status, now: u64) {
        if self.status == Status::Pending || self.status.is_end() && !status.is_end() {
            self.status = Status::Running;
            self.since = now;
            self.duration = None;
        }
        let items = self.items.get_or_insert_default();
        if status.is_end() && status != Status::Undone {
            items.done += 1;
            items.failed += u64::from(status == Status::Failed);
        }
        if status == Status::Succeeded {
            self.note.clear();
        }
        let place = place(event);
        if let Some(error) = event.get("error").filter(|e| e.is_object()) {
            self.note = format!("item {place}: {}", error_note(error));
        } else if status == Status::Waiting {
            let awaited = awaited(&printable(field(event, "note")));
            self.note = format!("item {place} {awaited}");
        }
    }

    /// Ends a task within an `each` group, whose own end is told only item by item.
    pub(crate) fn settle(&mut self, total: u64, now: u64) {
        let Some(items) = self.items.filter(|_| self.status == Status::Running) else {
            return;
        };
        if total > 0 && items.done < total {
            return;
        }
        self.end(now);
    }

    /// Ends it with its group.
    pub(crate) fn end(&mut self, now: u64) {
        if self.status.is_end() {
            return;
        }
        self.duration = Some(now.saturating_sub(self.since));
        self.status = match self.items {
            Some(items) if items.failed > 0 => Status::Failed,
            Some(items) if items.done > 0 => Status::Succeeded,
            _ => Status::Skipped,
        };
        if self.status == Status::Skipped {
            self.duration = Some(0);
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
        let left = (self.since + self.wait).saturating_sub(now);
        match self.status {
            Status::Retrying => {
                let word = match self.word.as_str() {
                    "repeating" => "again",
                    _ => "retrying",
                };
                let why = match self.note.as_str() {
                    "" => String::new(),
                    note => format!(": {note}"),
                };
                parts.push(format!("{word} in {}{why}", short(left)));
            }
            Status::Waiting if self.wait > 0 => {
                parts.push(format!("{}, {} left", self.note, short(left)));
            }
            Status::Running if self.word == "undoing" => parts.push("undoing".to_owned()),
            Status::Undone => parts.push("undone".to_owned()),
            _ if !self.note.is_empty() => parts.push(self.note.clone()),
            _ => {}
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
            (None, Status::Running | Status::Waiting) => duration(now.saturating_sub(self.since)),
            _ => String::new(),
        }
    }

    /// The row with its columns padded to these widths; `label` stands for its id.
    pub(crate) fn line(&self, label: &str, widths: &Widths, now: u64, style: Style) -> String {
        let (mark, tone) = self.status.mark();
        let tone_of_row = if self.status == Status::Skipped {
            Tone::Quiet
        } else {
            Tone::Strong
        };
        let id = shorten(label, widths.id);
        let tool = match widths.tool {
            0 => "".into(),
            width => shorten(&self.tool, width),
        };
        let id_padded = format!("{id:<width$}", width = widths.id);
        let line = format!(
            "  {}  {}  {tool:<width$}  {:>9}  ",
            style.paint(tone, mark),
            style.paint(tone_of_row, &id_padded),
            self.time(now),
            width = widths.tool,
        );
        let remark = self.remark(now);
        let remark = shorten(&remark, widths.remark);
        let remark = if matches!(self.status, Status::Failed | Status::Retrying) {
            style.paint(tone, &remark)
        } else {
            style.paint(Tone::Quiet, &remark)
        };
        format!("{line}{remark}").trim_end().to_owned()
    }
}

/// What is waited for, in words.
fn awaited(kind: &str) -> String {
    let words = match kind {
        "approval" => "waits for approval",
        "decision" => "waits for a decision",
        "event" => "waits for an event",
        "time" => "waits",
        "workflow" => "waits for its run",
        "" => "waits",
        who => return format!("waits; {} has answered", printable(who)),
    };
    words.to_owned()
}

/// The items of an event, from the outermost group to its own.
fn place(event: &Value) -> String {
    let path = event.get("path").and_then(Value::as_array);
    let all = path.into_iter().flatten().chain(event.get("item"));
    let all: Vec<String> = all
        .filter_map(Value::as_u64)
        .map(|index| index.to_string())
        .collect();
    all.join(".")
}

/// A wait as `0.4 s`, or as longer times are written.
fn short(ms: u64) -> String {
    if ms < 60_000 {
        return format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    }
    duration(ms)
}

fn error_note(error: &Value) -> String {
    printable(&format!(
        "{} {}",
        field(error, "code"),
        field(error, "message")
    ))
    .into_owned()
}
