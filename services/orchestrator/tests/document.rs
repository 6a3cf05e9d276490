//! The result document, and runs that start each other.

use std::time::Duration;

use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};

const SERVICES: [gearmesh_runtime::Service; 3] = [
    gearmesh_state::SERVICE,
    gearmesh_events::SERVICE,
    gearmesh_orchestrator::SERVICE,
];

async fn call(mesh: &TestMesh, rpc: &str, params: Value) -> Value {
    let answer = mesh.call(&format!("orchestrator.{rpc}"), params).await;
    answer.expect("it answers")
}

/// The run once it has ended.
async fn ended(mesh: &TestMesh, params: Value) -> Value {
    let started = call(mesh, "start_run", params).await;
    let id = started["run"]["runId"].clone();
    for _ in 0..600 {
        let run = call(mesh, "get_run", json!({"runId": id})).await["run"].take();
        if !matches!(
            run["status"].as_str(),
            Some("running" | "queued" | "waiting")
        ) {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never ends");
}

const EVERY_END: &str = "
name: ends
onError: continue
tasks:
  - {id: put, tool: state.put, params: {key: a, value: 1}}
  - {id: bad, tool: state.get, params: {key: none}}
  - {id: left, needs: [bad], set: {v: 1}}
  - {id: off, when: put.result.key == 'b', set: {v: 1}}
  - {id: many, each: [a, none], as: key, onItemError: continue, needs: [put], tool: state.get, params: {key: '${key}'}}
  - id: group
    needs: [put]
    tasks:
      - {id: inner, set: {v: 1}}
      - {id: outer, needs: [inner], set: {v: 2}}
";

#[tokio::test]
async fn document_says_how_each_task_ended() {
    // WF-8.2, WF-8.3, WF-8.4, WF-8.5, WF-9.28
    let mesh = TestMesh::start(&SERVICES).await;
    let run = ended(&mesh, json!({"source": EVERY_END})).await;
    assert_eq!(run["status"], "partial", "{run:#}");
    for (key, length) in [("startTime", 24), ("endTime", 24)] {
        let text = run[key].as_str().expect("an instant");
        assert!(
            text.len() == length && text.ends_with('Z') && text.as_bytes()[19] == b'.',
            "{text}"
        );
    }
    for place in [
        &run["duration"],
        &run["tasks"]["put"]["duration"],
        &run["timings"]["working"],
    ] {
        assert!(place.is_u64(), "{place}");
    }
    // Neither items nor inner tasks are counted.
    assert_eq!(
        run["summary"],
        json!({"total": 6, "succeeded": 3, "failed": 1, "skipped": 2})
    );
    let of = |task: &str, key: &str| run["tasks"][task][key].clone();
    assert_eq!(of("left", "reason"), "NEED_FAILED");
    assert_eq!(of("off", "reason"), "CONDITION");
    assert_eq!(
        of("many", "items"),
        json!({"total": 2, "succeeded": 1, "failed": 1, "skipped": 0})
    );
    let error = &of("many", "errors")[0];
    assert_eq!(
        (&error["index"], &error["item"]),
        (&json!(1), &json!("none"))
    );
    assert_eq!(of("group", "tasks")["outer"]["result"], json!({"v": 2}));
    // The reason is the tool's own.
    assert_eq!(
        of("bad", "error"),
        json!({"code": "STATE_NOT_FOUND", "message": "key `none` has no value", "task": "bad", "attempt": 1, "retryable": false, "details": {"key": "none"}})
    );
    assert_eq!(run["error"]["task"], "bad");
}

#[tokio::test]
async fn workflows_are_nested_at_most_ten_deep() {
    // WF-1.5
    let mesh = TestMesh::start(&SERVICES).await;
    let level = |at: usize| match at {
        0 => "name: level-0\ntasks:\n  - {id: a, set: {v: 1}}\noutputs: {v: '${a.result.v}'}\n"
            .to_owned(),
        _ => format!(
            "name: level-{at}\ntasks:\n  - {{id: a, workflow: level-{}}}\noutputs: {{v: '${{a.result.v}}'}}\n",
            at - 1
        ),
    };
    for at in 0..=11 {
        call(&mesh, "create_workflow", json!({"source": level(at)})).await;
    }
    let deep = ended(&mesh, json!({"workflow": "level-10"})).await;
    assert_eq!(
        (&deep["status"], &deep["outputs"]),
        (&json!("succeeded"), &json!({"v": 1})),
        "{deep:#}"
    );
    let deeper = ended(&mesh, json!({"workflow": "level-11"})).await;
    assert_eq!(deeper["status"], "failed", "{deeper:#}");
    assert_eq!(deeper["error"]["code"], "CHILD_FAILED", "{deeper:#}");
    assert!(
        deeper["error"].to_string().contains("at most 10"),
        "{deeper:#}"
    );
}
