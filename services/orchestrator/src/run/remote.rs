//! What a run needs of runs that another instance drives.

use tonic::Status;

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::tool::v1::Json;
use gearmesh_link::Link;
use gearmesh_store::Shard;

use crate::error::Error;
use crate::forward::{Others, Place};
use crate::run::runs::Runs;
use crate::run::start::{From, Start};

/// The owner of a shard, when that is another instance.
fn owner(runs: &Runs, shard: Shard) -> Result<OrchestratorServiceClient<Link>, Error> {
    let place = runs.others().and_then(|others| others.owner(shard));
    match place {
        Some(Place::There(link)) => Ok(OrchestratorServiceClient::new(link)
            .max_decoding_message_size(gearmesh_api::MESSAGE_MAX)),
        // Ours by now, or nobody's for the moment.
        _ => Err(Error::Elsewhere(shard)),
    }
}

/// Starts the run of a sub-workflow where its concurrency key is.
pub(super) async fn start(runs: &Runs, shard: Shard, start: &Start) -> Result<String, Error> {
    let (From::Stored { name, version }, Some(above)) = (&start.from, &start.above) else {
        return Err(Error::Elsewhere(shard));
    };
    let request = api::StartChildRequest {
        workflow: name.clone(),
        version: *version,
        inputs: Some(Json {
            text: serde_json::Value::Object(start.inputs.clone())
                .to_string()
                .into(),
        }),
        folder: start.folder.clone(),
        principal: above.principal.clone(),
        scopes: start.scopes.clone(),
        request_id: start.key.clone().unwrap_or_default(),
        mock: start.mock,
        parent_run: above.parent.run.clone(),
        parent_task: above.parent.task.clone(),
        path: above.parent.path.clone(),
        item: above.parent.item,
        depth: above.parent.depth,
        pinned: above.pinned.clone(),
        inherited: above.inherited.clone(),
    };
    let answer = owner(runs, shard)?.start_child(request).await;
    Ok(answer.map_err(Error::remote)?.into_inner().run_id)
}

/// Ends a run of another instance.
pub(super) async fn cancel(runs: &Runs, shard: Shard, run: &str) -> Result<String, Error> {
    let request = api::CancelRunRequest {
        run_id: run.to_owned(),
        ..api::CancelRunRequest::default()
    };
    let answer = owner(runs, shard)?.cancel_run(request).await;
    Ok(answer.map_err(Error::remote)?.into_inner().status)
}

/// What the other instances answer to the same question, each for itself.
pub(crate) async fn each<T, F>(
    others: &Others,
    ask: impl Fn(OrchestratorServiceClient<Link>) -> F,
) -> Result<Vec<T>, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut answers = Vec::new();
    for link in others.all() {
        let client = OrchestratorServiceClient::new(link)
            .max_decoding_message_size(gearmesh_api::MESSAGE_MAX);
        answers.push(ask(client).await?);
    }
    Ok(answers)
}
