//! Runs that are under way: the planner's decisions made durable and carried out.

mod accept;
mod attempt;
mod cache;
mod children;
mod commit;
mod decide;
mod driver;
mod ended;
mod events;
mod fence;
mod keep;
mod listen;
mod live;
mod load;
mod part;
mod pin;
mod places;
mod remote;
mod runs;
mod shaped;
mod shards;
mod start;
mod tools;
mod watch;

pub(crate) use children::Above;
pub(crate) use keep::{keep, keeper};
pub(crate) use load::take_up_these;
pub(crate) use part::{Part, after, before};
pub(crate) use remote::each;
pub(crate) use runs::Runs;
pub(crate) use shards::{ALONE, Shards};
pub(crate) use start::{From, Start};
pub(crate) use tools::Known;
pub(crate) use watch::Watch;
