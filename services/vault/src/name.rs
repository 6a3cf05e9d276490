//! Names that cannot be wrong.

use crate::error::Error;

/// Longest names, as the predecessor had them.
pub(crate) const VAULT_NAME_MAX: usize = 50;
pub(crate) const CREDENTIAL_NAME_MAX: usize = 100;

/// The name of a vault: 1 to [`VAULT_NAME_MAX`] of a-z, 0-9 and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VaultName(String);

/// The name of a secret: 1 to [`CREDENTIAL_NAME_MAX`] of a-z, 0-9, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialName(String);

impl VaultName {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if fits(text, VAULT_NAME_MAX, b"-") {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::VaultName)
        }
    }

    /// That of a scope of sealed values: none that a person can write.
    pub(crate) fn of_scope(scope: &str) -> Self {
        Self(format!("~run/{scope}"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl CredentialName {
    /// That of a sealed value in its scope.
    pub(crate) fn of_sealed(name: &str) -> Self {
        Self(name.to_owned())
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if fits(text, CREDENTIAL_NAME_MAX, b"-_") {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::CredentialName)
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn fits(text: &str, max: usize, others: &[u8]) -> bool {
    (1..=max).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || others.contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_plain() {
        for good in ["a", "0-9", &"v".repeat(VAULT_NAME_MAX)] {
            assert!(VaultName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "A",
            "a_b",
            "a/b",
            "a b",
            "ä",
            &"v".repeat(VAULT_NAME_MAX + 1),
        ] {
            assert!(VaultName::parse(bad).is_err(), "{bad}");
        }
        for good in ["a", "a_b-9", &"c".repeat(CREDENTIAL_NAME_MAX)] {
            assert!(CredentialName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "A",
            "a.b",
            "a/b",
            "a@1",
            "a#b",
            &"c".repeat(CREDENTIAL_NAME_MAX + 1),
        ] {
            assert!(CredentialName::parse(bad).is_err(), "{bad}");
        }
    }
}
