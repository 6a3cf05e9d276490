//! Documents of Oktyv over the engines that Gearmesh has: vault, file, http, db,
//! browser, email and scheduler, all in `gearmesh dev`, with nothing played but the
//! world outside (its stand-in site, database and mailbox).
//!
//! Each document in `oktyv/engines` uses the names, the parameters and the references
//! of Oktyv's own tables; what it must answer stands here.

use std::path::{Path, PathBuf};

use gearmesh_tests::{Dev, assert_covers};
use serde_json::{Value, json};

/// Exit codes of the command for a run of which all, or some, succeeded.
const SUCCESS: i32 = 0;
const PARTIAL: i32 = 10;

/// Chromium's own sandbox does not run as root, and tests may.
const SETTINGS: &[&str] = &["browser.sandbox=off"];

async fn dev() -> Dev {
    Dev::start(&[], SETTINGS).await
}

/// Runs a document: its answer, after a look at the exit code.
async fn run(dev: &Dev, name: &str, code: i32) -> Value {
    let source = format!("{}/oktyv/engines/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let file = format!("./{name}.json");
    std::fs::copy(source, dev.folder().join(&file)).expect("the document can be copied");
    let answer = dev.caller().gearmesh(&["run", &file, "-o", "json"]).await;
    assert_eq!(answer.code, code, "{name}: {}{}", answer.out, answer.err);
    answer.json()
}

/// Compares every task of an answer: with a text, the code of its failure; else with
/// what its result must have.
fn check(answer: &Value, tasks: &Value) {
    let tasks = tasks.as_object().expect("a map");
    for (id, expected) in tasks {
        let expected = match expected.as_str() {
            Some(code) => json!({"taskId": id, "status": "failed", "error": {"code": code}}),
            None => json!({"taskId": id, "status": "success", "result": expected}),
        };
        assert_covers(&expected, &answer["tasks"][id]);
    }
    assert_eq!(answer["summary"]["total"], tasks.len(), "{answer:#}");
    assert_eq!(answer["summary"]["skipped"], 0, "{answer:#}");
}

fn read(dev: &Dev, path: &str) -> Vec<u8> {
    let path = dev.folder().join(".gearmesh/roots").join(path);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_kept_and_never_answered() {
    let dev = dev().await;
    let answer = run(&dev, "secrets", PARTIAL).await;
    check(
        &answer,
        &json!({
            "keep": {"version": 1},
            "again": {"version": 2},
            "get": {"credentialName": "crm", "value": "vault://shop/crm", "version": 2},
            "copy": {"version": 1},
            "list": {"vaultName": "shop", "credentials": ["copy", "crm"], "count": 2},
            "spare": {"version": 1},
            "vaults": {"vaults": ["shop", "spare"], "count": 2},
            "no_vault": "VAULT_NOT_FOUND",
            "no_secret": "CREDENTIAL_NOT_FOUND",
            "bad_vault": "INVALID_VAULT_NAME",
            "bad_name": "INVALID_CREDENTIAL_NAME",
            "no_name": "INVALID_PARAMETERS",
            "delete": {},
            "after": {"credentials": ["crm"], "count": 1},
            "delete_all": {},
            "delete_none": {}
        }),
    );
    // Every way to look at the run shows the secrets' places, never what was put there.
    let run = answer["executionId"].as_str().expect("a run");
    let mut shown = dev.caller().said();
    for command in [
        &["run", "show", run, "-o", "json"][..],
        &["run", "list", "-o", "json"],
        &["plan", "./secrets.json", "-o", "json"],
    ] {
        let answer = dev.caller().gearmesh(command).await;
        assert_eq!(answer.code, SUCCESS, "{command:?}: {}", answer.err);
        shown.extend(answer.out.into_bytes());
    }
    for path in [
        format!("/v1/runs/{run}"),
        format!("/v1/runs/{run}/events"),
        "/v1/runs".to_owned(),
    ] {
        let answer = reqwest::get(format!("{}{path}", dev.url())).await;
        let body = answer.expect("an answer").bytes().await.expect("a body");
        assert!(!body.is_empty(), "{path}");
        shown.extend(body);
    }
    assert!(find(&shown, b"vault://shop/crm"), "something was shown");
    assert!(!find(&shown, b"oktyv-canary"), "shown in plain text");
    // The journal holds the document as it came: the one place, said in
    // docs/reference/workflow.md, until literals are sealed before the start.
    let mut held: Vec<String> = Vec::new();
    for file in files(&dev.folder().join(".gearmesh")) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        if find(&bytes, b"oktyv-canary") {
            let name = file.file_name().unwrap_or_default();
            held.push(name.to_string_lossy().into_owned());
        }
    }
    assert!(
        held.iter().all(|name| name.starts_with("orchestrator.db")),
        "{held:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_written_and_read() {
    // WF-3.28, WF-9.26
    let dev = dev().await;
    let answer = run(&dev, "rows", PARTIAL).await;
    check(
        &answer,
        &json!({
            "where": {"version": 1},
            "open": {"connectionId": "notes"},
            "inline": {"connectionId": "inline"},
            "table": {"rows": []},
            "one": {"count": 1},
            "two": {"count": 2},
            "better": {"count": 1},
            "all": {
                "results": [{"title": "third", "stars": 5}, {"title": "second", "stars": 4}, {"title": "first", "stars": 3}],
                "count": 3
            },
            "titles": {"results": [{"title": "second"}, {"title": "third"}], "count": 2},
            "at_once": {
                "results": [{"count": 1}, {"count": 1}, {"rows": [{"title": "second"}, {"title": "third"}, {"title": "third again"}]}],
                "retries": 0
            },
            "raw": {"rows": [{"title": "second"}, {"title": "third"}], "count": 2},
            "single": {"rows": [{"stars": 5}]},
            "twice": "DB_CONSTRAINT",
            "typo": "INVALID_PARAMETERS",
            "no_table": "DB_QUERY_FAILED",
            "whole_table": "INVALID_PARAMETERS",
            "no_connection": "CONNECTION_NOT_FOUND",
            "away": "DB_CONNECTION_FAILED",
            "endless": "TASK_TIMEOUT",
            "less": {"count": 1},
            "close": {"connectionId": "inline"}
        }),
    );
    let late = &answer["tasks"]["endless"]["error"];
    assert_eq!(late["message"], "Task 'endless' timed out after 3000ms");
    assert_eq!(late["details"], json!({"cause": "OUTCOME_UNKNOWN"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_read_and_forms_sent() {
    let mut dev = dev().await;
    let answer = run(&dev, "pages", PARTIAL).await;
    check(
        &answer,
        &json!({
            "private": "EGRESS_DENIED",
            "go": {"status": 200, "title": "Items"},
            "see": {"data": {"title": "Items", "url": "Anvil"}},
            "all": {"data": {"names": ["Anvil", "Bellows", "Crucible"]}},
            "shot": {"format": "png", "encoding": "base64"},
            "print": {"format": "A4", "encoding": "base64"},
            "keep_shot": {"path": "/reports/items.png"},
            "keep_print": {"path": "/reports/items.pdf"},
            "note_down": {"path": "/reports/items.txt"},
            "order": {"selector": ".item a"},
            "note": {"selector": "#note", "textLength": 14},
            "fill": {"fieldsCount": 2, "submitted": true},
            "sent": {"data": {"item": "Bellows", "count": "2", "note": "Anvil, fragile"}},
            "no_element": "ELEMENT_NOT_FOUND",
            "never": "TASK_TIMEOUT",
            "answer": {"status": 200, "data": {"count": 5}},
            "nothing_there": "HTTP_STATUS"
        }),
    );
    assert!(read(&dev, "reports/items.png").starts_with(b"\x89PNG\r\n"));
    assert!(read(&dev, "reports/items.pdf").starts_with(b"%PDF-"));
    let text = r#"Items: 3, Anvil first of ["Anvil","Bellows","Crucible"]"#;
    assert_eq!(read(&dev, "reports/items.txt"), text.as_bytes());
    assert!(dev.stop().await.success(), "it ends its browser");
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_sent_fetched_and_parsed() {
    let dev = dev().await;
    let answer = run(&dev, "mails", PARTIAL).await;
    check(
        &answer,
        &json!({
            "keep": {"version": 1},
            "text": {"size": 19},
            "send": {"accepted": 2},
            "fetch": {"count": 1},
            "every": {"count": 1},
            "parse": {
                "from": "mesh@example.test", "to": ["b@example.test"],
                "subject": "Stock of today", "text": "2 attachments\r\n"
            },
            "split": "EMAIL_INVALID_ADDRESS",
            "nobody": "EMAIL_INVALID_ADDRESS",
            "no_folder": "FOLDER_NOT_FOUND",
            "smtp_away": "EMAIL_CONNECTION_FAILED",
            "imap_away": "EMAIL_CONNECTION_FAILED"
        }),
    );
    let mail = &answer["tasks"]["fetch"]["result"]["emails"][0];
    assert_covers(
        &json!({
            "from": "mesh@example.test", "to": ["ann@example.test"], "cc": ["bob@example.test"],
            "subject": "Stock of today", "html": "<p>As attached.</p>", "folder": "INBOX",
            "attachments": [
                {"filename": "stock.csv", "size": 19, "content": "bmFtZSxjb3VudApBbnZpbCwzCg=="},
                {"filename": "a.txt", "contentType": "text/plain", "content": "aGVsbG8="}
            ]
        }),
        mail,
    );
    let sent = &answer["tasks"]["send"]["result"]["messageId"];
    assert_eq!(&mail["messageId"], sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_cron_are_schedules() {
    let dev = dev().await;
    let answer = run(&dev, "tasks", PARTIAL).await;
    let schedule = |fields: Value| json!({"schedule": fields});
    check(
        &answer,
        &json!({
            "hook": schedule(json!({
                "name": "ping", "description": "says that it lives", "scheduleType": "cron", "cronExpression": "0 0 1 1 *",
                "actionType": "webhook", "timezone": "Europe/Chisinau", "retryCount": 1, "retryDelay": 1000, "timeout": 5000,
                "enabled": true
            })),
            "rows": schedule(json!({"scheduleType": "interval", "interval": 3_600_000})),
            "once": schedule(json!({"scheduleType": "once", "nextRun": "2035-01-01T00:00:00Z"})),
            "get": schedule(json!({"name": "ping"})),
            "update": schedule(json!({"cronExpression": "30 0 1 1 *", "timezone": "UTC", "description": "says that it lives"})),
            "disable": schedule(json!({"enabled": false})),
            "off": schedule(json!({"enabled": false})),
            "disabled": "SCHEDULE_DISABLED",
            "enable": schedule(json!({"enabled": true})),
            "now": {},
            "list": {"schedules": [{"name": "rows"}], "count": 1},
            "first": {},
            "history": {"count": 1},
            "statistics": {"statistics": {"failureCount": 0, "timeoutCount": 0}},
            "clear": {},
            "valid": {"valid": true, "expression": "0 9 * * 1-5", "errors": []},
            "wrong": {"valid": false},
            "no_rule": "INVALID_SCHEDULE",
            "past": "SCHEDULE_IN_PAST",
            "none": "SCHEDULE_NOT_FOUND",
            "twice": "SCHEDULE_EXISTS",
            "delete": {}
        }),
    );
    assert_eq!(read(&dev, "reports/tasks.txt"), b"1: rows");
    // A single call by an old name takes the old parameter too, on every surface.
    let old = json!({"taskId": "ping"});
    let by_command = dev.caller().call("cron_get_task", &old).await;
    assert_eq!(by_command["schedule"]["name"], "ping");
    let present = dev.caller().tool("scheduler.get", &old).await;
    assert!(present.err.contains("taskId"), "{}", present.err);
    assert_eq!(
        by_agent(&dev, "cron_get_task", &old).await["schedule"]["name"],
        "ping"
    );
    let texts = json!({"connectionId": "demo-inbox", "criteria": "ALL"});
    assert!(by_agent(&dev, "email_imap_fetch", &texts).await["count"].as_u64() > Some(0));
}

/// The result of a tool that an agent calls.
async fn by_agent(dev: &Dev, tool: &str, params: &Value) -> Value {
    use rmcp::ServiceExt;
    let url = format!("{}/mcp", dev.url());
    let transport = rmcp::transport::StreamableHttpClientTransport::from_uri(url);
    let agent = ().serve(transport).await.expect("initialized");
    let call = rmcp::model::CallToolRequestParams::new(tool.to_owned())
        .with_arguments(params.as_object().cloned().expect("an object"));
    let said = agent.call_tool(call).await.expect("an answer");
    agent.cancel().await.expect("closed");
    said.structured_content.expect("an object")
}

#[tokio::test(flavor = "multi_thread")]
async fn files_keep_their_bytes() {
    let dev = dev().await;
    let answer = run(&dev, "files", PARTIAL).await;
    check(
        &answer,
        &json!({
            "text": {"size": 5},
            "more": {"size": 9},
            "read": {"content": "Hello you", "path": "/reports/a.txt", "size": 9},
            "part": {"content": "you"},
            "bytes": {"size": 4},
            "read_bytes": {"data": "AAEC/w=="},
            "copy_bytes": {"size": 4},
            "hash": {"algorithm": "sha512"},
            "same": {"matches": true},
            "pack": {"count": 1},
            "packed": {"entries": [{"path": "a.txt", "size": 9, "isDirectory": false}], "count": 1},
            "unpack": {"count": 1},
            "copy": {"destination": "/tmp/b.txt"},
            "move": {"destination": "/tmp/c.txt"},
            "move_over": "FILE_ALREADY_EXISTS",
            "many": {"total": 2, "successful": 1, "failed": 1, "errors": [{"code": "FILE_NOT_FOUND"}]},
            "list": {"count": 1},
            "stat": {"stats": {"size": 9, "isFile": true, "isDirectory": false}},
            "delete": {"path": "/tmp/out"},
            "outside": "PATH_ESCAPES_ROOT",
            "folder": "FILE_IS_DIRECTORY",
            "nameless": "INVALID_PARAMETERS",
            "unknown": "TOOL_NOT_FOUND"
        }),
    );
    assert_eq!(read(&dev, "reports/c.bin"), [0, 1, 2, 255]);
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn find(bytes: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(bytes, needle).is_some()
}
