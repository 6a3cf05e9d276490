//! A call with a key, and what the ledger says of it.

use bytes::Bytes;

/// A call with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The engine, within whose tools keys are unique.
    pub owner: String,
    /// The tool's id.
    pub tool: String,
    /// The key; equal over the attempts of one pass.
    pub key: String,
    /// The run's text; empty for a single call.
    pub run: String,
    /// The task's id.
    pub task: String,
    /// The number of the task's instance.
    pub item: i64,
    /// How often the task was begun anew.
    pub pass: i64,
    /// The fencing epoch of whoever sends the call.
    pub epoch: i64,
    /// The attempt within the pass.
    pub attempt: i64,
    /// Hash of the request.
    pub hash: [u8; 32],
}

/// Whether a call may take effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// It may.
    Go,
    /// It has; this was the reply.
    Done(Bytes),
    /// An attempt of the same holder had begun, and it is not known whether it
    /// took effect: what to do depends on the class of the tool.
    Started,
}

/// How far a fenced call had come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fenced {
    /// It has taken no effect, and no attempt up to the fence will.
    Absent,
    /// It has begun.
    Started,
    /// It has taken effect; this was the reply.
    Done(Bytes),
}
