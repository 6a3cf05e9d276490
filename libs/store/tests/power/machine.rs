//! A machine with one store, that can be switched off.

use std::path::Path;
use std::sync::OnceLock;

use gearmesh_faultdisk::{Disk, Ending};
use gearmesh_store::{Journal, Result, Store};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// The store's name.
pub(crate) const NAME: &str = "power";

/// A folder with a disk under it.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) disk: Disk,
    folder: TempDir,
}

/// An open store, and the task that writes its journal.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    committer: JoinHandle<()>,
}

impl Machine {
    /// A machine whose store is there already, with empty tables.
    pub(crate) fn prepared(sector: usize, seed: u64) -> Self {
        static FILES: OnceLock<Vec<u8>> = OnceLock::new();
        let folder = folder();
        let path = folder.path().join(format!("{NAME}.db"));
        let bytes = FILES.get_or_init(prepare);
        std::fs::write(path, bytes).unwrap();
        Self::on(folder, sector, seed)
    }

    /// A machine whose folder is empty.
    pub(crate) fn empty(sector: usize, seed: u64) -> Self {
        Self::on(folder(), sector, seed)
    }

    fn on(folder: TempDir, sector: usize, seed: u64) -> Self {
        let disk = Disk::mount(folder.path(), sector, seed).unwrap();
        Self { disk, folder }
    }

    /// Opens the store as a process does that starts.
    pub(crate) async fn boot(&self) -> Result<Running> {
        Running::open(self.folder.path()).await
    }

    /// Takes the power away, if it is still there, and gives it back.
    pub(crate) async fn lose_power(&self, running: Option<Running>) {
        self.disk.cut();
        self.restart(running, Ending::Power).await;
    }

    pub(crate) async fn restart(&self, running: Option<Running>, ending: Ending) {
        if let Some(running) = running {
            running.end().await;
        }
        self.disk.restart(ending).unwrap();
    }
}

impl Running {
    pub(crate) async fn open(folder: &Path) -> Result<Self> {
        let store = Store::open(folder, NAME).await?;
        let mut committer = None;
        let journal = Journal::open(store.clone(), |task| committer = Some(spawn(task))).await?;
        Ok(Self {
            store,
            journal,
            committer: committer.unwrap(),
        })
    }

    /// Lets go of the store without closing it.
    pub(crate) async fn end(self) {
        drop((self.store, self.journal));
        self.committer.await.unwrap();
    }

    pub(crate) async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}

#[expect(clippy::disallowed_methods, reason = "no context in a test")]
fn spawn(task: futures::future::BoxFuture<'static, ()>) -> JoinHandle<()> {
    tokio::spawn(task)
}

/// In memory where that is a folder: what lies there is only what is taken over from one start
/// to the next.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// The file of a new store.
fn prepare() -> Vec<u8> {
    let made = std::thread::spawn(|| {
        let folder = folder();
        runtime().block_on(async {
            let running = Running::open(folder.path()).await.unwrap();
            running.close().await.unwrap();
            running.end().await;
        });
        std::fs::read(folder.path().join(format!("{NAME}.db"))).unwrap()
    });
    // In a thread of its own: its caller may be inside of a runtime.
    made.join().unwrap()
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}
