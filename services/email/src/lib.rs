//! Mail: sent by SMTP, found and read by IMAP, taken apart.
//!
//! Workflows report by mail and start from mail. Both ends of it are hostile
//! ground: a subject can hold a second header, a mailbox a message that is built
//! to exhaust its reader, a server or the way to it a lie. So addresses and
//! headers are parsed before anything is connected, TLS is verified or nothing is
//! said, and a message is measured before it is parsed.
//!
//! Connections lie in the configuration or the vault, never here: any instance of
//! the engine can reopen them. `wire` is the one way to a server; `smtp` and
//! `imap` talk over it; `outgoing` builds messages, `mail` takes them apart.

mod address;
mod attachment;
mod config;
mod contents;
mod criteria;
mod engine;
mod error;
mod folder;
mod imap;
mod mail;
mod mime;
mod nesting;
mod outgoing;
mod pool;
mod rpc;
mod server;
mod smtp;
mod starttls;
mod wire;

use gearmesh_api::MESSAGE_MAX;
use gearmesh_api::email::v1::email_service_server::EmailServiceServer;
use gearmesh_runtime::{BoxFuture, Context, Service};
use tonic::service::Routes;

pub use config::Config;

/// The email engine.
pub const SERVICE: Service = Service {
    name: "email",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        cx.config::<Config>()?;
        let service = EmailServiceServer::new(rpc::Rpc::new(cx))
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX);
        Ok(Routes::new(service))
    })
}
