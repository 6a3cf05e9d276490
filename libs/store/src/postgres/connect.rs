//! Connections to a server.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Row};

use super::SCHEMA;
use crate::error::{Error, Result};

/// The oldest server that is taken: older ones lack statements that are used here.
const VERSION_MIN: i32 = 150_000;
/// Longest name of a store: with the schema's first letters it makes an identifier, and a
/// server cuts those at 63 bytes.
const NAME_MAX: usize = 63 - SCHEMA.len();
/// How long somebody waits for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A transaction whose owner sends nothing holds up others and the vacuum.
const IDLE_MAX: &str = "10s";
/// How long the writer waits for a lock. Nobody holds one for long; after this the holder
/// is looked at.
pub(super) const LOCK_MAX: &str = "2s";

/// How a store on a server is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PgOptions {
    /// What a statement may take before the server ends it.
    pub statement_timeout: Duration,
    /// Most connections beside the journal's writer.
    pub connections: u32,
}

impl Default for PgOptions {
    fn default() -> Self {
        Self {
            statement_timeout: Duration::from_secs(30),
            connections: 8,
        }
    }
}

/// How connections to a store are made.
pub(super) fn options(url: &str, name: &str, options: PgOptions) -> Result<PgConnectOptions> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(fits) {
        return Err(Error::Name(name.to_owned()));
    }
    let parsed = PgConnectOptions::from_str(url)
        .map_err(|e| Error::Unfit(format!("its address is no `postgres://` URL: {e}")))?;
    let schema = format!("{SCHEMA}{name}");
    let timeout = options.statement_timeout.as_millis().to_string();
    let parsed = parsed
        .application_name(&format!("gearmesh-{name}"))
        .statement_cache_capacity(256)
        .options([
            ("search_path", format!("\"{schema}\"").as_str()),
            // How static statements learn the name.
            ("gearmesh.schema", schema.as_str()),
            ("statement_timeout", timeout.as_str()),
            ("idle_in_transaction_session_timeout", IDLE_MAX),
            ("synchronous_commit", "on"),
            // Conditional updates, not snapshots, keep callers apart.
            ("default_transaction_isolation", "read committed"),
            ("client_min_messages", "warning"),
        ]);
    Ok(parsed.disable_statement_logging())
}

/// Those of the journal's writer. Its statements join short lists with tables by their
/// keys; what the planner thinks of a table that was empty when it was asked must not turn
/// that into a walk over all of it.
pub(super) fn writer_options(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([
        ("lock_timeout", LOCK_MAX),
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("jit", "off"),
    ])
}

pub(super) fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_MAX)
        .max_lifetime(None)
        .connect_lazy_with(options)
}

/// Refuses a server that cannot be a store.
pub(super) async fn check(connection: &mut PgConnection, name: &str) -> Result<()> {
    let row = sqlx::query(
        "SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
current_setting('server_encoding'), pg_is_in_recovery(), current_setting('synchronous_standby_names')",
    )
    .fetch_one(connection)
    .await?;
    let version: String = row.try_get(1)?;
    if row.try_get::<i32, _>(0)? < VERSION_MIN {
        let least = VERSION_MIN / 10_000;
        let what = format!("version {version} is too old, {least} or newer is needed");
        return Err(Error::Unfit(what));
    }
    let encoding: String = row.try_get(2)?;
    if encoding != "UTF8" {
        let what = format!("the database's encoding is {encoding}, UTF8 is needed");
        return Err(Error::Unfit(what));
    }
    if row.try_get(3)? {
        return Err(is_standby());
    }
    if row.try_get::<String, _>(4)?.is_empty() {
        tracing::warn!(
            store = name,
            "no synchronous standby: a failover may lose what was acknowledged"
        );
    }
    Ok(())
}

/// Refuses a server that has become a standby.
pub(super) async fn check_primary(connection: &mut PgConnection) -> Result<()> {
    let standby: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()")
        .fetch_one(connection)
        .await?;
    if standby {
        return Err(is_standby());
    }
    Ok(())
}

fn is_standby() -> Error {
    Error::Unavailable("the server is a standby and takes no writes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_an_identifier() {
        let name = |name: &str| options("postgres://u@h/d", name, PgOptions::default());
        assert!(name(&"n".repeat(NAME_MAX)).is_ok());
        for bad in ["", "A", "a.b", "a\"b", &"n".repeat(NAME_MAX + 1)] {
            assert!(matches!(name(bad), Err(Error::Name(_))), "{bad}");
        }
    }

    #[test]
    fn bad_address_is_told_without_its_password() {
        let refused = options("postgres://u:canary@h:x/d", "a", PgOptions::default());
        let Err(Error::Unfit(what)) = refused else {
            panic!("{refused:?}");
        };
        assert!(!what.contains("canary"), "{what}");
    }
}
