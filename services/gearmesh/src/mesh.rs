//! A mesh in this process, lent to the command line.

use std::fs::{File, OpenOptions, TryLockError};
use std::future::Future;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use gearmesh_cli::{Demo, DemoOptions, MESH_LOCK, StartError, StartOptions, Started};
use gearmesh_runtime::{
    CancellationToken, Config, Error, Peer, Running, answer_alive, ask_alive,
    start as start_services,
};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::stand_ins::StandIns;
use crate::{services, settings};

/// How long engines from elsewhere may take before commands go on without them.
const JOIN_MAX: Duration = Duration::from_secs(3);

/// The exit code of a process whose store has failed: an error that nobody foresaw.
const STORE_FAILED: i32 = 1;

/// Time between two looks whether they are there.
const JOIN_LOOK: Duration = Duration::from_millis(5);

/// Starts services as the command line asks.
pub(crate) async fn start(options: StartOptions) -> Result<Started, StartError> {
    let mut config = settings::of(&options)?;
    let lock = if options.announce {
        Some(hold(config.folder(), options.command)?)
    } else {
        None
    };
    let selected = services::select(options.services.as_deref());
    let token = CancellationToken::new();
    let beside = if options.demo {
        StandIns::start(&mut config, &token).await?
    } else {
        StandIns::default()
    };
    let expected = settings::joined(&config);
    let folder = config.folder().to_owned();
    let running = start_services(&selected, config)
        .await
        .map_err(|e| failed(&e))?;
    wait_for(&running, &expected).await;
    let (stopped, mut asked) = (CancellationToken::new(), JoinSet::new());
    let (failed_store, until) = (running.failed(), stopped.clone());
    asked.spawn(async move {
        tokio::select! {
            // As after a kill: nothing is written that could hide what went wrong.
            () = failed_store => std::process::exit(STORE_FAILED),
            () = until.cancelled() => {}
        }
    });
    if options.command == "serve" {
        asked.spawn(answer_alive(
            folder,
            running.shutdown().clone(),
            stopped.clone(),
        ));
    }
    Ok(Started {
        url: running.url(),
        mesh: running.mesh().seen_by(Peer::local("gateway")),
        services: selected
            .iter()
            .map(|s| s.name.to_owned())
            .chain(expected)
            .collect(),
        stand_ins: beside.names(),
        stop: Box::new(move || {
            Box::pin(async move {
                running.stop().await;
                stopped.cancel();
                asked.join_all().await;
                token.cancel();
                beside.ended().await;
                drop(lock);
            })
        }),
    })
}

/// Asks the process that serves a folder.
pub(crate) fn health(folder: &Path) -> Result<(), StartError> {
    ask_alive(folder).map_err(|message| StartError {
        code: StartError::FAILED,
        message,
        help: None,
    })
}

/// Serves the stand-ins alone, for meshes whose processes are not started here.
pub(crate) async fn demo(options: DemoOptions) -> Result<Demo, StartError> {
    let mut config = Config::new(settings::folder(&options.folder)?);
    let token = CancellationToken::new();
    let beside = StandIns::start(&mut config, &token).await?;
    beside.write(&options.connections)?;
    Ok(Demo {
        stand_ins: beside.names(),
        stop: Box::new(move || {
            Box::pin(async move {
                token.cancel();
                beside.ended().await;
            })
        }),
    })
}

/// Serves MCP over standard input and output; the code of a failure is that of a start.
pub(crate) async fn serve_mcp<E: std::fmt::Display>(
    served: impl Future<Output = Result<(), E>>,
) -> Result<(), StartError> {
    served.await.map_err(|e| StartError {
        code: StartError::FAILED,
        message: e.to_string(),
        help: None,
    })
}

/// Holds the folder: one mesh of it can announce itself. The kernel lets go when the
/// process ends, however it does.
fn hold(folder: &Path, command: &str) -> Result<File, StartError> {
    let path = folder.join(MESH_LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let mut file = file.map_err(|e| settings::unusable(&path, &e))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)
                .and_then(|()| file.write_all(command.as_bytes()))
                .map_err(|e| settings::unusable(&path, &e))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(StartError {
            code: StartError::LOCKED,
            message: format!("another process serves {}", folder.display()),
            help: Some("end it, or name another folder with --folder".to_owned()),
        }),
        Err(TryLockError::Error(e)) => Err(settings::unusable(&path, &e)),
    }
}

/// Engines from elsewhere join a moment after the start; a first command that names
/// their tools would find none.
async fn wait_for(running: &Running, expected: &[String]) {
    let all_there = async {
        loop {
            let engines = running.mesh().engines();
            if expected
                .iter()
                .all(|name| engines.iter().any(|e| e.name == *name))
            {
                return;
            }
            sleep(JOIN_LOOK).await;
        }
    };
    // One that stays away is named by the first command that wants it.
    let _ = timeout(JOIN_MAX, all_there).await;
}

fn failed(error: &Error) -> StartError {
    let code = match error {
        Error::Bind { source, .. } if source.kind() == ErrorKind::AddrInUse => {
            StartError::ADDRESS_IN_USE
        }
        Error::Config { .. } | Error::Insecure { .. } => StartError::CONFIG,
        _ => StartError::FAILED,
    };
    StartError {
        code,
        message: error.to_string(),
        help: None,
    }
}
