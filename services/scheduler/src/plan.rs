//! Which fires a schedule owes at an instant: pure.

use std::collections::VecDeque;

use gearmesh_schedule::{RuleError, Timetable};
use jiff::Timestamp;

use crate::policy::{CatchUp, Policy};

/// A fire is late when its instant passed longer ago: so long may a busy process
/// take without anybody calling it a miss.
pub(crate) const LATE_MS: i64 = 10_000;

/// More misses in a row than this are one row.
const MISSES_MAX: usize = 100;

/// Fires that are walked one by one; of more, only how many there are at least is known.
const WALK_MAX: usize = 20_000;

/// Milliseconds between two fires that are caught up: ten a second, so that a long
/// pause does not end in a flood.
const PACE_MS: i64 = 100;

/// What a schedule owes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Fires to send: their instants, and when each is sent but for its jitter.
    pub(crate) due: Vec<Due>,
    /// Fires that are not caught up, in order.
    pub(crate) missed: Vec<Missed>,
    /// The next fire to come; none: there is none.
    pub(crate) next_ms: Option<i64>,
}

/// A fire to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) fire_at_ms: i64,
    pub(crate) send_at_ms: i64,
}

/// A miss, or many in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    pub(crate) count: i64,
}

impl Plan {
    /// What is owed at `now`, when `next` is the first fire that nobody has looked at.
    ///
    /// # Errors
    /// [`RuleError::TooCostly`].
    pub(crate) fn make(
        timetable: &Timetable,
        policy: &Policy,
        next_ms: i64,
        now_ms: i64,
    ) -> Result<Self, RuleError> {
        let walk = Walk::up_to(timetable, policy, next_ms, now_ms)?;
        let (mut late, on_time) = (walk.late, walk.on_time);
        let mut misses = walk.dropped;
        let oldest = now_ms.saturating_sub(policy.window_ms);
        let keep = match policy.catch_up {
            CatchUp::None => 0,
            CatchUp::Last => usize::from(on_time.is_empty()),
            CatchUp::All => policy.max,
        };
        while late.len() > keep || late.front().is_some_and(|at| *at < oldest) {
            misses.extend(late.pop_front());
        }
        let caught_up = late.into_iter().zip(0..).map(|(fire_at_ms, place)| Due {
            fire_at_ms,
            send_at_ms: now_ms + place * PACE_MS,
        });
        let on_time = on_time.into_iter().map(|fire_at_ms| Due {
            fire_at_ms,
            send_at_ms: fire_at_ms,
        });
        Ok(Self {
            due: caught_up.chain(on_time).collect(),
            missed: rows(&misses, walk.uncounted),
            next_ms: walk.next_ms,
        })
    }
}

/// The fires up to an instant.
struct Walk {
    /// The newest late ones.
    late: VecDeque<i64>,
    /// Late ones before those.
    dropped: Vec<i64>,
    on_time: Vec<i64>,
    /// Fires were passed over without being counted.
    uncounted: bool,
    next_ms: Option<i64>,
}

impl Walk {
    fn up_to(
        timetable: &Timetable,
        policy: &Policy,
        next_ms: i64,
        now_ms: i64,
    ) -> Result<Self, RuleError> {
        let mut walk = Self {
            late: VecDeque::new(),
            dropped: Vec::new(),
            on_time: Vec::new(),
            uncounted: false,
            next_ms: Some(next_ms),
        };
        let mut steps = 0;
        while let Some(at) = walk.next_ms.filter(|at| *at <= now_ms) {
            if at < now_ms - LATE_MS {
                walk.late.push_back(at);
                if walk.late.len() > policy.max.max(1) {
                    walk.dropped.extend(walk.late.pop_front());
                }
            } else {
                walk.on_time.push(at);
            }
            steps += 1;
            let mut from = at;
            if steps == WALK_MAX && at < now_ms - LATE_MS {
                // What is older than the newest few is missed whatever it is.
                from = now_ms - LATE_MS - 1;
                walk.uncounted = true;
            }
            walk.next_ms = next(timetable, from)?;
        }
        Ok(walk)
    }
}

/// The first fire after an instant, in milliseconds.
pub(crate) fn next(timetable: &Timetable, after_ms: i64) -> Result<Option<i64>, RuleError> {
    let after = Timestamp::from_millisecond(after_ms).unwrap_or(Timestamp::MAX);
    Ok(timetable.next(after)?.map(|f| f.at.as_millisecond()))
}

fn rows(misses: &[i64], uncounted: bool) -> Vec<Missed> {
    let (Some(first), Some(last)) = (misses.first(), misses.last()) else {
        return Vec::new();
    };
    if misses.len() > MISSES_MAX || uncounted {
        return vec![Missed {
            first_ms: *first,
            last_ms: *last,
            count: i64::try_from(misses.len()).unwrap_or(i64::MAX),
        }];
    }
    let single = |at: &i64| Missed {
        first_ms: *at,
        last_ms: *at,
        count: 1,
    };
    misses.iter().map(single).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gearmesh_schedule::{Kind, Spec};

    const HOUR: i64 = 3_600_000;

    fn plan(catch_up: CatchUp, every_ms: i64, now_ms: i64) -> Plan {
        let spec = Spec {
            kind: Kind::Interval(every_ms),
            start: Some("1970-01-01T00:00:00Z".into()),
            timezone: "UTC".into(),
            gap: None,
            overlap: None,
            until: None,
            except: Vec::new(),
        };
        let table = Timetable::parse(&spec, Timestamp::UNIX_EPOCH).unwrap();
        let policy = Policy {
            catch_up,
            max: 3,
            ..Policy::default()
        };
        Plan::make(&table, &policy, 0, now_ms).unwrap()
    }

    fn due(plan: &Plan) -> Vec<i64> {
        plan.due.iter().map(|d| d.fire_at_ms / HOUR).collect()
    }

    fn missed(plan: &Plan) -> Vec<(i64, i64)> {
        plan.missed
            .iter()
            .map(|m| (m.first_ms / HOUR, m.count))
            .collect()
    }

    #[test]
    fn fire_in_time_is_sent_whatever_the_policy() {
        for catch_up in [CatchUp::None, CatchUp::Last, CatchUp::All] {
            let plan = plan(catch_up, HOUR, LATE_MS);
            assert_eq!(due(&plan), [0]);
            assert_eq!(plan.due[0].send_at_ms, 0);
            assert_eq!(plan.next_ms, Some(HOUR));
        }
    }

    #[test]
    fn late_fires_follow_the_policy() {
        let now = 5 * HOUR + 60_000;
        let none = plan(CatchUp::None, HOUR, now);
        assert_eq!((due(&none), missed(&none).len()), (vec![], 6));
        let last = plan(CatchUp::Last, HOUR, now);
        assert_eq!((due(&last), missed(&last).len()), (vec![5], 5));
        let all = plan(CatchUp::All, HOUR, now);
        assert_eq!(due(&all), [3, 4, 5]);
        assert_eq!(missed(&all), [(0, 1), (1, 1), (2, 1)]);
        let pace: Vec<i64> = all.due.iter().map(|d| d.send_at_ms - now).collect();
        assert_eq!(pace, [0, PACE_MS, 2 * PACE_MS]);
        assert_eq!(all.next_ms, Some(6 * HOUR));
    }

    #[test]
    fn fire_in_time_stands_for_the_late_ones() {
        let last = plan(CatchUp::Last, HOUR, 5 * HOUR + 1);
        assert_eq!((due(&last), missed(&last).len()), (vec![5], 5));
    }

    #[test]
    fn what_is_outside_the_window_is_missed() {
        let last = plan(CatchUp::Last, 48 * HOUR, 40 * HOUR);
        assert_eq!((due(&last), missed(&last)), (vec![], vec![(0, 1)]));
    }

    #[test]
    fn many_misses_are_one_row() {
        let now = 200 * HOUR + 60_000;
        assert_eq!(missed(&plan(CatchUp::Last, HOUR, now)), [(0, 200)]);
        // A year of seconds is not walked.
        let year = 365 * 24 * HOUR + 500;
        let plan = plan(CatchUp::None, 1_000, year);
        assert_eq!(plan.due.len(), 10);
        assert!(plan.missed[0].count >= 19_000, "{:?}", plan.missed);
        assert_eq!(plan.next_ms, Some(365 * 24 * HOUR + 1_000));
    }
}
