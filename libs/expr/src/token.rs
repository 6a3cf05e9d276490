//! The words of an expression. The parser has a lexer of its own; this one comes first, because limits, widenings and
//! readable errors need the words and their places before the parser runs.

use crate::error::{Error, SYNTAX, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Name,
    /// A name in double quotes.
    Quoted,
    Number,
    /// Text in single quotes.
    Text,
    /// JSON in backticks.
    Literal,
    Dot,
    Star,
    /// `[]`
    Flatten,
    /// `[?`
    Filter,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
    OpenParen,
    CloseParen,
    And,
    Or,
    Pipe,
    Not,
    Reference,
    Current,
    Comma,
    Colon,
    /// `==` and `!=`
    Equality,
    /// `<`, `<=`, `>`, `>=`
    Order,
}

impl Kind {
    /// Whether a value can end here, so that an operator or a closing bracket must follow.
    pub(crate) fn ends_value(self) -> bool {
        use Kind::{
            CloseBrace, CloseBracket, CloseParen, Current, Flatten, Literal, Name, Quoted, Star,
            Text,
        };
        matches!(
            self,
            Name | Quoted
                | Text
                | Literal
                | Star
                | Flatten
                | CloseBracket
                | CloseBrace
                | CloseParen
                | Current
        )
    }

    pub(crate) fn compares(self) -> bool {
        matches!(self, Kind::Equality | Kind::Order)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// Splits an expression into words, or says at which character that fails.
pub(crate) fn scan(text: &str) -> Result<Vec<Token>, Error> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, length) = word(text, at)?;
        tokens.push(Token {
            kind,
            span: Span::new(at, at + length),
        });
        at += length;
    }
    Ok(tokens)
}

fn word(text: &str, at: usize) -> Result<(Kind, usize), Error> {
    let bytes = text.as_bytes();
    let next = bytes.get(at + 1).copied();
    let pair = |second: u8, long: Kind, short: Kind| match next {
        Some(byte) if byte == second => (long, 2),
        _ => (short, 1),
    };
    Ok(match bytes[at] {
        b'a'..=b'z' | b'A'..=b'Z' | b'_' => (Kind::Name, run(bytes, at, is_name)),
        b'0'..=b'9' | b'-' => (Kind::Number, number(text, at)?),
        b'"' => (Kind::Quoted, quoted(text, at)?),
        b'\'' => (Kind::Text, quoted_length(text, at)?),
        b'`' => (Kind::Literal, literal(text, at)?),
        b'.' => (Kind::Dot, 1),
        b'*' => (Kind::Star, 1),
        b'[' if next == Some(b']') => (Kind::Flatten, 2),
        b'[' => pair(b'?', Kind::Filter, Kind::OpenBracket),
        b']' => (Kind::CloseBracket, 1),
        b'{' => (Kind::OpenBrace, 1),
        b'}' => (Kind::CloseBrace, 1),
        b'(' => (Kind::OpenParen, 1),
        b')' => (Kind::CloseParen, 1),
        b'&' => pair(b'&', Kind::And, Kind::Reference),
        b'|' => pair(b'|', Kind::Or, Kind::Pipe),
        b'!' => pair(b'=', Kind::Equality, Kind::Not),
        b'<' | b'>' => pair(b'=', Kind::Order, Kind::Order),
        b'=' if next == Some(b'=') => (Kind::Equality, 2),
        b'@' => (Kind::Current, 1),
        b',' => (Kind::Comma, 1),
        b':' => (Kind::Colon, 1),
        _ => return Err(stray(text, at)),
    })
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// How many bytes from `at` on are of a kind.
fn run(bytes: &[u8], at: usize, is: fn(u8) -> bool) -> usize {
    bytes[at..].iter().take_while(|byte| is(**byte)).count()
}

fn number(text: &str, at: usize) -> Result<usize, Error> {
    let bytes = text.as_bytes();
    let digits = |from: usize| run(bytes, from.min(bytes.len()), |byte| byte.is_ascii_digit());
    let mut end = at + usize::from(bytes[at] == b'-');
    let whole = digits(end);
    if whole == 0 {
        let span = Span::new(at, at + 1);
        return Err(Error::new(SYNTAX, "`-` must be followed by a number", span)
            .hint("a name with a hyphen stands in double quotes: \"a-b\"")
            .hint("there is no arithmetic in expressions"));
    }
    end += whole;
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + signed);
        if exponent > 0 {
            end += 1 + signed + exponent;
        }
    }
    Ok(end - at)
}

/// The length of what stands between two equal quotes, quotes included. A backslash protects the character after it.
pub(crate) fn quoted_length(text: &str, at: usize) -> Result<usize, Error> {
    let bytes = text.as_bytes();
    let quote = bytes[at];
    let mut end = at + 1;
    while end < bytes.len() {
        match bytes[end] {
            b'\\' => end += 2,
            byte if byte == quote => return Ok(end + 1 - at),
            _ => end += 1,
        }
    }
    let message = format!("{} is not closed", quote_name(quote));
    Err(Error::new(SYNTAX, message, Span::new(at, text.len())))
}

fn quote_name(quote: u8) -> &'static str {
    match quote {
        b'\'' => "the single quote",
        b'"' => "the double quote",
        _ => "the backtick",
    }
}

fn quoted(text: &str, at: usize) -> Result<usize, Error> {
    let length = quoted_length(text, at)?;
    let span = Span::new(at, at + length);
    match serde_json::from_str::<String>(span.of(text)) {
        Ok(_) => Ok(length),
        Err(_) => Err(Error::new(
            SYNTAX,
            format!("{} is not a quoted name", shown(span.of(text))),
            span,
        )
        .hint("inside double quotes the escapes are those of JSON")),
    }
}

/// The JSON between two backticks.
pub(crate) fn literal_json(literal: &str) -> serde_json::Result<serde_json::Value> {
    let inner = literal.get(1..literal.len() - 1).unwrap_or_default();
    serde_json::from_str(&inner.replace("\\`", "`"))
}

fn literal(text: &str, at: usize) -> Result<usize, Error> {
    let length = quoted_length(text, at)?;
    let span = Span::new(at, at + length);
    let literal = span.of(text);
    if literal_json(literal).is_ok() {
        return Ok(length);
    }
    let inner = &literal[1..literal.len() - 1];
    let error = Error::new(
        SYNTAX,
        format!("backticks hold JSON, and {} is not JSON", shown(inner)),
        span,
    );
    if inner.is_empty() || inner.contains(['\'', '\\', '"', '{', '[', '\n']) {
        return Err(error);
    }
    Err(error
        .hint(format!("text is '{inner}'"))
        .fixed(span, format!("'{inner}'")))
}

fn stray(text: &str, at: usize) -> Error {
    let character = text[at..].chars().next().unwrap_or_default();
    let span = Span::new(at, at + character.len_utf8());
    if character == '=' {
        return single_equals(text, span);
    }
    let error = Error::new(
        SYNTAX,
        format!(
            "`{}` has no meaning in an expression",
            character.escape_debug()
        ),
        span,
    );
    match character {
        '+' | '/' | '%' => error.hint("there is no arithmetic in expressions"),
        '$' => error.hint("names are written without `$`"),
        _ if character.is_alphabetic() => {
            error.hint("a name with such letters stands in double quotes")
        }
        _ => error,
    }
}

/// `=`, `===` or `!==`.
fn single_equals(text: &str, span: Span) -> Error {
    let before = &text[..span.start];
    let (meant, start) = match before.get(before.len().saturating_sub(2)..) {
        Some(long @ ("==" | "!=")) => (long, span.start - 2),
        _ => ("==", span.start),
    };
    let span = Span::new(start, span.end);
    Error::new(
        SYNTAX,
        format!("`{}` is not an operator", span.of(text)),
        span,
    )
    .hint(format!("it is written `{meant}`"))
    .fixed(span, meant)
}

/// A piece of the writer's text for a message: in backticks, one line, at most 40 characters.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 40;
    let mut short: String = text
        .chars()
        .take(SHOWN_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if short.len() < text.len() {
        short.push_str("..");
    }
    if short.contains('`') {
        return short;
    }
    format!("`{short}`")
}
