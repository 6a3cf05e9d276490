//! How much of a raw message may be parsed.
//!
//! A parser needs more than the message's size where parts stand in each other or
//! come by the thousand. So the message is measured first, with one pass over its
//! lines, and cut where a limit is passed: what stands before is parsed.

use memchr::memchr;

/// How deep parts may stand in each other.
pub(crate) const DEPTH_MAX: usize = 32;

/// Parts of one message.
pub(crate) const PARTS_MAX: usize = 1000;

/// Bytes of the headers of one part.
pub(crate) const HEADERS_MAX: usize = 256 * 1024;

/// What is open at some line.
enum Level {
    /// A multipart with its boundary.
    Multipart(Vec<u8>),
    /// A message in a message.
    Message,
}

/// The part of a raw message that is within the limits; all of it, if it is.
pub(crate) fn bounded(raw: &[u8]) -> &[u8] {
    let mut levels: Vec<Level> = Vec::new();
    let mut parts = 1;
    let mut in_headers = true;
    let mut headers_from = 0;
    let mut at = 0;
    // A boundary may stand in a line of its own below its Content-Type.
    let mut header = Vec::new();
    while at < raw.len() {
        let rest = raw.get(at..).unwrap_or_default();
        let end = memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
        let line = rest.get(..end).unwrap_or_default().trim_ascii_end();
        if in_headers && at - headers_from > HEADERS_MAX {
            return raw.get(..headers_from + HEADERS_MAX).unwrap_or(raw);
        }
        if let Some(level) = delimiter(line, &levels) {
            levels.truncate(level + 1);
            parts += 1;
            in_headers = true;
            headers_from = at + end;
            header.clear();
        } else if in_headers {
            let folded = line.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
            if !folded {
                levels.extend(opened(&header));
                header.clear();
            }
            if line.is_empty() {
                // A message within begins with headers of its own.
                in_headers = matches!(levels.last(), Some(Level::Message)) && at > headers_from;
                headers_from = at + end;
            } else if header.len() < HEADERS_MAX {
                header.extend_from_slice(line);
            }
        }
        if levels.len() > DEPTH_MAX || parts > PARTS_MAX {
            return raw.get(..at).unwrap_or(raw);
        }
        at += end;
    }
    if in_headers && raw.len() - headers_from > HEADERS_MAX {
        return raw.get(..headers_from + HEADERS_MAX).unwrap_or(raw);
    }
    raw
}

/// The level whose boundary a line is.
fn delimiter(line: &[u8], levels: &[Level]) -> Option<usize> {
    let rest = line.strip_prefix(b"--")?;
    levels.iter().rposition(|level| match level {
        Level::Multipart(boundary) => {
            rest == boundary.as_slice() || rest.strip_suffix(b"--") == Some(boundary)
        }
        Level::Message => false,
    })
}

/// What a whole header opens.
fn opened(header: &[u8]) -> Option<Level> {
    const NAME: &[u8] = b"content-type:";
    let name = header.get(..NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    let value = header.get(NAME.len()..)?.trim_ascii_start();
    let lower = value.to_ascii_lowercase();
    if lower.starts_with(b"message/") {
        return Some(Level::Message);
    }
    if !lower.starts_with(b"multipart/") {
        return None;
    }
    let from = memchr::memmem::find(&lower, b"boundary")? + b"boundary".len();
    let value = value.get(from..)?.trim_ascii_start().strip_prefix(b"=")?;
    let value = value.trim_ascii_start();
    let boundary = match value.strip_prefix(b"\"") {
        Some(quoted) => quoted.get(..memchr(b'"', quoted)?)?,
        None => {
            let end = value
                .iter()
                .position(|b| b.is_ascii_whitespace() || *b == b';');
            value.get(..end.unwrap_or(value.len()))?
        }
    };
    (!boundary.is_empty()).then(|| Level::Multipart(boundary.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(raw: &str) -> bool {
        bounded(raw.as_bytes()).len() == raw.len()
    }

    fn nested(depth: usize) -> String {
        use std::fmt::Write;
        let mut raw = "From: a@b.test\r\n".to_owned();
        for i in 0..depth {
            let _ = write!(
                raw,
                "Content-Type: multipart/mixed;\r\n boundary=\"b{i}\"\r\n\r\n--b{i}\r\n"
            );
        }
        raw + "\r\ndeep\r\n"
    }

    fn wide(parts: usize) -> String {
        let part = "--b\r\n\r\nx\r\n".repeat(parts);
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{part}--b--\r\n")
    }

    #[test]
    fn depth_is_bounded() {
        assert!(whole(&nested(DEPTH_MAX)));
        assert!(!whole(&nested(DEPTH_MAX + 1)));
        let message = "Content-Type: message/rfc822\r\n\r\n";
        assert!(whole(&format!(
            "{}Subject: x\r\n\r\n",
            message.repeat(DEPTH_MAX)
        )));
        assert!(!whole(&format!(
            "{}Subject: x\r\n\r\n",
            message.repeat(DEPTH_MAX + 1)
        )));
    }

    #[test]
    fn parts_are_bounded() {
        assert!(whole(&wide(PARTS_MAX - 2)));
        assert!(!whole(&wide(PARTS_MAX)));
    }

    #[test]
    fn headers_are_bounded() {
        let headers = |n: usize| format!("Subject: {}\r\n\r\nbody", "x".repeat(n));
        assert!(whole(&headers(HEADERS_MAX - 20)));
        assert!(!whole(&headers(HEADERS_MAX + 1)));
        assert!(!whole(&"X".repeat(HEADERS_MAX + 1)));
        assert!(!whole(&"X: y\r\n".repeat(HEADERS_MAX)));
        assert!(whole(&format!(
            "Subject: x\r\n\r\n{}",
            "y".repeat(HEADERS_MAX * 2)
        )));
    }

    #[test]
    fn dashes_in_a_text_are_no_parts() {
        assert!(whole(&format!(
            "Subject: x\r\n\r\n{}",
            "--\r\n--b\r\n".repeat(PARTS_MAX)
        )));
    }
}
