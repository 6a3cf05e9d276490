//! The command line: parses what was typed, speaks to a server, shows what came back.
//!
//! Every command is a client of the same API that REST and MCP offer, in JSON
//! through descriptors: this crate knows no engine's types, so a new tool is a new
//! command without a line here. Where no server is at hand, the binary lends one
//! in this process ([`Starter`]); then, too, the commands reach it by its address.
//!
//! What is typed is parsed before any runtime starts. Data goes to standard output,
//! everything else to standard error.
//!
//! Must not know: services, the runtime. Progress, prompts and reports are drawn by
//! a few lines of our own; crates for them would cost more in building than they save.

mod access;
mod app;
mod apply;
mod approval;
mod args;
mod artifacts;
mod ask;
mod call;
mod client;
mod data;
mod documents;
mod error;
mod exit;
mod explain;
mod feed;
mod file;
mod findings;
mod follow;
mod globals;
mod graph;
mod host;
mod init;
mod interrupts;
mod keyboard;
mod limit;
mod markup;
mod nearest;
mod outline;
mod output;
mod params;
mod plan;
#[cfg(test)]
mod quoted;
mod record;
mod report;
mod request;
mod retry;
mod rewrite;
mod row;
mod run;
mod run_args;
mod runs;
mod schedule;
mod schedule_args;
mod serve;
mod server;
mod starter;
mod style;
mod surroundings;
mod synonyms;
mod table;
mod testing;
mod text;
mod token;
mod tool;
mod tree;
mod validate;
mod verdict;
mod viewer;
mod widths;
mod words;
mod workflow;
mod workflow_args;

pub use app::main;
pub use starter::{
    Demo, DemoOptions, InitOptions, InitWhat, MESH_LOCK, Made, StartError, StartOptions, Started,
    Starter,
};
