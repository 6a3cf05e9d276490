//! When the server is killed.

use std::time::Duration;

use crate::round::Reference;

/// Longest time between an event and the kill: most steps are over by then.
const BEHIND_MAX_MS: u64 = 12;

/// An instant after the accept.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kill {
    /// So long after it.
    At(Duration),
    /// So long after the n-th event of the run. Time alone would hit the waits,
    /// which take longest, and hardly ever a write.
    Behind(usize, Duration),
}

impl Kill {
    /// Draws the instant of a round. Those by time are spread over the length of
    /// an undisturbed run, so that no part of it goes without.
    pub(crate) fn draw(
        number: usize,
        of: usize,
        reference: &Reference,
        chance: &mut fastrand::Rng,
    ) -> Self {
        if number.is_multiple_of(2) {
            let part = (number as f64 + 2.0 * chance.f64()) / of as f64;
            return Self::At(reference.length.mul_f64(part));
        }
        let micros = chance.u64(0..BEHIND_MAX_MS * 1000);
        let event = chance.usize(1..reference.events);
        Self::Behind(event, Duration::from_micros(micros))
    }
}
