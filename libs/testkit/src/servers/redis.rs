//! A Redis that keeps what it has acknowledged.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::part::{Part, READY_MAX, free_port, open_folder};
use crate::wait_until;

/// The password; it must appear in no error and no log.
const PASSWORD: &str = "canary-redis-7f3a";

/// A Redis with an append-only file, a password and a port of its own.
#[derive(Debug)]
pub struct Redis {
    part: Part,
    port: u16,
    folder: TempDir,
}

impl Redis {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not serve in time.
    pub async fn start() -> Self {
        let folder = open_folder();
        let port = free_port();
        let mut redis = Self {
            part: start(port, &folder),
            port,
            folder,
        };
        redis.ready().await;
        redis
    }

    /// The URL of its first database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}/0", self.port)
    }

    /// The password in it.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// `kill -9`; its file stays.
    pub fn kill(&mut self) {
        self.part.kill();
    }

    /// Starts it again after [`Redis::kill`], with the same port and file.
    ///
    /// # Panics
    /// When it does not serve in time.
    pub async fn restart(&mut self) {
        self.part = start(self.port, &self.folder);
        self.ready().await;
    }

    async fn ready(&mut self) {
        let port = self.port;
        let part = &mut self.part;
        wait_until("redis answers", READY_MAX, || {
            assert!(!part.ended(), "redis ended: {}", part.said());
            answers(port)
        })
        .await;
    }
}

fn start(port: u16, folder: &TempDir) -> Part {
    let port = port.to_string();
    let mut command = Command::new("redis-server");
    command
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--requirepass",
            PASSWORD,
        ])
        .args(["--save", "", "--appendonly", "yes", "--dir"])
        .arg(folder.path());
    Part::start("redis", &mut command, folder.path())
}

/// Whether it logs in and has read its file.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(format!("AUTH {PASSWORD}\r\nPING\r\nQUIT\r\n").as_bytes())?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said)
    };
    ask().is_ok_and(|said| said.contains("+PONG"))
}
