//! The tools over HTTP and JSON.
//!
//! A request is matched to a route, its path, query and body become one object of
//! parameters, and that goes the way of every call: `invoke` with the tool's
//! descriptor. Nothing here differs from tool to tool.

mod accept;
mod body;
mod call;
mod convert;
mod params;
mod path;
mod query;
mod stream;
mod strict;
mod table;
mod template;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, StatusCode, header};
use prost_reflect::MessageDescriptor;
use serde_json::Value;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_catalog::{Binding, Tool};
use gearmesh_fault::Refusal;
use gearmesh_link::invoke_rpc;
use gearmesh_runtime::Context;

use self::accept::Format;
use self::path::Path;
use self::query::Query;
use self::table::{Matched, RpcRoute, Target, ToolRoute, Unmatched};
use crate::caller::Caller;
use crate::deadline;
use crate::page;
use crate::reply::{self, Asker, JSON, Refused, Response, SCHEMA_JSON, with_body};
use crate::timed;
use crate::view::View;

pub(crate) use self::table::{Table, member};
pub(crate) use self::template::Template;
pub use self::tools::tools_json;
pub(crate) use self::tools::{not_found, with_preset};

/// The header by which a browser goes on with a stream.
const LAST_EVENT_ID: &str = "last-event-id";

/// Answers a request for a REST route within the time that its caller gives.
///
/// # Errors
/// What is wrong with the request, or what the engine answered.
pub(crate) async fn answer(
    cx: &Context,
    view: Arc<View>,
    asker: &Asker,
    request: http::Request<Body>,
) -> Result<Response, Refused> {
    // From here, not from when the body is there: the caller's clock runs already.
    let Some(limit) = deadline::of(request.headers())? else {
        return routed(cx, view, asker, request).await;
    };
    let late = || {
        let text = format!("no answer within {} ms", limit.as_millis());
        Refused::from(Refusal::new(CommonFault::Timeout, text))
    };
    if limit.is_zero() {
        return Err(late());
    }
    let answered = tokio::time::timeout(limit, routed(cx, view, asker, request)).await;
    answered.unwrap_or_else(|_| Err(late()))
}

async fn routed(
    cx: &Context,
    view: Arc<View>,
    asker: &Asker,
    request: http::Request<Body>,
) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    let path = Path::parse(parts.uri.path())?;
    let matched = match view.table.find(&parts.method, &path) {
        Ok(matched) => matched,
        Err(unmatched) => return Err(no_route(&parts.method, parts.uri.path(), unmatched)),
    };
    let query = Query::parse(parts.uri.query())?;
    let asked = Asked {
        cx,
        asker,
        parts: &parts,
        query: &query,
    };
    match &matched.route.target {
        Target::Tool(route) => asked.route(route, &matched, body).await,
        Target::Rpc(route) => asked.rpc(route, &matched, body).await,
        Target::Call => asked.by_name(&view, &matched, body).await,
        document => asked.document(document, &view, &matched),
    }
}

/// How long an RPC that is no tool may take: they read and write what the mesh keeps.
const RPC_TIMEOUT: Duration = Duration::from_secs(30);

/// A request, taken apart.
#[derive(Debug)]
struct Asked<'a> {
    cx: &'a Context,
    asker: &'a Asker,
    parts: &'a http::request::Parts,
    query: &'a Query,
}

/// How the answer of a tool becomes a body.
#[derive(Debug, Default)]
struct Shape<'a> {
    /// The field that is the body; empty: the whole message.
    response_body: &'a str,
    /// Where what was created is found.
    member: Option<&'a Template>,
}

impl Asked<'_> {
    /// A tool by a route of its own.
    async fn route(
        &self,
        route: &ToolRoute,
        matched: &Matched<'_>,
        body: Body,
    ) -> Result<Response, Refused> {
        let input = route.tool.method.input();
        let params = self.params(&input, &route.binding, matched, body).await?;
        let shape = Shape {
            response_body: &route.binding.response_body,
            member: route.member.as_ref(),
        };
        self.call(&route.tool, params, shape).await
    }

    /// An RPC that is no tool by a route of its own.
    async fn rpc(
        &self,
        route: &RpcRoute,
        matched: &Matched<'_>,
        body: Body,
    ) -> Result<Response, Refused> {
        let rpc = &route.rpc;
        let input = rpc.method.input();
        let params = self.params(&input, &route.binding, matched, body).await?;
        let caller = self.caller()?;
        caller.may_use(rpc)?;
        let mut call = call::of(&self.parts.headers, self.asker, caller)?;
        call.timeout = Some(call.timeout.map_or(RPC_TIMEOUT, |t| t.min(RPC_TIMEOUT)));
        let link = self.cx.link(&rpc.engine)?;
        let answer = invoke_rpc(&link, rpc, params, &call).await?;
        let shape = Shape {
            response_body: &route.binding.response_body,
            member: None,
        };
        Ok(self.answered(&rpc.method.output(), answer, shape))
    }

    /// What path, query and body give a request.
    async fn params(
        &self,
        input: &MessageDescriptor,
        binding: &Binding,
        matched: &Matched<'_>,
        body: Body,
    ) -> Result<Value, Refused> {
        let mut body = body::json(&self.parts.method, &self.parts.headers, body).await?;
        // Some clients cannot send a DELETE without a body.
        let empty = body
            .as_ref()
            .and_then(Value::as_object)
            .is_some_and(serde_json::Map::is_empty);
        if binding.body.is_empty() && self.parts.method == http::Method::DELETE && empty {
            body = None;
        }
        Ok(params::join(params::Parts {
            input,
            body_field: &binding.body,
            body,
            path: &matched.values,
            query: &self.query.fields,
        })?)
    }

    /// Who calls.
    fn caller(&self) -> Result<&Caller, Refusal> {
        // INVARIANT: the gateway lets nobody come so far without a login.
        (self.parts.extensions.get::<Caller>())
            .ok_or_else(|| Refusal::new(CommonFault::Unauthenticated, "nobody has logged in"))
    }

    /// A tool by its id, MCP spelling or alias.
    async fn by_name(
        &self,
        view: &View,
        matched: &Matched<'_>,
        body: Body,
    ) -> Result<Response, Refused> {
        self.query.no_fields()?;
        let name = matched
            .values
            .first()
            .map(|(_, name)| name.as_str())
            .unwrap_or_default();
        let found = view
            .catalog
            .get(name)
            .ok_or_else(|| tools::not_found(&view.catalog, name))?;
        let body = body::json(&self.parts.method, &self.parts.headers, body).await?;
        let params = tools::with_preset(&found, body)?;
        let tool = found.tool.clone();
        self.call(&tool, params, Shape::default()).await
    }

    fn document(
        &self,
        target: &Target,
        view: &View,
        matched: &Matched<'_>,
    ) -> Result<Response, Refused> {
        if !matches!(target, Target::OpenApi | Target::WorkflowSchema) {
            self.query.no_fields()?;
        }
        let name = matched
            .values
            .first()
            .map(|(_, name)| name.as_str())
            .unwrap_or_default();
        Ok(match target {
            Target::List => with_body(StatusCode::OK, JSON, view.tools()),
            Target::Show => {
                let found = view
                    .catalog
                    .get(name)
                    .ok_or_else(|| tools::not_found(&view.catalog, name))?;
                self.json(StatusCode::OK, &found.tool.describe())
            }
            Target::OpenApi => match tools::one_engine(&view.catalog, &self.query.fields)? {
                None => with_body(StatusCode::OK, JSON, view.openapi()),
                engine => self.json(StatusCode::OK, &crate::openapi(&view.catalog, engine)),
            },
            Target::WorkflowSchema => {
                let with_tools = tools::with_tools(&self.query.fields)?;
                let catalog = with_tools.then_some(&*view.catalog);
                let schema = gearmesh_workflow::file_schema(catalog);
                with_body(StatusCode::OK, SCHEMA_JSON, schema.to_string())
            }
            Target::Index => self.json(StatusCode::OK, &page::index()),
            _ => with_body(StatusCode::OK, "text/html; charset=utf-8", page::PAGE),
        })
    }

    async fn call(
        &self,
        tool: &Arc<Tool>,
        mut params: Value,
        shape: Shape<'_>,
    ) -> Result<Response, Refused> {
        if tool.client_streaming {
            let text = format!(
                "`{}` takes a stream; call it by gRPC at `{}`",
                tool.id, tool.path
            );
            return Err(Refusal::new(CommonFault::NotImplemented, text).into());
        }
        let format = Format::choose(
            &self.parts.headers,
            self.query.alt.as_deref(),
            tool.streaming,
        )?;
        self.resume(tool, &mut params)?;
        let caller = self.caller()?;
        caller.may_call(tool, &params)?;
        let call = call::of(&self.parts.headers, self.asker, caller)?;
        let link = self.cx.link(&tool.engine)?;
        if tool.streaming {
            let messages = timed::messages(link, tool.clone(), params, call);
            return stream::answer(
                messages,
                format,
                tool.resume_field.is_some(),
                self.asker,
                self.cx.shutdown(),
            )
            .await;
        }
        let answer = timed::answer(&link, tool, params, call).await?;
        Ok(self.answered(&tool.method.output(), answer, shape))
    }

    /// Fills the field that says where a stream goes on.
    fn resume(&self, tool: &Tool, params: &mut Value) -> Result<(), Refusal> {
        let header = self
            .parts
            .headers
            .get(LAST_EVENT_ID)
            .and_then(|v| v.to_str().ok());
        // A browser that comes back sends its first URL again; what it has seen since is
        // in the header.
        let Some(cursor) = header.or(self.query.cursor.as_deref()) else {
            return Ok(());
        };
        match (&tool.resume_field, params.as_object_mut()) {
            (Some(field), Some(map)) => {
                map.insert(field.clone(), cursor.into());
                Ok(())
            }
            _ if self.query.cursor.is_some() => {
                let what = format!("`{}` cannot go on from a cursor", tool.id);
                Err(Refusal::parameters(vec![("$cursor".to_owned(), what)]))
            }
            _ => Ok(()),
        }
    }

    fn answered(&self, output: &MessageDescriptor, answer: Value, shape: Shape<'_>) -> Response {
        let body = match output.get_field_by_name(shape.response_body) {
            Some(field) => answer.get(field.json_name()).cloned().unwrap_or_default(),
            None => answer,
        };
        let location = shape.member.and_then(|member| location(member, &body));
        match location.and_then(|l| HeaderValue::from_str(&l).ok()) {
            Some(location) => {
                let mut response = self.json(StatusCode::CREATED, &body);
                response.headers_mut().insert(header::LOCATION, location);
                response
            }
            None => self.json(StatusCode::OK, &body),
        }
    }

    fn json(&self, status: StatusCode, value: &Value) -> Response {
        if !self.query.pretty {
            return reply::json(status, value);
        }
        with_body(status, JSON, format!("{value:#}\n"))
    }
}

/// The path of what was created: the member's template with the value of its field.
fn location(member: &Template, body: &Value) -> Option<String> {
    let variable = member.variables.last()?;
    let camel = |name: &str| {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |mut out, word| {
            let mut chars = word.chars();
            out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
            out.push_str(chars.as_str());
            out
        })
    };
    let value = variable
        .field
        .iter()
        .try_fold(body, |value, name| value.get(camel(name)))?;
    let value = value.as_str()?;
    let start = member.text.rfind('{')?;
    Some(format!("{}{}", &member.text[..start], path::encode(value)))
}

fn no_route(method: &http::Method, path: &str, unmatched: Unmatched) -> Refused {
    match unmatched {
        Unmatched::Method { allow } => {
            let allow = allow.join(", ");
            let text = format!("`{path}` takes {allow}, not {method}");
            Refused::from(Refusal::new(CommonFault::MethodNotAllowed, text))
                .header(header::ALLOW, &allow)
        }
        Unmatched::Path { nearest } => {
            let mut text = format!("no route `{method} {path}`");
            if !nearest.is_empty() {
                text.push_str("; near: ");
                text.push_str(&nearest.join(", "));
            }
            Refusal::new(CommonFault::RouteNotFound, text)
                .with("nearest", nearest.join(","))
                .into()
        }
        Unmatched::Escape => {
            let text = "the path holds bytes that are no UTF-8 text";
            Refusal::new(CommonFault::InvalidParameters, text).into()
        }
    }
}
