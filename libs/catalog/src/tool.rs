//! A tool: an RPC with all that surfaces show of it.

use std::sync::Arc;
use std::time::Duration;

use prost_reflect::MethodDescriptor;
use serde_json::Value;

use crate::class::{Approval, Class, Effect, Keyed, Latency, Narrow};
use crate::fault::FaultInfo;
use crate::names;
use crate::output::{self, PathCheck, Step};
use crate::route::Binding;

/// An RPC that people, workflows and agents may use.
#[derive(Debug, Clone)]
pub struct Tool {
    /// `engine.rpc_in_snake_case`.
    pub id: String,
    /// Id of the engine.
    pub engine: String,
    /// Full name of the service, as `gearmesh.file.v1.FileService`.
    pub service: String,
    /// The gRPC path, as `/gearmesh.file.v1.FileService/Read`.
    pub path: String,
    /// The RPC's descriptor.
    pub method: MethodDescriptor,
    /// One line: the option, else the first sentence of the comment.
    pub summary: String,
    /// The whole comment.
    pub description: String,
    /// What a call does to the world, when no [`Narrow`] rule applies.
    pub effect: Effect,
    /// What a second send with the same key does, when no [`Narrow`] rule applies.
    pub keyed: Keyed,
    /// Two sends without a key equal one.
    pub idempotent: bool,
    /// How long a call usually takes.
    pub latency: Latency,
    /// Deadline of a call that brings none.
    pub timeout: Duration,
    /// The longest deadline that a caller may set.
    pub timeout_max: Duration,
    /// The call goes on when its caller is gone.
    pub detach: bool,
    /// What takes the effect back.
    pub undo: Option<Undo>,
    /// Other names of the tool.
    pub aliases: Vec<Alias>,
    /// Who must agree before a call.
    pub approval: Approval,
    /// The call carries data of the caller's choice out of the mesh.
    pub egress: bool,
    /// The answer has text from outside of the mesh.
    pub untrusted: bool,
    /// JSON name of the request field that takes the cursor of a stream.
    pub resume_field: Option<String>,
    /// Calls that work.
    pub examples: Vec<Example>,
    /// Field values that give a call a stronger class.
    pub narrow: Vec<Narrow>,
    /// Engines that call the tool too, beside the gateway and the orchestrator.
    pub peers: Vec<String>,
    /// Ways to reach the tool over HTTP; the first is the one to show.
    pub routes: Vec<Binding>,
    /// The answer is a stream.
    pub streaming: bool,
    /// The request is a stream.
    pub client_streaming: bool,
    /// The field that names a stored connection.
    pub connection: Option<ConnectionField>,
    /// JSON Schema of the request.
    pub input_schema: Value,
    /// JSON Schema of the answer, after redaction; of one message when it is a stream.
    pub output_schema: Value,
    /// The engine joined without our options: the weakest class is assumed.
    pub foreign: bool,
    /// The RPC is marked as deprecated.
    pub deprecated: bool,
    /// The reasons of the engine's own with which a call may fail.
    pub faults: Arc<[FaultInfo]>,
}

/// Another name of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// The name, in the spelling of its origin.
    pub name: String,
    /// Request fields that the name fixes: JSON name and value of the field's type.
    pub preset: Vec<(String, Value)>,
    /// Shown in lists beside the tool.
    pub listed: bool,
}

/// The call that takes an effect back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// Id of the tool.
    pub tool: String,
    /// Its request fields and the fields that fill them, of the response, else of the
    /// request; a field that is not named here goes by its own name.
    pub fields: Vec<(String, String)>,
}

/// A call that works, for people and for tests.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// What it shows.
    pub title: String,
    /// The request; null when the option holds no JSON.
    pub request: Value,
    /// The answer, with the keys that are compared; null when the option holds no JSON.
    pub response: Value,
}

/// The request field that names a stored connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionField {
    /// JSON name of the field.
    pub field: String,
    /// The kind of connection that it takes.
    pub kind: String,
}

impl Tool {
    /// The spelling where no dot is allowed, as `file_archive_create`.
    #[must_use]
    pub fn mcp_name(&self) -> String {
        names::mcp(&self.id)
    }

    /// The scope that a call of the tool needs, as `file:write`.
    #[must_use]
    pub fn scope(&self) -> String {
        format!("{}:{}", self.engine, self.effect.scope_word())
    }

    /// The class of a call with these parameters. When several [`Narrow`] rules apply,
    /// the strongest effect and the strongest class of them count.
    #[must_use]
    pub fn class_of(&self, params: &Value) -> Class {
        let own = Class {
            effect: self.effect,
            keyed: self.keyed,
        };
        self.narrow
            .iter()
            .filter(|n| n.matches(params))
            .fold(own, Class::strongest)
    }

    /// Whether a workflow can call the tool: one request, and one answer or a stream
    /// whose last message is the result.
    #[must_use]
    pub fn usable_as_task(&self) -> bool {
        !self.client_streaming
    }

    /// Whether a path into the tool's result can exist.
    #[must_use]
    pub fn output_path(&self, steps: &[Step<'_>]) -> PathCheck {
        output::check(&self.method.output(), steps)
    }
}
