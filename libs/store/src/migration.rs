//! Steps from an older shape of tables to a newer one, and back.

use crate::error::{Error, Result};

/// One step forward, and the way back. A step that was released is never changed: what it
/// made stands in somebody's file.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The version after this step; rises within a list, from 1.
    pub version: u32,
    /// The statements, separated by `;`.
    pub sql: &'static str,
    /// The statements that undo it, with what only it has room for; absent: there is no
    /// way back.
    pub down: Option<&'static str>,
}

/// The statements that lead back from a version to an older one, the newest first.
pub(crate) fn way_back(
    set: &str,
    migrations: &[Migration],
    from: u32,
    to: u32,
) -> Result<Vec<&'static str>> {
    let steps = migrations.iter().rev();
    let steps = steps.filter(|step| step.version > to && step.version <= from);
    steps
        .map(|step| {
            step.down.ok_or_else(|| Error::NoWayBack {
                set: set.to_owned(),
                version: step.version,
            })
        })
        .collect()
}
