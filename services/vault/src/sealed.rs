//! Values that are kept for a run alone: the secrets that stand in its workflow as they
//! are, and its sensitive results.
//!
//! They lie in scopes. A scope has a key of its own, as a vault of people has, and is gone
//! with the last run that may use it. What a scope is called comes from whoever starts the
//! run, so that a repeat of the request meets the same one; what a value is called in it is
//! a HMAC of both under the root key, so that the same value has the same reference, and
//! the reference tells nothing of the value.

use std::fmt;

use crate::error::Error;
use crate::key::Key;
use crate::name::{CredentialName, VaultName};
use crate::record;
use crate::reference::Reference;

/// How a reference to a sealed value begins. No vault of people has such a name.
const PREFIX: &str = "vault://~run/";

/// Hex digits of a scope, and of a value's name in it: 128 bits.
const DIGITS: usize = 32;

/// What the root key is used for that names sealed values.
const NAMES: &[u8] = b"gearmesh vault sealed value";

/// Values of one request: as many as a check of a workflow tells at most.
pub const SEALED_MAX: usize = 1_000;

/// Longest id of a run, in bytes.
const RUN_MAX: usize = 64;

/// A set of values that are sealed together and forgotten together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope(String);

impl Scope {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if is_hex(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::Parameter {
            field: "scope",
            reason: "is 32 hex digits",
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the vault whose key wraps those of the scope's values.
    pub(crate) fn vault(&self) -> VaultName {
        VaultName::of_scope(&self.0)
    }

    /// What refers to a value of this scope.
    pub(crate) fn sealed(&self, root: &Key, value: &str) -> Sealed {
        let parts = [self.0.as_bytes(), value.as_bytes()];
        let parts = zeroize::Zeroizing::new(record::bound(&parts));
        let mut name = hex::encode(root.mac(&[NAMES, &parts]));
        name.truncate(DIGITS);
        Sealed {
            scope: self.clone(),
            name,
        }
    }
}

/// `vault://~run/scope-value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) scope: Scope,
    name: String,
}

impl Sealed {
    /// Whether a text is meant as such a reference.
    pub(crate) fn is(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let names = text.strip_prefix(PREFIX).and_then(|t| t.split_once('-'));
        match names {
            Some((scope, name)) if is_hex(scope) && is_hex(name) => Ok(Self {
                scope: Scope(scope.to_owned()),
                name: name.to_owned(),
            }),
            _ => Err(Error::Reference(
                "what stands behind `~run/` is written by the mesh alone",
            )),
        }
    }

    /// Where the value is stored.
    pub(crate) fn stored(&self) -> Reference {
        Reference {
            vault: self.scope.vault(),
            credential: CredentialName::of_sealed(&self.name),
            version: Some(1),
            field: None,
        }
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}-{}", self.scope.0, self.name)
    }
}

/// A run's id, when it can be one.
pub(crate) fn run(text: &str) -> Result<&str, Error> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=RUN_MAX).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text);
    }
    Err(Error::Parameter {
        field: "run",
        reason: "is the id of a run",
    })
}

fn is_hex(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == DIGITS && text.bytes().all(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_is_read_as_it_is_written_and_tells_scopes_and_values_apart() {
        let root = Key::random().unwrap();
        let [a, b] = ["0", "f"].map(|digit| Scope::parse(&digit.repeat(DIGITS)).unwrap());
        let sealed = a.sealed(&root, "s3cret");
        assert_eq!(sealed, a.sealed(&root, "s3cret"));
        for other in [
            a.sealed(&root, "s3cre"),
            b.sealed(&root, "s3cret"),
            a.sealed(&Key::random().unwrap(), "s3cret"),
        ] {
            assert_ne!(sealed, other);
        }
        assert_eq!(Sealed::parse(&sealed.to_string()).unwrap(), sealed);
        let text = sealed.to_string();
        for bad in [
            format!("{text}@1"),
            format!("{text}#user"),
            format!("{text}0"),
            text.replace('-', "/"),
            text.to_uppercase(),
            PREFIX.to_owned(),
        ] {
            assert!(
                matches!(Sealed::parse(&bad), Err(Error::Reference(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn scopes_and_runs_are_bounded_and_plain() {
        for bad in ["", "0", &"g".repeat(DIGITS), &"0".repeat(DIGITS + 1)] {
            assert!(Scope::parse(bad).is_err(), "{bad}");
        }
        assert!(run("run_36zn0sv00pg07").is_ok() && run(&"r".repeat(RUN_MAX)).is_ok());
        for bad in ["", "a b", "a/b", &"r".repeat(RUN_MAX + 1)] {
            assert!(run(bad).is_err(), "{bad}");
        }
    }
}
