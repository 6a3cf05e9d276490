//! The path template of a route, ready to be matched.

use http_path_template::{Grammar, PathTemplate, Segment};

use super::path::{self, decode_joined};

/// A path template: `/v1/{shelf}/books/{book=**}:archive`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    /// As written.
    pub(crate) text: String,
    pub(crate) parts: Vec<Part>,
    pub(crate) verb: Option<String>,
    pub(crate) variables: Vec<Variable>,
}

/// One segment of a template, variables taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// This text.
    Literal(String),
    /// One segment that is not empty.
    Single,
    /// Any number of segments.
    Rest,
}

/// A field of the request that a part of the path fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Path of the field, by proto names.
    pub(crate) field: Vec<String>,
    /// The parts that it covers, the end not included.
    from: usize,
    to: usize,
    /// It may cover more than one segment.
    several: bool,
}

/// A template that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{template}` is no path template: {reason}")]
pub(crate) struct Error {
    template: String,
    reason: String,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let failed = |reason: &dyn std::fmt::Display| Error {
            template: text.to_owned(),
            reason: reason.to_string(),
        };
        let mut template = Self {
            text: text.to_owned(),
            parts: Vec::new(),
            verb: None,
            variables: Vec::new(),
        };
        let (head, suffix) = split_after_rest(text);
        template.add(head).map_err(|e| failed(&e))?;
        if let Some(suffix) = suffix {
            let before = template.parts.len();
            template.add(suffix).map_err(|e| failed(&e))?;
            let literal = template.parts[before..]
                .iter()
                .all(|p| matches!(p, Part::Literal(_)));
            if !literal {
                return Err(failed(&"only literals may follow `**`"));
            }
        }
        Ok(template)
    }

    fn add(&mut self, text: &str) -> Result<(), http_path_template::ParseError> {
        let parsed = PathTemplate::parse(text, Grammar::default())?;
        for segment in parsed.segments() {
            match segment {
                Segment::Variable(variable) => {
                    let from = self.parts.len();
                    let subs: Vec<Part> = variable.segments().map(|s| part(&s)).collect();
                    let several = subs.len() > 1 || subs.contains(&Part::Rest);
                    self.parts.extend(subs);
                    self.variables.push(Variable {
                        field: variable
                            .field_path()
                            .split('.')
                            .map(str::to_owned)
                            .collect(),
                        from,
                        to: self.parts.len(),
                        several,
                    });
                }
                other => self.parts.push(part(other)),
            }
        }
        self.verb = parsed.verb().map(str::to_owned);
        Ok(())
    }

    /// The value of a variable in a path that this template matches, given by its
    /// segments as they were sent; none when an escape in it is no UTF-8 text.
    pub(crate) fn value(&self, variable: &Variable, segments: &[&str]) -> Option<String> {
        // Parts behind `**` are counted from the end.
        let rest = self.parts.iter().position(|p| *p == Part::Rest);
        let at = |index: usize| match rest {
            Some(rest) if index > rest => (index + segments.len()).saturating_sub(self.parts.len()),
            _ => index,
        };
        let covered = segments.get(at(variable.from)..at(variable.to))?;
        match covered {
            [one] if !variable.several => path::decode(one, &|_| true),
            _ => decode_joined(covered.iter().copied()),
        }
    }
}

/// Cuts a template behind its `**`, since the grammar of the parser ends there.
fn split_after_rest(text: &str) -> (&str, Option<&str>) {
    let Some(rest) = text.find("**") else {
        return (text, None);
    };
    let end = match text[rest + 2..].strip_prefix('}') {
        Some(_) => rest + 3,
        None => rest + 2,
    };
    match text[end..].starts_with('/') {
        true => (&text[..end], Some(&text[end..])),
        false => (text, None),
    }
}

fn part(segment: &Segment<'_>) -> Part {
    match segment {
        Segment::Single => Part::Single,
        Segment::Rest => Part::Rest,
        // A literal is compared with the decoded path.
        Segment::Literal(text) => {
            Part::Literal(path::decode(text, &|_| true).unwrap_or_else(|| (*text).to_owned()))
        }
        // The grammar that is asked for has nothing else.
        other => Part::Literal(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(template: &str, path: &str) -> Vec<(String, Option<String>)> {
        let template = Template::parse(template).unwrap();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let value = |v: &Variable| (v.field.join("."), template.value(v, &segments));
        template.variables.iter().map(value).collect()
    }

    #[test]
    fn variables_take_their_part_of_the_path() {
        for (template, path, expected) in [
            (
                "/v1/{a.b}/x/{c}",
                "/v1/1%2F2/x/3",
                vec![("a.b", "1/2"), ("c", "3")],
            ),
            (
                "/v1/{name=shelves/*}",
                "/v1/shelves/7",
                vec![("name", "shelves/7")],
            ),
            ("/f/{path=**}", "/f/a/b%2Fc", vec![("path", "a/b%2Fc")]),
            ("/f/{path=**}", "/f", vec![("path", "")]),
            ("/f/{path=**}/meta/{x}", "", vec![]),
            ("/f/{path=**}/meta", "/f/a/b/meta", vec![("path", "a/b")]),
            ("/f/{path=**}/meta", "/f/meta", vec![("path", "")]),
        ] {
            if expected.is_empty() {
                assert!(Template::parse(template).is_err(), "{template}");
                continue;
            }
            let expected: Vec<_> = expected
                .iter()
                .map(|(n, v)| ((*n).to_owned(), Some((*v).to_owned())))
                .collect();
            assert_eq!(values(template, path), expected, "{template} {path}");
        }
    }

    #[test]
    fn verb_is_told_from_the_path() {
        let of = |text: &str| Template::parse(text).unwrap().verb;
        assert_eq!(of("/v1/runs/{id}:cancel").as_deref(), Some("cancel"));
        assert_eq!(of("/f/{path=**}/meta:read").as_deref(), Some("read"));
        assert_eq!(of("/v1/runs"), None);
        assert_eq!(Template::parse("/").unwrap().parts, []);
        assert!(Template::parse("v1").is_err());
        assert!(Template::parse("/v1/{a").is_err());
    }
}
