//! Results that are kept under names, and those too large for a document.

use futures::stream;
use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;

use super::words::page_size;
use super::{Events, Rpc};
use crate::artifact::{Artifact, Place, content, places};
use crate::error::Error;

/// Bytes of one piece: a small part of the largest message.
const PIECE: usize = 256 * 1024;

pub(super) async fn list_artifacts(
    rpc: &Rpc,
    request: Request<api::ListArtifactsRequest>,
) -> Result<api::ListArtifactsResponse, Status> {
    let request = request.into_inner();
    let size = page_size(request.page_size);
    let all = rpc.runs.look(&request.run_id, places).await?;
    let mut page = all.into_iter().filter(|p| p.name > request.page_token);
    let mut artifacts = Vec::new();
    for place in page.by_ref().take(size) {
        artifacts.push(read(rpc, &request.run_id, place).await?.shown);
    }
    let last = artifacts.last().filter(|_| page.next().is_some());
    Ok(api::ListArtifactsResponse {
        next_page_token: last.map(|a| a.name.clone()).unwrap_or_default(),
        artifacts,
    })
}

/// Reads one result. The run only hands it out: what takes time is done here.
async fn read(rpc: &Rpc, run: &str, place: Place) -> Result<Artifact, Error> {
    let name = place.name.clone();
    let found = rpc.runs.look(run, move |state| content(state, &place));
    let Some((task, result)) = found.await? else {
        let run = run.to_owned();
        return Err(Error::ArtifactNotFound { run, name });
    };
    let run = run.to_owned();
    let made = move || Artifact::new(&run, &name, task, &result);
    (tokio::task::spawn_blocking(made).await).map_err(|_| Error::Stopping)
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
    let all = rpc.runs.look(&run_id, places).await?;
    let Some(place) = all.into_iter().find(|place| place.name == name) else {
        return Err(Error::ArtifactNotFound { run: run_id, name }.into());
    };
    let Artifact { shown, bytes } = read(rpc, &run_id, place).await?;
    let (start, rest) = behind(&bytes, &after).ok_or(Error::ArtifactCursor {
        after,
        name,
        bytes: bytes.len(),
    })?;
    let piece = |(n, data): (usize, &[u8])| api::GetArtifactResponse {
        data: bytes.slice_ref(data),
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

/// The bytes behind a cursor, and where they begin; none for what is no cursor of them.
fn behind<'b>(bytes: &'b [u8], after: &str) -> Option<(usize, &'b [u8])> {
    let start = match after {
        "" => 0,
        text => text.parse().ok()?,
    };
    Some((start, bytes.get(start..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_is_a_place_in_the_bytes() {
        for (after, expected) in [
            ("", Some((0, &b"abc"[..]))),
            ("0", Some((0, b"abc"))),
            ("2", Some((2, b"c"))),
            ("3", Some((3, b""))),
            ("4", None),
            ("x", None),
            ("-1", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(behind(b"abc", after), expected, "{after}");
        }
    }
}
