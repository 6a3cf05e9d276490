//! Requests to web servers and their JSON APIs.
//!
//! What workflows and agents call is chosen by text that strangers may have
//! written, so the address is the danger: the rules of `address` are applied to
//! the URL, to each address that its name has and to each redirect, by the
//! parser and the resolver that the client itself uses. `target` is where a
//! request goes, `request` what is sent, `exchange` one attempt, `sender` the
//! attempts of a call.
//!
//! Must not know: who calls, and what an answer means.

mod body;
mod client;
mod config;
mod connection;
mod error;
mod exchange;
mod format;
mod payload;
mod redirect;
mod request;
mod retry;
mod rpc;
mod sender;
mod status;
mod target;
#[cfg(test)]
mod tests;

use gearmesh_api::http::v1::http_service_server::HttpServiceServer;
use gearmesh_runtime::{BoxFuture, Context, Service};
use tonic::service::Routes;

pub use config::Config;

/// The HTTP engine.
pub const SERVICE: Service = Service {
    name: "http",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        let config: Config = cx.config()?;
        // Those of the vault are checked when they are used.
        for (name, connection) in &cx.settings().connections()? {
            if connection.kind == connection::KIND {
                connection::Connection::read(name, connection.settings.clone())?;
            }
        }
        let sender = sender::Sender::new(config.ports, cx.clock().clone(), cx.rng().clone());
        let rpc = rpc::Rpc::new(cx, sender);
        let server = HttpServiceServer::new(rpc)
            .max_decoding_message_size(gearmesh_api::MESSAGE_MAX)
            .max_encoding_message_size(gearmesh_api::MESSAGE_MAX);
        Ok(Routes::new(server))
    })
}
