//! From local times to instants: what a zone's changes do to a rule.
//!
//! Between two changes of a zone local time and instant differ by one offset. So
//! the instants of a rule are found stretch by stretch: the local times of the
//! stretch, without those that the policy gives to the other pass of an overlap,
//! and at its start what the policy makes of the gap before it. That is exact for
//! every zone and strictly increasing by construction.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::RuleError;
use crate::budget::Budget;
use crate::civil::{Ahead, Civil};

/// What a local time does that the clock skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The first instant behind the gap.
    After,
    /// As far behind the gap as it would have been in it (RFC 5545).
    Shift,
    /// Nothing.
    Skip,
}

/// What a local time does that the clock shows twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlap {
    First,
    Last,
    Both,
}

/// What a rule does where the clock is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dst {
    pub(crate) gap: Gap,
    pub(crate) overlap: Overlap,
}

impl Dst {
    /// Elapsed time: what the clock skips is not there, what it repeats is there twice.
    pub(crate) const ELAPSED: Self = Self {
        gap: Gap::Skip,
        overlap: Overlap::Both,
    };
}

/// Whether a change of the clock touches a fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It does not.
    Plain,
    /// Moved: the clock skips its time.
    Gap,
    /// Its time comes twice.
    Overlap,
}

/// One fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fire {
    /// When.
    pub at: Timestamp,
    /// What the clock does to it.
    pub mark: Mark,
}

/// A stretch of time with one offset.
struct Stretch {
    offset: Offset,
    /// Its first instant and the offset before; none: it has always been so.
    start: Option<(Timestamp, Offset)>,
    /// The first instant behind it and the offset there; none: for ever.
    end: Option<(Timestamp, Offset)>,
}

impl Stretch {
    fn of(zone: &TimeZone, at: Timestamp) -> Self {
        let offset = zone.to_offset(at);
        let start = at
            .checked_add(1.nanosecond())
            .ok()
            .and_then(|behind| zone.preceding(behind).next())
            .map(|t| t.timestamp())
            .and_then(|t| Some((t, zone.to_offset(t.checked_sub(1.nanosecond()).ok()?))));
        let end = (zone.following(at).next()).map(|t| (t.timestamp(), t.offset()));
        Self { offset, start, end }
    }
}

/// The first fire after an instant and at most at `last`.
pub(crate) fn next(
    zone: &TimeZone,
    dst: Dst,
    civil: &dyn Civil,
    after: Timestamp,
    last: Timestamp,
    budget: &mut Budget,
) -> Result<Option<Fire>, RuleError> {
    let horizon = zone.to_datetime(last).saturating_add(2.days());
    let mut ahead = Ahead::new(civil, horizon, budget);
    let Ok(mut from) = Timestamp::from_second(after.as_millisecond().div_euclid(1000) + 1) else {
        return Ok(None);
    };
    while from <= last {
        let stretch = Stretch::of(zone, from);
        if let Some(fire) = within(&stretch, dst, &mut ahead, from)? {
            return Ok((fire.at <= last).then_some(fire));
        }
        match stretch.end {
            Some((end, _)) => from = end,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// The first fire of a stretch at or after `from`, which lies in it.
fn within(
    stretch: &Stretch,
    dst: Dst,
    ahead: &mut Ahead<'_>,
    from: Timestamp,
) -> Result<Option<Fire>, RuleError> {
    let moved = gap(stretch, dst.gap, ahead, from)?;
    let own = regular(stretch, dst.overlap, ahead, from)?;
    // On one instant the fire that was not moved counts.
    Ok(match (own, moved) {
        (Some(own), Some(moved)) if moved.at < own.at => Some(moved),
        (Some(own), _) => Some(own),
        (None, moved) => moved,
    })
}

/// The first fire that the gap before a stretch moves into it.
fn gap(
    stretch: &Stretch,
    policy: Gap,
    ahead: &mut Ahead<'_>,
    from: Timestamp,
) -> Result<Option<Fire>, RuleError> {
    let Some((start, before)) = stretch.start.filter(|(_, b)| *b < stretch.offset) else {
        return Ok(None);
    };
    let (first, behind) = (before.to_datetime(start), stretch.offset.to_datetime(start));
    let at = match policy {
        Gap::After if from <= start => ahead.within(first, behind)?.map(|_| start),
        Gap::Shift => {
            let first = first.max(before.to_datetime(from));
            let local = ahead.within(first, behind)?;
            local.and_then(|l| before.to_timestamp(l).ok())
        }
        Gap::After | Gap::Skip => None,
    };
    Ok(at.map(|at| Fire {
        at,
        mark: Mark::Gap,
    }))
}

/// The first local time of a stretch that is a fire there.
fn regular(
    stretch: &Stretch,
    policy: Overlap,
    ahead: &mut Ahead<'_>,
    from: Timestamp,
) -> Result<Option<Fire>, RuleError> {
    let local = |at| stretch.offset.to_datetime(at);
    // Local times that the stretch before had too, and those that the next will have.
    let second_pass = (stretch.start)
        .filter(|(_, before)| *before > stretch.offset)
        .map(|(start, before)| (local(start), before.to_datetime(start)));
    let first_pass = (stretch.end)
        .filter(|(_, next)| *next < stretch.offset)
        .map(|(end, next)| (next.to_datetime(end), local(end)));
    let mut lowest = local(from);
    let mut end = (stretch.end).map_or(DateTime::MAX, |(end, _)| local(end));
    match (policy, second_pass, first_pass) {
        (Overlap::First, Some((_, behind)), _) => lowest = lowest.max(behind),
        (Overlap::Last, _, Some((first, _))) => end = first,
        _ => {}
    }
    let Some(found) = ahead.within(lowest, end)? else {
        return Ok(None);
    };
    let twice = [second_pass, first_pass]
        .into_iter()
        .flatten()
        .any(|(first, behind)| (first..behind).contains(&found));
    let fire = stretch.offset.to_timestamp(found).ok().map(|at| Fire {
        at,
        mark: if twice { Mark::Overlap } else { Mark::Plain },
    });
    Ok(fire)
}
