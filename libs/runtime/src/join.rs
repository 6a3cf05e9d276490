//! Engines in other processes: found by configuration, described by reflection.

use std::time::Duration;

use gearmesh_link::{Engine, Origin, reflect, remote as connect};

use crate::config::Process;
use crate::context::Context;
use crate::error::Error;

/// An engine that this process must reach elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    name: String,
    url: String,
    foreign: bool,
}

/// First wait before an engine that did not answer is asked again.
const RETRY_FIRST: Duration = Duration::from_millis(50);

/// Longest wait between two questions: a fresh engine is seen within seconds.
const RETRY_MAX: Duration = Duration::from_secs(3);

/// The engines that the configuration names: ours by `registry`, others by `[engines]`.
pub(crate) fn remotes(process: &Process) -> Result<Vec<Remote>, Error> {
    let mut remotes = Vec::new();
    if let Some(registry) = &process.registry {
        let bad = |reason: &str| Error::Config {
            key: "registry".into(),
            reason: reason.into(),
        };
        let list = match registry.split_once(':') {
            Some(("static", list)) => list,
            Some(("local", "")) => "",
            _ => return Err(bad("give `local:` or `static:NAME=URL,NAME=URL`")),
        };
        for entry in list.split(',').filter(|e| !e.is_empty()) {
            let (name, url) = entry
                .split_once('=')
                .ok_or_else(|| bad("each entry is NAME=URL"))?;
            remotes.push(Remote {
                name: name.into(),
                url: url.into(),
                foreign: false,
            });
        }
    }
    for (name, joined) in &process.engines {
        remotes.push(Remote {
            name: name.clone(),
            url: joined.url.clone(),
            foreign: true,
        });
    }
    for remote in &remotes {
        loopback_only(remote)?;
    }
    Ok(remotes)
}

/// Until the mesh speaks mTLS, plain HTTP stays on this machine.
fn loopback_only(remote: &Remote) -> Result<(), Error> {
    let host = remote
        .url
        .strip_prefix("http://")
        .map(|rest| rest.split('/').next().unwrap_or_default())
        .and_then(|authority| authority.parse::<std::net::SocketAddr>().ok());
    match host {
        Some(address) if address.ip().is_loopback() => Ok(()),
        _ => Err(Error::Insecure {
            key: format!("engine {}", remote.name),
            reason: format!(
                "`{}` would be reached in plain text; give a loopback address such as http://127.0.0.1:8421",
                remote.url
            ),
        }),
    }
}

/// Asks an engine for its descriptors until it answers, then puts it on the mesh.
/// The link is there from the start: it connects at the first call.
pub(crate) async fn join(context: Context, remote: Remote) {
    let link = match connect(&remote.url) {
        Ok(link) => link,
        Err(error) => {
            tracing::error!(engine = %remote.name, %error, "engine cannot be joined");
            return;
        }
    };
    let mut wait = RETRY_FIRST;
    loop {
        match reflect(&link, &remote.url).await {
            Ok(descriptors) => {
                let origin = if remote.foreign {
                    Origin::Foreign(descriptors.into())
                } else {
                    Origin::Ours(descriptors.into())
                };
                let engine = Engine {
                    name: remote.name.clone(),
                    link,
                    origin,
                };
                match context.mesh().join(engine) {
                    Ok(()) => {
                        tracing::info!(engine = %remote.name, url = %remote.url, "engine joined")
                    }
                    Err(error) => tracing::error!(engine = %remote.name, %error, "engine refused"),
                }
                return;
            }
            Err(error) => tracing::debug!(engine = %remote.name, %error, "engine not there yet"),
        }
        tokio::select! {
            () = context.shutdown().cancelled() => return,
            () = context.clock().sleep(wait) => wait = (wait * 2).min(RETRY_MAX),
        }
    }
}
