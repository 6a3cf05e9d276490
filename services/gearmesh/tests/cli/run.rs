//! Runs of files.

use serde_json::{Value, json};

use crate::folder::{Folder, SMALL};

#[test]
fn file_runs_without_a_server() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    let ended = folder.gearmesh(&["run", "small.yaml"]).with(0);
    assert!(ended.out.starts_with("succeeded in "), "{ended:#?}");
    assert!(ended.out.contains("(3 tasks"), "{ended:#?}");
    assert!(ended.out.contains("  text  n=2"), "{ended:#?}");
    assert!(ended.err.ends_with(" started\n"), "{ended:#?}");
    assert_eq!(folder.read(".gearmesh/roots/results/a.txt"), "n=2");
    assert!(!folder.path(".gearmesh/endpoint").exists());
}

#[test]
fn json_is_the_result_document() {
    // WF-8.1, WF-11.3
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    let run = folder
        .gearmesh(&["run", "small.yaml", "-i", "n=7", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(run["status"], "succeeded");
    assert_eq!(run["outputs"], json!({"text": "n=7"}));
    assert_eq!(run["summary"]["succeeded"], 3);
    assert_eq!(run["tasks"]["read"]["result"]["content"], "n=7");
    let id = run["runId"].as_str().unwrap();
    assert!(id.starts_with("run_"), "{id}");
    let shown = folder
        .gearmesh(&["run", "show", id, "-o", "json"])
        .with(0)
        .json();
    assert_eq!(shown["outputs"], run["outputs"]);
    let ids = folder.gearmesh(&["run", "list", "-o", "name"]).with(0).out;
    assert_eq!(ids.trim(), id);
    folder
        .gearmesh(&["run", "show", "run_0000000000000"])
        .with(5);
}

#[test]
fn watch_tells_each_change_without_a_terminal() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    let ended = folder.gearmesh(&["run", "small.yaml", "--watch"]).with(0);
    let lines: Vec<&str> = ended.err.lines().collect();
    assert!(lines[0].starts_with("small  run_"), "{ended:#?}");
    for task in ["put    state.put", "write  file.write", "read   file.read"] {
        assert!(
            lines
                .iter()
                .any(|l| l.starts_with(&format!("  ok  {task}"))),
            "{task}: {ended:#?}"
        );
    }
}

#[test]
fn watch_json_gives_one_event_a_line() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    let ended = folder
        .gearmesh(&["run", "small.yaml", "--watch=json"])
        .with(0);
    let events: Vec<Value> = ended
        .out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(events[0]["run"]["tasks"]["put"]["status"], "pending");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["kind"], &last["status"]),
        (&json!("run"), &json!("succeeded"))
    );
    assert_eq!(last["run"]["outputs"]["text"], "n=2");
}

#[test]
fn broken_file_is_told_whole_and_starts_nothing() {
    let folder = Folder::new();
    let broken = "name: broken\ntasks:\n  - id: a-b\n    tool: state.gett\n    params: {key: x}\n  - id: b\n    dependsOn: [c]\n    set: {x: \"${a..b}\"}\n    timeout: 30000\n";
    folder.write("broken.yaml", broken);
    for words in [
        &["run", "broken.yaml"][..],
        &["validate", "broken.yaml"],
        &["plan", "broken.yaml"],
    ] {
        let ended = folder.gearmesh(words).with(3);
        for code in [
            "INVALID_ID",
            "TOOL_NOT_FOUND",
            "UNKNOWN_KEY",
            "EXPRESSION_SYNTAX",
            "UNITLESS_DURATION",
        ] {
            assert!(
                ended.err.contains(&format!("error[{code}]")),
                "{words:?} {code}: {ended:#?}"
            );
        }
        assert!(ended.err.contains("--> broken.yaml:3:"), "{ended:#?}");
    }
    assert!(!folder.path(".gearmesh").exists(), "a mesh was started");
    let (dev, _) = folder.dev(&["--port", "0"]);
    let ended = folder
        .gearmesh(&["run", "broken.yaml", "-o", "json"])
        .with(3);
    let error: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(error["code"], "WORKFLOW_INVALID");
    assert!(error["errors"].as_array().unwrap().len() >= 5, "{error}");
    assert_eq!(error["errors"][0]["location"]["line"], 3);
    assert_eq!(
        folder
            .gearmesh(&["run", "list", "-o", "json"])
            .with(0)
            .json(),
        json!([])
    );
    dev.signal(rustix::process::Signal::TERM);
    dev.end().with(0);
}

#[test]
fn safe_faults_are_mended_in_the_file() {
    let folder = Folder::new();
    folder.write("x.yaml", "name: x\ntasks:\n  - id: a\n    set: {x: 1}\n  - id: b\n    dependson: [a]\n    set: {y: 1}\n");
    let ended = folder.gearmesh(&["validate", "x.yaml", "--fix"]).with(0);
    assert!(ended.out.contains("valid, 1 mended"), "{ended:#?}");
    assert!(
        folder.read("x.yaml").contains("needs: [a]"),
        "{}",
        folder.read("x.yaml")
    );
}

#[test]
fn inputs_are_checked_before_anything_starts() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    let ended = folder
        .gearmesh(&["run", "small.yaml", "-i", "n=ten", "-i", "m=1"])
        .with(3);
    assert!(ended.err.contains("error[INPUT_INVALID]"), "{ended:#?}");
    assert!(
        ended.err.contains("found text \"ten\"") && ended.err.contains("`m`"),
        "{ended:#?}"
    );
    assert!(!folder.path(".gearmesh").exists());
    folder.write("in.json", "{\"n\": 9}");
    let ended = folder
        .gearmesh(&["run", "small.yaml", "--input-file", "in.json"])
        .with(0);
    assert!(ended.out.contains("n=9"), "{ended:#?}");
}

#[test]
fn failed_and_partial_runs_have_their_exit_codes() {
    let folder = Folder::new();
    let task = |id: &str, key: &str| {
        format!("  - id: {id}\n    tool: state.get\n    params: {{key: {key}}}\n")
    };
    folder.write(
        "failed.yaml",
        &format!("name: failed\ntasks:\n{}", task("a", "nothing")),
    );
    let ended = folder.gearmesh(&["run", "failed.yaml"]).with(7);
    assert!(
        ended.out.contains("error[STATE_NOT_FOUND]") && ended.out.contains("--> task a"),
        "{ended:#?}"
    );
    let put = "  - id: p\n    tool: state.put\n    params: {key: k, value: 1}\n";
    folder.write(
        "partial.yaml",
        &format!(
            "name: partial\nonError: continue\ntasks:\n{put}{}",
            task("a", "nothing")
        ),
    );
    folder.gearmesh(&["run", "partial.yaml"]).with(10);
}

#[test]
fn same_key_answers_the_same_run() {
    let folder = Folder::new();
    folder.write("small.yaml", SMALL);
    let run = || {
        folder
            .gearmesh(&["run", "small.yaml", "--request-key", "k", "-o", "name"])
            .with(0)
            .out
    };
    assert_eq!(run(), run());
    let other = folder
        .gearmesh(&["run", "small.yaml", "--request-key", "k", "-i", "n=3"])
        .with(6);
    assert!(other.err.contains("error[KEY_REUSED]"), "{other:#?}");
}

#[test]
fn oktyv_document_is_answered_in_its_own_words() {
    let folder = Folder::new();
    let tasks = json!({"tasks": [
        {"id": "a-1", "tool": "state_put", "params": {"key": "x", "value": 1}},
        {"id": "b", "tool": "state_get", "params": {"key": "x"}, "dependsOn": ["a-1"]},
        {"id": "c", "tool": "no_such_tool", "params": {}},
    ]});
    folder.write("o.json", &tasks.to_string());
    let answer = folder
        .gearmesh(&["run", "o.json", "-o", "json"])
        .with(10)
        .json();
    assert_eq!(answer["status"], "partial");
    assert!(answer["executionId"].as_str().unwrap().starts_with("run_"));
    assert_eq!(answer["tasks"]["b"]["status"], "success");
    assert_eq!(answer["tasks"]["c"]["error"]["code"], "TOOL_NOT_FOUND");
    assert_eq!(answer["dag"]["levels"], json!([["a-1", "c"], ["b"]]));
    let cycle = json!({"tasks": [
        {"id": "a", "tool": "x", "params": {}, "dependsOn": ["b"]},
        {"id": "b", "tool": "x", "params": {}, "dependsOn": ["a"]},
    ]});
    folder.write("cycle.json", &cycle.to_string());
    let answer = folder
        .gearmesh(&["run", "cycle.json", "-o", "json"])
        .with(3)
        .json();
    assert_eq!(
        (&answer["success"], &answer["error"]["code"]),
        (&json!(false), &json!("CIRCULAR_DEPENDENCY"))
    );
    let ended = folder.gearmesh(&["run", "cycle.json"]).with(3);
    assert!(
        ended.err.contains("Circular dependency detected"),
        "{ended:#?}"
    );
}
