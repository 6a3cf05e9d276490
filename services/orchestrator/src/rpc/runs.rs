//! Reading, listing and following runs.

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_store::{ListRuns, parse_run, run_text};

use super::words::{milliseconds, page_size, text};
use super::{Events, Rpc};
use crate::error::Error;
use crate::render;
use crate::run::Watch;

/// Events that wait for a slow watcher before the journal waits no more for it:
/// it reads on from the store's rows in memory, so this bounds only the channel.
const WATCH_BUFFER: usize = 64;

/// How a run stands.
pub(super) async fn shown(rpc: &Rpc, run: &str) -> Result<api::Run, Error> {
    let now = rpc.runs.context().clock().now_ms();
    rpc.runs
        .look(run, move |state| render::run(state, now))
        .await
}

pub(super) async fn get_run(
    rpc: &Rpc,
    request: Request<api::GetRunRequest>,
) -> Result<api::GetRunResponse, Status> {
    let run = shown(rpc, &request.into_inner().run_id).await?;
    Ok(api::GetRunResponse { run: Some(run) })
}

pub(super) async fn watch(
    rpc: &Rpc,
    request: api::WatchRunRequest,
) -> Result<Events<api::WatchRunResponse>, Status> {
    let after = match request.after.as_str() {
        "" => 0,
        text => text
            .parse::<u32>()
            .map_err(|_| Error::Cursor(text.to_owned()))?,
    };
    let (sender, receiver) = tokio::sync::mpsc::channel(WATCH_BUFFER);
    let watch = Watch::open(rpc.runs.clone(), &request.run_id, after).await?;
    rpc.runs.context().spawn(watch.send_to(sender));
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

pub(super) async fn list_runs(
    rpc: &Rpc,
    request: Request<api::ListRunsRequest>,
) -> Result<api::ListRunsResponse, Status> {
    let request = request.into_inner();
    let size = page_size(request.page_size);
    let run = |token: &str| match token {
        "" => Ok(None),
        token => match parse_run(token) {
            Some(run) => Ok(Some(run)),
            None => Err(Error::PageToken(token.to_owned())),
        },
    };
    let filter = ListRuns {
        workflow: text(request.workflow),
        status: text(request.status),
        before: run(&request.page_token)?,
        from_ms: request.start_time.as_ref().map(milliseconds),
        to_ms: request.end_time.as_ref().map(milliseconds),
        principal: text(request.principal),
        parent: run(&request.parent)?,
        limit: u32::try_from(size + 1).unwrap_or(1),
    };
    let listed = rpc.runs.journal().list(&filter).await;
    let mut rows = listed.map_err(Error::from)?;
    let more = rows.len() > size;
    rows.truncate(size);
    let last = rows.last().filter(|_| more);
    let next_page_token = last.map(|r| run_text(r.run)).unwrap_or_default();
    let now = rpc.runs.context().clock().now_ms();
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
    Ok(api::ListRunsResponse {
        runs,
        next_page_token,
    })
}
