//! Server reflection over all that the mesh serves now.

use std::sync::{Arc, Mutex};

use tonic::body::Body;
use tonic::service::Routes;
use tower::ServiceExt;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use gearmesh_link::Mesh;

/// Answers `grpc.reflection.v1` and `v1alpha` with the raw descriptors of the
/// engines on the mesh, so that their options survive. Built anew when an
/// engine has joined.
#[derive(Debug, Clone)]
pub struct Reflection {
    mesh: Mesh,
    /// The only engines that are described; empty: all.
    engines: Arc<[String]>,
    built: Arc<Mutex<Option<(u64, Routes)>>>,
}

impl Reflection {
    /// Describes every engine of the mesh.
    #[must_use]
    pub fn of_all(mesh: Mesh) -> Self {
        Self::of(mesh, Vec::new())
    }

    /// Describes these engines of the mesh.
    #[must_use]
    pub fn of(mesh: Mesh, engines: Vec<String>) -> Self {
        Self {
            mesh,
            engines: engines.into(),
            built: Arc::default(),
        }
    }

    /// Whether a request is one of reflection.
    #[must_use]
    pub fn serves(path: &str) -> bool {
        path.starts_with("/grpc.reflection.")
    }

    /// Answers a request.
    pub async fn answer(&self, request: http::Request<Body>) -> http::Response<Body> {
        match self.routes() {
            Ok(routes) => match routes.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Err(refusal) => tonic::Status::from(refusal).into_http(),
        }
    }

    fn routes(&self) -> Result<Routes, Refusal> {
        let mut built = self
            .built
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let generation = self.mesh.generation();
        match &*built {
            Some((of, routes)) if *of == generation => Ok(routes.clone()),
            _ => {
                let routes = self.build()?;
                *built = Some((generation, routes.clone()));
                Ok(routes)
            }
        }
    }

    fn build(&self) -> Result<Routes, Refusal> {
        let engines = self.mesh.engines();
        let catalog = self.mesh.catalog();
        let wanted = |name: &str| self.engines.is_empty() || self.engines.iter().any(|e| e == name);
        let mut seen = std::collections::HashSet::new();
        let mut sets = Vec::new();
        for engine in engines.iter().filter(|e| wanted(&e.name)) {
            let bytes = engine.origin.descriptors();
            if seen.insert((bytes.as_ptr(), bytes.len())) {
                sets.push(bytes);
            }
        }
        let names: Vec<&str> = catalog
            .engines()
            .iter()
            .filter(|e| wanted(&e.id))
            .flat_map(|e| e.services.iter().map(String::as_str))
            .chain(["grpc.health.v1.Health"])
            .collect();
        let configure = || {
            let mut builder = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
            for set in &sets {
                builder = builder.register_encoded_file_descriptor_set(set);
            }
            for name in &names {
                builder = builder.with_service_name(*name);
            }
            builder
        };
        let failed = |e: tonic_reflection::server::Error| {
            Refusal::new(
                CommonFault::InternalError,
                format!("reflection cannot be built: {e}"),
            )
        };
        Ok(Routes::new(configure().build_v1().map_err(failed)?)
            .add_service(configure().build_v1alpha().map_err(failed)?)
            .prepare())
    }
}
