//! The tasks of a run as they go along: a model that events change and lines show.
//!
//! Pure: time comes in, text goes out, so that every picture is a test.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::outline::Outline;
use crate::row::{Row, Status};
use crate::style::{Style, Tone};
use crate::text::{field, printable, shorten};
use crate::widths::Widths;

/// Rows that are shown whole; of more tasks only those that matter now.
pub(crate) const ROWS_MAX: usize = 12;

/// Lines of the terminal that stay free of rows: head, counts, and the one below.
const LINES_BESIDE: usize = 3;

/// Groups that are nested in each other, at most: the language's own limit.
const DEPTH_MAX: usize = 8;

/// A run as it is known to a watcher.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    run: String,
    workflow: String,
    rows: Vec<Row>,
    /// The rows as they are shown: each group before its inner tasks.
    order: Vec<usize>,
    index: HashMap<String, usize>,
    outline: Outline,
    /// The group of each inner task.
    groups: HashMap<String, String>,
    ends: usize,
}

impl Tree {
    /// A tree that knows what each task calls and where it stands, as far as it is known.
    pub(crate) fn new(outline: Outline) -> Self {
        let groups = outline
            .inner
            .iter()
            .flat_map(|(group, inner)| inner.iter().map(|id| (id.clone(), group.clone())));
        Self {
            groups: groups.collect(),
            outline,
            ..Self::default()
        }
    }

    /// Takes in an event; the row that it changed.
    pub(crate) fn apply(&mut self, event: &Value, now: u64) -> Option<usize> {
        if let Some(run) = event.get("run").filter(|r| r.is_object()) {
            self.restore(run, now);
        }
        let task = field(event, "task");
        if task.is_empty() {
            return None;
        }
        let at = self.row_of(task);
        let of_item = event.get("item").is_some_and(|i| !i.is_null()) || self.is_inner(at, event);
        let total = self.total(at);
        let row = self.rows.get_mut(at)?;
        let before = row.status;
        row.apply(event, of_item, now);
        if of_item && total.is_some() {
            row.settle(total.unwrap_or_default(), now);
        }
        if row.status.is_end() && !before.is_end() {
            self.ended(at);
            self.end_inner(at, now);
        }
        Some(at)
    }

    /// Whether an event of a task within a group is of one item of the group.
    fn is_inner(&self, at: usize, event: &Value) -> bool {
        let path = event.get("path").and_then(Value::as_array);
        if path.is_none_or(Vec::is_empty) {
            return false;
        }
        let mut groups = self.groups_of(at).peekable();
        // Nothing is known of its groups: then each item counts.
        groups.peek().is_none()
            || groups.any(|group| self.rows.get(group).is_some_and(|r| r.items.is_some()))
    }

    /// How many items a task within one `each` group has; `None`: that is not known, or
    /// its own end is told.
    fn total(&self, at: usize) -> Option<u64> {
        let row = self.rows.get(at)?;
        if row.items.is_some_and(|items| items.total > 0) {
            return None;
        }
        let mut lists = self
            .groups_of(at)
            .filter_map(|group| self.rows.get(group)?.items);
        let total = lists.next()?.total;
        lists.next().is_none().then_some(total)
    }

    /// The rows of the groups around a task, the innermost first.
    fn groups_of(&self, at: usize) -> impl Iterator<Item = usize> {
        let group = |at: usize| self.rows.get(at).and_then(|row| row.group);
        std::iter::successors(group(at), move |at| group(*at)).take(DEPTH_MAX)
    }

    fn ended(&mut self, at: usize) {
        self.ends += 1;
        if let Some(row) = self.rows.get_mut(at) {
            row.ended = self.ends;
        }
    }

    /// Ends what stands in a group that has ended.
    fn end_inner(&mut self, group: usize, now: u64) {
        let inner: Vec<usize> = (0..self.rows.len())
            .filter(|at| self.groups_of(*at).any(|g| g == group))
            .collect();
        for at in inner {
            if let Some(row) = self.rows.get_mut(at).filter(|row| !row.status.is_end()) {
                row.end(now);
                self.ended(at);
            }
        }
    }

    fn restore(&mut self, run: &Value, now: u64) {
        self.run = printable(field(run, "runId")).into_owned();
        self.workflow = printable(field(run, "workflow")).into_owned();
        let levels = run.pointer("/dag/levels").and_then(Value::as_array);
        let ids = levels
            .into_iter()
            .flatten()
            .filter_map(Value::as_array)
            .flatten();
        for id in ids.filter_map(Value::as_str) {
            self.row_of(id);
            self.known_inner(id, 0);
        }
        self.restore_tasks(run, "tasks", None, now);
        self.restore_tasks(run, "handlers", None, now);
    }

    /// Makes the rows of the inner tasks of a group that are known.
    fn known_inner(&mut self, group: &str, depth: usize) {
        let inner = self.outline.inner.get(group).cloned().unwrap_or_default();
        for id in inner.iter().filter(|_| depth < DEPTH_MAX) {
            self.row_of(id);
            self.known_inner(id, depth + 1);
        }
    }

    fn restore_tasks(&mut self, of: &Value, name: &str, group: Option<&str>, now: u64) {
        let tasks = of.get(name).and_then(Value::as_object);
        for (id, task) in tasks.into_iter().flatten() {
            if let Some(group) = group {
                self.groups.insert(id.clone(), group.to_owned());
            }
            let at = self.row_of(id);
            if let Some(row) = self.rows.get_mut(at) {
                row.restore(task, now);
                if row.status.is_end() && row.ended == 0 {
                    self.ended(at);
                }
            }
            self.restore_tasks(task, "tasks", Some(id), now);
            if self.rows.get(at).is_some_and(|row| row.status.is_end()) {
                self.end_inner(at, now);
            }
        }
    }

    fn row_of(&mut self, id: &str) -> usize {
        if let Some(at) = self.index.get(id) {
            return *at;
        }
        let group = self.groups.get(id).cloned().filter(|group| group != id);
        let group = group.map(|group| self.row_of(&group));
        let tool = self.outline.tools.get(id).map_or("", String::as_str);
        let mut row = Row::new(id, tool);
        row.group = group;
        let at = self.rows.len();
        self.rows.push(row);
        self.index.insert(id.to_owned(), at);
        // Behind the last that stands in the same group, or behind all.
        let behind = group.and_then(|group| {
            let within = |row: &usize| *row == group || self.groups_of(*row).any(|g| g == group);
            self.order.iter().rposition(within)
        });
        match behind {
            Some(position) => self.order.insert(position + 1, at),
            None => self.order.push(at),
        }
        at
    }

    /// The first line: workflow and run.
    pub(crate) fn head(&self, columns: usize, style: Style) -> String {
        let room = columns.saturating_sub(self.run.chars().count() + 2);
        let name = shorten(&self.workflow, room);
        format!("{}  {}", style.paint(Tone::Strong, &name), self.run)
    }

    /// The picture for a terminal of so many columns and lines: the head, then a row for
    /// each task, or for those that matter now.
    pub(crate) fn lines(
        &self,
        now: u64,
        (columns, lines): (usize, usize),
        style: Style,
    ) -> Vec<String> {
        let most = ROWS_MAX.min(lines.saturating_sub(LINES_BESIDE)).max(1);
        if self.rows.len() <= most {
            return self.draw(&self.order, now, columns, style, false);
        }
        let shown = self.shown(most);
        let mut lines = self.draw(&shown, now, columns, style, true);
        let counts = format!("  {}", self.counts());
        lines.push(style.paint(Tone::Quiet, &shorten(&counts, columns)));
        lines
    }

    /// The head and all rows, however many.
    pub(crate) fn all(&self, columns: usize, style: Style) -> Vec<String> {
        self.draw(&self.order, 0, columns, style, false)
    }

    /// `flat`: groups are named before their tasks, since not all rows are there.
    fn draw(
        &self,
        shown: &[usize],
        now: u64,
        columns: usize,
        style: Style,
        flat: bool,
    ) -> Vec<String> {
        let labels: Vec<String> = shown.iter().map(|at| self.label(*at, flat)).collect();
        let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let tool = |at: &usize| self.rows.get(*at).map_or(0, |r| r.tool.chars().count());
        let widths = Widths::of(
            widest(&mut labels.iter().map(|label| label.chars().count())),
            widest(&mut shown.iter().map(tool)),
            columns,
        );
        let rows = shown.iter().zip(&labels).filter_map(|(at, label)| {
            let row = self.rows.get(*at)?;
            Some(row.line(label, &widths, now, style))
        });
        std::iter::once(self.head(columns, style))
            .chain(rows)
            .collect()
    }

    /// The id, indented below its group or behind the names of its groups.
    fn label(&self, at: usize, flat: bool) -> String {
        let id = self.rows.get(at).map_or("", |row| row.id.as_str());
        let groups = self.groups_of(at);
        if !flat {
            return format!("{}{id}", "  ".repeat(groups.count()));
        }
        let mut names: Vec<&str> = groups
            .filter_map(|group| self.rows.get(group).map(|row| row.id.as_str()))
            .collect();
        names.reverse();
        names.push(id);
        names.join(".")
    }

    /// One row alone, for output that is not redrawn.
    pub(crate) fn line(&self, at: usize, now: u64, style: Style) -> String {
        let widest = |of: &dyn Fn(usize) -> usize| (0..self.rows.len()).map(of).max().unwrap_or(0);
        let labels = widest(&|at| self.label(at, true).chars().count());
        let tools = widest(&|at| self.rows.get(at).map_or(0, |r| r.tool.chars().count()));
        let widths = Widths::of(labels, tools, usize::MAX);
        let label = self.label(at, true);
        self.rows
            .get(at)
            .map(|row| row.line(&label, &widths, now, style))
            .unwrap_or_default()
    }

    /// What a row says but for the time: equal when nothing has changed.
    pub(crate) fn state(&self, at: usize, now: u64) -> String {
        let Some(row) = self.rows.get(at) else {
            return String::new();
        };
        format!("{} {}", row.status.mark().0, row.remark(now))
    }

    /// Everything on one line.
    pub(crate) fn summary(&self) -> String {
        format!("{}  {}  {}", self.workflow, self.run, self.counts())
    }

    fn counts(&self) -> String {
        let of = |wanted: &[Status]| {
            self.rows
                .iter()
                .filter(|r| wanted.contains(&r.status))
                .count()
        };
        let mut parts = vec![format!(
            "{} of {} done",
            self.rows.iter().filter(|r| r.status.is_end()).count(),
            self.rows.len()
        )];
        for (count, word) in [
            (of(&[Status::Running]), "running"),
            (of(&[Status::Retrying]), "retrying"),
            (of(&[Status::Waiting]), "waiting"),
            (of(&[Status::Failed, Status::Cancelled]), "failed"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        parts.join(", ")
    }

    /// Rows that matter now, in their order: those under way, failed ones, and those that
    /// ended last. A group whose inner tasks are shown says nothing more.
    fn shown(&self, most: usize) -> Vec<usize> {
        let busy: HashSet<usize> = (0..self.rows.len())
            .filter(|at| {
                let row = self.rows.get(*at);
                row.is_some_and(|r| !r.status.is_end() && r.status != Status::Pending)
            })
            .filter_map(|at| self.rows.get(at)?.group)
            .collect();
        let mut ranked: Vec<(usize, usize, usize)> = self
            .order
            .iter()
            .enumerate()
            .filter_map(|(place, at)| {
                let row = self.rows.get(*at)?;
                let rank = match row.status {
                    Status::Pending => return None,
                    _ if busy.contains(at) && row.items.is_none() => 3,
                    Status::Running | Status::Retrying | Status::Waiting => 0,
                    Status::Failed | Status::Cancelled => 1,
                    _ => 2,
                };
                Some((rank, usize::MAX - row.ended, place))
            })
            .collect();
        ranked.sort_unstable();
        ranked.truncate(most);
        let mut places: Vec<usize> = ranked.into_iter().map(|(_, _, place)| place).collect();
        places.sort_unstable();
        places
            .into_iter()
            .filter_map(|place| self.order.get(place).copied())
            .collect()
    }
}

#[cfg(test)]
mod tests;
