//! Plays a workflow with answers that are given: nothing is called, and no time passes.
//!
//! The planner is the one that runs workflows. The world around it is made of a case: its
//! clock stands still but for waits and delays, which it jumps over, tools answer what the
//! case says, and people and events come when it says. Two plays of one case are equal.

mod calls;
mod cases;
mod expect;
mod mocks;
mod names;
mod people;
mod read;
mod start;
mod world;

use std::sync::Arc;

use serde_json::Value;

use gearmesh_catalog::Catalog;
use gearmesh_workflow::Workflow;

use crate::plan::{State, Tools};

pub(crate) use cases::{Case, cases};
use world::World;

/// The catalogue, as the planner asks it and as the parameters of calls are checked.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) tools: &'a dyn Tools,
    pub(crate) catalog: &'a Catalog,
}

impl std::fmt::Debug for Known<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

/// How a case went.
#[derive(Debug)]
pub(crate) struct Tested {
    /// The run at its end; none when it could not begin.
    pub(crate) state: Option<State>,
    pub(crate) now_ms: i64,
    /// What was otherwise than the case says, one sentence each.
    pub(crate) faults: Vec<String>,
    /// In order.
    pub(crate) calls: Vec<Called>,
}

/// A call that was made.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    /// The task, with its items as `dump[0].rows`.
    pub(crate) task: String,
    /// The tool, or `workflow:NAME`.
    pub(crate) tool: String,
    pub(crate) params: Value,
}

/// Plays a case and compares.
pub(crate) fn test(workflow: &Arc<Workflow>, known: Known<'_>, case: &Case) -> Tested {
    let world = match World::new(workflow, known, case) {
        Ok(world) => world,
        Err(faults) => {
            return Tested {
                state: None,
                now_ms: case.now_ms,
                faults,
                calls: Vec::new(),
            };
        }
    };
    let mut seen = world.play();
    let played = expect::Played {
        state: &seen.state,
        calls: &seen.calls,
        order: &seen.order,
    };
    seen.faults.extend(played.faults(&case.expect));
    Tested {
        state: Some(seen.state),
        now_ms: seen.now_ms,
        faults: seen.faults,
        calls: seen.calls,
    }
}
