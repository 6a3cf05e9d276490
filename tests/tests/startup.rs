//! What the first command of the README does to the machine: whom it speaks to,
//! and who may read what it leaves.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gearmesh_testkit::tree;
use gearmesh_tests::program;
use tempfile::TempDir;

const EXAMPLE: &str = "docs/examples/site-report.workflow.yaml";

/// A folder with the main example where a clone has it.
fn desk() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = folder.path().join(EXAMPLE);
    std::fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
    std::fs::copy(tree().join(EXAMPLE), target).expect("a copy");
    folder
}

/// The addresses of a line of strace, as `AF_INET 127.0.0.1`.
fn address(line: &str) -> Option<(String, Option<IpAddr>)> {
    let (_, rest) = line.split_once("sa_family=")?;
    let family: String = rest
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    let after = |word: &str| rest.split_once(word).map(|(_, rest)| rest);
    let quoted = after("inet_addr(\"").or_else(|| after("inet_pton(AF_INET6, \""));
    let ip = quoted.and_then(|q| q.split('"').next()?.parse().ok());
    Some((family, ip))
}

/// Whether nobody outside this machine is reached by it.
fn is_local(family: &str, ip: Option<IpAddr>) -> bool {
    match (family, ip) {
        ("AF_INET" | "AF_INET6", Some(ip)) => ip.is_loopback(),
        ("AF_UNIX", _) => true,
        _ => false,
    }
}

#[test]
fn first_command_speaks_to_this_machine_alone() {
    let folder = desk();
    let log = folder.path().join("strace.log");
    let status = Command::new("strace")
        .args(["-f", "-e", "trace=connect,sendto,sendmsg,bind", "-o"])
        .arg(&log)
        .arg(program("gearmesh"))
        .args(["run", EXAMPLE, "--watch"])
        .current_dir(folder.path())
        .env_remove("GEARMESH_SERVER")
        .env_remove("GEARMESH_FOLDER")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace is there: tests/run installs it");
    assert!(status.success(), "the run ended with {status}");
    let text = std::fs::read_to_string(&log).expect("the log of strace");
    let mut connected = 0;
    let mut outside = Vec::new();
    for line in text.lines() {
        let Some((family, ip)) = address(line) else {
            continue;
        };
        connected += usize::from(line.contains("connect(") && ip.is_some());
        if !is_local(&family, ip) {
            outside.push(line);
        }
    }
    assert!(outside.is_empty(), "{outside:#?}");
    // The stand-in is asked over loopback: a log without it has not seen the run.
    assert!(connected > 0, "{text}");
}

#[test]
fn addresses_are_read_as_strace_writes_them() {
    let read = |line: &str| address(line).map(|(family, ip)| (is_local(&family, ip), family));
    let port = "sin_port=htons(443)";
    let v4 = |ip| {
        format!("1 connect(9, {{sa_family=AF_INET, {port}, sin_addr=inet_addr(\"{ip}\")}}, 16) = 0")
    };
    let v6 = |ip| {
        format!(
            "1 connect(9, {{sa_family=AF_INET6, sin6_{port}, sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"{ip}\", &sin6_addr), sin6_scope_id=0}}, 28) = 0"
        )
    };
    assert_eq!(read(&v4("127.0.0.1")), Some((true, "AF_INET".into())));
    assert_eq!(read(&v4("192.0.2.1")), Some((false, "AF_INET".into())));
    assert_eq!(read(&v6("::1")), Some((true, "AF_INET6".into())));
    assert_eq!(read(&v6("2001:db8::1")), Some((false, "AF_INET6".into())));
    let unix = "1 connect(9, {sa_family=AF_UNIX, sun_path=\"/run/x\"}, 20) = -1 ENOENT";
    assert_eq!(read(unix), Some((true, "AF_UNIX".into())));
    let packet = "1 bind(9, {sa_family=AF_PACKET, sll_protocol=htons(0)}, 20) = 0";
    assert_eq!(read(packet), Some((false, "AF_PACKET".into())));
    assert_eq!(
        read("1 sendto(9, \"x\", 1, MSG_NOSIGNAL, NULL, 0) = 1"),
        None
    );
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the state") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, found);
        }
        found.push(path);
    }
}

#[test]
fn state_is_for_its_owner_alone() {
    let folder = desk();
    let state = folder.path().join(".gearmesh");
    // The usual umask, whatever the one of the test run is.
    let status = Command::new("sh")
        .args(["-c", "umask 022; exec \"$0\" run \"$1\" --quiet"])
        .arg(program("gearmesh"))
        .arg(EXAMPLE)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("a shell");
    assert!(status.success(), "the run ended with {status}");
    let mut paths = vec![state.clone()];
    walk(&state, &mut paths);
    assert!(paths.len() > 10, "{paths:?}");
    let mut open = Vec::new();
    for path in paths {
        let metadata = path.symlink_metadata().expect("an entry");
        let mode = metadata.permissions().mode() & 0o777;
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        if mode != expected {
            open.push(format!("{mode:o} {}", path.display()));
        }
    }
    assert!(open.is_empty(), "{open:#?}");
}
