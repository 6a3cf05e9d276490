//! Runs that are held, done again, asked and answered.

use serde_json::json;

use crate::folder::{Folder, Running};

/// Waits for a person between two tasks.
const ASKS: &str = r#"name: asks
inputs:
  amount: {type: number, default: 5}
tasks:
  - id: before
    tool: state.put
    params: {key: asked, value: 1}
  - id: decide
    needs: [before]
    approve:
      message: "Pay ${inputs.amount}?"
      approvers: ["role:finance"]
      form: {note: {type: string}, count: {type: integer}}
  - id: after
    set: {by: "${decide.result.by}", note: "${decide.result.form.note}", count: "${decide.result.form.count}"}
outputs:
  note: ${after.result.note}
  count: ${after.result.count}
"#;

fn dev() -> (Folder, Running) {
    let folder = Folder::new();
    let (dev, _) = folder.dev(&["--port", "0", "--no-demo"]);
    (folder, dev)
}

fn end(dev: Running) {
    dev.signal(rustix::process::Signal::TERM);
    dev.end().with(0);
}

#[test]
fn run_that_asks_is_left_and_goes_on_with_the_answer() {
    let (folder, dev) = dev();
    folder.write("asks.yaml", ASKS);
    let left = folder
        .gearmesh(&["run", "asks.yaml", "-i", "amount=80"])
        .with(8);
    assert!(left.err.contains("Pay 80?"), "{left:#?}");
    assert!(
        left.err.contains("gearmesh approval approve run_"),
        "{left:#?}"
    );
    let why = folder.gearmesh(&["run", "why", "last"]).with(0);
    assert!(
        why.out.contains("decide") && why.out.contains("approval"),
        "{why:#?}"
    );
    let listed = folder
        .gearmesh(&["approval", "list", "--run", "last", "-o", "json"])
        .with(0)
        .json();
    let id = listed[0]["approvalId"].as_str().unwrap().to_owned();
    let shown = folder.gearmesh(&["approval", "show", &id]).with(0);
    assert!(shown.out.contains("--form count=integer"), "{shown:#?}");
    let answered = folder
        .gearmesh(&[
            "approval", "approve", &id, "--form", "note=5", "--form", "count=5",
        ])
        .with(0);
    assert!(answered.out.contains("approved"), "{answered:#?}");
    folder.gearmesh(&["run", "watch", "last"]).with(0);
    let data = folder.gearmesh(&["run", "data", "last"]).with(0).json();
    assert_eq!(data["outputs"], json!({"note": "5", "count": 5}));
    let none = folder.gearmesh(&["approval", "show", &id]).with(5);
    assert!(none.err.contains("error[APPROVAL_NOT_FOUND]"), "{none:#?}");
    end(dev);
}

#[test]
fn rejected_question_fails_its_run_without_a_server_too() {
    let folder = Folder::new();
    folder.write("asks.yaml", ASKS);
    folder.gearmesh(&["run", "asks.yaml"]).with(8);
    let id = folder
        .gearmesh(&["approval", "list", "-o", "name"])
        .with(0)
        .out;
    folder
        .gearmesh(&["approval", "reject", id.trim(), "--note", "too much"])
        .with(0);
    let shown = folder
        .gearmesh(&["run", "show", "last", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(shown["status"], "failed");
    assert_eq!(shown["error"]["code"], "APPROVAL_REJECTED");
}

#[test]
fn run_is_held_and_let_go() {
    let (folder, dev) = dev();
    folder.write("asks.yaml", ASKS);
    folder.gearmesh(&["run", "asks.yaml"]).with(8);
    let paused = folder
        .gearmesh(&["run", "pause", "last", "--reason", "lunch"])
        .with(0);
    assert!(paused.out.contains("paused"), "{paused:#?}");
    let why = folder.gearmesh(&["run", "why", "last"]).with(0);
    assert!(why.out.contains("lunch"), "{why:#?}");
    let resumed = folder.gearmesh(&["run", "resume", "last"]).with(0);
    assert!(!resumed.out.contains("paused"), "{resumed:#?}");
    folder.gearmesh(&["run", "cancel", "last"]).with(0);
    folder.gearmesh(&["run", "watch", "last"]).with(7);
    end(dev);
}

#[test]
fn run_is_done_again_from_a_task_and_repeated_effects_are_asked_for() {
    let (folder, dev) = dev();
    folder.write(
        "again.yaml",
        "name: again\ntasks:\n  - id: put\n    tool: state.put\n    params: {key: a, value: 1}\n  - id: bad\n    needs: [put]\n    tool: state.get\n    params: {key: later}\n",
    );
    folder.gearmesh(&["run", "again.yaml"]).with(7);
    let preview = folder
        .gearmesh(&["run", "retry", "last", "--preview", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(preview["reused"], json!(["put"]));
    assert_eq!(preview["again"][0]["task"], "bad");
    folder
        .gearmesh(&["state", "put", "--key", "later", "--value", "7"])
        .with(0);
    let asked = folder
        .gearmesh(&["run", "retry", "last", "--from", "put"])
        .with(2);
    assert!(asked.err.contains("put (WRITE)"), "{asked:#?}");
    let again = folder
        .gearmesh(&["run", "retry", "last", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(again["status"], "succeeded");
    assert_eq!(again["tasks"]["put"]["reused"], true);
    let only = folder
        .gearmesh(&[
            "run",
            "again.yaml",
            "--only",
            "bad",
            "--reuse",
            "last",
            "-o",
            "json",
        ])
        .with(0)
        .json();
    assert_eq!(only["tasks"]["bad"]["status"], "succeeded");
    assert_eq!(only["tasks"]["put"]["reused"], true);
    let only = folder
        .gearmesh(&["run", "again.yaml", "--until", "put", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(only["tasks"]["bad"]["reason"], "LEFT_OUT");
    end(dev);
}

#[test]
fn artifact_is_listed_and_read_as_it_is() {
    let (folder, dev) = dev();
    folder.write(
        "keeps.yaml",
        "name: keeps\ntasks:\n  - id: a\n    set: {text: \"größe\"}\n    save: note.json\n",
    );
    folder.gearmesh(&["run", "keeps.yaml"]).with(0);
    let listed = folder.gearmesh(&["run", "artifacts", "last"]).with(0);
    assert!(listed.out.contains("note.json"), "{listed:#?}");
    folder
        .gearmesh(&["run", "artifacts", "last", "note.json", "--to", "n.json"])
        .with(0);
    let saved: serde_json::Value = serde_json::from_str(&folder.read("n.json")).unwrap();
    assert_eq!(saved["text"], "größe");
    let out = folder
        .gearmesh(&["run", "artifacts", "last", "note.json"])
        .with(0);
    assert_eq!(out.out, folder.read("n.json"));
    folder
        .gearmesh(&["run", "artifacts", "last", "none", "--to", "x"])
        .with(5);
    assert!(!folder.path("x").exists() && !folder.path("x.part").exists());
    end(dev);
}

// WF-11.4
#[test]
fn recorded_run_is_a_test_that_passes() {
    let folder = Folder::new();
    folder.write(
        "rec.workflow.yaml",
        "name: rec\ninputs:\n  n: {type: integer, default: 1}\ntasks:\n  - id: put\n    tool: state.put\n    params: {key: k, value: \"${inputs.n}\"}\n  - id: get\n    needs: [put]\n    tool: state.get\n    params: {key: k}\noutputs:\n  value: ${get.result.value}\n",
    );
    folder
        .gearmesh(&[
            "run",
            "./rec.workflow.yaml",
            "--n",
            "4",
            "--record",
            "rec.test.yaml",
        ])
        .with(0);
    let tested = folder.gearmesh(&["test", "rec"]).with(0);
    assert!(tested.out.contains("ok  as in run_"), "{tested:#?}");
    let broken = folder
        .read("rec.test.yaml")
        .replace("\"value\": 4\n", "\"value\": 5\n");
    folder.write("rec.test.yaml", &broken);
    let failed = folder.gearmesh(&["test"]).with(7);
    assert!(failed.out.contains("!!  as in run_"), "{failed:#?}");
    let junit = folder
        .gearmesh(&["test", "rec.test.yaml", "--format", "junit"])
        .with(7);
    assert!(junit.out.contains("failures=\"1\""), "{junit:#?}");
    folder.write(
        "rec.test.yaml",
        "cases:\n  - name: without mocks\n    expect: {status: succeeded}\n",
    );
    let unanswered = folder
        .gearmesh(&["test", "rec", "-o", "json"])
        .with(7)
        .json();
    let fault = unanswered[0]["cases"][0]["faults"].to_string();
    assert!(
        fault.contains("no mock answers `state.put` of task `put`"),
        "{fault}"
    );
    folder.gearmesh(&["test", "none"]).with(5);
}
