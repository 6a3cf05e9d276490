//! A run under way, as others see it: what they may send it, and what it shows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};

use gearmesh_api::journal::v1 as journal;
use journal::record::Fact;

use crate::plan::{Input, State};

/// Messages that may wait for one run: its attempts and some questions.
pub(super) const INBOX: usize = 1_024;

/// Looks at one run that may wait: they take no time.
pub(super) const LOOKS: usize = 256;

/// What is sent to a run under way.
#[derive(Debug)]
pub(crate) enum Message {
    Input(Input),
    /// Answered once what follows from the input is durable.
    Ask(Input, oneshot::Sender<()>),
}

/// A look at a run as it stands.
pub(crate) type Look = Box<dyn FnOnce(&State) + Send>;

/// A run under way, as others see it.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(super) inbox: mpsc::Sender<Message>,
    pub(super) looks: mpsc::Sender<Look>,
    pub(super) shown: Arc<Shown>,
}

/// The durable records of a run, for its watchers.
#[derive(Debug)]
pub(crate) struct Shown {
    records: Mutex<Vec<Arc<journal::Record>>>,
    durable: watch::Sender<u32>,
}

impl Shown {
    pub(crate) fn new(records: Vec<journal::Record>) -> Self {
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        Self {
            records: Mutex::new(records.into_iter().map(Arc::new).collect()),
            durable: watch::Sender::new(count),
        }
    }

    /// All that are durable.
    pub(crate) fn all(&self) -> Vec<journal::Record> {
        let records = lock(&self.records);
        records.iter().map(|record| (**record).clone()).collect()
    }

    /// Shows records that have become durable.
    pub(crate) fn publish(&self, records: Vec<journal::Record>) {
        let added = u32::try_from(records.len()).unwrap_or_default();
        lock(&self.records).extend(records.into_iter().map(Arc::new));
        self.durable.send_modify(|n| *n += added);
    }
}

impl Live {
    /// Records behind `after`; waits for one if there is none yet. Empty when the
    /// run is not driven here any more.
    pub(crate) async fn records(&self, after: u32) -> Vec<Arc<journal::Record>> {
        let mut durable = self.shown.durable.subscribe();
        tokio::select! {
            biased;
            // The sender lives as long as `shown` does.
            _ = durable.wait_for(|n| *n > after) => {}
            // The driver shows its last records before it drops its inbox.
            () = self.inbox.closed() => {}
        }
        lock(&self.shown.records)
            .get(after as usize..)
            .unwrap_or_default()
            .to_vec()
    }

    /// Waits for the record that ends the run.
    pub(super) async fn closed(&self) {
        let mut seen = 0;
        loop {
            let records = self.records(seen).await;
            let ends = |r: &Arc<journal::Record>| matches!(r.fact, Some(Fact::Closed(_)));
            if records.is_empty() || records.iter().any(ends) {
                return;
            }
            seen += u32::try_from(records.len()).unwrap_or_default();
        }
    }

    /// Looks at the run as it stands; none when it is not driven here any more.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Option<T> {
        let (tell, told) = oneshot::channel();
        let look = move |state: &State| {
            // Who asked may have left.
            let _ = tell.send(look(state));
        };
        self.looks.send(Box::new(look)).await.ok()?;
        told.await.ok()
    }

    /// Gives an input; true once what follows from it is durable.
    pub(crate) async fn ask(&self, input: Input) -> bool {
        let (tell, told) = oneshot::channel();
        self.inbox.send(Message::Ask(input, tell)).await.is_ok() && told.await.is_ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
