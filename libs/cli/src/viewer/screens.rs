//! What a terminal shows while a run is watched: golden screens.

use std::collections::HashMap;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::output::{Format, capture};

/// The terminal of these tests.
const SIZE: (usize, usize) = (80, 24);

/// A terminal, as far as this program drives one.
#[derive(Debug)]
struct Terminal {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// Lines that have left at the top.
    scrolled: usize,
}

impl Terminal {
    fn new() -> Self {
        Self {
            lines: vec![Vec::new(); SIZE.1],
            row: 0,
            column: 0,
            scrolled: 0,
        }
    }

    fn down(&mut self) {
        self.row += 1;
        self.column = 0;
        if self.row == SIZE.1 {
            self.lines.remove(0);
            self.lines.push(Vec::new());
            self.row -= 1;
            self.scrolled += 1;
        }
    }

    fn put(&mut self, c: char) {
        // A line that is longer than the terminal goes on in the next.
        if self.column == SIZE.0 {
            self.down();
        }
        let line = &mut self.lines[self.row];
        line.resize(line.len().max(self.column + 1), ' ');
        line[self.column] = c;
        self.column += 1;
    }

    fn write(&mut self, text: &str) {
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\n' => self.down(),
                '\r' => self.column = 0,
                '\u{1b}' => {
                    assert_eq!(rest.next(), Some('['));
                    let mut number = String::new();
                    let end = loop {
                        match rest.next().expect("a sequence has an end") {
                            c @ ('0'..='9' | ';') => number.push(c),
                            end => break end,
                        }
                    };
                    self.sequence(&number, end);
                }
                c => self.put(c),
            }
        }
    }

    fn sequence(&mut self, number: &str, end: char) {
        match end {
            'A' => {
                let up: usize = number.parse().unwrap();
                assert!(up <= self.row, "the picture is taller than the terminal");
                self.row -= up;
            }
            'K' => self.lines[self.row].truncate(self.column),
            'J' => {
                self.lines[self.row].truncate(self.column);
                for line in &mut self.lines[self.row + 1..] {
                    line.clear();
                }
            }
            'm' => {}
            other => panic!("unknown sequence {other}"),
        }
    }

    fn shown(&self) -> String {
        let lines: Vec<String> = self
            .lines
            .iter()
            .map(|line| line.iter().collect::<String>().trim_end().to_owned())
            .collect();
        lines.join("\n").trim_end().to_owned()
    }
}

/// A run of 200 tasks that is watched at 80 columns.
struct Watched {
    viewer: Viewer,
    output: Output,
    err: capture::Stream,
    seen: usize,
    terminal: Terminal,
}

impl Watched {
    fn new() -> Self {
        let ids: Vec<String> = (0..200).map(|n| format!("task_number_{n:03}")).collect();
        let tools: HashMap<String, String> = ids
            .iter()
            .map(|id| (id.clone(), "browser.extract_everything".to_owned()))
            .collect();
        let outline = Outline {
            tools,
            inner: HashMap::from([("task_number_007".to_owned(), vec!["inner_rows".to_owned()])]),
        };
        let (mut output, _, err) = capture::output(Format::Table);
        output.live = true;
        let mut watched = Self {
            viewer: Viewer::of(Some(Watch::Tree), &output, outline),
            output,
            err,
            seen: 0,
            terminal: Terminal::new(),
        };
        let tasks: serde_json::Map<String, Value> = ids
            .iter()
            .map(|id| (id.clone(), json!({"status": "pending"})))
            .collect();
        watched.event(
            json!({"kind": "run", "status": "running", "run": {
                "runId": "run_36zn0sv00pg07", "workflow": "two-hundred", "tasks": tasks, "dag": {"levels": [ids]},
            }}),
            0,
        );
        watched
    }

    fn event(&mut self, event: Value, now: u64) {
        self.viewer.event(&event, now, &mut self.output).unwrap();
    }

    fn task(&mut self, n: usize, mut event: Value, now: u64) {
        event["task"] = format!("task_number_{n:03}").into();
        self.event(event, now);
    }

    /// A task of each kind that may be seen at once.
    fn be_busy(&mut self) {
        for n in 0..60 {
            self.task(
                n,
                json!({"status": "succeeded", "attempt": 1, "duration": 1_500, "note": "12 items"}),
                1_500,
            );
        }
        self.task(
            60,
            json!({"status": "failed", "attempt": 3, "duration": 9_000, "error": {"code": "HTTP_STATUS", "message": "the server answered 503 and said nothing about why, which is a pity"}}),
            9_000,
        );
        self.task(
            61,
            json!({"status": "retrying", "attempt": 1, "duration": 5_000, "error": {"code": "TIMEOUT", "message": "too late"}}),
            9_000,
        );
        self.task(
            62,
            json!({"status": "waiting", "note": "approval", "duration": 7_200_000}),
            9_000,
        );
        self.task(7, json!({"status": "running", "note": "3 items"}), 9_000);
        self.event(
            json!({"task": "inner_rows", "path": [1], "status": "running", "attempt": 1}),
            9_000,
        );
        self.event(
            json!({"task": "inner_rows", "path": [0], "status": "succeeded"}),
            9_100,
        );
    }

    fn check(&mut self, now: u64, screen: &Expect) {
        self.viewer.draw_within(SIZE, now, &mut self.output);
        let all = self.err.text();
        self.terminal.write(&all[self.seen..]);
        self.seen = all.len();
        assert_eq!(self.terminal.scrolled, 0);
        screen.assert_eq(&self.terminal.shown());
    }
}

#[test]
fn two_hundred_tasks_are_readable_at_eighty_columns() {
    let mut run = Watched::new();
    for n in 0..4 {
        run.task(n, json!({"status": "running", "attempt": 1}), 0);
    }
    run.check(
        1_000,
        &expect![[r#"
            two-hundred  run_36zn0sv00pg07
              ..  task_number_000  browser.extr..     1.00 s
              ..  task_number_001  browser.extr..     1.00 s
              ..  task_number_002  browser.extr..     1.00 s
              ..  task_number_003  browser.extr..     1.00 s
              0 of 201 done, 4 running"#]],
    );
}

#[test]
fn of_two_hundred_tasks_those_that_matter_are_shown() {
    let mut run = Watched::new();
    run.be_busy();
    run.check(
        10_000,
        &expect![[r#"
            two-hundred  run_36zn0sv00pg07
              ..  task_number_007                  1.00 s  0/3
              ..  task_number_007.inner_rows       1.00 s  1 done
              ok  task_number_053                  1.50 s  12 items
              ok  task_number_054                  1.50 s  12 items
              ok  task_number_055                  1.50 s  12 items
              ok  task_number_056                  1.50 s  12 items
              ok  task_number_057                  1.50 s  12 items
              ok  task_number_058                  1.50 s  12 items
              ok  task_number_059                  1.50 s  12 items
              !!  task_number_060                  9.00 s  HTTP_STATUS the server answered..
              ~~  task_number_061                          retrying in 4.0 s: TIMEOUT too ..
              ::  task_number_062                  1.00 s  waits for approval, 1 h 59 min ..
              60 of 201 done, 2 running, 1 retrying, 1 waiting, 1 failed"#]],
    );
    for n in 0..200 {
        run.task(
            n,
            json!({"status": "succeeded", "attempt": 1, "duration": 1_500}),
            20_000,
        );
    }
    run.check(
        20_000,
        &expect![[r#"
            two-hundred  run_36zn0sv00pg07
              ok  task_number_188  browser.extr..     1.50 s
              ok  task_number_189  browser.extr..     1.50 s
              ok  task_number_190  browser.extr..     1.50 s
              ok  task_number_191  browser.extr..     1.50 s
              ok  task_number_192  browser.extr..     1.50 s
              ok  task_number_193  browser.extr..     1.50 s
              ok  task_number_194  browser.extr..     1.50 s
              ok  task_number_195  browser.extr..     1.50 s
              ok  task_number_196  browser.extr..     1.50 s
              ok  task_number_197  browser.extr..     1.50 s
              ok  task_number_198  browser.extr..     1.50 s
              ok  task_number_199  browser.extr..     1.50 s
              201 of 201 done"#]],
    );
}

#[test]
fn few_rows_are_shown_where_the_terminal_is_low() {
    let mut run = Watched::new();
    for n in 0..30 {
        run.task(n, json!({"status": "running", "attempt": 1}), 0);
    }
    let Viewer::Tree(tree, _) = &run.viewer else {
        panic!("no tree");
    };
    for height in [1, 5, 10, 24, 100] {
        let lines = tree.lines(0, (80, height), crate::style::Style::default());
        assert!(
            lines.len() <= height.clamp(3, 14),
            "{height}: {}",
            lines.len()
        );
    }
}
