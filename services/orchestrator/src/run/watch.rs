//! Following a run from a cursor.

use tokio::sync::mpsc;
use tonic::Status;

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_store::parse_run;

use crate::error::Error;
use crate::plan::State;
use crate::run::events::events;
use crate::run::live::Live;
use crate::run::load;
use crate::run::runs::{Runs, Standing};
use crate::seal;

/// A watcher of one run: a state of its own that takes in what it has shown.
#[derive(Debug)]
pub(crate) struct Watch {
    state: State,
    /// Records that the state has taken in.
    seen: u32,
    /// Events that are ready to be sent.
    pending: Vec<api::WatchRunResponse>,
    /// Where further records come from; none when the run has ended.
    live: Option<Live>,
    runs: Runs,
}

impl Watch {
    /// Opens a watcher behind `after` records.
    pub(crate) async fn open(runs: Runs, run: &str, after: u32) -> Result<Self, Error> {
        let standing = runs.settled(run).await?;
        let id = parse_run(run).ok_or_else(|| Error::RunNotFound(run.to_owned()))?;
        let (records, live) = match standing {
            Standing::Live(live) => {
                let records = live.records(0).await;
                (records.iter().map(|r| (**r).clone()).collect(), Some(live))
            }
            Standing::Ended(_) => {
                let records = seal::read(runs.context(), runs.journal(), id).await?;
                (records, None)
            }
        };
        let seen = u32::try_from(records.len()).unwrap_or(u32::MAX);
        if after > seen {
            return Err(Error::Cursor(after.to_string()));
        }
        let mut state = load::state(run.to_owned(), &records[..1])?;
        let mut pending = events(&mut state, 0, &records);
        pending.retain(|e| e.cursor.parse::<u32>().is_ok_and(|n| n > after));
        Ok(Self {
            state,
            seen,
            pending,
            live,
            runs,
        })
    }

    /// Sends events until the run has ended or nobody listens any more.
    pub(crate) async fn send_to(
        mut self,
        sender: mpsc::Sender<Result<api::WatchRunResponse, Status>>,
    ) {
        let shutdown = self.runs.context().shutdown().clone();
        loop {
            for event in self.pending.drain(..) {
                if sender.send(Ok(event)).await.is_err() {
                    return;
                }
            }
            let Some(live) = self.live.clone().filter(|_| !self.state.ended()) else {
                return;
            };
            let records = tokio::select! {
                records = live.records(self.seen) => records,
                () = sender.closed() => return,
                () = shutdown.cancelled() => {
                    let _ = sender.send(Err(Error::Stopping.into())).await;
                    return;
                }
            };
            if records.is_empty() {
                return;
            }
            self.pending = events(
                &mut self.state,
                self.seen,
                records.iter().map(AsRef::as_ref),
            );
            self.seen += u32::try_from(records.len()).unwrap_or_default();
        }
    }
}
