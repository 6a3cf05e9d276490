//! Translates between the protocol and the runs; no decisions here.

mod again;
mod approvals;
mod artifacts;
mod check;
mod control;
mod retry;
mod runs;
mod secrets;
mod start;
mod sweep;
mod tests;
mod words;
mod workflows;

use std::pin::Pin;

use futures::Stream;
use tonic::{Request, Response, Status};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_api::orchestrator::v1::orchestrator_service_server::OrchestratorService;
use gearmesh_runtime::Context;
use gearmesh_store::{Base, Journal, Owned, PgStore, RunIds, Store};

use crate::config::Config;
use crate::error::Error;
use crate::forward::Others;
use crate::run::{ALONE, Runs, Shards, keep, keeper, take_up_these};

/// Entries of a page when the caller names no number, and at most.
const PAGE_DEFAULT: i32 = 50;
const PAGE_MAX: i32 = 200;

#[derive(Debug)]
pub(crate) struct Rpc {
    config: Config,
    runs: Runs,
}

impl Rpc {
    /// Opens the journal and takes up the runs that had not ended.
    pub(crate) async fn open(cx: Context, config: Config) -> Result<Self, Error> {
        let runs = match cx.base().await?.clone() {
            Base::Sqlite(store) => alone(&cx, store).await?,
            Base::Postgres(store) => shared(&cx, store).await?,
        };
        cx.spawn(sweep::sweep(runs.clone()));
        cx.spawn(crate::seal_sweep::sweep(runs.clone()));
        Ok(Self { config, runs })
    }

    /// Who else shares the store.
    pub(crate) fn others(&self) -> Option<Others> {
        self.runs.others().cloned()
    }
}

/// Runs of a process that has its store for itself.
async fn alone(cx: &Context, store: Store) -> Result<Runs, Error> {
    let journal = Journal::open(store, spawner(cx)).await?;
    let ids = RunIds::after(journal.last_run().await?);
    let open = journal.open_runs().await?;
    let runs = Runs::new(cx.clone(), journal, ids, Shards::alone(cx), None);
    cx.spawn(take_up_these(runs.clone(), vec![ALONE], open));
    Ok(runs)
}

/// Runs of one of the processes that share a store.
async fn shared(cx: &Context, store: PgStore) -> Result<Runs, Error> {
    let owned = Owned::none();
    let journal = Journal::open_owning(store.clone(), owned.clone(), spawner(cx)).await?;
    let ids = RunIds::after(journal.last_run().await?);
    let (keeper, me) = keeper(cx, store, owned);
    let others = Others::new(cx.clone(), keeper.owners(), me);
    let runs = Runs::new(cx.clone(), journal, ids, Shards::shared(cx), Some(others));
    // Drain waits for it: it hands over what it has.
    cx.spawn(keep(runs.clone(), keeper));
    Ok(runs)
}

fn spawner(cx: &Context) -> impl FnOnce(futures::future::BoxFuture<'static, ()>) + use<> {
    let cx = cx.clone();
    move |task| {
        cx.serve(task);
    }
}

type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl OrchestratorService for Rpc {
    type WatchRunStream = Events<api::WatchRunResponse>;
    type GetArtifactStream = Events<api::GetArtifactResponse>;

    async fn watch_run(
        &self,
        request: Request<api::WatchRunRequest>,
    ) -> Result<Response<Self::WatchRunStream>, Status> {
        Ok(Response::new(
            runs::watch(self, request.into_inner()).await?,
        ))
    }

    async fn get_artifact(
        &self,
        request: Request<api::GetArtifactRequest>,
    ) -> Result<Response<Self::GetArtifactStream>, Status> {
        Ok(Response::new(
            artifacts::get(self, request.into_inner()).await?,
        ))
    }

    async fn start_run(
        &self,
        request: Request<api::StartRunRequest>,
    ) -> Result<Response<api::StartRunResponse>, Status> {
        Ok(Response::new(start::start_run(self, request).await?))
    }

    async fn get_run(
        &self,
        request: Request<api::GetRunRequest>,
    ) -> Result<Response<api::GetRunResponse>, Status> {
        Ok(Response::new(runs::get_run(self, request).await?))
    }

    async fn list_runs(
        &self,
        request: Request<api::ListRunsRequest>,
    ) -> Result<Response<api::ListRunsResponse>, Status> {
        Ok(Response::new(runs::list_runs(self, request).await?))
    }

    async fn cancel_run(
        &self,
        request: Request<api::CancelRunRequest>,
    ) -> Result<Response<api::CancelRunResponse>, Status> {
        Ok(Response::new(control::cancel_run(self, request).await?))
    }

    async fn pause_run(
        &self,
        request: Request<api::PauseRunRequest>,
    ) -> Result<Response<api::PauseRunResponse>, Status> {
        Ok(Response::new(control::pause_run(self, request).await?))
    }

    async fn resume_run(
        &self,
        request: Request<api::ResumeRunRequest>,
    ) -> Result<Response<api::ResumeRunResponse>, Status> {
        Ok(Response::new(control::resume_run(self, request).await?))
    }

    async fn decide_task(
        &self,
        request: Request<api::DecideTaskRequest>,
    ) -> Result<Response<api::DecideTaskResponse>, Status> {
        Ok(Response::new(control::decide_task(self, request).await?))
    }

    async fn retry_run(
        &self,
        request: Request<api::RetryRunRequest>,
    ) -> Result<Response<api::RetryRunResponse>, Status> {
        Ok(Response::new(retry::retry_run(self, request).await?))
    }

    async fn why_run(
        &self,
        request: Request<api::WhyRunRequest>,
    ) -> Result<Response<api::WhyRunResponse>, Status> {
        Ok(Response::new(control::why_run(self, request).await?))
    }

    async fn execute(
        &self,
        request: Request<api::ExecuteRequest>,
    ) -> Result<Response<api::ExecuteResponse>, Status> {
        Ok(Response::new(start::execute(self, request).await?))
    }

    async fn validate(
        &self,
        request: Request<api::ValidateRequest>,
    ) -> Result<Response<api::ValidateResponse>, Status> {
        Ok(Response::new(check::validate(self, request).await?))
    }

    async fn plan(
        &self,
        request: Request<api::PlanRequest>,
    ) -> Result<Response<api::PlanResponse>, Status> {
        Ok(Response::new(check::plan(self, request).await?))
    }

    async fn list_artifacts(
        &self,
        request: Request<api::ListArtifactsRequest>,
    ) -> Result<Response<api::ListArtifactsResponse>, Status> {
        Ok(Response::new(
            artifacts::list_artifacts(self, request).await?,
        ))
    }

    async fn list_approvals(
        &self,
        request: Request<api::ListApprovalsRequest>,
    ) -> Result<Response<api::ListApprovalsResponse>, Status> {
        Ok(Response::new(
            approvals::list_approvals(self, request).await?,
        ))
    }

    async fn answer_approval(
        &self,
        request: Request<api::AnswerApprovalRequest>,
    ) -> Result<Response<api::AnswerApprovalResponse>, Status> {
        Ok(Response::new(
            approvals::answer_approval(self, request).await?,
        ))
    }

    async fn create_workflow(
        &self,
        request: Request<api::CreateWorkflowRequest>,
    ) -> Result<Response<api::CreateWorkflowResponse>, Status> {
        Ok(Response::new(
            workflows::create_workflow(self, request).await?,
        ))
    }

    async fn update_workflow(
        &self,
        request: Request<api::UpdateWorkflowRequest>,
    ) -> Result<Response<api::UpdateWorkflowResponse>, Status> {
        Ok(Response::new(
            workflows::update_workflow(self, request).await?,
        ))
    }

    async fn get_workflow(
        &self,
        request: Request<api::GetWorkflowRequest>,
    ) -> Result<Response<api::GetWorkflowResponse>, Status> {
        Ok(Response::new(workflows::get_workflow(self, request).await?))
    }

    async fn list_workflows(
        &self,
        request: Request<api::ListWorkflowsRequest>,
    ) -> Result<Response<api::ListWorkflowsResponse>, Status> {
        Ok(Response::new(
            workflows::list_workflows(self, request).await?,
        ))
    }

    async fn list_workflow_versions(
        &self,
        request: Request<api::ListWorkflowVersionsRequest>,
    ) -> Result<Response<api::ListWorkflowVersionsResponse>, Status> {
        Ok(Response::new(
            workflows::list_workflow_versions(self, request).await?,
        ))
    }

    async fn diff_workflow(
        &self,
        request: Request<api::DiffWorkflowRequest>,
    ) -> Result<Response<api::DiffWorkflowResponse>, Status> {
        Ok(Response::new(
            workflows::diff_workflow(self, request).await?,
        ))
    }

    async fn rollback_workflow(
        &self,
        request: Request<api::RollbackWorkflowRequest>,
    ) -> Result<Response<api::RollbackWorkflowResponse>, Status> {
        Ok(Response::new(
            workflows::rollback_workflow(self, request).await?,
        ))
    }

    async fn enable_workflow(
        &self,
        request: Request<api::EnableWorkflowRequest>,
    ) -> Result<Response<api::EnableWorkflowResponse>, Status> {
        Ok(Response::new(
            workflows::enable_workflow(self, request).await?,
        ))
    }

    async fn disable_workflow(
        &self,
        request: Request<api::DisableWorkflowRequest>,
    ) -> Result<Response<api::DisableWorkflowResponse>, Status> {
        Ok(Response::new(
            workflows::disable_workflow(self, request).await?,
        ))
    }

    async fn delete_workflow(
        &self,
        request: Request<api::DeleteWorkflowRequest>,
    ) -> Result<Response<api::DeleteWorkflowResponse>, Status> {
        Ok(Response::new(
            workflows::delete_workflow(self, request).await?,
        ))
    }

    async fn restore_workflow(
        &self,
        request: Request<api::RestoreWorkflowRequest>,
    ) -> Result<Response<api::RestoreWorkflowResponse>, Status> {
        Ok(Response::new(
            workflows::restore_workflow(self, request).await?,
        ))
    }

    async fn start_child(
        &self,
        request: Request<api::StartChildRequest>,
    ) -> Result<Response<api::StartChildResponse>, Status> {
        Ok(Response::new(start::start_child(self, request).await?))
    }

    async fn test_workflow(
        &self,
        request: Request<api::TestWorkflowRequest>,
    ) -> Result<Response<api::TestWorkflowResponse>, Status> {
        Ok(Response::new(tests::test_workflow(self, request).await?))
    }
}
