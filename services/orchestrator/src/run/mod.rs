//! Runs that are under way: the planner's decisions made durable and carried out.

mod attempt;
mod decide;
mod driver;
mod events;
mod fence;
mod load;
mod runs;
mod start;
mod tools;
mod watch;

pub(crate) use load::resume;
pub(crate) use runs::{Runs, Standing};
pub(crate) use start::Start;
pub(crate) use watch::Watch;
