//! Logs and traces.

use std::sync::OnceLock;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::trace::TARGET;

/// The settings that name a collector, the more exact one first.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// The process's name in traces, unless `OTEL_SERVICE_NAME` gives another.
const SERVICE: &str = "gearmesh";

/// Libraries that log the values they carry, secrets among them, from the level below.
const TALKERS: [(&str, LevelFilter); 1] = [("rmcp", LevelFilter::INFO)];

/// What sends the traces of this process. The subscriber is one per process, and so
/// is this.
static TRACES: OnceLock<Traces> = OnceLock::new();

struct Traces {
    provider: SdkTracerProvider,
    /// The sender's own: it must go on when the services' runtime is busy or ends.
    _runtime: tokio::runtime::Runtime,
}

/// Writes logs to standard error: for people on a terminal, as JSON lines
/// elsewhere. `GEARMESH_LOG` sets the filter; the default is `default`. What libraries
/// say of the values they carry is never written.
///
/// Sends traces by OTLP over gRPC when `OTEL_EXPORTER_OTLP_ENDPOINT` or its form for
/// traces names a collector; the other `OTEL_*` settings count as the OpenTelemetry
/// specification says. A collector that is away costs nothing but its spans.
///
/// Does nothing when a subscriber is installed already.
pub fn log_to_stderr(default: &str) {
    let traces = collector().and_then(|_| traces());
    let spans = traces.as_ref().map(|traces| {
        tracing_opentelemetry::layer()
            .with_location(false)
            .with_threads(false)
            .with_tracer(traces.provider.tracer(SERVICE))
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::DEBUG))
    });
    let installed = tracing_subscriber::registry()
        .with(logs(default))
        .with(spans)
        .try_init();
    if let (Ok(()), Some(traces)) = (installed, traces) {
        // Set once, as the subscriber is.
        let _ = TRACES.set(traces);
    }
}

/// Sends the spans that are still waiting; a collector that is away is given up after
/// its time-out.
pub(crate) async fn flush() {
    let Some(traces) = TRACES.get() else { return };
    let provider = traces.provider.clone();
    let flushed = tokio::task::spawn_blocking(move || provider.force_flush()).await;
    if let Ok(Err(error)) = flushed {
        tracing::debug!(%error, "spans not sent");
    }
}

fn logs(default: &str) -> Box<dyn Layer<Registry> + Send + Sync> {
    use std::io::IsTerminal;
    let filter =
        EnvFilter::try_from_env("GEARMESH_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let discreet = Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_targets(TALKERS);
    let filter = filter.and(discreet);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        layer.with_filter(filter).boxed()
    } else {
        layer.json().with_filter(filter).boxed()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate alone reads the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// Where traces go, unless they are turned off.
fn collector() -> Option<String> {
    let off = variable("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"))
        || variable("OTEL_TRACES_EXPORTER").is_some_and(|v| v == "none");
    if off {
        return None;
    }
    ENDPOINTS.iter().find_map(|name| variable(name))
}

fn traces() -> Option<Traces> {
    let unusable = |error: &dyn std::fmt::Display| {
        use std::io::Write;
        // The subscriber is not there yet; what cannot be traced can still be served.
        let text = "traces are not sent: the OTEL_EXPORTER_OTLP settings cannot be used";
        let _ = writeln!(std::io::stderr(), "{text}: {error}");
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("traces")
        .enable_all()
        .build()
        .inspect_err(|e| unusable(e))
        .ok()?;
    let entered = runtime.enter();
    let exporter = SpanExporter::builder()
        .with_tonic()
        .build()
        .inspect_err(|e| unusable(e))
        .ok()?;
    let resource = Resource::builder();
    // What the environment names wins over our own name.
    let resource = match variable("OTEL_SERVICE_NAME") {
        Some(_) => resource.build(),
        None => resource.with_service_name(SERVICE).build(),
    };
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(exporter)
        .build();
    drop(entered);
    Some(Traces {
        provider,
        _runtime: runtime,
    })
}
