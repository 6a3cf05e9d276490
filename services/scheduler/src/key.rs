//! Hashes of a fire: its request key and its jitter. They depend on the fire
//! alone, so a restart comes to the same.

/// Bytes of a hash that a request key shows: no two fires share 128 bits by chance.
const KEY_BYTES: usize = 16;

fn hash(parts: &[&str]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        // The length keeps neighbours apart.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// The key under which the orchestrator starts the run of a fire once.
pub(crate) fn request_key(schedule: &str, fire_at_ms: i64, origin: &str) -> String {
    let hash = hash(&["fire", schedule, &fire_at_ms.to_string(), origin]);
    format!(
        "fire_{}",
        hex::encode(hash.get(..KEY_BYTES).unwrap_or(&hash))
    )
}

/// What tells a run by hand under a caller's key apart from all others.
pub(crate) fn origin(key: &str) -> String {
    format!("key_{}", hex::encode(hash(&["origin", key])))
}

/// The wait of a fire, below `jitter_ms`.
pub(crate) fn jitter(schedule: &str, fire_at_ms: i64, jitter_ms: i64) -> i64 {
    if jitter_ms <= 0 {
        return 0;
    }
    let hash = hash(&["jitter", schedule, &fire_at_ms.to_string()]);
    let mut first = [0; 8];
    first.copy_from_slice(hash.get(..8).unwrap_or(&[0; 8]));
    let wait = u64::from_be_bytes(first) % jitter_ms.unsigned_abs();
    i64::try_from(wait).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_jitter_depend_on_the_fire_alone() {
        assert_eq!(request_key("a", 1, ""), request_key("a", 1, ""));
        assert_ne!(request_key("a", 1, ""), request_key("a", 2, ""));
        assert_ne!(request_key("a1", 1, ""), request_key("a", 11, ""));
        let waits: Vec<i64> = (0..100).map(|n| jitter("a", n, 1000)).collect();
        assert!(waits.iter().all(|w| (0..1000).contains(w)));
        assert_eq!(
            waits,
            (0..100).map(|n| jitter("a", n, 1000)).collect::<Vec<_>>()
        );
        assert!(waits.iter().max() > waits.iter().min());
        assert_eq!(jitter("a", 1, 0), 0);
    }
}
