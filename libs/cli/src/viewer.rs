//! How events are shown while a run goes on.

use std::collections::HashMap;

use serde_json::Value;

use crate::error::Error;
use crate::outline::Outline;
use crate::output::Output;
use crate::run_args::Watch;
use crate::tree::Tree;

/// A way to show events.
#[derive(Debug)]
pub(crate) enum Viewer {
    /// The tree, drawn again and again on a terminal.
    Tree(Tree, Screen),
    /// One line, drawn again and again on a terminal.
    Line(Tree, Screen),
    /// A line for each change; the last remark of each row.
    Changes(Tree, HashMap<usize, String>),
    /// The events themselves, a line each, on standard output.
    Events,
    /// Nothing.
    Silent,
}

impl Viewer {
    /// What suits the wish and the streams. `outline`: the tasks, as far as known.
    pub(crate) fn of(watch: Option<Watch>, output: &Output, outline: Outline) -> Self {
        match watch {
            Some(Watch::Json) => Self::Events,
            _ if output.quiet => Self::Silent,
            Some(Watch::Tree) if output.live => Self::Tree(Tree::new(outline), Screen::default()),
            Some(Watch::Tree) => Self::Changes(Tree::new(outline), HashMap::new()),
            None if output.live => Self::Line(Tree::new(outline), Screen::default()),
            None => Self::Silent,
        }
    }

    /// Whether it is to be drawn again as time goes on.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self, Self::Tree(..) | Self::Line(..))
    }

    /// Whether the tree is drawn, whose watcher may leave by a key.
    pub(crate) fn is_tree(&self) -> bool {
        matches!(self, Self::Tree(..))
    }

    /// Takes in an event. `now` is milliseconds since watching began.
    pub(crate) fn event(
        &mut self,
        event: &Value,
        now: u64,
        output: &mut Output,
    ) -> Result<(), Error> {
        match self {
            Self::Tree(tree, _) | Self::Line(tree, _) => {
                tree.apply(event, now);
            }
            Self::Changes(tree, said) => {
                let first = event.get("run").is_some_and(Value::is_object)
                    && event.get("error").is_none_or(Value::is_null);
                let changed = tree.apply(event, now);
                if let Some(row) = changed {
                    let state = tree.state(row, now);
                    if said.get(&row) != Some(&state) {
                        said.insert(row, state);
                        output.note(&tree.line(row, now, output.err_style));
                    }
                } else if first && !crate::feed::is_end(event) {
                    output.note(&tree.head(usize::MAX, output.err_style));
                }
            }
            Self::Events => output.data(&event.to_string())?,
            Self::Silent => {}
        }
        Ok(())
    }

    /// Draws the picture of this moment.
    pub(crate) fn draw(&mut self, now: u64, output: &mut Output) {
        let size = output.size();
        self.draw_within(size, now, output);
    }

    /// Draws the picture for a terminal of so many columns and lines.
    fn draw_within(&mut self, size: (usize, usize), now: u64, output: &mut Output) {
        match self {
            Self::Tree(tree, screen) => {
                screen.show(&tree.lines(now, size, output.err_style), output)
            }
            Self::Line(tree, screen) => {
                let line = tree.summary();
                screen.show(
                    &[crate::text::shorten(&line, size.0.saturating_sub(1)).into_owned()],
                    output,
                );
            }
            Self::Changes(..) | Self::Events | Self::Silent => {}
        }
    }

    /// Leaves the last picture of a tree standing, and wipes what was only progress.
    pub(crate) fn close(&mut self, now: u64, output: &mut Output) {
        match self {
            Self::Tree(..) => self.draw(now, output),
            Self::Line(_, screen) => screen.show(&[], output),
            Self::Changes(..) | Self::Events | Self::Silent => {}
        }
    }
}

/// Lines at the end of a terminal that are drawn over.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    drawn: Vec<String>,
}

impl Screen {
    /// Puts lines in place of those that were shown before.
    fn show(&mut self, lines: &[String], output: &mut Output) {
        if self.drawn == lines {
            return;
        }
        output.draw(&Self::update(self.drawn.len(), lines));
        self.drawn = lines.to_vec();
    }

    /// Up over the old lines, each new one over what stood there, the rest wiped.
    fn update(old: usize, lines: &[String]) -> String {
        let mut out = String::new();
        if old > 0 {
            out.push_str(&format!("\u{1b}[{old}A\r"));
        }
        for line in lines {
            out.push_str(line);
            out.push_str("\u{1b}[K\n");
        }
        if old > lines.len() {
            out.push_str("\u{1b}[J");
        }
        out
    }
}

#[cfg(test)]
mod screens;

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::output::{Format, capture};

    fn events() -> [Value; 4] {
        let run = |status: &str| json!({"runId": "run_36zn0sv00pg07", "workflow": "w", "status": status, "tasks": {"a": {"status": "pending"}}, "dag": {"levels": [["a"]]}});
        let mut last = run("succeeded");
        last["tasks"]["a"]["status"] = "succeeded".into();
        [
            json!({"cursor": "1", "kind": "run", "status": "running", "run": run("running")}),
            json!({"cursor": "2", "kind": "task", "task": "a", "status": "running", "attempt": 1}),
            json!({"cursor": "3", "kind": "task", "task": "a", "status": "succeeded", "attempt": 1, "duration": 3}),
            json!({"cursor": "4", "kind": "run", "status": "succeeded", "run": last}),
        ]
    }

    #[test]
    fn without_a_terminal_there_is_a_line_for_each_change() {
        let (mut output, _, err) = capture::output(Format::Table);
        let mut viewer = Viewer::of(
            Some(Watch::Tree),
            &output,
            Outline {
                tools: HashMap::from([("a".into(), "state.get".into())]),
                ..Outline::default()
            },
        );
        assert!(!viewer.is_live());
        for event in events() {
            viewer.event(&event, 0, &mut output).unwrap();
        }
        viewer.close(0, &mut output);
        expect![[r#"
            w  run_36zn0sv00pg07
              ..  a  state.get     0.00 s
              ok  a  state.get     0.00 s
        "#]]
        .assert_eq(&err.text());
    }

    #[test]
    fn json_gives_the_events_on_standard_output() {
        let (mut output, out, err) = capture::output(Format::Table);
        let mut viewer = Viewer::of(Some(Watch::Json), &output, Outline::default());
        for event in events() {
            viewer.event(&event, 0, &mut output).unwrap();
        }
        assert_eq!(out.text().lines().count(), 4);
        assert!(
            out.text()
                .lines()
                .all(|l| serde_json::from_str::<Value>(l).is_ok())
        );
        assert_eq!(err.text(), "");
    }

    #[test]
    fn without_watch_nothing_is_written_to_a_pipe() {
        let (output, ..) = capture::output(Format::Table);
        assert!(matches!(
            Viewer::of(None, &output, Outline::default()),
            Viewer::Silent
        ));
    }

    #[test]
    fn terminal_is_drawn_over_line_by_line() {
        let (mut output, _, err) = capture::output(Format::Table);
        let mut screen = Screen::default();
        let lines = |text: &[&str]| text.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
        screen.show(&lines(&["a", "b"]), &mut output);
        screen.show(&lines(&["a", "b"]), &mut output);
        screen.show(&lines(&["c"]), &mut output);
        assert_eq!(
            err.text(),
            "a\u{1b}[K\nb\u{1b}[K\n\u{1b}[2A\rc\u{1b}[K\n\u{1b}[J"
        );
    }
}
