//! Tasks whose needs are met are under way at once, as many as the document allows.
//!
//! The fixture engine is a process of its own and counts the calls that it has; the
//! counts are asserted, times are printed for people.

use gearmesh_tests::{Fixture, Mesh, Settings};
use serde_json::{Value, json};

/// Tasks of the wide level.
const TASKS: usize = 20;

/// How long each of them takes, in milliseconds: long enough that all are under way
/// before the first has ended, on a slow machine as well.
const TASK_MS: u64 = 200;

async fn mesh() -> (Fixture, Mesh) {
    let fixture = Fixture::start().await;
    let mesh = Mesh::start(&Settings::default().join("fixture", &fixture.url())).await;
    (fixture, mesh)
}

async fn execute(mesh: &Mesh, document: Value) -> Value {
    let (status, answer) = mesh.post("/v1/orchestrator/execute", &document).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["status"], "success", "{answer}");
    answer
}

/// What the engine counted since it was asked last.
async fn counts(mesh: &Mesh) -> (u64, Vec<String>) {
    let (status, counts) = mesh.post("/v1/fixture/in-flight", &json!({})).await;
    assert_eq!(status, 200, "{counts}");
    let record = counts["record"].as_array().expect("a list");
    let record = record.iter().filter_map(Value::as_str).map(str::to_owned);
    (counts["most"].as_u64().expect("a number"), record.collect())
}

fn level(max_concurrent: usize) -> Value {
    let tasks: Vec<Value> = (0..TASKS)
        .map(|n| json!({"id": format!("t{n}"), "tool": "fixture.sleep", "params": {"time": TASK_MS, "name": format!("t{n}")}}))
        .collect();
    json!({"tasks": tasks, "config": {"maxConcurrent": max_concurrent}})
}

#[tokio::test]
async fn level_of_twenty_is_under_way_at_once() {
    let (_fixture, mesh) = mesh().await;
    // The first run opens connections and stores.
    execute(
        &mesh,
        json!({"tasks": [{"id": "warm", "tool": "fixture.sleep", "params": {"time": 0}}]}),
    )
    .await;
    counts(&mesh).await;
    let answer = execute(&mesh, level(TASKS)).await;
    let (most, record) = counts(&mesh).await;
    println!(
        "{TASKS} tasks of {TASK_MS} ms with {TASKS} at once: {most} in flight, {} ms",
        answer["duration"]
    );
    assert_eq!(most, 20);
    assert_eq!(record.len(), 2 * TASKS);
    let ids: Vec<String> = (0..TASKS).map(|n| format!("t{n}")).collect();
    assert_eq!(answer["dag"], json!({"levels": [ids], "edges": []}));
}

#[tokio::test]
async fn no_more_are_under_way_than_the_document_allows() {
    let (_fixture, mesh) = mesh().await;
    let answer = execute(&mesh, level(5)).await;
    let (most, record) = counts(&mesh).await;
    println!(
        "{TASKS} tasks of {TASK_MS} ms with 5 at once: {most} in flight, {} ms",
        answer["duration"]
    );
    assert_eq!(most, 5);
    let mut under_way = 0;
    for line in &record {
        if line.starts_with("begin ") {
            under_way += 1
        } else {
            under_way -= 1
        }
        assert!((0..=5).contains(&under_way), "{record:?}");
    }
    assert_eq!(record.len(), 2 * TASKS);
}

#[tokio::test]
async fn task_waits_for_its_own_needs_alone() {
    let (_fixture, mesh) = mesh().await;
    let sleep = |id: &str, ms: u64, needs: &[&str]| json!({"id": id, "tool": "fixture.sleep", "params": {"time": ms, "name": id}, "dependsOn": needs});
    let answer = execute(
        &mesh,
        json!({"tasks": [
            sleep("quick", 1, &[]),
            sleep("slow", 1_000, &[]),
            sleep("after-quick", 1, &["quick"]),
            sleep("third", 1, &["after-quick"]),
            sleep("both", 1, &["quick", "slow"])
        ]}),
    )
    .await;
    let (_, record) = counts(&mesh).await;
    let at = |line: &str| {
        let found = record.iter().position(|l| l == line);
        found.unwrap_or_else(|| panic!("{line}: {record:?}"))
    };
    // Two levels further on while the first level still has a task under way.
    assert!(at("end quick") < at("begin after-quick"), "{record:?}");
    assert!(at("end third") < at("end slow"), "{record:?}");
    assert!(at("end slow") < at("begin both"), "{record:?}");
    // The levels are those of the longest way from a start, in the order of the document.
    assert_eq!(
        answer["dag"],
        json!({
            "levels": [["quick", "slow"], ["after-quick", "both"], ["third"]],
            "edges": [
                {"from": "quick", "to": "after-quick"},
                {"from": "after-quick", "to": "third"},
                {"from": "quick", "to": "both"},
                {"from": "slow", "to": "both"}
            ]
        })
    );
}

#[tokio::test]
async fn items_of_one_task_are_bounded_as_well() {
    let (_fixture, mesh) = mesh().await;
    let source = r#"
name: items
inputs: {names: {type: array, default: [a, b, c, d, e, f, g, h]}}
tasks:
  - id: nap
    each: "${inputs.names}"
    maxConcurrent: 3
    tool: fixture.sleep
    params: {time: 50, name: "${item}"}
"#;
    let path = "/v1/orchestrator/execute";
    let (_, answer) = mesh.post(path, &json!({"source": source})).await;
    assert_eq!(answer["status"], "succeeded", "{answer}");
    let (most, record) = counts(&mesh).await;
    assert_eq!((most, record.len()), (3, 16), "{record:?}");
}
