//! From a request to a durable run.

use std::collections::HashMap;

use serde_json::{Map, Value};

use gearmesh_api::journal::v1 as journal;
use gearmesh_runtime::trace;
use gearmesh_store::{RunId, Shard, run_text};
use gearmesh_workflow::{Dialect, OnConflict, Source, Workflow, check};

use crate::acceptance;
use crate::error::Error;
use crate::hash::sha256;
use crate::plan::millis;
use crate::run::children::Above;
use crate::run::part::Part;
use crate::run::pin;
use crate::run::places::{Got, Wish};
use crate::run::runs::Runs;
use crate::run::shards::ALONE;
use crate::seal;
use crate::seal_source::{Found, Sealing};
use crate::stored::{self, Text};
use crate::voter::LOCAL;

/// Version of a workflow that is sent along with its start.
pub(crate) const INLINE_VERSION: u32 = 1;

/// Where the workflow of a start comes from.
#[derive(Debug, Clone)]
pub(crate) enum From {
    /// Sent along.
    File {
        source: String,
        file_name: String,
        dialect: Option<Dialect>,
    },
    /// Stored under this name; version 0: the newest.
    Stored { name: String, version: u32 },
}

/// What is to be started.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) from: From,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) folder: String,
    /// On whose behalf.
    pub(crate) principal: Option<String>,
    /// What that one may do, with blanks between; none: everything.
    pub(crate) scopes: Option<String>,
    /// A repeat with this key answers the first run.
    pub(crate) key: Option<String>,
    /// 1-9; 0: what the workflow says.
    pub(crate) priority: u32,
    /// A start with the same key within so many milliseconds answers the first run.
    pub(crate) dedupe: Option<(String, i64)>,
    /// What started it: the root `trigger` of expressions.
    pub(crate) trigger: Option<Value>,
    pub(crate) scheduled_ms: Option<i64>,
    pub(crate) mock: bool,
    /// Run a part, with results of an earlier run.
    pub(crate) part: Option<Part>,
    /// The run whose task starts this one.
    pub(crate) above: Option<Above>,
    /// Versions of other workflows that it must use.
    pub(crate) pinned: HashMap<String, u32>,
    /// W3C trace context of the call that starts it.
    pub(crate) trace: String,
    /// The version that was found before the start, which is to be of the same one.
    pub(crate) found: Option<u32>,
    /// The run from which the file was taken, with what was sealed for that one.
    pub(crate) sealed_by: Option<String>,
}

/// A workflow that was found and checked.
struct Ready {
    /// What of the file must not be written as it is.
    found: Found,
    text: Text,
    dialect: Dialect,
    workflow: Workflow,
    inputs: Map<String, Value>,
}

/// A run that is about to be accepted.
pub(super) struct Prepared {
    pub(super) id: RunId,
    pub(super) accepted: journal::Accepted,
    pub(super) workflow: Workflow,
}

impl Start {
    /// A start with nothing beside its workflow.
    pub(crate) fn of(from: From) -> Self {
        Self {
            from,
            inputs: Map::new(),
            folder: String::new(),
            principal: None,
            scopes: None,
            key: None,
            priority: 0,
            dedupe: None,
            trigger: None,
            scheduled_ms: None,
            mock: false,
            part: None,
            above: None,
            pinned: HashMap::new(),
            trace: String::new(),
            found: None,
            sealed_by: None,
        }
    }

    /// For a task of another run.
    pub(crate) fn below(self, above: Above) -> Self {
        Self {
            above: Some(above),
            ..self
        }
    }

    /// Checks the whole request, makes the run durable with its first ready
    /// tasks, and sets it going. Answers the run's id.
    pub(crate) async fn begin(mut self, runs: &Runs) -> Result<String, Error> {
        let cx = runs.context();
        if cx.shutdown().is_cancelled() {
            return Err(Error::Stopping);
        }
        self.trace = trace::current().unwrap_or_default();
        // On its own: a caller that leaves in the middle must leave neither a place that
        // nobody has nor a durable run that nobody drives.
        let owned = runs.clone();
        let begun = cx.spawn(async move { self.begun(&owned).await });
        begun.await.map_err(|_| Error::Stopping)?
    }

    async fn begun(mut self, runs: &Runs) -> Result<String, Error> {
        let ready = match self.ready(runs).await {
            Ok(ready) => ready,
            // A repeat is answered as the first time, whatever has changed since.
            Err(error) => return self.answered_before(runs).await?.ok_or(error),
        };
        let now_ms = runs.context().clock().now_ms();
        let shard = match self.home(runs, &ready, now_ms) {
            Ok(shard) => shard,
            Err(error) => return self.answered_before(runs).await?.ok_or(error),
        };
        if runs.shards().are_shared() {
            // The ids of its earlier owner are known once its runs have been taken up.
            runs.shards().settled_in(shard).await;
        }
        let id = runs.ids().next_in(shard, now_ms.unsigned_abs());
        let seals = !ready.found.is_empty() || seal::has_any(&ready.workflow);
        let begun = match self.sealed(runs, id, ready).await {
            Ok(ready) => self.begun_as(runs, id, ready).await,
            Err(error) => Err(error),
        };
        let is_this = matches!(&begun, Ok(run) if *run == run_text(id));
        // One that the store may have after all needs what is sealed for it; the sweep looks
        // again.
        let may_be = matches!(&begun, Err(Error::Store(_)));
        if seals && !is_this && !may_be {
            seal::forget(runs.context(), &run_text(id)).await;
        }
        begun
    }

    /// The shard in which the run is to lie: that of its concurrency key, whose owner alone
    /// says who of them goes, else any that is here.
    fn home(&self, runs: &Runs, ready: &Ready, now_ms: i64) -> Result<Shard, Error> {
        let shards = runs.shards();
        let any = || shards.any().ok_or(Error::Elsewhere(ALONE));
        if !shards.are_shared() || ready.workflow.concurrency.is_none() {
            return any();
        }
        // The key may be made of what a run knows: of this one, or of one like it.
        let like = run_text(runs.ids().next(now_ms.unsigned_abs()));
        let accepted = self.accepted(&like, ready, now_ms)?;
        if accepted.place.is_empty() {
            return any();
        }
        let shard = shards.of_key(&accepted.place);
        if shards.takes(shard) {
            return Ok(shard);
        }
        Err(Error::Elsewhere(shard))
    }

    /// With references in the places of the secrets that stand in the file as they are.
    async fn sealed(&mut self, runs: &Runs, id: RunId, ready: Ready) -> Result<Ready, Error> {
        if ready.found.is_empty() {
            return Ok(ready);
        }
        let from = self.sealed_by.take();
        let by = Sealing {
            principal: self.principal(),
            key: self.key.as_deref(),
            run: &run_text(id),
            from: from.as_deref(),
        };
        let Ready { text, found, .. } = ready;
        let source = found.sealed(runs.context(), &text.source, &by).await?;
        if let From::File { source: sent, .. } = &mut self.from {
            sent.clone_from(&source);
        }
        let ready = self.checked(runs, Text { source, ..text })?;
        ready.found.none().map(|()| ready)
    }

    async fn begun_as(&self, runs: &Runs, id: RunId, ready: Ready) -> Result<String, Error> {
        let prepared = self.prepared(runs, id, ready).await?;
        let placed = self.place(runs, &prepared).await?;
        let place = prepared.accepted.place.clone();
        let begun = self.accept(runs, prepared, placed).await;
        if !matches!(&begun, Ok(run) if *run == run_text(id)) && !place.is_empty() {
            // Another run answers, or none: this one needs its place no more.
            runs.leave_place(&place, id);
        }
        begun
    }

    /// The run that an earlier request with this key has started.
    async fn answered_before(&self, runs: &Runs) -> Result<Option<String>, Error> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        let known = runs.journal().request(self.principal(), key).await?;
        let same = known.filter(|(_, hash)| *hash == self.hash());
        Ok(same.map(|(run, _)| run_text(run)))
    }

    /// The workflow that it runs, whatever newer version is stored meanwhile.
    pub(crate) async fn workflow(&mut self, runs: &Runs) -> Result<Workflow, Error> {
        let ready = self.ready(runs).await?;
        self.found = Some(ready.text.version);
        Ok(ready.workflow)
    }

    /// Finds the workflow and checks it with what it is given.
    async fn ready(&self, runs: &Runs) -> Result<Ready, Error> {
        let text = match &self.from {
            From::File {
                source,
                file_name,
                dialect,
            } => Text {
                source: source.clone(),
                file_name: file_name.clone(),
                dialect: *dialect,
                version: INLINE_VERSION,
            },
            // A run under way goes on with the versions that it found.
            From::Stored { name, version } if self.above.is_some() && *version > 0 => {
                stored::pinned(runs, name, *version).await?
            }
            From::Stored { name, version } => {
                stored::startable(runs, name, self.found.unwrap_or(*version)).await?
            }
        };
        self.checked(runs, text)
    }

    fn checked(&self, runs: &Runs, text: Text) -> Result<Ready, Error> {
        let catalog = runs.context().catalog();
        let source = Source {
            text: &text.source,
            file_name: &text.file_name,
            dialect: text.dialect,
        };
        let checked = check(&source, Some(&catalog));
        let dialect = checked.dialect;
        let Some(workflow) = checked.workflow.filter(|_| checked.errors.is_empty()) else {
            return Err(Error::Invalid(checked.errors));
        };
        let inputs = workflow.bind_inputs(&self.inputs).map_err(Error::Inputs)?;
        let found = Found::of(&source, &checked.warnings, self.sealed_by.as_deref())?;
        Ok(Ready {
            found,
            text,
            dialect,
            workflow,
            inputs,
        })
    }

    /// All that the run will ever need to know of its start.
    async fn prepared(&self, runs: &Runs, id: RunId, ready: Ready) -> Result<Prepared, Error> {
        let now_ms = runs.context().clock().now_ms();
        let mut accepted = self.accepted(&run_text(id), &ready, now_ms)?;
        let above = self.above.as_ref();
        let handed_down = above.map_or_else(|| self.pinned.clone(), |a| a.pinned.clone());
        accepted.pinned = pin::pinned(runs, &ready.workflow, handed_down).await?;
        Ok(Prepared {
            id,
            accepted,
            workflow: ready.workflow,
        })
    }

    /// What the run will know of its start, but for the versions of other workflows.
    fn accepted(&self, run: &str, ready: &Ready, now_ms: i64) -> Result<journal::Accepted, Error> {
        let workflow = &ready.workflow;
        let mut inputs = ready.inputs.clone();
        workflow
            .fill_inputs(&mut inputs, &crate::render::instant(now_ms))
            .map_err(Error::Inputs)?;
        let above = self.above.as_ref();
        let mut accepted = journal::Accepted {
            source: ready.text.source.clone(),
            file_name: ready.text.file_name.clone(),
            dialect: ready.dialect.as_str().to_owned(),
            workflow: workflow.name.clone(),
            version: ready.text.version,
            folder: self.folder.clone(),
            inputs: Value::Object(inputs).to_string().into(),
            principal: self.principal().to_owned(),
            scopes: self.scopes.clone(),
            trace: self.trace.clone(),
            priority: match self.priority {
                0 => u32::from(workflow.priority),
                given => given,
            },
            trigger: self
                .trigger
                .as_ref()
                .map(Value::to_string)
                .unwrap_or_default()
                .into(),
            parent: above.map(|a| a.parent.clone()),
            inherited: above.map(|a| a.inherited.clone()).unwrap_or_default(),
            scheduled_ms: self.scheduled_ms,
            mock: self.mock,
            ..journal::Accepted::default()
        };
        let roots = acceptance::vars(workflow, run, &mut accepted, now_ms)?;
        if let Some(concurrency) = &workflow.concurrency {
            accepted.place = key_of(workflow, &roots)?;
            accepted.place_limit = concurrency.limit;
            if accepted.inherited.contains(&accepted.place) || self.mock {
                // An ancestor has it for the whole family; and what calls nothing is in
                // nobody's way.
                accepted.place = String::new();
            }
        }
        Ok(accepted)
    }

    /// The key of the start with its window in milliseconds, else the workflow's own. That one
    /// is for whole runs that somebody or something outside of runs starts.
    pub(super) fn dedupe(&self, workflow: &Workflow) -> Option<(String, i64)> {
        let whole = self.above.is_none() && self.part.is_none() && !self.mock;
        let own = workflow.dedupe.as_ref().filter(|_| whole);
        self.dedupe.clone().or_else(|| {
            let (key, window) = own?;
            Some((key.clone(), millis(*window)))
        })
    }

    /// Takes the run's place; what is to be done without one.
    async fn place(&self, runs: &Runs, prepared: &Prepared) -> Result<Placed, Error> {
        let accepted = &prepared.accepted;
        let Some(concurrency) = &prepared.workflow.concurrency else {
            return Ok(Placed::Begins);
        };
        if accepted.place.is_empty() {
            return Ok(Placed::Begins);
        }
        // Those that were open before must have their places back first.
        runs.shards().settled(prepared.id).await;
        let key = &accepted.place;
        let wish = Wish {
            run: prepared.id,
            limit: concurrency.limit,
            priority: accepted.priority,
            held: accepted.inherited.clone(),
            queues: concurrency.on_conflict != OnConflict::Skip,
        };
        match runs.places(prepared.id).enter(key, wish) {
            Got::Place => Ok(Placed::Begins),
            Got::Taken => Ok(Placed::Skipped),
            Got::Cycle(held) => Err(Error::ConcurrencyCycle {
                key: key.clone(),
                held,
            }),
            Got::Queued(holders) => {
                let cancels = concurrency.on_conflict == OnConflict::CancelRunning;
                let cancels = if cancels { holders } else { Vec::new() };
                Ok(Placed::Queued { cancels })
            }
        }
    }

    pub(super) fn principal(&self) -> &str {
        self.principal.as_deref().unwrap_or(LOCAL)
    }

    /// Hash of all that makes two requests with one key the same request.
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut inputs = Value::Object(self.inputs.clone());
        inputs.sort_all_objects();
        let text = match &self.from {
            From::File { source, .. } => {
                serde_json::json!([source, self.folder, inputs])
            }
            From::Stored { name, version } => {
                let workflow = serde_json::json!({"name": name, "version": version});
                match self.folder.as_str() {
                    // A task's start has the folder of the run above, whatever it is.
                    folder if self.above.is_none() && !folder.is_empty() => {
                        serde_json::json!([workflow, inputs, folder])
                    }
                    _ => serde_json::json!([workflow, inputs]),
                }
            }
        };
        let mut text = text.to_string();
        // What is not given adds nothing: keys of earlier releases go on to answer.
        let part = self.part.as_ref().map(|p| (&p.run, &p.tasks));
        let more = serde_json::json!([
            part,
            self.mock,
            self.trigger,
            self.scheduled_ms,
            self.priority
        ]);
        if more != serde_json::json!([null, false, null, null, 0]) {
            text.push_str(&more.to_string());
        }
        sha256(text.as_bytes())
    }
}

/// Whether a run may begin.
pub(super) enum Placed {
    /// It has its place, or needs none.
    Begins,
    /// It waits, after these were cancelled.
    Queued { cancels: Vec<RunId> },
    /// It ends at once.
    Skipped,
}

/// The concurrency key of a run: of its workflow alone unless it begins with `global:`.
fn key_of(workflow: &Workflow, roots: &Map<String, Value>) -> Result<String, Error> {
    let key = workflow.concurrency.as_ref().and_then(|c| c.key.as_ref());
    let Some(key) = key else {
        return Ok(format!("workflow:{}", workflow.name));
    };
    let fault = |code: &str, message: String| Error::Variable {
        name: "concurrency.key".to_owned(),
        code: code.to_owned(),
        message,
    };
    let value = key.evaluate(roots).map_err(|e| fault(e.code, e.message))?;
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        other => {
            let text = format!("it must be text, found {other}");
            return Err(fault("EXPRESSION_TYPE", text));
        }
    };
    if text.starts_with("global:") {
        return Ok(text);
    }
    Ok(format!("workflow:{}:{text}", workflow.name))
}
