//! Shutting a key, and learning what happened under it.

use std::time::Duration;

use prost_reflect::DynamicMessage;
use serde_json::Value;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};

use gearmesh_api::ledger::v1::ledger_service_client::LedgerServiceClient;
use gearmesh_api::ledger::v1::{FenceRequest, FenceState};
use gearmesh_catalog::{Tool, json};
use gearmesh_link::names;
use gearmesh_runtime::Context;

use crate::plan::Dispatch;

/// How long an engine that does not answer is asked again: a restart takes less.
const PATIENCE: Duration = Duration::from_secs(10);

/// First wait between two questions.
const RETRY_FIRST: Duration = Duration::from_millis(50);

/// What had happened under a key.
#[derive(Debug)]
pub(crate) enum Fenced {
    /// Nothing; and nothing will.
    Absent,
    /// An effect had begun; whether it happened is not known.
    Started,
    /// The effect happened; this was the result.
    Done(Value),
}

/// Fences the key of an attempt. An engine that does not answer in time, or that
/// keeps no ledger, counts as one that had begun: nothing else is safe.
pub(crate) async fn fence(cx: &Context, tool: &Tool, dispatch: &Dispatch) -> Fenced {
    let mut wait = RETRY_FIRST;
    let mut waited = Duration::ZERO;
    loop {
        match ask(cx, tool, dispatch).await {
            Ok(fenced) => return fenced,
            Err(status) if status.code() == Code::Unavailable && waited < PATIENCE => {}
            Err(status) => {
                tracing::warn!(tool = %tool.id, key = %dispatch.key, error = %status.message(), "key not fenced");
                return Fenced::Started;
            }
        }
        cx.clock().sleep(wait).await;
        waited += wait;
        wait = (wait * 2).min(Duration::from_secs(1));
    }
}

async fn ask(cx: &Context, tool: &Tool, dispatch: &Dispatch) -> Result<Fenced, tonic::Status> {
    let link = cx.link(&tool.engine)?;
    let mut request = Request::new(FenceRequest {
        engine: tool.engine.clone(),
        tool: tool.id.clone(),
        key: dispatch.key.clone(),
        epoch: dispatch.epoch,
        attempt: dispatch.attempt,
    });
    if let Ok(engine) = MetadataValue::try_from(tool.engine.as_str()) {
        request.metadata_mut().insert(names::ENGINE, engine);
    }
    if !dispatch.served_by.is_empty()
        && let Ok(instance) = MetadataValue::try_from(dispatch.served_by.as_str())
    {
        request.metadata_mut().insert(names::INSTANCE, instance);
    }
    let answer = LedgerServiceClient::new(link)
        .max_decoding_message_size(gearmesh_api::MESSAGE_MAX)
        .fence(request)
        .await?
        .into_inner();
    Ok(match answer.state() {
        FenceState::Absent => Fenced::Absent,
        FenceState::Started | FenceState::Unspecified => Fenced::Started,
        FenceState::Done => DynamicMessage::decode(tool.method.output(), answer.reply)
            .map_or(Fenced::Started, |m| Fenced::Done(json::encode(&m))),
    })
}
