//! Credentials, leaves and tokens, and their queries.

use gearmesh_runtime::Context;
use gearmesh_store::{Migration, Store};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tokio::sync::OnceCell;

use crate::ca::Leaf;
use crate::credential::{Credential, UNUSED_MAX_S};
use crate::error::{Error, Refused};
use crate::page::Page;

const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: include_str!("../migrations/1_identity.sql"),
    down: None,
}];

/// Ended leaves that one signing removes beside its own work.
const SWEEP: i64 = 16;

/// Last use of a token is stored to the minute: not every call is a write.
const USED_STEP_S: i64 = 60;

/// A credential as it is known here.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) id: String,
    pub(crate) spiffe: String,
    pub(crate) first_used: Option<i64>,
    pub(crate) last_used: Option<i64>,
    pub(crate) revoked: Option<i64>,
    pub(crate) serial: String,
}

/// A token as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) hmac: Vec<u8>,
    pub(crate) created: i64,
    pub(crate) expires: i64,
    pub(crate) last_used: Option<i64>,
    pub(crate) revoked: Option<i64>,
}

/// The store, opened at the first call.
#[derive(Debug)]
pub(crate) struct Table {
    context: Context,
    store: OnceCell<Store>,
}

impl Table {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context,
            store: OnceCell::new(),
        }
    }

    async fn store(&self) -> Result<&Store, Error> {
        self.store
            .get_or_try_init(|| async {
                let store = self.context.store().await?.clone();
                store.migrate("identity", MIGRATIONS).await?;
                Ok(store)
            })
            .await
    }

    /// Notes that a credential gets a leaf; refuses one that was revoked or has ended.
    pub(crate) async fn used(
        &self,
        credential: &Credential,
        leaf: &Leaf,
        spiffe: &str,
        now: i64,
    ) -> Result<(), Error> {
        let store = self.store().await?;
        store
            .write(async |tx: &mut SqliteConnection| -> Result<(), Error> {
                let known: Option<(Option<i64>, Option<i64>)> =
                    sqlx::query_as("SELECT last_used, revoked FROM credential WHERE id = ?")
                        .bind(&credential.id)
                        .fetch_optional(&mut *tx)
                        .await?;
                let (last_used, revoked) = known.unwrap_or_default();
                if revoked.is_some() {
                    return Err(Error::Credential(Refused::Revoked));
                }
                if now - last_used.unwrap_or(credential.created) > UNUSED_MAX_S {
                    return Err(Error::Credential(Refused::Stale));
                }
                sqlx::query(
                    "INSERT INTO credential (id, spiffe, first_used, last_used, serial) \
                     VALUES (?1, ?2, ?3, ?3, ?4) \
                     ON CONFLICT (id) DO UPDATE SET last_used = ?3, serial = ?4",
                )
                .bind(&credential.id)
                .bind(credential.spiffe())
                .bind(now)
                .bind(&leaf.serial)
                .execute(&mut *tx)
                .await?;
                issued(tx, &credential.id, leaf, spiffe, now).await
            })
            .await
    }

    /// Notes a leaf that was signed for this process itself.
    pub(crate) async fn issued(&self, leaf: &Leaf, spiffe: &str, now: i64) -> Result<(), Error> {
        let store = self.store().await?;
        store
            .write(async |tx: &mut SqliteConnection| -> Result<(), Error> {
                issued(tx, "", leaf, spiffe, now).await
            })
            .await
    }

    /// Refuses a credential from now on; says whether it was valid before.
    pub(crate) async fn revoke(&self, id: &str, now: i64) -> Result<bool, Error> {
        let store = self.store().await?;
        store
            .write(async |tx: &mut SqliteConnection| -> Result<bool, Error> {
                // One that was never used is remembered too, so that it never will be.
                let changed = sqlx::query(
                    "INSERT INTO credential (id, spiffe, revoked, serial) VALUES (?1, '', ?2, '') \
                     ON CONFLICT (id) DO UPDATE SET revoked = ?2 WHERE revoked IS NULL",
                )
                .bind(id)
                .bind(now)
                .execute(&mut *tx)
                .await?;
                Ok(changed.rows_affected() > 0)
            })
            .await
    }

    pub(crate) async fn credentials(&self, page: &Page) -> Result<Vec<Known>, Error> {
        let mut reader = self.store().await?.read().await?;
        let rows = sqlx::query("SELECT * FROM credential WHERE id > ? ORDER BY id LIMIT ?")
            .bind(&page.after)
            .bind(page.limit())
            .fetch_all(&mut *reader)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Known {
                    id: row.try_get("id")?,
                    spiffe: row.try_get("spiffe")?,
                    first_used: row.try_get("first_used")?,
                    last_used: row.try_get("last_used")?,
                    revoked: row.try_get("revoked")?,
                    serial: row.try_get("serial")?,
                })
            })
            .collect()
    }

    pub(crate) async fn add_token(&self, token: &Token) -> Result<(), Error> {
        let store = self.store().await?;
        store
            .write(async |tx: &mut SqliteConnection| -> Result<(), Error> {
                sqlx::query(
                    "INSERT INTO token (id, name, scopes, hmac, created, expires) \
                     VALUES (?, ?, ?, ?, ?, ?)",
                )
                .bind(&token.id)
                .bind(&token.name)
                .bind(token.scopes.join(" "))
                .bind(&token.hmac)
                .bind(token.created)
                .bind(token.expires)
                .execute(&mut *tx)
                .await?;
                Ok(())
            })
            .await
    }

    pub(crate) async fn token(&self, id: &str) -> Result<Option<Token>, Error> {
        let mut reader = self.store().await?.read().await?;
        let row = sqlx::query("SELECT * FROM token WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *reader)
            .await?;
        row.as_ref().map(token).transpose()
    }

    /// Newest first.
    pub(crate) async fn tokens(&self, page: &Page) -> Result<Vec<Token>, Error> {
        let mut reader = self.store().await?.read().await?;
        let rows = sqlx::query(
            "SELECT * FROM token WHERE ?1 = '' OR (created, id) < \
             (SELECT created, id FROM token WHERE id = ?1) \
             ORDER BY created DESC, id DESC LIMIT ?2",
        )
        .bind(&page.after)
        .bind(page.limit())
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(token).collect()
    }

    /// Ends a token; whether it was valid, or nothing when there is none.
    pub(crate) async fn revoke_token(&self, id: &str, now: i64) -> Result<Option<bool>, Error> {
        let store = self.store().await?;
        store
            .write(
                async |tx: &mut SqliteConnection| -> Result<Option<bool>, Error> {
                    let found: Option<(Option<i64>, i64)> =
                        sqlx::query_as("SELECT revoked, expires FROM token WHERE id = ?")
                            .bind(id)
                            .fetch_optional(&mut *tx)
                            .await?;
                    let Some((revoked, expires)) = found else {
                        return Ok(None);
                    };
                    sqlx::query("UPDATE token SET revoked = ? WHERE id = ? AND revoked IS NULL")
                        .bind(now)
                        .bind(id)
                        .execute(&mut *tx)
                        .await?;
                    Ok(Some(revoked.is_none() && expires > now))
                },
            )
            .await
    }

    /// Notes that a token was used, to the minute.
    pub(crate) async fn token_used(&self, token: &Token, now: i64) -> Result<(), Error> {
        if token.last_used.is_some_and(|used| now - used < USED_STEP_S) {
            return Ok(());
        }
        let store = self.store().await?;
        store
            .write(async |tx: &mut SqliteConnection| -> Result<(), Error> {
                sqlx::query("UPDATE token SET last_used = ? WHERE id = ?")
                    .bind(now)
                    .bind(&token.id)
                    .execute(&mut *tx)
                    .await?;
                Ok(())
            })
            .await
    }
}

async fn issued(
    tx: &mut SqliteConnection,
    credential: &str,
    leaf: &Leaf,
    spiffe: &str,
    now: i64,
) -> Result<(), Error> {
    sqlx::query(
        "DELETE FROM leaf WHERE serial IN (SELECT serial FROM leaf WHERE expires <= ? LIMIT ?)",
    )
    .bind(now)
    .bind(SWEEP)
    .execute(&mut *tx)
    .await?;
    sqlx::query("INSERT INTO leaf (serial, credential, spiffe, expires) VALUES (?, ?, ?, ?)")
        .bind(&leaf.serial)
        .bind(credential)
        .bind(spiffe)
        .bind(leaf.expires)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

fn token(row: &SqliteRow) -> Result<Token, Error> {
    let scopes: String = row.try_get("scopes")?;
    Ok(Token {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        hmac: row.try_get("hmac")?,
        created: row.try_get("created")?,
        expires: row.try_get("expires")?,
        last_used: row.try_get("last_used")?,
        revoked: row.try_get("revoked")?,
    })
}
