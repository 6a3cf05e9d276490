//! Test cases of workflows.

use std::sync::Arc;

use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_runtime::Context;
use gearmesh_workflow::{Document, Source, check};

use super::Rpc;
use crate::error::Error;
use crate::render;
use crate::run::Known;
use crate::simulate::{self, Case, Tested};

/// Documents and calls of one answer, in bytes: it must fit into one message. What is
/// beyond is left out of the last cases; how they went is always told.
const SHOWN_MAX: usize = 12 * 1024 * 1024;

pub(super) async fn test_workflow(
    rpc: &Rpc,
    request: Request<api::TestWorkflowRequest>,
) -> Result<api::TestWorkflowResponse, Status> {
    let request = request.into_inner();
    let cx = rpc.runs.context().clone();
    // A caller that leaves ends the play behind the case that is under way.
    let left = CancellationToken::new();
    let _guard = left.clone().drop_guard();
    let played = tokio::task::spawn_blocking(move || play(&cx, &request, &left));
    Ok(played.await.map_err(|_| Error::Stopping)??)
}

/// Reads both files and plays each case. No I/O, but seconds of work.
fn play(
    cx: &Context,
    request: &api::TestWorkflowRequest,
    left: &CancellationToken,
) -> Result<api::TestWorkflowResponse, Error> {
    let catalog = cx.catalog();
    let source = Source {
        text: &request.source,
        file_name: &request.file_name,
        dialect: None,
    };
    let checked = check(&source, Some(&catalog));
    let Some(workflow) = checked.workflow.filter(|_| checked.errors.is_empty()) else {
        return Err(Error::Invalid(checked.errors));
    };
    let source = Source {
        text: &request.cases,
        file_name: &request.cases_file_name,
        dialect: None,
    };
    let document = Document::read(&source).map_err(|faults| {
        let faults = faults.iter().map(ToString::to_string);
        Error::Test(faults.collect::<Vec<_>>().join("; "))
    })?;
    let cases = simulate::cases(&document, &workflow, &catalog);
    let cases = cases.map_err(|faults| Error::Test(faults.join("; ")))?;
    let meant = |case: &&Case| case.name.contains(&request.only);
    let meant: Vec<&Case> = cases.iter().filter(meant).collect();
    if meant.is_empty() {
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        let (only, names) = (&request.only, names.join("`, `"));
        let text = format!("no case has `{only}` in its name; the cases are `{names}`");
        return Err(Error::Test(text));
    }
    let workflow = Arc::new(workflow);
    let tools = Known {
        catalog: catalog.clone(),
        mesh: cx.mesh(),
        scopes: None,
    };
    let known = simulate::Known {
        tools: &tools,
        catalog: &catalog,
    };
    let mut answer = api::TestWorkflowResponse::default();
    let mut room = SHOWN_MAX;
    for case in meant {
        if left.is_cancelled() || cx.shutdown().is_cancelled() {
            return Err(Error::Stopping);
        }
        let tested = simulate::test(&workflow, known, case);
        match tested.faults.is_empty() {
            true => answer.passed += 1,
            false => answer.failed += 1,
        }
        answer.cases.push(shown(case, tested, &mut room));
    }
    Ok(answer)
}

fn shown(case: &Case, tested: Tested, room: &mut usize) -> api::TestedCase {
    let calls = tested.calls.into_iter().map(|call| api::TestedCall {
        task: call.task,
        tool: call.tool,
        params: Some(render::to_json(&call.params)),
    });
    let mut shown = api::TestedCase {
        name: case.name.clone(),
        passed: tested.faults.is_empty(),
        faults: tested.faults,
        run: (tested.state).map(|state| render::document(&render::run(&state, tested.now_ms))),
        calls: calls.collect(),
    };
    let size = shown.encoded_len();
    if size > *room {
        shown.run = None;
        shown.calls = Vec::new();
    } else {
        *room -= size;
    }
    shown
}
