//! Translates between the protocol and the runs; no decisions here.

use std::pin::Pin;
use std::time::Duration;

use futures::Stream;
use serde_json::{Map, Value, json};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_api::orchestrator::v1::orchestrator_service_server::OrchestratorService;
use gearmesh_api::tool::v1::Json;
use gearmesh_runtime::{Call, CallOf, Context};
use gearmesh_store::{Journal, ListRuns, RunIds, parse_run, run_text};
use gearmesh_workflow::{Diagnostic, Dialect, Source, check, plan};

use crate::config::Config;
use crate::error::Error;
use crate::render;
use crate::run::{Runs, Standing, Start, Watch, resume};

/// Runs of a page when the caller names no number, and at most.
const PAGE_DEFAULT: i32 = 50;
const PAGE_MAX: i32 = 200;

/// Events that wait for a slow watcher before the journal waits no more for it:
/// it reads on from the store's rows in memory, so this bounds only the channel.
const WATCH_BUFFER: usize = 64;

#[derive(Debug)]
pub(crate) struct Rpc {
    config: Config,
    runs: Runs,
    ids: RunIds,
}

impl Rpc {
    /// Opens the journal and takes up the runs that had not ended.
    pub(crate) async fn open(cx: Context, config: Config) -> Result<Self, Error> {
        let store = cx.store().await?.clone();
        let spawner = cx.clone();
        let journal = Journal::open(store, move |task| {
            spawner.serve(task);
        })
        .await?;
        let newest = journal
            .list(&ListRuns {
                limit: 1,
                ..ListRuns::default()
            })
            .await?;
        let runs = Runs::new(cx.clone(), journal);
        let open = runs.journal().open_runs().await?;
        cx.spawn(resume(runs.clone(), open));
        cx.spawn(forget_requests(runs.clone()));
        Ok(Self {
            config,
            runs,
            ids: RunIds::after(newest.first().map(|r| r.run)),
        })
    }

    async fn shown(&self, run: &str) -> Result<api::Run, Error> {
        match self.runs.standing(run).await? {
            Standing::Ended(state) => Ok(render::run(&state, self.runs.context().clock().now_ms())),
            Standing::Live(live) => match live.show().await {
                Some(run) => Ok(run),
                // It ended between the question and the answer.
                None => match self.runs.standing(run).await? {
                    Standing::Ended(state) => {
                        Ok(render::run(&state, self.runs.context().clock().now_ms()))
                    }
                    Standing::Live(_) => Err(Error::Stopping),
                },
            },
        }
    }
}

/// How long a request key answers its run.
const REQUEST_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Wait between two sweeps, and keys forgotten in one.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
const SWEEP_MAX: u32 = 500;

/// Forgets request keys whose time is over, in small batches off the hot path.
async fn forget_requests(runs: Runs) {
    let cx = runs.context().clone();
    loop {
        tokio::select! {
            () = cx.shutdown().cancelled() => return,
            () = cx.clock().sleep(SWEEP_EVERY) => {}
        }
        let kept = i64::try_from(REQUEST_KEPT.as_millis()).unwrap_or(i64::MAX);
        let before = cx.clock().now_ms() - kept;
        if let Err(error) = runs.journal().purge_requests(before, SWEEP_MAX).await {
            tracing::warn!(%error, "old request keys not forgotten");
        }
    }
}

type Events = Pin<Box<dyn Stream<Item = Result<api::WatchRunResponse, Status>> + Send>>;

#[tonic::async_trait]
impl OrchestratorService for Rpc {
    type WatchRunStream = Events;

    async fn start_run(
        &self,
        request: Request<api::StartRunRequest>,
    ) -> Result<Response<api::StartRunResponse>, Status> {
        let Call {
            key,
            principal,
            scopes,
            ..
        } = request.call();
        let request = request.into_inner();
        let start = Start {
            dialect: dialect(&request.dialect),
            inputs: inputs(request.inputs),
            source: request.source,
            file_name: request.file_name,
            folder: self.config.admitted(request.folder),
            key,
            principal,
            scopes,
        };
        let run = start.begin(&self.runs, &self.ids).await?;
        Ok(Response::new(api::StartRunResponse {
            run: Some(self.shown(&run).await?),
        }))
    }

    async fn watch_run(
        &self,
        request: Request<api::WatchRunRequest>,
    ) -> Result<Response<Events>, Status> {
        let request = request.into_inner();
        let after = match request.after.as_str() {
            "" => 0,
            text => text
                .parse::<u32>()
                .map_err(|_| Error::Cursor(text.to_owned()))?,
        };
        let (sender, receiver) = tokio::sync::mpsc::channel(WATCH_BUFFER);
        let watch = Watch::open(self.runs.clone(), &request.run_id, after).await?;
        self.runs.context().spawn(watch.send_to(sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn get_run(
        &self,
        request: Request<api::GetRunRequest>,
    ) -> Result<Response<api::GetRunResponse>, Status> {
        let run = self.shown(&request.into_inner().run_id).await?;
        Ok(Response::new(api::GetRunResponse { run: Some(run) }))
    }

    async fn list_runs(
        &self,
        request: Request<api::ListRunsRequest>,
    ) -> Result<Response<api::ListRunsResponse>, Status> {
        let request = request.into_inner();
        let size = match request.page_size {
            0 => PAGE_DEFAULT,
            n => n.clamp(1, PAGE_MAX),
        };
        let before = match request.page_token.as_str() {
            "" => None,
            token => Some(parse_run(token).ok_or_else(|| Error::PageToken(token.to_owned()))?),
        };
        let text = |text: String| (!text.is_empty()).then_some(text);
        let filter = ListRuns {
            workflow: text(request.workflow),
            status: text(request.status),
            before,
            limit: u32::try_from(size + 1).unwrap_or(1),
        };
        let mut rows = self
            .runs
            .journal()
            .list(&filter)
            .await
            .map_err(Error::from)?;
        let more = rows.len() > size as usize;
        rows.truncate(size as usize);
        let next_page_token = rows
            .last()
            .filter(|_| more)
            .map(|r| run_text(r.run))
            .unwrap_or_default();
        let now = self.runs.context().clock().now_ms();
        let runs = rows
            .into_iter()
            .map(|row| api::RunSummary {
                run_id: run_text(row.run),
                workflow: row.workflow,
                version: row.version,
                status: row.status,
                start_time: Some(render::timestamp(row.created_at_ms)),
                end_time: row.ended_at_ms.map(render::timestamp),
                duration: Some(render::duration(
                    row.ended_at_ms.unwrap_or(now) - row.created_at_ms,
                )),
            })
            .collect();
        Ok(Response::new(api::ListRunsResponse {
            runs,
            next_page_token,
        }))
    }

    async fn cancel_run(
        &self,
        request: Request<api::CancelRunRequest>,
    ) -> Result<Response<api::CancelRunResponse>, Status> {
        let run_id = request.into_inner().run_id;
        let status = match self.runs.settled(&run_id).await? {
            Standing::Live(live) if live.cancel().await => "cancelling".to_owned(),
            _ => match self.runs.settled(&run_id).await? {
                Standing::Ended(state) if state.ended() => state.phase.as_str().to_owned(),
                _ => return Err(Error::Stopping.into()),
            },
        };
        Ok(Response::new(api::CancelRunResponse { run_id, status }))
    }

    async fn execute(
        &self,
        request: Request<api::ExecuteRequest>,
    ) -> Result<Response<api::ExecuteResponse>, Status> {
        let Call {
            key,
            principal,
            scopes,
            ..
        } = request.call();
        let request = request.into_inner();
        let has_tasks = !request.tasks.is_empty() || request.config.is_some();
        if has_tasks != request.source.is_empty() {
            return if has_tasks {
                Err(Error::NothingToRun.into())
            } else {
                self.nothing()
            };
        }
        let (source, named) = if has_tasks {
            (
                oktyv_source(&request.tasks, request.config.as_ref()),
                Some(Dialect::Oktyv),
            )
        } else {
            (request.source, None)
        };
        let catalog = self.runs.context().catalog();
        let dialect = named.unwrap_or_else(|| {
            let source = Source {
                text: &source,
                file_name: &request.file_name,
                dialect: None,
            };
            check(&source, Some(&catalog)).dialect
        });
        let start = Start {
            source,
            file_name: request.file_name,
            dialect: Some(dialect),
            inputs: inputs(request.inputs),
            folder: self.config.admitted(request.folder),
            key,
            principal,
            scopes,
        };
        let run = match start.begin(&self.runs, &self.ids).await {
            Err(Error::Invalid(faults)) if dialect == Dialect::Oktyv => {
                let first = faults.first();
                let code = first.map_or("INVALID_PARAMETERS", |d| d.code);
                let message = first.map_or("", |d| d.message.as_str());
                return Ok(Response::new(render::refused(code, message)));
            }
            started => started?,
        };
        let state = self.runs.wait(&run).await?;
        Ok(Response::new(render::executed(
            &state,
            self.runs.context().clock().now_ms(),
        )))
    }

    async fn validate(
        &self,
        request: Request<api::ValidateRequest>,
    ) -> Result<Response<api::ValidateResponse>, Status> {
        let request = request.into_inner();
        let source = Source {
            text: &request.source,
            file_name: &request.file_name,
            dialect: dialect(&request.dialect),
        };
        let checked = check(&source, Some(&self.runs.context().catalog()));
        let workflow = checked.workflow.as_ref();
        Ok(Response::new(api::ValidateResponse {
            valid: checked.errors.is_empty(),
            dialect: match checked.dialect {
                Dialect::Native => "native".to_owned(),
                Dialect::Oktyv => "oktyv".to_owned(),
            },
            workflow: workflow.map(|w| w.name.clone()).unwrap_or_default(),
            tasks: workflow.map_or(0, |w| u32::try_from(w.tasks.len()).unwrap_or(u32::MAX)),
            errors: checked.errors.into_iter().map(diagnostic).collect(),
            warnings: checked.warnings.into_iter().map(diagnostic).collect(),
        }))
    }

    async fn plan(
        &self,
        request: Request<api::PlanRequest>,
    ) -> Result<Response<api::PlanResponse>, Status> {
        let request = request.into_inner();
        let source = Source {
            text: &request.source,
            file_name: &request.file_name,
            dialect: dialect(&request.dialect),
        };
        let catalog = self.runs.context().catalog();
        let checked = check(&source, Some(&catalog));
        let valid = checked.errors.is_empty();
        let Some(workflow) = checked.workflow.filter(|_| valid) else {
            return Ok(Response::new(api::PlanResponse {
                errors: checked.errors.into_iter().map(diagnostic).collect(),
                ..api::PlanResponse::default()
            }));
        };
        let planned = plan(&workflow, &catalog);
        let dag = json!({"levels": planned.levels, "edges": planned.edges.iter().map(|e| json!({"from": e.from, "to": e.to, "reason": e.reason})).collect::<Vec<_>>()});
        Ok(Response::new(api::PlanResponse {
            valid: true,
            workflow: workflow.name.clone(),
            dag: Some(render::to_json(&dag)),
            tasks: planned
                .tasks
                .into_iter()
                .map(|t| api::PlannedTask {
                    id: t.id,
                    kind: t.kind.to_owned(),
                    tool: t.tool.unwrap_or_default(),
                    effect: t.effect.map(|e| e.as_str().to_owned()).unwrap_or_default(),
                    keyed: t.keyed.map(|k| k.as_str().to_owned()).unwrap_or_default(),
                    level: u32::try_from(t.level).unwrap_or(u32::MAX),
                    dynamic: t.dynamic,
                })
                .collect(),
            critical_path: planned.critical_path,
            errors: Vec::new(),
        }))
    }
}

impl Rpc {
    /// An empty list of tasks is answered as Oktyv answers it.
    #[expect(clippy::unused_self, reason = "reads as the other answers do")]
    fn nothing(&self) -> Result<Response<api::ExecuteResponse>, Status> {
        let answer = render::refused("INVALID_PARAMETERS", "At least one task is required");
        Ok(Response::new(answer))
    }
}

fn dialect(text: &str) -> Option<Dialect> {
    match text {
        "native" => Some(Dialect::Native),
        "oktyv" => Some(Dialect::Oktyv),
        _ => None,
    }
}

fn inputs(given: std::collections::HashMap<String, Json>) -> Map<String, Value> {
    given
        .into_iter()
        .map(|(name, value)| (name, from_json(&value)))
        .collect()
}

fn from_json(value: &Json) -> Value {
    serde_json::from_slice(&value.text).unwrap_or_default()
}

fn oktyv_source(tasks: &[Json], config: Option<&Json>) -> String {
    let mut document = Map::new();
    document.insert("tasks".into(), tasks.iter().map(from_json).collect());
    if let Some(config) = config {
        document.insert("config".into(), from_json(config));
    }
    Value::Object(document).to_string()
}

fn diagnostic(d: Diagnostic) -> api::Diagnostic {
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    api::Diagnostic {
        code: d.code.to_owned(),
        message: d.message,
        file: d.location.file,
        line: small(d.location.line),
        column: small(d.location.column),
        length: small(d.location.length),
        hints: d.hints,
        edits: d
            .edits
            .into_iter()
            .map(|e| api::Edit {
                start: small(e.start),
                end: small(e.end),
                text: e.text,
            })
            .collect(),
    }
}
