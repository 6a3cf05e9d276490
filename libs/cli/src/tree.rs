//! The tasks of a run as they go along: a model that events change and lines show.
//!
//! Pure: time comes in, text goes out, so that every picture is a test.

use std::collections::HashMap;

use serde_json::Value;

use crate::row::{Row, Status, Widths};
use crate::style::{Style, Tone};
use crate::text::{field, printable};

/// Rows that are shown whole; of more tasks only those that matter now.
pub(crate) const ROWS_MAX: usize = 12;

/// A run as it is known to a watcher.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    run: String,
    workflow: String,
    rows: Vec<Row>,
    index: HashMap<String, usize>,
    tools: HashMap<String, String>,
    ends: usize,
}

impl Tree {
    /// A tree that knows which tool each task calls.
    pub(crate) fn new(tools: HashMap<String, String>) -> Self {
        Self {
            tools,
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
        let row = &mut self.rows[at];
        let before = row.status;
        row.apply(event, now);
        if row.status.is_end() && !before.is_end() {
            self.ends += 1;
            row.ended = self.ends;
        }
        Some(at)
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
        }
        let tasks = run.get("tasks").and_then(Value::as_object);
        for (id, task) in tasks.into_iter().flatten() {
            let at = self.row_of(id);
            self.rows[at].restore(task, now);
        }
    }

    fn row_of(&mut self, id: &str) -> usize {
        if let Some(at) = self.index.get(id) {
            return *at;
        }
        let tool = self.tools.get(id).map_or("", String::as_str);
        self.rows.push(Row::new(id, tool));
        self.index.insert(id.to_owned(), self.rows.len() - 1);
        self.rows.len() - 1
    }

    /// The first line: workflow and run.
    pub(crate) fn head(&self, style: Style) -> String {
        format!(
            "{}  {}",
            style.paint(Tone::Strong, &self.workflow),
            self.run
        )
    }

    /// All lines: the head, then a row for each task, or for those that matter now.
    pub(crate) fn lines(&self, now: u64, width: usize, style: Style) -> Vec<String> {
        let shown = self.shown();
        let widths = Widths::of(&self.rows, width);
        let mut lines = vec![self.head(style)];
        lines.extend(
            shown
                .iter()
                .map(|at| self.rows[*at].line(&widths, now, style)),
        );
        if shown.len() < self.rows.len() {
            lines.push(style.paint(Tone::Quiet, &format!("  {}", self.counts())));
        }
        lines
    }

    /// One row alone, for output that is not redrawn.
    pub(crate) fn line(&self, at: usize, now: u64, style: Style) -> String {
        self.rows[at].line(&Widths::of(&self.rows, usize::MAX), now, style)
    }

    /// What a row says but for the time: equal when nothing has changed.
    pub(crate) fn state(&self, at: usize, now: u64) -> String {
        let row = &self.rows[at];
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
            (of(&[Status::Failed, Status::Cancelled]), "failed"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        parts.join(", ")
    }

    /// Rows that are shown, in order: all, or running and failed ones and those that ended last.
    fn shown(&self) -> Vec<usize> {
        if self.rows.len() <= ROWS_MAX {
            return (0..self.rows.len()).collect();
        }
        let mut ranked: Vec<usize> = (0..self.rows.len())
            .filter(|at| self.rows[*at].status != Status::Pending)
            .collect();
        ranked.sort_by_key(|at| {
            let row = &self.rows[*at];
            let rank = match row.status {
                Status::Running | Status::Retrying => 0,
                Status::Failed | Status::Cancelled => 1,
                _ => 2,
            };
            (rank, usize::MAX - row.ended)
        });
        ranked.truncate(ROWS_MAX);
        ranked.sort_unstable();
        ranked
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn first(ids: &[&str]) -> Value {
        let tasks: serde_json::Map<_, _> = ids
            .iter()
            .map(|id| ((*id).to_owned(), json!({"status": "pending"})))
            .collect();
        json!({"kind": "run", "status": "running", "run": {
            "runId": "run_36zn0sv00pg07", "workflow": "hello", "tasks": tasks, "dag": {"levels": [ids]},
        }})
    }

    fn tree(ids: &[&str]) -> Tree {
        let tools = ids
            .iter()
            .map(|id| ((*id).to_owned(), "http.request".to_owned()))
            .collect();
        let mut tree = Tree::new(tools);
        tree.apply(&first(ids), 0);
        tree
    }

    fn check(tree: &Tree, now: u64, picture: &Expect) {
        picture.assert_eq(&tree.lines(now, 100, Style::default()).join("\n"));
    }

    #[test]
    fn tree_shows_each_state_of_a_task() {
        let mut tree = tree(&["fetch", "pick", "write", "mail", "rest"]);
        tree.apply(
            &json!({"task": "fetch", "status": "running", "attempt": 1}),
            0,
        );
        tree.apply(&json!({"task": "fetch", "status": "succeeded", "attempt": 1, "duration": 42, "note": "12 items"}), 42);
        tree.apply(
            &json!({"task": "pick", "status": "running", "attempt": 1}),
            50,
        );
        tree.apply(
            &json!({"task": "pick", "status": "retrying", "attempt": 1, "duration": 800, "error": {"code": "HTTP_STATUS", "message": "503"}}),
            100,
        );
        tree.apply(
            &json!({"task": "write", "status": "running", "attempt": 2}),
            100,
        );
        tree.apply(
            &json!({"task": "mail", "status": "failed", "attempt": 3, "duration": 1500, "error": {"code": "TIMEOUT", "message": "too late"}}),
            150,
        );
        tree.apply(
            &json!({"task": "rest", "status": "skipped", "duration": 0, "note": "NEED_FAILED"}),
            150,
        );
        check(
            &tree,
            300,
            &expect![[r#"
            hello  run_36zn0sv00pg07
              ok  fetch  http.request     0.04 s  12 items
              ~~  pick   http.request             retrying in 0.6 s: HTTP_STATUS 503
              ..  write  http.request     0.20 s  attempt 2
              !!  mail   http.request     1.50 s  TIMEOUT too late   attempt 3
              --  rest   http.request     0.00 s  NEED_FAILED"#]],
        );
    }

    #[test]
    fn error_of_an_item_goes_when_an_item_succeeds() {
        let mut row = Row::new("a", "state.get");
        row.apply(
            &json!({"item": 0, "status": "retrying", "error": {"code": "TIMEOUT"}}),
            1,
        );
        assert!(row.remark(1).contains("TIMEOUT"));
        row.apply(&json!({"item": 0, "status": "succeeded"}), 2);
        assert!(!row.remark(2).contains("TIMEOUT"));
    }

    #[test]
    fn items_of_an_each_task_are_counted() {
        let mut tree = tree(&["search"]);
        tree.apply(
            &json!({"task": "search", "status": "running", "note": "3 items"}),
            0,
        );
        tree.apply(
            &json!({"task": "search", "item": 0, "status": "running", "attempt": 1}),
            0,
        );
        tree.apply(&json!({"task": "search", "item": 0, "status": "succeeded", "attempt": 1, "duration": 5}), 5);
        tree.apply(
            &json!({"task": "search", "item": 2, "status": "failed", "error": {"code": "TIMEOUT", "message": "too late"}}),
            10,
        );
        check(
            &tree,
            10,
            &expect![[r#"
            hello  run_36zn0sv00pg07
              ..  search  http.request     0.01 s  2/3, 1 failed   item 2: TIMEOUT too late"#]],
        );
        tree.apply(
            &json!({"task": "search", "status": "succeeded", "duration": 20, "note": ""}),
            20,
        );
        check(
            &tree,
            20,
            &expect![[r#"
            hello  run_36zn0sv00pg07
              ok  search  http.request     0.02 s  2/3, 1 failed"#]],
        );
    }

    #[test]
    fn of_many_tasks_those_that_matter_are_shown() {
        let ids: Vec<String> = (0..30).map(|n| format!("t{n:02}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut tree = tree(&ids);
        for id in &ids[..15] {
            tree.apply(
                &json!({"task": id, "status": "succeeded", "duration": 1}),
                1,
            );
        }
        tree.apply(
            &json!({"task": "t20", "status": "running", "attempt": 1}),
            1,
        );
        tree.apply(&json!({"task": "t16", "status": "failed", "duration": 1, "error": {"code": "X", "message": "y"}}), 1);
        let lines = tree.lines(1, 100, Style::default());
        assert_eq!(lines.len(), ROWS_MAX + 2);
        let shown: Vec<&str> = lines[1..=ROWS_MAX].iter().map(|l| &l[6..9]).collect();
        assert_eq!(
            shown,
            [
                "t05", "t06", "t07", "t08", "t09", "t10", "t11", "t12", "t13", "t14", "t16", "t20"
            ]
        );
        assert_eq!(lines[ROWS_MAX + 1], "  16 of 30 done, 1 running, 1 failed");
    }

    #[test]
    fn watcher_that_comes_late_sees_what_was() {
        let mut tree = Tree::default();
        let mut event = first(&["a", "b"]);
        event["run"]["tasks"] = json!({
            "b": {"status": "failed", "duration": 7, "attempts": 2, "error": {"code": "X", "message": "y"}},
            "a": {"status": "succeeded", "duration": 3, "attempts": 1},
        });
        tree.apply(&event, 10);
        check(
            &tree,
            10,
            &expect![[r#"
            hello  run_36zn0sv00pg07
              ok  a       0.00 s
              !!  b       0.00 s  X y   attempt 2"#]],
        );
    }

    #[test]
    fn names_cannot_drive_the_terminal() {
        let mut tree = tree(&["a\u{1b}[2J"]);
        tree.apply(
            &json!({"task": "a\u{1b}[2J", "status": "succeeded", "note": "\u{7}"}),
            0,
        );
        let text = tree.lines(0, 100, Style::default()).join("\n");
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
    }

    #[test]
    fn long_remark_is_cut_to_the_line() {
        let mut tree = tree(&["a"]);
        tree.apply(&json!({"task": "a", "status": "failed", "error": {"code": "X", "message": "y".repeat(500)}}), 0);
        for line in tree.lines(0, 80, Style::default()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
