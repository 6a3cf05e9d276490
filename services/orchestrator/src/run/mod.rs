//! Runs that are under way: the planner's decisions made durable and carried out.

mod attempt;
mod cache;
mod children;
mod commit;
mod decide;
mod driver;
mod ended;
mod events;
mod fence;
mod listen;
mod load;
mod part;
mod pin;
mod places;
mod runs;
mod shaped;
mod start;
mod tools;
mod watch;

pub(crate) use load::resume;
pub(crate) use part::{Part, after, before};
pub(crate) use runs::Runs;
pub(crate) use start::{From, Start};
pub(crate) use tools::Known;
pub(crate) use watch::Watch;
