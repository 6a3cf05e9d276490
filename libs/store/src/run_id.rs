//! Ids of runs: ordered by time, carrying their shard.

use std::sync::atomic::{AtomicU64, Ordering};

/// A run: time in ms since 1970 (42 bits), shard (8), counter (13); never
/// negative.
pub type RunId = i64;

/// A part of a store: whoever owns it is the only writer of the runs in it.
pub type Shard = u8;

const COUNTER_BITS: u32 = 13;
const SHARD_BITS: u32 = 8;
const COUNTER_MASK: u64 = (1 << COUNTER_BITS) - 1;

const PREFIX: &str = "run_";
/// Crockford's base 32, in lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an id after its prefix: 63 bits by 5.
const TEXT_LEN: usize = 13;

/// The text of a run's id, as every surface shows it: `run_` and 13 characters.
/// Texts sort as ids do.
#[must_use]
pub fn run_text(run: RunId) -> String {
    let mut text = String::with_capacity(PREFIX.len() + TEXT_LEN);
    text.push_str(PREFIX);
    for i in (0..TEXT_LEN).rev() {
        let digit = (run.cast_unsigned() >> (5 * i)) & 31;
        text.push(ALPHABET[digit as usize].into());
    }
    text
}

/// Reads the text of a run's id. Only the spelling that [`run_text`] writes is
/// one: an id that had two would be two keys to whoever compares texts.
#[must_use]
pub fn parse_run(text: &str) -> Option<RunId> {
    let digits = text.strip_prefix(PREFIX)?;
    if digits.len() != TEXT_LEN {
        return None;
    }
    let mut run: u64 = 0;
    for (i, c) in digits.bytes().enumerate() {
        let digit = ALPHABET.iter().position(|&a| a == c)? as u64;
        // 13 digits hold 65 bits, an id has 63.
        if i == 0 && digit > 7 {
            return None;
        }
        run = run << 5 | digit;
    }
    RunId::try_from(run).ok()
}

/// The shard that a run belongs to.
#[must_use]
pub fn shard_of(run: RunId) -> Shard {
    // The other bits are cut off on purpose.
    (run >> COUNTER_BITS) as Shard
}

/// Makes ids of runs, each greater than all before it.
#[derive(Debug)]
pub struct RunIds {
    /// Time and counter of the newest id, without the shard between them.
    last: AtomicU64,
}

impl RunIds {
    /// Continues after the newest run that is known (see
    /// [`Journal::last_run`](crate::Journal::last_run)), so that a clock that
    /// was set back gives no id twice.
    #[must_use]
    pub fn after(newest: Option<RunId>) -> Self {
        let last = newest.map_or(0, |run| {
            let run = run.cast_unsigned();
            (run >> (SHARD_BITS + COUNTER_BITS)) << COUNTER_BITS | (run & COUNTER_MASK)
        });
        Self {
            last: AtomicU64::new(last),
        }
    }

    /// Lets ids run on from a run that another instance has made: whoever takes over a
    /// shard calls it with [`Journal::last_run`](crate::Journal::last_run).
    pub fn raise(&self, newest: RunId) {
        let newest = Self::after(Some(newest)).last;
        self.last.fetch_max(newest.into_inner(), Ordering::Relaxed);
    }

    /// The next id, in shard 0. `now_ms` is the time since 1970; when it stands still
    /// or goes back, ids run on from the newest.
    pub fn next(&self, now_ms: u64) -> RunId {
        self.next_in(0, now_ms)
    }

    /// As [`RunIds::next`], in another shard. Ids of one shard rise; those of
    /// different shards have different times or counters.
    pub fn next_in(&self, shard: Shard, now_ms: u64) -> RunId {
        let earliest = now_ms << COUNTER_BITS;
        let step = |last: u64| earliest.max(last + 1);
        let before = self.last.update(Ordering::Relaxed, Ordering::Relaxed, step);
        let next = step(before);
        let id = (next >> COUNTER_BITS) << (SHARD_BITS + COUNTER_BITS)
            | u64::from(shard) << COUNTER_BITS
            | (next & COUNTER_MASK);
        // The sign bit stays free until the year 2109.
        (id & (u64::MAX >> 1)).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    #[test]
    fn text_is_read_back() {
        for run in [0, 1, RunId::MAX, RunIds::after(None).next(NOW)] {
            let text = run_text(run);
            assert_eq!((text.len(), parse_run(&text)), (17, Some(run)), "{text}");
        }
    }

    #[test]
    fn only_one_spelling_is_an_id() {
        let good = "run_00000000000a1";
        assert_eq!(parse_run(good), Some(10 * 32 + 1));
        for bad in [
            "",
            "run_",
            "00000000000a1",
            "run_00000000000A1",
            "run_00000000000l1",
            "run_00000000000a",
            "run_00000000000a11",
            "run_8000000000000",
            "run_00000000000\u{e9}",
        ] {
            assert_eq!(parse_run(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_rise_while_the_clock_stands_and_when_it_goes_back() {
        let ids = RunIds::after(None);
        let mut last = ids.next(NOW);
        for i in 0..20_000_u64 {
            let next = ids.next(NOW - i % 3);
            assert!(next > last);
            last = next;
        }
        assert!(RunIds::after(Some(last)).next(NOW - 60_000) > last);
        let other = RunIds::after(None);
        other.raise(last);
        other.raise(0);
        assert!(other.next(NOW - 60_000) > last);
    }

    #[test]
    fn id_carries_its_shard() {
        let ids = RunIds::after(None);
        let mut last = (0, 0);
        for shard in (0..=u8::MAX).cycle().take(20_000) {
            let run = ids.next_in(shard, NOW);
            assert_eq!(shard_of(run), shard);
            // Nothing but the shard may tell two ids apart.
            let bare = (run >> 21, run & 8191);
            assert!(bare > last);
            last = bare;
        }
        assert_eq!(shard_of(ids.next(NOW)), 0);
    }

    #[test]
    fn texts_sort_as_ids_do() {
        let ids = RunIds::after(None);
        let runs: Vec<_> = (0..100).map(|i| ids.next(NOW + i * 37)).collect();
        assert!(runs.iter().map(|r| run_text(*r)).is_sorted());
    }
}
