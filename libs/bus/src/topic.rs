//! Names that cannot be wrong: topics, patterns of topics, groups and members.

use std::fmt;

use crate::error::Error;

/// Longest topic, pattern or name, in characters: a path of words, no content.
pub const TOPIC_MAX: usize = 100;

/// What an event is about: parts of `A-Za-z0-9_-`, separated by `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(String);

impl Topic {
    /// Reads a topic.
    ///
    /// # Errors
    /// [`Error::Topic`] when it is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fits = text.len() <= TOPIC_MAX && text.split('.').all(is_part);
        fits.then(|| Self(text.to_owned()))
            .ok_or_else(|| Error::Topic(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which topics are meant: a topic in which `*` stands for one part, and a last
/// `**` for all further parts, of which there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`Error::Pattern`] when it is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parts = text.split('.').peekable();
        let mut fits = text.len() <= TOPIC_MAX;
        while let Some(part) = parts.next() {
            let rest = part == "**" && parts.peek().is_none();
            fits &= rest || part == "*" || is_part(part);
        }
        fits.then(|| Self(text.to_owned()))
            .ok_or_else(|| Error::Pattern(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a topic is meant.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        let mut topic = topic.split('.');
        for part in self.0.split('.') {
            match (part, topic.next()) {
                (_, None) => return false,
                ("**", Some(_)) => return true,
                ("*", Some(_)) => {}
                (part, Some(found)) if part == found => {}
                _ => return false,
            }
        }
        topic.next().is_none()
    }

    /// The one topic that is meant, when the pattern has no wildcard.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(self.0.as_str())
    }
}

impl From<Topic> for Pattern {
    fn from(topic: Topic) -> Self {
        Self(topic.0)
    }
}

/// The name of a group or of a member: `A-Za-z0-9._-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// [`Error::Name`] when it is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fits =
            (1..=TOPIC_MAX).contains(&text.len()) && text.bytes().all(|b| is_word(b) || b == b'.');
        fits.then(|| Self(text.to_owned()))
            .ok_or_else(|| Error::Name(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn is_part(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_parts_of_words() {
        for good in ["a", "a.b", "Order-1.x_2.3", &"a".repeat(TOPIC_MAX)] {
            assert!(Topic::parse(good).is_ok(), "{good}");
        }
        let long = "a".repeat(TOPIC_MAX + 1);
        for bad in [
            "", ".", "a.", ".a", "a..b", "a b", "ä", "*", "a/b", "a\n", &long,
        ] {
            assert!(Topic::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn patterns_have_whole_wildcards_and_rest_is_last() {
        for good in ["a", "*", "**", "a.*", "*.b", "a.**", "*.*.**"] {
            assert!(Pattern::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a*", "**.a", "a.**.b", "***", "a..*", "*."] {
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn patterns_match_by_parts() {
        let check = |pattern: &str, yes: &[&str], no: &[&str]| {
            let parsed = Pattern::parse(pattern).unwrap();
            for topic in yes {
                assert!(parsed.matches(topic), "{pattern} {topic}");
            }
            for topic in no {
                assert!(!parsed.matches(topic), "{pattern} {topic}");
            }
        };
        check("a.b", &["a.b"], &["a", "a.b.c", "a.c", "aXb"]);
        check("a.*", &["a.b", "a.c"], &["a", "a.b.c", "b.a"]);
        check("*.b", &["a.b"], &["b", "a.b.c"]);
        check("a.**", &["a.b", "a.b.c"], &["a", "ab.c"]);
        check("**", &["a", "a.b", "a.b.c"], &[]);
        check("*", &["a"], &["a.b"]);
    }
}
