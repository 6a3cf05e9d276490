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
use crate::keyboard::Keyboard;
use crate::output::Output;
use crate::text::{field, printable};
use crate::viewer::Viewer;

/// Pictures of a terminal are this far apart: ten a second are as many as one can see.
const REDRAW: Duration = Duration::from_millis(100);

/// What ends watching before the run does.
#[derive(Debug)]
pub(crate) struct Limits<'a> {
    pub(crate) interrupts: &'a mut Interrupts,
    pub(crate) timeout: Option<Duration>,
    /// Leave a run that waits for nothing but people.
    pub(crate) until_asked: bool,
}

/// How watching ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The run has ended; its document.
    Ended(Value),
    /// The run goes on, and it was said how to return.
    Left,
}

/// Watches a run to its end, or until it is left.
///
/// # Errors
/// [`Error::Interrupted`] and [`Error::Unfinished`] say how to return; the run goes on.
pub(crate) async fn follow(
    client: &Client,
    run: &str,
    viewer: &mut Viewer,
    limits: Limits<'_>,
    output: &mut Output,
) -> Result<Ending, Error> {
    let start = Instant::now();
    let now = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut events = pin!(feed::events(client.clone(), run));
    let mut redraw = interval(REDRAW);
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let deadline = limits.timeout.map(|t| start + t);
    let keyboard = viewer.is_tree().then(Keyboard::open).flatten();
    let mut asked = false;
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
                        break Ok(Some(event));
                    }
                    asked |= limits.until_asked && waits_for_people(&event);
                    if asked && is_waiting(client, run).await? {
                        viewer.close(now(), output);
                        tell_questions(client, run, output).await?;
                        return Ok(Ending::Left);
                    }
                }
                Some(Err(error)) => break Err(error),
                None => break Err(interrupted(run)),
            },
            _ = redraw.tick(), if viewer.is_live() => {
                if keyboard.as_ref().is_some_and(Keyboard::quit_pressed) {
                    break Ok(None);
                }
                viewer.draw(now(), output);
            }
        }
    };
    viewer.close(now(), output);
    drop(keyboard);
    let Some(mut event) = ended? else {
        output.note(&format!("{run} goes on; gearmesh run watch {run}"));
        return Ok(Ending::Left);
    };
    Ok(Ending::Ended(match event.get_mut("run").map(Value::take) {
        Some(document) if document.is_object() => document,
        _ => document(client, run).await?,
    }))
}

/// Whether a task asks people something.
fn waits_for_people(event: &Value) -> bool {
    field(event, "status") == "waiting" && ["approval", "decision"].contains(&field(event, "note"))
}

/// Whether nothing of the run is under way.
async fn is_waiting(client: &Client, run: &str) -> Result<bool, Error> {
    Ok(field(&document(client, run).await?, "status") == "waiting")
}

/// Says what a run asks, and how it is answered.
async fn tell_questions(client: &Client, run: &str, output: &mut Output) -> Result<(), Error> {
    /// Questions that are shown; `approval list` has all.
    const SHOWN: usize = 5;
    let params = json!({"runId": run});
    let (questions, more) = client
        .pages("orchestrator.list_approvals", params, "approvals", SHOWN)
        .await?;
    output.note(&format!("{run} waits for people"));
    for question in &questions {
        let id = printable(field(question, "approvalId")).into_owned();
        let message = printable(field(question, "message")).into_owned();
        output.note(&format!("  {message}\n  gearmesh approval approve {id}"));
    }
    if more {
        output.note("  gearmesh approval list shows all");
    }
    Ok(())
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
