//! Whether this process serves, for those beside it on the same host.
//!
//! A container has no shell and its port wants a certificate, so its health check is
//! the binary itself (`SERVICE health`), which asks the process by a Unix socket in
//! the state folder. The folder belongs to the service's user alone.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

/// The socket's name in the state folder.
const SOCKET: &str = "alive.sock";

/// What a serving process says.
const SERVING: &str = "SERVING\n";

/// What a process says that stops.
const STOPPING: &str = "NOT_SERVING\n";

/// How long the question may take; the answer is one line from memory.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers until the process stops. A socket that cannot be made costs the health
/// check alone: it is said in the log.
pub async fn answer(folder: PathBuf, shutdown: CancellationToken, stopped: CancellationToken) {
    let path = folder.join(SOCKET);
    if UnixStream::connect(&path).is_ok() {
        // Another process of this folder answers for it.
        return;
    }
    // Left by a process that was killed.
    let _ = std::fs::remove_file(&path);
    let bound = UnixListener::bind(&path).and_then(|listener| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    let listener = match bound {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "no health socket");
            return;
        }
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped.cancelled() => break,
        };
        let Ok((mut stream, _)) = accepted else {
            continue;
        };
        let text = if shutdown.is_cancelled() {
            STOPPING
        } else {
            SERVING
        };
        // Who asked may have left.
        let _ = stream.write_all(text.as_bytes()).await;
    }
    // Taken away by somebody who tidied up is as good.
    let _ = std::fs::remove_file(&path);
}

/// Asks the process of a state folder.
///
/// # Errors
/// Says why it does not serve.
pub fn ask(folder: &Path) -> Result<(), String> {
    let path = folder.join(SOCKET);
    let unreached = |e: std::io::Error| format!("nobody serves at {}: {e}", path.display());
    let mut stream = UnixStream::connect(&path).map_err(unreached)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(unreached)?;
    let mut said = String::new();
    stream.read_to_string(&mut said).map_err(unreached)?;
    if said == SERVING {
        Ok(())
    } else {
        Err(format!("it says {}", said.trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn process_says_whether_it_serves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let asked = || {
            let path = path.clone();
            async {
                tokio::task::spawn_blocking(move || ask(&path))
                    .await
                    .unwrap()
            }
        };
        assert!(
            asked().await.unwrap_err().contains("alive.sock"),
            "nobody is there"
        );
        let (shutdown, stopped) = (CancellationToken::new(), CancellationToken::new());
        let serving = answer(path.clone(), shutdown.clone(), stopped.clone());
        let asking = async {
            while !path.join(SOCKET).exists() {
                tokio::task::yield_now().await;
            }
            assert_eq!(asked().await, Ok(()));
            shutdown.cancel();
            assert_eq!(asked().await, Err("it says NOT_SERVING".to_owned()));
            stopped.cancel();
        };
        tokio::join!(serving, asking);
        assert!(asked().await.is_err());
    }

    #[tokio::test]
    async fn socket_of_another_process_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET);
        let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let token = CancellationToken::new();
        answer(folder.path().to_owned(), token.clone(), token).await;
        assert!(UnixStream::connect(&path).is_ok());
    }
}
