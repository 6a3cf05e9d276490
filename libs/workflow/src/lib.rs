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
//! (one table), and what is none of them is refused, never left out silently.
//!
//! Pure: no clock, no randomness, no I/O. What tools there are comes in as a catalogue; without one
//! everything else is still checked. What time it is comes in with [`check_at`]; without it nothing is
//! said of schedules that are over.

mod again;
mod builder;
mod check;
mod concurrency;
mod convert;
mod diagnostic;
mod document;
pub mod duration;
mod field;
mod fields;
mod fmt;
mod graph;
mod head;
mod ids;
mod input;
mod join;
mod keys;
mod kind;
mod literals;
mod model;
mod names;
mod native;
mod nearest;
mod needs;
mod node;
mod oktyv;
mod ordinaut;
mod outline;
mod params;
mod pause;
mod plan;
mod policy;
mod render;
mod retry;
mod rules;
mod scalar;
mod schedule;
mod schema;
mod secrets;
mod seen;
mod shape;
mod source;
mod source_kind;
mod spec;
mod syntax;
mod task;
mod task_kind;
mod timing;
mod topic;
mod tree;
mod trigger;
mod triggers;
mod value;

pub use again::{REPEAT_DEFAULT, REPEAT_DELAY, REPEAT_MAX};
pub use builder::DOCUMENTS_MAX;
pub use check::{Checked, check, check_all, check_all_at, check_at};
pub use concurrency::CONCURRENT_RUNS_MAX;
pub use convert::convert;
pub use diagnostic::{DIAGNOSTICS_MAX, Diagnostic, Edit, Location, Severity, apply_edits};
pub use document::Document;
pub use field::DURATION_MAX;
pub use fmt::{FormatError, FormatOptions, format};
pub use gearmesh_schedule::RULE_MAX;
pub use graph::{Edge, Graph};
pub use input::{InputError, InputSpec, bind};
pub use keys::all_keys;
pub use kind::{Approve, Kind, OnTimeout, Wait};
pub use literals::Literals;
pub use model::{
    AS_NAME, Body, BodyId, Cache, Concurrency, Each, ITEMS_MAX, MAX_CONCURRENT, OnConflict,
    OnError, OnItemError, OnUnknown, PRIORITY, Repeat, RunIf, TOOL_TIMEOUT, Task, TaskOnError,
    Undo, Workflow,
};
pub use nearest::nearest_name;
pub use node::Node;
pub use ordinaut::TASK_PREFIX;
pub use pause::{APPROVERS_MAX, QUORUM_MAX};
pub use plan::{Plan, PlannedEdge, PlannedTask, plan};
pub use render::render;
pub use retry::{ATTEMPTS_MAX, Backoff, Retry, WAIT_MAX};
pub use rules::{RULES, Rule};
pub use schedule::{CATCH_UP_MAX, JITTER_MAX, PERIOD_MIN, WINDOW_MIN};
pub use schema::file_schema;
pub use source::{Dialect, EDGES_MAX, FILE_MAX, GROUPS_MAX, Source, TASKS_MAX};
pub use spec::INPUTS_MAX;
pub use timing::STEPS_MAX;
pub use topic::TOPIC_MAX;
pub use tree::{ALIASES_MAX, NESTING_MAX};
pub use trigger::Trigger;
pub use triggers::TRIGGERS_MAX;
