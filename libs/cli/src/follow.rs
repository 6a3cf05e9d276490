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
use crate::limit::{Limit, reached};
use crate::output::Output;
use crate::text::{field, printable};
use crate::viewer::Viewer;

/// Pictures of a terminal are this far apart: ten a second are as many as one can see.
const REDRAW: Duration = Duration::from_millis(100);

/// Changes of a run that come closer together than this are one: a run that asks people
/// something is looked at when the last of them is in, and once.
const QUIET: Duration = Duration::from_millis(50);

/// What ends watching before the run does.
#[derive(Debug)]
pub(crate) struct Limits<'a> {
    pub(crate) interrupts: &'a mut Interrupts,
    pub(crate) limit: Option<Limit>,
    /// Leave a run that waits for nothing but people.
    pub(crate) until_asked: bool,
}

/// How far a run was watched. Who watches it at another mesh goes on from there.
#[derive(Debug)]
pub(crate) struct Progress {
    viewer: Viewer,
    begun: Instant,
    /// Cursor of the last event that was shown.
    after: String,
    /// Whether a task has asked people something.
    asked: bool,
}

impl Progress {
    pub(crate) fn new(viewer: Viewer) -> Self {
        Self {
            viewer,
            begun: Instant::now(),
            after: String::new(),
            asked: false,
        }
    }

    /// Milliseconds since watching began.
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn show(&mut self, event: &Value, output: &mut Output) -> Result<(), Error> {
        let now = self.now();
        self.viewer.event(event, now, output)?;
        // Nothing comes behind the end, which whoever goes on must see again.
        if !feed::is_end(event) {
            field(event, "cursor").clone_into(&mut self.after);
        }
        self.asked |= waits_for_people(event);
        Ok(())
    }

    fn draw(&mut self, output: &mut Output) {
        let now = self.now();
        self.viewer.draw(now, output);
    }

    fn close(&mut self, output: &mut Output) {
        let now = self.now();
        self.viewer.close(now, output);
    }
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
    progress: &mut Progress,
    limits: Limits<'_>,
    output: &mut Output,
) -> Result<Ending, Error> {
    let mut events = pin!(feed::events(client.clone(), run, &progress.after));
    let mut redraw = interval(REDRAW);
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let keyboard = progress.viewer.is_tree().then(Keyboard::open).flatten();
    // When the run is looked at, to see whether it waits for nothing but people.
    let mut look = (limits.until_asked && progress.asked).then(Instant::now);
    let ended = loop {
        tokio::select! {
            biased;
            () = limits.interrupts.next() => break Err(interrupted(run)),
            () = reached(limits.limit) => {
                break Err(unfinished(run, limits.limit.map(|l| l.within).unwrap_or_default()));
            }
            event = events.next() => match event {
                Some(Ok(event)) => {
                    progress.show(&event, output)?;
                    if feed::is_end(&event) {
                        break Ok(Some(event));
                    }
                    if limits.until_asked && progress.asked {
                        look = Some(Instant::now() + QUIET);
                    }
                }
                Some(Err(error)) => break Err(error),
                None => break Err(interrupted(run)),
            },
            () = sleep_until(look.unwrap_or(progress.begun)), if look.is_some() => {
                look = None;
                if is_waiting(client, run).await? {
                    progress.close(output);
                    tell_questions(client, run, output).await?;
                    return Ok(Ending::Left);
                }
            }
            _ = redraw.tick(), if progress.viewer.is_live() => {
                if keyboard.as_ref().is_some_and(Keyboard::quit_pressed) {
                    break Ok(None);
                }
                progress.draw(output);
            }
        }
    };
    progress.close(output);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Format, capture};

    #[test]
    fn progress_keeps_its_place_and_what_was_asked() {
        let (mut output, out, _) = capture::output(Format::Json);
        let mut progress = Progress::new(Viewer::Events);
        let events = [
            json!({"cursor": "1", "kind": "run", "status": "running"}),
            json!({"cursor": "2", "kind": "task", "task": "t", "status": "waiting", "note": "event"}),
        ];
        for event in &events {
            progress.show(event, &mut output).unwrap();
        }
        assert_eq!((progress.after.as_str(), progress.asked), ("2", false));
        let asks = json!({"cursor": "5", "kind": "task", "status": "waiting", "note": "approval"});
        progress.show(&asks, &mut output).unwrap();
        let end = json!({"cursor": "6", "kind": "run", "status": "failed"});
        progress.show(&end, &mut output).unwrap();
        assert_eq!((progress.after.as_str(), progress.asked), ("5", true));
        assert_eq!(out.text().lines().count(), 4);
    }
}
