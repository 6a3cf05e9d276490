//! The file laid out again.

use super::comments::{self, Attached, Comment, Comments};
use super::order::Role;
use super::points::{self, Fault, after_key, column, dashes, is_block, is_block_text};
use crate::source::Span;
use crate::tree::{Data, Entry, Tree};

/// Spaces of one level.
const STEP: usize = 2;

/// The file in the one form.
pub(super) fn arranged(text: &str, root: &Tree, comments: Vec<Comment>) -> Result<String, Fault> {
    if !is_block(text, 0, root) {
        return Err((
            root.span.start,
            "a file of one value has no form".to_owned(),
        ));
    }
    let points = points::collect(text, root)?;
    let Comments { head, of, foot } = comments::attach(text, &points, &comments);
    let mut layout = Layout {
        text,
        of,
        out: String::with_capacity(text.len()),
        dash: None,
    };
    layout.lines(0, &head);
    if !head.is_empty() {
        layout.gap();
    }
    layout.block(root, 0, 0, Role::Workflow)?;
    layout.lines(0, &foot);
    Ok(layout.out)
}

struct Layout<'t> {
    text: &'t str,
    of: std::collections::HashMap<usize, Attached>,
    out: String,
    /// The dashes, and the space before them, that the next line begins with.
    dash: Option<String>,
}

impl<'t> Layout<'t> {
    fn block(&mut self, tree: &Tree, from: usize, indent: usize, role: Role) -> Result<(), Fault> {
        match &tree.data {
            Data::Map(entries) => {
                for entry in role.sorted(entries) {
                    self.entry(entry, indent, role.of(&entry.key))?;
                }
            }
            Data::List(items) => {
                for (dash, item) in dashes(self.text, from, items)?.into_iter().zip(items) {
                    self.item(dash, item, indent, role.of_item())?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, indent: usize, role: Role) -> Result<(), Fault> {
        let attached = self.of.remove(&entry.key_span.start).unwrap_or_default();
        self.lines(indent, &attached.before);
        let key = self.part(entry.key_span.start, entry.key_span.end);
        let head = format!("{key}:");
        self.begin(indent);
        self.out.push_str(&head);
        let from = after_key(self.text, entry.key_span)?;
        let old = column(self.text, entry.key_span.start);
        let beside = attached.beside.unwrap_or_default();
        if is_block(self.text, from, &entry.value) {
            self.out.push_str(&beside);
            self.out.push('\n');
            self.block(&entry.value, from, indent + STEP, role)?;
        } else {
            self.leaf(&entry.value, from, (old, indent), &beside);
        }
        self.lines(indent, &attached.after);
        Ok(())
    }

    fn item(&mut self, dash: usize, item: &Tree, indent: usize, role: Role) -> Result<(), Fault> {
        let attached = self.of.remove(&dash).unwrap_or_default();
        self.lines(indent, &attached.before);
        let beside = attached.beside.unwrap_or_default();
        if is_block(self.text, dash + 1, item) {
            if !beside.is_empty() {
                self.lines(indent, &[beside.trim_start().to_owned()]);
            }
            let before = self.dash.take().unwrap_or_else(|| " ".repeat(indent));
            self.dash = Some(format!("{before}- "));
            self.block(item, dash + 1, indent + STEP, role)?;
        } else {
            self.begin(indent);
            self.out.push('-');
            let old = column(self.text, dash);
            self.leaf(item, dash + 1, (old, indent), &beside);
        }
        self.lines(indent, &attached.after);
        Ok(())
    }

    /// A value that is no block, behind its key or dash, to the end of its last line.
    fn leaf(&mut self, tree: &Tree, from: usize, columns: (usize, usize), beside: &str) {
        let Span { start, end } = tree.span;
        if is_block_text(tree) {
            self.block_text(from, end, columns, beside);
            return;
        }
        let written = self.part(start.max(from), end);
        if !written.is_empty() {
            self.out.push(' ');
        }
        let flow = written.starts_with(['{', '[']);
        for (at, line) in written.lines().enumerate() {
            if at == 0 {
                self.out.push_str(line.trim_end());
                continue;
            }
            self.out.push('\n');
            let bare = line.trim();
            if bare.is_empty() {
                continue;
            }
            let least = columns.1 + STEP;
            let indent = if flow {
                let was = line.len() - line.trim_start().len();
                (was + columns.1).saturating_sub(columns.0).max(least)
            } else {
                least
            };
            self.out.push_str(&" ".repeat(indent));
            self.out.push_str(bare);
        }
        self.out.push_str(beside);
        self.out.push('\n');
    }

    /// A text under a header: its lines keep what they are indented beyond the first.
    fn block_text(&mut self, from: usize, end: usize, (old, indent): (usize, usize), beside: &str) {
        let written = self.part(from, end).to_owned();
        let (line, lines) = written.split_once('\n').unwrap_or((&written, ""));
        let header: String = line
            .trim_start()
            .chars()
            .take_while(|c| !c.is_whitespace())
            .collect();
        self.out.push(' ');
        self.out.push_str(&header);
        self.out.push_str(beside);
        self.out.push('\n');
        let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let given = header.chars().find_map(|c| c.to_digit(10));
        let given = given.and_then(|digit| usize::try_from(digit).ok());
        let (was, now) = match given {
            Some(digit) => (old + digit, indent + digit),
            None => {
                let mut filled = lines.lines().filter(|line| !line.trim().is_empty());
                (filled.next().map_or(0, depth), indent + STEP)
            }
        };
        // The last line may be the indentation of what follows.
        let whole = lines.rfind('\n').map_or(0, |end| end + 1);
        let rest = lines.get(whole..).unwrap_or_default();
        let kept = if header.contains('+') && rest.trim().is_empty() {
            lines.get(..whole).unwrap_or_default()
        } else {
            lines.trim_end_matches(['\n', ' '])
        };
        for line in kept.lines() {
            if depth(line) > was || !line.trim_matches(' ').is_empty() {
                self.out.push_str(&" ".repeat(now));
                self.out
                    .push_str(line.get(was.min(depth(line))..).unwrap_or_default());
            }
            self.out.push('\n');
        }
    }

    /// Comments and gaps, each in a line of its own.
    fn lines(&mut self, indent: usize, lines: &[String]) {
        // Before the first key of an item they stand above its dash.
        let indent = match &self.dash {
            Some(dash) => dash.len() - dash.trim_start().len(),
            None => indent,
        };
        for line in lines {
            if line.is_empty() {
                if self.dash.is_none() {
                    self.gap();
                }
                continue;
            }
            self.out.push_str(&" ".repeat(indent));
            self.out.push_str(line);
            self.out.push('\n');
        }
    }

    /// An empty line, unless there is one, or nothing but the head of a block above it.
    fn gap(&mut self) {
        let above = self.out.trim_end_matches('\n');
        let line = above.rsplit('\n').next().unwrap_or_default();
        let opens = line.ends_with(':') && !line.trim_start().starts_with('#');
        if !self.out.is_empty() && !self.out.ends_with("\n\n") && !opens {
            self.out.push('\n');
        }
    }

    fn begin(&mut self, indent: usize) {
        let lead = self.dash.take().unwrap_or_else(|| " ".repeat(indent));
        self.out.push_str(&lead);
    }

    fn part(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or_default()
    }
}
