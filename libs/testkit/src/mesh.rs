//! Services in this process.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tonic::Status;

use gearmesh_link::{Call, Link, invoke};
use gearmesh_runtime::{Config, Running, Service, start};

/// Services running in this process, in a temporary folder.
#[derive(Debug)]
pub struct TestMesh {
    running: Option<Running>,
    folder: TempDir,
}

impl TestMesh {
    /// Starts services with default settings.
    ///
    /// # Panics
    /// When one does not start.
    pub async fn start(services: &[Service]) -> Self {
        Self::start_with(services, |_| {}).await
    }

    /// Starts services with settings.
    ///
    /// # Panics
    /// When one does not start.
    pub async fn start_with(services: &[Service], settings: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::new(folder.path());
        settings(&mut config);
        let running = start(services, config).await.expect("the services start");
        Self {
            running: Some(running),
            folder,
        }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("stopped only when dropped")
    }

    /// The state folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The address that it serves on.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.running().address())
    }

    /// The local link to an engine.
    ///
    /// # Panics
    /// When it is not on the mesh.
    #[must_use]
    pub fn link(&self, engine: &str) -> Link {
        self.running()
            .mesh()
            .link(engine)
            .expect("the engine is on the mesh")
    }

    /// All that can be reached.
    #[must_use]
    pub fn mesh(&self) -> &gearmesh_link::Mesh {
        self.running().mesh()
    }

    /// Calls a tool with JSON over its local link.
    ///
    /// # Errors
    /// What the engine answers.
    ///
    /// # Panics
    /// When there is no such tool.
    pub async fn call(&self, tool: &str, params: Value) -> Result<Value, Status> {
        self.call_as(tool, params, Call::default()).await
    }

    /// As [`TestMesh::call`], with what travels beside the request.
    ///
    /// # Errors
    /// What the engine answers.
    ///
    /// # Panics
    /// When there is no such tool.
    pub async fn call_as(&self, tool: &str, params: Value, call: Call) -> Result<Value, Status> {
        let catalog = self.mesh().catalog();
        let found = catalog.get(tool).expect("the tool is in the catalogue");
        invoke(&self.link(&found.tool.engine), found.tool, params, &call).await
    }

    /// Drains and stops; the folder goes with the value.
    pub async fn stop(mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }
}
