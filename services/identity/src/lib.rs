//! Who is who: leaves for the mesh's processes, API tokens for its clients.
//!
//! Every hop of the mesh is mTLS, so every process needs a certificate, and a
//! stolen one must be worth little: leaves live at most an hour and their keys
//! never leave the process. What a process keeps is a *node credential*, which is
//! good for asking this engine for leaves of one name and for nothing else; it can
//! be revoked here. [`init`] makes the CA and the credentials as files.
//!
//! `ca` signs, `credential` is the right to ask, `signer` decides, `token` is the
//! form of an API token, `table` the queries, `rpc` translates.

mod ca;
mod config;
mod credential;
mod error;
pub mod init;
mod init_client;
mod init_files;
mod page;
mod rpc;
mod scope;
mod signer;
mod table;
mod token;

use std::sync::Arc;

use gearmesh_api::identity::v1::identity_service_server::IdentityServiceServer;
use gearmesh_runtime::{BoxFuture, Context, Service, TRUST_DOMAIN};
use tonic::service::Routes;

pub use ca::{BACKDATED_S, LEAF_MAX_S};
pub use config::Config;

/// The identity engine.
pub const SERVICE: Service = Service {
    name: "identity",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        let config = cx.config::<Config>()?;
        let domain = cx.credentials().map_or(TRUST_DOMAIN, |c| c.domain());
        let ca = config
            .ca
            .as_deref()
            .map(|folder| ca::Ca::open(folder, domain))
            .transpose()?;
        let table = Arc::new(table::Table::new(cx.clone()));
        let lifetime = config.lifetime()?;
        let signer = ca.map(|ca| {
            let signer = signer::Signer::new(ca, table.clone(), cx.clock().clone(), lifetime);
            Arc::new(signer)
        });
        if let Some(signer) = &signer {
            cx.offer_issuer(signer.clone());
        }
        let key = token::HmacKey::open(cx.folder())?;
        let rpc = rpc::Rpc::new(cx, table, signer, key);
        Ok(Routes::new(IdentityServiceServer::new(rpc)))
    })
}
