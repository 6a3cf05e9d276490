//! From a passphrase to a root key.

use argon2::{Algorithm, Argon2, Version};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::key::{KEY_BYTES, Key};

/// Bytes of the salt, which each store has of its own.
pub(crate) const SALT_BYTES: usize = 16;

/// Fewer characters are guessed whatever the derivation costs.
pub(crate) const PASSPHRASE_MIN: usize = 8;

/// What a derivation costs, as it stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
    pub(crate) lanes: u32,
}

impl Cost {
    /// What new stores take: 64 MiB, three passes, four lanes.
    pub(crate) const NEW: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 4,
    };
    /// Below this a store that somebody wrote would make guessing cheap (OWASP's least).
    const FLOOR: Self = Self {
        memory_kib: 19 * 1024,
        passes: 2,
        lanes: 1,
    };
    /// Above this a store that somebody wrote would take the machine.
    const CEILING: Self = Self {
        memory_kib: 1024 * 1024,
        passes: 10,
        lanes: 16,
    };

    /// Refuses what no store of ours asks for, before anything is spent.
    fn check(self) -> Result<(), Error> {
        let between =
            |of: fn(&Self) -> u32| (of(&Self::FLOOR)..=of(&Self::CEILING)).contains(&of(&self));
        if between(|c| c.memory_kib) && between(|c| c.passes) && between(|c| c.lanes) {
            Ok(())
        } else {
            Err(Error::Format("the cost of its passphrase is out of bounds"))
        }
    }
}

/// The root key of a passphrase: Argon2id 1.3. Takes a tenth of a second and the
/// memory that `cost` names; call it where it may block.
pub(crate) fn derive(passphrase: &str, salt: &[u8], cost: Cost) -> Result<Key, Error> {
    cost.check()?;
    let failed = |e: argon2::Error| Error::Derivation(e.to_string());
    let params = argon2::Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY_BYTES))
        .map_err(failed)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut *key)
        .map_err(failed)?;
    Key::of(&*key).map_err(|_| Error::Encryption)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_depends_on_passphrase_salt_and_cost() {
        let low = Cost::FLOOR;
        let proof = |p: &str, salt: u8, cost: Cost| {
            derive(p, &[salt; SALT_BYTES], cost).unwrap().proof("test")
        };
        let first = proof("correct horse", 1, low);
        assert_eq!(first, proof("correct horse", 1, low));
        assert_ne!(first, proof("correct horsf", 1, low));
        assert_ne!(first, proof("correct horse", 2, low));
        assert_ne!(first, proof("correct horse", 1, Cost { passes: 3, ..low }));
    }

    #[test]
    fn cost_out_of_bounds_is_refused_before_it_is_paid() {
        let bad = [
            Cost {
                memory_kib: 19 * 1024 - 1,
                ..Cost::NEW
            },
            Cost {
                memory_kib: u32::MAX,
                ..Cost::NEW
            },
            Cost {
                passes: 1,
                ..Cost::NEW
            },
            Cost {
                passes: 11,
                ..Cost::NEW
            },
            Cost {
                lanes: 0,
                ..Cost::NEW
            },
            Cost {
                lanes: 17,
                ..Cost::NEW
            },
        ];
        for cost in bad {
            let error = derive("correct horse", &[0; SALT_BYTES], cost).unwrap_err();
            assert!(matches!(error, Error::Format(_)), "{cost:?}");
        }
    }
}
