//! What a status of 400 or more means to the caller.

use http::StatusCode;
use tonic::Code;

/// Characters of a refused answer's body that the fault carries.
pub(crate) const EXCERPT_MAX: usize = 500;

/// Whether the same request may succeed later.
pub(crate) fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502..=504)
}

/// The gRPC code of a status of 400 or more.
pub(crate) fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        400 | 422 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 | 410 => Code::NotFound,
        408 | 504 => Code::DeadlineExceeded,
        409 => Code::Aborted,
        425 => Code::Unavailable,
        429 => Code::ResourceExhausted,
        501 => Code::Unimplemented,
        500.. => Code::Unavailable,
        _ => Code::FailedPrecondition,
    }
}

/// The beginning of a body as one line: control characters and those that turn
/// the direction of text are escaped.
pub(crate) fn excerpt(text: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.trim().chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let (escaped, plain) = if c.is_control() || turns {
            (Some(c.escape_default()), None)
        } else {
            (None, Some(c))
        };
        let shown = escaped.into_iter().flatten().chain(plain);
        let more = shown.clone().count();
        if length + more > EXCERPT_MAX {
            break;
        }
        length += more;
        out.extend(shown);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_follows_the_status() {
        let of = |n| code(StatusCode::from_u16(n).unwrap());
        for (status, expected) in [
            (400, Code::InvalidArgument),
            (401, Code::Unauthenticated),
            (402, Code::FailedPrecondition),
            (403, Code::PermissionDenied),
            (404, Code::NotFound),
            (408, Code::DeadlineExceeded),
            (409, Code::Aborted),
            (410, Code::NotFound),
            (412, Code::FailedPrecondition),
            (418, Code::FailedPrecondition),
            (422, Code::InvalidArgument),
            (429, Code::ResourceExhausted),
            (500, Code::Unavailable),
            (501, Code::Unimplemented),
            (503, Code::Unavailable),
            (504, Code::DeadlineExceeded),
            (599, Code::Unavailable),
        ] {
            assert_eq!(of(status), expected, "{status}");
        }
    }

    #[test]
    fn exactly_seven_statuses_are_worth_another_try() {
        let found: Vec<u16> = (400..600)
            .filter(|n| is_transient(StatusCode::from_u16(*n).unwrap()))
            .collect();
        assert_eq!(found, [408, 425, 429, 500, 502, 503, 504]);
    }

    #[test]
    fn excerpt_is_short_and_one_line() {
        assert_eq!(
            excerpt(" no\r\nsuch \u{1b}[31mthing\u{202e} é "),
            "no\\r\\nsuch \\u{1b}[31mthing\\u{202e} é"
        );
        assert_eq!(
            excerpt(&"é".repeat(EXCERPT_MAX + 1)).chars().count(),
            EXCERPT_MAX
        );
        assert_eq!(excerpt(&"\n".repeat(EXCERPT_MAX)), "");
        let cut = excerpt(&format!("{}\u{1b}", "x".repeat(EXCERPT_MAX - 1)));
        assert_eq!(
            cut.len(),
            EXCERPT_MAX - 1,
            "an escape is never cut in the middle"
        );
    }
}
