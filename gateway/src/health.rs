//! Whether the process and its engines serve.

use std::sync::Mutex;

use futures::FutureExt;
use http::{Method, StatusCode, header};
use serde_json::json;
use tonic::body::Body as GrpcBody;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::ServiceExt;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use gearmesh_runtime::Context;

use crate::reply::{self, Refused, Response};

/// The gRPC service.
const SERVICE: &str = "/grpc.health.v1.Health/";

/// Health over HTTP.
#[derive(Debug)]
pub(crate) struct Health {
    cx: Context,
}

impl Health {
    pub(crate) fn new(cx: &Context) -> Self {
        Self { cx: cx.clone() }
    }

    /// Whether a request asks for one service: strangers must not learn which there are.
    pub(crate) fn names_one(uri: &http::Uri) -> bool {
        uri.path() == "/healthz" && uri.query().is_some()
    }

    /// Answers a request when it is one for health.
    pub(crate) fn answer(
        &self,
        request: &http::Request<axum::body::Body>,
    ) -> Result<Option<Response>, Refused> {
        let draining = self.cx.shutdown().is_cancelled();
        let serving = match request.uri().path() {
            "/health/live" => true,
            "/health/startup" => self.cx.ready().now_or_never().is_some(),
            "/health/ready" => {
                !draining && self.cx.is_writable() && self.cx.ready().now_or_never().is_some()
            }
            "/healthz" => !draining && self.knows(request.uri().query())? && self.cx.is_writable(),
            _ => return Ok(None),
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let refusal = Refusal::new(CommonFault::MethodNotAllowed, "health is only read");
            return Err(Refused::from(refusal).header(header::ALLOW, "GET, HEAD"));
        }
        let (status, word) = match serving {
            true => (StatusCode::OK, "SERVING"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "NOT_SERVING"),
        };
        Ok(Some(reply::json(status, &json!({"status": word}))))
    }

    /// True for the gateway and for every engine or service on the mesh.
    fn knows(&self, query: Option<&str>) -> Result<bool, Refused> {
        let Some(name) = query
            .and_then(|q| q.strip_prefix("service="))
            .filter(|n| !n.is_empty())
        else {
            return Ok(true);
        };
        let catalog = self.cx.catalog();
        let known = name == self.cx.service()
            || catalog
                .engines()
                .iter()
                .any(|e| e.id == name || e.services.iter().any(|s| s == name));
        if known {
            return Ok(true);
        }
        let text = format!("no service `{name}` is on the mesh");
        Err(
            Refused::from(Refusal::new(CommonFault::EngineUnavailable, text))
                .http(StatusCode::NOT_FOUND),
        )
    }
}

/// Health over gRPC: the empty name, each engine's id and each service's full name.
#[derive(Debug)]
pub(crate) struct GrpcHealth {
    cx: Context,
    reporter: HealthReporter,
    routes: Routes,
    /// Knows the empty name alone.
    strangers: Routes,
    /// Generation of the mesh that the reporter has been told of, and whether drain had begun
    /// or nothing could be written.
    told: Mutex<(u64, bool)>,
}

impl GrpcHealth {
    pub(crate) fn new(cx: &Context) -> Self {
        let (reporter, server) = tonic_health::server::health_reporter();
        let (outer, strangers) = tonic_health::server::health_reporter();
        let draining = (cx.shutdown().clone(), [reporter.clone(), outer]);
        cx.spawn(async move {
            let (shutdown, reporters) = draining;
            shutdown.cancelled().await;
            // Whoever watches learns of the drain before the connection ends.
            for reporter in reporters {
                reporter
                    .set_service_status("", ServingStatus::NotServing)
                    .await;
            }
        });
        Self {
            cx: cx.clone(),
            reporter,
            routes: Routes::new(server).prepare(),
            strangers: Routes::new(strangers).prepare(),
            told: Mutex::new((0, false)),
        }
    }

    /// Whether a request is one for health.
    pub(crate) fn serves(path: &str) -> bool {
        path.starts_with(SERVICE)
    }

    /// Answers a request; only for those who are known there are services beside the
    /// empty name.
    pub(crate) async fn answer(
        &self,
        request: http::Request<GrpcBody>,
        known: bool,
    ) -> http::Response<GrpcBody> {
        let routes = if known {
            self.tell().await;
            &self.routes
        } else {
            &self.strangers
        };
        match routes.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Tells the reporter of the engines that have joined, or that all are stopping or full.
    async fn tell(&self) {
        let now = (
            self.cx.mesh().generation(),
            self.cx.shutdown().is_cancelled() || !self.cx.is_writable(),
        );
        {
            let mut told = self
                .told
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if *told == now {
                return;
            }
            *told = now;
        }
        let status = match now.1 {
            true => ServingStatus::NotServing,
            false => ServingStatus::Serving,
        };
        self.reporter.set_service_status("", status).await;
        for engine in self.cx.catalog().engines() {
            for name in engine.services.iter().chain([&engine.id]) {
                self.reporter
                    .set_service_status(name.as_str(), status)
                    .await;
            }
        }
    }
}
