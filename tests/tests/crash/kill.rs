//! When the server is killed.

use std::time::Duration;

use crate::round::Reference;

/// Longest time between an event and the kill: most steps are over by then.
const BEHIND_MAX_MS: u64 = 12;

/// Longest time between the restart and a second kill: the run is being resumed.
const AGAIN_MAX_MS: u64 = 60;

/// The kills of a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kills {
    pub(crate) first: Kill,
    /// A second one, so long after the restart.
    pub(crate) second: Option<Duration>,
}

impl Kills {
    /// Draws those of a round; every fourth has a second one.
    pub(crate) fn draw(
        number: usize,
        of: usize,
        reference: &Reference,
        chance: &mut fastrand::Rng,
    ) -> Self {
        let first = Kill::draw(number, of, reference, chance);
        let moment = Duration::from_micros(chance.u64(0..AGAIN_MAX_MS * 1000));
        Self {
            first,
            second: (number % 4 == 3).then_some(moment),
        }
    }
}

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
    fn draw(number: usize, of: usize, reference: &Reference, chance: &mut fastrand::Rng) -> Self {
        if number.is_multiple_of(2) {
            let part = (number as f64 + 2.0 * chance.f64()) / of as f64;
            return Self::At(reference.length.mul_f64(part));
        }
        let event = chance.usize(1..reference.events);
        // Denser right behind the event, where the shortest steps are.
        let part = chance.f64().powi(3);
        Self::Behind(event, Duration::from_millis(BEHIND_MAX_MS).mul_f64(part))
    }
}
