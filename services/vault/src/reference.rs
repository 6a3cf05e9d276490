//! References to secrets.

use std::fmt;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::name::{CredentialName, VaultName};
use crate::sealed::Sealed;

/// How a reference begins.
const SCHEME: &str = "vault://";

/// `vault://vault/credential[@version][#field]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) vault: VaultName,
    pub(crate) credential: CredentialName,
    /// None: the newest.
    pub(crate) version: Option<u64>,
    /// A member of the value, which is a JSON object then.
    pub(crate) field: Option<String>,
}

/// What a text refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Referred {
    /// What somebody has stored under a name.
    Stored(Reference),
    /// What was sealed for a run.
    Sealed(Sealed),
}

impl Referred {
    /// Whether a text is meant as a reference.
    pub(crate) fn is(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if Sealed::is(text) {
            return Sealed::parse(text).map(Self::Sealed);
        }
        Reference::parse(text).map(Self::Stored)
    }
}

impl Reference {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or(Error::Reference("it does not begin with `vault://`"))?;
        let (rest, field) = match rest.split_once('#') {
            Some((_, "")) => return Err(Error::Reference("nothing stands behind `#`")),
            Some((rest, field)) => (rest, Some(field.to_owned())),
            None => (rest, None),
        };
        let (rest, version) = match rest.split_once('@') {
            Some((rest, version)) => (rest, Some(number(version)?)),
            None => (rest, None),
        };
        let (vault, credential) = rest
            .split_once('/')
            .ok_or(Error::Reference("there is no `/` between vault and secret"))?;
        Ok(Self {
            vault: VaultName::parse(vault)
                .map_err(|_| Error::Reference("the vault's name is none"))?,
            credential: CredentialName::parse(credential)
                .map_err(|_| Error::Reference("the secret's name is none"))?,
            version,
            field,
        })
    }

    /// The part of a value that is meant.
    pub(crate) fn of(&self, value: Zeroizing<String>) -> Result<Zeroizing<String>, Error> {
        let Some(field) = &self.field else {
            return Ok(value);
        };
        let member = match serde_json::from_str(&value) {
            Ok(Value::Object(mut members)) => members.shift_remove(field),
            _ => None,
        };
        match member {
            Some(Value::String(text)) => Ok(Zeroizing::new(text)),
            None | Some(Value::Null) => Err(Error::NoField {
                reference: self.to_string(),
                field: field.clone(),
            }),
            Some(other) => Ok(Zeroizing::new(other.to_string())),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{SCHEME}{}/{}",
            self.vault.as_str(),
            self.credential.as_str()
        )?;
        if let Some(version) = self.version {
            write!(f, "@{version}")?;
        }
        match &self.field {
            Some(field) => write!(f, "#{field}"),
            None => Ok(()),
        }
    }
}

/// A version, from 1, written in one way only.
fn number(text: &str) -> Result<u64, Error> {
    let wrong = Error::Reference("the version is no number from 1");
    match text.parse::<u64>() {
        Ok(n) if n > 0 && n.to_string() == text => Ok(n),
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_is_read_as_it_is_written() {
        for good in [
            "vault://a/b",
            "vault://a-1/b_c@12",
            "vault://a/b#user",
            "vault://a/b@1#a.b#c",
        ] {
            assert_eq!(Reference::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "vault:/a/b",
            "vault://",
            "vault://a",
            "vault://a/",
            "vault:///b",
            "vault://A/b",
            "vault://a/b/c",
            "vault://a/b@",
            "vault://a/b@0",
            "vault://a/b@01",
            "vault://a/b@+1",
            "vault://a/b@x",
            "vault://a/b#",
            "vault://a/b@99999999999999999999",
            "vault://a/b c",
            " vault://a/b",
        ] {
            assert!(
                matches!(Reference::parse(bad), Err(Error::Reference(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn field_is_a_member_of_an_object() {
        let of = |field: &str, value: &str| {
            Reference::parse(&format!("vault://a/b#{field}"))
                .unwrap()
                .of(Zeroizing::new(value.to_owned()))
                .map(|v| v.to_string())
                .map_err(|e| e.to_string())
        };
        let value = r#"{"user": "ada", "port": 5432, "deep": {"a": [1]}, "none": null}"#;
        assert_eq!(of("user", value).unwrap(), "ada");
        assert_eq!(of("port", value).unwrap(), "5432");
        assert_eq!(of("deep", value).unwrap(), r#"{"a":[1]}"#);
        for (field, value) in [
            ("none", value),
            ("other", value),
            ("user", "s3cret"),
            ("user", "[\"s3cret\"]"),
        ] {
            let error = of(field, value).unwrap_err();
            assert!(
                error.contains(field) && !error.contains("s3cret"),
                "{error}"
            );
        }
    }
}
