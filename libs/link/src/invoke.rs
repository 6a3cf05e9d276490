//! The uniform call: a tool, JSON in, JSON out.
//!
//! A function, not a protocol: the bytes that it sends to the tool's own method
//! path are those that a generated client would send.

use futures::{Stream, StreamExt};
use http::uri::PathAndQuery;
use prost_reflect::MethodDescriptor;
use serde_json::Value;
use tonic::client::Grpc;
use tonic::{Request, Status};

use gearmesh_api::MESSAGE_MAX;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_catalog::{Effect, Keyed, Rpc, Tool, json};
use gearmesh_fault::Refusal;

use crate::codec::DynamicCodec;
use crate::pool::Repeatable;
use crate::{Call, Link};

/// Calls a tool and waits for its answer. Of a server stream the last message is
/// the answer.
///
/// # Errors
/// What the engine answered; INVALID_PARAMETERS when the parameters do not fit
/// the tool's request; ENGINE_UNAVAILABLE when it cannot be reached.
pub async fn invoke(link: &Link, tool: &Tool, params: Value, call: &Call) -> Result<Value, Status> {
    if tool.streaming {
        let mut stream = Box::pin(invoke_stream(link, tool, params, call).await?);
        let mut last = Value::Object(serde_json::Map::new());
        while let Some(message) = stream.next().await {
            last = message?;
        }
        return Ok(last);
    }
    unary(link, Method::of(tool), params, call).await
}

/// Calls an RPC that is no tool and waits for its one answer.
///
/// # Errors
/// As [`invoke`].
pub async fn invoke_rpc(
    link: &Link,
    rpc: &Rpc,
    params: Value,
    call: &Call,
) -> Result<Value, Status> {
    let method = Method {
        engine: &rpc.engine,
        path: &rpc.path,
        descriptor: &rpc.method,
        tool: rpc.tool.as_deref(),
    };
    unary(link, method, params, call).await
}

/// What is needed to call something.
#[derive(Debug, Clone, Copy)]
struct Method<'a> {
    engine: &'a str,
    path: &'a str,
    descriptor: &'a MethodDescriptor,
    tool: Option<&'a Tool>,
}

impl<'a> Method<'a> {
    fn of(tool: &'a Tool) -> Self {
        Self {
            engine: &tool.engine,
            path: &tool.path,
            descriptor: &tool.method,
            tool: Some(tool),
        }
    }
}

async fn unary(
    link: &Link,
    method: Method<'_>,
    params: Value,
    call: &Call,
) -> Result<Value, Status> {
    let (mut grpc, request, path, codec) = prepare(link, method, params, call).await?;
    let response = grpc.unary(request, path, codec).await.map_err(unreached)?;
    Ok(json::encode(&response.into_inner()))
}

/// Calls a tool whose answer is a stream.
///
/// # Errors
/// As [`invoke`]; an error within the stream ends it.
pub async fn invoke_stream(
    link: &Link,
    tool: &Tool,
    params: Value,
    call: &Call,
) -> Result<impl Stream<Item = Result<Value, Status>> + Send + use<>, Status> {
    let method = Method::of(tool);
    let (mut grpc, request, path, codec) = prepare(link, method, params, call).await?;
    let response = grpc
        .server_streaming(request, path, codec)
        .await
        .map_err(unreached)?;
    Ok(response.into_inner().map(|m| m.map(|m| json::encode(&m))))
}

type Prepared = (
    Grpc<Link>,
    Request<prost_reflect::DynamicMessage>,
    PathAndQuery,
    DynamicCodec,
);

async fn prepare(
    link: &Link,
    method: Method<'_>,
    params: Value,
    call: &Call,
) -> Result<Prepared, Status> {
    let repeatable = method.tool.is_some_and(|t| is_repeatable(t, &params));
    let message = json::decode(&method.descriptor.input(), params).map_err(|violations| {
        Refusal::parameters(
            violations
                .into_iter()
                .map(|v| (v.path, v.message))
                .collect(),
        )
    })?;
    let mut request = Request::new(message);
    call.write(request.metadata_mut())
        .map_err(|e| Refusal::new(CommonFault::InvalidParameters, e.to_string()))?;
    if repeatable {
        request.extensions_mut().insert(Repeatable);
    }
    let mut grpc = Grpc::new(link.clone())
        .max_decoding_message_size(MESSAGE_MAX)
        .max_encoding_message_size(MESSAGE_MAX);
    grpc.ready().await.map_err(|e| {
        let text = format!("engine `{}` cannot be reached: {e}", method.engine);
        Refusal::new(CommonFault::EngineUnavailable, text)
    })?;
    let path = PathAndQuery::try_from(method.path)
        .map_err(|e| Refusal::new(CommonFault::InternalError, e.to_string()))?;
    Ok((
        grpc,
        request,
        path,
        DynamicCodec(method.descriptor.output()),
    ))
}

/// Whether a second send of a call with these parameters is harmless.
fn is_repeatable(tool: &Tool, params: &Value) -> bool {
    // A tool without rules has one class, which a pool knows by its path.
    !tool.narrow.is_empty() && {
        let class = tool.class_of(params);
        class.effect == Effect::Read || class.keyed == Keyed::Idempotent
    }
}

/// What tonic's own server and channel say when `grpc-timeout` is over. They
/// enforce it beside the layers of the engine and often win.
const TONIC_TIMEOUT: &str = "Timeout expired";

/// A transport error (nobody answered) gets a reason; an answer stays as it is.
fn unreached(status: Status) -> Status {
    if status.code() == tonic::Code::Cancelled && status.message() == TONIC_TIMEOUT {
        return Refusal::new(
            CommonFault::Timeout,
            "the call did not end within its deadline",
        )
        .into();
    }
    let transport = std::error::Error::source(&status).is_some();
    if transport
        && matches!(
            status.code(),
            tonic::Code::Unavailable | tonic::Code::Unknown
        )
    {
        let cause = std::iter::successors(std::error::Error::source(&status), |e| e.source())
            .last()
            .map_or_else(|| status.message().to_owned(), ToString::to_string);
        return Refusal::new(
            CommonFault::EngineUnavailable,
            format!("the engine cannot be reached: {cause}"),
        )
        .into();
    }
    status
}
