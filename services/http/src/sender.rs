//! A call: attempts until one answers, time is over or trying is of no use.

use std::sync::Arc;
use std::time::Duration;

use gearmesh_runtime::{Clock, Rng};

use crate::client::Clients;
use crate::error::Error;
use crate::exchange::{Answer, exchange};
use crate::request::Request;
use crate::retry;

/// Sends requests.
#[derive(Debug)]
pub(crate) struct Sender {
    clients: Clients,
    /// Ports that the configuration allows.
    ports: Vec<u16>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
}

/// An answer with what it took.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) answer: Answer,
    /// From 1.
    pub(crate) attempts: u32,
    /// Waited between the attempts.
    pub(crate) total_delay: Duration,
}

impl Sender {
    pub(crate) fn new(ports: Vec<u16>, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        Self {
            clients: Clients::default(),
            ports,
            clock,
            rng,
        }
    }

    /// Sends a request, and again up to `retries` times while that may help, is
    /// harmless and ends before `limit` is over.
    pub(crate) async fn send(
        &self,
        request: &Request,
        retries: u32,
        limit: Duration,
    ) -> Result<Sent, Error> {
        let start = self.clock.monotonic_us();
        let retries = if request.is_resendable() { retries } else { 0 };
        let mut total_delay = Duration::ZERO;
        let mut retry = 0;
        loop {
            let error =
                match exchange(&self.clients, &self.ports, request, self.clock.now_ms()).await {
                    Ok(answer) => {
                        return Ok(Sent {
                            answer,
                            attempts: retry + 1,
                            total_delay,
                        });
                    }
                    Err(e) if retry < retries && e.is_transient() => e,
                    Err(e) => return Err(e),
                };
            let wait = self.wait(retry, &error);
            let spent = Duration::from_micros(self.clock.monotonic_us().saturating_sub(start));
            // The known error tells more than running into the deadline would.
            if spent + wait >= limit {
                return Err(error);
            }
            tracing::debug!(error = %error, retry, wait_ms = wait.as_millis(), "sending again");
            self.clock.sleep(wait).await;
            total_delay += wait;
            retry += 1;
        }
    }

    /// A key for a request whose caller gave none: it joins the attempts of this call.
    pub(crate) fn random_key(&self) -> String {
        format!("{:016x}{:016x}", self.rng.number(), self.rng.number())
    }

    /// What the server asks for, else the schedule's wait.
    fn wait(&self, retry: u32, error: &Error) -> Duration {
        let error = match error {
            Error::Behind(cause) => cause,
            other => other,
        };
        let asked = match error {
            Error::Status { retry_after, .. } => *retry_after,
            _ => None,
        };
        asked.unwrap_or_else(|| retry::delay(retry, self.rng.fraction()))
    }
}
