//! A receiver of traces.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value;
use prost::Message;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

/// A span as it was received.
#[derive(Debug, Clone)]
pub struct TracedSpan {
    /// The process's name.
    pub service: String,
    /// Of its trace.
    pub trace: Vec<u8>,
    /// Its own id.
    pub id: Vec<u8>,
    /// Its parent's id; empty: a root.
    pub parent: Vec<u8>,
    /// What it shows.
    pub name: String,
    /// 1 internal, 2 server, 3 client.
    pub kind: i32,
    /// Its attributes, as text.
    pub attributes: HashMap<String, String>,
}

/// An OTLP receiver over gRPC on loopback.
#[derive(Debug)]
pub struct Otlp {
    url: String,
    spans: Spans,
}

#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Received>>);

#[derive(Debug, Default)]
struct Received {
    spans: Vec<TracedSpan>,
    /// Every request as it is encoded, events and status of spans included.
    bytes: Vec<u8>,
}

impl Otlp {
    /// Starts it on a free port; it ends with the test's runtime.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let spans = Spans::default();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(spans.clone()))
            .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener));
        #[expect(clippy::disallowed_methods, reason = "a test's server")]
        drop(tokio::spawn(server));
        Self { url, spans }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All spans that came so far.
    #[must_use]
    pub fn spans(&self) -> Vec<TracedSpan> {
        self.spans
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spans
            .clone()
    }

    /// All that came so far, as it is encoded.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let received = self.spans.0.lock();
        let received = received.unwrap_or_else(PoisonError::into_inner);
        received.bytes.clone()
    }
}

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut received = Vec::new();
        let request = request.into_inner();
        let bytes = request.encode_to_vec();
        for resource in request.resource_spans {
            let attributes = resource.resource.map(|r| texts(r.attributes));
            let service = attributes
                .and_then(|mut a| a.remove("service.name"))
                .unwrap_or_default();
            for span in resource.scope_spans.into_iter().flat_map(|s| s.spans) {
                received.push(TracedSpan {
                    service: service.clone(),
                    trace: span.trace_id,
                    id: span.span_id,
                    parent: span.parent_span_id,
                    name: span.name,
                    kind: span.kind,
                    attributes: texts(span.attributes),
                });
            }
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.spans.extend(received);
        all.bytes.extend(bytes);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn texts(
    attributes: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>,
) -> HashMap<String, String> {
    attributes
        .into_iter()
        .filter_map(|pair| {
            let text = match pair.value?.value? {
                any_value::Value::StringValue(text) => text,
                any_value::Value::IntValue(number) => number.to_string(),
                any_value::Value::BoolValue(flag) => flag.to_string(),
                other => format!("{other:?}"),
            };
            Some((pair.key, text))
        })
        .collect()
}
