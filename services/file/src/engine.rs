//! What all calls share, and what one call knows.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gearmesh_runtime::{Call, Clock, Rng};

use crate::claim::Claims;
use crate::config::Config;
use crate::error::Error;
use crate::fsync::Fsyncs;
use crate::note::Notes;
use crate::place::Place;
use crate::root::{RootError, Roots, Scope};

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) roots: Roots,
    pub(crate) notes: Notes,
    pub(crate) fsyncs: Fsyncs,
    pub(crate) claims: Claims,
    pub(crate) clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
}

/// One call: whose it is, and whether anybody still waits for it. Every blocking
/// function of the domain takes it.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) engine: Arc<Engine>,
    scope: Scope,
    key: Option<String>,
    cancelled: Arc<AtomicBool>,
}

/// Cancels the job when the caller's future is dropped: blocking work has no
/// other way to learn of it.
#[derive(Debug)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Engine {
    pub(crate) fn new(
        state: PathBuf,
        config: &Config,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
        fsyncs: Fsyncs,
    ) -> Result<Self, RootError> {
        Ok(Self {
            roots: Roots::new(&state, config)?,
            notes: Notes::new(state.join("file").join("notes")),
            fsyncs,
            claims: Claims::default(),
            clock,
            rng,
        })
    }

    pub(crate) fn job(self: &Arc<Self>, call: &Call) -> Job {
        Job {
            engine: self.clone(),
            scope: Scope {
                run: call.run.clone(),
                folder: call.folder.clone(),
            },
            key: call.key.clone(),
            cancelled: Arc::default(),
        }
    }
}

impl Job {
    /// Runs blocking work off the threads that serve; cancels it when the caller leaves.
    pub(crate) async fn run<T, F>(self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    {
        let guard = CancelOnDrop(self.cancelled.clone());
        let done = tokio::task::spawn_blocking(move || work(&self)).await;
        drop(guard);
        match done {
            Ok(done) => done,
            Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
            // The runtime stops.
            Err(_) => Err(Error::Cancelled),
        }
    }

    pub(crate) fn place(&self, text: &str) -> Result<Place, Error> {
        self.engine.roots.place(&self.scope, text)
    }

    /// An item of this call, with a key of its own.
    pub(crate) fn item(&self, index: usize) -> Self {
        Self {
            key: self.key.as_ref().map(|key| format!("{key}#{index}")),
            cancelled: Arc::default(),
            ..self.clone()
        }
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(crate) fn fsyncs(&self) -> &Fsyncs {
        &self.engine.fsyncs
    }

    pub(crate) fn random(&self) -> u64 {
        self.engine.rng.number()
    }

    /// Asked between steps of long work.
    pub(crate) fn go_on(&self) -> Result<(), Error> {
        if self.cancelled.load(Ordering::Relaxed) {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }

    /// What the end of the caller does.
    #[cfg(test)]
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}
