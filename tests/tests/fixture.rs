//! The tools of an engine from elsewhere are on every surface.
//!
//! The engine runs in a process of its own, and a mesh of the built binary is told
//! nothing but its address. No line of the product knows its proto.

use expect_test::expect;
use futures::StreamExt;
use gearmesh_tests::{Fixture, Mesh, Settings, assert_covers};
use prost_reflect::DescriptorPool;
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::{Value, json};

/// Ids of the engine's tools.
const TOOLS: [&str; 11] = [
    "fixture.echo",
    "fixture.execute",
    "fixture.extract",
    "fixture.fail",
    "fixture.fetch_mail",
    "fixture.get_job",
    "fixture.in_flight",
    "fixture.play",
    "fixture.search_jobs",
    "fixture.send_mail",
    "fixture.sleep",
];

async fn joined() -> (Fixture, Mesh) {
    let fixture = Fixture::start().await;
    let mesh = Mesh::start(&Settings::default().join("fixture", &fixture.url())).await;
    (fixture, mesh)
}

#[tokio::test]
async fn command_line_lists_shows_and_calls_them() {
    let (_fixture, mesh) = joined().await;
    let list = mesh
        .command(&["tool", "list", "--engine", "fixture", "-o", "name"])
        .await;
    assert_eq!(list.out.lines().collect::<Vec<_>>(), TOOLS, "{}", list.err);

    let shown = mesh.command(&["tool", "show", "fixture.sleep"]).await;
    for said in [
        "Answers after a time, and is counted while it waits.",
        "The time, 0 to 60 s.",
    ] {
        assert!(shown.out.contains(said), "{}", shown.out);
    }
    let shown = mesh
        .command(&["tool", "show", "indeed_search_jobs", "-o", "json"])
        .await;
    assert_eq!(shown.json()["id"], "fixture.search_jobs");

    // As a command of its own, with flags from the proto.
    let called = mesh
        .command(&[
            "fixture", "sleep", "--time", "1", "--name", "nap", "-o", "json",
        ])
        .await;
    assert_eq!(called.json(), json!({"name": "nap"}), "{}", called.err);
    let failed = mesh
        .command(&["tool", "call", "fixture.fail", "--name", "cli"])
        .await;
    assert!(failed.err.contains("BROKEN"), "{}", failed.err);
    assert_eq!(
        (failed.code, failed.out.as_str()),
        (6, ""),
        "{}",
        failed.err
    );
}

#[tokio::test]
async fn rest_serves_them_by_route_and_by_name() {
    let (_fixture, mesh) = joined().await;
    // Integers beyond the doubles and the order of keys survive.
    let value: Value =
        serde_json::from_str(r#"{"z": 9007199254740993, "a": [null, "ü"]}"#).unwrap();
    let body = json!({"value": value});
    let (status, answer) = mesh.post("/v1/fixture/echo", &body).await;
    assert_eq!((status, answer.to_string()), (200, body.to_string()));
    for name in ["fixture.get_job", "fixture_get_job"] {
        let path = format!("/v1/tools/{name}:call");
        let (status, answer) = mesh.post(&path, &json!({"site": "x", "jobId": "7"})).await;
        assert_eq!((status, &answer["id"]), (200, &json!("7")), "{answer}");
    }
    // An alias brings the parameters that it fixes.
    let (status, answer) = mesh
        .post("/v1/tools/wellfound_search_jobs:call", &json!({"limit": 1}))
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["platform"], "wellfound");
    assert_eq!(answer["jobs"][0]["source"], "wellfound");

    let (status, answer) = mesh
        .post("/v1/fixture/get-job", &json!({"jobId": "gone"}))
        .await;
    assert_eq!(status, 404);
    let info = &answer["details"][0];
    assert_eq!(
        (&info["reason"], &info["domain"]),
        (&json!("JOB_NOT_FOUND"), &json!("fixture.gearmesh")),
        "{answer}"
    );
    // Constraints of the proto hold before the engine is asked.
    let (status, answer) = mesh
        .post("/v1/fixture/sleep", &json!({"time": "61s"}))
        .await;
    assert_eq!(status, 400);
    assert_eq!(answer["details"][0]["reason"], "INVALID_PARAMETERS");

    let tools = mesh.get("/v1/tools").await;
    let ids: Vec<_> = tools["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|tool| tool["id"].as_str())
        .filter(|id| id.starts_with("fixture."))
        .collect();
    assert_eq!(ids, TOOLS);
}

#[tokio::test]
async fn examples_of_the_proto_are_answered_as_written() {
    let (_fixture, mesh) = joined().await;
    for id in TOOLS {
        let tool = mesh.get(&format!("/v1/tools/{id}")).await;
        let examples = tool["examples"].as_array().expect("a list");
        assert!(!examples.is_empty(), "{id}");
        for example in examples {
            let path = format!("/v1/tools/{id}:call");
            let (status, answer) = mesh.post(&path, &example["request"]).await;
            assert_eq!(status, 200, "{id}: {answer}");
            assert_covers(&example["response"], &answer);
        }
    }
}

#[tokio::test]
async fn openapi_describes_them() {
    let (_fixture, mesh) = joined().await;
    let document = mesh.get("/v1/openapi.json").await;
    for id in TOOLS {
        let verb = id.trim_start_matches("fixture.").replace('_', "-");
        let operation = &document["paths"][format!("/v1/fixture/{verb}")]["post"];
        assert!(operation.is_object(), "{id}");
    }
    let operation = &document["paths"]["/v1/fixture/sleep"]["post"];
    assert_eq!(
        operation["summary"],
        "Answers after a time, and is counted while it waits."
    );
    let one = mesh.get("/v1/openapi.json?engine=fixture").await;
    assert!(one["paths"]["/v1/fixture/sleep"].is_object(), "{one}");
    assert!(one["paths"]["/v1/state/get"].is_null());
}

#[tokio::test]
async fn agents_list_and_call_them() {
    let (_fixture, mesh) = joined().await;
    let transport = StreamableHttpClientTransport::from_uri(format!("{}/mcp", mesh.url()));
    let client = ().serve(transport).await.expect("initialized");
    let tools = client.list_all_tools().await.expect("a list");
    for id in TOOLS {
        let name = id.replace('.', "_");
        assert!(tools.iter().any(|t| t.name == name), "{name}");
    }
    let sleep = tools
        .iter()
        .find(|t| t.name == "fixture_sleep")
        .expect("above");
    let said = serde_json::to_value(sleep).expect("JSON");
    assert_eq!(said["annotations"]["readOnlyHint"], true);
    assert_eq!(said["inputSchema"]["required"], json!(["time"]));
    assert!(said["outputSchema"]["properties"]["name"].is_object());

    let call = |name: &'static str, arguments: Value| {
        let arguments = arguments.as_object().cloned().expect("an object");
        client.call_tool(CallToolRequestParams::new(name).with_arguments(arguments))
    };
    let answer = call("fixture_echo", json!({"value": [1, "two"]}))
        .await
        .expect("an answer");
    assert_eq!(
        answer.structured_content,
        Some(json!({"value": [1, "two"]}))
    );
    let answer = call("fixture_fail", json!({"name": "agent"}))
        .await
        .expect("an answer");
    assert_eq!(answer.is_error, Some(true));
    let structured = answer.structured_content.expect("the status");
    assert_eq!(structured["details"][0]["reason"], "BROKEN", "{structured}");
    client.cancel().await.expect("closed");
}

#[tokio::test]
async fn reflection_describes_them_with_their_options() {
    let (_fixture, mesh) = joined().await;
    let link = gearmesh_link::remote(&mesh.url()).expect("an address");
    let bytes = gearmesh_link::reflect(&link, &mesh.url())
        .await
        .expect("descriptors");
    let pool = DescriptorPool::decode(bytes.as_slice()).expect("descriptors");
    let mut services: Vec<_> = pool.services().map(|s| s.full_name().to_owned()).collect();
    services.sort();
    expect![[r#"
        [
            "fixture.v1.FixtureService",
            "gearmesh.browser.v1.BrowserService",
            "gearmesh.db.v1.DbService",
            "gearmesh.email.v1.EmailService",
            "gearmesh.events.v1.EventsService",
            "gearmesh.file.v1.FileService",
            "gearmesh.http.v1.HttpService",
            "gearmesh.identity.v1.IdentityService",
            "gearmesh.orchestrator.v1.OrchestratorService",
            "gearmesh.scheduler.v1.SchedulerService",
            "gearmesh.state.v1.StateService",
            "gearmesh.vault.v1.VaultService",
        ]
    "#]]
    .assert_debug_eq(&services);
    let tool = pool
        .get_extension_by_name("gearmesh.tool.v1.tool")
        .expect("the option is declared");
    let service = pool
        .get_service_by_name("fixture.v1.FixtureService")
        .expect("above");
    let method = service
        .methods()
        .find(|m| m.name() == "GetJob")
        .expect("an RPC");
    let option = method.options().get_extension(&tool).into_owned();
    let aliases = option
        .as_message()
        .and_then(|m| m.get_field_by_name("aliases").map(|a| format!("{a:?}")));
    assert!(
        aliases
            .as_ref()
            .is_some_and(|a| a.contains("linkedin_get_job")),
        "{aliases:?}"
    );
    assert_eq!(
        services_by_v1alpha(link)
            .await
            .iter()
            .filter(|s| *s == "fixture.v1.FixtureService")
            .count(),
        1
    );
}

/// The services that the older protocol lists, which most clients still speak first.
async fn services_by_v1alpha(link: gearmesh_link::Link) -> Vec<String> {
    use tonic_reflection::pb::v1alpha::ServerReflectionRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_response::MessageResponse;

    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let questions = futures::stream::iter([question]);
    let mut answers = ServerReflectionClient::new(link)
        .server_reflection_info(questions)
        .await
        .expect("a stream")
        .into_inner();
    let answer = answers
        .next()
        .await
        .expect("an answer")
        .expect("no failure");
    match answer.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            list.service.into_iter().map(|s| s.name).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn workflow_calls_them_beside_engines_of_ours() {
    let (_fixture, mesh) = joined().await;
    let source = r#"
name: neighbours
tasks:
  - {id: ask, tool: fixture.search_jobs, params: {site: linkedin, keywords: keeper}}
  - {id: stumble, tool: fixture.fail, params: {name: flow, reason: BUSY, times: 2}, retry: {attempts: 3, delay: 1ms}}
  - {id: keep, tool: state.put, params: {key: first, value: "${ask.result.jobs[0].title}"}, needs: [stumble]}
outputs:
  title: "${ask.result.jobs[0].title}"
  calls: "${stumble.result.calls}"
  version: "${keep.result.version}"
"#;
    let (status, answer) = mesh
        .post(
            "/v1/tools/orchestrator.execute:call",
            &json!({"source": source}),
        )
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["status"], "succeeded", "{answer}");
    assert_eq!(
        answer["outputs"],
        json!({"title": "Lighthouse keeper", "calls": 3, "version": 1})
    );
    assert_eq!(answer["tasks"]["stumble"]["attempts"], 3);
    // What a reason of theirs means is read from their proto: this one is final.
    let source = "name: x\ntasks: [{id: a, tool: fixture.fail, params: {name: final}, retry: {attempts: 3, delay: 1ms}}]\n";
    let (_, answer) = mesh
        .post(
            "/v1/tools/orchestrator.execute:call",
            &json!({"source": source}),
        )
        .await;
    let task = &answer["tasks"]["a"];
    assert_eq!(
        (&task["attempts"], &task["error"]["code"]),
        (&json!(1), &json!("BROKEN")),
        "{answer}"
    );
}

#[tokio::test]
async fn engine_that_is_gone_is_told_by_its_reason() {
    let (fixture, mesh) = joined().await;
    let path = "/v1/fixture/echo";
    let (status, _) = mesh.post(path, &json!({})).await;
    assert_eq!(status, 200);
    drop(fixture);
    let (status, answer) = mesh.post(path, &json!({})).await;
    assert_eq!(status, 503, "{answer}");
    assert_eq!(
        answer["details"][0]["reason"], "ENGINE_UNAVAILABLE",
        "{answer}"
    );
    // The others go on.
    let (status, _) = mesh.post("/v1/state/list", &json!({})).await;
    assert_eq!(status, 200);
}
