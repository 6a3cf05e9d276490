//! Watching a run to its end.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::client::Client;
use crate::error::Error;
use crate::feed;
use crate::interrupts::Interrupts;
use crate::output::Output;
use crate::viewer::Viewer;

/// Pictures of a terminal are this far apart: ten a second are as many as one can see.
const REDRAW: Duration = Duration::from_millis(100);

/// What ends watching before the run does.
#[derive(Debug)]
pub(crate) struct Limits<'a> {
    pub(crate) interrupts: &'a mut Interrupts,
    pub(crate) timeout: Option<Duration>,
}

/// Watches a run to its end; the result document.
///
/// # Errors
/// [`Error::Interrupted`] and [`Error::Unfinished`] say how to return; the run goes on.
pub(crate) async fn follow(
    client: &Client,
    run: &str,
    viewer: &mut Viewer,
    limits: Limits<'_>,
    output: &mut Output,
) -> Result<Value, Error> {
    let start = Instant::now();
    let now = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut events = pin!(feed::events(client.clone(), run));
    let mut redraw = interval(REDRAW);
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let deadline = limits.timeout.map(|t| start + t);
    let ended = loop {
        tokio::select! {
            biased;
            () = limits.interrupts.next() => break Err(interrupted(run)),
            () = sleep_until(deadline.unwrap_or(start)), if deadline.is_some() => {
                break Err(unfinished(run, limits.timeout.unwrap_or_default()));
            }
            event = events.next() => match event {
                Some(Ok(event)) => {
                    viewer.event(&event, now(), output)?;
                    if feed::is_end(&event) {
                        break Ok(event);
                    }
                }
                Some(Err(error)) => break Err(error),
                None => break Err(interrupted(run)),
            },
            _ = redraw.tick(), if viewer.is_live() => viewer.draw(now(), output),
        }
    };
    viewer.close(now(), output);
    match ended?.get_mut("run").map(Value::take) {
        Some(document) if document.is_object() => Ok(document),
        _ => document(client, run).await,
    }
}

/// How a run stands.
pub(crate) async fn document(client: &Client, run: &str) -> Result<Value, Error> {
    let mut answer = client
        .call("orchestrator.get_run", json!({"runId": run}))
        .await?;
    Ok(answer.get_mut("run").map(Value::take).unwrap_or_default())
}

fn interrupted(run: &str) -> Error {
    Error::Interrupted {
        message: format!("watching ended; {run} goes on"),
        help: Some(format!("gearmesh run watch {run}")),
    }
}

fn unfinished(run: &str, timeout: Duration) -> Error {
    Error::Unfinished {
        what: run.to_owned(),
        within: gearmesh_workflow::duration::Text(timeout).to_string(),
        help: format!("it goes on; gearmesh run watch {run}"),
    }
}
