//! A step of an entry, as each kind of store takes it: found, decided, written.

use super::entry::Entry;
use super::rules::{self, Decision, Ending};
use super::{Begin, Call};
use crate::append::{BODY_MAX, TEXT_MAX, bounded, text};
use crate::error::Result;

/// The key of an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'a> {
    pub(crate) owner: &'a str,
    pub(crate) tool: &'a str,
    pub(crate) key: &'a str,
}

/// What a step writes.
#[derive(Debug)]
pub(crate) enum Write {
    /// The entry of a call that begins now, by the store's clock.
    Start(Entry),
    /// The entry; its times stay when it is there already.
    Put(Entry),
}

/// From the entry that is there to an answer, and what is to be written. It may be asked
/// again, when another caller was quicker.
pub(crate) trait Step<T>: Fn(Option<Entry>) -> Result<(T, Option<Write>)> {}

impl<T, F: Fn(Option<Entry>) -> Result<(T, Option<Write>)>> Step<T> for F {}

impl<'a> Name<'a> {
    pub(crate) fn of(call: &'a Call) -> Self {
        Self {
            owner: &call.owner,
            tool: &call.tool,
            key: &call.key,
        }
    }

    /// Owner and tool share a limit, because the three are the key of an index, and
    /// PostgreSQL takes 2,704 bytes there.
    pub(super) fn check(self) -> Result<()> {
        let names = self.owner.len() + self.tool.len();
        bounded("a tool with its owner", names, TEXT_MAX)?;
        text("an owner's name", self.owner, TEXT_MAX)?;
        text("a tool's name", self.tool, TEXT_MAX)?;
        text("a key", self.key, TEXT_MAX)
    }
}

pub(super) fn check_call(call: &Call) -> Result<()> {
    Name::of(call).check()?;
    text("a run's name", &call.run, TEXT_MAX)?;
    text("a task's name", &call.task, TEXT_MAX)
}

pub(super) fn check_ending(ending: &Ending) -> Result<()> {
    match ending {
        Ending::Done(reply) => bounded("a reply", reply.len(), BODY_MAX),
        Ending::Failed | Ending::Unknown => Ok(()),
    }
}

pub(crate) fn begin(entry: Option<Entry>, call: &Call) -> Result<(Begin, Option<Write>)> {
    Ok(match rules::begin(entry, call)? {
        Decision::Answer(reply) => (Begin::Done(reply), None),
        Decision::Same => (Begin::Started, None),
        Decision::Start(entry) => (Begin::Go, Some(Write::Start(entry))),
        Decision::Resume(entry) => (Begin::Started, Some(Write::Put(entry))),
    })
}

pub(crate) fn end(
    entry: Option<Entry>,
    call: &Call,
    ending: &Ending,
) -> Result<((), Option<Write>)> {
    let entry = rules::end(entry, call, ending)?;
    Ok(((), entry.map(Write::Put)))
}

/// As [`end`], of a call that has taken effect.
pub(crate) fn done(
    entry: Option<Entry>,
    call: &Call,
    reply: &bytes::Bytes,
) -> Result<((), Option<Write>)> {
    end(entry, call, &Ending::Done(reply.clone()))
}
