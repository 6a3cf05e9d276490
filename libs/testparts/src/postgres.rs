//! A real `PostgreSQL`.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::part::{Part, READY_MAX, Watch, free_port, open_folder};
use crate::user::User;
use crate::wait::wait_until;

/// Where Debian puts the programs.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// A real `PostgreSQL` with the user `postgres` and a password, asked for by SCRAM.
#[derive(Debug)]
pub struct Postgres {
    part: Part,
    folder: TempDir,
    port: u16,
    /// How the server is called.
    arguments: Vec<OsString>,
    watch: Option<Watch>,
}

/// The superuser's password; not a secret, but unlike any other text.
const PASSWORD: &str = "pg-canary-7Wq2";

impl Postgres {
    /// Starts a server without TLS.
    ///
    /// # Panics
    /// When it does not answer in time.
    pub async fn start() -> Self {
        Self::start_with(None, &[]).await
    }

    /// Starts a server that offers TLS with this certificate and key, as PEM texts.
    ///
    /// # Panics
    /// When it does not answer in time.
    pub async fn start_tls(certificate: &str, key: &str) -> Self {
        Self::start_with(Some((certificate, key)), &[]).await
    }

    /// One server for all tests of this process, started for the first of them. Each makes
    /// a database of its own.
    ///
    /// # Panics
    /// When it does not answer in time.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED
            .get_or_init(|| async {
                // It is never started again, so what it writes need not outlive it.
                let settings = ["fsync=off", "max_connections=300"];
                let mut server = Self::start_with(None, &settings).await;
                server.watch = Some(Watch::over(&server.part, server.folder.path()));
                server
            })
            .await
    }

    async fn start_with(tls: Option<(&str, &str)>, settings: &[&str]) -> Self {
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
        let mut arguments: Vec<OsString> = vec!["-D".into(), data.clone().into()];
        arguments.extend(["-p".into(), port.to_string().into()]);
        arguments.extend(["-k".into(), data.clone().into()]);
        let settings = settings.iter().copied();
        for setting in settings.chain(["listen_addresses=127.0.0.1"]) {
            arguments.extend(["-c".into(), setting.into()]);
        }
        if let Some((certificate, key)) = tls {
            for (name, text) in [("server.crt", certificate), ("server.key", key)] {
                let path = data.join(name);
                std::fs::write(&path, text).expect("the folder can be written");
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))
                    .expect("the file is ours");
                user.own(&path);
            }
            arguments.extend(["-c".into(), "ssl=on".into()]);
        }
        let server = Self {
            part: launch(&user, &arguments, folder.path()),
            folder,
            port,
            arguments,
            watch: None,
        };
        server.answers().await;
        server
    }

    async fn answers(&self) {
        wait_until("PostgreSQL answers", READY_MAX, || {
            self.psql("postgres", "SELECT 1").is_ok()
        })
        .await;
    }

    /// Starts it again after [`Postgres::kill`], on the same data and port.
    ///
    /// # Panics
    /// When it does not answer in time.
    pub async fn restart(&mut self) {
        let user = User::of("postgres");
        let mut waited = Duration::ZERO;
        // It refuses while a process of its predecessor is there.
        loop {
            self.part = launch(&user, &self.arguments, self.folder.path());
            while !self.part.ended() {
                if self.psql("postgres", "SELECT 1").is_ok() {
                    return;
                }
                assert!(waited < READY_MAX, "PostgreSQL does not start again");
                tokio::time::sleep(AGAIN).await;
                waited += AGAIN;
            }
            assert!(waited < READY_MAX, "PostgreSQL does not start again");
            tokio::time::sleep(AGAIN).await;
            waited += AGAIN;
        }
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

    /// Ends it as a crash would. Processes that serve connections see that a moment later.
    pub fn kill(&mut self) {
        self.part.kill();
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Wait between two looks at a server that starts again.
const AGAIN: Duration = Duration::from_millis(20);

fn launch(user: &User, arguments: &[OsString], folder: &Path) -> Part {
    let mut server = program("postgres");
    server.args(arguments);
    user.set(&mut server);
    Part::start("postgres", &mut server, folder)
}

fn program(name: &str) -> Command {
    let mut command = Command::new(PathBuf::from(PROGRAMS).join(name));
    command.current_dir("/");
    command
}
