//! Stored workflows.

use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;

use super::Rpc;

pub(super) async fn create_workflow(
    _rpc: &Rpc,
    _request: Request<api::CreateWorkflowRequest>,
) -> Result<api::CreateWorkflowResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn update_workflow(
    _rpc: &Rpc,
    _request: Request<api::UpdateWorkflowRequest>,
) -> Result<api::UpdateWorkflowResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn get_workflow(
    _rpc: &Rpc,
    _request: Request<api::GetWorkflowRequest>,
) -> Result<api::GetWorkflowResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn list_workflows(
    _rpc: &Rpc,
    _request: Request<api::ListWorkflowsRequest>,
) -> Result<api::ListWorkflowsResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn list_workflow_versions(
    _rpc: &Rpc,
    _request: Request<api::ListWorkflowVersionsRequest>,
) -> Result<api::ListWorkflowVersionsResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn diff_workflow(
    _rpc: &Rpc,
    _request: Request<api::DiffWorkflowRequest>,
) -> Result<api::DiffWorkflowResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn rollback_workflow(
    _rpc: &Rpc,
    _request: Request<api::RollbackWorkflowRequest>,
) -> Result<api::RollbackWorkflowResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn enable_workflow(
    _rpc: &Rpc,
    _request: Request<api::EnableWorkflowRequest>,
) -> Result<api::EnableWorkflowResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn disable_workflow(
    _rpc: &Rpc,
    _request: Request<api::DisableWorkflowRequest>,
) -> Result<api::DisableWorkflowResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn delete_workflow(
    _rpc: &Rpc,
    _request: Request<api::DeleteWorkflowRequest>,
) -> Result<api::DeleteWorkflowResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}

pub(super) async fn restore_workflow(
    _rpc: &Rpc,
    _request: Request<api::RestoreWorkflowRequest>,
) -> Result<api::RestoreWorkflowResponse, Status> {
    Err(Status::unimplemented("not built yet"))
}
