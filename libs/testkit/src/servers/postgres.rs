//! A real `PostgreSQL`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::part::{Part, READY_MAX, free_port, open_folder};
use super::user::User;
use crate::wait_until;

/// Where Debian puts the programs.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// A real `PostgreSQL` with the user `postgres` and a password, asked for by SCRAM.
#[derive(Debug)]
pub struct Postgres {
    part: Part,
    folder: TempDir,
    port: u16,
}

/// The superuser's password; not a secret, but unlike any other text.
const PASSWORD: &str = "pg-canary-7Wq2";

impl Postgres {
    /// Starts a server without TLS.
    ///
    /// # Panics
    /// When it does not answer in time.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts a server that offers TLS with this certificate and key, as PEM texts.
    ///
    /// # Panics
    /// When it does not answer in time.
    pub async fn start_tls(certificate: &str, key: &str) -> Self {
        Self::start_with(Some((certificate, key))).await
    }

    async fn start_with(tls: Option<(&str, &str)>) -> Self {
        let folder = open_folder();
        let user = User::of("postgres");
        let data = folder.path().join("data");
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).expect("the folder can be written");
        std::fs::create_dir(&data).expect("the folder can be written");
        user.own(&data);
        user.own(&password);
        let mut init = program("initdb");
        init.arg("-D").arg(&data).arg("--pwfile").arg(&password);
        init.args(["-A", "scram-sha-256", "-U", "postgres", "-E", "UTF8"]);
        init.args(["--locale", "C.UTF-8", "--no-sync"]);
        user.run(&mut init, "initdb");
        let port = free_port();
        let mut server = program("postgres");
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        server.arg("-k").arg(folder.path().join("data"));
        server.args(["-c", "listen_addresses=127.0.0.1"]);
        if let Some((certificate, key)) = tls {
            for (name, text) in [("server.crt", certificate), ("server.key", key)] {
                let path = data.join(name);
                std::fs::write(&path, text).expect("the folder can be written");
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))
                    .expect("the file is ours");
                user.own(&path);
            }
            server.args(["-c", "ssl=on"]);
        }
        user.set(&mut server);
        let part = Part::start("postgres", &mut server, folder.path());
        let server = Self { part, folder, port };
        wait_until("PostgreSQL answers", READY_MAX, || {
            server.psql("postgres", "SELECT 1").is_ok()
        })
        .await;
        server
    }

    /// The connection string of a database, for the superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgresql://postgres:{PASSWORD}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// The superuser's password.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL as the superuser; gives the rows, fields separated by `|`.
    ///
    /// # Errors
    /// What the server said.
    ///
    /// # Panics
    /// When there is no `psql`.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let out = program("psql")
            .env("PGPASSWORD", PASSWORD)
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", "postgres", "-d", database, "-X", "-A", "-t", "-q"])
            .args(["-v", "ON_ERROR_STOP=1", "-c", sql])
            .output()
            .expect("psql is installed");
        if out.status.success() {
            Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&out.stderr).into_owned())
        }
    }

    /// Makes an empty database.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn database(&self, name: &str) {
        self.psql("postgres", &format!("CREATE DATABASE \"{name}\""))
            .expect("the database is made");
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.part.kill();
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn program(name: &str) -> Command {
    let mut command = Command::new(PathBuf::from(PROGRAMS).join(name));
    command.current_dir("/");
    command
}
