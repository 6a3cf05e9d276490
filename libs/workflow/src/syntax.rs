//! Why a file is not YAML, in the words of who wrote it.

use serde_saphyr::granit_parser::{ErrorKind, Parser, ScanError};

use crate::diagnostic::Report;
use crate::source::{Lines, Span, is_json};
use crate::{builder, tree};

const MAP_FOR_EXPRESSION: &str = "unquoted `${...}` or `{{ }}` was read as a map; put it in quotes";

/// Reports the error that ended the reading.
pub(crate) fn report(report: &mut Report<'_>, error: &ScanError) {
    let file = report.text();
    let lines = Lines::new(file);
    let at = error
        .marker()
        .byte_offset()
        .unwrap_or_else(|| lines.start(error.marker().line()));
    let at = at.min(file.len());
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        let message = format!(
            "lists and maps are nested deeper than {} levels",
            tree::NESTING_MAX
        );
        report.error("FILE_TOO_LARGE", Span::new(at, at), message);
        return;
    }
    let json = is_json(file);
    if let Some(span) = tab(file, &lines, at).filter(|_| !json) {
        report
            .error("YAML_TAB", span, "tab in the indentation")
            .hint("indent with spaces");
        return;
    }
    if let Some((span, whole)) = unquoted(file, &lines, at) {
        let quoted = quoted(&file[whole.start..whole.end]);
        let mended = format!("{}{quoted}{}", &file[..whole.start], &file[whole.end..]);
        let safe = reads_on(&mended, at);
        let diagnostic = report.error("YAML_MAP_FOR_EXPRESSION", span, MAP_FOR_EXPRESSION);
        if safe {
            diagnostic.edit(whole, quoted);
        }
        return;
    }
    let message = match error.kind() {
        ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::InvalidIndentation => "the indentation fits nothing above".to_owned(),
        ErrorKind::UnknownAnchor => "the alias names no anchor above".to_owned(),
        _ => lowercase(error.info()),
    };
    let trailing = matches!(
        error.kind(),
        ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar
    );
    let diagnostic = report.error("YAML_SYNTAX", Span::new(at, at), message);
    if trailing {
        diagnostic.hint("put the whole value in quotes, with '' inside of '..' for a quote");
    }
}

/// Reports `{{ x }}`, which YAML reads as a map with a map as its key.
pub(crate) fn report_braces(report: &mut Report<'_>, span: Span) {
    let file = report.text();
    let rest = &file[span.start..];
    let Some(length) = rest
        .find("}}")
        .map(|at| at + 2)
        .filter(|end| !rest[..*end].contains('\n'))
    else {
        report.error("YAML_MAP_FOR_EXPRESSION", span, MAP_FOR_EXPRESSION);
        return;
    };
    let whole = Span::new(span.start, span.start + length);
    let inner = rest[2..length - 2].trim();
    let plain = !inner.is_empty() && !inner.contains(['{', '}', '"', '\\', '|']);
    let text = format!("\"${{{inner}}}\"");
    let diagnostic = report.error("YAML_MAP_FOR_EXPRESSION", whole, MAP_FOR_EXPRESSION);
    if plain {
        diagnostic.edit(whole, text);
    } else {
        diagnostic.hint("an expression is written \"${...}\"");
    }
}

fn lowercase(mut text: String) -> String {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

/// The first tab in the indentation up to the place, when the line of the place has one or the one before.
fn tab(file: &str, lines: &Lines, at: usize) -> Option<Span> {
    let line = lines.line(at);
    for number in [line.saturating_sub(1), line, line + 1] {
        let start = lines.start(number);
        let rest = file.get(start..)?;
        let indentation = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = rest[..indentation].find('\t') {
            return Some(Span::new(start + tab, start + tab + 1));
        }
    }
    None
}

/// An unquoted `${..}` in the line of the place: its span, and that of the scalar around it.
fn unquoted(file: &str, lines: &Lines, at: usize) -> Option<(Span, Span)> {
    let start = lines.start(lines.line(at));
    let line = file.get(start..)?.split('\n').next()?.trim_end();
    let bytes = line.as_bytes();
    let (mut quote, mut scalar, mut flow) = (None, 0, 0usize);
    let mut from = 0;
    while from < bytes.len() {
        let byte = bytes[from];
        let boundary = from == 0 || matches!(bytes[from - 1], b' ' | b'[' | b'{' | b',');
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') if boundary => quote = Some(byte),
            (None, b'#') if boundary => return None,
            (None, b'$') if bytes.get(from + 1) == Some(&b'{') => {
                let span = Span::new(start + from, start + from + balanced(&line[from..]));
                let end = scalar_end(line, span.end - start, flow > 0);
                let lead = line[scalar..].len() - line[scalar..].trim_start().len();
                return Some((span, Span::new(start + scalar + lead, start + end)));
            }
            (None, b'[' | b'{') => {
                flow += 1;
                scalar = from + 1;
            }
            (None, b']' | b'}') => flow = flow.saturating_sub(1),
            (None, b',') if flow > 0 => scalar = from + 1,
            (None, b':' | b'-')
                if bytes.get(from + 1) == Some(&b' ') && (byte == b':' || boundary) =>
            {
                scalar = from + 2
            }
            _ => {}
        }
        from += 1;
    }
    None
}

/// Length of the `${..}` that the text starts with; the rest of the line when it is not closed.
fn balanced(text: &str) -> usize {
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Where a plain scalar ends that goes on at `from`.
fn scalar_end(line: &str, from: usize, flow: bool) -> usize {
    let rest = &line[from..];
    let comment = rest.find(" #").unwrap_or(rest.len());
    let end = if flow {
        rest[..comment].find([',', ']', '}']).unwrap_or(comment)
    } else {
        comment
    };
    from + rest[..end].trim_end().len()
}

/// A text in the quotes that need no escape, else in single ones.
fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{text}\"")
    }
}

/// Whether the parser gets past the place now.
fn reads_on(text: &str, at: usize) -> bool {
    let mut parser = Parser::new_from_str_with_options(text, builder::options());
    while let Some(event) = parser.next_event() {
        if let Err(error) = event {
            return error
                .marker()
                .byte_offset()
                .is_some_and(|offset| offset > at + 2);
        }
    }
    true
}
