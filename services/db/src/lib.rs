//! Rows of PostgreSQL, MySQL, MariaDB and SQLite.
//!
//! Workflows and agents name tables, columns and conditions; this engine writes the
//! SQL. Values are always bound and identifiers always quoted (`sql`), so that no
//! text of a caller becomes part of a statement, and a statement that a caller does
//! write is read by a parser first (`raw`). Every call is one transaction (`job`):
//! a failure before its commit surely had no effect, and says so. A call that ends
//! early ends its statement at the database too (`session`).
//!
//! Nothing about a connection lies in the engine's own store: settings come from
//! the configuration or the vault, so that any instance can serve any call.

mod condition;
mod config;
mod connection;
mod database;
mod dialect;
mod error;
mod files;
mod job;
mod limits;
mod mysql;
mod numeric;
mod operation;
mod postgres;
mod postgres_param;
mod postgres_row;
mod raw;
mod request;
mod rpc;
mod session;
mod sql;
mod sqlite;
mod target;
mod value;

use gearmesh_api::db::v1::db_service_server::DbServiceServer;
use gearmesh_runtime::{BoxFuture, Context, Service};
use tonic::service::Routes;

pub use config::Config;
pub use limits::{RESULT_BYTES_MAX, ROWS_MAX};

/// The db engine.
pub const SERVICE: Service = Service {
    name: "db",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        let config = cx.config::<Config>()?;
        let connections = connection::Connections::new(cx, &config);
        let service = DbServiceServer::new(rpc::Rpc::new(connections))
            .max_decoding_message_size(gearmesh_api::MESSAGE_MAX)
            .max_encoding_message_size(gearmesh_api::MESSAGE_MAX);
        Ok(Routes::new(service))
    })
}
