//! The catalogue: tools, RPCs, engines and reasons by their names.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};
use serde_json::Value;

use crate::builder;
use crate::error::Error;
use crate::fault::FaultInfo;
use crate::nearest;
use crate::route::Binding;
use crate::tool::{Alias, Tool};

/// Where descriptors come from, and what of them counts.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// An encoded `FileDescriptorSet` with everything that it imports. It must never
    /// have passed through `prost_types`, which drops the options.
    pub descriptors: &'a [u8],
    /// Which of its services count.
    pub engines: Engines<'a>,
}

/// Which services of a [`Source`] count.
#[derive(Debug, Clone, Copy)]
pub enum Engines<'a> {
    /// All.
    All,
    /// Those of the engines with these ids.
    Only(&'a [&'a str]),
    /// All, as the engine of this name: it joined by configuration. RPCs that carry
    /// neither option become tools of the weakest class. `grpc.*` does not count.
    Foreign(&'a str),
}

/// Everything that can be called, immutable; a change makes a new one.
#[derive(Debug, Default)]
pub struct Catalog {
    pub(crate) pools: Vec<DescriptorPool>,
    pub(crate) tools: Vec<Arc<Tool>>,
    pub(crate) names: HashMap<String, Entry>,
    pub(crate) rpcs: BTreeMap<String, Rpc>,
    pub(crate) engines: Vec<EngineInfo>,
    pub(crate) common: Vec<FaultInfo>,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) tool: usize,
    pub(crate) alias: Option<usize>,
}

/// A tool that was found by a name.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The tool.
    pub tool: &'a Arc<Tool>,
    /// The alias, when the name was one.
    pub alias: Option<&'a Alias>,
    /// Request fields that the name fixes: JSON name and value of the field's type.
    pub preset: &'a [(String, Value)],
}

/// An RPC of an engine, tool or not.
#[derive(Debug, Clone)]
pub struct Rpc {
    /// The gRPC path, as `/gearmesh.file.v1.FileService/Read`.
    pub path: String,
    /// The RPC's descriptor.
    pub method: MethodDescriptor,
    /// Id of the engine.
    pub engine: String,
    /// Who may call it, when it is no tool.
    pub access: Option<Access>,
    /// The tool that it is.
    pub tool: Option<Arc<Tool>>,
    /// Ways to reach it over HTTP: those of the tool, or of an RPC that the gateway may call.
    pub routes: Vec<Binding>,
    /// The engine joined without our options.
    pub foreign: bool,
}

/// Who may call every tool.
const CALLERS: [&str; 2] = ["gateway", "orchestrator"];

impl Rpc {
    /// Whether a process of this role (`gateway`, `orchestrator` or an engine's id)
    /// may call it: the matrix of peers and methods. What is not said is denied.
    #[must_use]
    pub fn admits(&self, role: &str) -> bool {
        let named = |peers: &[String]| peers.iter().any(|p| p == role);
        match (&self.tool, &self.access) {
            (Some(tool), _) => CALLERS.contains(&role) || named(&tool.peers),
            (None, Some(access)) => named(&access.peers),
            (None, None) => false,
        }
    }
}

/// Who may call an RPC that is no tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Processes that may call: `gateway`, `orchestrator` or an engine's id.
    pub peers: Vec<String>,
    /// The scope that the caller needs.
    pub scope: String,
}

/// What is known about an engine.
#[derive(Debug, Clone)]
pub struct EngineInfo {
    /// Its id, the first part of its tools' ids.
    pub id: String,
    /// Its name for people; the id when it has none.
    pub title: String,
    /// How to use it.
    pub instructions: String,
    /// Which of its instances serves a call.
    pub affinity: Affinity,
    /// Full names of its services.
    pub services: Vec<String>,
    /// Its own reasons of failure.
    pub faults: Vec<FaultInfo>,
    /// It joined by configuration.
    pub foreign: bool,
}

/// Which instance of an engine serves a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Affinity {
    /// Any.
    #[default]
    None,
    /// All calls of a run go to one.
    Run,
    /// All calls with one value of this request field (its proto name) go to one.
    Key(String),
}

impl Catalog {
    /// The union of the sources.
    ///
    /// A service that several sources describe counts once when they agree.
    ///
    /// # Errors
    /// When descriptors cannot be read, and when two of anything claim one name or route.
    pub fn build(sources: &[Source<'_>]) -> Result<Self, Error> {
        builder::build(sources)
    }

    /// All tools, sorted by id.
    #[must_use]
    pub fn tools(&self) -> &[Arc<Tool>] {
        &self.tools
    }

    /// The tool of an id, of a spelling without dots, or of an alias.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Found<'_>> {
        let entry = self.names.get(name)?;
        let tool = self.tools.get(entry.tool)?;
        let alias = entry.alias.and_then(|a| tool.aliases.get(a));
        Some(Found {
            tool,
            alias,
            preset: alias.map(|a| a.preset.as_slice()).unwrap_or_default(),
        })
    }

    /// The tool of a gRPC path.
    #[must_use]
    pub fn by_path(&self, grpc_path: &str) -> Option<&Arc<Tool>> {
        self.rpcs.get(grpc_path)?.tool.as_ref()
    }

    /// The RPC of a gRPC path.
    #[must_use]
    pub fn rpc(&self, grpc_path: &str) -> Option<&Rpc> {
        self.rpcs.get(grpc_path)
    }

    /// Every RPC, sorted by path.
    pub fn rpcs(&self) -> impl Iterator<Item = &Rpc> {
        self.rpcs.values()
    }

    /// Ids of the tools whose names are close to this one, closest first, at most three.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Vec<String> {
        let candidates = self.tools.iter().flat_map(|tool| {
            let aliases = tool.aliases.iter().map(|a| a.name.as_str());
            std::iter::once(tool.id.as_str())
                .chain(aliases)
                .map(|compared| (compared, tool.id.as_str()))
        });
        nearest::suggest(name, candidates)
    }

    /// All engines, sorted by id.
    #[must_use]
    pub fn engines(&self) -> &[EngineInfo] {
        &self.engines
    }

    /// The reasons that all tools share.
    #[must_use]
    pub fn common_faults(&self) -> &[FaultInfo] {
        &self.common
    }

    /// A reason by its domain and name.
    #[must_use]
    pub fn fault(&self, domain: &str, reason: &str) -> Option<&FaultInfo> {
        self.faults()
            .find(|f| f.domain == domain && f.reason == reason)
    }

    /// The reasons of this name, of every domain.
    #[must_use]
    pub fn explain(&self, reason: &str) -> Vec<&FaultInfo> {
        self.faults()
            .filter(|f| f.reason.eq_ignore_ascii_case(reason))
            .collect()
    }

    /// A message by its full name.
    #[must_use]
    pub fn message(&self, full_name: &str) -> Option<MessageDescriptor> {
        self.pools
            .iter()
            .find_map(|p| p.get_message_by_name(full_name))
    }

    fn faults(&self) -> impl Iterator<Item = &FaultInfo> {
        let own = self.engines.iter().flat_map(|e| &e.faults);
        self.common.iter().chain(own)
    }
}
