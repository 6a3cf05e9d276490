//! Secrets that stand in a workflow as they are do not reach the journal: the vault keeps
//! them for the run, and the file that is written has references in their places.

use gearmesh_runtime::Context;
use gearmesh_workflow::{Diagnostic, Literals, Source};

use crate::error::Error;
use crate::seal::scope;

/// How a reference begins that the vault has made for a run.
const SEALED: &str = "vault://~run/";

/// For whom a file is sealed.
#[derive(Debug)]
pub(crate) struct Sealing<'a> {
    pub(crate) principal: &'a str,
    /// A repeat with this key must have the same file.
    pub(crate) key: Option<&'a str>,
    pub(crate) run: &'a str,
    /// The run from which the file was taken, with what was sealed for that one.
    pub(crate) from: Option<&'a str>,
}

/// What is to be sealed in a file.
#[derive(Debug)]
pub(crate) struct Found {
    literals: Literals,
    /// References that another run has.
    references: Vec<String>,
}

impl Found {
    /// What of a file must not be written as it is. `warnings` are those of its check;
    /// `from` is the run from which it was taken.
    ///
    /// # Errors
    /// WORKFLOW_INVALID naming a secret that cannot be replaced.
    pub(crate) fn of(
        source: &Source<'_>,
        warnings: &[Diagnostic],
        from: Option<&str>,
    ) -> Result<Self, Error> {
        let literals = Literals::of(source, warnings).map_err(|d| Error::Invalid(vec![*d]))?;
        Ok(Self {
            literals,
            references: from.map_or_else(Vec::new, |_| references(source.text)),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.references.is_empty()
    }

    /// Whether nothing is left.
    ///
    /// # Errors
    /// INVALID_PARAMETERS when something is.
    pub(crate) fn none(&self) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        let text = "a secret in the file cannot be replaced; store it in the vault and write `vault://vault/secret`";
        Err(Error::Parameters(text.to_owned()))
    }

    /// The file with references in their places.
    ///
    /// # Errors
    /// ENGINE_UNAVAILABLE when the vault cannot keep them.
    pub(crate) async fn sealed(
        &self,
        cx: &Context,
        file: &str,
        by: &Sealing<'_>,
    ) -> Result<String, Error> {
        let scope = scope(by.principal, by.key.unwrap_or(by.run));
        let failed = |cause| Error::Sealing(Box::new(cause));
        let seals = cx.seals();
        let values = self.literals.values().map(str::to_owned).collect();
        let sealed = seals.seal(&scope, by.run, values, None);
        let mut text = self.literals.replaced(file, &sealed.await.map_err(failed)?);
        if let Some(from) = by.from.filter(|_| !self.references.is_empty()) {
            let earlier = self.references.clone();
            let taken = seals.seal(&scope, by.run, earlier, Some(from));
            for (earlier, now) in self.references.iter().zip(taken.await.map_err(failed)?) {
                text = text.replace(earlier, &now);
            }
        }
        Ok(text)
    }
}

/// The references in a text that the vault has made for a run, each once.
fn references(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(SEALED) {
        let rest = text.get(at + SEALED.len()..).unwrap_or_default();
        let name = rest
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'-');
        let end = at + SEALED.len() + name.count();
        let reference = text.get(at..end).unwrap_or_default().to_owned();
        if !found.contains(&reference) {
            found.push(reference);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_each_once() {
        let text = "a: \"vault://~run/0f-1e\"\nb: vault://~run/0f-1e, c: {d: 'vault://~run/2d-3c'}\ne: vault://a/b";
        assert_eq!(
            references(text),
            ["vault://~run/0f-1e", "vault://~run/2d-3c"]
        );
    }
}
