//! Documents of Oktyv, as their users have them, run unchanged and are answered in
//! its words.
//!
//! The fixture engine plays what no engine does yet, under its old names: job sites,
//! Gmail and a tool of the user's own. Files and rows are those of the real engines;
//! what these do with Oktyv's documents is in `oktyv_engines.rs`.

use gearmesh_tests::{Fixture, Mesh, Settings, assert_covers, gearmesh};
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::{Value, json};

/// Exit codes of the command for the three ways in which a run ends, and for a refusal.
const SUCCESS: i32 = 0;
const REFUSED: i32 = 3;
const FAILURE: i32 = 7;
const PARTIAL: i32 = 10;

async fn mesh() -> (Fixture, Mesh) {
    let fixture = Fixture::start().await;
    let mesh = Mesh::start(&Settings::default().join("fixture", &fixture.url())).await;
    (fixture, mesh)
}

fn document(name: &str) -> Value {
    let path = format!("{}/oktyv/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the document is there");
    serde_json::from_str(&text).expect("JSON")
}

fn read(mesh: &Mesh, path: &str) -> Value {
    let text = std::fs::read_to_string(mesh.at(path)).expect("the file was written");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test]
async fn diamond_runs_by_levels() {
    let (_fixture, mesh) = mesh().await;
    let answer = mesh.run(&document("diamond")).await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    let result = answer.json();
    let done = |id: &str| json!({"taskId": id, "status": "success"});
    assert_covers(
        &json!({
            "status": "success",
            "tasks": {"search": done("search"), "companies": done("companies"), "places": done("places"), "report": done("report")},
            "summary": {"total": 4, "succeeded": 4, "failed": 0, "skipped": 0},
            "dag": {"levels": [["search"], ["companies", "places"], ["report"]]}
        }),
        &result,
    );
    // The needs that are written, and the one that a reference adds.
    let edges = result["dag"]["edges"].as_array().expect("edges");
    let mut edges: Vec<String> = edges
        .iter()
        .map(|e| {
            format!(
                "{} {}",
                e["from"].as_str().unwrap(),
                e["to"].as_str().unwrap()
            )
        })
        .collect();
    edges.sort();
    assert_eq!(
        edges,
        [
            "companies report",
            "places report",
            "search companies",
            "search places",
            "search report"
        ]
    );
    for time in ["startTime", "endTime", "duration", "executionId"] {
        assert!(!result[time].is_null(), "{time}");
        assert!(
            time == "executionId" || !result["tasks"]["report"][time].is_null(),
            "{time}"
        );
    }
    // What was written is what the tasks before gave, types kept.
    let report = read(&mesh, "/reports/summary.json");
    assert_eq!(report["found"], 3);
    assert_eq!(report["companies"], result["tasks"]["companies"]["result"]);
    assert_eq!(report["places"]["values"][0]["city"], "Tromsø");
}

#[tokio::test]
async fn three_searches_at_once_go_into_one_file() {
    let (_fixture, mesh) = mesh().await;
    let answer = mesh.run(&document("three-sites")).await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    let levels = json!([["linkedin", "indeed", "wellfound"], ["save"]]);
    assert_covers(
        &json!({"status": "success", "dag": {"levels": levels}}),
        &answer.json(),
    );
    // A reference inside a text became part of the file's name.
    let saved = read(&mesh, "/results/jobs_2026-03-01T08-00-00Z.json");
    for site in ["linkedin", "indeed", "wellfound"] {
        assert_eq!(saved[site][0]["id"], format!("{site}-3"));
        assert_eq!(saved[site].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test]
async fn one_result_goes_three_ways() {
    let (_fixture, mesh) = mesh().await;
    // The only connection to a database is the one that is meant.
    let file =
        json!({"connectionId": "office", "type": "sqlite", "connectionString": "file:office.db"});
    let table = json!({"query": "CREATE TABLE openings (title TEXT, company TEXT)"});
    let rows = json!({"table": "openings"});
    for (path, body) in [("connect", &file), ("raw-query", &table)] {
        let (status, said) = mesh.post(&format!("/v1/db/{path}"), body).await;
        assert_eq!(status, 200, "{said}");
    }
    let answer = mesh.run(&document("staged")).await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    let result = answer.json();
    assert_covers(
        &json!({
            "status": "success",
            "tasks": {
                "to_table": {"result": {"affected": 1}},
                "to_mail": {"result": {"messageId": "<1@fixture.test>"}}
            },
            "dag": {"levels": [["look_up"], ["to_table", "to_mail", "to_disk"]]}
        }),
        &result,
    );
    let (_, stored) = mesh.post("/v1/db/query", &rows).await;
    let row = json!({"title": "Lighthouse keeper", "company": "North Coast Lights"});
    assert_eq!(stored["results"], json!([row]));
    let saved = read(&mesh, "/backup/opening_4711.json");
    assert_eq!(saved, result["tasks"]["look_up"]["result"]);
}

#[tokio::test]
async fn failure_beside_a_success_is_partial() {
    let (_fixture, mesh) = mesh().await;
    let two = document("two-at-once");
    let answer = mesh.run(&two).await;
    assert_eq!(answer.code, PARTIAL, "{}", answer.err);
    assert_covers(
        &json!({
            "status": "partial",
            "tasks": {
                "tidy": {"status": "failed", "error": {"code": "FILE_NOT_FOUND"}},
                "mail": {"status": "success", "result": {"count": 2}}
            },
            "summary": {"total": 2, "succeeded": 1, "failed": 1, "skipped": 0},
            "dag": {"levels": [["tidy", "mail"]], "edges": []}
        }),
        &answer.json(),
    );
    mesh.put("/tmp/inbox", "one\n");
    let answer = mesh.run(&two).await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    assert!(mesh.at("/tmp/archive").is_file() && !mesh.at("/tmp/inbox").exists());
}

#[tokio::test]
async fn refused_documents_start_nothing_on_every_surface() {
    let (_fixture, mesh) = mesh().await;
    let transport = StreamableHttpClientTransport::from_uri(format!("{}/mcp", mesh.url()));
    let agent = ().serve(transport).await.expect("initialized");
    for case in document("refused").as_array().expect("cases") {
        let expected = json!({"success": false, "error": case["error"]});
        let document = &case["document"];
        let answer = mesh.run(document).await;
        assert_eq!(answer.code, REFUSED, "{case}: {}", answer.err);
        assert_covers(&expected, &answer.json());

        let (status, body) = mesh.post("/v1/orchestrator/execute", document).await;
        assert_eq!(status, 200, "{case}: {body}");
        assert_covers(&expected, &body);

        let arguments = document.as_object().cloned().expect("an object");
        let call = CallToolRequestParams::new("parallel_execute").with_arguments(arguments);
        let said = agent.call_tool(call).await.expect("an answer");
        assert_covers(&expected, &said.structured_content.expect("an object"));
    }
    agent.cancel().await.expect("closed");
    assert_eq!(mesh.get("/v1/runs").await["runs"], json!([]));
}

#[tokio::test]
async fn cycle_is_answered_with_nothing_but_the_refusal() {
    let (_fixture, mesh) = mesh().await;
    let cases = document("refused");
    let answer = mesh.run(&cases[0]["document"]).await;
    let message = "Circular dependency detected: A -> B -> A";
    // No task is there, so the map of them is empty.
    assert_eq!(
        answer.json(),
        json!({"success": false, "tasks": {}, "error": {"code": "CIRCULAR_DEPENDENCY", "message": message}})
    );
}

#[tokio::test]
async fn same_document_has_the_same_answer_over_rest_and_from_an_agent() {
    let (_fixture, mesh) = mesh().await;
    let diamond = document("diamond");
    let by_command = mesh.run(&diamond).await.json();
    let (status, by_rest) = mesh.post("/v1/orchestrator/execute", &diamond).await;
    assert_eq!(status, 200, "{by_rest}");
    let transport = StreamableHttpClientTransport::from_uri(format!("{}/mcp", mesh.url()));
    let agent = ().serve(transport).await.expect("initialized");
    let listed = agent.list_all_tools().await.expect("a list");
    assert!(listed.iter().any(|tool| tool.name == "parallel_execute"));
    let arguments = diamond.as_object().cloned().expect("an object");
    let call = CallToolRequestParams::new("parallel_execute").with_arguments(arguments);
    let said = agent.call_tool(call).await.expect("an answer");
    agent.cancel().await.expect("closed");
    let by_agent = said.structured_content.expect("an object");
    assert_eq!(timeless(by_command.clone()), timeless(by_rest));
    assert_eq!(timeless(by_command), timeless(by_agent));
}

/// A document without what differs between two runs of it.
fn timeless(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|key, _| {
                    !matches!(
                        key.as_str(),
                        "executionId" | "startTime" | "endTime" | "duration"
                    )
                });
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value
}

#[tokio::test]
async fn slow_task_is_cancelled_at_its_time() {
    let (_fixture, mesh) = mesh().await;
    let tasks = json!([
        {"id": "slow_task", "tool": "email_gmail_fetch", "params": {"folder": "INBOX", "limit": 10_000}, "timeout": 300},
        {"id": "nap", "tool": "fixture.sleep", "params": {"time": "10s", "name": "nap"}, "timeout": 100}
    ]);
    let answer = mesh.run(&json!({"tasks": tasks})).await;
    assert_eq!(answer.code, FAILURE, "{}", answer.err);
    let message = "Task 'slow_task' timed out after 300ms";
    assert_covers(
        &json!({
            "status": "failure",
            "tasks": {"slow_task": {"status": "failed", "error": {"code": "TASK_TIMEOUT", "message": message}}}
        }),
        &answer.json(),
    );
    // The engine is told, by and by: the call leaves before its end.
    let mut record: Vec<Value> = Vec::new();
    while record.len() < 2 {
        let (_, mut counts) = mesh.post("/v1/fixture/in-flight", &json!({})).await;
        let seen = counts["record"].as_array_mut().expect("a list");
        assert!(!seen.iter().any(|line| line == "end nap"), "{seen:?}");
        record.append(seen);
    }
    assert_eq!(record, ["begin nap", "left nap"]);
}

#[tokio::test]
async fn unresolved_reference_fails_its_task_alone() {
    let (_fixture, mesh) = mesh().await;
    let tasks = json!([
        {"id": "lost", "tool": "fixture.echo", "params": {"value": "${nonexistent_task.result}"}},
        {"id": "after", "tool": "fixture.echo", "dependsOn": ["lost"]},
        {"id": "there", "tool": "fixture.echo", "params": {"value": 1}},
        {"id": "empty", "tool": "fixture.echo", "params": {"value": "${there.result.nothing}"}},
        {"id": "unknown", "tool": "no_such_tool"}
    ]);
    let answer = mesh.run(&json!({"tasks": tasks})).await;
    assert_eq!(answer.code, PARTIAL, "{}", answer.err);
    let message =
        "Cannot resolve variable ${nonexistent_task.result}: Task 'nonexistent_task' not found";
    let unresolved = "VARIABLE_RESOLUTION_ERROR";
    assert_covers(
        &json!({
            "status": "partial",
            "tasks": {
                "lost": {"status": "failed", "error": {"code": unresolved, "message": message}},
                "after": {"status": "skipped", "reason": "NEED_FAILED"},
                "there": {"status": "success"},
                "empty": {"status": "failed", "error": {"code": unresolved}},
                "unknown": {"status": "failed", "error": {"code": "TOOL_NOT_FOUND"}}
            },
            "summary": {"total": 5, "succeeded": 1, "failed": 3, "skipped": 1}
        }),
        &answer.json(),
    );
}

#[tokio::test]
async fn nothing_begins_after_a_failure_when_the_document_says_so() {
    let (_fixture, mesh) = mesh().await;
    let tasks = json!([
        {"id": "first", "tool": "file_read", "params": {"path": "/tmp/none"}},
        {"id": "second", "tool": "fixture.sleep", "params": {"time": 0, "name": "second"}, "dependsOn": ["first"]},
        {"id": "third", "tool": "fixture.sleep", "params": {"time": 0, "name": "third"}}
    ]);
    let config = |go_on: bool| json!({"continueOnError": go_on, "maxConcurrent": 1});
    let answer = mesh
        .run(&json!({"tasks": tasks, "config": config(false)}))
        .await;
    assert_eq!(answer.code, FAILURE, "{}", answer.err);
    assert_covers(
        &json!({
            "status": "failure",
            "tasks": {
                "first": {"status": "failed", "error": {"code": "FILE_NOT_FOUND"}},
                "second": {"status": "skipped"},
                "third": {"status": "skipped", "reason": "RUN_STOPPED"}
            },
            "summary": {"total": 3, "succeeded": 0, "failed": 1, "skipped": 2}
        }),
        &answer.json(),
    );
    // Told otherwise, what does not need the failed task goes on.
    let answer = mesh
        .run(&json!({"tasks": tasks, "config": config(true)}))
        .await;
    assert_eq!(answer.code, PARTIAL, "{}", answer.err);
    assert_covers(
        &json!({"status": "partial", "summary": {"succeeded": 1, "failed": 1, "skipped": 1}}),
        &answer.json(),
    );
    let (_, counts) = mesh.post("/v1/fixture/in-flight", &json!({})).await;
    assert_eq!(counts["record"], json!(["begin third", "end third"]));
}

#[tokio::test]
async fn references_keep_types_and_count() {
    // WF-10.7
    let (_fixture, mesh) = mesh().await;
    let tasks = json!([
        {"id": "look-up", "tool": "linkedin_search_jobs"},
        {"id": "null-value", "tool": "fixture.echo"},
        {
            "id": "show-it",
            "tool": "fixture.echo",
            "params": {"value": {
                "count": "${look-up.result.jobs.length}",
                "letters": "${look-up.result.jobs[0].title.length}",
                "text": "${look-up.result.jobs.length} jobs: ${look-up.status}",
                "list": "${look-up.result.companies}",
                "dotted": "${look-up.result.jobs.1.company}",
                "inside": "[${look-up.result.jobs[2].location.city}] ${look-up.result.companies} ${null-value.result.value}",
                "flag": "${look-up.result.hasMore}",
                "literal": "$${look-up.result}"
            }}
        }
    ]);
    let answer = mesh.run(&json!({"tasks": tasks})).await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    assert_eq!(
        answer.json()["tasks"]["show-it"]["result"]["value"],
        json!({
            "count": 3,
            "letters": 17,
            "text": "3 jobs: success",
            "list": ["North Coast Lights", "Span & Sons"],
            "dotted": "Span & Sons",
            "inside": "[] [\"North Coast Lights\",\"Span & Sons\"] null",
            "flag": false,
            "literal": "${look-up.result}"
        })
    );
}

#[tokio::test]
async fn retries_follow_the_policy_of_the_task() {
    let (_fixture, mesh) = mesh().await;
    let policy = json!({"maxAttempts": 3, "initialDelay": 1, "backoff": "linear"});
    let tasks = json!([
        {"id": "third-time", "tool": "fixture.fail", "params": {"name": "a", "times": 2}, "retryPolicy": policy},
        {"id": "too-often", "tool": "fixture.fail", "params": {"name": "b", "times": 3}, "retryPolicy": policy},
        {"id": "once", "tool": "fixture.fail", "params": {"name": "c", "reason": "BUSY"}}
    ]);
    let answer = mesh.run(&json!({"tasks": tasks})).await;
    assert_eq!(answer.code, PARTIAL, "{}", answer.err);
    assert_covers(
        &json!({"tasks": {
            "third-time": {"status": "success", "result": {"calls": 3}},
            "too-often": {"status": "failed", "error": {"code": "BROKEN"}},
            "once": {"status": "failed", "error": {"code": "BUSY"}}
        }}),
        &answer.json(),
    );
}

#[tokio::test]
async fn time_of_the_whole_ends_what_is_under_way() {
    let (_fixture, mesh) = mesh().await;
    let tasks = json!([
        {"id": "long", "tool": "fixture.sleep", "params": {"time": "30s", "name": "long"}},
        {"id": "after", "tool": "fixture.echo", "dependsOn": ["long"]},
        {"id": "quick", "tool": "fixture.echo"}
    ]);
    let document = json!({"tasks": tasks, "config": {"timeout": 300}});
    let answer = mesh.run(&document).await;
    assert_eq!(answer.code, PARTIAL, "{}", answer.err);
    let over = json!({"status": "failed", "error": {"code": "RUN_TIMEOUT"}});
    assert_covers(
        &json!({
            "status": "partial",
            "tasks": {"long": over, "after": over, "quick": {"status": "success"}},
            "summary": {"total": 3, "succeeded": 1, "failed": 2, "skipped": 0}
        }),
        &answer.json(),
    );
}

#[tokio::test]
async fn higher_priority_goes_first_and_a_need_counts_once() {
    let (_fixture, mesh) = mesh().await;
    let sleep = |id: &str, priority: i32, needs: &[&str]| json!({"id": id, "tool": "fixture.sleep", "params": {"time": 0, "name": id}, "priority": priority, "dependsOn": needs});
    let tasks = json!([
        sleep("low", 0, &[]),
        sleep("middle", 5, &[]),
        sleep("high", 9, &[]),
        sleep("last", 9, &["low", "low"])
    ]);
    let answer = mesh
        .run(&json!({"tasks": tasks, "config": {"maxConcurrent": 1, "failureMode": "stop"}}))
        .await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    assert_eq!(
        answer.json()["dag"]["edges"],
        json!([{"from": "low", "to": "last"}])
    );
    let (_, counts) = mesh.post("/v1/fixture/in-flight", &json!({})).await;
    let record = counts["record"].as_array().expect("a list").iter();
    let begun: Vec<_> = record
        .filter_map(|line| line.as_str()?.strip_prefix("begin "))
        .collect();
    assert_eq!(begun, ["high", "middle", "low", "last"]);
}

#[tokio::test]
async fn one_command_is_enough_without_a_server() {
    let fixture = Fixture::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("diamond.json");
    std::fs::write(&path, document("diamond").to_string()).expect("written");
    let joined = format!("engines.fixture.url={}", fixture.url());
    let answer = gearmesh(
        folder.path(),
        &[
            "run",
            "./diamond.json",
            "-o",
            "json",
            "--set",
            &joined,
            "--root",
            "/reports=out",
        ],
    )
    .await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    assert_eq!(answer.json()["summary"]["succeeded"], 4);
    assert!(folder.path().join("out/summary.json").is_file());
}
