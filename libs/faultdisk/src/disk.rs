//! The disk under one folder.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use fastrand::Rng;

use crate::fault::{Armed, Failure, Fault, Operation};
use crate::file::Open;
use crate::node::{Kind, Node, Site};
use crate::vfs;

/// Disks by their folder. SQLite knows file systems by name for the whole process, so this is
/// the process's as well.
static MOUNTS: Mutex<BTreeMap<PathBuf, Weak<Shared>>> = Mutex::new(BTreeMap::new());

/// The disk of a path, and the file's name on it.
pub(crate) fn of(path: &Path) -> Option<(Arc<Shared>, String)> {
    let mounts = MOUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let disk = mounts.get(path.parent()?)?.upgrade()?;
    Some((disk, path.file_name()?.to_str()?.to_owned()))
}

/// What ended the process that used the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The process alone: the system still shows what was written.
    Process,
    /// The power: each file is what the disk may show.
    Power,
}

/// The disk under one folder, until it is dropped.
#[derive(Debug)]
pub struct Disk {
    shared: Arc<Shared>,
}

impl Disk {
    /// Puts a disk under a folder. `sector` is what it writes at once, in bytes; `seed` decides
    /// what it shows where it has a choice.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn mount(folder: &Path, sector: usize, seed: u64) -> io::Result<Self> {
        vfs::register();
        let folder = folder.canonicalize()?;
        let mut state = State::new(sector, seed);
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if let Some(name) = path.file_name().and_then(|n| n.to_str())
                && path.is_file()
                && !name.ends_with(".lock")
                && !name.ends_with("-shm")
            {
                state.add(name, Node::new(name, std::fs::read(&path)?, true));
            }
        }
        let shared = Arc::new(Shared {
            folder: folder.clone(),
            state: Mutex::new(state),
        });
        let mut mounts = MOUNTS.lock().unwrap_or_else(PoisonError::into_inner);
        mounts.insert(folder, Arc::downgrade(&shared));
        Ok(Self { shared })
    }

    /// Names what the test does next, for reports.
    pub fn phase(&self, phase: &'static str) {
        self.shared.state().phase = phase;
    }

    /// Lets the power go at the `nth` operation from now, from 1.
    pub fn cut_after(&self, nth: u64) {
        self.shared.state().cut_in = Some(nth.max(1));
    }

    /// Lets the power go now: nothing is read or written until [`Disk::restart`].
    pub fn cut(&self) {
        self.shared.state().off = true;
    }

    /// Whether the power is gone.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.shared.state().off
    }

    /// Lets an operation go wrong.
    pub fn fail(&self, fault: Fault) {
        self.shared.state().faults.push(Armed::new(fault));
    }

    /// Takes back all faults and an announced loss of power.
    pub fn heal(&self) {
        let mut state = self.shared.state();
        state.faults.clear();
        state.cut_in = None;
    }

    /// Ends every connection, and leaves in the folder what is there afterwards. Faults are
    /// taken back.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn restart(&self, ending: Ending) -> io::Result<()> {
        let mut state = self.shared.state();
        if ending == Ending::Power {
            state.lose_power();
        }
        state.start_again();
        for entry in std::fs::read_dir(&self.shared.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|n| n.to_str());
            if name.is_some_and(|n| !n.ends_with(".lock") && !state.names.contains_key(n)) {
                std::fs::remove_file(&path)?;
            }
        }
        for (name, node) in &state.names {
            if let Some(node) = state.nodes.get(node) {
                std::fs::write(self.shared.folder.join(name), node.image.now())?;
            }
        }
        Ok(())
    }

    /// Operations so far that change the disk.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.shared.state().operations
    }

    /// Where the power went or a fault struck, since the last call.
    #[must_use]
    pub fn struck(&self) -> Vec<Site> {
        std::mem::take(&mut self.shared.state().struck)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mut mounts = MOUNTS.lock().unwrap_or_else(PoisonError::into_inner);
        mounts.remove(&self.shared.folder);
        drop(mounts);
        self.cut();
    }
}

/// What the disk and its open files share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) folder: PathBuf,
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a file; none where there is none.
    pub(crate) fn open(self: &Arc<Self>, name: &str, create: bool, beside: bool) -> Option<Open> {
        let mut state = self.state();
        if state.off {
            return None;
        }
        let node = match state.find(&self.folder, name) {
            Some(node) => node,
            None if create => {
                let mut node = Node::new(name, Vec::new(), false);
                node.names_on_sync = beside;
                state.add(name, node)
            }
            None => return None,
        };
        let holder = state.number();
        let generation = state.generation;
        drop(state);
        Some(Open::new(self.clone(), generation, node, holder))
    }
}

/// How an operation is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Go,
    /// The power goes meanwhile: it may be done or not.
    Cut,
    Fail(Failure),
}

/// The power is gone, or came back since the file was opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Off;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) nodes: BTreeMap<u64, Node>,
    names: BTreeMap<String, u64>,
    /// Names that went, although the folder on the disk may still have them.
    gone: Vec<(String, u64)>,
    numbers: u64,
    generation: u64,
    off: bool,
    cut_in: Option<u64>,
    faults: Vec<Armed>,
    phase: &'static str,
    operations: u64,
    struck: Vec<Site>,
    pub(crate) rng: Rng,
    pub(crate) sector: usize,
}

impl State {
    fn new(sector: usize, seed: u64) -> Self {
        Self {
            nodes: BTreeMap::new(),
            names: BTreeMap::new(),
            gone: Vec::new(),
            numbers: 0,
            generation: 0,
            off: false,
            cut_in: None,
            faults: Vec::new(),
            phase: "",
            operations: 0,
            struck: Vec::new(),
            rng: Rng::with_seed(seed),
            sector,
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn add(&mut self, name: &str, node: Node) -> u64 {
        let number = self.number();
        self.nodes.insert(number, node);
        self.names.insert(name.to_owned(), number);
        number
    }

    /// The file of a name. One that the program made by the system's own calls is taken in.
    pub(crate) fn find(&mut self, folder: &Path, name: &str) -> Option<u64> {
        if let Some(node) = self.names.get(name) {
            return Some(*node);
        }
        let bytes = std::fs::read(folder.join(name)).ok()?;
        Some(self.add(name, Node::new(name, bytes, false)))
    }

    /// # Errors
    /// [`Off`] when the file was opened before the disk went off.
    pub(crate) fn alive(&self, generation: u64) -> Result<(), Off> {
        if self.off || generation != self.generation {
            return Err(Off);
        }
        Ok(())
    }

    /// # Errors
    /// [`Off`] when the power is gone.
    pub(crate) fn on(&self) -> Result<(), Off> {
        if self.off { Err(Off) } else { Ok(()) }
    }

    /// Counts an operation and says how it goes.
    pub(crate) fn enter(&mut self, kind: Kind, operation: Operation) -> Verdict {
        self.operations += 1;
        let site = (self.phase, kind, operation);
        if let Some(left) = &mut self.cut_in {
            *left -= 1;
            if *left == 0 {
                self.cut_in = None;
                self.off = true;
                self.struck.push(site);
                return Verdict::Cut;
            }
        }
        let mut verdict = Verdict::Go;
        for fault in &mut self.faults {
            match fault.strikes(operation) {
                // Only a flush can be claimed: of the rest the system itself would notice.
                Some(Failure::Lie) if operation != Operation::Sync => {}
                Some(failure) => verdict = Verdict::Fail(failure),
                None => {}
            }
        }
        if verdict != Verdict::Go {
            self.struck.push(site);
        }
        verdict
    }

    /// Whether no byte can be added.
    pub(crate) fn is_full(&self) -> bool {
        self.faults.iter().any(Armed::is_full)
    }

    /// A flush of the folder.
    pub(crate) fn sync_names(&mut self) {
        for node in self.names.values() {
            if let Some(node) = self.nodes.get_mut(node) {
                node.named = true;
            }
        }
        for (_, node) in self.gone.drain(..) {
            self.nodes.remove(&node);
        }
    }

    pub(crate) fn remove(&mut self, folder: &Path, name: &str) {
        if let Some(node) = self.names.remove(name) {
            if self.nodes.get(&node).is_some_and(|n| n.named) {
                self.gone.push((name.to_owned(), node));
            }
            // What the folder held is not to be found again.
            let _ = std::fs::remove_file(folder.join(name));
        }
    }

    /// Leaves of each file what the disk may show.
    fn lose_power(&mut self) {
        let mut left = BTreeMap::new();
        // A name that went may be back, unless a newer file has its place.
        let gone = std::mem::take(&mut self.gone);
        let gone = gone.into_iter().map(|(name, node)| (name, node, false));
        let named = std::mem::take(&mut self.names);
        let named = named.into_iter().map(|(name, node)| (name, node, true));
        for (name, node, is_there) in gone.chain(named) {
            let Some(node) = self.nodes.get(&node) else {
                continue;
            };
            if is_there && node.named || self.rng.bool() {
                let bytes = node.image.after_power_loss(self.sector, &mut self.rng);
                left.insert(name, bytes);
            }
        }
        self.nodes.clear();
        for (name, bytes) in left {
            self.add(&name, Node::new(&name, bytes, true));
        }
    }

    fn start_again(&mut self) {
        self.generation += 1;
        self.off = false;
        self.cut_in = None;
        self.faults.clear();
        for node in self.nodes.values_mut() {
            node.let_go();
        }
    }
}
