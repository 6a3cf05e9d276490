//! Results that are kept under names, and those too large for a document.

use futures::stream;
use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;

use super::words::page_size;
use super::{Events, Rpc};
use crate::artifact::{Artifact, artifacts};
use crate::error::Error;

/// Bytes of one piece: a small part of the largest message.
const PIECE: usize = 256 * 1024;

pub(super) async fn list_artifacts(
    rpc: &Rpc,
    request: Request<api::ListArtifactsRequest>,
) -> Result<api::ListArtifactsResponse, Status> {
    let request = request.into_inner();
    let size = page_size(request.page_size);
    let all = rpc.runs.look(&request.run_id, artifacts).await?;
    let mut page: Vec<api::Artifact> = (all.into_iter().map(|a| a.shown))
        .filter(|a| a.name > request.page_token)
        .take(size + 1)
        .collect();
    let more = page.len() > size;
    page.truncate(size);
    let last = page.last().filter(|_| more);
    Ok(api::ListArtifactsResponse {
        next_page_token: last.map(|a| a.name.clone()).unwrap_or_default(),
        artifacts: page,
    })
}

pub(super) async fn get(
    rpc: &Rpc,
    request: api::GetArtifactRequest,
) -> Result<Events<api::GetArtifactResponse>, Status> {
    let api::GetArtifactRequest {
        run_id,
        name,
        after,
    } = request;
    let all = rpc.runs.look(&run_id, artifacts).await?;
    let found = all.into_iter().find(|a| a.shown.name == name);
    let Some(Artifact { shown, bytes }) = found else {
        return Err(Error::ArtifactNotFound { run: run_id, name }.into());
    };
    let start = after.parse().unwrap_or(0);
    let Some(rest) = bytes.get(start..) else {
        return Err(Error::Cursor(after).into());
    };
    let piece = |(n, data): (usize, &[u8])| api::GetArtifactResponse {
        data: data.to_vec().into(),
        cursor: (start + n * PIECE + data.len()).to_string(),
        ..api::GetArtifactResponse::default()
    };
    let mut pieces: Vec<_> = rest.chunks(PIECE).enumerate().map(piece).collect();
    if pieces.is_empty() {
        pieces.push(piece((0, &[])));
    }
    if let Some(first) = pieces.first_mut() {
        first.mime.clone_from(&shown.mime);
        first.artifact = Some(shown);
    }
    Ok(Box::pin(stream::iter(pieces.into_iter().map(Ok))))
}
