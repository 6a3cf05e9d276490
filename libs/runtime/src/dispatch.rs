//! Picks the service that a request is for.
//!
//! Routes of several services are never merged: each has tonic's own fallback,
//! and axum panics on the second.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context as Poll_, Poll};

use futures::future::BoxFuture;
use tonic::body::Body;
use tonic::service::Routes;
use tower::{Service, ServiceExt};

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use gearmesh_link::{Peer, names};

use crate::guard::Guard;
use crate::peer::Matrix;
use crate::reflection::Reflection;

/// The engines of a process, behind one port.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// By the full name of the gRPC service.
    by_service: BTreeMap<String, Guard>,
    /// By engine, for services that each engine serves.
    by_engine: BTreeMap<String, Guard>,
    health: Routes,
    reflection: Reflection,
    matrix: Arc<Matrix>,
}

impl Dispatch {
    pub(crate) fn new(
        engines: Vec<(&'static str, Vec<String>, Guard)>,
        health: Routes,
        reflection: Reflection,
        matrix: Arc<Matrix>,
    ) -> Self {
        let mut by_service = BTreeMap::new();
        let mut by_engine = BTreeMap::new();
        for (name, services, guard) in engines {
            by_service.extend(services.into_iter().map(|s| (s, guard.clone())));
            by_engine.insert(name.to_owned(), guard);
        }
        Self {
            inner: Arc::new(Inner {
                by_service,
                by_engine,
                health: health.prepare(),
                reflection,
                matrix,
            }),
        }
    }

    /// As routes that a tonic server takes.
    pub(crate) fn into_routes(self) -> Routes {
        Routes::from(axum::Router::new().fallback_service(self))
    }

    async fn answer(self, request: http::Request<Body>) -> http::Response<Body> {
        let path = request.uri().path();
        let service = path
            .get(1..)
            .and_then(|p| p.split('/').next())
            .unwrap_or_default();
        if Reflection::serves(path) {
            let peer = request.extensions().get::<Peer>();
            return match self.inner.matrix.describes_to(peer) {
                Ok(()) => self.inner.reflection.answer(request).await,
                Err(refusal) => tonic::Status::from(refusal).into_http(),
            };
        }
        if service == "grpc.health.v1.Health" {
            return never(self.inner.health.clone().oneshot(request).await);
        }
        let engine = || {
            let name = request.headers().get(names::ENGINE)?.to_str().ok()?;
            self.inner.by_engine.get(name)
        };
        let only = || match self.inner.by_engine.len() {
            1 => self.inner.by_engine.values().next(),
            _ => None,
        };
        let found = self
            .inner
            .by_service
            .get(service)
            .or_else(engine)
            .or_else(only);
        match found.cloned() {
            Some(guard) => never(guard.oneshot(request).await),
            None => {
                let text = format!("this process serves no `{service}`");
                tonic::Status::from(Refusal::new(CommonFault::NotImplemented, text)).into_http()
            }
        }
    }
}

fn never(result: Result<http::Response<Body>, Infallible>) -> http::Response<Body> {
    match result {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

impl Service<http::Request<axum::body::Body>> for Dispatch {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Poll_<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<axum::body::Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(this.answer(request.map(Body::new)).await) })
    }
}
