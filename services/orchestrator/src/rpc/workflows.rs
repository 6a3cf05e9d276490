//! Stored workflows.

use prost::Message;
use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_runtime::{CallOf, Keyed};
use gearmesh_store::workflow::{Page, State};

use super::Rpc;
use super::words::{diagnostic, page_size, text};
use crate::error::Error;
use crate::render;
use crate::stored::{self, Creation, New, Outcome, Shown, Summary, Update};

pub(super) async fn create_workflow(
    rpc: &Rpc,
    request: Request<api::CreateWorkflowRequest>,
) -> Result<api::CreateWorkflowResponse, Status> {
    let keyed = Keyed::of(&request);
    let author = request.call().principal;
    let request = request.into_inner();
    let new = New {
        source: request.source,
        file_name: request.file_name,
        comment: request.comment,
        author,
        dry_run: request.dry_run,
    };
    let creation = Creation::prepare(&rpc.runs, new).await?;
    let Outcome {
        shown, warnings, ..
    } = &creation.outcome;
    let response = api::CreateWorkflowResponse {
        workflow: Some(workflow(shown.clone())),
        warnings: warnings.iter().cloned().map(diagnostic).collect(),
    };
    let reply = response.encode_to_vec().into();
    Ok(match creation.store(&rpc.runs, keyed, reply).await? {
        None => response,
        Some(first) => api::CreateWorkflowResponse::decode(first).map_err(Error::from)?,
    })
}

pub(super) async fn update_workflow(
    rpc: &Rpc,
    request: Request<api::UpdateWorkflowRequest>,
) -> Result<api::UpdateWorkflowResponse, Status> {
    let author = request.call().principal;
    let mut request = request.into_inner();
    let mask = request.update_mask.take().unwrap_or_default().paths;
    let known = ["source", "file_name", "comment"];
    if let Some(other) = mask.iter().find(|path| !known.contains(&path.as_str())) {
        let text =
            format!("`updateMask` names `{other}`; a change has source, fileName and comment");
        return Err(Error::Parameters(text).into());
    }
    if !mask.is_empty() && !mask.iter().any(|path| path == "comment") {
        request.comment = String::new();
    }
    let update = Update {
        workflow: request.workflow,
        etag: text(request.etag),
        new: New {
            source: request.source,
            file_name: request.file_name,
            comment: request.comment,
            author,
            dry_run: request.dry_run,
        },
    };
    let outcome = stored::update(&rpc.runs, update).await?;
    Ok(api::UpdateWorkflowResponse {
        workflow: Some(workflow(outcome.shown)),
        warnings: outcome.warnings.into_iter().map(diagnostic).collect(),
        unchanged: outcome.unchanged,
    })
}

pub(super) async fn get_workflow(
    rpc: &Rpc,
    request: Request<api::GetWorkflowRequest>,
) -> Result<api::GetWorkflowResponse, Status> {
    let request = request.into_inner();
    let shown = stored::one(&rpc.runs, &request.workflow, request.version).await?;
    Ok(api::GetWorkflowResponse {
        workflow: Some(workflow(shown)),
    })
}

pub(super) async fn list_workflows(
    rpc: &Rpc,
    request: Request<api::ListWorkflowsRequest>,
) -> Result<api::ListWorkflowsResponse, Status> {
    let request = request.into_inner();
    let limit = limit(request.page_size);
    let query = text(request.query);
    let after = text(request.page_token);
    if let Some(token) = after.as_ref().filter(|token| !is_token(token)) {
        return Err(Error::PageToken(token.clone()).into());
    }
    let state = State::from_name(&request.state);
    let page = stored::list(&rpc.runs, state, query, after, limit).await?;
    let next_page_token = next(&page, |shown| shown.head.name.clone());
    Ok(api::ListWorkflowsResponse {
        workflows: page.entries.into_iter().map(workflow).collect(),
        next_page_token,
    })
}

pub(super) async fn list_workflow_versions(
    rpc: &Rpc,
    request: Request<api::ListWorkflowVersionsRequest>,
) -> Result<api::ListWorkflowVersionsResponse, Status> {
    let request = request.into_inner();
    let limit = limit(request.page_size);
    let before = text(request.page_token)
        .map(|token| token.parse().map_err(|_| Error::PageToken(token)))
        .transpose()?;
    let page = stored::versions(&rpc.runs, &request.workflow, before, limit).await?;
    let next_page_token = next(&page, |shown| shown.version.version.to_string());
    Ok(api::ListWorkflowVersionsResponse {
        versions: page.entries.into_iter().map(workflow).collect(),
        next_page_token,
    })
}

pub(super) async fn diff_workflow(
    rpc: &Rpc,
    request: Request<api::DiffWorkflowRequest>,
) -> Result<api::DiffWorkflowResponse, Status> {
    let request = request.into_inner();
    let diff = stored::diff(
        &rpc.runs,
        &request.workflow,
        request.from,
        request.to,
        text(request.source),
    )
    .await?;
    Ok(api::DiffWorkflowResponse {
        from: diff.from,
        to: diff.to,
        unified: diff.unified,
        added: diff.added,
        removed: diff.removed,
        changed: diff.changed,
    })
}

pub(super) async fn rollback_workflow(
    rpc: &Rpc,
    request: Request<api::RollbackWorkflowRequest>,
) -> Result<api::RollbackWorkflowResponse, Status> {
    let author = request.call().principal;
    let request = request.into_inner();
    let shown = stored::rollback(&rpc.runs, &request.workflow, request.version, author).await?;
    Ok(api::RollbackWorkflowResponse {
        workflow: Some(workflow(shown)),
    })
}

pub(super) async fn enable_workflow(
    rpc: &Rpc,
    request: Request<api::EnableWorkflowRequest>,
) -> Result<api::EnableWorkflowResponse, Status> {
    let name = request.into_inner().workflow;
    let from = [State::Disabled];
    let (shown, _) = stored::set_state(&rpc.runs, &name, State::Enabled, &from).await?;
    Ok(api::EnableWorkflowResponse {
        workflow: Some(workflow(shown)),
    })
}

pub(super) async fn disable_workflow(
    rpc: &Rpc,
    request: Request<api::DisableWorkflowRequest>,
) -> Result<api::DisableWorkflowResponse, Status> {
    let name = request.into_inner().workflow;
    let from = [State::Enabled];
    let (shown, _) = stored::set_state(&rpc.runs, &name, State::Disabled, &from).await?;
    Ok(api::DisableWorkflowResponse {
        workflow: Some(workflow(shown)),
    })
}

pub(super) async fn delete_workflow(
    rpc: &Rpc,
    request: Request<api::DeleteWorkflowRequest>,
) -> Result<api::DeleteWorkflowResponse, Status> {
    let name = request.into_inner().workflow;
    let from = [State::Enabled, State::Disabled];
    let (_, deleted) = stored::set_state(&rpc.runs, &name, State::Deleted, &from).await?;
    Ok(api::DeleteWorkflowResponse { deleted })
}

pub(super) async fn restore_workflow(
    rpc: &Rpc,
    request: Request<api::RestoreWorkflowRequest>,
) -> Result<api::RestoreWorkflowResponse, Status> {
    let name = request.into_inner().workflow;
    let from = [State::Deleted];
    let (shown, _) = stored::set_state(&rpc.runs, &name, State::Disabled, &from).await?;
    Ok(api::RestoreWorkflowResponse {
        workflow: Some(workflow(shown)),
    })
}

/// Whether a text may be the token of a page of workflows: the name of its last one.
fn is_token(token: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    token.bytes().all(fits)
}

fn limit(asked: i32) -> u32 {
    u32::try_from(page_size(asked)).unwrap_or(1)
}

/// Where the next page begins; empty: there is none.
fn next(page: &Page<Shown>, token: impl Fn(&Shown) -> String) -> String {
    let last = page.entries.last().filter(|_| page.more);
    last.map(token).unwrap_or_default()
}

fn workflow(shown: Shown) -> api::StoredWorkflow {
    let Shown { head, version } = shown;
    let summary = Summary::of(&version);
    api::StoredWorkflow {
        name: head.name,
        version: version.version,
        newest: head.newest,
        state: head.state.as_str().to_owned(),
        title: version.title,
        description: summary.description,
        labels: summary.labels.into_iter().collect(),
        source: version.source,
        file_name: version.file_name,
        inputs: Some(render::to_json(&summary.inputs)),
        triggers: summary.triggers.iter().map(render::to_json).collect(),
        tasks: summary.tasks,
        create_time: Some(render::timestamp(version.created_at_ms)),
        author: version.author,
        comment: version.comment,
        etag: head.etag,
        dialect: version.dialect,
    }
}
