//! Web pages in a real browser.
//!
//! Much of what people do by hand, they do on web pages that have no API. This
//! engine opens such pages in Chromium, reads them and acts on them.
//!
//! One Chromium serves all sessions of an instance: it costs a second and 200 MB,
//! a session a context of its own inside it. It is spoken to over a pipe and not
//! over a port: nobody else on the machine can reach it, and it ends with the
//! engine even when that is killed. It has no way to the network but the proxy
//! of each session, which applies the same rules of addresses as the http engine
//! to whatever the page asks for.
//!
//! `chrome` is the process, `cdp` its protocol, `gate` and `proxy` the way out,
//! `session` the rules of who uses which page; `navigate`, `act` and `read` are
//! the tools. What runs inside of pages is `helper.js`, in a world of its own
//! that the page's scripts cannot touch.

mod act;
mod cdp;
mod chrome;
mod config;
mod connection;
mod error;
mod gate;
mod limit;
mod loads;
mod navigate;
mod page;
mod profile;
mod proxy;
mod read;
mod render;
mod rpc;
mod session;
mod sessions;
mod wanted;

use gearmesh_api::MESSAGE_MAX;
use gearmesh_api::browser::v1::browser_service_server::BrowserServiceServer;
use gearmesh_runtime::{BoxFuture, Context, Service};
use tonic::service::Routes;

pub use config::{Config, Sandbox};

/// The browser engine.
pub const SERVICE: Service = Service {
    name: "browser",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        let config = cx.config::<Config>()?;
        let sessions = sessions::Sessions::new(cx.clone(), config)?;
        let server = BrowserServiceServer::new(rpc::Rpc::new(cx, sessions))
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX);
        Ok(Routes::new(server))
    })
}
