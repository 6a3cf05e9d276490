//! The whole of a service's own binary.

use std::path::PathBuf;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::alive;
use crate::config::Config;
use crate::serve::start;
use crate::service::Service;
use crate::telemetry::log_to_stderr;

/// The argument that asks instead of serving.
const HEALTH: &str = "health";

/// Runs services until SIGTERM or SIGINT: settings from `./gearmesh.toml` and
/// `GEARMESH_*`, state in `./.gearmesh` unless `GEARMESH_FOLDER` says otherwise.
///
/// With the argument `health` it asks the process that serves this state folder, and
/// succeeds when that one does: the health check of a container.
#[must_use]
pub fn main(services: &[Service]) -> ExitCode {
    log_to_stderr("info");
    if std::env::args().nth(1).as_deref() == Some(HEALTH) {
        return match alive::ask(&folder()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => {
                tracing::error!(%reason, "not serving");
                ExitCode::FAILURE
            }
        };
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        match serve_until_signal(services).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "does not serve");
                ExitCode::FAILURE
            }
        }
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate alone reads the environment"
)]
fn folder() -> PathBuf {
    std::env::var("GEARMESH_FOLDER").map_or_else(|_| PathBuf::from(".gearmesh"), PathBuf::from)
}

/// Arms the places at which tests watch and break a process, as its starter says. Builds
/// that are released have none.
#[expect(
    clippy::disallowed_methods,
    reason = "this crate alone reads the environment"
)]
pub(crate) fn arm_sites() -> Result<(), crate::Error> {
    if !gearmesh_site::ARMED {
        return Ok(());
    }
    let Ok(plan) = std::env::var(gearmesh_site::VARIABLE) else {
        return Ok(());
    };
    gearmesh_site::arm(&plan).map_err(|e| crate::Error::Config {
        key: gearmesh_site::VARIABLE.to_owned(),
        reason: e.to_string(),
    })
}

async fn serve_until_signal(services: &[Service]) -> Result<(), crate::Error> {
    let config = Config::load(std::path::Path::new("gearmesh.toml"), folder())?;
    let running = start(services, config).await?;
    tracing::info!(address = %running.address(), "serving");
    let stopped = CancellationToken::new();
    let alive = alive::answer(folder(), running.shutdown().clone(), stopped.clone());
    let ended = async {
        let failed = tokio::select! {
            () = stop_signal() => false,
            () = running.failed() => true,
        };
        running.stop().await;
        stopped.cancel();
        failed
    };
    let ((), failed) = tokio::join!(alive, ended);
    if failed {
        let cause = "its process ends, so that the next one reads what is on the disk";
        return Err(gearmesh_store::Error::Failed(cause.to_owned()).into());
    }
    Ok(())
}

/// Ends at SIGTERM or SIGINT.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
