//! Workflows that are kept under their names.
//!
//! A file is stored as a version, which never changes; a start names the workflow, and runs
//! what the newest version says, or the one that it names. What a change is to do is decided
//! on what was read before; the store makes it only if that still holds, so nothing is
//! locked and nothing is lost.

mod alike;
mod change;
mod diff;
mod file;
mod read;
mod summary;

use std::time::Duration;

use gearmesh_store::workflow::{Head, State, Version};
use gearmesh_workflow::{Dialect, nearest_name};

pub(crate) use change::{Creation, New, Outcome, Update, rollback, set_state, update};
pub(crate) use diff::diff;
pub(crate) use read::{list, one, versions};
pub(crate) use summary::Summary;

use crate::error::Error;
use crate::run::Runs;

/// How long a deleted workflow can be restored.
pub(crate) const RESTORABLE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Deleted workflows that are forgotten in one transaction, each with all of its versions.
pub(crate) const PURGE_MAX: u32 = 100;

/// The text of a workflow, as it was stored or sent.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) source: String,
    pub(crate) file_name: String,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) version: u32,
}

/// A stored workflow as it is shown: where it stands, and one of its versions.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) head: Head,
    pub(crate) version: Version,
}

/// The text of a stored workflow that may be started; version 0: the newest.
pub(crate) async fn startable(runs: &Runs, name: &str, version: u32) -> Result<Text, Error> {
    let head = head(runs, name).await?;
    if head.state != State::Enabled {
        return Err(refused(&head));
    }
    text(runs, &head, version).await
}

/// The text of a version to which a run is pinned: it goes on with that whatever became of
/// the workflow meanwhile.
pub(crate) async fn pinned(runs: &Runs, name: &str, version: u32) -> Result<Text, Error> {
    let head = head(runs, name).await?;
    text(runs, &head, version).await
}

/// Forgets workflows that were deleted too long ago to be restored.
pub(crate) async fn purge(runs: &Runs) -> Result<u64, Error> {
    let kept = i64::try_from(RESTORABLE.as_millis()).unwrap_or(i64::MAX);
    let before = runs.context().clock().now_ms().saturating_sub(kept);
    let workflows = runs.journal().workflows();
    Ok(workflows.purge(before, PURGE_MAX).await?)
}

async fn text(runs: &Runs, head: &Head, version: u32) -> Result<Text, Error> {
    let found = self::version(runs, head, version).await?;
    Ok(Text {
        dialect: Dialect::from_name(&found.dialect),
        source: found.source,
        file_name: found.file_name,
        version: found.version,
    })
}

/// Where a workflow stands.
async fn head(runs: &Runs, name: &str) -> Result<Head, Error> {
    let workflows = runs.journal().workflows();
    if let Some(head) = workflows.head(name).await? {
        return Ok(head);
    }
    let names = workflows.names().await?;
    let nearest = nearest_name(name, names.iter().map(String::as_str));
    Err(Error::WorkflowNotFound {
        workflow: name.to_owned(),
        nearest: nearest.map(str::to_owned),
    })
}

/// A version of a workflow, with its source; 0: the newest.
async fn version(runs: &Runs, head: &Head, version: u32) -> Result<Version, Error> {
    let wanted = match version {
        0 => head.newest,
        n => n,
    };
    let workflows = runs.journal().workflows();
    let found = workflows.version(&head.name, wanted).await?;
    found.ok_or_else(|| Error::VersionNotFound {
        workflow: head.name.clone(),
        version: wanted,
        newest: head.newest,
    })
}

fn refused(head: &Head) -> Error {
    Error::WorkflowDisabled {
        workflow: head.name.clone(),
        state: head.state.as_str(),
    }
}
