//! What a run does next: a pure function of its journal.
//!
//! [`State`] is what the records of a run say, put together by [`State::fold`],
//! which decides nothing. [`advance`] takes one input (an answer, a due instant,
//! a cancel) and decides: each decision becomes a record, is folded in at once,
//! and the commands that follow from it are returned. Nothing here reads a
//! clock, rolls a die or calls anything.
//!
//! A task of the file is found by its id and the items of the groups around it. Each
//! group that has begun adds a [`frame`] of tasks to those of the run; handlers do, too.

mod advance;
mod cancel;
mod due;
mod ending;
mod fold;
mod fold_instance;
mod frame;
mod instance;
mod join;
mod outcome;
mod scope;
mod seen;
mod settle;
mod state;
mod stop;
mod task_state;
mod undo;
mod waits;

pub(crate) use advance::{Child, Command, Decision, Input, Moment, StartChild, Vote, advance};
pub(crate) use advance::{Decided, Dispatch, Resolved, Tools};
pub(crate) use fold::millis;
pub(crate) use frame::ROOT;
pub(crate) use instance::Prepared;
pub(crate) use outcome::Answer;
pub(crate) use state::{Phase, Problem, RunEnd, State, constants};
pub(crate) use task_state::{Instance, InstanceStatus, LEFT_OUT, TaskState, TaskStatus};

#[cfg(test)]
mod tests;
