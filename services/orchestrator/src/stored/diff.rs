//! What differs between two versions of a workflow.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use gearmesh_workflow::{Document, Source};
use similar::TextDiff;

use crate::error::Error;
use crate::run::Runs;

/// Longest search for the shortest difference; past it a longer one is shown.
const SEARCH_MAX: Duration = Duration::from_millis(500);

/// Lines that are shown around a change.
const AROUND: usize = 3;

/// The lists that have tasks: those of our format, and the steps of Ordinaut.
const LISTS: [&str; 6] = [
    "/tasks",
    "/onFailure",
    "/onSuccess",
    "/finally",
    "/pipeline",
    "/payload/pipeline",
];

/// What differs.
#[derive(Debug, Default)]
pub(crate) struct Diff {
    /// The older version; 0: nothing, before there was one.
    pub(crate) from: u32,
    /// The newer version; 0: the file.
    pub(crate) to: u32,
    /// Lines as `diff -u` shows them.
    pub(crate) unified: String,
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) changed: Vec<String>,
}

/// One side.
struct Side {
    version: u32,
    label: String,
    text: String,
    file_name: String,
}

/// Compares two versions, or a version and a file. `from` 0: the one before `to`, or the
/// newest where a file is given; `to` 0: the newest.
pub(crate) async fn diff(
    runs: &Runs,
    name: &str,
    from: u32,
    to: u32,
    file: Option<String>,
) -> Result<Diff, Error> {
    let head = super::head(runs, name).await?;
    let side = async |version: u32| {
        let found = super::version(runs, &head, version).await?;
        Ok::<_, Error>(Side {
            version: found.version,
            label: format!("{name}@{}", found.version),
            text: found.source,
            file_name: found.file_name,
        })
    };
    let (older, newer) = match file {
        Some(_) if to != 0 => {
            let text = "give `to` or `source`, and not both";
            return Err(Error::Parameters(text.to_owned()));
        }
        Some(text) => {
            let older = side(from).await?;
            let newer = Side {
                version: 0,
                label: "file".to_owned(),
                text,
                file_name: older.file_name.clone(),
            };
            (older, newer)
        }
        None => {
            let newer = side(to).await?;
            let older = match (from, newer.version) {
                // The first version is all new.
                (0, 1) => Side {
                    version: 0,
                    label: "nothing".to_owned(),
                    text: String::new(),
                    file_name: newer.file_name.clone(),
                },
                (0, n) => side(n - 1).await?,
                (n, _) => side(n).await?,
            };
            (older, newer)
        }
    };
    // Up to half a second of work.
    let compared = tokio::task::spawn_blocking(move || compare(&older, &newer));
    compared.await.map_err(|_| Error::Stopping)?
}

fn compare(older: &Side, newer: &Side) -> Result<Diff, Error> {
    let before = tasks(older)?;
    let after = tasks(newer)?;
    let mut diff = Diff {
        from: older.version,
        to: newer.version,
        ..Diff::default()
    };
    let old: HashMap<_, _> = before.iter().map(|(id, task)| (id, task)).collect();
    for (id, task) in &after {
        match old.get(id) {
            None => diff.added.push(id.clone()),
            Some(other) if *other != task => diff.changed.push(id.clone()),
            Some(_) => {}
        }
    }
    let new: HashSet<_> = after.iter().map(|(id, _)| id).collect();
    let gone = before.iter().filter(|(id, _)| !new.contains(id));
    diff.removed = gone.map(|(id, _)| id.clone()).collect();
    if older.text != newer.text {
        diff.unified = TextDiff::configure()
            .timeout(SEARCH_MAX)
            .diff_lines(older.text.as_str(), newer.text.as_str())
            .unified_diff()
            .context_radius(AROUND)
            .header(&older.label, &newer.label)
            .to_string();
    }
    Ok(diff)
}

/// All tasks of a file by id, each without those inside it.
fn tasks(side: &Side) -> Result<Vec<(String, Value)>, Error> {
    if side.text.is_empty() {
        return Ok(Vec::new());
    }
    let source = Source {
        text: &side.text,
        file_name: &side.file_name,
        dialect: None,
    };
    let document = Document::read(&source).map_err(Error::Invalid)?.value();
    let mut waiting: Vec<&Value> = LISTS.iter().filter_map(|l| document.pointer(l)).collect();
    waiting.reverse();
    let mut found = Vec::new();
    while let Some(list) = waiting.pop() {
        for (task, number) in list.as_array().into_iter().flatten().zip(1..) {
            let id = task.get("id").and_then(Value::as_str);
            let id = id.map_or_else(|| format!("step_{number}"), str::to_owned);
            let mut own = task.clone();
            if let Some(own) = own.as_object_mut() {
                own.remove("tasks");
            }
            found.push((id, own));
            waiting.extend(task.get("tasks"));
        }
    }
    Ok(found)
}
