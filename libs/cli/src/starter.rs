//! How the binary lends a mesh to the commands that need one in their own process.
//!
//! The commands know no engine and no runtime; the binary, which lists the
//! services, gives them these functions.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use gearmesh_link::Mesh;
use serde_json::Value;

/// What the binary lends.
#[derive(Clone, Copy)]
pub struct Starter {
    /// Starts services in this process.
    pub start: fn(StartOptions) -> BoxFuture<'static, Result<Started, StartError>>,
    /// Speaks MCP over standard input and output until the client leaves.
    pub serve_mcp: fn(Mesh) -> BoxFuture<'static, Result<(), StartError>>,
    /// Starts the stand-ins alone.
    pub demo: fn(DemoOptions) -> BoxFuture<'static, Result<Demo, StartError>>,
    /// Makes the files of a mesh: CA, credentials, certificates.
    pub init: fn(InitOptions) -> BoxFuture<'static, Result<Vec<Made>, StartError>>,
    /// Asks whether a process that `serve` started serves the state of this folder.
    pub health: fn(&Path) -> Result<(), StartError>,
    /// Names of all services, in the order in which they are shown.
    pub services: &'static [&'static str],
    /// Sends logs of this level and above to standard error.
    pub log: fn(&str),
}

impl std::fmt::Debug for Starter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Starter")
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

/// Where stand-ins keep what they must remember, and where they say how to reach them.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Folder of their state.
    pub folder: PathBuf,
    /// File of settings that gets their connections once they serve.
    pub connections: PathBuf,
}

/// Stand-ins that run in this process.
pub struct Demo {
    /// Their names, which are those of their connections.
    pub stand_ins: Vec<String>,
    /// Ends them.
    pub stop: Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>,
}

impl std::fmt::Debug for Demo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Demo")
            .field("stand_ins", &self.stand_ins)
            .finish_non_exhaustive()
    }
}

/// What to make of a mesh.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// Where its files are, or go.
    pub folder: PathBuf,
    /// What.
    pub what: InitWhat,
}

/// What to make of a mesh.
#[derive(Debug, Clone)]
pub enum InitWhat {
    /// The CA, and credentials and settings of all services.
    Mesh {
        /// `None`: the usual.
        trust_domain: Option<String>,
        /// Address of the identity engine.
        identity: String,
        /// Names and addresses of the gateway.
        hosts: Vec<String>,
        /// Make what is missing, and be content with what is there.
        if_absent: bool,
    },
    /// Credential and settings of one service.
    Node {
        /// The service.
        name: String,
        /// Names and addresses, for the gateway.
        hosts: Vec<String>,
    },
    /// Credential and certificate of a client.
    Client {
        /// Its id.
        name: String,
        /// What it may do.
        scopes: Vec<String>,
        /// How long the certificate is valid; `None`: as long as it may be.
        lifetime: Option<Duration>,
    },
    /// A fresh certificate of a client.
    Renew {
        /// Its id.
        name: String,
    },
}

/// Something that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// What it is.
    pub what: String,
    /// Where it is.
    pub path: PathBuf,
}

/// File of the folder that the process which serves it holds locked; it has the name of
/// the command.
pub const MESH_LOCK: &str = "mesh.lock";

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct StartOptions {
    /// Folder of the state.
    pub folder: PathBuf,
    /// Settings; `None`: `./gearmesh.toml`, if it is there.
    pub config_file: Option<PathBuf>,
    /// The command that starts it, for those who find the folder served.
    pub command: &'static str,
    /// Settings of the command line, by key; they win over the file's.
    pub set: Vec<(String, Value)>,
    /// Absolute prefixes of paths, and the folders to which they lead.
    pub roots: Vec<(String, PathBuf)>,
    /// Map `/results`, `/backup`, `/reports` and `/tmp` into the folder of the state.
    pub laptop: bool,
    /// Start the stand-ins beside it.
    pub demo: bool,
    /// Where to listen; `None`: where the settings say.
    pub listen: Option<SocketAddr>,
    /// Tell other processes of this folder where it listens.
    pub announce: bool,
    /// Only these services; `None`: all.
    pub services: Option<Vec<String>>,
}

/// A mesh in this process.
pub struct Started {
    /// Where it listens, as `http://127.0.0.1:8420`.
    pub url: String,
    /// What can be reached in it.
    pub mesh: Mesh,
    /// Names of the services that run.
    pub services: Vec<String>,
    /// Stand-ins that run beside them.
    pub stand_ins: Vec<String>,
    /// Ends it: lets running calls end, then stops.
    pub stop: Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>,
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Started")
            .field("url", &self.url)
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

/// Why a mesh did not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    /// The reason: one of the constants of this type, or another code.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// What may help.
    pub help: Option<String>,
}

impl StartError {
    /// Another process uses the folder.
    pub const LOCKED: &'static str = "STORE_LOCKED";
    /// Another process listens there.
    pub const ADDRESS_IN_USE: &'static str = "ADDRESS_IN_USE";
    /// The settings are not valid.
    pub const CONFIG: &'static str = "CONFIG_INVALID";
    /// What is to be made is there.
    pub const INITIALIZED: &'static str = "ALREADY_INITIALIZED";
    /// Anything else.
    pub const FAILED: &'static str = "NOT_STARTED";

    pub(crate) fn is_conflict(&self) -> bool {
        [Self::LOCKED, Self::ADDRESS_IN_USE, Self::INITIALIZED].contains(&self.code)
    }
}
