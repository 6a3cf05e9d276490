//! Results that are kept under names, and those too large for a document.

use futures::stream;
use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;

use super::{Events, Rpc};
use crate::artifact::{Artifact, artifacts};
use crate::error::Error;

/// Bytes of one piece: a small part of the largest message.
const PIECE: usize = 256 * 1024;

pub(super) async fn list_artifacts(
    rpc: &Rpc,
    request: Request<api::ListArtifactsRequest>,
) -> Result<api::ListArtifactsResponse, Status> {
    let run = request.into_inner().run_id;
    let all = rpc.runs.look(&run, artifacts).await?;
    Ok(api::ListArtifactsResponse {
        artifacts: all.into_iter().map(|a| a.shown).collect(),
    })
}

pub(super) async fn get(
    rpc: &Rpc,
    request: api::GetArtifactRequest,
) -> Result<Events<api::GetArtifactResponse>, Status> {
    let api::GetArtifactRequest { run_id, name } = request;
    let all = rpc.runs.look(&run_id, artifacts).await?;
    let found = all.into_iter().find(|a| a.shown.name == name);
    let Some(Artifact { shown, bytes }) = found else {
        return Err(Error::ArtifactNotFound { run: run_id, name }.into());
    };
    let mut pieces: Vec<Result<api::GetArtifactResponse, Status>> = bytes
        .chunks(PIECE)
        .map(|data| {
            Ok(api::GetArtifactResponse {
                data: data.to_vec().into(),
                ..api::GetArtifactResponse::default()
            })
        })
        .collect();
    if pieces.is_empty() {
        pieces.push(Ok(api::GetArtifactResponse::default()));
    }
    if let Some(Ok(first)) = pieces.first_mut() {
        first.mime.clone_from(&shown.mime);
        first.artifact = Some(shown);
    }
    Ok(Box::pin(stream::iter(pieces)))
}
