//! When a rule fires: cron, rules of RFC 5545, intervals and single instants in a time zone.
//!
//! Two ask: the scheduler, which fires, and the check of a workflow file, which tells
//! its author beforehand what will happen. Both must give one answer, so the arithmetic
//! is here and neither has any of its own.
//!
//! A rule is expanded on the local clock without a zone (`civil`), and the
//! zone's changes are laid over it afterwards (`line`): so each change of the
//! clock is decided in one place, by the schedule's own policy. What counts
//! elapsed time stays on the line of instants from the start.
//!
//! Pure: no clock, no store, no I/O. The present is told by the caller, and the zones
//! are those that are compiled in. Must not know: who is started by a fire.

mod budget;
mod change;
mod civil;
mod cron;
mod elapsed;
mod error;
mod instant;
mod line;
mod recurrence;
mod rule;
mod rule_text;
mod spec;
mod timetable;
mod words;

pub use budget::{Budget, STEPS_MAX};
pub use change::Change;
pub use error::RuleError;
pub use instant::{instant, zone};
pub use line::{Fire, Mark};
pub use rule_text::RULE_MAX;
pub use spec::{EXCEPT_MAX, INTERVAL_MAX_MS, INTERVAL_MIN_MS, Kind, Spec};
pub use timetable::{FIRST_WITHIN, Timetable};
