//! The `${task.result.path}` references of Oktyv documents.
//!
//! They look like our templates but are no JMESPath: a path of names and indexes (`a[0].b`, `a.0.b`), hyphens in names, and
//! a final `.length`. A document in that dialect is taken as it is, so a broken reference is not refused with the
//! document: it fails its own task.

use serde_json::Value;

use crate::error::{Error, Outcome, RESOLUTION, Span};
use crate::limits::{EXPRESSION_MAX, OUTPUT_MAX, too_large};
use crate::scope::Scope;
use crate::value::{Val, json_within};

/// Where a task's object keeps what its tool answered.
const RESULT: &str = "result";

/// Former and present names of what results hold.
const FORMER: [(&str, &str); 2] = [("task", "schedule"), ("tasks", "schedules")];

/// Where results keep what is not of their own: bytes of a file, values off a page.
const DATA: &str = "data";

/// A text with any number of references in it. `$${` is a literal `${`, and a `${` that is never closed is text.
#[derive(Clone, Debug)]
pub struct Template {
    parts: Vec<Part>,
    references: Vec<Reference>,
}

/// What one `${..}` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The task.
    pub task: String,
    /// What follows it, indexes as digits: `a[0].b` is `a`, `0`, `b`.
    pub path: Vec<String>,
    /// The place between `${` and `}` in the whole text.
    pub span: Span,
    /// The text between `${` and `}`, as messages show it.
    text: String,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    /// An index into the references.
    Reference(usize),
}

impl Template {
    /// Parses a text. Spans are relative to the whole of it.
    ///
    /// # Errors
    /// `VARIABLE_RESOLUTION_ERROR` for every `${..}` that is not a path, `EXPRESSION_LIMIT` for one over
    /// [`EXPRESSION_MAX`] bytes.
    pub fn parse(text: &str) -> Result<Self, Vec<Error>> {
        let mut template = Self {
            parts: Vec::new(),
            references: Vec::new(),
        };
        let mut errors = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("${") {
            let open = at + found;
            if open > at && text[..open].ends_with('$') {
                plain.push_str(&text[at..open - 1]);
                plain.push_str("${");
                at = open + 2;
                continue;
            }
            let Some(length) = text[open..].find('}') else {
                break;
            };
            plain.push_str(&text[at..open]);
            at = open + length + 1;
            match reference(text, Span::new(open + 2, at - 1)) {
                Ok(reference) => {
                    if !plain.is_empty() {
                        template.parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    template
                        .parts
                        .push(Part::Reference(template.references.len()));
                    template.references.push(reference);
                }
                Err(error) => errors.push(error),
            }
        }
        plain.push_str(&text[at..]);
        if !plain.is_empty() {
            template.parts.push(Part::Text(plain));
        }
        if errors.is_empty() {
            Ok(template)
        } else {
            Err(errors)
        }
    }

    /// The same with references to a result led into its `data`, where `is_data` says of a
    /// task and a name of its result that it lies there.
    #[must_use]
    pub fn with_data(mut self, is_data: impl Fn(&str, &str) -> bool) -> Self {
        for reference in &mut self.references {
            if let [root, name, ..] = reference.path.as_slice()
                && root == RESULT
                && is_data(&reference.task, name)
            {
                reference.path.insert(1, DATA.to_owned());
            }
        }
        self
    }

    /// Whether there is no reference in it.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.references.is_empty()
    }

    /// The text without escapes, when there is no reference in it.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it is exactly one reference, so that its value keeps its type.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        matches!(self.parts.as_slice(), [Part::Reference(_)])
    }

    /// The references in the order of the text.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// The value: of the referenced type when it [is whole](Template::is_whole), else text in which null is `null`, numbers
    /// and booleans are JSON and lists and objects compact JSON.
    ///
    /// `scope` gives a task's object: `result`, `status`, `duration`, `startTime`, `endTime`.
    ///
    /// # Errors
    /// `VARIABLE_RESOLUTION_ERROR` when the task or a name on the path does not exist, `EXPRESSION_LIMIT` over
    /// [`OUTPUT_MAX`].
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, Error> {
        if let [Part::Reference(at)] = self.parts.as_slice() {
            let reference = &self.references[*at];
            return reference.resolve(scope, |value| {
                json_within(&Val::Ref(&value), OUTPUT_MAX)
                    .map(|_| value.into_owned())
                    .ok_or_else(|| Box::new(too_large(reference.span)))
            });
        }
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Reference(at) => {
                    let reference = &self.references[*at];
                    reference.resolve(scope, |value| append(&mut out, &value, reference.span))?;
                }
            }
        }
        Ok(Value::String(out))
    }
}

fn append(out: &mut String, value: &Value, span: Span) -> Outcome<()> {
    let left = OUTPUT_MAX.saturating_sub(out.len());
    match value {
        Value::String(text) if text.len() <= left => out.push_str(text),
        Value::String(_) => return Err(Box::new(too_large(span))),
        other => match json_within(&Val::Ref(other), left) {
            Some(json) => out.push_str(&json),
            None => return Err(Box::new(too_large(span))),
        },
    }
    Ok(())
}

fn reference(text: &str, span: Span) -> Result<Reference, Error> {
    let inner = span.of(text);
    if inner.len() > EXPRESSION_MAX {
        let message = format!(
            "the reference has {} bytes, more than {EXPRESSION_MAX}",
            inner.len()
        );
        return Err(Error::new(crate::error::LIMIT, message, span));
    }
    let inner = inner.trim();
    let Some(mut steps) = steps(inner) else {
        let message = format!("Cannot resolve variable ${{{inner}}}: expected task.result.path");
        return Err(Error::new(RESOLUTION, message, span).hint("a literal `${` is written `$${`"));
    };
    let task = steps.remove(0);
    Ok(Reference {
        task,
        path: steps,
        span,
        text: inner.to_owned(),
    })
}

/// `task.result.a[0].b` taken apart: at least one name, none of them empty.
fn steps(path: &str) -> Option<Vec<String>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (name, mut indexes) = match part.find('[') {
            Some(at) => part.split_at(at),
            None => (part, ""),
        };
        if name.is_empty() || name.contains([']', '{', '$']) {
            return None;
        }
        steps.push(name.to_owned());
        while !indexes.is_empty() {
            let (index, rest) = indexes.strip_prefix('[')?.split_once(']')?;
            if index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            steps.push(index.to_owned());
            indexes = rest;
        }
    }
    Some(steps)
}

impl Reference {
    fn resolve<T>(
        &self,
        scope: &dyn Scope,
        take: impl FnOnce(std::borrow::Cow<'_, Value>) -> Outcome<T>,
    ) -> Result<T, Error> {
        let Some(task) = scope.get(&self.task) else {
            return Err(self.unresolved(&format!("Task '{}' not found", self.task)));
        };
        let mut value: &Value = &task;
        for (at, name) in self.path.iter().enumerate() {
            let last = at + 1 == self.path.len();
            let of_result = at == 1 && self.path.first().is_some_and(|root| root == RESULT);
            let next = if of_result {
                member(value, name)
            } else {
                step(value, name)
            };
            value = match next {
                Some(next) => next,
                None if last && name == "length" => {
                    let length = length(value)
                        .ok_or_else(|| self.unresolved(&format!("'{name}' not found")))?;
                    return Ok(take(std::borrow::Cow::Owned(length))?);
                }
                None => return Err(self.unresolved(&format!("'{name}' not found"))),
            };
        }
        Ok(take(std::borrow::Cow::Borrowed(value))?)
    }

    fn unresolved(&self, why: &str) -> Error {
        let message = format!("Cannot resolve variable ${{{}}}: {why}", self.text);
        Error::new(RESOLUTION, message, self.span)
    }
}

fn step<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// A member of a result: under its name, else under the one that it has today, else in
/// its `data`. The content of a binary file is its data.
fn member<'v>(result: &'v Value, name: &str) -> Option<&'v Value> {
    let data = result.get(DATA);
    let found = step(result, name);
    let is_empty = |value: Option<&Value>| value.and_then(Value::as_str).is_none_or(str::is_empty);
    if name == "content" && is_empty(found) && !is_empty(data) {
        return data;
    }
    let present = || {
        let (_, present) = FORMER.iter().find(|(former, _)| *former == name)?;
        result.get(present)
    };
    let within = || data.and_then(Value::as_object)?.get(name);
    found.or_else(present).or_else(within)
}

/// The number of elements or of characters.
fn length(value: &Value) -> Option<Value> {
    let length = match value {
        Value::Array(items) => items.len(),
        Value::String(text) => text.chars().count(),
        _ => return None,
    };
    Some(Value::from(length as u64))
}
