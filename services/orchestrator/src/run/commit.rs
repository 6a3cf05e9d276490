//! Making what was decided durable, and what goes on meanwhile.

use gearmesh_api::journal::v1 as journal;

use crate::error::Error;
use crate::journal::{FULL_LOOK, append, settled};
use crate::plan::State;
use crate::run::driver::Driver;
use crate::run::load;
use crate::seal;

impl Driver {
    /// Appends to the journal; a full one is waited out, and so is a vault that is away.
    pub(super) async fn commit(&mut self, records: &[journal::Record]) -> Result<(), Error> {
        let status = self.state.status();
        let status = (status != self.listed && !self.state.ended()).then_some(status);
        let mut durable = None;
        // What is sensitive is never written as it is.
        let records = loop {
            match seal::records(&self.cx, &self.state, records).await {
                Ok(sealed) => break sealed,
                Err(cause) if self.cx.shutdown().is_cancelled() => {
                    return Err(Error::Sealing(Box::new(cause)));
                }
                Err(cause) if durable.is_none() => {
                    let error = cause.message();
                    tracing::error!(run = %self.state.run, error, "the run waits for the vault");
                }
                Err(_) => {}
            }
            self.wait_for_space(&mut durable).await;
        };
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let last = self.last.saturating_add(count);
        let mut doubt = false;
        loop {
            let (journal, state) = (&self.journal, &self.state);
            let appended = append(journal, self.id, state, self.last, &records, status).await;
            let why = appended.as_ref().err().map(ToString::to_string);
            if settled(&self.cx, appended, last, &mut doubt)? {
                break;
            }
            if durable.is_none() {
                tracing::error!(run = %self.state.run, why, "the run waits for the store");
            }
            self.wait_for_space(&mut durable).await;
        }
        self.listed = status.unwrap_or(self.listed);
        self.last = last;
        Ok(())
    }

    /// Lets a while pass, in which whoever looks sees what is durable. What comes for the
    /// run stays in the inbox.
    async fn wait_for_space(&mut self, durable: &mut Option<Box<State>>) {
        let clock = self.cx.clock().clone();
        let wait = clock.sleep(FULL_LOOK);
        tokio::pin!(wait);
        if durable.is_none() {
            let records = self.shown.all();
            *durable = load::state(self.state.run.clone(), &records)
                .ok()
                .map(Box::new);
        }
        loop {
            tokio::select! {
                () = &mut wait => return,
                // One that cannot be answered is dropped, and who asked hears that.
                Some(look) = self.looks.recv() => if let Some(durable) = &durable {
                    look(durable);
                },
            }
        }
    }
}
