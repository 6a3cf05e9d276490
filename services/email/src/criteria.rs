//! What mails are searched by, as IMAP writes it (RFC 3501 6.4.4).
//!
//! Nothing that a caller gives reaches the server as it is: keys are of a closed
//! list, dates and numbers are parsed, and text is quoted or sent as a counted
//! literal, so that none of it can be a command.

use std::fmt::Write;

use jiff::civil::Date;
use serde_json::Value;

use crate::error::Error;

/// Terms of one search, with those inside of others.
const TERMS_MAX: usize = 500;

/// How deep terms may stand in each other.
const DEPTH_MAX: usize = 8;

/// Bytes of one text. Servers compare each mail with it.
const TEXT_MAX: usize = 1000;

/// How dates may be written beside `2026-11-01`.
const DATE_FORMATS: &[&str] = &["%d-%b-%Y", "%b %d, %Y", "%B %d, %Y"];

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
        let (key, negated) = match key.strip_prefix('!') {
            Some(key) => (key, true),
            None => (key, false),
        };
        if negated {
            self.atom("NOT");
        }
        let key = key.to_ascii_uppercase();
        let wanted = |n: usize| {
            if args.len() == n {
                return Ok(());
            }
            Err(Error::parameter(
                field,
                format!(
                    "`{key}` in `{field}` takes {n} arguments, not {}",
                    args.len()
                ),
            ))
        };
        let text = |i: usize| match args.get(i) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(Error::parameter(
                field,
                format!("the argument of `{key}` in `{field}` must be text"),
            )),
        };
        match key.as_str() {
            "ALL" | "ANSWERED" | "DELETED" | "DRAFT" | "FLAGGED" | "NEW" | "OLD" | "RECENT"
            | "SEEN" | "UNANSWERED" | "UNDELETED" | "UNDRAFT" | "UNFLAGGED" | "UNSEEN" => {
                wanted(0)?;
                self.atom(&key);
            }
            "BCC" | "BODY" | "CC" | "FROM" | "SUBJECT" | "TEXT" | "TO" => {
                wanted(1)?;
                self.atom(&key);
                self.string(field, &text(0)?)?;
            }
            "BEFORE" | "ON" | "SINCE" | "SENTBEFORE" | "SENTON" | "SENTSINCE" => {
                wanted(1)?;
                self.atom(&key);
                let day = date(field, &text(0)?)?;
                self.atom(&day);
            }
            "LARGER" | "SMALLER" => {
                wanted(1)?;
                self.atom(&key);
                let number: u32 = text(0)?.parse().map_err(|_| {
                    Error::parameter(
                        field,
                        format!("`{key}` in `{field}` takes a number of bytes"),
                    )
                })?;
                self.atom(&number.to_string());
            }
            "KEYWORD" | "UNKEYWORD" => {
                wanted(1)?;
                self.atom(&key);
                let name = atom(field, &text(0)?)?;
                self.atom(&name);
            }
            "UID" => {
                wanted(1)?;
                self.atom(&key);
                let set = uids(field, &text(0)?)?;
                self.atom(&set);
            }
            "HEADER" => {
                wanted(2)?;
                self.atom(&key);
                self.string(field, &text(0)?)?;
                self.string(field, &text(1)?)?;
            }
            "NOT" | "OR" => {
                wanted(if key == "OR" { 2 } else { 1 })?;
                self.atom(&key);
                for (i, value) in args.iter().enumerate() {
                    self.term(&format!("{field}[{}]", i + 1), value, depth + 1)?;
                }
            }
            _ => {
                let key: String = key.chars().take(40).collect();
                return Err(Error::parameter(
                    field,
                    format!(
                        "`{}` in `{field}` is no IMAP search key, as UNSEEN or FROM",
                        key.escape_debug()
                    ),
                ));
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

/// A day as IMAP writes it.
fn date(field: &str, text: &str) -> Result<String, Error> {
    let day = text.split('T').next().unwrap_or_default();
    let parsed = day.parse::<Date>().ok().or_else(|| {
        let formats = DATE_FORMATS.iter();
        formats.filter_map(|f| Date::strptime(f, text).ok()).next()
    });
    match parsed {
        Some(day) if (1..=9999).contains(&day.year()) => {
            // IMAP counts four digits.
            Ok(format!("{}-{:04}", day.strftime("%d-%b"), day.year()))
        }
        _ => Err(Error::parameter(
            field,
            format!("`{field}` must have a day as `2026-11-01`"),
        )),
    }
}

/// The name of a flag.
fn atom(field: &str, text: &str) -> Result<String, Error> {
    let fits = |c: char| c.is_ascii_graphic() && !"(){%*\"\\]".contains(c);
    if text.is_empty() || text.len() > 100 || !text.chars().all(fits) {
        return Err(Error::parameter(
            field,
            format!(
                "a label in `{field}` must be ASCII without spaces and any of ( ) {{ % * \" \\ ]"
            ),
        ));
    }
    Ok(text.to_owned())
}

/// Numbers and ranges of numbers.
fn uids(field: &str, text: &str) -> Result<String, Error> {
    let number = |n: &str| n == "*" || n.parse::<u32>().is_ok_and(|n| n > 0);
    let fits = text.split(',').all(|range| match range.split_once(':') {
        Some((from, to)) => number(from) && number(to),
        None => number(range),
    });
    if !fits || text.len() > TEXT_MAX {
        return Err(Error::parameter(
            field,
            format!("`UID` in `{field}` takes numbers and ranges, as `3,5:9`"),
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn command(criteria: Value) -> String {
        match Criteria::parse(criteria.as_array().unwrap()) {
            Ok(criteria) => criteria.command().join("|"),
            Err(e) => format!("refused: {e}"),
        }
    }

    #[test]
    fn criteria_become_one_command() {
        for (criteria, expected) in [
            (json!([]), "UID SEARCH ALL"),
            (json!(["unseen"]), "UID SEARCH UNSEEN"),
            (
                json!(["!SEEN", "FROM ann b"]),
                "UID SEARCH NOT SEEN FROM \"ann b\"",
            ),
            (json!(["FROM \"a\""]), "UID SEARCH FROM \"a\""),
            (
                json!([
                    ["SINCE", "2026-11-01"],
                    ["BEFORE", "May 2, 2026"],
                    ["ON", "3-Nov-2026"],
                    ["SENTON", "2026-11-01T10:00:00Z"]
                ]),
                "UID SEARCH SINCE 01-Nov-2026 BEFORE 02-May-2026 ON 03-Nov-2026 SENTON 01-Nov-2026",
            ),
            (
                json!([["OR", "FLAGGED", ["NOT", ["SUBJECT", "x"]]]]),
                "UID SEARCH OR FLAGGED NOT SUBJECT \"x\"",
            ),
            (
                json!([["OR", [["FROM", "a"], "SEEN"], "NEW"]]),
                "UID SEARCH OR (FROM \"a\" SEEN) NEW",
            ),
            (
                json!([["HEADER", "X-A", "b"]]),
                "UID SEARCH HEADER \"X-A\" \"b\"",
            ),
            (
                json!([["UID", "1,5:*"], ["LARGER", 100]]),
                "UID SEARCH UID 1,5:* LARGER 100",
            ),
            (json!([["KEYWORD", "$Work"]]), "UID SEARCH KEYWORD $Work"),
            (
                json!([["SUBJECT", "grün"], "SEEN", ["BODY", "é"]]),
                "UID SEARCH CHARSET UTF-8 SUBJECT {5}|grün SEEN BODY {2}|é",
            ),
            (
                json!([["TO", "日"], ["CC", "本"]]),
                "UID SEARCH CHARSET UTF-8 TO {3}|日 CC {3}|本",
            ),
        ] {
            assert_eq!(command(criteria), expected);
        }
    }

    #[test]
    fn text_of_the_caller_is_never_a_command() {
        for (criteria, expected) in [
            (
                json!([["FROM", "\" OR ALL \\"]]),
                "UID SEARCH FROM \"\\\" OR ALL \\\\\"",
            ),
            (
                json!([["FROM", "{9999999}"]]),
                "UID SEARCH FROM \"{9999999}\"",
            ),
        ] {
            assert_eq!(command(criteria), expected);
        }
        for bad in [
            json!([["FROM", "\"\r\nA1 LOGOUT"]]),
            json!([["FROM", "a\0"]]),
            json!([["FROM", "x".repeat(TEXT_MAX + 1)]]),
            json!(["UNSEEN\r\nA1 LOGOUT"]),
            json!(["LOGOUT"]),
            json!(["1:5"]),
            json!([["KEYWORD", "a)"]]),
            json!([["KEYWORD", "a b"]]),
            json!([["UID", "1 ALL"]]),
            json!([["UID", "0"]]),
            json!([["SINCE", "yesterday"]]),
            json!([["SINCE", "2026-02-30"]]),
            json!([["LARGER", "x"]]),
            json!([["FROM"]]),
            json!([["SEEN", "x"]]),
            json!([["OR", "SEEN"]]),
            json!([[]]),
            json!([1]),
            json!([{}]),
            json!([["FROM", {}]]),
        ] {
            assert!(
                command(bad.clone()).starts_with("refused"),
                "{bad}: {}",
                command(bad.clone())
            );
        }
    }

    #[test]
    fn depth_and_number_of_terms_are_bounded() {
        let nested = |n| (0..n).fold(json!("SEEN"), |t, _| json!(["NOT", t]));
        assert!(!command(json!([nested(DEPTH_MAX)])).starts_with("refused"));
        assert!(command(json!([nested(DEPTH_MAX + 1)])).starts_with("refused"));
        assert!(!command(json!(vec!["SEEN"; TERMS_MAX])).starts_with("refused"));
        assert!(command(json!(vec!["SEEN"; TERMS_MAX + 1])).starts_with("refused"));
    }
}
