//! `gearmesh tool call NAME ..`.

use std::sync::Arc;

use futures::StreamExt;
use gearmesh_catalog::{Approval, Catalog, Effect, Tool};
use serde_json::{Map, Value};

use crate::app::App;
use crate::ask::ask;
use crate::client::{Client, built_in, catalog_of};
use crate::error::Error;
use crate::exit::Exit;
use crate::host::{self, Place};
use crate::interrupts::Interrupts;
use crate::output::{Format, Output};
use crate::params::{self, CallArgs};
use crate::starter::StartOptions;
use crate::text::printable;
use crate::tool::{self, find};

/// The engines that begin work by themselves when they start: open runs, due schedules.
const BEGINNERS: [&str; 2] = ["orchestrator", "scheduler"];

/// Calls a tool, at the server or in this process.
pub(crate) async fn call(app: &mut App, name: &str, words: &[String]) -> Result<Exit, Error> {
    if words.iter().any(|w| w == "--help" || w == "-h") {
        let catalog = match &app.server {
            Some(url) => catalog_of(url).await?,
            None => Arc::new(built_in()?),
        };
        tool::show(&mut app.output, &catalog, name)?;
        return Ok(Exit::Done);
    }
    let mut interrupts = Interrupts::listen()?;
    let (place, catalog) = place(app, name).await?;
    if let Place::There(url) = &place {
        let flags = app.globals.of_own_mesh();
        host::unheeded(&mut app.output, &flags, url);
    }
    let called = tokio::select! {
        called = at(app, &place, catalog, name, words) => called,
        () = interrupts.next() => Err(Error::Interrupted { message: format!("the call of `{name}` was cancelled"), help: None }),
    };
    if let Place::Here(started) = place {
        host::stop(started, &mut interrupts).await?;
    }
    called
}

/// Where the tool is called, and the catalogue of that mesh.
async fn place(app: &App, name: &str) -> Result<(Place, Arc<Catalog>), Error> {
    if let Some(url) = &app.server {
        return Ok((Place::There(url.clone()), catalog_of(url).await?));
    }
    let own = built_in()?;
    let found = own.get(name);
    let engine = found.as_ref().map(|found| found.tool.engine.as_str());
    // Engines call each other, for a secret or a file. Those that begin work by
    // themselves stay out of a single call, which would only break it off again.
    let services = match engine {
        Some(engine) if BEGINNERS.contains(&engine) => None,
        _ => Some(
            app.starter
                .services
                .iter()
                .filter(|s| !BEGINNERS.contains(s))
                .map(|s| (*s).to_owned())
                .collect(),
        ),
    };
    let options = StartOptions {
        announce: services.is_none(),
        command: "tool call",
        services,
        demo: found.is_some_and(|found| found.tool.connection.is_some()),
        listen: Some(([127, 0, 0, 1], 0).into()),
        ..host::options(&app.globals)
    };
    let place = host::reach(&app.starter, options).await?;
    let catalog = match &place {
        Place::Here(started) => started.mesh.catalog(),
        Place::There(url) => catalog_of(url).await?,
    };
    Ok((place, catalog))
}

async fn at(
    app: &mut App,
    place: &Place,
    catalog: Arc<Catalog>,
    name: &str,
    words: &[String],
) -> Result<Exit, Error> {
    let found = find(&catalog, name)?;
    let tool = found.tool.clone();
    let CallArgs { params, key } = params::read(&tool, words)?;
    let mut params: Map<String, Value> = params;
    for (field, value) in found.preset {
        params.insert(field.clone(), value.clone());
    }
    found.rename(&mut params);
    let params = Value::Object(params);
    confirm(app, &tool, &params)?;
    let client = Client::with(place.url(), catalog.clone(), app.limit())?;
    if tool.client_streaming {
        return Err(Error::usage(format!(
            "`{}` takes a stream of requests, which a command line cannot give",
            tool.id
        )));
    }
    if tool.streaming {
        let mut messages = client.stream(&tool, params, key).await?;
        while let Some(message) = messages.next().await {
            let message = message.map_err(|status| client.failed(&status))?;
            app.output.data(&message.to_string())?;
        }
    } else {
        let answer = client.invoke(&tool, params, key).await?;
        show(&mut app.output, &answer)?;
    }
    Ok(Exit::Done)
}

fn show(output: &mut Output, answer: &Value) -> Result<(), Error> {
    match output.format {
        Format::Name => output.data(&answer.to_string()),
        _ => output.document(answer),
    }
}

/// Asks before what cannot be taken back.
pub(crate) fn confirm(app: &mut App, tool: &Tool, params: &Value) -> Result<(), Error> {
    let class = tool.class_of(params);
    let must_ask = class.effect == Effect::Destructive && tool.approval >= Approval::Confirm;
    if !must_ask {
        return Ok(());
    }
    let question = format!(
        "{} {}\ncannot be taken back; go on?",
        tool.id,
        printable(&params.to_string())
    );
    ask(
        app,
        &format!("`{}` cannot be taken back", tool.id),
        &question,
    )
}
