//! Engines in other processes: found by the registry or by configuration, described
//! by reflection.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use gearmesh_link::{Connect, Engine, Link, Origin, Pool, reflect, remote as connect};
use gearmesh_registry::{Instance, Registry, Settings};

use crate::config::{Config, Consul, Process};
use crate::context::Context;
use crate::error::Error;
use crate::register::VERSION_TAG;
use crate::trace::traced;

/// First wait before an engine that did not answer is asked again.
const RETRY_FIRST: Duration = Duration::from_millis(50);

/// Longest wait between two questions: a fresh engine is seen within seconds.
const RETRY_MAX: Duration = Duration::from_secs(3);

/// Packages that are no engines: the others import them.
const SHARED: [&str; 3] = ["journal", "ledger", "tool"];

/// The registry that the configuration names, or `local:`.
///
/// # Errors
/// [`Error::Config`] when it cannot be read, [`Error::Insecure`] when it names an
/// address that would be reached in plain text over the network.
pub(crate) fn registry(process: &Process, config: &Config) -> Result<Registry, Error> {
    let bad = |e: gearmesh_registry::Error| Error::Config {
        key: "registry".into(),
        reason: e.to_string(),
    };
    let consul: Consul = config.section("consul")?;
    let engines = gearmesh_api::PACKAGES
        .iter()
        .filter(|p| !SHARED.contains(p));
    let settings = Settings {
        token: consul.token,
        engines: engines.map(|p| (*p).to_owned()).collect(),
    };
    let registry =
        Registry::open(process.registry.as_deref().unwrap_or("local:"), settings).map_err(bad)?;
    for engine in registry.engines() {
        for instance in registry.watch(&engine).borrow().iter() {
            plain_on_loopback_only(&engine, &instance.url)?;
        }
    }
    for (name, joined) in &process.engines {
        plain_on_loopback_only(name, &joined.url)?;
    }
    Ok(registry)
}

/// Plain HTTP stays on this machine.
fn plain_on_loopback_only(engine: &str, url: &str) -> Result<(), Error> {
    let Some(authority) = url.strip_prefix("http://") else {
        return Ok(());
    };
    let authority = authority.split('/').next().unwrap_or_default();
    match authority.parse::<std::net::SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(()),
        _ => Err(Error::Insecure {
            key: format!("engine {engine}"),
            reason: format!(
                "`{url}` would be reached in plain text; give a loopback address such as http://127.0.0.1:8421, or https:// with a credential of the mesh"
            ),
        }),
    }
}

/// From an instance to a link without TLS.
pub(crate) fn plain() -> Connect {
    Arc::new(|instance: &Instance| {
        let refused = |reason: String| gearmesh_link::Error::Address {
            url: instance.url.clone(),
            reason,
        };
        plain_on_loopback_only(&instance.engine, &instance.url)
            .map_err(|e| refused(e.to_string()))?;
        connect(&instance.url)
    })
}

/// Keeps an engine of ours on the mesh: asks for its descriptors when its first
/// instance comes, and again when all had gone or a new version has come.
pub(crate) async fn join_ours(
    context: Context,
    engine: String,
    mut set: watch::Receiver<Vec<Instance>>,
    connect: Connect,
) {
    let pool = Pool::new(&engine, set.clone(), connect.clone());
    loop {
        // Without instances there is nothing to ask; a registry that has ended gives none.
        let some = tokio::select! {
            () = context.shutdown().cancelled() => return,
            some = set.wait_for(|s| !s.is_empty()) => some.map(|s| s.clone()),
        };
        let Ok(instances) = some else {
            return;
        };
        let newest = instances.iter().max_by_key(|i| version(i).map(ordered));
        let link = newest.and_then(|i| connect(i).ok());
        let Some(descriptors) = described(&context, &engine, link, &mut set).await else {
            if context.shutdown().is_cancelled() {
                return;
            }
            continue;
        };
        let link = traced(pool.link(), &engine);
        let origin = Origin::Ours(descriptors.into());
        match context.mesh().join_pool(&pool, link, origin) {
            Ok(()) => tracing::info!(engine, instances = instances.len(), "engine joined"),
            Err(error) => tracing::error!(engine, %error, "engine refused"),
        }
        let known: BTreeSet<String> = versions(&instances);
        let news = |s: &Vec<Instance>| s.is_empty() || !versions(s).is_subset(&known);
        tokio::select! {
            () = context.shutdown().cancelled() => return,
            changed = set.wait_for(news) => if changed.is_err() {
                return;
            },
        }
    }
}

/// Asks until it answers. None when the set has changed meanwhile, or the process ends.
async fn described(
    context: &Context,
    engine: &str,
    link: Option<Link>,
    set: &mut watch::Receiver<Vec<Instance>>,
) -> Option<Vec<u8>> {
    set.mark_unchanged();
    let mut wait = RETRY_FIRST;
    loop {
        if let Some(link) = &link {
            match reflect(link, engine).await {
                Ok(descriptors) => return Some(descriptors),
                Err(error) => tracing::debug!(engine, %error, "engine not there yet"),
            }
        }
        tokio::select! {
            () = context.shutdown().cancelled() => return None,
            changed = set.changed() => if changed.is_ok() {
                return None;
            },
            () = context.clock().sleep(wait) => {}
        }
        wait = (wait * 2).min(RETRY_MAX);
    }
}

fn version(instance: &Instance) -> Option<&str> {
    instance.tag(VERSION_TAG)
}

fn versions(instances: &[Instance]) -> BTreeSet<String> {
    let versions = instances.iter().filter_map(version);
    versions.map(str::to_owned).collect()
}

/// A version so that 0.10.0 comes behind 0.9.0.
fn ordered(version: &str) -> Vec<u64> {
    let parts = version.split(['.', '-', '+']);
    parts.map_while(|part| part.parse().ok()).collect()
}

/// Asks a foreign engine for its descriptors until it answers, then puts it on the
/// mesh. The link is there from the start: it connects at the first call.
pub(crate) async fn join_foreign(context: Context, name: String, url: String) {
    let link = match connect(&url) {
        Ok(link) => link,
        Err(error) => {
            tracing::error!(engine = name, %error, "engine cannot be joined");
            return;
        }
    };
    let mut wait = RETRY_FIRST;
    loop {
        match reflect(&link, &url).await {
            Ok(descriptors) => {
                let engine = Engine {
                    name: name.clone(),
                    link: traced(link, &name),
                    origin: Origin::Foreign(descriptors.into()),
                };
                match context.mesh().join(engine) {
                    Ok(()) => tracing::info!(engine = name, url, "engine joined"),
                    Err(error) => tracing::error!(engine = name, %error, "engine refused"),
                }
                return;
            }
            Err(error) => tracing::debug!(engine = name, %error, "engine not there yet"),
        }
        tokio::select! {
            () = context.shutdown().cancelled() => return,
            () = context.clock().sleep(wait) => wait = (wait * 2).min(RETRY_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_version_is_greater() {
        assert!(ordered("0.10.0") > ordered("0.9.3"));
        assert!(ordered("1.0.0") > ordered("0.10.0"));
        assert_eq!(ordered("x"), Vec::<u64>::new());
    }

    #[test]
    fn plain_text_stays_on_this_machine() {
        for good in [
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "https://192.0.2.1:1",
        ] {
            assert!(plain_on_loopback_only("x", good).is_ok(), "{good}");
        }
        for bad in [
            "http://192.0.2.1:1",
            "http://localhost:1",
            "http://127.0.0.1",
        ] {
            let error = plain_on_loopback_only("x", bad).unwrap_err().to_string();
            assert!(error.starts_with("INSECURE_CONFIG"), "{error}");
        }
    }
}
