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
use crate::output::Output;
use crate::report;
use crate::server;
use crate::starter::{StartError, StartOptions, Started, Starter};
use crate::text::{count, field};

/// How long a process that holds the folder may take until it serves or lets go.
const PEER_MAX: Duration = Duration::from_secs(10);

/// Time between two looks at such a process.
const PEER_LOOK: Duration = Duration::from_millis(25);

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
        config_file: globals
            .config
            .clone()
            .unwrap_or_else(|| "gearmesh.toml".into()),
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

/// Does work that needs the runs of this folder: at the server, else with a mesh in this
/// process, which then serves until no run is open.
pub(crate) async fn with_mesh(
    app: &mut App,
    demo: bool,
    work: impl AsyncFnOnce(&mut App, &Client, &mut Interrupts) -> Result<Exit, Error>,
) -> Result<Exit, Error> {
    let mut interrupts = Interrupts::listen()?;
    let place = match &app.server {
        Some(url) => Place::There(url.clone()),
        None => {
            let options = StartOptions {
                announce: true,
                demo,
                listen: Some(([127, 0, 0, 1], 0).into()),
                ..options(&app.globals)
            };
            reach(&app.starter, options).await?
        }
    };
    let client = Client::of_runs(place.url(), None)?;
    let result = work(app, &client, &mut interrupts).await;
    let Place::Here(started) = place else {
        return result;
    };
    let shown = match result {
        Err(error @ (Error::Interrupted { .. } | Error::Unfinished { .. })) => {
            app.output.note("stopping; open runs go on with the next `gearmesh run` or `gearmesh dev` in this folder");
            stop(started, &mut interrupts).await?;
            return Err(error);
        }
        Err(error) => {
            report::error(&mut app.output, &error);
            error.exit()
        }
        Ok(exit) => exit,
    };
    let left = linger(&client, &mut interrupts, &mut app.output).await;
    stop(started, &mut interrupts).await?;
    left.map(|()| shown)
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
        let Some(run) = open.first() else {
            return Ok(());
        };
        if !said {
            output.note(&format!(
                "{} of this folder still open; this process serves until the last has ended",
                count(open.len() as u64, "run")
            ));
            said = true;
        }
        let mut events = std::pin::pin!(feed::events(client.clone(), run));
        loop {
            tokio::select! {
                event = futures::StreamExt::next(&mut events) => match event {
                    Some(event) => { event?; }
                    None => break,
                },
                () = interrupts.next() => {
                    return Err(Error::Interrupted {
                        message: format!("{} left open", count(open.len() as u64, "run")),
                        help: Some("they go on with the next `gearmesh run` or `gearmesh dev` in this folder".into()),
                    });
                }
            }
        }
    }
}

/// Ids of the runs that have not ended.
async fn open_runs(client: &Client) -> Result<Vec<String>, Error> {
    let mut open = Vec::new();
    for status in ["running", "queued"] {
        let answer = client
            .call(
                "orchestrator.list_runs",
                json!({"status": status, "pageSize": PAGE}),
            )
            .await?;
        let runs = answer.get("runs").and_then(Value::as_array);
        open.extend(
            runs.into_iter()
                .flatten()
                .map(|run| field(run, "runId").to_owned()),
        );
    }
    Ok(open)
}

/// Ends a mesh of this process; a signal meanwhile leaves at once.
pub(crate) async fn stop(started: Started, interrupts: &mut Interrupts) -> Result<(), Error> {
    tokio::select! {
        () = (started.stop)() => Ok(()),
        () = interrupts.next() => Err(Error::Interrupted { message: "left before everything had ended".into(), help: None }),
    }
}
