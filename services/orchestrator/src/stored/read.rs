//! Looking at stored workflows.

use gearmesh_store::workflow::{List, Page, State};

use crate::error::Error;
use crate::run::Runs;
use crate::stored::summary::searched;
use crate::stored::{Shown, head, version};

/// A workflow with one of its versions; 0: the newest.
pub(crate) async fn one(runs: &Runs, name: &str, wanted: u32) -> Result<Shown, Error> {
    let head = head(runs, name).await?;
    let version = version(runs, &head, wanted).await?;
    Ok(Shown { head, version })
}

/// Workflows by name, without their files.
pub(crate) async fn list(
    runs: &Runs,
    state: Option<State>,
    query: Option<String>,
    after: Option<String>,
    limit: u32,
) -> Result<Page<Shown>, Error> {
    let filter = List {
        state,
        words: query.map(|query| searched(&query)),
        after,
        limit,
    };
    let page = runs.journal().workflows().list(&filter).await?;
    let entries = page.entries.into_iter();
    Ok(Page {
        entries: entries
            .map(|(head, version)| Shown { head, version })
            .collect(),
        more: page.more,
    })
}

/// The versions of a workflow, the newest first, without their files.
pub(crate) async fn versions(
    runs: &Runs,
    name: &str,
    before: Option<u32>,
    limit: u32,
) -> Result<Page<Shown>, Error> {
    let head = head(runs, name).await?;
    let workflows = runs.journal().workflows();
    let page = workflows.versions(name, before, limit).await?;
    let entries = page.entries.into_iter();
    Ok(Page {
        entries: entries
            .map(|version| Shown {
                head: head.clone(),
                version,
            })
            .collect(),
        more: page.more,
    })
}
