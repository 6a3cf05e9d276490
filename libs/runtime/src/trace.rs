//! One trace from the caller to the last engine: W3C trace context in, spans, W3C
//! trace context out.
//!
//! Spans cost something only when somebody reads them: without a collector
//! ([`crate::telemetry`]) no span is made, and a caller's trace context is passed on
//! as it came.

use std::task::{Context as Poll_, Poll};

use futures::future::BoxFuture;
use gearmesh_link::{Link, LinkError, names};
use http::{HeaderMap, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of all spans that belong to a trace. Logs leave it out by default.
pub(crate) const TARGET: &str = "gearmesh::trace";

tokio::task_local! {
    /// The caller's trace context, for calls that are made on its behalf while no
    /// span is.
    static CALLER: HeaderValue;
}

/// A call that is being served.
#[derive(Debug)]
pub struct Served {
    span: Span,
    caller: Option<HeaderValue>,
}

impl Served {
    /// Begins the span of a call from outside: of gRPC by its method, of anything else
    /// by its verb, since paths hold ids.
    #[must_use]
    pub fn outside(method: &http::Method, path: &str, headers: &HeaderMap) -> Self {
        let grpc = headers
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|v| v.as_bytes().starts_with(b"application/grpc"));
        if grpc {
            return Self::of(path, headers);
        }
        let served = Self::of(method.as_str(), headers);
        served.span.record("http.request.method", method.as_str());
        served.span.record("url.path", path);
        served
    }

    /// Begins the span of a call: part of the caller's trace, or the root of one.
    #[must_use]
    pub fn of(name: &str, headers: &HeaderMap) -> Self {
        let span = tracing::debug_span!(
            target: TARGET, "served",
            otel.name = name.trim_start_matches('/'), otel.kind = "server",
            otel.status_code = tracing::field::Empty,
            rpc.grpc.status_code = tracing::field::Empty,
            http.request.method = tracing::field::Empty,
            url.path = tracing::field::Empty,
            gearmesh.run.id = text(headers, names::RUN),
            gearmesh.task.id = text(headers, names::TASK),
            gearmesh.attempt = text(headers, names::ATTEMPT),
        );
        let caller = if span.is_disabled() {
            headers.get(names::TRACE).cloned()
        } else {
            adopt(&span, &Headers(headers));
            None
        };
        Self { span, caller }
    }

    /// Serves the call; what it calls in turn is part of the same trace.
    pub async fn answer<F, B>(self, work: F) -> http::Response<B>
    where
        F: Future<Output = http::Response<B>>,
    {
        let Some(caller) = self.caller else {
            if self.span.is_disabled() {
                return work.await;
            }
            let response = work.instrument(self.span.clone()).await;
            show_status(&self.span, response.headers());
            return response;
        };
        CALLER.scope(caller, work).await
    }
}

/// The trace that something durable began in; what it does later is part of it.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    caller: Option<HeaderValue>,
}

impl Origin {
    /// Of a trace context as [`current`] gave it; empty: none.
    #[must_use]
    pub fn of(traceparent: &str) -> Self {
        let caller = HeaderValue::try_from(traceparent).ok();
        Self {
            caller: caller.filter(|c| !c.is_empty()),
        }
    }

    /// Does work in a span of this trace.
    pub fn carry<F: Future>(
        &self,
        span: Span,
        work: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        carried(self.caller.clone(), span, work)
    }
}

/// Carries the trace of what runs here now into a task of its own.
pub(crate) async fn carried<F: Future>(
    caller: Option<HeaderValue>,
    span: Span,
    work: F,
) -> F::Output {
    match caller {
        Some(caller) => CALLER.scope(caller, work.instrument(span)).await,
        None => work.instrument(span).await,
    }
}

/// The caller's context, for [`carried`].
pub(crate) fn caller() -> Option<HeaderValue> {
    CALLER.try_with(HeaderValue::clone).ok()
}

/// The span of a run, from its start or from where a process took it up again, in
/// the trace of the call that started it.
#[must_use]
pub fn run(run: &str, workflow: &str, started_in: &str) -> Span {
    let span = tracing::debug_span!(
        target: TARGET, "run",
        otel.name = format!("run {workflow}"), otel.kind = "internal",
        gearmesh.run.id = run, gearmesh.workflow.name = workflow,
    );
    if !span.is_disabled() {
        adopt(&span, &Text(started_in));
    }
    span
}

/// The span of one attempt of a task, below its run's.
#[must_use]
pub fn attempt(task: &str, tool: &str, attempt: u32) -> Span {
    tracing::debug_span!(
        target: TARGET, "attempt",
        otel.name = format!("task {task}"), otel.kind = "internal",
        gearmesh.task.id = task, gearmesh.tool = tool, gearmesh.attempt = attempt,
    )
}

/// The trace context of what runs here now, as `traceparent` writes it: of the
/// current span, else of the caller.
#[must_use]
pub fn current() -> Option<String> {
    let mut carried = HeaderMap::new();
    inject(&Span::current(), &mut carried);
    carried
        .get(names::TRACE)
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned)
}

/// A link whose calls are spans, and which tells the other end of them.
pub(crate) fn traced(link: Link, engine: &str) -> Link {
    BoxCloneSyncService::new(Traced {
        link,
        engine: engine.into(),
    })
}

#[derive(Debug, Clone)]
struct Traced {
    link: Link,
    engine: std::sync::Arc<str>,
}

impl Service<http::Request<Body>> for Traced {
    type Response = http::Response<Body>;
    type Error = LinkError;
    type Future = BoxFuture<'static, Result<Self::Response, LinkError>>;

    fn poll_ready(&mut self, context: &mut Poll_<'_>) -> Poll<Result<(), LinkError>> {
        self.link.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let span = tracing::debug_span!(
            target: TARGET, "call",
            otel.name = request.uri().path().trim_start_matches('/'), otel.kind = "client",
            otel.status_code = tracing::field::Empty,
            rpc.grpc.status_code = tracing::field::Empty,
            rpc.system = "grpc", gearmesh.engine = &*self.engine,
        );
        inject(&span, request.headers_mut());
        let next = self.link.clone();
        // The clone may not be ready; the one that was asked is.
        let ready = std::mem::replace(&mut self.link, next);
        if span.is_disabled() {
            return Box::pin(ready.oneshot(request));
        }
        Box::pin(async move {
            let answered = ready.oneshot(request).instrument(span.clone()).await;
            match &answered {
                Ok(response) => show_status(&span, response.headers()),
                Err(_) => drop(span.record("otel.status_code", "ERROR")),
            }
            answered
        })
    }
}

/// A failed answer without a body has its code in the headers.
fn show_status(span: &Span, headers: &HeaderMap) {
    let Some(code) = text(headers, "grpc-status").filter(|_| !span.is_disabled()) else {
        return;
    };
    span.record("rpc.grpc.status_code", code);
    if code != "0" {
        span.record("otel.status_code", "ERROR");
    }
}

/// Makes what is carried the parent of a span.
fn adopt(span: &Span, carried: &dyn Extractor) {
    let parent = TraceContextPropagator::new().extract(carried);
    if parent.span().span_context().is_valid() {
        // Fails for spans that nobody exports, which need no parent.
        let _ = span.set_parent(parent);
    }
}

/// Writes the context of a span; of the current one when it is disabled, else of the
/// caller, unless the request brings its own.
fn inject(span: &Span, headers: &mut HeaderMap) {
    let of = |span: &Span| Some(span.context()).filter(|c| c.span().span_context().is_valid());
    let context: Option<Context> = if span.is_disabled() {
        of(&Span::current())
    } else {
        of(span)
    };
    match context {
        Some(context) => {
            TraceContextPropagator::new().inject_context(&context, &mut Carrier(headers))
        }
        None if headers.contains_key(names::TRACE) => {}
        None => {
            // Outside of a served call there is no caller.
            let _ = CALLER.try_with(|caller| headers.insert(names::TRACE, caller.clone()));
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        text(self.0, key)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// A `traceparent` alone.
struct Text<'a>(&'a str);

impl Extractor for Text<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == names::TRACE).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![names::TRACE]
    }
}

struct Carrier<'a>(&'a mut HeaderMap);

impl Injector for Carrier<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (
            http::HeaderName::try_from(key),
            HeaderValue::try_from(value),
        ) {
            // The propagator also writes an empty `tracestate`.
            if !value.is_empty() {
                self.0.insert(key, value);
            }
        }
    }
}
