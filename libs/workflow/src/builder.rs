//! Makes the tree of a file from the parser's events.
//!
//! What is wrong but can be read on is reported; only a syntax error ends the reading.

use std::collections::HashMap;

use serde_json::Value;
use serde_saphyr::granit_parser::{
    Event, Marker, Options, Parser, ScalarStyle, Span as ParserSpan, Tag,
};

use crate::diagnostic::{Report, quote};
use crate::scalar::{self, Style};
use crate::source::{FILE_MAX, Span};
use crate::syntax;
use crate::tree::{ALIASES_MAX, Data, Entry, NESTING_MAX, Tree};

/// Longest key, in characters. The parser must look that far for the colon.
const KEY_MAX: usize = 16 * 1024;

/// Most documents of a file: each is checked on its own.
pub const DOCUMENTS_MAX: usize = 100;

/// The one document of the file; `None` when it cannot be read, which is reported then.
pub(crate) fn read(report: &mut Report<'_>) -> Option<Tree> {
    let documents = documents_up_to(report, 1)?;
    documents.into_iter().next()
}

/// All documents of the file, at least one; `None` when it cannot be read, which is reported then.
pub(crate) fn documents(report: &mut Report<'_>) -> Option<Vec<Tree>> {
    documents_up_to(report, DOCUMENTS_MAX)
}

fn documents_up_to(report: &mut Report<'_>, most: usize) -> Option<Vec<Tree>> {
    let file = report.text();
    if file.len() > FILE_MAX {
        let message = format!("the file has {} bytes; the limit is {FILE_MAX}", file.len());
        report.error("FILE_TOO_LARGE", Span::default(), message);
        return None;
    }
    Builder {
        report,
        stack: Vec::new(),
        anchors: HashMap::new(),
        left: ALIASES_MAX,
        root: None,
        documents: Vec::new(),
    }
    .read(most)
}

pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.simple_key_max_lookahead = KEY_MAX;
    options
}

struct Builder<'r, 'a> {
    report: &'r mut Report<'a>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Tree>,
    left: usize,
    root: Option<Tree>,
    documents: Vec<Tree>,
}

struct Frame {
    start: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Tree>),
    Map {
        entries: Vec<Entry>,
        keys: HashMap<String, Span>,
        key: Option<Key>,
        broken: bool,
    },
}

enum Key {
    Text(String, Span),
    /// Not usable as a key: the value that follows is dropped.
    Bad,
    /// The inner map of `{{ x }}`: the map around it was meant as an expression.
    Braces,
}

impl Builder<'_, '_> {
    fn read(mut self, most: usize) -> Option<Vec<Tree>> {
        let file = self.report.text();
        let mut parser = Parser::new_from_str_with_options(file, options());
        let mut begun = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok(event) => event,
                // What follows too many documents is refused anyway.
                Err(_) if begun > most => break,
                Err(error) => {
                    syntax::report(self.report, &error);
                    return None;
                }
            };
            match event {
                Event::DocumentStart(..) => {
                    begun += 1;
                    self.anchors.clear();
                }
                Event::StreamEnd => break,
                _ if begun > most => {
                    self.too_many(self.span(span), most);
                    break;
                }
                Event::DocumentEnd => self.documents.extend(self.root.take()),
                event => self.event(event, span)?,
            }
        }
        self.documents.extend(self.root.take());
        // A last separator begins a document that nobody wrote.
        let written = |tree: &Tree| !matches!(tree.data, Data::Null);
        while self.documents.len() > 1 && !self.documents.last().is_some_and(written) {
            self.documents.pop();
        }
        if self.documents.is_empty() {
            self.documents.push(Tree {
                span: Span::new(file.len(), file.len()),
                data: Data::Null,
            });
        }
        Some(self.documents)
    }

    fn too_many(&mut self, at: Span, most: usize) {
        if most > 1 {
            let message = format!("the file has more than {most} documents, which is the limit");
            self.report.error("FILE_TOO_LARGE", at, message);
            return;
        }
        let message = "the file has several workflows, and one is wanted here";
        let hint = "`gearmesh workflow apply` and `gearmesh validate` take all of a file";
        self.report.error("INVALID_VALUE", at, message).hint(hint);
    }

    fn event(&mut self, event: Event<'_>, span: ParserSpan) -> Option<()> {
        let at = self.span(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tree = self.scalar(text.into_owned(), style, tag.as_deref(), at);
                self.keep(anchor, &tree)?;
                self.add(tree);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(at, anchor, tag.as_deref(), Content::List(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    keys: HashMap::new(),
                    key: None,
                    broken: false,
                };
                self.open(at, anchor, tag.as_deref(), content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at)?,
            Event::Alias(anchor) => {
                let Some(tree) = self.anchors.get(&anchor) else {
                    self.report.error(
                        "YAML_SYNTAX",
                        at,
                        "an alias cannot stand inside of what it names",
                    );
                    return None;
                };
                let weight = tree.weight();
                self.spend(weight, at)?;
                let tree = self.anchors[&anchor].clone();
                self.add(tree);
            }
            _ => {}
        }
        Some(())
    }

    fn open(&mut self, at: Span, anchor: usize, tag: Option<&Tag>, content: Content) -> Option<()> {
        self.tag(tag, at);
        if self.stack.len() >= NESTING_MAX {
            self.report.error(
                "FILE_TOO_LARGE",
                at,
                format!("lists and maps are nested deeper than {NESTING_MAX} levels"),
            );
            return None;
        }
        self.stack.push(Frame {
            start: at.start,
            anchor,
            content,
        });
        Some(())
    }

    fn close(&mut self, at: Span) -> Option<()> {
        let frame = self.stack.pop()?;
        let data = match frame.content {
            Content::List(items) => Data::List(items),
            Content::Map { broken: true, .. } => Data::Broken,
            Content::Map { entries, .. } => Data::Map(entries),
        };
        let end = self.end(&data, at);
        let mut tree = Tree {
            span: Span::new(frame.start, end.max(frame.start)),
            data,
        };
        if self.in_key() && self.report.text()[..tree.span.start].ends_with('{') {
            tree.span = Span::new(tree.span.start - 1, tree.span.end);
        }
        self.keep(frame.anchor, &tree)?;
        self.add(tree);
        Some(())
    }

    /// A block ends where its last value does, not at the next key.
    fn end(&self, data: &Data, at: Span) -> usize {
        if at.end > at.start {
            return at.end;
        }
        match data {
            Data::List(items) => items.last().map_or(at.end, |item| item.span.end),
            Data::Map(entries) => entries
                .last()
                .map_or(at.end, |entry| entry.value.span.end.max(entry.key_span.end)),
            _ => at.end,
        }
    }

    /// Whether the next value is a key of a map.
    fn in_key(&self) -> bool {
        matches!(
            self.stack.last(),
            Some(Frame {
                content: Content::Map { key: None, .. },
                ..
            })
        )
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, tag: Option<&Tag>, at: Span) -> Tree {
        let as_text = tag.and_then(Tag::core_suffix) == Some("str");
        self.tag(tag, at);
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let resolved = if style == Style::Plain && !as_text {
            scalar::resolve(&text)
        } else {
            None
        };
        let data = match resolved {
            Some(Value::Null) => Data::Null,
            Some(Value::Bool(value)) => Data::Bool(value),
            Some(Value::Number(number)) => Data::Number(number),
            _ => Data::Text(text, style),
        };
        Tree { span: at, data }
    }

    fn tag(&mut self, tag: Option<&Tag>, at: Span) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix().is_none()) {
            let message = format!("the tag `{}` has no meaning here", quote(&tag.original()));
            self.report.error("YAML_SYNTAX", at, message);
        }
    }

    /// Puts a value where the next one belongs.
    fn add(&mut self, tree: Tree) {
        let file = self.report.text();
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(tree);
            return;
        };
        match &mut frame.content {
            Content::List(items) => items.push(tree),
            Content::Map {
                entries,
                keys,
                key,
                broken,
            } => match key.take() {
                None => *key = Some(read_key(self.report, file, &tree)),
                Some(Key::Bad) => {}
                Some(Key::Braces) => *broken = true,
                Some(Key::Text(name, span)) => {
                    if let Some(first) = keys.get(&name) {
                        let message = format!(
                            "`{}` is used twice (first at line {})",
                            quote(&name),
                            self.report.line(*first)
                        );
                        self.report.error("DUPLICATE_KEY", span, message);
                    } else {
                        keys.insert(name.clone(), span);
                        entries.push(Entry {
                            key: name,
                            key_span: span,
                            value: tree,
                        });
                    }
                }
            },
        }
    }

    fn keep(&mut self, anchor: usize, tree: &Tree) -> Option<()> {
        if anchor != 0 {
            self.spend(tree.weight(), tree.span)?;
            self.anchors.insert(anchor, tree.clone());
        }
        Some(())
    }

    fn spend(&mut self, weight: usize, at: Span) -> Option<()> {
        let Some(left) = self.left.checked_sub(weight) else {
            self.report.error(
                "FILE_TOO_LARGE",
                at,
                format!("the aliases expand to more than {ALIASES_MAX} bytes"),
            );
            return None;
        };
        self.left = left;
        Some(())
    }

    fn span(&self, span: ParserSpan) -> Span {
        Span::new(self.offset(span.start), self.offset(span.end))
    }

    fn offset(&self, marker: Marker) -> usize {
        marker.byte_offset().unwrap_or(self.report.text().len())
    }
}

/// A key as text. Numbers and such are taken as they are written.
fn read_key(report: &mut Report<'_>, file: &str, tree: &Tree) -> Key {
    match &tree.data {
        Data::Text(text, Style::Plain) if text == "<<" => {
            report.error(
                "YAML_SYNTAX",
                tree.span,
                "merge keys (`<<`) are not read; write the keys out",
            );
            Key::Bad
        }
        Data::Text(text, _) => Key::Text(text.clone(), tree.span),
        Data::Null | Data::Bool(_) | Data::Number(_) => {
            let written = file.get(tree.span.start..tree.span.end).unwrap_or_default();
            Key::Text(written.to_owned(), tree.span)
        }
        Data::Map(_)
            if file
                .get(tree.span.start..)
                .is_some_and(|rest| rest.starts_with("{{")) =>
        {
            syntax::report_braces(report, tree.span);
            Key::Braces
        }
        _ => {
            report.error("YAML_SYNTAX", tree.span, "a key must be text");
            Key::Bad
        }
    }
}
