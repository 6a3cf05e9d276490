//! Stored workflows: their versions and states, and starts by name.

#![expect(
    clippy::disallowed_methods,
    reason = "no context in a test, and a store as time has left it"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{
    CreateWorkflowRequest, GetWorkflowRequest, RestoreWorkflowRequest,
};
use gearmesh_fault::Failure;
use gearmesh_link::Call;
use gearmesh_store::workflow::{Change, Changed, Head, State, Version};
use gearmesh_store::{Journal, Store};
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};

async fn mesh() -> TestMesh {
    TestMesh::start(&[
        gearmesh_state::SERVICE,
        gearmesh_http::SERVICE,
        gearmesh_orchestrator::SERVICE,
    ])
    .await
}

async fn call(mesh: &TestMesh, rpc: &str, params: Value) -> Value {
    match mesh.call(&format!("orchestrator.{rpc}"), params).await {
        Ok(answer) => answer,
        Err(status) => panic!("{rpc}: {status:?}"),
    }
}

async fn fault(mesh: &TestMesh, rpc: &str, params: Value) -> Failure {
    match mesh.call(&format!("orchestrator.{rpc}"), params).await {
        Ok(answer) => panic!("{rpc}: {answer:#}"),
        Err(status) => Failure::of(&status),
    }
}

async fn create(mesh: &TestMesh, source: &str) -> Value {
    call(mesh, "create_workflow", json!({"source": source})).await["workflow"].take()
}

async fn update(mesh: &TestMesh, name: &str, source: &str) -> Value {
    let params = json!({"workflow": name, "source": source});
    call(mesh, "update_workflow", params).await["workflow"].take()
}

/// Waits until a run has ended.
async fn ended(mesh: &TestMesh, run: &str) -> Value {
    for _ in 0..600 {
        let run = call(mesh, "get_run", json!({"runId": run})).await["run"].take();
        if run["endTime"].is_string() {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{run} does not end");
}

async fn start(mesh: &TestMesh, params: Value) -> String {
    let answer = call(mesh, "start_run", params).await;
    answer["run"]["runId"].as_str().expect("an id").to_owned()
}

fn once(name: &str, x: u32) -> String {
    format!(
        "name: {name}\ntasks:\n  - {{id: a, set: {{x: {x}}}}}\noutputs: {{x: '${{a.result.x}}'}}\n"
    )
}

const FULL: &str = r#"
name: full
title: A Title
description: What it does
labels: {team: Finance}
inputs:
  to: {type: string, default: you@example.test}
  n: {type: integer, required: true}
  pin: {type: string, sensitive: true}
triggers:
  - {id: nightly, cron: "30 2 * * *", timezone: Europe/Chisinau, inputs: {n: 1}}
tasks:
  - {id: a, set: {x: "${inputs.n}"}}
  - {id: b, tool: state.put, params: {key: k, value: "${a.result.x}"}}
"#;

#[tokio::test]
async fn workflow_is_read_as_it_was_stored() {
    let mesh = mesh().await;
    let params = json!({"source": FULL, "fileName": "full.workflow.yaml", "comment": "first"});
    let ada = Call {
        principal: Some("user/ada".into()),
        ..Call::default()
    };
    let created = mesh
        .call_as("orchestrator.create_workflow", params, ada)
        .await
        .expect("stored");
    let workflow = &created["workflow"];
    let read = call(&mesh, "get_workflow", json!({"workflow": "full"})).await;
    assert_eq!(read["workflow"], *workflow);
    for (key, expected) in [
        ("name", json!("full")),
        ("version", json!(1)),
        ("newest", json!(1)),
        ("state", json!("enabled")),
        ("title", json!("A Title")),
        ("description", json!("What it does")),
        ("labels", json!({"team": "Finance"})),
        ("source", json!(FULL)),
        ("fileName", json!("full.workflow.yaml")),
        ("tasks", json!(2)),
        ("author", json!("user/ada")),
        ("comment", json!("first")),
        ("dialect", json!("native")),
        (
            "inputs",
            json!({
                "type": "object",
                "properties": {
                    "to": {"type": "string", "default": "you@example.test"},
                    "n": {"type": "integer"},
                    "pin": {"type": "string", "writeOnly": true},
                },
                "required": ["n"],
                "additionalProperties": false,
            }),
        ),
        (
            "triggers",
            json!([{"id": "nightly", "cron": "30 2 * * *", "timezone": "Europe/Chisinau",
                "inputs": {"n": 1}}]),
        ),
    ] {
        assert_eq!(workflow[key], expected, "{key}");
    }
    assert!(workflow["createTime"].is_string(), "{workflow:#}");
    assert!(workflow["etag"].as_str().is_some_and(|e| e.len() == 16));
}

#[tokio::test]
async fn workflow_outlives_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let services = [gearmesh_orchestrator::SERVICE];
    let config = || gearmesh_runtime::Config::new(folder.path());
    let mut seen = Vec::new();
    for _ in 0..2 {
        let running = gearmesh_runtime::start(&services, config())
            .await
            .expect("starts");
        let link = running.mesh().link("orchestrator").expect("a link");
        let mut client = OrchestratorServiceClient::new(link);
        if seen.is_empty() {
            let request = CreateWorkflowRequest {
                source: once("kept", 1),
                ..Default::default()
            };
            client.create_workflow(request).await.expect("stored");
        }
        let request = GetWorkflowRequest {
            workflow: "kept".into(),
            version: 0,
        };
        let found = client.get_workflow(request).await.expect("found");
        seen.push(found.into_inner().workflow);
        running.stop().await;
    }
    assert!(seen[0].is_some());
    assert_eq!(seen[0], seen[1]);
}

/// A workflow in a store, deleted so long ago.
async fn deleted(workflows: &gearmesh_store::workflow::Workflows, name: &str, ago: Duration) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let then = now.expect("past 1970").saturating_sub(ago).as_millis();
    let changed_at_ms = i64::try_from(then).expect("a time");
    let version = Version {
        name: name.into(),
        version: 1,
        spec_hash: [0; 32],
        source: once(name, 1),
        file_name: String::new(),
        dialect: "native".into(),
        title: String::new(),
        author: "local".into(),
        comment: String::new(),
        words: name.into(),
        summary: "{}".into(),
        sketch: "".into(),
        created_at_ms: changed_at_ms,
    };
    let head = Head {
        name: name.into(),
        newest: 1,
        state: State::Deleted,
        etag: "1".into(),
        changed_at_ms,
    };
    let change = Change {
        before: None,
        head,
        version: Some(version),
    };
    let done = workflows.change(&change, None).await.expect("stored");
    assert_eq!(done, Changed::Done);
}

#[tokio::test]
async fn deleted_workflow_can_be_restored_for_thirty_days() {
    let folder = tempfile::tempdir().expect("a folder");
    let day = Duration::from_secs(24 * 3_600);
    let store = Store::open(folder.path(), "orchestrator")
        .await
        .expect("opened");
    let spawn = |committer| {
        tokio::spawn(committer);
    };
    let journal = Journal::open(store.clone(), spawn).await.expect("opened");
    deleted(
        &journal.workflows(),
        "long",
        30 * day + Duration::from_secs(1),
    )
    .await;
    deleted(
        &journal.workflows(),
        "lately",
        30 * day - Duration::from_secs(600),
    )
    .await;
    drop(journal);
    store.close().await.expect("closed");
    drop(store);
    let running = gearmesh_runtime::start(
        &[gearmesh_orchestrator::SERVICE],
        gearmesh_runtime::Config::new(folder.path()),
    )
    .await
    .expect("starts");
    let link = running.mesh().link("orchestrator").expect("a link");
    let mut client = OrchestratorServiceClient::new(link);
    // The first sweep comes with the start.
    for _ in 0..600 {
        let request = GetWorkflowRequest {
            workflow: "long".into(),
            version: 0,
        };
        if client.get_workflow(request).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let request = |name: &str| RestoreWorkflowRequest {
        workflow: name.into(),
    };
    let refused = client.restore_workflow(request("long")).await;
    let refused = refused.expect_err("it is gone");
    assert_eq!(Failure::of(&refused).reason, "WORKFLOW_NOT_FOUND");
    let restored = client.restore_workflow(request("lately")).await;
    let restored = restored.expect("restored").into_inner().workflow;
    assert_eq!(restored.expect("a workflow").state, "disabled");
    running.stop().await;
}

#[tokio::test]
async fn name_is_taken_once() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    let again = json!({"source": once("a", 2)});
    let refused = fault(&mesh, "create_workflow", again.clone()).await;
    assert_eq!(refused.reason, "WORKFLOW_EXISTS");
    assert!(refused.message.contains("update it"), "{refused:?}");
    let dry = json!({"source": once("a", 2), "dryRun": true});
    let refused = fault(&mesh, "create_workflow", dry).await;
    assert_eq!(refused.reason, "WORKFLOW_EXISTS");
    call(&mesh, "delete_workflow", json!({"workflow": "a"})).await;
    let refused = fault(&mesh, "create_workflow", again).await;
    assert_eq!(refused.reason, "WORKFLOW_EXISTS");
    assert!(refused.message.contains("restore it"), "{refused:?}");
}

#[tokio::test]
async fn creation_that_is_sent_again_is_answered_again() {
    let mesh = mesh().await;
    let send = async |source: String| {
        let call = Call {
            key: Some("k".into()),
            ..Call::default()
        };
        let params = json!({"source": source});
        mesh.call_as("orchestrator.create_workflow", params, call)
            .await
    };
    let first = send(once("a", 1)).await.expect("stored");
    update(&mesh, "a", &once("a", 2)).await;
    let again = send(once("a", 1)).await.expect("answered");
    assert_eq!(first, again);
    let refused = send(once("b", 1)).await.expect_err("another request");
    assert_eq!(Failure::of(&refused).reason, "KEY_REUSED");
    let newest = call(&mesh, "get_workflow", json!({"workflow": "a"})).await;
    assert_eq!(newest["workflow"]["version"], 2);
}

#[tokio::test]
async fn stored_workflow_is_checked_as_a_start_is_and_more() {
    let mesh = mesh().await;
    let broken =
        "name: x\ntasks:\n  - {id: a, tool: no.such}\n  - {id: b, set: {x: 1}, needs: [c]}\n";
    let refused = fault(&mesh, "create_workflow", json!({"source": broken})).await;
    assert_eq!(refused.reason, "WORKFLOW_INVALID");
    assert_eq!(refused.violations.len(), 2, "{refused:?}");
    // A start would only warn of it.
    let secret = |bearer: &str| {
        let params = format!("{{url: \"https://example.test\", bearer: \"{bearer}\"}}");
        format!("name: s\ntasks:\n  - {{id: a, tool: http.request, params: {params}}}\n")
    };
    let literal = json!({"source": secret("abc")});
    let validated = call(&mesh, "validate", literal.clone()).await;
    assert_eq!(validated["valid"], true, "{validated:#}");
    let refused = fault(&mesh, "create_workflow", literal.clone()).await;
    assert_eq!(refused.reason, "WORKFLOW_INVALID");
    assert!(
        refused.violations[0].description.contains("LITERAL_SECRET"),
        "{refused:?}"
    );
    create(&mesh, &secret("vault://a/b")).await;
    let refused = fault(
        &mesh,
        "update_workflow",
        json!({"workflow": "s", "source": secret("abc")}),
    )
    .await;
    assert_eq!(refused.reason, "WORKFLOW_INVALID");
    let oktyv = json!({"tasks": [{"id": "a", "tool": "state_get", "params": {"key": "k"}}]});
    let nameless = json!({"source": oktyv.to_string()});
    let refused = fault(&mesh, "create_workflow", nameless).await;
    assert_eq!(refused.reason, "INVALID_PARAMETERS");
    assert!(refused.message.contains("no name"), "{refused:?}");
}

#[tokio::test]
async fn dry_run_stores_nothing() {
    let mesh = mesh().await;
    let dry = json!({"source": once("a", 1), "dryRun": true});
    let told = call(&mesh, "create_workflow", dry).await;
    assert_eq!(told["workflow"]["version"], 1);
    let missing = fault(&mesh, "get_workflow", json!({"workflow": "a"})).await;
    assert_eq!(missing.reason, "WORKFLOW_NOT_FOUND");
    let stored = create(&mesh, &once("a", 1)).await;
    let dry = json!({"workflow": "a", "source": once("a", 2), "dryRun": true});
    let told = call(&mesh, "update_workflow", dry).await;
    assert_eq!(told["workflow"]["version"], 2);
    let read = call(&mesh, "get_workflow", json!({"workflow": "a"})).await;
    assert_eq!(read["workflow"], stored);
}

#[tokio::test]
async fn change_is_a_new_version_and_an_equal_file_is_none() {
    // WF-1.15
    let mesh = mesh().await;
    let first = create(&mesh, &once("a", 1)).await;
    let changed = update(&mesh, "a", &once("a", 2)).await;
    assert_eq!(
        (&changed["version"], &changed["newest"]),
        (&json!(2), &json!(2))
    );
    assert_ne!(changed["etag"], first["etag"]);
    let same = json!({"workflow": "a", "source": once("a", 2)});
    let same = call(&mesh, "update_workflow", same).await;
    assert_eq!(same["unchanged"], true);
    assert_eq!(same["workflow"], changed);
    let old = call(
        &mesh,
        "get_workflow",
        json!({"workflow": "a", "version": 1}),
    )
    .await;
    let old = &old["workflow"];
    assert_eq!(old["source"], first["source"]);
    assert_eq!((&old["version"], &old["newest"]), (&json!(1), &json!(2)));
    let other = json!({"workflow": "a", "source": once("b", 2)});
    let refused = fault(&mesh, "update_workflow", other).await;
    assert_eq!(refused.reason, "INVALID_PARAMETERS");
    assert!(refused.message.contains("`b`"), "{refused:?}");
    let none = json!({"workflow": "zz", "source": once("zz", 2)});
    let refused = fault(&mesh, "update_workflow", none).await;
    assert_eq!(refused.reason, "WORKFLOW_NOT_FOUND");
}

#[tokio::test]
async fn of_two_changes_of_one_etag_one_is_refused() {
    let mesh = mesh().await;
    let etag = create(&mesh, &once("a", 1)).await["etag"].clone();
    let change = |x| {
        let params = json!({"workflow": "a", "source": once("a", x), "etag": etag});
        mesh.call("orchestrator.update_workflow", params)
    };
    let (one, two) = tokio::join!(change(2), change(3));
    let refused = match (one, two) {
        (Ok(_), Err(status)) | (Err(status), Ok(_)) => status,
        other => panic!("{other:?}"),
    };
    assert_eq!(Failure::of(&refused).reason, "ETAG_MISMATCH");
    // Without an etag each is stored behind the others.
    let changes = (10..15).map(|x| {
        let params = json!({"workflow": "a", "source": once("a", x)});
        mesh.call("orchestrator.update_workflow", params)
    });
    let stored = futures::future::join_all(changes).await;
    assert!(stored.iter().all(Result::is_ok), "{stored:?}");
    let newest = call(&mesh, "get_workflow", json!({"workflow": "a"})).await;
    assert_eq!(newest["workflow"]["newest"], 7);
    // A change of the state is one as well.
    let etag = newest["workflow"]["etag"].clone();
    call(&mesh, "disable_workflow", json!({"workflow": "a"})).await;
    let params = json!({"workflow": "a", "source": once("a", 20), "etag": etag});
    let refused = fault(&mesh, "update_workflow", params).await;
    assert_eq!(refused.reason, "ETAG_MISMATCH");
}

#[tokio::test]
async fn earlier_version_comes_back_as_the_newest() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    update(&mesh, "a", &once("a", 2)).await;
    let back = json!({"workflow": "a", "version": 1});
    let rolled = call(&mesh, "rollback_workflow", back.clone()).await;
    let rolled = &rolled["workflow"];
    assert_eq!(rolled["version"], 3);
    assert_eq!(rolled["source"], once("a", 1));
    assert_eq!(rolled["comment"], "version 1 again");
    // Again it is the same: no further version.
    let again = call(&mesh, "rollback_workflow", back).await;
    assert_eq!(again["workflow"]["version"], 3);
    let missing = json!({"workflow": "a", "version": 9});
    let refused = fault(&mesh, "rollback_workflow", missing).await;
    assert_eq!(refused.reason, "VERSION_NOT_FOUND");
    assert!(refused.message.contains("newest is 3"), "{refused:?}");
    let listed = call(&mesh, "list_workflow_versions", json!({"workflow": "a"})).await;
    let numbers: Vec<_> = listed["versions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|v| v["version"].clone())
        .collect();
    assert_eq!(numbers, [json!(3), json!(2), json!(1)]);
    assert_eq!(listed["versions"][0]["source"], "");
}

#[tokio::test]
async fn versions_are_listed_in_pages() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    for x in 2..=5 {
        update(&mesh, "a", &once("a", x)).await;
    }
    let (mut token, mut seen) = (String::new(), Vec::new());
    loop {
        let params = json!({"workflow": "a", "pageSize": 2, "pageToken": token});
        let page = call(&mesh, "list_workflow_versions", params).await;
        let versions = page["versions"].as_array().expect("a list");
        seen.push(versions.len());
        token = page["nextPageToken"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [2, 2, 1]);
    let bad = json!({"workflow": "a", "pageToken": "x"});
    let refused = fault(&mesh, "list_workflow_versions", bad).await;
    assert_eq!(refused.reason, "INVALID_PARAMETERS");
}

#[tokio::test]
async fn list_is_by_name_by_state_by_text_and_page() {
    let mesh = mesh().await;
    for name in ["delta", "alpha", "carol", "bravo"] {
        create(&mesh, &once(name, 1)).await;
    }
    create(&mesh, FULL).await;
    call(&mesh, "disable_workflow", json!({"workflow": "bravo"})).await;
    call(&mesh, "delete_workflow", json!({"workflow": "delta"})).await;
    let names = async |params: Value| {
        let listed = call(&mesh, "list_workflows", params).await;
        let workflows = listed["workflows"].as_array().cloned().unwrap_or_default();
        let names = workflows
            .iter()
            .map(|w| w["name"].as_str().unwrap_or_default().to_owned());
        (names.collect::<Vec<_>>(), listed["nextPageToken"].clone())
    };
    let all = names(json!({})).await;
    assert_eq!(
        all,
        (
            vec![
                "alpha".into(),
                "bravo".into(),
                "carol".into(),
                "full".into()
            ],
            json!("")
        )
    );
    for (params, expected) in [
        (json!({"state": "enabled"}), vec!["alpha", "carol", "full"]),
        (json!({"state": "disabled"}), vec!["bravo"]),
        (json!({"state": "deleted"}), vec!["delta"]),
        (json!({"query": "a title"}), vec!["full"]),
        (json!({"query": "DOES"}), vec!["full"]),
        (json!({"query": "finance"}), vec!["full"]),
        (json!({"query": "arO"}), vec!["carol"]),
        (json!({"query": "nothing has this"}), vec![]),
    ] {
        assert_eq!(names(params.clone()).await.0, expected, "{params}");
    }
    let (first, token) = names(json!({"pageSize": 3})).await;
    assert_eq!(first.len(), 3);
    let (rest, token) = names(json!({"pageSize": 3, "pageToken": token})).await;
    assert_eq!((rest, token), (vec!["full".to_owned()], json!("")));
    let refused = fault(&mesh, "list_workflows", json!({"pageToken": "X!"})).await;
    assert_eq!(refused.reason, "INVALID_PARAMETERS");
    let listed = call(&mesh, "list_workflows", json!({"query": "full"})).await;
    let shown = &listed["workflows"][0];
    assert_eq!((&shown["source"], &shown["tasks"]), (&json!(""), &json!(2)));
}

#[tokio::test]
async fn difference_names_lines_and_tasks() {
    let mesh = mesh().await;
    let first = "name: d\ntasks:\n  - {id: a, set: {x: 1}}\n  - {id: b, set: {x: 2}}\n";
    let second = "name: d\ntasks:\n  - {id: b, set: {x: 3}}\n  - id: c\n    tasks:\n      - {id: inner, set: {x: 1}}\n";
    create(&mesh, first).await;
    let whole = call(&mesh, "diff_workflow", json!({"workflow": "d"})).await;
    assert_eq!((&whole["from"], &whole["to"]), (&json!(0), &json!(1)));
    assert_eq!(whole["added"], json!(["a", "b"]));
    update(&mesh, "d", second).await;
    let diff = call(&mesh, "diff_workflow", json!({"workflow": "d"})).await;
    assert_eq!((&diff["from"], &diff["to"]), (&json!(1), &json!(2)));
    assert_eq!(diff["added"], json!(["c", "inner"]));
    assert_eq!(diff["removed"], json!(["a"]));
    assert_eq!(diff["changed"], json!(["b"]));
    let expected = "--- d@1\n+++ d@2\n@@ -1,4 +1,6 @@\n name: d\n tasks:\n-  - {id: a, set: {x: 1}}\n-  - {id: b, set: {x: 2}}\n+  - {id: b, set: {x: 3}}\n+  - id: c\n+    tasks:\n+      - {id: inner, set: {x: 1}}\n";
    assert_eq!(diff["unified"], expected);
    let back = json!({"workflow": "d", "from": 2, "to": 1});
    let back = call(&mesh, "diff_workflow", back).await;
    assert_eq!(back["added"], json!(["a"]));
    let file = json!({"workflow": "d", "source": second});
    let same = call(&mesh, "diff_workflow", file).await;
    assert_eq!((&same["from"], &same["to"]), (&json!(2), &json!(0)));
    assert_eq!(
        (&same["unified"], &same["changed"]),
        (&json!(""), &json!([]))
    );
    let both = json!({"workflow": "d", "source": second, "to": 1});
    let refused = fault(&mesh, "diff_workflow", both).await;
    assert_eq!(refused.reason, "INVALID_PARAMETERS");
    let missing = json!({"workflow": "d", "from": 7});
    let refused = fault(&mesh, "diff_workflow", missing).await;
    assert_eq!(refused.reason, "VERSION_NOT_FOUND");
    let broken = json!({"workflow": "d", "source": "a: [\n"});
    let refused = fault(&mesh, "diff_workflow", broken).await;
    assert_eq!(refused.reason, "WORKFLOW_INVALID");
}

#[tokio::test]
async fn workflow_is_started_by_name_and_version() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    update(&mesh, "a", &once("a", 2)).await;
    for (params, version, x) in [
        (json!({"workflow": "a"}), 2, 2),
        (json!({"workflow": "a", "version": 1}), 1, 1),
    ] {
        let run = start(&mesh, params).await;
        let run = ended(&mesh, &run).await;
        assert_eq!(run["status"], "succeeded", "{run:#}");
        assert_eq!(
            (&run["version"], &run["outputs"]),
            (&json!(version), &json!({"x": x}))
        );
    }
    let refused = fault(&mesh, "start_run", json!({"workflow": "a", "version": 3})).await;
    assert_eq!(refused.reason, "VERSION_NOT_FOUND");
    create(&mesh, &once("nightly-export", 1)).await;
    let refused = fault(&mesh, "start_run", json!({"workflow": "nigthly-export"})).await;
    assert_eq!(refused.reason, "WORKFLOW_NOT_FOUND");
    assert!(
        refused.message.contains("did you mean `nightly-export`?"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn workflow_is_started_only_while_it_is_enabled() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    let of = json!({"workflow": "a"});
    let state = async |rpc: &str| call(&mesh, rpc, of.clone()).await["workflow"]["state"].take();
    // Twice each: the second time nothing is to do.
    for _ in 0..2 {
        assert_eq!(state("disable_workflow").await, "disabled");
    }
    let refused = fault(&mesh, "start_run", of.clone()).await;
    assert_eq!(refused.reason, "WORKFLOW_DISABLED");
    assert!(refused.message.contains("enable it first"), "{refused:?}");
    for _ in 0..2 {
        assert_eq!(state("enable_workflow").await, "enabled");
    }
    let run = start(&mesh, of.clone()).await;
    for deleted in [true, false] {
        let answer = call(&mesh, "delete_workflow", of.clone()).await;
        assert_eq!(answer["deleted"], deleted);
    }
    for rpc in ["start_run", "enable_workflow", "disable_workflow"] {
        let refused = fault(&mesh, rpc, of.clone()).await;
        assert_eq!(refused.reason, "WORKFLOW_DISABLED", "{rpc}");
        assert!(refused.message.contains("restore it first"), "{refused:?}");
    }
    let change = json!({"workflow": "a", "source": once("a", 2)});
    let refused = fault(&mesh, "update_workflow", change).await;
    assert_eq!(refused.reason, "WORKFLOW_DISABLED");
    let refused = fault(
        &mesh,
        "rollback_workflow",
        json!({"workflow": "a", "version": 1}),
    )
    .await;
    assert_eq!(refused.reason, "WORKFLOW_DISABLED");
    // Its runs and versions stay.
    assert_eq!(ended(&mesh, &run).await["status"], "succeeded");
    assert_eq!(state("get_workflow").await, "deleted");
    for _ in 0..2 {
        assert_eq!(state("restore_workflow").await, "disabled");
    }
    assert_eq!(state("enable_workflow").await, "enabled");
    let again = start(&mesh, of).await;
    assert_eq!(ended(&mesh, &again).await["status"], "succeeded");
}

#[tokio::test]
async fn nothing_is_done_to_a_workflow_that_is_not_there() {
    let mesh = mesh().await;
    create(&mesh, &once("there", 1)).await;
    for rpc in [
        "get_workflow",
        "list_workflow_versions",
        "diff_workflow",
        "rollback_workflow",
        "enable_workflow",
        "disable_workflow",
        "delete_workflow",
        "restore_workflow",
    ] {
        let mut params = json!({"workflow": "theer"});
        if rpc == "rollback_workflow" {
            params["version"] = 1.into();
        }
        let refused = fault(&mesh, rpc, params).await;
        assert_eq!(refused.reason, "WORKFLOW_NOT_FOUND", "{rpc}");
        assert!(refused.message.contains("`there`"), "{refused:?}");
    }
    let refused = fault(
        &mesh,
        "get_workflow",
        json!({"workflow": "there", "version": 2}),
    )
    .await;
    assert_eq!(refused.reason, "VERSION_NOT_FOUND");
}

#[tokio::test]
async fn copy_under_another_name_is_told() {
    let mesh = mesh().await;
    create(&mesh, FULL).await;
    let copy = FULL
        .replace("name: full", "name: copy")
        .replace("id: a", "id: first");
    let copy = copy.replace("a.result", "first.result");
    let warnings = async |source: &str| {
        let answer = call(&mesh, "create_workflow", json!({"source": source})).await;
        let warnings = answer["warnings"].as_array().cloned().unwrap_or_default();
        let similar = warnings
            .into_iter()
            .filter(|w| w["code"] == "WORKFLOW_SIMILAR");
        similar.collect::<Vec<_>>()
    };
    let found = warnings(&copy).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let message = found[0]["message"].as_str().expect("text");
    assert!(
        message.contains("`full`") && message.contains("1.00"),
        "{message}"
    );
    // One tool with other parameters is something else.
    let put = |name: &str, key: &str| {
        let params = format!("{{key: {key}, value: {key}}}");
        format!("name: {name}\ntasks:\n  - {{id: a, tool: state.put, params: {params}}}\n")
    };
    assert_eq!(warnings(&put("p", "x")).await, [] as [Value; 0]);
    assert_eq!(warnings(&put("q", "y")).await, [] as [Value; 0]);
    // An alias of a tool is that tool; a deleted workflow is none to be named.
    call(&mesh, "delete_workflow", json!({"workflow": "p"})).await;
    let alias = put("r", "y").replace("state.put", "state_put");
    let found = warnings(&alias).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let message = found[0]["message"].as_str().expect("text");
    assert!(message.contains("`q`"), "{message}");
}

#[tokio::test]
async fn sub_workflow_is_the_version_of_the_start() {
    // WF-1.16
    let mesh = mesh().await;
    create(&mesh, &once("inner", 1)).await;
    let outer = "
name: outer
tasks:
  - {id: ready, tool: state.get, params: {key: go}, retry: {attempts: 100, delay: 20ms, backoff: constant, errors: [STATE_NOT_FOUND]}}
  - {id: child, needs: [ready], workflow: inner}
outputs: {x: '${child.result.x}'}
";
    create(&mesh, outer).await;
    let run = start(&mesh, json!({"workflow": "outer"})).await;
    update(&mesh, "inner", &once("inner", 2)).await;
    // Runs under way go on, though nothing new is started.
    call(&mesh, "disable_workflow", json!({"workflow": "inner"})).await;
    let refused = fault(&mesh, "start_run", json!({"workflow": "outer"})).await;
    assert_eq!(refused.reason, "WORKFLOW_DISABLED");
    let go = mesh
        .call("state.put", json!({"key": "go", "value": 1}))
        .await;
    go.expect("stored");
    let shown = ended(&mesh, &run).await;
    assert_eq!(shown["status"], "succeeded", "{shown:#}");
    assert_eq!(shown["outputs"], json!({"x": 1}));
    let children = call(&mesh, "list_runs", json!({"parent": run})).await;
    let children = children["runs"].as_array().cloned().unwrap_or_default();
    assert_eq!(children.len(), 1, "{children:?}");
    assert_eq!(children[0]["workflow"], "inner");
    assert_eq!(children[0]["version"], 1);
    call(&mesh, "enable_workflow", json!({"workflow": "inner"})).await;
    let again = start(&mesh, json!({"workflow": "outer"})).await;
    assert_eq!(ended(&mesh, &again).await["outputs"], json!({"x": 2}));
}

#[tokio::test]
async fn dedupe_key_answers_the_first_run_in_its_window() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    create(&mesh, &once("b", 1)).await;
    let keyed = |workflow: &str, window: &str| json!({"workflow": workflow, "dedupeKey": "k", "dedupeWindow": window});
    let first = start(&mesh, keyed("a", "1h")).await;
    update(&mesh, "a", &once("a", 2)).await;
    // Whatever it says.
    assert_eq!(start(&mesh, keyed("a", "1h")).await, first);
    assert_ne!(start(&mesh, keyed("b", "1h")).await, first);
    assert_ne!(start(&mesh, json!({"workflow": "a"})).await, first);
    let other = json!({"workflow": "a", "dedupeKey": "l", "dedupeWindow": "1ms"});
    let short = start(&mesh, other.clone()).await;
    ended(&mesh, &short).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_ne!(start(&mesh, other).await, short);
    let alone = json!({"workflow": "a", "dedupeWindow": "1h"});
    assert_eq!(
        fault(&mesh, "start_run", alone).await.reason,
        "INVALID_PARAMETERS"
    );
}

#[tokio::test]
async fn runs_are_listed_by_who_and_when() {
    let mesh = mesh().await;
    create(&mesh, &once("a", 1)).await;
    let by = async |who: &str| {
        let call = Call {
            principal: Some(who.to_owned()),
            ..Call::default()
        };
        let answer = mesh
            .call_as("orchestrator.start_run", json!({"workflow": "a"}), call)
            .await;
        let run = answer.expect("started")["run"].take();
        (run["runId"].clone(), run["startTime"].clone())
    };
    let (first, _) = by("user/ada").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let (second, then) = by("user/bob").await;
    let (third, _) = by("user/ada").await;
    let list = async |params: Value| {
        let listed = call(&mesh, "list_runs", params).await;
        let runs = listed["runs"].as_array().cloned().unwrap_or_default();
        runs.into_iter()
            .map(|r| r["runId"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        list(json!({"principal": "user/ada"})).await,
        [third.clone(), first.clone()]
    );
    assert_eq!(list(json!({"startTime": then})).await, [third, second]);
    assert_eq!(list(json!({"endTime": then})).await, [first]);
    assert_eq!(
        list(json!({"principal": "user/eve"})).await,
        [] as [Value; 0]
    );
}
