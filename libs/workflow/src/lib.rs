//! Workflow files: read with places, checked as a whole, planned.
//!
//! A file is read into a tree that knows where every key and value stands ([`check`]). Each later
//! step looks at that tree and adds what it finds to one list, so that a reader gets every fault at
//! once, at its place, with the edit that mends it where one is safe. Only a file without faults
//! becomes a [`Workflow`]: immutable, its expressions parsed, its graph built. The orchestrator runs
//! that, and the command line and the gateway show it ([`plan`]); none of them reads the file again.
//!
//! Two ways to write are read: our own format in YAML or JSON, and the requests of Oktyv's
//! `parallel_execute`, which keep their own rules and messages. The keys of the format are data
//! (one table), with those that are not built yet: these are refused, never left out silently.
//!
//! Pure: no time, no randomness, no I/O. What tools there are comes in as a catalogue; without one
//! everything else is still checked.

mod builder;
mod check;
mod diagnostic;
pub mod duration;
mod field;
mod graph;
mod ids;
mod input;
mod keys;
mod kind;
mod model;
mod names;
mod native;
mod nearest;
mod node;
mod oktyv;
mod params;
mod plan;
mod policy;
mod render;
mod retry;
mod rules;
mod scalar;
mod shape;
mod source;
mod spec;
mod syntax;
mod task;
mod tree;
mod trigger;
mod value;

pub use check::{Checked, check};
pub use diagnostic::{DIAGNOSTICS_MAX, Diagnostic, Edit, Location, Severity, apply_edits};
pub use field::DURATION_MAX;
pub use graph::{Edge, Graph};
pub use input::{InputError, InputSpec, bind};
pub use kind::{Approve, Kind, OnTimeout, Wait};
pub use model::{
    AS_NAME, Body, BodyId, Cache, Concurrency, Each, ITEMS_MAX, MAX_CONCURRENT, OnConflict,
    OnError, OnItemError, OnUnknown, PRIORITY, Repeat, RunIf, TOOL_TIMEOUT, Task, TaskOnError,
    Undo, Workflow,
};
pub use node::Node;
pub use plan::{Plan, PlannedEdge, PlannedTask, plan};
pub use render::render;
pub use retry::{ATTEMPTS_MAX, Backoff, Retry, WAIT_MAX};
pub use rules::{RULES, Rule};
pub use source::{Dialect, EDGES_MAX, FILE_MAX, Source, TASKS_MAX};
pub use spec::INPUTS_MAX;
pub use tree::{ALIASES_MAX, NESTING_MAX};
pub use trigger::Trigger;
