//! When schedules fire.

mod clock;
mod known;
mod support;
mod walk;
