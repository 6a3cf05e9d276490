//! Workflow files as people break them: every fault at once, and nothing starts.

use std::fmt::Write;
use std::path::Path;

use gearmesh_testkit::{Process, golden, tree};
use gearmesh_tests::{Answer, gearmesh, program};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Exit code of a file that is not valid.
const NOT_VALID: i32 = 3;

/// Stands in a file for more text than an expression may have.
const LONG: &str = "LONG";

/// A broken file: its name, its faults by place, and whether `--fix` mends it.
struct Broken {
    name: &'static str,
    faults: &'static [&'static str],
    mended: bool,
}

const fn broken(name: &'static str, faults: &'static [&'static str], mended: bool) -> Broken {
    Broken {
        name,
        faults,
        mended,
    }
}

const FILES: [Broken; 12] = [
    broken("unknown-key", &["8:5 UNKNOWN_KEY"], true),
    broken("cycle", &["7:9 CIRCULAR_DEPENDENCY"], false),
    broken("unknown-tool", &["8:11 TOOL_NOT_FOUND"], false),
    broken("wrong-type", &["10:78 PARAM_TYPE"], false),
    broken("missing-parameter", &["10:5 MISSING_PARAM"], false),
    broken("duration-without-unit", &["9:14 UNITLESS_DURATION"], true),
    broken(
        "template-in-condition",
        &["8:11 TEMPLATE_IN_CONDITION"],
        true,
    ),
    broken("hyphen-in-id", &["7:9 INVALID_ID"], true),
    broken("duplicate-key", &["9:5 DUPLICATE_KEY"], false),
    broken("bad-expression", &["8:53 EXPRESSION_SYNTAX"], false),
    broken("long-expression", &["8:20 EXPRESSION_LIMIT"], false),
    broken(
        "all-together",
        &[
            "8:5 UNKNOWN_KEY",
            "10:9 CIRCULAR_DEPENDENCY",
            "16:11 TOOL_NOT_FOUND",
            "20:5 MISSING_PARAM",
            "20:49 PARAM_TYPE",
            "21:14 UNITLESS_DURATION",
            "22:9 INVALID_ID",
            "23:11 TEMPLATE_IN_CONDITION",
            "25:5 DUPLICATE_KEY",
            "27:53 EXPRESSION_SYNTAX",
            "29:17 EXPRESSION_LIMIT",
        ],
        false,
    ),
];

impl Broken {
    fn file(&self) -> String {
        format!("{}.workflow.yaml", self.name)
    }
}

/// A folder with the broken files, the long expression in its place.
fn desk() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let long = "x".repeat(9 * 1024);
    for broken in &FILES {
        let path = tree().join("tests/broken").join(broken.file());
        let text = std::fs::read_to_string(&path);
        let text = text.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let text = text.replace(LONG, &long);
        std::fs::write(folder.path().join(broken.file()), text).expect("a file");
    }
    folder
}

/// What is wrong, as `line:column CODE`.
fn faults(errors: &Value) -> Vec<String> {
    let errors = errors.as_array().expect("a list of errors");
    let fault = |e: &Value| {
        let at = &e["location"];
        let code = e["code"].as_str().expect("a code");
        assert!(e["message"].as_str().is_some_and(|m| !m.is_empty()), "{e}");
        assert!(e["hints"].is_array(), "{e}");
        assert!(at["length"].is_u64(), "{e}");
        format!("{}:{} {code}", at["line"], at["column"])
    };
    errors.iter().map(fault).collect()
}

async fn validate(folder: &Path, file: &str) -> (Answer, Value) {
    let ran = gearmesh(folder, &["validate", file, "-o", "json"]).await;
    let answer = ran.json()[0].clone();
    (ran, answer)
}

/// No run is known here, and nobody was asked for anything.
async fn nothing_ran(folder: &Path) {
    let runs = gearmesh(folder, &["run", "list", "-o", "json"]).await;
    assert_eq!((runs.code, runs.json()), (0, json!([])));
    let log = folder.join(".gearmesh/demo-site/requests.jsonl");
    let requests = std::fs::read_to_string(log).unwrap_or_default();
    assert_eq!(requests, "", "the stand-in was asked");
}

#[tokio::test]
async fn check_tells_every_fault_at_once() {
    let folder = desk();
    for broken in &FILES {
        let (ran, answer) = validate(folder.path(), &broken.file()).await;
        assert_eq!(ran.code, NOT_VALID, "{}", broken.name);
        assert_eq!(faults(&answer["errors"]), broken.faults, "{}", broken.name);
        let fixes = answer["errors"].as_array().into_iter().flatten();
        let all = fixes.clone().all(|e| e["fix"]["edits"].is_array());
        assert_eq!(all, broken.mended, "{}", broken.name);
    }
    assert!(!folder.path().join(".gearmesh").exists(), "something began");
}

#[tokio::test]
async fn run_tells_the_same_and_starts_nothing() {
    let folder = desk();
    for broken in &FILES {
        let ran = gearmesh(folder.path(), &["run", &broken.file(), "-o", "json"]).await;
        assert_eq!(ran.code, NOT_VALID, "{}", broken.name);
        assert_eq!(ran.out, "", "{}", broken.name);
        let error: Value = serde_json::from_str(&ran.err).expect("the error as JSON");
        assert_eq!(faults(&error["errors"]), broken.faults, "{}", broken.name);
    }
    nothing_ran(folder.path()).await;
}

#[tokio::test]
async fn server_tells_the_same_and_starts_nothing() {
    let folder = desk();
    let endpoint = folder.path().join(".gearmesh/endpoint");
    let dev = ["dev", "--port", "0", "--quiet"];
    let _server = Process::start(&program("gearmesh"), &dev, folder.path(), &endpoint).await;
    for broken in &FILES {
        let ran = gearmesh(folder.path(), &["run", &broken.file(), "-o", "json"]).await;
        assert_eq!(ran.code, NOT_VALID, "{}: {}", broken.name, ran.err);
        let error: Value = serde_json::from_str(&ran.err).expect("the error as JSON");
        assert_eq!(faults(&error["errors"]), broken.faults, "{}", broken.name);
        let (ran, answer) = validate(folder.path(), &broken.file()).await;
        assert_eq!(ran.code, NOT_VALID, "{}", broken.name);
        assert_eq!(faults(&answer["errors"]), broken.faults, "{}", broken.name);
    }
    nothing_ran(folder.path()).await;
}

#[tokio::test]
async fn people_read_the_place_and_what_helps() {
    let folder = desk();
    let mut shown = String::new();
    for broken in &FILES {
        let ran = gearmesh(folder.path(), &["validate", &broken.file()]).await;
        let run = gearmesh(folder.path(), &["run", &broken.file()]).await;
        assert_eq!(run.err.trim_end(), ran.err.trim_end(), "{}", broken.name);
        let _ = writeln!(shown, "$ gearmesh validate {}\n{}", broken.file(), ran.err);
    }
    golden(&tree().join("tests/golden/broken.txt"), &shown);
}

#[tokio::test]
async fn safe_fixes_mend_the_file() {
    let folder = desk();
    for broken in &FILES {
        let file = broken.file();
        let before = std::fs::read_to_string(folder.path().join(&file)).expect("the file");
        let ran = gearmesh(folder.path(), &["validate", "--fix", &file]).await;
        let after = std::fs::read_to_string(folder.path().join(&file)).expect("the file");
        let expected = if broken.mended { 0 } else { NOT_VALID };
        assert_eq!(
            ran.code, expected,
            "{}: {}{}",
            broken.name, ran.out, ran.err
        );
        let has_fix = broken.mended || broken.name == "all-together";
        assert_eq!(before != after, has_fix, "{}", broken.name);
    }
    let (_, answer) = validate(folder.path(), "all-together.workflow.yaml").await;
    let mended = [
        "UNKNOWN_KEY",
        "UNITLESS_DURATION",
        "INVALID_ID",
        "TEMPLATE_IN_CONDITION",
    ];
    let left = faults(&answer["errors"]);
    assert!(
        !left.iter().any(|f| mended.iter().any(|m| f.ends_with(m))),
        "{left:?}"
    );
    assert_eq!(
        left.len(),
        FILES[11].faults.len() - mended.len(),
        "{left:?}"
    );
}
