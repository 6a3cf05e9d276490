//! Waiting for what another process does.

use std::time::Duration;

/// Wait between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until something holds.
///
/// # Panics
/// When it does not within `limit`.
pub async fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let mut waited = Duration::ZERO;
    while !holds() {
        assert!(waited < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
}
