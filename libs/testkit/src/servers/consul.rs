//! A real Consul agent.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::part::{Part, READY_MAX, free_port, open_folder};
use crate::{tree, wait_until};

/// A real Consul agent that keeps nothing on disk: started anew it has forgotten
/// everything.
#[derive(Debug)]
pub struct Consul {
    part: Part,
    folder: TempDir,
    program: PathBuf,
    ports: [u16; 6],
}

impl Consul {
    /// Where `tests/parts/consul.sh` puts the program; none: it was not fetched.
    #[must_use]
    pub fn program() -> Option<PathBuf> {
        let program = tree().join("target/parts/consul/usr/bin/consul");
        program.exists().then_some(program)
    }

    /// Starts an agent; none, said aloud, when there is no program.
    ///
    /// # Panics
    /// When it does not answer in time.
    pub async fn start() -> Option<Self> {
        let Some(program) = Self::program() else {
            eprintln!("SKIPPED: no Consul agent here; tests/parts/consul.sh fetches it");
            return None;
        };
        let folder = open_folder();
        let ports = std::array::from_fn(|_| free_port());
        let part = run(&program, &ports, &folder);
        let agent = Self {
            part,
            folder,
            program,
            ports,
        };
        agent.ready().await;
        Some(agent)
    }

    /// The setting `registry` that leads to it.
    #[must_use]
    pub fn registry(&self) -> String {
        format!("consul:http://127.0.0.1:{}", self.ports[0])
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.part.kill();
    }

    /// Starts it again at the same address, with nothing in it.
    ///
    /// # Panics
    /// When it does not answer in time.
    pub async fn start_again(&mut self) {
        self.part.kill();
        self.part = run(&self.program, &self.ports, &self.folder);
        self.ready().await;
    }

    /// Waits for a leader: the agent takes registrations then.
    async fn ready(&self) {
        let url = format!("http://127.0.0.1:{}/v1/status/leader", self.ports[0]);
        wait_until("the Consul agent has a leader", READY_MAX, || {
            let out = Command::new("curl").args(["-fsS", &url]).output();
            out.is_ok_and(|o| o.status.success() && o.stdout.len() > 2)
        })
        .await;
        // The catalogue's first index follows the leader within a moment.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn run(program: &std::path::Path, ports: &[u16; 6], folder: &TempDir) -> Part {
    let mut command = Command::new(program);
    command.args([
        "agent",
        "-dev",
        "-bind",
        "127.0.0.1",
        "-client",
        "127.0.0.1",
    ]);
    let names = ["http", "dns", "grpc", "serf-lan", "serf-wan", "server"];
    for (name, port) in names.iter().zip(ports) {
        command.arg(format!("-{name}-port")).arg(port.to_string());
    }
    command.args(["-disable-host-node-id", "-log-level", "warn"]);
    Part::start("consul", &mut command, folder.path())
}
