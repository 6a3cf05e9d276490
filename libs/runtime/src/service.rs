//! What a process is made of.

use futures::future::BoxFuture;
use tonic::service::Routes;

use gearmesh_link::Call;

use crate::Context;

/// The routes of a service, once it has started.
pub type Started = BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>>;

/// A service: a name, descriptors, and how it starts.
#[derive(Clone, Copy)]
pub struct Service {
    /// The engine's id, as `file`; or `gateway`.
    pub name: &'static str,
    /// Raw descriptors that hold the engine's package.
    pub descriptors: fn() -> &'static [u8],
    /// Starts it and gives its routes.
    pub start: fn(Context) -> Started,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The name of the service whose routes are the whole of a process's port.
pub(crate) const GATEWAY: &str = "gateway";

/// Reads what travelled beside a request.
pub trait CallOf {
    /// The call, as the layers read it.
    fn call(&self) -> Call;
}

impl<T> CallOf for tonic::Request<T> {
    fn call(&self) -> Call {
        self.extensions().get::<Call>().cloned().unwrap_or_default()
    }
}
