//! One suite over `PostgreSQL`, `MariaDB` and `SQLite`: every tool and parameter
//! through the real layers, against real databases.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod conditions;
mod errors;
mod injection;
mod lab;
mod limits;
mod raw;
mod rows;
mod transactions;
mod types;

use lab::Lab;

async fn suite(mut lab: Lab) {
    rows::all(&mut lab).await;
    conditions::all(&mut lab).await;
    types::all(&mut lab).await;
    injection::all(&mut lab).await;
    errors::all(&mut lab).await;
    transactions::all(&mut lab).await;
    raw::all(&mut lab).await;
    limits::all(&mut lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_every_promise() {
    suite(Lab::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_keeps_every_promise() {
    suite(Lab::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_every_promise() {
    suite(Lab::sqlite().await).await;
}
