//! The gateway as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    gearmesh_runtime::main(&[gearmesh_gateway::SERVICE])
}
