//! Checking and planning without a run.

use jiff::Timestamp;
use serde_json::json;
use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_runtime::CallOf;
use gearmesh_workflow::{Source, check, check_at, plan as planned};

use super::words::{diagnostic, dialect};
use super::{Rpc, secrets};
use crate::render;

pub(super) async fn validate(
    rpc: &Rpc,
    request: Request<api::ValidateRequest>,
) -> Result<api::ValidateResponse, Status> {
    let call = request.call();
    let request = request.into_inner();
    let source = Source {
        text: &request.source,
        file_name: &request.file_name,
        dialect: dialect(&request.dialect),
    };
    let cx = rpc.runs.context();
    let now = Timestamp::from_millisecond(cx.clock().now_ms()).unwrap_or_default();
    let mut checked = check_at(&source, Some(&cx.catalog()), now);
    let missing = secrets::missing(rpc, &call, &source).await;
    checked.warnings.extend(missing);
    checked.warnings.sort_by_key(|d| d.location.start);
    let workflow = checked.workflow.as_ref();
    Ok(api::ValidateResponse {
        valid: checked.errors.is_empty(),
        dialect: checked.dialect.as_str().to_owned(),
        workflow: workflow.map(|w| w.name.clone()).unwrap_or_default(),
        tasks: workflow.map_or(0, |w| u32::try_from(w.tasks.len()).unwrap_or(u32::MAX)),
        errors: checked.errors.into_iter().map(diagnostic).collect(),
        warnings: checked.warnings.into_iter().map(diagnostic).collect(),
    })
}

pub(super) async fn plan(
    rpc: &Rpc,
    request: Request<api::PlanRequest>,
) -> Result<api::PlanResponse, Status> {
    let request = request.into_inner();
    let source = Source {
        text: &request.source,
        file_name: &request.file_name,
        dialect: dialect(&request.dialect),
    };
    let catalog = rpc.runs.context().catalog();
    let checked = check(&source, Some(&catalog));
    let valid = checked.errors.is_empty();
    let Some(workflow) = checked.workflow.filter(|_| valid) else {
        return Ok(api::PlanResponse {
            errors: checked.errors.into_iter().map(diagnostic).collect(),
            ..api::PlanResponse::default()
        });
    };
    let planned = planned(&workflow, &catalog);
    let edges = planned.edges.iter();
    let edges: Vec<_> = edges
        .map(|e| json!({"from": e.from, "to": e.to, "reason": e.reason}))
        .collect();
    let dag = json!({"levels": planned.levels, "edges": edges});
    Ok(api::PlanResponse {
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
                within: t.within.unwrap_or_default(),
            })
            .collect(),
        critical_path: planned.critical_path,
        errors: Vec::new(),
    })
}
