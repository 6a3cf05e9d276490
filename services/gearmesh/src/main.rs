//! The binary: every command of the command line, every service.
//!
//! Lists the services and lends the command line a mesh of them; what a command
//! does is decided there, what a service does in its own crate.

mod init;
mod mesh;
mod services;
mod settings;
mod stand_ins;

use std::process::ExitCode;

use gearmesh_cli::Starter;

fn main() -> ExitCode {
    gearmesh_cli::main(Starter {
        start: |options| Box::pin(mesh::start(options)),
        serve_mcp: |tools| {
            Box::pin(mesh::serve_mcp(gearmesh_gateway::serve_stdio(
                tools,
                gearmesh_runtime::CancellationToken::new(),
            )))
        },
        demo: |options| Box::pin(mesh::demo(options)),
        init: |options| Box::pin(init::init(options)),
        health: mesh::health,
        services: services::NAMES,
        log: gearmesh_runtime::log_to_stderr,
    })
}
