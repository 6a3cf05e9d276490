//! Runs that are under way: the planner's decisions made durable and carried out.

mod attempt;
mod cache;
mod children;
mod decide;
mod driver;
mod events;
mod fence;
mod listen;
mod load;
mod part;
mod pin;
mod places;
mod runs;
mod start;
mod tools;
mod watch;

pub(crate) use load::resume;
pub(crate) use part::{Earlier, Part, after, before, earlier};
pub(crate) use runs::Runs;
pub(crate) use start::{From, Start};
pub(crate) use tools::Known;
pub(crate) use watch::Watch;
