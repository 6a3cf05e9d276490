//! A small database for examples: customers and their orders, in a file.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::Error;

/// The tables and their rows.
const TABLES: &str = "
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    city TEXT NOT NULL,
    email TEXT UNIQUE
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid', 'closed')),
    total REAL NOT NULL,
    ordered TEXT NOT NULL DEFAULT '2026-11-01T08:00:00Z'
);
INSERT INTO customers (name, city, email) VALUES
    ('Ada', 'London', 'ada@example.test'),
    ('Blaise', 'Paris', 'blaise@example.test'),
    ('Carl', 'Berlin', 'carl@example.test'),
    ('Dorothy', 'Paris', 'dorothy@example.test');
INSERT INTO orders (customer_id, status, total) VALUES
    (1, 'open', 19.9), (1, 'paid', 7.5), (2, 'open', 120), (2, 'open', 33.25),
    (3, 'closed', 64), (3, 'open', 5), (4, 'paid', 250), (4, 'open', 88.8);
";

/// Makes the database `folder/db/demo.db`, unless it is there, and gives its path.
///
/// # Errors
/// [`Error`] names the file that cannot be made.
pub async fn demo_db(folder: &Path) -> Result<PathBuf, Error> {
    let folder = folder.join("db");
    let path = folder.join("demo.db");
    let unusable = |source| Error::File {
        path: path.clone(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(unusable)?;
    if !path.exists() {
        // Whole or not at all: who finds the file finds its rows.
        let fresh = folder.join("demo.new");
        let _ = std::fs::remove_file(&fresh);
        let filled = fill(&fresh).await;
        filled.map_err(|e| unusable(std::io::Error::other(e)))?;
        // As all of the state: for its owner alone.
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&fresh, private).map_err(unusable)?;
        std::fs::rename(&fresh, &path).map_err(unusable)?;
    }
    path.canonicalize().map_err(unusable)
}

async fn fill(path: &Path) -> Result<(), sqlx::Error> {
    let mut database = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .connect()
        .await?;
    sqlx::raw_sql(TABLES).execute(&mut database).await?;
    database.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn database_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = demo_db(folder.path()).await.unwrap();
        let options = SqliteConnectOptions::new().filename(&path);
        let mut database = options.connect().await.unwrap();
        let delete = "DELETE FROM orders WHERE id > 2";
        sqlx::raw_sql(delete).execute(&mut database).await.unwrap();
        assert_eq!(demo_db(folder.path()).await.unwrap(), path);
        let count = "SELECT count(*) FROM orders";
        let count: i64 = sqlx::query_scalar(count)
            .fetch_one(&mut database)
            .await
            .unwrap();
        assert_eq!(count, 2);
    }
}
