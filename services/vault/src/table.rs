//! The tables and their queries. What is in them is encrypted elsewhere.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use gearmesh_store::Migration;

use crate::error::Error;
use crate::passphrase::Cost;
use crate::root::{Derivation, Row};

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: include_str!("../migrations/1_vault.sql"),
        down: None,
    },
    Migration {
        version: 2,
        sql: include_str!("../migrations/2_sealed.sql"),
        down: None,
    },
];

/// A vault's key, wrapped.
#[derive(Debug)]
pub(crate) struct VaultRow {
    pub(crate) kek_version: u32,
    /// Which root key has wrapped it.
    pub(crate) proof: Vec<u8>,
    pub(crate) created_ms: i64,
    pub(crate) kek: Vec<u8>,
}

/// A record with what it is bound to.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) version: u64,
    pub(crate) created_ms: i64,
    pub(crate) record: Vec<u8>,
}

pub(crate) async fn root(c: &mut SqliteConnection) -> Result<Option<Row>, Error> {
    let row =
        sqlx::query("SELECT source, salt, memory_kib, passes, lanes, proof FROM root WHERE id = 1")
            .fetch_optional(c)
            .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let derivation = match row.try_get::<String, _>("source")?.as_str() {
        "key" => None,
        "passphrase" => {
            let salt = row.try_get::<Option<Vec<u8>>, _>("salt")?;
            Some(Derivation {
                salt: salt.ok_or(Error::Format("its passphrase has no salt"))?,
                cost: Cost {
                    memory_kib: small(&row, "memory_kib")?,
                    passes: small(&row, "passes")?,
                    lanes: small(&row, "lanes")?,
                },
            })
        }
        _ => return Err(Error::Format("its root key comes from an unknown source")),
    };
    Ok(Some(Row {
        derivation,
        proof: row.try_get("proof")?,
    }))
}

pub(crate) async fn insert_root(
    c: &mut SqliteConnection,
    row: &Row,
    now_ms: i64,
) -> Result<(), Error> {
    let by = row.derivation.as_ref();
    sqlx::query(
        "INSERT INTO root (id, source, salt, memory_kib, passes, lanes, proof, created) \
         VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(if by.is_some() { "passphrase" } else { "key" })
    .bind(by.map(|d| d.salt.clone()))
    .bind(by.map(|d| d.cost.memory_kib))
    .bind(by.map(|d| d.cost.passes))
    .bind(by.map(|d| d.cost.lanes))
    .bind(&row.proof)
    .bind(now_ms)
    .execute(c)
    .await?;
    Ok(())
}

pub(crate) async fn vault(c: &mut SqliteConnection, name: &str) -> Result<Option<VaultRow>, Error> {
    let row = sqlx::query("SELECT kek_version, proof, created, kek FROM vault WHERE name = ?")
        .bind(name)
        .fetch_optional(c)
        .await?;
    row.map(|row| {
        Ok(VaultRow {
            kek_version: small(&row, "kek_version")?,
            proof: row.try_get("proof")?,
            created_ms: row.try_get("created")?,
            kek: row.try_get("kek")?,
        })
    })
    .transpose()
}

pub(crate) async fn insert_vault(
    c: &mut SqliteConnection,
    name: &str,
    row: &VaultRow,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO vault (name, kek_version, proof, created, kek) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(name)
    .bind(row.kek_version)
    .bind(&row.proof)
    .bind(row.created_ms)
    .bind(&row.kek)
    .execute(c)
    .await?;
    Ok(())
}

/// Names of people's vaults, in their order: those of this engine itself begin with `:`
/// or `~`.
pub(crate) async fn vaults(c: &mut SqliteConnection) -> Result<Vec<String>, Error> {
    let names =
        sqlx::query_scalar("SELECT name FROM vault WHERE name NOT GLOB '[:~]*' ORDER BY name")
            .fetch_all(c)
            .await?;
    Ok(names)
}

/// Deletes a vault with all that is in it.
pub(crate) async fn delete_vault(c: &mut SqliteConnection, name: &str) -> Result<bool, Error> {
    overwrite(c).await?;
    sqlx::query("DELETE FROM credential WHERE vault = ?")
        .bind(name)
        .execute(&mut *c)
        .await?;
    let gone = sqlx::query("DELETE FROM vault WHERE name = ?")
        .bind(name)
        .execute(c)
        .await?;
    Ok(gone.rows_affected() > 0)
}

/// A version of a secret; without a version the newest.
pub(crate) async fn credential(
    c: &mut SqliteConnection,
    vault: &str,
    name: &str,
    version: Option<u64>,
) -> Result<Option<Stored>, Error> {
    let row = sqlx::query(
        "SELECT version, created, record FROM credential \
         WHERE vault = ?1 AND name = ?2 AND (?3 IS NULL OR version = ?3) \
         ORDER BY version DESC LIMIT 1",
    )
    .bind(vault)
    .bind(name)
    .bind(version.map(|v| i64::try_from(v).unwrap_or(i64::MAX)))
    .fetch_optional(c)
    .await?;
    row.map(|row| stored(&row)).transpose()
}

/// The newest version of a secret; 0 without one.
pub(crate) async fn newest(
    c: &mut SqliteConnection,
    vault: &str,
    name: &str,
) -> Result<u64, Error> {
    let version: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM credential WHERE vault = ? AND name = ?")
            .bind(vault)
            .bind(name)
            .fetch_one(c)
            .await?;
    Ok(unsigned(version.unwrap_or_default()))
}

/// Adds a version and deletes those below `oldest`.
pub(crate) async fn insert_credential(
    c: &mut SqliteConnection,
    vault: &str,
    name: &str,
    stored: &Stored,
    oldest: u64,
) -> Result<(), Error> {
    overwrite(c).await?;
    sqlx::query("DELETE FROM credential WHERE vault = ? AND name = ? AND version < ?")
        .bind(vault)
        .bind(name)
        .bind(signed(oldest))
        .execute(&mut *c)
        .await?;
    sqlx::query(
        "INSERT INTO credential (vault, name, version, created, record) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(vault)
    .bind(name)
    .bind(signed(stored.version))
    .bind(stored.created_ms)
    .bind(&stored.record)
    .execute(c)
    .await?;
    Ok(())
}

/// Names of a vault's secrets, in their order.
pub(crate) async fn credentials(
    c: &mut SqliteConnection,
    vault: &str,
) -> Result<Vec<String>, Error> {
    let names =
        sqlx::query_scalar("SELECT DISTINCT name FROM credential WHERE vault = ? ORDER BY name")
            .bind(vault)
            .fetch_all(c)
            .await?;
    Ok(names)
}

/// Deletes a secret with all its versions.
pub(crate) async fn delete_credential(
    c: &mut SqliteConnection,
    vault: &str,
    name: &str,
) -> Result<bool, Error> {
    overwrite(c).await?;
    let gone = sqlx::query("DELETE FROM credential WHERE vault = ? AND name = ?")
        .bind(vault)
        .bind(name)
        .execute(c)
        .await?;
    Ok(gone.rows_affected() > 0)
}

pub(crate) async fn connection(
    c: &mut SqliteConnection,
    kind: &str,
    name: &str,
) -> Result<Option<Stored>, Error> {
    let row =
        sqlx::query("SELECT version, created, record FROM connection WHERE kind = ? AND name = ?")
            .bind(kind)
            .bind(name)
            .fetch_optional(c)
            .await?;
    row.map(|row| stored(&row)).transpose()
}

/// The next version of a connection, of any connection.
pub(crate) async fn next_connection(c: &mut SqliteConnection) -> Result<u64, Error> {
    let version: i64 = sqlx::query_scalar(
        "UPDATE root SET connections = connections + 1 WHERE id = 1 RETURNING connections",
    )
    .fetch_one(c)
    .await?;
    Ok(unsigned(version))
}

pub(crate) async fn put_connection(
    c: &mut SqliteConnection,
    kind: &str,
    name: &str,
    stored: &Stored,
) -> Result<(), Error> {
    overwrite(c).await?;
    sqlx::query(
        "INSERT INTO connection (kind, name, version, created, record) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (kind, name) DO UPDATE SET version = ?3, created = ?4, record = ?5",
    )
    .bind(kind)
    .bind(name)
    .bind(signed(stored.version))
    .bind(stored.created_ms)
    .bind(&stored.record)
    .execute(c)
    .await?;
    Ok(())
}

pub(crate) async fn connections(
    c: &mut SqliteConnection,
    kind: &str,
) -> Result<Vec<String>, Error> {
    let names = sqlx::query_scalar("SELECT name FROM connection WHERE kind = ? ORDER BY name")
        .bind(kind)
        .fetch_all(c)
        .await?;
    Ok(names)
}

pub(crate) async fn delete_connection(
    c: &mut SqliteConnection,
    kind: &str,
    name: &str,
) -> Result<bool, Error> {
    overwrite(c).await?;
    let gone = sqlx::query("DELETE FROM connection WHERE kind = ? AND name = ?")
        .bind(kind)
        .bind(name)
        .execute(c)
        .await?;
    Ok(gone.rows_affected() > 0)
}

/// From now on what this connection deletes is overwritten with zeros.
async fn overwrite(c: &mut SqliteConnection) -> Result<(), Error> {
    sqlx::query("PRAGMA secure_delete = ON").execute(c).await?;
    Ok(())
}

fn stored(row: &SqliteRow) -> Result<Stored, Error> {
    Ok(Stored {
        version: unsigned(row.try_get("version")?),
        created_ms: row.try_get("created")?,
        record: row.try_get("record")?,
    })
}

fn small(row: &SqliteRow, column: &str) -> Result<u32, Error> {
    let number = row.try_get::<Option<i64>, _>(column)?.unwrap_or_default();
    u32::try_from(number).map_err(|_| Error::Format("a number in it is out of bounds"))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
