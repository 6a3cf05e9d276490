//! `gearmesh schedule`.

use crate::folder::Folder;

const WORKFLOW: &str = "name: greet\ninputs:\n  who: {type: string}\n  times: {type: integer, default: 1}\ntasks:\n  - id: a\n    set: {text: \"hello ${inputs.who}\"}\noutputs:\n  text: ${a.result.text}\n";

#[test]
fn schedule_is_looked_after_without_a_server() {
    let folder = Folder::new();
    folder.write("greet.yaml", WORKFLOW);
    let made = folder
        .gearmesh(&[
            "schedule",
            "create",
            "greet.yaml",
            "--rrule",
            "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9",
            "--timezone",
            "Europe/Chisinau",
            "--input",
            "who=you",
            "-o",
            "json",
        ])
        .with(0)
        .json();
    assert_eq!(made["name"], "greet");
    assert_eq!(made["inputs"]["who"], "you");
    assert!(made["inputs"].get("times").is_none(), "{made}");
    let list = folder
        .gearmesh(&["schedule", "list", "-o", "name"])
        .with(0)
        .out;
    assert_eq!(list, "greet\n");
    let twice = folder.gearmesh(&["schedule", "create", "greet.yaml", "--every", "1h"]);
    assert!(twice.err.contains("greet"), "{twice:#?}");
    let preview = folder
        .gearmesh(&["schedule", "next", "greet", "--count", "3"])
        .with(0);
    assert_eq!(preview.out.lines().count(), 4, "{preview:#?}");
    assert!(preview.err.contains("last Friday"), "{preview:#?}");
    let run = folder.gearmesh(&["schedule", "run", "greet"]).with(0).out;
    let shown = folder
        .gearmesh(&["run", "show", run.trim(), "-o", "json"])
        .with(0)
        .json();
    assert_eq!(shown["outputs"]["text"], "hello you");
    let history = folder
        .gearmesh(&["schedule", "history", "greet"])
        .with(0)
        .out;
    assert!(
        history.contains("success") && history.contains(run.trim()),
        "{history}"
    );
    folder.gearmesh(&["schedule", "pause", "greet"]).with(0);
    let paused = folder
        .gearmesh(&["schedule", "show", "greet", "-o", "json"])
        .with(0)
        .json();
    assert_eq!(paused["schedule"]["disabledReason"], "PAUSED");
    folder.gearmesh(&["schedule", "resume", "greet"]).with(0);
    // Nobody is there to agree.
    folder.gearmesh(&["schedule", "delete", "greet"]).with(2);
    folder
        .gearmesh(&["schedule", "delete", "greet", "--yes"])
        .with(0);
    folder.gearmesh(&["schedule", "show", "greet"]).with(5);
}

#[test]
fn rule_that_cannot_be_followed_is_refused_with_its_reason() {
    let folder = Folder::new();
    folder.write("greet.yaml", WORKFLOW);
    for (rule, wanted) in [
        (["--cron", "61 * * * *"], "61"),
        (["--cron", "0 0 30 2 *"], "10 years"),
        (["--at", "2020-01-01T00:00:00Z"], "has passed"),
    ] {
        let words = ["schedule", "create", "greet.yaml", rule[0], rule[1]];
        let refused = folder.gearmesh(&words);
        assert!(refused.err.contains(wanted), "{refused:#?}");
    }
    let none = folder
        .gearmesh(&["schedule", "create", "greet.yaml"])
        .with(2);
    assert!(none.err.contains("--cron"), "{none:#?}");
}
