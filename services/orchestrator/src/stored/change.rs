//! Changes of stored workflows.

use bytes::Bytes;

use gearmesh_runtime::Keyed;
use gearmesh_store::workflow::{Change, Changed, Head, State, Version};
use gearmesh_workflow::Diagnostic;

use crate::error::Error;
use crate::hash::sha256;
use crate::run::Runs;
use crate::stored::alike::{self, Sketch};
use crate::stored::file::File;
use crate::stored::summary::{Summary, words};
use crate::stored::{Shown, head, refused, version};
use crate::voter::LOCAL;

/// How often a change is decided anew when somebody else's came first.
const TRIES_MAX: u32 = 8;

/// Bytes of an etag's hash: two of one workflow are never equal by chance.
const ETAG_BYTES: usize = 8;

/// A file to be stored.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub(crate) source: String,
    pub(crate) file_name: String,
    pub(crate) comment: String,
    pub(crate) author: Option<String>,
    pub(crate) dry_run: bool,
}

/// A changed file.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) workflow: String,
    /// Only if the workflow still has it.
    pub(crate) etag: Option<String>,
    pub(crate) new: New,
}

/// What a change made of a workflow.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) shown: Shown,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) unchanged: bool,
}

/// A workflow about to be stored for the first time.
#[derive(Debug)]
pub(crate) struct Creation {
    pub(crate) outcome: Outcome,
    dry_run: bool,
}

impl Creation {
    /// Checks the file, and compares it with what is stored.
    pub(crate) async fn prepare(runs: &Runs, new: New) -> Result<Self, Error> {
        let file = File::read(runs, &new.source, &new.file_name)?;
        let name = file.workflow.name.clone();
        let workflows = runs.journal().workflows();
        if new.dry_run
            && let Some(head) = workflows.head(&name).await?
        {
            return Err(exists(&head));
        }
        let dry_run = new.dry_run;
        let made = Made::new(runs, &file, new, 1);
        let mut warnings = file.warnings;
        warnings.extend(alike::warnings(runs, &name, &made.version.file_name, &made.sketch).await?);
        let now_ms = made.version.created_at_ms;
        let head = Head {
            name,
            newest: 1,
            state: State::Enabled,
            etag: String::new(),
            changed_at_ms: now_ms,
        };
        let head = match dry_run {
            true => head,
            false => with_etag(head, "", &made.version.spec_hash),
        };
        let shown = Shown {
            head,
            version: made.version,
        };
        Ok(Self {
            outcome: Outcome {
                shown,
                warnings,
                unchanged: false,
            },
            dry_run,
        })
    }

    /// Stores it. The answer to a call that came before with the same key is its `reply`.
    pub(crate) async fn store(
        &self,
        runs: &Runs,
        keyed: Option<Keyed>,
        reply: Bytes,
    ) -> Result<Option<Bytes>, Error> {
        if self.dry_run {
            return Ok(None);
        }
        let Shown { head, version } = &self.outcome.shown;
        let change = Change {
            before: None,
            head: head.clone(),
            version: Some(version.clone()),
        };
        let call = keyed.as_ref().map(Keyed::entry);
        let keyed = call.as_ref().map(|call| (call, reply));
        let workflows = runs.journal().workflows();
        match workflows.change(&change, keyed).await? {
            Changed::Done => Ok(None),
            Changed::Answered(reply) => Ok(Some(reply)),
            Changed::Stale => {
                let there = workflows.head(&head.name).await?;
                Err(exists(there.as_ref().unwrap_or(head)))
            }
        }
    }
}

fn exists(head: &Head) -> Error {
    Error::WorkflowExists {
        workflow: head.name.clone(),
        deleted: head.state == State::Deleted,
    }
}

/// Stores a changed file as a new version.
pub(crate) async fn update(runs: &Runs, update: Update) -> Result<Outcome, Error> {
    let Update {
        workflow,
        etag,
        new,
    } = update;
    let file = File::read(runs, &new.source, &new.file_name)?;
    if file.workflow.name != workflow {
        return Err(Error::OtherName {
            found: file.workflow.name,
            expected: workflow,
        });
    }
    for _ in 0..TRIES_MAX {
        let head = head(runs, &workflow).await?;
        if etag.as_ref().is_some_and(|etag| *etag != head.etag) {
            return Err(Error::EtagMismatch(workflow));
        }
        if head.state == State::Deleted {
            return Err(refused(&head));
        }
        let newest = version(runs, &head, 0).await?;
        if newest.source == new.source {
            return Ok(Outcome {
                shown: Shown {
                    head,
                    version: newest,
                },
                warnings: file.warnings,
                unchanged: true,
            });
        }
        let made = Made::new(runs, &file, new.clone(), head.newest.saturating_add(1));
        let shown = if new.dry_run {
            Shown {
                head: Head {
                    newest: made.version.version,
                    ..head
                },
                version: made.version,
            }
        } else {
            match add(runs, &head, made.version).await? {
                Some(shown) => shown,
                None => continue,
            }
        };
        return Ok(Outcome {
            shown,
            warnings: file.warnings,
            unchanged: false,
        });
    }
    Err(Error::EtagMismatch(workflow))
}

/// Makes an earlier version the newest again, as a version of its own.
pub(crate) async fn rollback(
    runs: &Runs,
    workflow: &str,
    to: u32,
    author: Option<String>,
) -> Result<Shown, Error> {
    for _ in 0..TRIES_MAX {
        let head = head(runs, workflow).await?;
        if head.state == State::Deleted {
            return Err(refused(&head));
        }
        let wanted = version(runs, &head, to).await?;
        let newest = version(runs, &head, 0).await?;
        if newest.source == wanted.source {
            return Ok(Shown {
                head,
                version: newest,
            });
        }
        let again = Version {
            version: head.newest.saturating_add(1),
            author: author.clone().unwrap_or_else(|| LOCAL.to_owned()),
            comment: format!("version {} again", wanted.version),
            created_at_ms: runs.context().clock().now_ms(),
            ..wanted
        };
        if let Some(shown) = add(runs, &head, again).await? {
            return Ok(shown);
        }
    }
    Err(Error::EtagMismatch(workflow.to_owned()))
}

/// Lets a workflow be used, or not. Answers how it stands, and whether that is new.
pub(crate) async fn set_state(
    runs: &Runs,
    workflow: &str,
    to: State,
    from: &[State],
) -> Result<(Shown, bool), Error> {
    for _ in 0..TRIES_MAX {
        let head = head(runs, workflow).await?;
        if !from.contains(&head.state) {
            if head.state == State::Deleted && to != State::Deleted {
                return Err(refused(&head));
            }
            let version = version(runs, &head, 0).await?;
            return Ok((Shown { head, version }, false));
        }
        let version = version(runs, &head, 0).await?;
        let changed = Head {
            state: to,
            changed_at_ms: runs.context().clock().now_ms(),
            ..head.clone()
        };
        let changed = with_etag(changed, &head.etag, &version.spec_hash);
        let change = Change {
            before: Some(head.etag),
            head: changed,
            version: None,
        };
        let workflows = runs.journal().workflows();
        if workflows.change(&change, None).await? == Changed::Done {
            let head = change.head;
            return Ok((Shown { head, version }, true));
        }
    }
    Err(Error::EtagMismatch(workflow.to_owned()))
}

/// Adds a version to a workflow; none when that was changed meanwhile.
async fn add(runs: &Runs, before: &Head, version: Version) -> Result<Option<Shown>, Error> {
    let head = Head {
        newest: version.version,
        changed_at_ms: version.created_at_ms,
        ..before.clone()
    };
    let head = with_etag(head, &before.etag, &version.spec_hash);
    let change = Change {
        before: Some(before.etag.clone()),
        head: head.clone(),
        version: Some(version.clone()),
    };
    let changed = runs.journal().workflows().change(&change, None).await?;
    Ok((changed == Changed::Done).then_some(Shown { head, version }))
}

/// A head with the etag that follows on the one before.
fn with_etag(head: Head, before: &str, spec_hash: &[u8]) -> Head {
    let of = serde_json::json!([
        before,
        head.name,
        head.newest,
        head.state.as_str(),
        head.changed_at_ms,
        hex::encode(spec_hash),
    ]);
    let hash = sha256(of.to_string().as_bytes());
    Head {
        etag: hex::encode(&hash[..ETAG_BYTES]),
        ..head
    }
}

/// A version that was made of a file.
struct Made {
    version: Version,
    sketch: Sketch,
}

impl Made {
    fn new(runs: &Runs, file: &File, new: New, version: u32) -> Self {
        let sketch = Sketch::of(&file.workflow, &runs.context().catalog());
        let spec_hash = sha256(new.source.as_bytes());
        let version = Version {
            name: file.workflow.name.clone(),
            version,
            spec_hash,
            source: new.source,
            file_name: new.file_name,
            dialect: file.workflow.dialect.as_str().to_owned(),
            title: file.workflow.title.clone().unwrap_or_default(),
            author: new.author.unwrap_or_else(|| LOCAL.to_owned()),
            comment: new.comment,
            words: words(&file.workflow),
            summary: Summary::new(file).to_bytes(),
            sketch: sketch.to_bytes(),
            created_at_ms: runs.context().clock().now_ms(),
        };
        Self { version, sketch }
    }
}
