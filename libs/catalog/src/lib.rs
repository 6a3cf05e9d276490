//! The catalogue: what every surface knows about tools, read from descriptors.
//!
//! An RPC that carries the option `(gearmesh.tool.v1.tool)` *is* a tool. Its name, text,
//! schemas, route, class, examples and faults are in the proto, once; this crate reads
//! them from the raw descriptor bytes and hands the same answers to REST, MCP, the
//! command line, workflows and the orchestrator, so that adding an RPC changes nothing
//! else. It also owns the one conversion between JSON and messages ([`json`]) and the
//! rules that descriptors must obey ([`lint`]).
//!
//! The bytes go through prost-reflect and never through `prost_types`, which drops
//! custom options without a word.
//!
//! Pure on purpose: no I/O, no clock, no transport, no engine's types. A [`Catalog`] is
//! immutable; when an engine joins or leaves, a new one takes its place.

mod builder;
mod catalog;
mod class;
mod describe;
mod docs;
mod error;
mod fault;
#[cfg(test)]
mod fixture;
mod former;
pub mod json;
mod lint;
mod names;
mod nearest;
mod options;
mod output;
mod route;
mod scope;
#[cfg(test)]
mod tests;
mod tool;
mod tool_options;

pub use catalog::{Access, Affinity, Catalog, EngineInfo, Engines, Found, Rpc, Source};
pub use class::{Approval, Class, Effect, Keyed, Latency, Narrow};
pub use error::Error;
pub use fault::FaultInfo;
pub use lint::{Finding, lint};
pub use output::{PathCheck, Step};
pub use route::Binding;
pub use scope::{grants, includes};
pub use tool::{Alias, ConnectionField, Example, Tool, Undo};
