//! Patterns of topics, as the bus takes them: a file must not name what nobody can subscribe to.

/// Longest topic or pattern, in characters: the bus takes no longer one.
pub const TOPIC_MAX: usize = 100;

/// Whether a text is a topic, in which `*` may stand for one part and a last `**` for all further.
pub(crate) fn is_pattern(text: &str) -> bool {
    let mut parts = text.split('.').peekable();
    let mut fits = text.len() <= TOPIC_MAX;
    while let Some(part) = parts.next() {
        let rest = part == "**" && parts.peek().is_none();
        fits &= rest || part == "*" || is_part(part);
    }
    fits
}

fn is_part(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !part.is_empty() && part.bytes().all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_whole_wildcards_and_rest_is_last() {
        // WF-7.6: the words of the bus, and its length.
        let long = "a".repeat(TOPIC_MAX);
        for good in [
            "a",
            "a.b",
            "*",
            "**",
            "a.*",
            "*.b",
            "a.**",
            "*.*.**",
            "Order-1.x_2.3",
            &long,
        ] {
            assert!(is_pattern(good), "{good}");
        }
        let long = "a".repeat(TOPIC_MAX + 1);
        for bad in [
            "", ".", "a.", ".a", "a..b", "a b", "\u{e4}", "a/b", "a\n", "a*", "**.a", "a.**.b",
            "***", "a..*", "*.", &long,
        ] {
            assert!(!is_pattern(bad), "{bad:?}");
        }
    }
}
