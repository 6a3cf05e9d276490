//! Ids of events: by chance, or by the caller's key.

use aws_lc_rs::digest::{SHA256, digest};
use gearmesh_runtime::Rng;

/// How an id begins.
const PREFIX: &str = "evt_";

/// Bytes of an id: enough that two never meet.
const BYTES: usize = 16;

/// The id of an event that was published under an idempotency key. It is the same
/// for the same key, and the bus keeps one event of an id: this is what makes the
/// tool QUERYABLE, at any instance.
pub(crate) fn of_key(key: &str) -> String {
    let digest = digest(&SHA256, key.as_bytes());
    text(digest.as_ref())
}

/// An id by chance.
pub(crate) fn by_chance(rng: &dyn Rng) -> String {
    let mut bytes = rng.number().to_be_bytes().to_vec();
    bytes.extend(rng.number().to_be_bytes());
    text(&bytes)
}

fn text(bytes: &[u8]) -> String {
    let shown = bytes.get(..BYTES).unwrap_or(bytes);
    format!("{PREFIX}{}", hex::encode(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_is_one_id() {
        assert_eq!(of_key("a"), of_key("a"));
        assert_ne!(of_key("a"), of_key("b"));
        let rng = gearmesh_runtime::SystemRng;
        for id in [of_key(""), by_chance(&rng)] {
            assert_eq!(id.len(), PREFIX.len() + 2 * BYTES, "{id}");
        }
        assert_ne!(by_chance(&rng), by_chance(&rng));
    }
}
