//! Servers: `dev`, `serve`, MCP over standard input and output.

use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::json;

use crate::folder::{Folder, SMALL};

#[test]
fn dev_serves_the_folder_until_it_is_told_to_end() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    let (dev, url) = folder.dev(&["--port", "0"]);
    let endpoint: serde_json::Value =
        serde_json::from_str(&folder.read(".gearmesh/endpoint")).unwrap();
    assert_eq!(endpoint["url"], json!(url));
    let again = folder.gearmesh(&["dev"]).with(0);
    assert!(again.out.contains(&url), "{again:#?}");
    let again = folder.gearmesh(&["dev", "--port", "1"]).with(0);
    assert!(again.err.contains("no effect of --port"), "{again:#?}");
    let words = ["run", "small.yaml", "--no-demo", "--set", "http.ports=[1]"];
    let run = folder.gearmesh(&words).with(0);
    assert!(
        run.err.contains("no effect of --set, --no-demo"),
        "{run:#?}"
    );
    let run = folder
        .gearmesh(&["run", "small.yaml", "--root", "/results=out"])
        .with(6);
    assert!(run.err.contains("start it with --root"), "{run:#?}");
    let id = folder
        .gearmesh(&["run", "small.yaml", "-o", "name"])
        .with(0)
        .out;
    let listed = folder
        .gearmesh(&["run", "list", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(listed[0]["runId"], id.trim());
    assert!(
        folder
            .gearmesh(&["validate", "small.yaml"])
            .with(0)
            .out
            .contains("valid")
    );
    assert!(
        folder
            .gearmesh(&["plan", "small.yaml"])
            .with(0)
            .out
            .contains("after write")
    );
    assert_eq!(
        folder
            .gearmesh(&["state", "get", "--key", "a"])
            .with(0)
            .json()["value"],
        2
    );
    assert!(
        folder
            .gearmesh(&["tool", "list", "-o", "name"])
            .with(0)
            .out
            .contains("file.write")
    );
    dev.signal(Signal::TERM);
    dev.end().with(0);
    assert!(!folder.path(".gearmesh/endpoint").exists());
}

#[test]
fn taken_port_gives_the_next() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (mut dev, url) = folder.dev(&["--port", &port.to_string(), "--no-demo"]);
    assert!(!url.ends_with(&format!(":{port}")), "{url}");
    dev.wait_for(&format!("port {port} is taken"));
    dev.signal(Signal::INT);
    dev.end().with(0);
}

#[test]
fn address_in_the_settings_is_no_taken_port() {
    let folder = Folder::new();
    let (dev, _) = folder.dev(&["--set", "listen=127.0.0.1:0"]);
    dev.signal(Signal::INT);
    let ended = dev.end().with(0);
    assert!(!ended.err.contains("is taken"), "{ended:#?}");
}

#[test]
fn announcement_of_a_killed_server_is_replaced() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    let (dev, url) = folder.dev(&["--port", "0"]);
    dev.signal(Signal::KILL);
    assert_eq!(dev.end().code, None);
    assert!(folder.read(".gearmesh/endpoint").contains(&url));
    folder.gearmesh(&["run", "small.yaml"]).with(0);
}

#[test]
fn slice_serves_its_engine_alone() {
    let folder = Folder::new();
    let mut slice = folder.start(&[
        "serve",
        "state",
        "--listen",
        "127.0.0.1:0",
        "-o",
        "ndjson",
        "-C",
        "slice",
    ]);
    let ready: serde_json::Value = serde_json::from_str(&slice.line()).unwrap();
    assert_eq!(ready["engines"], json!(["state"]));
    let url = ready["url"].as_str().unwrap();
    folder
        .gearmesh(&[
            "--server", url, "state", "put", "--key", "k", "--value", "1",
        ])
        .with(0);
    let got = folder
        .gearmesh(&["--server", url, "state", "get", "--key", "k"])
        .with(0)
        .json();
    assert_eq!(got["value"], 1);
    assert!(!folder.path(".gearmesh").exists());
    slice.signal(Signal::TERM);
    slice.end().with(0);
    let wrong = folder.gearmesh(&["serve", "stat"]).with(2);
    assert!(wrong.err.contains("did you mean `state`?"), "{wrong:#?}");
}
