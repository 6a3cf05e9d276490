//! Tasks of Ordinaut, as their users have them, run unchanged.
//!
//! The fixture engine plays their five servers, under the names that these have with
//! hyphens as underscores.

use gearmesh_tests::{Fixture, Mesh, Settings, assert_covers};
use serde_json::{Value, json};

/// Exit codes of the command for a run that succeeds, one that fails, and a refusal.
const SUCCESS: i32 = 0;
const REFUSED: i32 = 3;
const FAILURE: i32 = 7;

async fn mesh() -> (Fixture, Mesh) {
    let fixture = Fixture::start().await;
    let mesh = Mesh::start(&Settings::default().join("fixture", &fixture.url())).await;
    (fixture, mesh)
}

fn morning() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/ordinaut/morning-briefing.json"
    );
    let text = std::fs::read_to_string(path).expect("the document is there");
    serde_json::from_str(&text).expect("JSON")
}

// WF-10.12, WF-10.13, WF-10.14, WF-10.17
#[tokio::test]
async fn morning_briefing_runs_unchanged() {
    let (_fixture, mesh) = mesh().await;
    let answer = mesh.run(&morning()).await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    let result = answer.json();
    let done = |text: &str| json!({"status": "succeeded", "result": {"text": text}});
    assert_covers(
        &json!({
            "workflow": "weekday-morning-briefing",
            "status": "succeeded",
            "tasks": {
                "calendar": done("two meetings"),
                "weather": done("weather of Chisinau"),
                "emails": done("5 mails"),
                "brief": done("Create morning briefing: done"),
                "notify": done("to 12345: Create morning briefing: done")
            },
            "summary": {"total": 5, "succeeded": 5, "failed": 0, "skipped": 0},
            "dag": {"levels": [["calendar"], ["weather"], ["emails"], ["brief"], ["notify"]]}
        }),
        &result,
    );
    // `${now}` to `${now+24h}`, and what the writer got is what the others gave, types kept.
    assert_eq!(result["tasks"]["calendar"]["result"]["hours"], 24);
    let given = |id: &str| result["tasks"][id]["result"].clone();
    let sources = json!([given("calendar"), given("weather"), given("emails")]);
    assert_eq!(given("brief")["sources"], sources);
    let steps = json!({
        "events": given("calendar"), "weather": given("weather"),
        "inbox": given("emails"), "summary": given("brief")
    });
    assert_eq!(result["steps"], steps);
}

// WF-10.1
#[tokio::test]
async fn briefing_is_taken_by_every_way_in() {
    let (_fixture, mesh) = mesh().await;
    let source = json!({"source": morning().to_string()});
    let (status, said) = mesh.post("/v1/orchestrator/execute", &source).await;
    assert_eq!(status, 200, "{said}");
    assert_covers(&json!({"status": "succeeded"}), &said);

    let (status, run) = mesh.post("/v1/runs", &source).await;
    assert_eq!(status, 200, "{run}");
    assert_eq!(run["dialect"], "ordinaut", "{run}");
    let path = format!("/v1/runs/{}", run["runId"].as_str().expect("an id"));
    let ended = loop {
        let run = mesh.get(&path).await;
        if run["endTime"].is_string() {
            break run;
        }
    };
    assert_eq!(ended["status"], "succeeded", "{ended}");
}

fn pipeline(steps: &Value) -> Value {
    json!({"title": "Steps", "max_retries": 0, "payload": {"params": {"city": "Porto", "rain": false}, "pipeline": steps}})
}

// WF-10.12, WF-10.17
#[tokio::test]
async fn skipped_step_does_not_stop_the_next() {
    let (_fixture, mesh) = mesh().await;
    let steps = json!([
        {"id": "rain-coat", "uses": "llm.plan", "if": "params.rain", "with": {"instruction": "Take a coat"}, "save_as": "coat"},
        {"id": "run", "uses": "weather-mcp.forecast", "with": {"city": "${params.city}"}, "if": "params.city == 'Porto'"},
        {"uses": "llm.plan", "with": {"instruction": "${steps.run.text}, ${steps.coat.text} and ${params.sun}"}}
    ]);
    let answer = mesh.run(&pipeline(&steps)).await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    assert_covers(
        &json!({
            "tasks": {
                "rain-coat": {"status": "skipped", "reason": "CONDITION"},
                "run": {"status": "succeeded"},
                "step_3": {"result": {"text": "weather of Porto, null and null: done"}}
            },
            "summary": {"total": 3, "succeeded": 2, "failed": 0, "skipped": 1},
            "steps": {"coat": null}
        }),
        &answer.json(),
    );
}

// WF-10.14
#[tokio::test]
async fn of_two_steps_with_one_name_the_one_that_ran_keeps_it() {
    let (_fixture, mesh) = mesh().await;
    let step = |rain: bool, text: &str| {
        let when = format!("params.rain == `{rain}`");
        json!({"uses": "llm.plan", "if": when, "with": {"instruction": text}, "save_as": "plan"})
    };
    let last = json!({"uses": "llm.plan", "with": {"instruction": "${steps.plan.text}!"}});
    let steps = json!([step(false, "Walk"), step(true, "Read"), last]);
    let answer = mesh.run(&pipeline(&steps)).await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    assert_covers(
        &json!({
            "tasks": {"step_3": {"result": {"text": "Walk: done!: done"}}},
            "steps": {"plan": {"text": "Walk: done"}}
        }),
        &answer.json(),
    );
}

// WF-10.16
#[tokio::test]
async fn key_answers_the_first_run_in_its_window() {
    let (_fixture, mesh) = mesh().await;
    let start = async |key: &str, seconds: u32, text: &str| {
        let steps = json!([{"uses": "llm.plan", "with": {"instruction": text}}]);
        let mut document = pipeline(&steps);
        document["dedupe_key"] = json!(key);
        document["dedupe_window_seconds"] = json!(seconds);
        let (status, run) = mesh
            .post("/v1/runs", &json!({"source": document.to_string()}))
            .await;
        assert_eq!(status, 200, "{run}");
        run["runId"].as_str().expect("an id").to_owned()
    };
    let first = start("k", 3600, "a").await;
    // Whatever the body.
    assert_eq!(start("k", 3600, "b").await, first);
    assert_ne!(start("l", 3600, "a").await, first);
    assert_ne!(start("m", 0, "a").await, start("m", 0, "a").await);
}

// WF-10.12, WF-10.15
#[tokio::test]
async fn failed_step_ends_the_pipeline_unless_a_retry_helps() {
    let (_fixture, mesh) = mesh().await;
    let steps = |retries: u32| {
        pipeline(&json!([
            {"id": "weather", "uses": "weather-mcp.forecast", "with": {"city": "Nowhere"}, "max_retries": retries},
            {"id": "after", "uses": "llm.plan", "with": {"instruction": "x"}}
        ]))
    };
    let answer = mesh.run(&steps(0)).await;
    assert_eq!(answer.code, FAILURE, "{}", answer.err);
    assert_covers(
        &json!({
            "status": "failed",
            "tasks": {
                "weather": {"status": "failed", "error": {"code": "BUSY"}, "attempts": 1},
                "after": {"status": "skipped"}
            }
        }),
        &answer.json(),
    );
    // The server that was busy once more is asked once more.
    let (_fixture, mesh) = self::mesh().await;
    let answer = mesh.run(&steps(1)).await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    assert_covers(
        &json!({"tasks": {"weather": {"attempts": 2}, "after": {"status": "succeeded"}}}),
        &answer.json(),
    );
}

// WF-10.12
#[tokio::test]
async fn empty_pipeline_succeeds_at_once() {
    let (_fixture, mesh) = mesh().await;
    let answer = mesh.run(&pipeline(&json!([]))).await;
    assert_eq!(answer.code, SUCCESS, "{}", answer.err);
    assert_covers(
        &json!({"status": "succeeded", "summary": {"total": 0, "succeeded": 0}}),
        &answer.json(),
    );
}

// WF-10.13
#[tokio::test]
async fn unknown_server_is_refused_before_anything_runs() {
    let (_fixture, mesh) = mesh().await;
    let steps = json!([{"uses": "weather-mcp.forecast"}, {"uses": "weather-mcp.forcast"}]);
    let answer = mesh.run(&pipeline(&steps)).await;
    assert_eq!(answer.code, REFUSED, "{}", answer.err);
    let said = format!("{}{}", answer.out, answer.err);
    assert!(said.contains("no tool `weather_mcp.forcast`"), "{said}");
    assert_eq!(mesh.get("/v1/runs").await["runs"], json!([]));
}

// WF-10.18
#[tokio::test]
async fn converted_briefing_gives_the_same_results() {
    let (_fixture, mesh) = mesh().await;
    let before = mesh.run(&morning()).await.json();
    let text = gearmesh_workflow::convert(&gearmesh_workflow::Source {
        text: &morning().to_string(),
        file_name: "morning-briefing.json",
        dialect: None,
    })
    .expect("it is converted");
    mesh.put("/tmp/morning.workflow.yaml", &text);
    let file = mesh.at("/tmp/morning.workflow.yaml");
    let file = file.to_str().expect("a path of text");
    let after = mesh.command(&["run", file, "-o", "json"]).await;
    assert_eq!(after.code, SUCCESS, "{}", after.err);
    let after = after.json();
    for id in ["calendar", "weather", "emails", "brief", "notify"] {
        let result = |run: &Value| run["tasks"][id]["result"].clone();
        assert_eq!(result(&before), result(&after), "{id}");
    }
    assert_eq!(before["dag"], after["dag"]);
    assert_eq!(
        after["outputs"]["events"],
        after["tasks"]["calendar"]["result"]
    );
}
