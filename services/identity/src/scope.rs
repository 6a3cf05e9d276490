//! Scopes as text.

/// Most scopes of one client or token.
pub(crate) const SCOPES_MAX: usize = 64;

/// Longest part of a scope.
const PART_MAX: usize = 32;

/// Whether a text is a scope: `*`, `ENGINE:*` or `ENGINE:VERB`.
pub(crate) fn is_scope(text: &str) -> bool {
    let word = |t: &str| {
        (1..=PART_MAX).contains(&t.len())
            && t.starts_with(|c: char| c.is_ascii_lowercase())
            && t.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text == "*"
        || text
            .split_once(':')
            .is_some_and(|(engine, verb)| word(engine) && (verb == "*" || word(verb)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_have_two_parts_or_are_everything() {
        for good in ["*", "file:*", "file:read", "my_engine2:admin"] {
            assert!(is_scope(good), "{good}");
        }
        for bad in [
            "",
            "file",
            "file:",
            ":read",
            "*:read",
            "File:read",
            "a:b:c",
            "a b:c",
            "**",
        ] {
            assert!(!is_scope(bad), "{bad}");
        }
    }
}
