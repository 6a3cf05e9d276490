//! The scheduler through its protocol, with an orchestrator behind it.

mod firing;
mod support;
mod tools;
