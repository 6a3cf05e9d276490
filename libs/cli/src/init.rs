//! `gearmesh init`: the files of a mesh.

use serde_json::{Value, json};

use crate::app::App;
use crate::args::InitArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::starter::{InitOptions, InitWhat, Made};
use crate::table;

/// Makes what was asked for, and says what it made.
pub(crate) async fn init(app: &mut App, args: InitArgs) -> Result<Exit, Error> {
    let options = InitOptions {
        folder: app.globals.folder(),
        what: what(args),
    };
    let made = (app.starter.init)(options).await.map_err(Error::Start)?;
    show(&mut app.output, &made)?;
    Ok(Exit::Done)
}

fn what(args: InitArgs) -> InitWhat {
    if let Some(name) = args.renew {
        return InitWhat::Renew { name };
    }
    if let Some(name) = args.client {
        return InitWhat::Client {
            name,
            scopes: args.scopes,
            lifetime: args.expires,
        };
    }
    match args.node {
        Some(name) => InitWhat::Node {
            name,
            hosts: args.hosts,
        },
        None => InitWhat::Mesh {
            trust_domain: args.trust_domain,
            identity: args.identity,
            hosts: args.hosts,
            if_absent: args.if_absent,
        },
    }
}

fn show(output: &mut Output, made: &[Made]) -> Result<(), Error> {
    let path = |m: &Made| m.path.to_string_lossy().into_owned();
    if !output.for_people() {
        let items: Vec<Value> = made
            .iter()
            .map(|m| json!({"what": m.what, "path": path(m)}))
            .collect();
        return output.list(&items, "path");
    }
    if made.is_empty() {
        output.note("all of it is there already");
        return Ok(());
    }
    let rows = made.iter().map(|m| vec![path(m), m.what.clone()]).collect();
    output.data(&table::render(&["made", "what it is"], rows))
}
