//! Tools, codes and flags.

use serde_json::{Value, json};

use crate::folder::Folder;

#[test]
fn help_and_version_touch_nothing() {
    let folder = Folder::new();
    assert!(
        folder
            .gearmesh(&["--help"])
            .with(0)
            .out
            .contains("validate")
    );
    assert_eq!(
        folder.gearmesh(&["version"]).with(0).out,
        format!("gearmesh {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(
        folder.gearmesh(&["--version"]).with(0).out,
        format!("gearmesh {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert!(!folder.path(".gearmesh").exists());
}

#[test]
fn tools_are_listed_and_shown_without_a_server() {
    let folder = Folder::new();
    let names = folder.gearmesh(&["tool", "list", "-o", "name"]).with(0).out;
    for name in [
        "file.write",
        "http.request",
        "orchestrator.execute",
        "state.put",
    ] {
        assert!(names.lines().any(|l| l == name), "{name}: {names}");
    }
    let shown = folder
        .gearmesh(&["tool", "show", "file_write", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(shown["id"], "file.write");
    assert!(
        folder
            .gearmesh(&["tool", "show", "file.write"])
            .with(0)
            .out
            .contains("--path *")
    );
    let missing = folder.gearmesh(&["tool", "show", "file.wirte"]).with(5);
    assert!(missing.err.contains("file.write"), "{missing:#?}");
    assert!(!folder.path(".gearmesh").exists());
}

#[test]
fn tool_is_called_by_flags_pairs_and_short_form() {
    let folder = Folder::new();
    let put = folder
        .gearmesh(&[
            "tool",
            "call",
            "state.put",
            "--key",
            "k",
            "-p",
            "value={\"a\":[1]}",
        ])
        .with(0);
    assert_eq!(put.json()["version"], 1);
    let got = folder
        .gearmesh(&["state", "get", "--key", "k", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(got["value"], json!({"a": [1]}));
    let whole = folder
        .gearmesh(&["tool", "call", "state.get", "--params", "{\"key\":\"k\"}"])
        .with(0)
        .json();
    assert_eq!(whole["value"], got["value"]);
    folder
        .gearmesh(&["state", "get", "--key", "nothing"])
        .with(5);
    let wrong = folder.gearmesh(&["state", "get", "--kye", "k"]).with(2);
    assert!(wrong.err.contains("did you mean `--key`?"), "{wrong:#?}");
    let missing = folder.gearmesh(&["state", "get"]).with(3);
    assert!(
        missing.err.contains("INVALID_PARAMETERS") && missing.err.contains("key"),
        "{missing:#?}"
    );
}

#[test]
fn what_cannot_be_taken_back_needs_a_yes() {
    let folder = Folder::new();
    folder
        .gearmesh(&["file", "write", "--path", "/tmp/x.txt", "--content", "x"])
        .with(0);
    let refused = folder
        .gearmesh(&["file", "delete", "--path", "/tmp/x.txt"])
        .with(2);
    assert!(refused.err.contains("--yes"), "{refused:#?}");
    assert!(folder.path(".gearmesh/roots/tmp/x.txt").exists());
    folder
        .gearmesh(&["file", "delete", "--path", "/tmp/x.txt", "--yes"])
        .with(0);
    assert!(!folder.path(".gearmesh/roots/tmp/x.txt").exists());
}

#[test]
fn absolute_path_can_be_mapped_by_a_flag() {
    let folder = Folder::new();
    folder
        .gearmesh(&[
            "file",
            "write",
            "--path",
            "/data/x.txt",
            "--content",
            "x",
            "--root",
            "/data=out",
        ])
        .with(0);
    assert_eq!(folder.read("out/x.txt"), "x");
    let refused = folder
        .gearmesh(&["file", "write", "--path", "/data/x.txt", "--content", "x"])
        .with(11);
    assert!(refused.err.contains("PATH_ESCAPES_ROOT"), "{refused:#?}");
}

#[test]
fn errors_are_json_where_data_would_be() {
    let folder = Folder::new();
    let ended = folder
        .gearmesh(&["tool", "show", "nothing.here", "-o", "json"])
        .with(5);
    assert_eq!(ended.out, "");
    let error: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(error["code"], "TOOL_NOT_FOUND");
}

#[test]
fn server_that_is_not_there_is_told_apart() {
    let folder = Folder::new();
    let ended = folder
        .gearmesh(&["--server", "http://127.0.0.1:1", "run", "list"])
        .with(9);
    assert!(
        ended
            .err
            .contains("no server answers at http://127.0.0.1:1"),
        "{ended:#?}"
    );
}

#[test]
fn closed_pipe_ends_silently() {
    let folder = Folder::new();
    let ended = folder
        .start(&["tool", "list", "-o", "json"])
        .close()
        .with(0);
    assert_eq!(ended.err, "");
}

#[test]
fn codes_are_explained() {
    let folder = Folder::new();
    assert!(
        folder
            .gearmesh(&["explain", "STATE_NOT_FOUND"])
            .with(0)
            .out
            .contains("state.gearmesh")
    );
    folder.gearmesh(&["explain", "NO_SUCH_CODE"]).with(5);
}
