//! Paths below a root, as text that no file system reads in another way.

use std::fmt;

use crate::error::Error;

/// Longest path below a root, in bytes.
pub(crate) const PATH_MAX: usize = 4_096;

/// Longest name of a file or folder, in bytes: what common file systems keep.
pub(crate) const NAME_MAX: usize = 255;

/// Most names in a path.
pub(crate) const DEPTH_MAX: usize = 64;

/// How the names of unfinished files begin and end; nobody else may use such.
pub(crate) const DRAFT_PREFIX: &str = ".gm-";
/// See [`DRAFT_PREFIX`].
pub(crate) const DRAFT_SUFFIX: &str = ".part";

/// Names that some system takes for a device, whatever follows a dot.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
/// As [`DEVICES`], followed by one digit.
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// A path below a root: names joined by `/`, without `.`, `..` and empty names;
/// empty for the root itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Relative(String);

/// Why a text is no such path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It climbs above where it begins.
    Escapes,
    /// It breaks a rule.
    Rule(&'static str),
}

impl Flaw {
    pub(crate) fn error(self, path: &str) -> Error {
        let path = path.to_owned();
        match self {
            Self::Escapes => Error::Escapes { path },
            Self::Rule(why) => Error::InvalidPath { path, why },
        }
    }
}

impl Relative {
    /// The root itself.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// Reads a path. `..` takes back the name before it, which means the same as
    /// on disk since no link is ever followed.
    pub(crate) fn parse(text: &str) -> Result<Self, Flaw> {
        if text.len() > PATH_MAX {
            return Err(Flaw::Rule("is longer than 4,096 bytes"));
        }
        let mut names: Vec<&str> = Vec::new();
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." => {
                    names.pop().ok_or(Flaw::Escapes)?;
                }
                name => {
                    check_name(name)?;
                    names.push(name);
                }
            }
        }
        if names.len() > DEPTH_MAX {
            return Err(Flaw::Rule("has more than 64 parts"));
        }
        Ok(Self(names.join("/")))
    }

    /// A path that is only compared with others, never opened.
    pub(crate) fn unchecked(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Reads the path of an archive's entry, which may not even try to climb.
    pub(crate) fn parse_entry(text: &str) -> Result<Self, Flaw> {
        if text.starts_with('/') {
            return Err(Flaw::Rule("is an absolute path"));
        }
        if text.split('/').any(|name| name == "..") {
            return Err(Flaw::Rule("leads out of the folder"));
        }
        Self::parse(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The folder around it and its name; none for the root.
    pub(crate) fn split(&self) -> Option<(Self, &str)> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.rsplit_once('/') {
            Some((parent, name)) => (Self(parent.to_owned()), name),
            None => (Self::root(), &self.0),
        })
    }

    /// A path below this one.
    pub(crate) fn join(&self, below: &Self) -> Self {
        match (self.is_root(), below.is_root()) {
            (true, _) => below.clone(),
            (_, true) => self.clone(),
            _ => Self(format!("{}/{}", self.0, below.0)),
        }
    }

    /// A name below this path, as the system gave it: not checked, since nothing
    /// but the system will read it.
    pub(crate) fn child(&self, name: &str) -> Self {
        if self.is_root() {
            Self(name.to_owned())
        } else {
            Self(format!("{}/{name}", self.0))
        }
    }

    /// The folders above it, from the outermost; without the root and itself.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

impl fmt::Display for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a name is one of an unfinished file.
pub(crate) fn is_draft(name: &str) -> bool {
    name.starts_with(DRAFT_PREFIX) && name.ends_with(DRAFT_SUFFIX)
}

fn check_name(name: &str) -> Result<(), Flaw> {
    let rule = |broken: bool, why| if broken { Err(Flaw::Rule(why)) } else { Ok(()) };
    rule(name.len() > NAME_MAX, "has a name longer than 255 bytes")?;
    rule(
        name.chars().any(char::is_control),
        "has a control character",
    )?;
    rule(
        name.contains('\\'),
        "has a backslash; parts are separated by `/`",
    )?;
    rule(
        name.ends_with(['.', ' ']),
        "has a name that ends with a dot or a space",
    )?;
    rule(
        name.chars().any(is_bidi),
        "has a character that changes the direction of writing",
    )?;
    rule(
        is_device(name),
        "has a name that some systems take for a device",
    )?;
    rule(
        is_draft(name),
        "has a name that is kept for unfinished files",
    )
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end()
        .to_ascii_lowercase();
    if DEVICES.contains(&stem.as_str()) {
        return true;
    }
    NUMBERED_DEVICES.iter().any(|device| {
        stem.strip_prefix(device)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, Flaw>) {
        assert_eq!(
            Relative::parse(text).map(|p| p.0),
            expected.map(str::to_owned),
            "{text:?}"
        );
    }

    #[test]
    fn path_is_brought_to_one_spelling() {
        for (text, expected) in [
            ("", ""),
            (".", ""),
            ("./", ""),
            ("a", "a"),
            ("./a//b/", "a/b"),
            ("a/../b", "b"),
            ("a/b/../..", ""),
            ("ä ö/日本.txt", "ä ö/日本.txt"),
            ("...a", "...a"),
            ("a:b", "a:b"),
        ] {
            check(text, Ok(expected));
        }
    }

    #[test]
    fn climbing_above_the_root_is_an_escape() {
        for text in ["..", "../a", "a/../..", "a/b/../../../c", "./.."] {
            check(text, Err(Flaw::Escapes));
        }
    }

    #[test]
    fn names_that_some_system_reads_otherwise_are_refused() {
        for text in [
            "a\\b",
            "a\u{0}b",
            "a\nb",
            "\u{7f}",
            "a.",
            "a ",
            "a/b./c",
            "CON",
            "con.txt",
            "x/NUL",
            "Com1.log",
            "lpt9",
            "aux .c",
            "a\u{202e}gpj.exe",
            "\u{200f}",
            "\u{2066}x",
            ".gm-0011223344556677.part",
        ] {
            assert!(
                matches!(Relative::parse(text), Err(Flaw::Rule(_))),
                "{text:?}"
            );
        }
        for text in [
            "console",
            "com",
            "com10",
            "com1x",
            "nulls.txt",
            ".gm-x",
            "x.part",
        ] {
            assert!(Relative::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let name = "n".repeat(NAME_MAX);
        assert!(Relative::parse(&name).is_ok());
        assert!(Relative::parse(&format!("{name}n")).is_err());
        assert!(
            Relative::parse(&"ä".repeat(128)).is_err(),
            "bytes count, not characters"
        );

        let deep = vec!["d"; DEPTH_MAX].join("/");
        assert!(Relative::parse(&deep).is_ok());
        assert!(Relative::parse(&format!("{deep}/d")).is_err());

        let long = format!("{}/{}", "n".repeat(200), "./".repeat(3_895 / 2));
        let long = format!("{long}{}", "x".repeat(PATH_MAX - long.len()));
        assert_eq!(long.len(), PATH_MAX);
        assert!(Relative::parse(&long).is_ok());
        assert!(Relative::parse(&format!("{long}x")).is_err());
    }

    #[test]
    fn entry_may_not_even_try_to_climb() {
        assert!(Relative::parse_entry("a/../b").is_err());
        assert!(Relative::parse_entry("/a").is_err());
        assert_eq!(Relative::parse_entry("./a/").unwrap().as_str(), "a");
    }

    #[test]
    fn ancestors_are_the_folders_above() {
        let path = Relative::parse("a/b/c").unwrap();
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(path.split(), Some((Relative::parse("a/b").unwrap(), "c")));
        assert_eq!(Relative::root().split(), None);
    }
}
