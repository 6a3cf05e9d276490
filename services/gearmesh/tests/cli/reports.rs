//! Files as other programs read of them.

use serde_json::{Value, json};

use crate::folder::Folder;

const BROKEN: &str = "name: x\ntasks:\n  - id: a\n    sett: {x: 1}\n";

const GOOD: &str = r#"name: good
secrets:
  key: vault://demo/none
triggers:
  - cron: "30 2 * * *"
    timezone: Europe/Chisinau
tasks:
  - id: fetch
    tool: http.request
    params: {url: "http://example.test"}
  - id: group
    needs: [fetch]
    each: [1, 2]
    tasks:
      - id: inner
        tool: state.put
        params: {key: "k${item}", value: 1}
"#;

// WF-11.1
#[test]
fn faults_are_written_for_other_programs() {
    let folder = Folder::new();
    folder.write("broken.yaml", BROKEN);
    folder.write("good.yaml", GOOD);
    let validate = |format: &str| {
        folder
            .gearmesh(&["validate", "broken.yaml", "good.yaml", "--format", format])
            .with(3)
            .out
    };
    let sarif: Value = serde_json::from_str(&validate("sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "UNKNOWN_KEY");
    assert!(validate("junit").contains("tests=\"2\" failures=\"1\""));
    let github = validate("github");
    assert!(
        github.starts_with("::error file=broken.yaml,line="),
        "{github}"
    );
    let all: Value = serde_json::from_str(&validate("json")).unwrap();
    assert_eq!(all[1]["valid"], true);
    folder.write("two.yaml", &format!("{GOOD}---\n{BROKEN}"));
    let two = folder
        .gearmesh(&["validate", "two.yaml", "-o", "json"])
        .with(3)
        .json();
    assert_eq!(two[0]["errors"][0]["location"]["line"], 22);
}

// WF-11.2
#[test]
fn plan_is_written_for_other_programs() {
    let folder = Folder::new();
    folder.write("good.yaml", GOOD);
    let plan = |format: &str| {
        folder
            .gearmesh(&["plan", "good.yaml", "--format", format])
            .with(0)
            .out
    };
    assert!(plan("dot").contains("subgraph \"cluster_group\""));
    assert!(plan("mermaid").starts_with("flowchart TD\n"));
    let svg = plan("svg");
    assert!(svg.starts_with("<svg ") && svg.contains(">inner<"), "{svg}");
    let text = plan("text");
    assert!(text.contains("in group\n  inner"), "{text}");
    assert!(text.contains("vault://demo/none, not looked for"), "{text}");
    assert!(text.contains("trigger cron 30 2 * * *"), "{text}");
    let (dev, _) = folder.dev(&["--port", "0", "--no-demo"]);
    let text = plan("text");
    assert!(text.contains("vault://demo/none is missing"), "{text}");
    assert_eq!(text.matches("  next ").count(), 3, "{text}");
    assert!(text.contains("02:30:00 +0"), "{text}");
    dev.signal(rustix::process::Signal::TERM);
    dev.end().with(0);
}

#[test]
fn rules_and_schema_are_printed() {
    let folder = Folder::new();
    let rule = folder.gearmesh(&["explain", "WF-1.4"]).with(0);
    assert!(rule.out.contains("8 deep"), "{rule:#?}");
    let schema = folder.gearmesh(&["schema", "workflow"]).with(0).json();
    assert_eq!(
        schema["$schema"],
        json!("https://json-schema.org/draft/2020-12/schema")
    );
    let with = folder
        .gearmesh(&["schema", "workflow", "--with-tools"])
        .with(0)
        .out;
    assert!(with.contains("http.request"));
    assert!(!folder.path(".gearmesh").exists(), "a mesh was started");
}
