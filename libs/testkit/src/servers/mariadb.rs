//! A real `MariaDB`.

use std::process::Command;

use tempfile::TempDir;

use super::part::{Part, READY_MAX, free_port, open_folder};
use super::user::User;
use crate::wait_until;

/// A real `MariaDB` with the user `gear` and a password.
#[derive(Debug)]
pub struct MariaDb {
    part: Part,
    folder: TempDir,
    port: u16,
}

/// The user's password; not a secret, but unlike any other text.
const PASSWORD: &str = "maria-canary-9Kd4";

impl MariaDb {
    /// Starts a server.
    ///
    /// # Panics
    /// When it does not answer in time.
    pub async fn start() -> Self {
        let folder = open_folder();
        let user = User::of("mysql");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("the folder can be written");
        user.own(&data);
        let mut install = Command::new("mariadb-install-db");
        install.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
        install.args(["--skip-test-db", "--skip-name-resolve"]);
        install.arg(format!("--datadir={}", data.display()));
        user.run(&mut install, "mariadb-install-db");
        let port = free_port();
        let mut server = Command::new("mariadbd");
        server.args(["--no-defaults", "--bind-address=127.0.0.1"]);
        server.args(["--skip-name-resolve", "--innodb-buffer-pool-size=32M"]);
        server.arg(format!("--datadir={}", data.display()));
        server.arg(format!("--socket={}/s", data.display()));
        server.arg(format!("--port={port}"));
        user.set(&mut server);
        let part = Part::start("mariadbd", &mut server, folder.path());
        let server = Self { part, folder, port };
        wait_until("MariaDB answers", READY_MAX, || {
            server.sql("mysql", "SELECT 1").is_ok()
        })
        .await;
        let grant = format!(
            "CREATE USER 'gear'@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO 'gear'@'%'"
        );
        server.sql("mysql", &grant).expect("the user is made");
        server
    }

    /// The connection string of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("mysql://gear:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// The user's password.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL as root; gives the rows, fields separated by tabs.
    ///
    /// # Errors
    /// What the server said.
    ///
    /// # Panics
    /// When there is no `mariadb`.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let out = Command::new("mariadb")
            .args(["--no-defaults", "-u", "root", "-N", "-B", "-D", database])
            .arg(format!("--socket={}/data/s", self.folder.path().display()))
            .args(["-e", sql])
            .output()
            .expect("mariadb is installed");
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
        self.sql(
            "mysql",
            &format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4"),
        )
        .expect("the database is made");
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.part.kill();
    }
}
