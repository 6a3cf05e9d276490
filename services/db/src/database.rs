//! A database with its pool of logins.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{ConnectOptions, Connection};

use crate::dialect::Dialect;
use crate::error::{Error, Said};
use crate::files::{File, Files, Mode};
use crate::limits::{IDLE_DEFAULT, LOGIN_DEFAULT, POOL_DEFAULT, POOL_MAX, STATEMENT_DEFAULT};
use crate::target::Target;

/// How long a writer of a file waits for another.
const BUSY: Duration = Duration::from_secs(5);

/// The settings of a connection, as configuration and vault hold them. Times are
/// milliseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) r#type: String,
    /// The string, or a reference to it.
    pub(crate) connection_string: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pool_size: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) idle_timeout: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connection_timeout: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) statement_timeout: Option<u64>,
    #[serde(default)]
    pub(crate) read_only: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_certificate: Option<String>,
}

impl Settings {
    /// Logins at most.
    pub(crate) fn pool_size(&self) -> u32 {
        self.pool_size.unwrap_or(POOL_DEFAULT).clamp(1, POOL_MAX)
    }

    fn idle(&self) -> Duration {
        self.idle_timeout
            .map_or(IDLE_DEFAULT, Duration::from_millis)
    }

    fn login(&self) -> Duration {
        self.connection_timeout
            .map_or(LOGIN_DEFAULT, Duration::from_millis)
    }
}

/// The pools of a database.
#[derive(Debug)]
pub(crate) enum Pools {
    Postgres {
        pool: PgPool,
        options: Box<PgConnectOptions>,
    },
    MySql {
        pool: MySqlPool,
        options: Box<MySqlConnectOptions>,
    },
    /// One writer: a file has no room for two.
    Sqlite { read: SqlitePool, write: SqlitePool },
}

/// A database that is connected, or will be at its first use.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) dialect: Dialect,
    pub(crate) read_only: bool,
    /// Longest time of a statement.
    pub(crate) statement: Duration,
    pub(crate) pools: Pools,
    login: Duration,
    file: Option<File>,
}

impl Database {
    /// Makes the pools; logs in nowhere. `text` is the resolved connection string.
    pub(crate) fn new(
        name: &str,
        settings: &Settings,
        text: &str,
        files: &Files,
    ) -> Result<Self, Error> {
        let unusable = |what: String| Error::Settings {
            name: name.to_owned(),
            what,
        };
        if settings.r#type == "mongodb" {
            return Err(Error::NotBuilt(settings.r#type.clone()));
        }
        let dialect = Dialect::of(&settings.r#type)
            .ok_or_else(|| unusable(format!("`{}` is no type of database", settings.r#type)))?;
        let ca = settings.ca_certificate.as_deref();
        let target = Target::parse(dialect, text, ca, files).map_err(unusable)?;
        let mut file = None;
        let pools = match target {
            Target::Postgres(options) => Pools::Postgres {
                pool: pool::<sqlx::Postgres>(settings).connect_lazy_with((*options).clone()),
                options,
            },
            Target::MySql(options) => Pools::MySql {
                pool: pool::<sqlx::MySql>(settings).connect_lazy_with((*options).clone()),
                options,
            },
            Target::Sqlite(found) => {
                let pools = Pools::Sqlite {
                    read: pool::<sqlx::Sqlite>(settings)
                        .connect_lazy_with(sqlite(&found).read_only(true)),
                    write: pool::<sqlx::Sqlite>(settings)
                        .max_connections(1)
                        .connect_lazy_with(sqlite(&found)),
                };
                file = Some(found);
                pools
            }
        };
        let reads = file.as_ref().is_some_and(|f| f.mode == Mode::Read);
        Ok(Self {
            name: name.to_owned(),
            dialect,
            read_only: settings.read_only || reads,
            statement: settings
                .statement_timeout
                .map_or(STATEMENT_DEFAULT, Duration::from_millis),
            pools,
            login: settings.login(),
            file,
        })
    }

    /// Logs in once, beside the pool, so that what is wrong is said at once.
    pub(crate) async fn verify(&self) -> Result<(), Error> {
        let login = async {
            match &self.pools {
                Pools::Postgres { options, .. } => options.connect().await?.close().await,
                Pools::MySql { options, .. } => options.connect().await?.close().await,
                Pools::Sqlite { .. } => match &self.file {
                    Some(file) => {
                        let mut conn = sqlite(file).connect().await?;
                        // A file that is no database shows itself when it is read.
                        sqlx::query("SELECT count(*) FROM sqlite_master")
                            .fetch_one(&mut conn)
                            .await?;
                        conn.close().await
                    }
                    None => Ok(()),
                },
            }
        };
        match tokio::time::timeout(self.login, login).await {
            Ok(done) => done.map_err(|e| Error::login(&e, &self.name)),
            Err(_) => Err(self.crowded()),
        }
    }

    /// Whether there is a file to read, or a server to ask.
    pub(crate) fn there(&self) -> bool {
        self.file.as_ref().is_none_or(|f| f.path.exists())
    }

    /// No login was to be had in time.
    pub(crate) fn crowded(&self) -> Error {
        let within = self.login.as_millis();
        let message = match self.figures() {
            (0, _) => format!("no login succeeded within {within} ms; is the server there?"),
            (open, _) => format!("none of its {open} logins became free within {within} ms"),
        };
        Error::Connect {
            name: self.name.clone(),
            said: Said {
                message,
                ..Said::default()
            },
            transient: true,
        }
    }

    /// Logins that are open, and of these unused.
    pub(crate) fn figures(&self) -> (u32, usize) {
        match &self.pools {
            Pools::Postgres { pool, .. } => (pool.size(), pool.num_idle()),
            Pools::MySql { pool, .. } => (pool.size(), pool.num_idle()),
            Pools::Sqlite { read, write } => (
                read.size() + write.size(),
                read.num_idle() + write.num_idle(),
            ),
        }
    }

    /// Closes the pools; calls under way end first.
    pub(crate) async fn close(&self) {
        match &self.pools {
            Pools::Postgres { pool, .. } => pool.close().await,
            Pools::MySql { pool, .. } => pool.close().await,
            Pools::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}

fn pool<Db: sqlx::Database>(settings: &Settings) -> PoolOptions<Db> {
    PoolOptions::new()
        .max_connections(settings.pool_size())
        .idle_timeout(settings.idle())
        .acquire_timeout(settings.login())
}

/// Extensions stay off, as the library has them; the journal's mode is the file's own.
fn sqlite(file: &File) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&file.path)
        .create_if_missing(file.mode == Mode::Create)
        .read_only(file.mode == Mode::Read)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
}
