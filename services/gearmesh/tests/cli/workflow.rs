//! Stored workflows: applied, run by name, changed, taken back.

use serde_json::{Value, json};

use crate::folder::{Ended, Folder};

const GREET: &str = r#"name: greet
title: Greets somebody
inputs:
  who: {type: string, required: true}
  times: {type: integer, default: 1}
  loud: {type: boolean, default: false}
tasks:
  - id: say
    set: {text: "hello ${inputs.who} x${inputs.times} ${inputs.loud}"}
outputs:
  text: ${say.result.text}
"#;

/// A folder that a mesh serves, with the workflow stored.
fn stored() -> (Folder, crate::folder::Running) {
    let folder = Folder::new();
    let (dev, _) = folder.dev(&["--port", "0", "--no-demo"]);
    folder.write("greet.workflow.yaml", GREET);
    let applied = folder
        .gearmesh(&["workflow", "apply", "greet.workflow.yaml", "-y"])
        .with(0);
    assert!(applied.out.contains("new        greet"), "{applied:#?}");
    assert!(applied.out.contains("greet  v1 stored"), "{applied:#?}");
    (folder, dev)
}

fn end(dev: crate::folder::Running) -> Ended {
    dev.signal(rustix::process::Signal::TERM);
    dev.end().with(0)
}

// WF-11.3
#[test]
fn stored_workflow_runs_by_its_name_with_inputs_as_flags() {
    let (folder, dev) = stored();
    let run = folder
        .gearmesh(&[
            "run", "greet", "--who", "Ada", "--times", "3", "--loud", "-o", "json",
        ])
        .with(0)
        .json();
    assert_eq!(run["outputs"], json!({"text": "hello Ada x3 true"}));
    assert_eq!(
        (&run["workflow"], &run["version"]),
        (&json!("greet"), &json!(1))
    );
    let again = folder.gearmesh(&["run", "--", "greet", "--who=B"]).with(0);
    assert!(again.out.contains("hello B x1 false"), "{again:#?}");
    let by_pair = folder.gearmesh(&["run", "greet", "-i", "who=5"]).with(0);
    assert!(by_pair.out.contains("hello 5 x1"), "{by_pair:#?}");
    let wrong = folder.gearmesh(&["run", "greet", "--wo", "Ada"]).with(2);
    assert!(wrong.err.contains("did you mean `--who`?"), "{wrong:#?}");
    let missing = folder.gearmesh(&["run", "greet"]).with(3);
    assert!(missing.err.contains("error[INPUT_INVALID]"), "{missing:#?}");
    let unknown = folder.gearmesh(&["run", "lst"]).with(5);
    assert!(
        unknown.err.contains("did you mean `gearmesh run list`?"),
        "{unknown:#?}"
    );
    let listed = folder
        .gearmesh(&[
            "run",
            "list",
            "--workflow",
            "greet",
            "--since",
            "1h",
            "--all",
            "-o",
            "json",
        ])
        .with(0)
        .json();
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
    end(dev);
}

#[test]
fn changed_file_becomes_a_version_that_can_be_compared_and_taken_back() {
    let (folder, dev) = stored();
    folder.write("greet.workflow.yaml", &GREET.replace("hello", "good day"));
    let before = folder
        .gearmesh(&["workflow", "apply", "greet.workflow.yaml"])
        .with(2);
    assert!(before.err.contains("say --yes to agree"), "{before:#?}");
    assert!(
        before.out.contains("changed    greet  v1 -> v2"),
        "{before:#?}"
    );
    assert!(before.out.contains("~ task say"), "{before:#?}");
    let dry = folder
        .gearmesh(&[
            "wf",
            "apply",
            "greet.workflow.yaml",
            "--dry-run",
            "-o",
            "json",
        ])
        .with(0)
        .json();
    assert_eq!(
        (&dry[0]["change"], &dry[0]["stored"]),
        (&json!("changed"), &json!(false))
    );
    folder
        .gearmesh(&["wf", "apply", "greet.workflow.yaml", "-y", "-m", "politer"])
        .with(0);
    let same = folder
        .gearmesh(&["wf", "apply", "greet.workflow.yaml"])
        .with(0);
    assert!(same.out.contains("unchanged  greet  v2"), "{same:#?}");
    let history = folder.gearmesh(&["workflow", "history", "greet"]).with(0);
    assert!(history.out.contains("politer"), "{history:#?}");
    let diff = folder.gearmesh(&["workflow", "diff", "greet"]).with(0);
    assert!(
        diff.out.contains("~ task say") && diff.out.contains("good day"),
        "{diff:#?}"
    );
    let by_file = folder
        .gearmesh(&["workflow", "diff", "greet", "greet.workflow.yaml"])
        .with(0);
    assert!(by_file.err.contains("no difference"), "{by_file:#?}");
    folder
        .gearmesh(&["workflow", "rollback", "greet", "1"])
        .with(0);
    let export = folder.gearmesh(&["workflow", "export", "greet"]).with(0);
    assert_eq!(export.out, GREET);
    let old = folder
        .gearmesh(&["run", "greet", "--version", "2", "--who", "A"])
        .with(0);
    assert!(old.out.contains("good day A"), "{old:#?}");
    end(dev);
}

#[test]
fn workflow_is_disabled_deleted_and_restored() {
    let (folder, dev) = stored();
    folder.gearmesh(&["workflow", "disable", "greet"]).with(0);
    let refused = folder.gearmesh(&["run", "greet", "--who", "A"]).with(6);
    assert!(refused.err.contains("WORKFLOW_DISABLED"), "{refused:#?}");
    let asked = folder.gearmesh(&["workflow", "delete", "greet"]).with(2);
    assert!(asked.err.contains("say --yes to agree"), "{asked:#?}");
    folder
        .gearmesh(&["workflow", "delete", "greet", "-y"])
        .with(0);
    let listed = folder.gearmesh(&["workflow", "list", "-o", "json"]).with(0);
    assert_eq!(listed.json(), json!([]));
    let applied = folder
        .gearmesh(&["workflow", "apply", "greet.workflow.yaml", "-y"])
        .with(6);
    assert!(
        applied.err.contains("error[WORKFLOW_DISABLED]")
            && applied.err.contains("workflow restore greet"),
        "{applied:#?}"
    );
    let restored = folder.gearmesh(&["workflow", "restore", "greet"]).with(0);
    assert!(restored.out.contains("disabled"), "{restored:#?}");
    folder.gearmesh(&["workflow", "enable", "greet"]).with(0);
    folder.gearmesh(&["run", "greet", "--who", "A"]).with(0);
    let shown = folder.gearmesh(&["workflow", "show", "greet"]).with(0);
    assert!(shown.out.contains("--who string (required)"), "{shown:#?}");
    let names = folder.gearmesh(&["workflow", "list", "-o", "name"]).with(0);
    assert_eq!(names.out, "greet\n");
    end(dev);
}

#[test]
fn file_of_several_documents_is_stored_whole_or_not_at_all() {
    let folder = Folder::new();
    let (dev, _) = folder.dev(&["--port", "0", "--no-demo"]);
    let one = |name: &str, key: &str| {
        format!("---\nname: {name}\ntasks:\n  - id: a\n    {key}: {{x: 1}}\n")
    };
    folder.write(
        "two.yaml",
        &format!("{}{}", one("first", "set"), one("second", "sett")),
    );
    let broken = folder
        .gearmesh(&["workflow", "apply", "two.yaml", "-y"])
        .with(3);
    assert!(broken.err.contains("--> two.yaml:10:5"), "{broken:#?}");
    let none = folder.gearmesh(&["workflow", "list", "-o", "json"]).with(0);
    assert_eq!(none.json(), json!([]));
    folder.write(
        "two.yaml",
        &format!("{}{}", one("first", "set"), one("second", "set")),
    );
    let applied = folder
        .gearmesh(&["workflow", "apply", "two.yaml", "-y", "-o", "json"])
        .with(0)
        .json();
    let stored: Vec<&Value> = applied
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["version"])
        .collect();
    assert_eq!(stored, [1, 1]);
    folder.write("third.yaml", &one("third", "set"));
    let alike = folder
        .gearmesh(&["workflow", "apply", "third.yaml", "--dry-run"])
        .with(0);
    assert!(
        alike.out.contains("note  ") && alike.out.contains("`first`"),
        "{alike:#?}"
    );
    folder.write("again.yaml", &one("first", "set"));
    let twice = folder
        .gearmesh(&["workflow", "apply", "two.yaml", "again.yaml", "-y"])
        .with(2);
    assert!(
        twice.err.contains("is in `two.yaml` and in `again.yaml`"),
        "{twice:#?}"
    );
    end(dev);
}

#[test]
fn workflow_is_stored_and_run_without_a_server() {
    let folder = Folder::new();
    folder.write("greet.workflow.yaml", GREET);
    folder
        .gearmesh(&["workflow", "apply", "greet.workflow.yaml", "-y"])
        .with(0);
    let run = folder.gearmesh(&["run", "greet", "--who", "A"]).with(0);
    assert!(run.out.contains("hello A"), "{run:#?}");
}

#[test]
fn file_is_converted_and_formatted() {
    let folder = Folder::new();
    let oktyv = json!({"tasks": [
        {"id": "a", "tool": "state_put", "params": {"key": "x", "value": 1}},
        {"id": "b", "tool": "state_get", "params": {"key": "x"}, "dependsOn": ["a"]},
    ]});
    folder.write("o.json", &oktyv.to_string());
    folder
        .gearmesh(&["workflow", "convert", "o.json", "--to", "o.workflow.yaml"])
        .with(0);
    folder.gearmesh(&["validate", "o.workflow.yaml"]).with(0);
    folder.write(
        "f.yaml",
        "tasks:\n    - set: {x: 1}\n      id: a\nname: f\n",
    );
    let check = folder
        .gearmesh(&["workflow", "fmt", "f.yaml", "--check"])
        .with(3);
    assert_eq!(check.out, "f.yaml\n");
    assert!(folder.read("f.yaml").starts_with("tasks:"));
    folder.gearmesh(&["workflow", "fmt", "f.yaml"]).with(0);
    let formatted = folder.read("f.yaml");
    assert!(formatted.starts_with("name: f\n"), "{formatted}");
    folder
        .gearmesh(&["workflow", "fmt", "f.yaml", "--check"])
        .with(0);
    folder.write("bad.yaml", "name: [\n");
    let bad = folder.gearmesh(&["workflow", "fmt", "bad.yaml"]).with(3);
    assert!(bad.err.contains("error[YAML_SYNTAX]"), "{bad:#?}");
    assert!(!folder.path(".gearmesh").exists(), "a mesh was started");
}
