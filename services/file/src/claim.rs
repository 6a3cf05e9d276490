//! Names that calls of this process use right now.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names of ours that are in use. A call that is sent again while its first send
/// still runs must not take away that one's file, and what no call of this
/// process uses was left by a process that is gone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims {
    names: Arc<Mutex<HashSet<String>>>,
}

/// A name in use, until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Claims,
    name: String,
}

impl Claims {
    /// Takes a name; none when it is in use.
    pub(crate) fn take(&self, name: String) -> Option<Claim> {
        let free = self.lock().insert(name.clone());
        free.then(|| Claim {
            claims: self.clone(),
            name,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        // A set of names is whole after every step.
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_taken_by_one_until_that_is_done() {
        let claims = Claims::default();
        let first = claims.take("a".to_owned()).unwrap();
        assert_eq!(first.name(), "a");
        assert!(claims.take("a".to_owned()).is_none());
        assert!(claims.take("b".to_owned()).is_some());
        drop(first);
        assert!(claims.take("a".to_owned()).is_some());
    }
}
