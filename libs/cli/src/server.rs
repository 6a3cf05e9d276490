//! Which server a command speaks to.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::globals::Globals;
use crate::starter::MESH_LOCK;

/// How long the port of an announced server may take to answer: it is on this machine.
const PROBE: Duration = Duration::from_millis(300);

/// Where the commands of a folder find its mesh.
pub(crate) fn endpoint_file(folder: &Path) -> PathBuf {
    folder.join("endpoint")
}

/// The server of a command, as far as there is one.
pub(crate) fn find(globals: &Globals) -> Option<String> {
    match &globals.server {
        Some(url) => Some(address(url)),
        None => announced(&globals.folder()),
    }
}

/// `host:port` as the address that links take.
fn address(text: &str) -> String {
    let text = text.trim_end_matches('/');
    if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    }
}

/// The server that announced itself in this folder, when it is alive and answers.
///
/// What a killed process left behind counts for nothing: its port may belong to
/// somebody else by now, so its process must be there as well.
pub(crate) fn announced(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(endpoint_file(folder)).ok()?;
    let announced: Value = serde_json::from_str(&text).ok()?;
    let pid = rustix::process::Pid::from_raw(i32::try_from(announced.get("pid")?.as_i64()?).ok()?)?;
    rustix::process::test_kill_process(pid).ok()?;
    let url = announced.get("url")?.as_str()?;
    let address: SocketAddr = url.strip_prefix("http://")?.parse().ok()?;
    TcpStream::connect_timeout(&address, PROBE).ok()?;
    Some(url.to_owned())
}

/// The command that serves this folder and ends by itself when its work is done, when it
/// is such a one.
pub(crate) fn passing(folder: &Path) -> Option<String> {
    let command = std::fs::read_to_string(folder.join(MESH_LOCK)).ok()?;
    let stays = ["", "dev", "serve"].contains(&command.as_str());
    (!stays).then_some(command)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;

    fn announce(folder: &Path, pid: u32, address: SocketAddr) {
        let text = json!({"pid": pid, "url": format!("http://{address}")}).to_string();
        std::fs::write(endpoint_file(folder), text).unwrap();
    }

    #[test]
    fn announced_server_is_found_while_it_answers() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(announced(folder.path()), None);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        announce(folder.path(), std::process::id(), address);
        assert_eq!(announced(folder.path()), Some(format!("http://{address}")));
        drop(listener);
        assert_eq!(announced(folder.path()), None);
    }

    #[test]
    fn announcement_of_a_dead_process_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        announce(folder.path(), pid, listener.local_addr().unwrap());
        assert_eq!(announced(folder.path()), None);
        std::fs::write(endpoint_file(folder.path()), "{broken").unwrap();
        assert_eq!(announced(folder.path()), None);
    }

    #[test]
    fn run_that_serves_the_folder_is_told_from_a_server() {
        let folder = tempfile::tempdir().unwrap();
        let of = |command: &str| {
            std::fs::write(folder.path().join(MESH_LOCK), command).unwrap();
            passing(folder.path())
        };
        assert_eq!(passing(folder.path()), None);
        assert_eq!(of(""), None);
        assert_eq!(of("dev"), None);
        assert_eq!(of("run").as_deref(), Some("run"));
    }

    #[test]
    fn named_server_wins_and_may_lack_the_scheme() {
        let globals = Globals {
            server: Some("127.0.0.1:8420/".into()),
            ..Globals::default()
        };
        assert_eq!(find(&globals).as_deref(), Some("http://127.0.0.1:8420"));
    }
}
