//! What the documents show is run, checked and parsed by the built program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gearmesh_testkit::tree;
use gearmesh_tests::{Caller, Dev, gearmesh};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Secrets that examples read, as their heads say.
const SECRETS: [(&str, &[&str]); 2] = [
    ("all-engines", &["quotes_token"]),
    (
        "credential-rotation",
        &["quotes_token", "quotes_token_next"],
    ),
];

/// What examples must be given.
const INPUTS: [(&str, &[&str]); 1] = [(
    "refund-approval",
    &[
        "-i",
        "orderId=2",
        "-i",
        "amount=7.5",
        "-i",
        "callback=/callback",
    ],
)];

/// What a table says of an example; nothing when it has no row.
fn row<'a>(table: &[(&str, &'a [&'a str])], name: &str) -> &'a [&'a str] {
    let row = table.iter().find(|(known, _)| *known == name);
    row.map(|(_, row)| *row).unwrap_or_default()
}

/// Chromium's own sandbox does not run as root, and tests may.
const SANDBOX: [&str; 2] = ["--set", "browser.sandbox=off"];

/// How an example ends: exit code, status, and outputs that are sure.
type Expected = (&'static str, i32, &'static str, fn() -> Value);

/// One row for each example; one without a row is a failure.
const EXPECTED: &[Expected] = &[
    ("all-engines", 0, "succeeded", || {
        json!({
            "open": 5, "items": ["Anvil", "Bellows", "Crucible"], "first": "120",
            "file": "work://stock.json", "mailed": 1, "topic": "examples.stock", "version": 1,
        })
    }),
    (
        "archive-folder",
        0,
        "succeeded",
        || json!({"files": 3, "intact": true, "archive": "work://notes.tar.gz"}),
    ),
    (
        "counter",
        0,
        "succeeded",
        || json!({"count": 1, "first": true}),
    ),
    (
        "credential-rotation",
        0,
        "succeeded",
        || json!({"version": 2}),
    ),
    (
        "errors",
        0,
        "succeeded",
        || json!({"limit": 3, "because": "HTTP_STATUS", "apology": "skipped", "files": ["quotes.json"]}),
    ),
    (
        "file-drop",
        0,
        "succeeded",
        || json!({"rows": 2, "again": false}),
    ),
    ("hello", 0, "succeeded", || json!({})),
    (
        "inbox-triage",
        0,
        "succeeded",
        || json!({"orders": 1, "others": 2, "untold": []}),
    ),
    (
        "many-sources",
        10,
        "partial",
        || json!({"total": 19, "failedSources": ["nowhere"]}),
    ),
    (
        "multi-search",
        0,
        "succeeded",
        || json!({"failedSources": [], "report": "ready"}),
    ),
    ("nightly-export", 0, "succeeded", || json!({"rows": 12})),
    (
        "page-watch",
        0,
        "succeeded",
        || json!({"first": true, "changed": false}),
    ),
    (
        "refund-approval",
        0,
        "succeeded",
        || json!({"refunded": true}),
    ),
    (
        "site-report",
        0,
        "succeeded",
        || json!({"items": 19, "attempts": 3, "archived": 3, "archive": "work://report.zip"}),
    ),
    (
        "weekly-report",
        0,
        "succeeded",
        || json!({"orders": 8, "best": "Paris"}),
    ),
];

/// Cases that the test of an example has at least: the good one, a failure, an edge.
const CASES_LEAST: usize = 3;

const SUFFIX: &str = ".workflow.yaml";

fn examples() -> Vec<String> {
    let entries = std::fs::read_dir(tree().join("docs/examples")).expect("the examples");
    let names = entries.map(|e| e.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .filter_map(|n| n.to_string_lossy().strip_suffix(SUFFIX).map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// A folder with a copy of the examples, as a reader has them.
fn desk() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let examples_folder = folder.path().join("docs/examples");
    std::fs::create_dir_all(&examples_folder).expect("a folder");
    for name in examples() {
        let file = format!("{name}{SUFFIX}");
        std::fs::copy(
            tree().join("docs/examples").join(&file),
            examples_folder.join(&file),
        )
        .expect("a copy");
    }
    folder
}

fn path(name: &str) -> String {
    format!("docs/examples/{name}{SUFFIX}")
}

#[test]
fn every_example_says_how_it_ends() {
    let rows: BTreeSet<String> = EXPECTED.iter().map(|e| e.0.to_owned()).collect();
    assert_eq!(rows, examples().into_iter().collect());
}

// WF-12.1
#[tokio::test]
async fn every_example_runs_to_the_end_it_shows() {
    for (name, code, status, outputs) in EXPECTED {
        let folder = desk();
        for secret in row(&SECRETS, name) {
            let caller = Caller::new(folder.path(), &[]);
            let secret = json!({"vaultName": "examples", "credentialName": secret,
                "value": "not-much-of-a-secret"});
            caller.call("vault.set", &secret).await;
        }
        let file = path(name);
        let inputs = row(&INPUTS, name);
        let arguments = [&["run", &file, "-o", "json"], inputs, &SANDBOX[..]].concat();
        let ran = gearmesh(folder.path(), &arguments).await;
        assert_eq!(ran.code, *code, "{name}: {}{}", ran.out, ran.err);
        let run = ran.json();
        assert_eq!(run["status"], *status, "{name}");
        for (key, value) in outputs().as_object().expect("a map") {
            assert_eq!(run["outputs"][key], *value, "{name}: {key}");
        }
        for (key, value) in run["outputs"].as_object().expect("outputs") {
            assert!(!value.is_null(), "{name}: {key} is null");
        }
    }
}

/// The examples that have a test file beside them, with its text.
fn tested() -> Vec<(String, String)> {
    let beside = |name: String| {
        let file = tree().join(format!("docs/examples/{name}.test.yaml"));
        let text = file.is_file().then(|| std::fs::read_to_string(&file));
        Some((name, text?.expect("a text")))
    };
    examples().into_iter().filter_map(beside).collect()
}

// WF-12.1
#[tokio::test]
async fn every_test_of_an_example_passes() {
    let folder = desk();
    let caller = Caller::new(folder.path(), &[]);
    let tested = tested();
    let names: Vec<&str> = tested.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "credential-rotation",
            "file-drop",
            "hello",
            "inbox-triage",
            "multi-search",
            "nightly-export",
            "page-watch",
            "refund-approval",
            "weekly-report",
        ]
    );
    for (name, cases) in &tested {
        let source = std::fs::read_to_string(tree().join(path(name))).expect("the example");
        let request = json!({"source": source, "fileName": path(name), "cases": cases,
            "casesFileName": format!("{name}.test.yaml")});
        let answer = caller.call("orchestrator.test_workflow", &request).await;
        let cases = answer["cases"].as_array().expect("cases");
        for case in cases {
            assert_eq!(case["faults"], json!([]), "{name}: {}", case["name"]);
        }
        assert_eq!(answer["failed"], 0, "{name}");
        assert!(cases.len() >= CASES_LEAST, "{name}: {} cases", cases.len());
    }
}

#[test]
fn list_of_the_examples_names_each() {
    let list = tree().join("docs/examples/README.md");
    let list = std::fs::read_to_string(list).expect("the list");
    for name in examples() {
        let link = format!("[{name}]({name}{SUFFIX})");
        assert!(list.contains(&link), "README.md has no {link}");
    }
}

#[tokio::test]
async fn counter_goes_on_from_the_run_before() {
    let folder = desk();
    for outputs in [
        json!({"count": 1, "first": true}),
        json!({"count": 2, "first": false}),
    ] {
        let ran = gearmesh(folder.path(), &["run", &path("counter"), "-o", "json"]).await;
        assert_eq!(ran.json()["outputs"], outputs);
    }
}

/// Asks until the answer is there: a process on a busy machine takes its time.
async fn asked(caller: &Caller, tool: &str, request: &Value, at: &str) -> Value {
    for _ in 0..200 {
        let mut answer = caller.call(tool, request).await;
        match answer.pointer_mut(at).map(Value::take) {
            None | Some(Value::Null) => {}
            Some(found) => return found,
        }
    }
    panic!("{tool} never answers {at}")
}

#[tokio::test]
async fn larger_refund_waits_for_a_person() {
    let mut dev = Dev::start(&[], &[]).await;
    let caller = dev.caller().clone();
    let file = path("refund-approval");
    let source = std::fs::read_to_string(tree().join(&file)).expect("the example");
    let start = json!({"source": source, "fileName": file,
        "inputs": {"orderId": 7, "amount": 120, "callback": "/callback"}});
    let started = caller.call("orchestrator.start_run", &start).await;
    let run = json!({"runId": started["run"]["runId"]});
    let question = asked(&caller, "orchestrator.list_approvals", &run, "/approvals/0").await;
    assert_eq!(question["message"], "Refund 120 of 250.0 to Dorothy?");
    let id = question["approvalId"].as_str().expect("an id");
    let approve = ["approval", "approve", id, "--form", "note=broken"];
    let answered = caller.gearmesh(&approve).await;
    assert_eq!(answered.code, 0, "{}{}", answered.out, answered.err);
    asked(&caller, "orchestrator.get_run", &run, "/run/endTime").await;
    let run = caller.call("orchestrator.get_run", &run).await;
    assert_eq!(run["run"]["status"], "succeeded", "{run}");
    assert_eq!(run["run"]["outputs"], json!({"refunded": true}));
    assert_eq!(run["run"]["tasks"]["answer"]["status"], "succeeded");
    dev.stop().await;
}

// What a run before it left in the state engine decides what the next one does.
#[tokio::test]
async fn second_run_knows_the_first() {
    let folder = desk();
    for (name, second) in [
        ("file-drop", json!({"rows": 0, "again": true})),
        ("page-watch", json!({"first": false, "changed": false})),
    ] {
        let run = || async {
            let ran = gearmesh(folder.path(), &["run", &path(name), "-o", "json"]).await;
            assert_eq!(ran.code, 0, "{name}: {}{}", ran.out, ran.err);
            ran.json()["outputs"].take()
        };
        assert_ne!(run().await, second, "{name}");
        assert_eq!(run().await, second, "{name}");
    }
}

#[tokio::test]
async fn folder_that_the_report_names_holds_its_files() {
    let folder = desk();
    let ran = gearmesh(folder.path(), &["run", &path("site-report"), "-o", "json"]).await;
    let run = ran.json();
    let named = run["outputs"]["folder"].as_str().expect("a folder");
    let files = ["report.zip", "report/report.json", "report/report.md"];
    for file in files {
        let path = folder.path().join(named).join(file);
        let size = path.metadata().map_or(0, |m| m.len());
        assert!(size > 100, "{}: {size} bytes", path.display());
    }
}

/// A block of a document that stands between fences.
struct Block {
    at: String,
    language: String,
    text: String,
}

fn blocks(name: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Block {
                    at: format!("{name}:{}", number + 1),
                    language: language.trim().to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{name} ends within a block");
    blocks
}

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the tree") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
}

/// The blocks of README and of every document.
fn documented() -> Vec<Block> {
    let mut files = vec![tree().join("README.md")];
    documents(&tree().join("docs"), &mut files);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(tree()).expect("below the tree");
        let text = std::fs::read_to_string(&path);
        let text = text.unwrap_or_else(|e| panic!("{}: {e}", name.display()));
        blocks(&name.display().to_string(), &text)
    };
    files.into_iter().flat_map(read).collect()
}

#[tokio::test]
async fn workflows_in_documents_are_valid() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for block in documented() {
        let is_workflow = |line: &str| line == "tasks:" || line.starts_with("tasks: ");
        if block.language != "yaml" || !block.text.lines().any(is_workflow) {
            continue;
        }
        let file = "shown.workflow.yaml";
        std::fs::write(folder.path().join(file), &block.text).expect("a file");
        let ran = gearmesh(folder.path(), &["validate", "--offline", file]).await;
        assert_eq!(ran.code, 0, "{}\n{}{}", block.at, ran.out, ran.err);
    }
}

/// The arguments of a line that calls the program, without comment and prompt.
fn arguments(line: &str) -> Option<Vec<String>> {
    let line = line.trim().trim_start_matches("$ ");
    let line = line.split(" #").next().unwrap_or_default();
    let rest = ["gearmesh ", "cargo run --release -- "]
        .iter()
        .find_map(|program| line.strip_prefix(program))?;
    if rest.contains(['|', '>', '<', '`', '$', '\\', '&', '{']) {
        return None;
    }
    Some(words(rest))
}

/// Words as a shell sees them: quotes keep together, and go.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[tokio::test]
async fn commands_in_documents_are_understood() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut seen = 0;
    for block in documented() {
        if !["sh", "bash", "console", ""].contains(&block.language.as_str()) {
            continue;
        }
        for line in block.text.lines() {
            let Some(mut words) = arguments(line) else {
                continue;
            };
            for word in words.iter().filter(|w| w.starts_with("docs/examples/")) {
                assert!(tree().join(word).is_file(), "{}: no {word}", block.at);
            }
            // Explains the command in place of doing it, once it has understood the words before.
            words.push("--help".to_owned());
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ran = gearmesh(folder.path(), &words).await;
            assert_eq!(ran.code, 0, "{}: {line}\n{}{}", block.at, ran.out, ran.err);
            seen += 1;
        }
    }
    assert!(seen > 0, "README shows how the program is called");
}

#[test]
fn blocks_and_commands_are_read_as_they_stand() {
    let text =
        "a\n```yaml\ntasks:\n  x\n```\nb\n  ```sh\n  gearmesh run x.yaml -i a='b'  # why\n  ```\n";
    let found = blocks("f", text);
    let shown: Vec<(&str, &str)> = found
        .iter()
        .map(|b| (b.at.as_str(), b.language.as_str()))
        .collect();
    assert_eq!(shown, [("f:2", "yaml"), ("f:7", "sh")]);
    assert_eq!(found[0].text, "tasks:\n  x\n");
    let words = arguments(found[1].text.trim_end()).expect("a command");
    assert_eq!(words, ["run", "x.yaml", "-i", "a=b"]);
    let words = arguments("gearmesh x --cron '30 3 * * *' \"\"").expect("a command");
    assert_eq!(words, ["x", "--cron", "30 3 * * *", ""]);
    assert_eq!(arguments("gearmesh run list | head"), None);
    assert_eq!(arguments("echo gearmesh run"), None);
}
