//! What mails are searched by, as IMAP writes it (RFC 3501 6.4.4).
//!
//! Nothing that a caller gives reaches the server as it is: keys are of a closed
//! list, dates and numbers are parsed, and text is quoted or sent as a counted
//! literal, so that none of it can be a command.

use std::fmt::Write;

use serde_json::Value;

use crate::error::Error;

mod value;

#[cfg(test)]
mod tests;

use value::{TEXT_MAX, atom, date, number, uids};

/// Terms of one search, with those inside of others.
const TERMS_MAX: usize = 500;

/// How deep terms may stand in each other.
const DEPTH_MAX: usize = 8;

/// A search.
#[derive(Debug, Default)]
pub(crate) struct Criteria {
    /// The command in pieces: each but the last ends where a literal is announced.
    pieces: Vec<String>,
    current: String,
    utf8: bool,
    terms: usize,
}

impl Criteria {
    /// Reads criteria as a list of JSON values, which all must hold.
    pub(crate) fn parse(all: &[Value]) -> Result<Self, Error> {
        let mut criteria = Self::default();
        for (i, value) in all.iter().enumerate() {
            criteria.term(&format!("criteria[{i}]"), value, 0)?;
        }
        Ok(criteria)
    }

    /// Adds a key without argument.
    pub(crate) fn flag(&mut self, key: &'static str) {
        self.atom(key);
    }

    /// Adds a key with text.
    pub(crate) fn text(&mut self, key: &'static str, field: &str, text: &str) -> Result<(), Error> {
        self.atom(key);
        self.string(field, text)
    }

    /// Adds a key with a day.
    pub(crate) fn day(&mut self, key: &'static str, field: &str, text: &str) -> Result<(), Error> {
        self.atom(key);
        let day = date(field, text)?;
        self.atom(&day);
        Ok(())
    }

    /// Adds a key with the name of a flag.
    pub(crate) fn keyword(
        &mut self,
        key: &'static str,
        field: &str,
        name: &str,
    ) -> Result<(), Error> {
        self.atom(key);
        let name = atom(field, name)?;
        self.atom(&name);
        Ok(())
    }

    /// The command, in pieces: before each but the first the server must ask to go on.
    pub(crate) fn command(mut self) -> Vec<String> {
        if self.pieces.is_empty() && self.current.is_empty() {
            self.current.push_str("ALL");
        }
        self.pieces.push(self.current);
        let charset = if self.utf8 { "CHARSET UTF-8 " } else { "" };
        if let Some(first) = self.pieces.first_mut() {
            first.insert_str(0, &format!("UID SEARCH {charset}"));
        }
        self.pieces
    }

    fn term(&mut self, field: &str, value: &Value, depth: usize) -> Result<(), Error> {
        self.terms += 1;
        if depth > DEPTH_MAX || self.terms > TERMS_MAX {
            return Err(Error::parameter(
                field,
                format!("a search has at most {TERMS_MAX} terms, {DEPTH_MAX} deep"),
            ));
        }
        match value {
            Value::String(text) => self.written(field, text),
            Value::Array(list) => match list.split_first() {
                Some((Value::String(key), args)) => self.key(field, key, args, depth),
                Some(_) => {
                    self.atom("(");
                    for (i, value) in list.iter().enumerate() {
                        self.term(&format!("{field}[{i}]"), value, depth + 1)?;
                    }
                    self.atom(")");
                    Ok(())
                }
                None => Err(Error::parameter(
                    field,
                    format!("`{field}` is an empty list"),
                )),
            },
            _ => Err(Error::parameter(
                field,
                format!(
                    "`{field}` must be a search key as text, or a list of a key and its arguments"
                ),
            )),
        }
    }

    /// A term in one text: `UNSEEN`, or `FROM ann`.
    fn written(&mut self, field: &str, text: &str) -> Result<(), Error> {
        let (key, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let rest = rest.trim();
        let unquoted = rest.strip_prefix('"').and_then(|r| r.strip_suffix('"'));
        let rest = unquoted.unwrap_or(rest);
        let args: Vec<Value> = if rest.is_empty() {
            Vec::new()
        } else {
            vec![rest.into()]
        };
        self.key(field, key, &args, 0)
    }

    fn key(&mut self, field: &str, key: &str, args: &[Value], depth: usize) -> Result<(), Error> {
        let key = match key.strip_prefix('!') {
            Some(key) => {
                self.atom("NOT");
                key
            }
            None => key,
        };
        let key = key.to_ascii_uppercase();
        let Some((count, takes)) = takes(&key) else {
            let key: String = key.chars().take(40).collect();
            let key = key.escape_debug();
            return Err(Error::parameter(
                field,
                format!("`{key}` in `{field}` is no IMAP search key, as UNSEEN or FROM"),
            ));
        };
        if args.len() != count {
            return Err(Error::parameter(
                field,
                format!(
                    "`{key}` in `{field}` takes {count} arguments, not {}",
                    args.len()
                ),
            ));
        }
        self.atom(&key);
        for (i, arg) in args.iter().enumerate() {
            if matches!(takes, Takes::Term) {
                self.term(&format!("{field}[{}]", i + 1), arg, depth + 1)?;
                continue;
            }
            let text = match arg {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => {
                    return Err(Error::parameter(
                        field,
                        format!("the argument of `{key}` in `{field}` must be text"),
                    ));
                }
            };
            match takes {
                Takes::Text => self.string(field, &text)?,
                Takes::Day => self.atom(&date(field, &text)?),
                Takes::Number => self.atom(&number(field, &text)?),
                Takes::Label => self.atom(&atom(field, &text)?),
                Takes::Uids => self.atom(&uids(field, &text)?),
                Takes::Term => {}
            }
        }
        Ok(())
    }

    /// Adds what is an atom by its making.
    fn atom(&mut self, atom: &str) {
        let open = self.current.is_empty() || self.current.ends_with('(') || atom == ")";
        if !open || (self.current.is_empty() && !self.pieces.is_empty()) {
            self.current.push(' ');
        }
        self.current.push_str(atom);
    }

    /// Adds text of the caller's.
    fn string(&mut self, field: &str, text: &str) -> Result<(), Error> {
        if text.chars().any(char::is_control) || text.len() > TEXT_MAX {
            return Err(Error::parameter(
                field,
                format!(
                    "a text in `{field}` must have at most {TEXT_MAX} bytes and no control characters"
                ),
            ));
        }
        if text.is_ascii() {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            self.atom(&format!("\"{quoted}\""));
            return Ok(());
        }
        // Quoted strings are ASCII; a literal is counted, so its bytes are no syntax.
        self.utf8 = true;
        self.atom("");
        let _ = write!(self.current, "{{{}}}", text.len());
        self.pieces.push(std::mem::take(&mut self.current));
        self.current.push_str(text);
        Ok(())
    }
}

/// What the arguments of a key are.
#[derive(Debug, Clone, Copy)]
enum Takes {
    Text,
    Day,
    Number,
    Label,
    Uids,
    Term,
}

/// How many arguments a key takes, and which; none for what is no key.
fn takes(key: &str) -> Option<(usize, Takes)> {
    Some(match key {
        "ALL" | "ANSWERED" | "DELETED" | "DRAFT" | "FLAGGED" | "NEW" | "OLD" | "RECENT"
        | "SEEN" | "UNANSWERED" | "UNDELETED" | "UNDRAFT" | "UNFLAGGED" | "UNSEEN" => {
            (0, Takes::Text)
        }
        "BCC" | "BODY" | "CC" | "FROM" | "SUBJECT" | "TEXT" | "TO" => (1, Takes::Text),
        "HEADER" => (2, Takes::Text),
        "BEFORE" | "ON" | "SINCE" | "SENTBEFORE" | "SENTON" | "SENTSINCE" => (1, Takes::Day),
        "LARGER" | "SMALLER" => (1, Takes::Number),
        "KEYWORD" | "UNKEYWORD" => (1, Takes::Label),
        "UID" => (1, Takes::Uids),
        "NOT" => (1, Takes::Term),
        "OR" => (2, Takes::Term),
        _ => return None,
    })
}
