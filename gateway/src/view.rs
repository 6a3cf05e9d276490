//! What follows from the catalogue, worked out once per generation of it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwapOption;
use bytes::Bytes;

use gearmesh_catalog::Catalog;
use gearmesh_link::Mesh;

use crate::openapi;
use crate::rest::{Table, tools_json};

/// The catalogue of one moment with its routes and documents.
#[derive(Debug)]
pub(crate) struct View {
    generation: u64,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) table: Table,
    openapi: OnceLock<Bytes>,
    tools: OnceLock<Bytes>,
}

impl View {
    fn new(generation: u64, catalog: Arc<Catalog>) -> Self {
        Self {
            generation,
            table: Table::new(&catalog),
            catalog,
            openapi: OnceLock::new(),
            tools: OnceLock::new(),
        }
    }

    /// The OpenAPI document of all engines.
    pub(crate) fn openapi(&self) -> Bytes {
        let write = || Bytes::from(openapi::openapi(&self.catalog, None).to_string());
        self.openapi.get_or_init(write).clone()
    }

    /// The list of tools.
    pub(crate) fn tools(&self) -> Bytes {
        let write = || Bytes::from(tools_json(&self.catalog).to_string());
        self.tools.get_or_init(write).clone()
    }
}

/// The view of now; a new one takes its place when an engine has joined.
#[derive(Debug)]
pub(crate) struct Views {
    mesh: Mesh,
    now: ArcSwapOption<View>,
    /// Held while a view is built, so that many requests build one.
    building: Mutex<()>,
}

impl Views {
    pub(crate) fn new(mesh: Mesh) -> Self {
        Self {
            mesh,
            now: ArcSwapOption::empty(),
            building: Mutex::new(()),
        }
    }

    pub(crate) fn now(&self) -> Arc<View> {
        if let Some(view) = self.current() {
            return view;
        }
        let _guard = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = self.current() {
            return view;
        }
        // Read before the catalogue: should an engine join in between, the view is
        // taken for older than it is and built once more.
        let generation = self.mesh.generation();
        let view = Arc::new(View::new(generation, self.mesh.catalog()));
        self.now.store(Some(view.clone()));
        view
    }

    fn current(&self) -> Option<Arc<View>> {
        let view = self.now.load_full()?;
        (view.generation == self.mesh.generation()).then_some(view)
    }
}
