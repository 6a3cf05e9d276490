//! Runs that are watched at a terminal.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::folder::{Folder, SLOW};

#[test]
fn key_ends_watching_and_leaves_the_run_going() {
    let folder = Folder::new();
    let (dev, _) = folder.dev(&["--port", "0"]);
    folder.write("slow.yaml", &SLOW.replace("delay=1s", "delay=3s"));
    // `script` gives the command a terminal.
    let command = format!("{} run slow.yaml --watch", env!("CARGO_BIN_EXE_gearmesh"));
    let mut script = Command::new("script")
        .args(["-qec", &command, "typescript"])
        .current_dir(folder.path("."))
        .env("TERM", "xterm")
        .env_remove("CI")
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut keys = script.stdin.take().unwrap();
    // Until the command reads keys one is as good as none.
    let ended = loop {
        if let Some(ended) = script.try_wait().unwrap() {
            break ended;
        }
        if keys.write_all(b"q").is_err() {
            break script.wait().unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    let shown = folder.read("typescript");
    assert_eq!(ended.code(), Some(8), "{shown}");
    assert!(
        shown.contains("goes on; gearmesh run watch run_"),
        "{shown}"
    );
    let watched = folder.gearmesh(&["run", "watch", "last"]).with(0);
    assert!(watched.out.contains("done  true"), "{watched:#?}");
    dev.signal(rustix::process::Signal::TERM);
    dev.end().with(0);
}
