//! What a journal, a ledger and workflows stand on.

use crate::counts::Counts;
use crate::error::{Error, Result};
use crate::postgres::{self, PgStore};
use crate::sqlite;
use crate::store::Store;

/// An open store of either kind. A cheap handle.
#[derive(Debug, Clone)]
pub enum Base {
    /// A file of this machine.
    Sqlite(Store),
    /// A schema of a server.
    Postgres(PgStore),
}

impl From<Store> for Base {
    fn from(store: Store) -> Self {
        Self::Sqlite(store)
    }
}

impl From<PgStore> for Base {
    fn from(store: PgStore) -> Self {
        Self::Postgres(store)
    }
}

impl Base {
    /// The store's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Sqlite(store) => store.name(),
            Self::Postgres(store) => store.name(),
        }
    }

    /// What the store has cost since it was opened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        match self {
            Self::Sqlite(store) => store.counts(),
            Self::Postgres(store) => store.counts(),
        }
    }

    /// Takes one of the sets of tables that the store itself has, `journal`, `workflow` or
    /// `ledger`, back to an older version, with all that only newer ones have room for.
    /// Nothing may use them meanwhile.
    ///
    /// # Errors
    /// As [`Store::migrate_down`].
    pub async fn migrate_down(&self, set: &str, to: u32) -> Result<()> {
        let missing = || Error::NoWayBack {
            set: set.to_owned(),
            version: to,
        };
        match self {
            Self::Sqlite(store) => {
                let migrations = sqlite::migrations(set).ok_or_else(missing)?;
                store.migrate_down(set, migrations, to).await
            }
            Self::Postgres(store) => {
                let migrations = postgres::migrations(set).ok_or_else(missing)?;
                store.migrate_down(set, migrations, to).await
            }
        }
    }

    /// # Errors
    /// When it takes nothing any more.
    pub(crate) fn usable(&self) -> Result<()> {
        match self {
            Self::Sqlite(store) => store.usable(),
            Self::Postgres(store) => store.usable(),
        }
    }
}
