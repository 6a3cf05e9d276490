//! Secrets under names, and the connections that use them.
//!
//! What a secret unlocks must not lie where workflows, journals and results are
//! kept. So all of these hold references (`vault://vault/secret@version#field`),
//! and the engine that uses a value asks here for it, at the moment of use.
//!
//! Every version of a secret is encrypted with a key of its own, which is wrapped
//! by its vault's key, which is wrapped by the root key. What is stored is bound to
//! the place where it stands: a row that is moved to another vault, name or
//! version does not open. What is secret in a run alone is sealed for that run (`sealed`),
//! and gone with it. `record` is the format, `root` says where the root key
//! comes from, `vaults` and `opened` hold the rules, `table` the queries.

mod config;
mod connection;
mod error;
mod key;
mod name;
mod opened;
mod passphrase;
mod record;
mod reference;
mod root;
mod rpc;
mod sealed;
mod sealed_table;
mod sealing;
mod table;
mod vaults;

use gearmesh_api::vault::v1::vault_service_server::VaultServiceServer;
use gearmesh_runtime::{BoxFuture, Context, Service};
use tonic::service::Routes;

pub use config::Config;
pub use connection::SETTINGS_MAX;
pub use sealed::SEALED_MAX;
pub use vaults::{REFERENCES_MAX, VALUE_MAX, VERSIONS_KEPT};

/// The vault engine.
pub const SERVICE: Service = Service {
    name: "vault",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        let source = root::Source::of(&cx.config::<Config>()?, cx.folder())?;
        source.check()?;
        let has_store = cx.folder().join("vault.db").exists();
        let vaults = vaults::Vaults::new(cx, source);
        // What is stored already must open now and not at the first use. A store that
        // is not there yet is made then, with its key.
        if has_store {
            vaults.open().await?;
        }
        let server = VaultServiceServer::new(rpc::Rpc::new(vaults))
            .max_decoding_message_size(gearmesh_api::MESSAGE_MAX)
            .max_encoding_message_size(gearmesh_api::MESSAGE_MAX);
        Ok(Routes::new(server))
    })
}
