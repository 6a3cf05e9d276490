//! `gearmesh dev | serve | mcp serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use gearmesh_catalog::{Catalog, Engines, Source};
use gearmesh_link::{Engine, Mesh, Origin};
use serde_json::json;
use tokio::time::Instant;

use crate::access;
use crate::app::App;
use crate::args::{DevArgs, ServeArgs};
use crate::client::describe;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::{self, GO_ON, Place};
use crate::interrupts::Interrupts;
use crate::nearest::nearest;
use crate::server::passing;
use crate::starter::{DemoOptions, StartError, StartOptions, Started};
use crate::style::Tone;
use crate::text::{duration, printable};

/// Port of `dev` when none is named.
const PORT: u16 = 8420;

/// Ports that are tried behind the one that was wanted.
const PORTS: u16 = 20;

/// Everything in one process, until a signal.
pub(crate) async fn dev(app: &mut App, args: &DevArgs) -> Result<Exit, Error> {
    let begun = Instant::now();
    if let Some(url) = crate::server::announced(&app.globals.folder()) {
        return already(app, args, &url);
    }
    let mut interrupts = Interrupts::listen()?;
    let wanted = args.port.unwrap_or(PORT);
    let (place, port) = start_near(app, args, wanted).await?;
    let started = match place {
        Place::There(url) => return already(app, args, &url),
        Place::Here(started) => started,
    };
    if port != wanted {
        app.output.tell(&format!(
            "port {wanted} is taken; using the next that is free"
        ));
    }
    let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if app.output.for_people() {
        let text = block(app, &started, took);
        app.output.data(&text)?;
    } else {
        let ready = json!({"url": started.url, "engines": started.services, "standIns": started.stand_ins, "ready": took});
        app.output.list_one(&ready, "url")?;
    }
    interrupts.next().await;
    app.output.note(&format!(
        "stopping; open runs {GO_ON}; Ctrl-C once more leaves at once"
    ));
    host::stop(started, &mut interrupts).await?;
    Ok(Exit::Done)
}

/// The stand-ins alone, until a signal.
pub(crate) async fn demo(app: &mut App, connections: PathBuf) -> Result<Exit, Error> {
    let mut interrupts = Interrupts::listen()?;
    let options = DemoOptions {
        folder: app.globals.folder(),
        connections: connections.clone(),
    };
    let demo = (app.starter.demo)(options).await.map_err(Error::Start)?;
    let file = connections.to_string_lossy().into_owned();
    if app.output.for_people() {
        let names = demo.stand_ins.join(", ");
        app.output
            .data(&format!("{names} serve; their connections are in {file}"))?;
    } else {
        let ready = json!({"standIns": demo.stand_ins, "connections": file});
        app.output.list_one(&ready, "connections")?;
    }
    interrupts.next().await;
    (demo.stop)().await;
    Ok(Exit::Done)
}

fn already(app: &mut App, args: &DevArgs, url: &str) -> Result<Exit, Error> {
    if let Some(command) = passing(&app.globals.folder()) {
        return Err(Error::Conflict {
            code: crate::error::SERVED_ALREADY,
            message: format!(
                "`gearmesh {}` serves this folder at {url} and ends with its work",
                printable(&command)
            ),
            help: "use it there, or start `gearmesh dev` again when it has ended".to_owned(),
        });
    }
    let mut flags = app.globals.of_own_mesh();
    if args.port.is_some() {
        flags.push("--port");
    }
    if args.no_demo {
        flags.push("--no-demo");
    }
    host::unheeded(&mut app.output, &flags, url);
    if app.output.for_people() {
        app.output
            .data(&format!("gearmesh dev serves this folder already at {url}"))?;
    } else {
        app.output.list_one(&json!({"url": url}), "url")?;
    }
    Ok(Exit::Done)
}

/// The mesh, and the port that was taken for it.
async fn start_near(app: &App, args: &DevArgs, wanted: u16) -> Result<(Place, u16), Error> {
    let last = wanted.saturating_add(PORTS);
    let mut port = wanted;
    loop {
        let options = StartOptions {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], port))),
            announce: true,
            command: "dev",
            demo: !args.no_demo,
            ..host::options(&app.globals)
        };
        match host::reach(&app.starter, options).await {
            Err(Error::Start(error))
                if error.code == StartError::ADDRESS_IN_USE && port != 0 && port < last =>
            {
                port += 1
            }
            other => return other.map(|place| (place, port)),
        }
    }
}

fn block(app: &App, started: &Started, took: u64) -> String {
    let style = app.output.out_style;
    let url = &started.url;
    let host = url.trim_start_matches("http://");
    let folder = app.globals.folder();
    let mut lines = vec![format!(
        "{}  ready in {}\n",
        style.paint(Tone::Strong, "gearmesh dev"),
        duration(took)
    )];
    let mut line = |name: &str, text: String| lines.push(format!("  {name:<10} {text}"));
    line("REST", format!("{url}/v1   OpenAPI {url}/v1/openapi.json"));
    line("gRPC", format!("{host}   reflection on"));
    line("MCP", format!("{url}/mcp   or: gearmesh mcp serve --stdio"));
    line(
        "State",
        format!("{}   (kept between starts)", folder.display()),
    );
    if !started.stand_ins.is_empty() {
        line(
            "Stand-ins",
            format!("{}   (--no-demo to leave out)", started.stand_ins.join(" ")),
        );
    }
    line(
        "Engines",
        started
            .services
            .iter()
            .filter(|s| *s != "gateway")
            .cloned()
            .collect::<Vec<_>>()
            .join(" "),
    );
    lines.push(format!(
        "  {}",
        style.paint(Tone::Notice, "Not for production: no login on 127.0.0.1.")
    ));
    lines.push("\n  In another terminal:   gearmesh run FILE --watch".to_owned());
    lines.join("\n")
}

/// All services, or those that are named, until a signal.
pub(crate) async fn serve(app: &mut App, args: ServeArgs) -> Result<Exit, Error> {
    let known = app.starter.services;
    for name in &args.engines {
        if !known.contains(&name.as_str()) {
            return Err(Error::Usage {
                message: format!("no engine `{name}`"),
                help: Some(match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", known.join(", ")),
                }),
            });
        }
    }
    let mut interrupts = Interrupts::listen()?;
    let all = args.engines.is_empty();
    let options = StartOptions {
        listen: args.listen,
        announce: all,
        command: "serve",
        services: (!all).then_some(args.engines),
        laptop: false,
        ..host::options(&app.globals)
    };
    let started = (app.starter.start)(options).await.map_err(Error::Start)?;
    if app.output.for_people() {
        app.output.tell(&format!(
            "serving {} at {}",
            started.services.join(", "),
            started.url
        ));
    } else {
        app.output.list_one(
            &json!({"url": started.url, "engines": started.services}),
            "url",
        )?;
    }
    interrupts.next().await;
    host::stop(started, &mut interrupts).await?;
    Ok(Exit::Done)
}

/// MCP over standard input and output, for the mesh of this folder or of a server.
pub(crate) async fn mcp(app: &mut App) -> Result<Exit, Error> {
    let mut interrupts = Interrupts::listen()?;
    let options = StartOptions {
        listen: Some(([127, 0, 0, 1], 0).into()),
        announce: true,
        command: "mcp serve",
        demo: true,
        ..host::options(&app.globals)
    };
    let place = match &app.server {
        Some(url) => Place::There(url.clone()),
        None => host::reach(&app.starter, options).await?,
    };
    if let Place::There(url) = &place {
        let flags = app.globals.of_own_mesh();
        host::unheeded(&mut app.output, &flags, url);
    }
    let mesh = match &place {
        Place::There(url) => mesh_of(url).await?,
        Place::Here(started) => started.mesh.clone(),
    };
    let served = tokio::select! {
        served = (app.starter.serve_mcp)(mesh) => served.map_err(Error::Start),
        () = interrupts.next() => Ok(()),
    };
    if let Place::Here(started) = place {
        host::stop(started, &mut interrupts).await?;
    }
    served.map(|()| Exit::Done)
}

/// The engines behind a server, each reached through it.
async fn mesh_of(url: &str) -> Result<Mesh, Error> {
    let unusable = |e: gearmesh_link::Error| Error::usage(e.to_string());
    let descriptors = describe(url).await?;
    let catalog = Catalog::build(&[Source {
        descriptors: &descriptors,
        engines: Engines::All,
    }])?;
    let descriptors: std::sync::Arc<[u8]> = descriptors.into();
    let link = access::link(url)?;
    let engines = catalog.engines().iter().map(|engine| Engine {
        name: engine.id.clone(),
        link: link.clone(),
        origin: Origin::Ours(descriptors.clone()),
    });
    Mesh::new(engines.collect()).map_err(unusable)
}
