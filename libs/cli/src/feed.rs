//! The events of a run, across broken connections.

use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use serde_json::Value;
use tonic::{Code, Status};

use crate::client::{Client, Messages};
use crate::error::Error;
use crate::exit::Exit;
use crate::text::field;

/// Connections in a row that bring no event before the watcher gives up: some eight
/// seconds, in which a server that is started again is back.
const FAILURES_MAX: u32 = 10;

/// Wait before the second connection; it doubles each time.
const WAIT_FIRST: Duration = Duration::from_millis(50);

/// Longest wait before a connection: a server that comes back is seen soon.
const WAIT_MAX: Duration = Duration::from_secs(2);

struct Feed {
    client: Client,
    run: String,
    /// Cursor of the last event that was seen.
    after: String,
    messages: Option<Messages>,
    failures: u32,
    ended: bool,
}

/// The events of a run from behind a cursor, empty for its start, up to the one that
/// ends it.
///
/// A broken stream is taken up again behind the last event that came.
pub(crate) fn events(
    client: Client,
    run: &str,
    after: &str,
) -> impl Stream<Item = Result<Value, Error>> + Send + use<> {
    let feed = Feed {
        client,
        run: run.to_owned(),
        after: after.to_owned(),
        messages: None,
        failures: 0,
        ended: false,
    };
    stream::unfold(feed, |mut feed| async move {
        if feed.ended {
            return None;
        }
        let next = feed.next().await;
        feed.ended = next.as_ref().map_or(true, is_end);
        Some((next, feed))
    })
}

/// Whether an event is the one that ends its run.
pub(crate) fn is_end(event: &Value) -> bool {
    field(event, "kind") == "run" && Exit::of_run(field(event, "status")) != Exit::Unfinished
}

impl Feed {
    async fn next(&mut self) -> Result<Value, Error> {
        loop {
            let failed = match self.message().await {
                Ok(Some(event)) => {
                    self.failures = 0;
                    field(&event, "cursor").clone_into(&mut self.after);
                    return Ok(event);
                }
                Ok(None) => None,
                Err(status) if is_final(&status) => return Err(self.client.failed(&status)),
                Err(status) => Some(status),
            };
            self.messages = None;
            self.failures += 1;
            if self.failures >= FAILURES_MAX {
                let status = failed
                    .unwrap_or_else(|| Status::unavailable("the stream of events ended early"));
                return Err(self.client.failed(&status));
            }
            let wait = WAIT_FIRST * 2u32.pow(self.failures - 1);
            tokio::time::sleep(wait.min(WAIT_MAX)).await;
        }
    }

    async fn message(&mut self) -> Result<Option<Value>, Status> {
        if self.messages.is_none() {
            self.messages = Some(self.client.watch(&self.run, &self.after).await?);
        }
        match &mut self.messages {
            Some(messages) => messages.next().await.transpose(),
            None => Ok(None),
        }
    }
}

/// Whether asking again would give the same answer.
fn is_final(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::NotFound
            | Code::InvalidArgument
            | Code::Unauthenticated
            | Code::PermissionDenied
            | Code::Unimplemented
            | Code::FailedPrecondition
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn end_of_a_task_is_no_end_of_the_run() {
        assert!(!is_end(&json!({"kind": "task", "status": "succeeded"})));
        assert!(!is_end(&json!({"kind": "run", "status": "running"})));
        assert!(!is_end(&json!({"kind": "run", "status": "cancelling"})));
        assert!(is_end(&json!({"kind": "run", "status": "timedOut"})));
    }

    #[tokio::test(start_paused = true)]
    async fn watcher_gives_up_on_a_server_that_never_answers() {
        // Nobody listens on the port of a listener that is gone.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let client = Client::of_runs(&format!("http://127.0.0.1:{port}"), None).unwrap();
        let all: Vec<_> = events(client, "run_36zn0sv00pg07", "").collect().await;
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].as_ref().unwrap_err().exit(), Exit::Unreachable);
    }
}
