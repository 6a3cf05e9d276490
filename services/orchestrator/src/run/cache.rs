//! Results of earlier calls that stand in for new ones (`cache` of a task).

use serde_json::Value;

use gearmesh_runtime::Context;
use gearmesh_store::Journal;

use crate::hash::sha256;
use crate::plan::Dispatch;

/// Largest result that is kept for later calls, in bytes of JSON.
const KEPT_MAX: usize = 1024 * 1024;

/// The result that is kept for a call, when it is young enough.
pub(crate) async fn find(cx: &Context, journal: &Journal, dispatch: &Dispatch) -> Option<Value> {
    let (key, ttl_ms) = dispatch.cache.as_ref()?;
    let since = cx.clock().now_ms().saturating_sub(*ttl_ms);
    match journal.cached(&sha256(key.as_bytes()), since).await {
        Ok(found) => serde_json::from_slice(&found?).ok(),
        Err(error) => {
            // A cache that cannot be read only costs a call.
            tracing::warn!(%error, "kept results cannot be read");
            None
        }
    }
}

/// Keeps the result of a call.
pub(crate) async fn keep(cx: &Context, journal: &Journal, dispatch: &Dispatch, result: &Value) {
    let Some((key, _)) = &dispatch.cache else {
        return;
    };
    let bytes = result.to_string().into_bytes();
    if bytes.len() > KEPT_MAX {
        return;
    }
    let now = cx.clock().now_ms();
    if let Err(error) = journal
        .cache(&sha256(key.as_bytes()), now, bytes.into())
        .await
    {
        tracing::warn!(%error, "a result cannot be kept for later calls");
    }
}
