//! Expressions of the dialect, written over in our own names.
//!
//! `params.x` is `inputs.x` here, `steps.x.y` is `<id>.result.y`, and `now+24h` a call of
//! `date_add`. What is missing is null there and an error here. The templates that a document is
//! read into know that; for a file of our own each path that may miss something is put into
//! `not_null`, which also gives the word `null` inside of a text.

use std::ops::Range;

use gearmesh_expr::{self as expr, Expression, Path, Step, Template};

use super::arithmetic::without_arithmetic;
use super::names::{Names, identifier};
use crate::diagnostic::quote;
use crate::nearest::nearest;
use crate::tree::Data;

/// An expression or text in our own names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Translated {
    pub(crate) text: String,
    /// Positions of the steps that it reads.
    pub(crate) reads: Vec<usize>,
    /// Names that nothing has: their value is null.
    pub(crate) unknown: Vec<Unknown>,
}

/// A name that nothing has, and what may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    pub(crate) message: String,
    /// Its place in the text; of a text with arithmetic on `now` the whole.
    pub(crate) span: Range<usize>,
}

/// What a translated text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// A template of the dialect.
    Template,
    /// A file of our own format.
    File,
}

/// A text with any number of `${..}` in it.
///
/// # Errors
/// Those of the expressions in it.
pub(crate) fn translate(
    text: &str,
    names: &Names<'_>,
    purpose: Use,
) -> Result<Translated, Vec<expr::Error>> {
    let (plain, exact) = without_arithmetic(text, true);
    let template = Template::parse(&plain).map_err(|errors| placed(errors, text, exact))?;
    let whole = template.is_whole();
    let mut out = Translated {
        text: String::with_capacity(plain.len()),
        reads: Vec::new(),
        unknown: Vec::new(),
    };
    let mut at = 0;
    for (expression, span) in template.expressions() {
        out.text
            .push_str(plain.get(at..span.start).unwrap_or_default());
        let mut one = Rewriting::of(expression, names);
        let body = one.text();
        out.text.push_str(&match (purpose, whole) {
            (Use::Template, _) => body,
            (Use::File, true) => one.in_value(&body),
            (Use::File, false) => one.in_text(&body),
        });
        at = span.end;
        out.reads.append(&mut one.reads);
        let moved = |found: Unknown| Unknown {
            span: place(&found.span, span.start, text, exact),
            ..found
        };
        out.unknown.extend(one.unknown.into_iter().map(moved));
    }
    out.text.push_str(plain.get(at..).unwrap_or_default());
    Ok(out)
}

/// A condition, written with or without `${}` around it.
///
/// # Errors
/// Those of the expression.
pub(crate) fn translate_condition(
    text: &str,
    names: &Names<'_>,
) -> Result<Translated, Vec<expr::Error>> {
    let trimmed = text.trim();
    let bare = trimmed
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .filter(|inner| !inner.contains("${"));
    let inner = bare.unwrap_or(text);
    // What stands before it is no more than space and `${`.
    let offset = text.find(inner).unwrap_or_default();
    let (plain, exact) = without_arithmetic(inner, false);
    let expression = Expression::condition(&plain).map_err(|error| {
        let errors = placed(vec![error], inner, exact).into_iter();
        errors
            .map(|error| shifted(error, offset))
            .collect::<Vec<_>>()
    })?;
    let mut one = Rewriting::of(&expression, names);
    let text_of = one.text();
    let moved = |found: Unknown| Unknown {
        span: place(&found.span, offset, text, exact),
        ..found
    };
    Ok(Translated {
        text: text_of,
        reads: one.reads,
        unknown: one.unknown.into_iter().map(moved).collect(),
    })
}

fn place(span: &Range<usize>, by: usize, text: &str, exact: bool) -> Range<usize> {
    if exact {
        span.start + by..span.end + by
    } else {
        0..text.len()
    }
}

/// Errors with places of the writer's own text.
fn placed(errors: Vec<expr::Error>, text: &str, exact: bool) -> Vec<expr::Error> {
    if exact {
        return errors;
    }
    let all = expr::Span {
        start: 0,
        end: text.len(),
    };
    let mut errors = errors;
    for error in &mut errors {
        error.span = all;
        error.fix = None;
    }
    errors
}

fn shifted(mut error: expr::Error, by: usize) -> expr::Error {
    error.span = expr::Span {
        start: error.span.start + by,
        end: error.span.end + by,
    };
    if let Some(fix) = &mut error.fix {
        fix.span = expr::Span {
            start: fix.span.start + by,
            end: fix.span.end + by,
        };
    }
    error
}

/// One expression on its way into our names.
struct Rewriting<'e> {
    expression: &'e Expression,
    names: &'e Names<'e>,
    reads: Vec<usize>,
    unknown: Vec<Unknown>,
    /// Whether it is a path that always leads somewhere.
    sure: bool,
    /// Whether it is sure to be no null, too.
    valued: bool,
}

impl<'e> Rewriting<'e> {
    fn of(expression: &'e Expression, names: &'e Names<'e>) -> Self {
        Rewriting {
            expression,
            names,
            reads: Vec::new(),
            unknown: Vec::new(),
            sure: false,
            valued: false,
        }
    }

    /// The expression with every path written over.
    fn text(&mut self) -> String {
        let written = self.expression.text();
        let mut paths: Vec<&Path> = self.expression.paths().iter().collect();
        paths.sort_by_key(|path| path.span.start);
        let mut out = String::with_capacity(written.len());
        let mut at = 0;
        for path in paths {
            if path.span.start < at {
                continue;
            }
            out.push_str(written.get(at..path.span.start).unwrap_or_default());
            at = self.path(path, written, &mut out);
        }
        out.push_str(written.get(at..).unwrap_or_default());
        out.trim().to_owned()
    }

    fn in_value(&self, body: &str) -> String {
        if self.sure || !self.expression.is_plain_path() || body == NULL {
            body.to_owned()
        } else {
            format!("not_null({body})")
        }
    }

    fn in_text(&self, body: &str) -> String {
        match body {
            NULL => "'null'".to_owned(),
            _ if self.valued => body.to_owned(),
            _ => format!("not_null({body}, 'null')"),
        }
    }

    /// Writes one path over. Where the text goes on behind what was written.
    fn path(&mut self, path: &Path, written: &str, out: &mut String) -> usize {
        let exact = path.exact;
        let field = match path.steps.first() {
            Some(Step::Field(name)) => Some(name.as_str()),
            _ => None,
        };
        let first = path
            .step_spans
            .first()
            .map_or(path.span.end, |span| span.end);
        match (path.root.as_str(), field) {
            ("now", _) => {
                (self.sure, self.valued) = (exact && path.steps.is_empty(), exact);
                self.keep(path, written, out)
            }
            ("trigger", _) => self.keep(path, written, out),
            ("params", None) => {
                out.push_str("inputs");
                root_end(path, written)
            }
            ("params", Some(name)) => {
                let Some(param) = self.names.params.iter().find(|param| param.key == name) else {
                    let known = self.names.params.iter().map(|param| param.key.as_str());
                    let known: Vec<&str> = known.collect();
                    return self.null(path, "param", name, &known, out);
                };
                let alone = exact && path.steps.len() == 1;
                self.sure = alone;
                self.valued = alone && !matches!(param.value.data, Data::Null);
                out.push_str("inputs.");
                out.push_str(&(self.names.input)(name));
                first
            }
            ("steps", None) => {
                let all = self.all_steps();
                out.push_str(&all);
                root_end(path, written)
            }
            ("steps", Some(name)) => {
                let found = self.names.saved_as(name);
                if found.is_empty() {
                    let known = self.names.visible();
                    return self.null(path, "step before this one", name, &known, out);
                }
                let steps = self.names.steps;
                let always = |at: &usize| steps.get(*at).is_some_and(|step| !step.conditional);
                self.sure = exact && path.steps.len() == 1 && found.len() == 1;
                self.sure &= found.iter().all(always);
                out.push_str(&self.results(&found));
                self.reads.extend(found);
                first
            }
            (root, _) => {
                let known = ["now", "params", "steps", "trigger"];
                self.null(path, "name here", root, &known, out)
            }
        }
    }

    fn keep(&self, path: &Path, written: &str, out: &mut String) -> usize {
        out.push_str(
            written
                .get(path.span.start..path.span.end)
                .unwrap_or_default(),
        );
        path.span.end
    }

    /// Of several steps with one name the last that was not skipped.
    fn results(&self, found: &[usize]) -> String {
        let result = |at: &usize| {
            let step = self.names.steps.get(*at);
            format!("{}.result", step.map_or("", |step| step.root.as_str()))
        };
        match found {
            [one] => result(one),
            several => {
                let several: Vec<String> = several.iter().map(result).collect();
                format!("not_null({})", several.join(", "))
            }
        }
    }

    /// An object of all results so far, by the names that they were saved under.
    fn all_steps(&mut self) -> String {
        let names = self.names.visible();
        let entries: Vec<String> = names
            .iter()
            .map(|name| {
                let found = self.names.saved_as(name);
                let results = self.results(&found);
                self.reads.extend(found);
                format!("{}: {results}", identifier(name))
            })
            .collect();
        if entries.is_empty() {
            return "`{}`".to_owned();
        }
        format!("{{{}}}", entries.join(", "))
    }

    fn null(
        &mut self,
        path: &Path,
        kind: &str,
        name: &str,
        known: &[&str],
        out: &mut String,
    ) -> usize {
        let near = nearest(name, known.iter().copied());
        let question = near.map(|near| format!("; did you mean `{}`?", near.name));
        let message = format!(
            "no {kind} is called `{}`: the value is null{}",
            quote(name),
            question.unwrap_or_default()
        );
        let span = path.span.start..path.span.end;
        self.unknown.push(Unknown { message, span });
        out.push_str(NULL);
        path.span.end
    }
}

const NULL: &str = "`null`";

/// Where the root of a path ends in the text.
fn root_end(path: &Path, written: &str) -> usize {
    let quotes = if written.as_bytes().get(path.span.start) == Some(&b'"') {
        2
    } else {
        0
    };
    (path.span.start + path.root.len() + quotes).min(path.span.end)
}
