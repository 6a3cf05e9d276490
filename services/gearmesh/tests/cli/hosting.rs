//! A mesh that lives in the process of a command.

use rustix::process::Signal;

use crate::folder::{Folder, SLOW, SMALL};

#[test]
fn second_run_uses_the_mesh_of_the_first() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    // Long enough for four commands on a busy machine.
    folder.write("slow.yaml", &SLOW.replace("delay=1s", "delay=5s"));
    let mut first = folder.start(&["run", "slow.yaml", "--watch"]);
    first.wait_for("wait");
    assert!(folder.path(".gearmesh/endpoint").exists());
    folder.gearmesh(&["run", "small.yaml"]).with(0);
    let dev = folder.gearmesh(&["dev"]).with(6);
    assert!(dev.err.contains("`gearmesh run` serves"), "{dev:#?}");
    let listed = folder
        .gearmesh(&["run", "list", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    let ended = first.end().with(0);
    assert!(ended.out.contains("done  true"), "{ended:#?}");
    assert!(!folder.path(".gearmesh/endpoint").exists());
}

#[test]
fn runs_that_start_at_the_same_time_share_one_mesh() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    let all: Vec<_> = (0..4)
        .map(|_| folder.start(&["run", "small.yaml", "-o", "name"]))
        .collect();
    let mut ids: Vec<String> = all.into_iter().map(|run| run.end().with(0).out).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    let listed = folder
        .gearmesh(&["run", "list", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(listed.as_array().unwrap().len(), 4, "{listed}");
}

#[test]
fn interrupted_run_goes_on_with_the_next_command() {
    let folder = Folder::new();
    folder.write("slow.yaml", SLOW);
    let mut run = folder.start(&["run", "slow.yaml", "--watch"]);
    run.wait_for("wait");
    run.signal(Signal::INT);
    let ended = run.end().with(130);
    let id = ended
        .err
        .split_whitespace()
        .find(|w| w.starts_with("run_"))
        .unwrap()
        .to_owned();
    assert!(
        ended.err.contains(&format!("gearmesh run watch {id}")),
        "{ended:#?}"
    );
    let ended = folder.gearmesh(&["run", "watch", &id]).with(0);
    assert!(ended.out.contains("done  true"), "{ended:#?}");
}

#[test]
fn killed_run_is_taken_up_by_the_next_command() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    folder.write("slow.yaml", SLOW);
    let mut run = folder.start(&["run", "slow.yaml", "--watch", "--request-key", "k"]);
    run.wait_for("wait");
    run.signal(Signal::KILL);
    assert_eq!(run.end().code, None);
    let ended = folder.gearmesh(&["run", "small.yaml"]).with(0);
    assert!(
        ended.err.contains("(slow) was open and goes on"),
        "{ended:#?}"
    );
    let runs = folder
        .gearmesh(&["run", "list", "-o", "json"])
        .with(0)
        .json();
    let slow = runs
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["workflow"] == "slow")
        .unwrap();
    assert_eq!(slow["status"], "succeeded", "{runs}");
}

/// Waits an hour before its second attempt, and is open until then.
const LONG: &str = r#"name: long
tasks:
  - id: absent
    tool: state.get
    params: {key: absent}
    retry: {attempts: 2, delay: 1h, maxDelay: 1h, errors: [STATE_NOT_FOUND]}
"#;

#[test]
fn run_that_takes_too_long_goes_on_without_its_watcher() {
    let folder = Folder::new();
    let (dev, _) = folder.dev(&["--port", "0", "--no-demo"]);
    folder.write("long.yaml", LONG);
    // Counted from the start of the command, which must have started the run by then.
    let ended = folder
        .gearmesh(&["run", "long.yaml", "--timeout", "4s", "-o", "json"])
        .with(8);
    assert!(ended.err.contains("\"TIMEOUT\""), "{ended:#?}");
    let listed = folder
        .gearmesh(&["run", "list", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(listed[0]["status"], "running", "{listed}");
    dev.signal(Signal::TERM);
    dev.end().with(0);
}

#[test]
fn command_with_a_limit_does_not_stay_for_the_runs_of_others() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    folder.write("long.yaml", LONG);
    let mut run = folder.start(&["run", "long.yaml", "--watch"]);
    run.wait_for("retrying");
    run.signal(Signal::KILL);
    assert_eq!(run.end().code, None);
    let ended = folder
        .gearmesh(&["run", "small.yaml", "--timeout", "10s"])
        .with(0);
    assert!(ended.err.contains("stopping at --timeout"), "{ended:#?}");
}

#[test]
fn look_at_the_runs_leaves_open_ones_alone() {
    let folder = Folder::new();
    folder.write("slow.yaml", SLOW);
    let mut run = folder.start(&["run", "slow.yaml", "--watch"]);
    run.wait_for("wait");
    run.signal(Signal::KILL);
    assert_eq!(run.end().code, None);
    let shown = folder.gearmesh(&["run", "show", "last"]).with(0);
    assert!(shown.out.contains("slow  run_"), "{shown:#?}");
    assert!(shown.err.contains("gearmesh run FILE"), "{shown:#?}");
    let watched = folder.gearmesh(&["run", "watch", "last"]).with(0);
    assert!(watched.out.contains("done  true"), "{watched:#?}");
}

#[test]
fn wrong_settings_are_refused_before_anything_starts() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    let error = folder
        .gearmesh(&["run", "small.yaml", "--set", "foo.bar=1"])
        .with(2);
    assert!(error.err.contains("error[CONFIG_INVALID]"), "{error:#?}");
    let error = folder
        .gearmesh(&["run", "small.yaml", "--config", "none.toml"])
        .with(2);
    assert!(error.err.contains("none.toml"), "{error:#?}");
}
