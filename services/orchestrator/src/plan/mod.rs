//! What a run does next: a pure function of its journal.
//!
//! [`State`] is what the records of a run say, put together by [`State::fold`],
//! which decides nothing. [`advance`] takes one input (an answer, a due instant,
//! a cancel) and decides: each decision becomes a record, is folded in at once,
//! and the commands that follow from it are returned. Nothing here reads a
//! clock, rolls a die or calls anything.

mod advance;
mod fold;
mod instance;
mod join;
mod outcome;
mod scope;
mod settle;
mod state;

pub(crate) use advance::{Command, Input, Moment, advance};
pub(crate) use advance::{Decided, Dispatch, Resolved, Tools};
pub(crate) use instance::Prepared;
pub(crate) use outcome::Answer;
pub(crate) use settle::sha256;
pub(crate) use state::constants;
pub(crate) use state::{InstanceStatus, Phase, Problem, State, TaskState, TaskStatus};

#[cfg(test)]
mod tests;
