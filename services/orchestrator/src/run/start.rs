//! From a request to a durable run.

use std::sync::Arc;

use serde_json::{Map, Value};

use gearmesh_api::journal::v1 as journal;
use gearmesh_runtime::trace;
use gearmesh_store::{Accepted, NewRun, RequestKey, RunIds, run_text};
use gearmesh_workflow::{Dialect, Source, Workflow, check};
use journal::record::Fact;

use crate::error::Error;
use crate::plan::{Decided, Input, State, constants, sha256};
use crate::run::decide::decide;
use crate::run::runs::Runs;

/// Who starts runs where nobody logs in.
const PRINCIPAL: &str = "local";

/// Version of a workflow that is sent along with its start.
const INLINE_VERSION: u32 = 1;

/// What is to be started.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) source: String,
    pub(crate) file_name: String,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) folder: String,
    /// On whose behalf.
    pub(crate) principal: Option<String>,
    /// What that one may do, with blanks between; none: everything.
    pub(crate) scopes: Option<String>,
    /// A repeat with this key answers the first run.
    pub(crate) key: Option<String>,
}

impl Start {
    /// Checks the whole request, makes the run durable with its first ready
    /// tasks, and sets it going. Answers the run's id.
    pub(crate) async fn begin(self, runs: &Runs, ids: &RunIds) -> Result<String, Error> {
        let cx = runs.context();
        if cx.shutdown().is_cancelled() {
            return Err(Error::Stopping);
        }
        let catalog = cx.catalog();
        let source = Source {
            text: &self.source,
            file_name: &self.file_name,
            dialect: self.dialect,
        };
        let checked = check(&source, Some(&catalog));
        let Some(workflow) = checked.workflow.filter(|_| checked.errors.is_empty()) else {
            return Err(Error::Invalid(checked.errors));
        };
        let inputs = workflow.bind_inputs(&self.inputs).map_err(Error::Inputs)?;
        let now_ms = cx.clock().now_ms();
        let id = ids.next(u64::try_from(now_ms).unwrap_or_default());
        let run = run_text(id);
        let accepted = self.accepted(&workflow, checked.dialect, &inputs, &run, now_ms)?;
        let mut state = State::new(run.clone(), Arc::new(workflow), &accepted, now_ms);
        let mut decided = Decided::default();
        decided.records.push(journal::Record {
            time_ms: now_ms,
            fact: Some(Fact::Accepted(accepted)),
        });
        decide(cx, &mut state, [Input::Begin], &mut decided);
        let (rows, blobs) = crate::journal::rows(&decided.records, 1);
        let new = NewRun {
            run: id,
            workflow: state.workflow.name.clone(),
            version: INLINE_VERSION,
            principal: self.principal().to_owned(),
            request: self.key.as_ref().map(|key| RequestKey {
                key: key.clone(),
                hash: self.hash(),
            }),
            created_at_ms: now_ms,
            deadline_ms: state.deadline_ms,
            rows,
            due_at_ms: state.due_ms(),
            status: "running".to_owned(),
            blobs,
        };
        // On its own: a caller that leaves in the middle must not leave a durable run
        // behind that nobody drives.
        let owned = runs.clone();
        let accepting = cx.spawn(async move {
            let accepted = owned.journal().accept(new).await?;
            match accepted {
                Accepted::New if state.ended() => {
                    crate::journal::close(owned.journal(), id, &state).await?;
                    owned.finished(id, state);
                }
                Accepted::New => {
                    owned.drive(id, state, decided.records, decided.commands, Vec::new())
                }
                Accepted::Existing(_) | Accepted::KeyReused(_) => {}
            }
            Ok::<_, Error>(accepted)
        });
        match accepting.await.map_err(|_| Error::Stopping)?? {
            Accepted::New => Ok(run),
            Accepted::Existing(first) => Ok(run_text(first)),
            Accepted::KeyReused(first) => Err(Error::KeyReused {
                key: self.key.unwrap_or_default(),
                run: run_text(first),
            }),
        }
    }

    fn principal(&self) -> &str {
        self.principal.as_deref().unwrap_or(PRINCIPAL)
    }

    /// The first record: all that the run will ever need to know of its start.
    fn accepted(
        &self,
        workflow: &Workflow,
        dialect: Dialect,
        inputs: &Map<String, Value>,
        run: &str,
        now_ms: i64,
    ) -> Result<journal::Accepted, Error> {
        let limit = workflow
            .timeout
            .map(|t| i64::try_from(t.as_millis()).unwrap_or(i64::MAX));
        let mut accepted = journal::Accepted {
            source: self.source.clone(),
            file_name: self.file_name.clone(),
            dialect: match dialect {
                Dialect::Native => "native".to_owned(),
                Dialect::Oktyv => "oktyv".to_owned(),
            },
            workflow: workflow.name.clone(),
            version: INLINE_VERSION,
            folder: self.folder.clone(),
            inputs: Value::Object(inputs.clone()).to_string().into(),
            vars: bytes::Bytes::new(),
            principal: self.principal().to_owned(),
            scopes: self.scopes.clone(),
            trace: trace::current().unwrap_or_default(),
            deadline_ms: limit.map(|l| now_ms.saturating_add(l)),
        };
        let mut roots = constants(run, &accepted, now_ms);
        let mut vars = Map::new();
        for (name, node) in &workflow.vars {
            let value = node.evaluate(&roots).map_err(|e| Error::Variable {
                name: name.clone(),
                code: e.code.to_owned(),
                message: e.message,
            })?;
            vars.insert(name.clone(), value);
            roots.insert("vars".to_owned(), Value::Object(vars.clone()));
        }
        accepted.vars = Value::Object(vars).to_string().into();
        Ok(accepted)
    }

    /// Hash of all that makes two requests with one key the same request.
    fn hash(&self) -> [u8; 32] {
        let mut inputs = Value::Object(self.inputs.clone());
        inputs.sort_all_objects();
        let text = serde_json::json!([self.source, self.folder, inputs]).to_string();
        let mut hash = [0; 32];
        hash.copy_from_slice(&sha256(text.as_bytes()));
        hash
    }
}
