//! A mesh in this process, for as long as somebody needs it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::client::Client;
use crate::error::Error;
use crate::exit::Exit;
use crate::feed;
use crate::globals::Globals;
use crate::interrupts::Interrupts;
use crate::limit::reached;
use crate::output::Output;
use crate::report;
use crate::server;
use crate::starter::{StartError, StartOptions, Started, Starter};
use crate::text::{count, field, printable};

/// How long a process that holds the folder may take until it serves or lets go, and how
/// long work is taken from one such process to the next: as long as one may drain.
pub(crate) const PEER_MAX: Duration = Duration::from_secs(10);

/// Time between two looks at such a process.
pub(crate) const PEER_LOOK: Duration = Duration::from_millis(25);

/// Resumed runs that are named; the rest is counted.
const RESUMED_MAX: usize = 3;

/// What becomes of open runs when their process ends.
pub(crate) const GO_ON: &str =
    "go on with the next `gearmesh run FILE` or `gearmesh dev` in this folder";

/// Runs that are asked for at once, the most that a page has.
const PAGE: u32 = 200;

/// Where the mesh of a command is.
#[derive(Debug)]
pub(crate) enum Place {
    /// Elsewhere, at this address.
    There(String),
    /// In this process.
    Here(Started),
}

impl Place {
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::There(url) => url,
            Self::Here(started) => &started.url,
        }
    }
}

/// The settings of a mesh that a command starts, before what is special to the command.
pub(crate) fn options(globals: &Globals) -> StartOptions {
    StartOptions {
        folder: globals.folder(),
        config_file: globals.config.clone(),
        set: globals.set.clone(),
        roots: globals.root.clone(),
        laptop: true,
        ..StartOptions::default()
    }
}

/// The mesh of the folder: the one that serves it already, else one in this process.
///
/// Of two processes that start one at the same time the second waits for the first
/// and uses its mesh.
pub(crate) async fn reach(starter: &Starter, options: StartOptions) -> Result<Place, Error> {
    let deadline = Instant::now() + PEER_MAX;
    loop {
        match (starter.start)(options.clone()).await {
            Ok(started) => return Ok(Place::Here(started)),
            Err(error) if error.code == StartError::LOCKED && Instant::now() < deadline => {
                if let Some(url) = server::announced(&options.folder) {
                    return Ok(Place::There(url));
                }
                sleep(PEER_LOOK).await;
            }
            Err(error) => return Err(Error::Start(error)),
        }
    }
}

/// What a command wants of the mesh.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wants {
    /// The stand-ins beside a mesh in this process.
    pub(crate) demo: bool,
    /// Only a look: runs that are open are left to a later command.
    pub(crate) look: bool,
    /// Files may be written, so that `--root` must hold.
    pub(crate) roots: bool,
}

/// Tells which flags change nothing, since the mesh is elsewhere.
pub(crate) fn unheeded(output: &mut Output, flags: &[&str], url: &str) {
    if !flags.is_empty() {
        output.note(&format!(
            "warning: no effect of {}: {url} serves with its own settings",
            flags.join(", ")
        ));
    }
}

fn heed(app: &mut App, wants: Wants, url: &str) -> Result<(), Error> {
    if wants.roots && !app.globals.root.is_empty() {
        return Err(Error::Conflict {
            code: crate::error::SERVED_ALREADY,
            message: format!("--root has no effect: {url} serves with its own settings"),
            help: "stop that server, or start it with --root".to_owned(),
        });
    }
    let mut flags = app.globals.of_own_mesh();
    // A command that only looks takes no such flag; it never wants the stand-ins.
    if !wants.demo && !wants.look {
        flags.push("--no-demo");
    }
    unheeded(&mut app.output, &flags, url);
    Ok(())
}

/// Does work that needs the runs of this folder: at the server, else with a mesh in this
/// process, which then serves until no run is open.
pub(crate) async fn with_mesh(
    app: &mut App,
    wants: Wants,
    work: impl AsyncFnOnce(&mut App, &Client, &mut Interrupts) -> Result<Exit, Error>,
) -> Result<Exit, Error> {
    let limit = app.limit();
    let mut interrupts = Interrupts::listen()?;
    let place = match &app.server {
        Some(url) => Place::There(url.clone()),
        None => {
            let options = StartOptions {
                announce: true,
                command: "run",
                demo: wants.demo,
                listen: Some(([127, 0, 0, 1], 0).into()),
                ..options(&app.globals)
            };
            reach(&app.starter, options).await?
        }
    };
    let client = Client::of_runs(place.url(), limit)?;
    match &place {
        Place::There(url) => heed(app, wants, url)?,
        Place::Here(_) if wants.look => {}
        Place::Here(_) => tell_resumed(&client, &mut app.output).await,
    }
    let result = work(app, &client, &mut interrupts).await;
    let Place::Here(started) = place else {
        return result;
    };
    if wants.look {
        tell_left(&client, &mut app.output).await;
        let stopping = stop(started, &mut interrupts);
        tokio::select! {
            stopped = stopping => stopped?,
            // What is cut off here is taken up like a run whose process was killed.
            () = reached(limit) => {}
        }
        return result;
    }
    let shown = match result {
        Err(error @ (Error::Interrupted { .. } | Error::Unfinished { .. })) => {
            app.output.note(&stopping(&error));
            stop(started, &mut interrupts).await?;
            return Err(error);
        }
        Err(error) => {
            report::error(&mut app.output, &error);
            error.exit()
        }
        Ok(exit) => exit,
    };
    let left = tokio::select! {
        left = linger(&client, &mut interrupts, &mut app.output) => left,
        // The command's own work is done; that of others need not end in its time.
        () = reached(limit) => {
            app.output.note(&format!("stopping at --timeout; open runs {GO_ON}"));
            Ok(())
        }
    };
    if let Err(error @ Error::Interrupted { .. }) = &left {
        app.output.note(&stopping(error));
    }
    stop(started, &mut interrupts).await?;
    left.map(|()| shown)
}

/// What is said when a mesh of this process ends before its runs.
fn stopping(error: &Error) -> String {
    let mut text = format!("stopping; open runs {GO_ON}");
    if matches!(error, Error::Interrupted { .. }) {
        text.push_str("; Ctrl-C once more leaves at once");
    }
    text
}

/// Names the runs that an earlier process left open. That this fails is told by the
/// command's own call.
async fn tell_resumed(client: &Client, output: &mut Output) {
    let open = open_runs(client).await.unwrap_or_default();
    for line in resumed(&open) {
        output.note(&line);
    }
}

fn resumed(open: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = open
        .iter()
        .take(RESUMED_MAX)
        .map(|run| {
            let (id, name) = (field(run, "runId"), field(run, "workflow"));
            printable(&format!("{id} ({name}) was open and goes on")).into_owned()
        })
        .collect();
    if let Some(more @ 1..) = open.len().checked_sub(RESUMED_MAX) {
        lines.push(format!("{} more go on", count(more as u64, "open run")));
    }
    lines
}

/// Says that open runs are left to a later command.
async fn tell_left(client: &Client, output: &mut Output) {
    let open = open_runs(client).await.unwrap_or_default();
    if !open.is_empty() {
        let open = count(open.len() as u64, "run");
        output.note(&format!(
            "{open} of this folder still open; open runs {GO_ON}"
        ));
    }
}

/// Says that runs wait, for people, events or a time: this process does not.
async fn tell_waiting(client: &Client, output: &mut Output) {
    let waiting = runs_with(client, &["waiting", "paused"]).await;
    let waiting = waiting.unwrap_or_default().len() as u64;
    if waiting > 0 {
        let waiting = count(waiting, "run");
        output.note(&format!(
            "{waiting} of this folder waiting or paused; they {GO_ON}"
        ));
    }
}

/// Serves until no run is open, so that runs which others started here, or which an
/// earlier process left open, come to their ends.
async fn linger(
    client: &Client,
    interrupts: &mut Interrupts,
    output: &mut Output,
) -> Result<(), Error> {
    let mut said = false;
    loop {
        let open = open_runs(client).await?;
        let Some(run) = open.first().map(|run| field(run, "runId")) else {
            tell_waiting(client, output).await;
            return Ok(());
        };
        if !said {
            output.note(&format!(
                "{} of this folder still open; this process serves until the last has ended",
                count(open.len() as u64, "run")
            ));
            said = true;
        }
        let mut events = std::pin::pin!(feed::events(client.clone(), run, ""));
        loop {
            tokio::select! {
                event = futures::StreamExt::next(&mut events) => match event {
                    Some(event) => { event?; }
                    None => break,
                },
                () = interrupts.next() => {
                    return Err(Error::Interrupted {
                        message: format!("{} left open", count(open.len() as u64, "run")),
                        help: Some(format!("they {GO_ON}")),
                    });
                }
            }
        }
    }
}

/// The runs under way.
async fn open_runs(client: &Client) -> Result<Vec<Value>, Error> {
    runs_with(client, &["running", "queued"]).await
}

async fn runs_with(client: &Client, statuses: &[&str]) -> Result<Vec<Value>, Error> {
    let mut found = Vec::new();
    for status in statuses {
        let mut answer = client
            .call(
                "orchestrator.list_runs",
                json!({"status": status, "pageSize": PAGE}),
            )
            .await?;
        if let Some(Value::Array(runs)) = answer.get_mut("runs").map(Value::take) {
            found.extend(runs);
        }
    }
    Ok(found)
}

/// Ends a mesh of this process; a signal meanwhile leaves at once.
pub(crate) async fn stop(started: Started, interrupts: &mut Interrupts) -> Result<(), Error> {
    tokio::select! {
        () = (started.stop)() => Ok(()),
        () = interrupts.next() => Err(Error::Interrupted { message: "left before everything had ended".into(), help: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_resumed_runs_are_named_and_the_rest_counted() {
        let open = |n: usize| -> Vec<Value> {
            (0..n)
                .map(|i| json!({"runId": format!("run_{i}"), "workflow": "w"}))
                .collect()
        };
        assert!(resumed(&[]).is_empty());
        assert_eq!(resumed(&open(1)), ["run_0 (w) was open and goes on"]);
        assert_eq!(resumed(&open(RESUMED_MAX)).len(), RESUMED_MAX);
        assert_eq!(
            resumed(&open(RESUMED_MAX + 2)).last().map(String::as_str),
            Some("2 open runs more go on")
        );
    }
}
