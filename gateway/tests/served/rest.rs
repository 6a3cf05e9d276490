use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::{Answer, Served};

#[tokio::test]
async fn tool_is_served_by_every_route() {
    let served = Served::start().await;
    let put = served
        .post(
            "/v1/state/put",
            json!({"key": "a/b", "value": {"n": 9007199254740993_u64, "z": 1, "a": null}}),
        )
        .await;
    assert_eq!(
        (put.status, put.json()),
        (200, json!({"key": "a/b", "version": 1}))
    );
    assert_eq!(put.header("cache-control"), "no-store");
    assert_eq!(put.header("content-type"), "application/json");
    let get = served
        .post("/v1/state/get", json!({"key": "a/b"}))
        .await
        .json();
    assert_eq!(
        get["value"].to_string(),
        r#"{"n":9007199254740993,"z":1,"a":null}"#
    );
    for name in ["state.get", "state_get"] {
        let by_name = served
            .post(&format!("/v1/tools/{name}:call"), json!({"key": "a/b"}))
            .await;
        assert_eq!(by_name.json(), get, "{name}");
    }
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let request = client
        .post(format!("{}/v1/state/get", served.mesh.url()))
        .json(&json!({"key": "a/b"}));
    let response = request.send().await.unwrap();
    assert_eq!(
        response.version(),
        reqwest::Version::HTTP_2,
        "without TLS, by prior knowledge"
    );
    assert_eq!(response.json::<Value>().await.unwrap(), get);
}

#[tokio::test]
async fn resource_routes_take_path_query_and_give_one_field() {
    let served = Served::start().await;
    let source = "name: once\ntasks:\n  - {id: a, set: {x: 1}}\n";
    let started = served.post("/v1/runs", json!({"source": source})).await;
    assert_eq!(started.status, 200, "{started:?}");
    let run = started.json();
    assert_eq!(run["workflow"], "once", "the run itself is the body");
    let id = run["runId"].as_str().unwrap();
    let read = served.get(&format!("/v1/runs/{id}")).await.json();
    assert_eq!(read["runId"], id);
    let listed = served
        .get("/v1/runs?workflow=once&page_size=5")
        .await
        .json();
    assert_eq!(listed["runs"][0]["runId"], id);
    let none = served.get("/v1/runs/run_0000000000000").await;
    assert_eq!(none.reason(), (404, "RUN_NOT_FOUND".into()));
    let cancelled = served
        .post(&format!("/v1/runs/{id}:cancel"), json!({}))
        .await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let conflict = served
        .post(
            &format!("/v1/runs/{id}:cancel"),
            json!({"runId": "run_0000000000000"}),
        )
        .await;
    assert_eq!(conflict.reason(), (400, "INVALID_PARAMETERS".into()));
}

#[tokio::test]
async fn request_that_does_not_fit_is_refused_with_the_place() {
    let served = Served::start().await;
    let unknown = served.post("/v1/state/get", json!({"kye": "a"})).await;
    assert_eq!(unknown.reason(), (400, "INVALID_PARAMETERS".into()));
    let fields = unknown.json()["details"][1]["fieldViolations"].to_string();
    assert!(
        fields.contains("kye") && fields.contains("`key`"),
        "{fields}"
    );
    let query = served.get("/v1/runs?workfow=x").await;
    assert_eq!(query.reason(), (400, "INVALID_PARAMETERS".into()));
    assert!(query.text.contains("`workflow`"), "{query:?}");
    let body = served
        .request("POST", "/v1/state/get")
        .body("{\"key\": \"a\",\n\"key\": 1}");
    let body = Answer::of(body).await;
    assert_eq!(body.reason(), (400, "INVALID_PARAMETERS".into()));
    assert_eq!(
        body.json()["details"][0]["metadata"],
        json!({"line": "2", "column": "5"})
    );
    let form = served
        .request("POST", "/v1/state/get")
        .form(&[("key", "a")]);
    let form = Answer::of(form).await;
    assert_eq!(form.reason(), (415, "UNSUPPORTED_MEDIA_TYPE".into()));
    assert_eq!(form.header("accept-post"), "application/json");
}

#[tokio::test]
async fn wrong_route_method_or_form_is_told_with_the_right_one() {
    let served = Served::start().await;
    let near = served.post("/v1/state/gte", json!({})).await;
    assert_eq!(near.reason(), (404, "ROUTE_NOT_FOUND".into()));
    assert!(near.text.contains("POST /v1/state/get"), "{near:?}");
    let method = served.get("/v1/state/get").await;
    assert_eq!(method.reason(), (405, "METHOD_NOT_ALLOWED".into()));
    assert_eq!(method.header("allow"), "POST");
    let tool = served.post("/v1/tools/state.gett:call", json!({})).await;
    assert_eq!(tool.reason(), (404, "TOOL_NOT_FOUND".into()));
    assert!(tool.text.contains("state.get"), "{tool:?}");
    let form = served
        .request("POST", "/v1/state/get")
        .header("accept", "text/event-stream")
        .json(&json!({"key": "a"}));
    assert_eq!(
        Answer::of(form).await.reason(),
        (406, "UNSUPPORTED_MEDIA_TYPE".into())
    );
    let slash = served.post("/v1/state/get/", json!({"key": "a"})).await;
    assert_eq!(slash.reason(), (404, "ROUTE_NOT_FOUND".into()));
}

#[tokio::test]
async fn error_has_reason_status_and_request_id() {
    let served = Served::start().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = || {
        served
            .request("POST", "/v1/state/get")
            .header("traceparent", trace)
            .json(&json!({"key": "none"}))
    };
    let missing = Answer::of(request()).await;
    assert_eq!(missing.reason(), (404, "STATE_NOT_FOUND".into()));
    assert_eq!(
        missing.json(),
        json!({"code": 5, "message": "key `none` has no value", "details": [
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "STATE_NOT_FOUND", "domain": "state.gearmesh", "metadata": {"key": "none"}},
            {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "0af7651916cd43dd8448eb211c80319c"},
        ]})
    );
    let problem = Answer::of(request().header("accept", "application/problem+json")).await;
    assert_eq!(problem.header("content-type"), "application/problem+json");
    assert_eq!(
        (&problem.json()["status"], &problem.json()["title"]),
        (&json!(404), &json!("STATE_NOT_FOUND"))
    );
}

#[tokio::test]
async fn sizes_are_bounded_at_their_edges() {
    let served = Served::start().await;
    let path = |length: usize| format!("/v1/{}", "x".repeat(length - 4));
    assert_eq!(
        served.get(&path(gearmesh_gateway::URL_MAX)).await.status,
        404
    );
    let long = served.get(&path(gearmesh_gateway::URL_MAX + 1)).await;
    assert_eq!(long.reason(), (414, "TOO_LARGE".into()));
    let large = vec![b' '; gearmesh_gateway::BODY_MAX + 1];
    let large = Answer::of(served.request("POST", "/v1/state/get").body(large)).await;
    assert_eq!(large.reason(), (413, "TOO_LARGE".into()));
}

#[tokio::test]
async fn answer_that_is_too_large_is_refused_with_its_reason() {
    let fixture = Fixture::start().await;
    let served = fixture.served().await;
    let large = served.post("/v1/slow/big", json!({})).await;
    assert_eq!(large.reason(), (500, "RESPONSE_TOO_LARGE".into()));
}

#[tokio::test]
async fn key_makes_two_calls_one() {
    let served = Served::start().await;
    let put = |value: i32| {
        let request = served
            .request("POST", "/v1/state/put")
            .header("idempotency-key", "\"k 1\"");
        Answer::of(request.json(&json!({"key": "a", "value": value})))
    };
    assert_eq!(put(1).await.json()["version"], 1);
    assert_eq!(put(1).await.json()["version"], 1, "the stored answer");
    assert_eq!(put(2).await.reason(), (422, "KEY_REUSED".into()));
    let bad = served
        .request("POST", "/v1/state/put")
        .header("idempotency-key", "\"open")
        .json(&json!({}));
    assert_eq!(
        Answer::of(bad).await.reason(),
        (400, "INVALID_PARAMETERS".into())
    );
}

#[tokio::test]
async fn deadline_ends_the_call_with_its_reason() {
    let fixture = Fixture::start().await;
    let served = fixture.served().await;
    for (name, value) in [
        ("grpc-timeout", "100m"),
        ("grpc-timeout", "2m"),
        ("x-request-timeout", "50ms"),
    ] {
        let request = served
            .request("POST", "/v1/slow/hang")
            .header(name, value)
            .json(&json!({}));
        assert_eq!(
            Answer::of(request).await.reason(),
            (504, "TIMEOUT".into()),
            "{name}: {value}"
        );
    }
    let bad = served
        .request("POST", "/v1/slow/hang")
        .header("x-request-timeout", "soon")
        .json(&json!({}));
    assert_eq!(
        Answer::of(bad).await.reason(),
        (400, "INVALID_PARAMETERS".into())
    );
}

#[tokio::test]
async fn call_ends_with_its_caller() {
    let fixture = Fixture::start().await;
    let served = fixture.served().await;
    let request = served.request("POST", "/v1/slow/hang").json(&json!({}));
    let call = tokio::spawn(request.send());
    fixture
        .until("the call has begun", |seen| seen.begun == 1)
        .await;
    call.abort();
    fixture
        .until("the engine's call is dropped", |seen| seen.dropped == 1)
        .await;
}

#[tokio::test]
async fn created_thing_is_201_with_its_place() {
    let fixture = Fixture::start().await;
    let served = fixture.served().await;
    let created = served
        .post("/v1/things", json!({"thing": {"thingId": "a b"}}))
        .await;
    assert_eq!(
        (created.status, created.json()),
        (201, json!({"thingId": "a b"}))
    );
    assert_eq!(created.header("location"), "/v1/things/a%20b");
    let read = served.get(created.header("location")).await;
    assert_eq!((read.status, read.json()), (200, json!({"thingId": "a b"})));
    let document = served.get("/v1/openapi.json?engine=slow").await.json();
    assert!(document["paths"]["/v1/things"]["post"]["responses"]["201"].is_object());
}

#[tokio::test]
async fn foreign_engine_joins_while_the_gateway_serves() {
    let fixture = Fixture::start().await;
    let served = fixture.served().await;
    let tools = served.get("/v1/tools").await.json();
    let ids: Vec<_> = tools["tools"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|t| t["id"].as_str())
        .collect();
    assert!(
        ids.contains(&"slow.hang") && ids.contains(&"state.get"),
        "{ids:?}"
    );
    let shown = served.get("/v1/tools/slow.hang").await.json();
    assert_eq!(
        (&shown["effect"], &shown["keyed"]),
        (&json!("DESTRUCTIVE"), &json!("AT_MOST_ONCE"))
    );
}

#[tokio::test]
async fn documents_are_served() {
    let served = Served::start().await;
    assert!(served.get("/").await.text.contains("/v1/openapi.json"));
    assert_eq!(served.get("/v1").await.json()["mcp"], "/mcp");
    let all = served.get("/v1/openapi.json").await.json();
    assert_eq!(all["openapi"], "3.1.0");
    assert!(all["paths"]["/v1/state/get"].is_object() && all["paths"]["/v1/tools"].is_object());
    let one = served.get("/v1/openapi.json?engine=state").await.json();
    assert!(one["paths"]["/v1/runs"].is_null() && one["paths"]["/v1/state/get"].is_object());
    assert_eq!(served.get("/v1/openapi.json?engine=none").await.status, 400);
    let schema = served.get("/v1/schema/workflow.json").await.json();
    assert_eq!(schema["type"], "object");
    let with_tools = served.get("/v1/schema/workflow.json?withTools=true").await;
    assert!(with_tools.text.contains("state.put") && !schema.to_string().contains("state.put"));
    assert_eq!(served.get("/v1/schema/workflow.json?x=1").await.status, 400);
    let catalog = served.mesh.mesh().catalog();
    assert_eq!(
        gearmesh_gateway::openapi(&catalog, None),
        all,
        "what is served is what the golden file holds"
    );
    assert_eq!(
        gearmesh_gateway::tools_json(&catalog),
        served.get("/v1/tools").await.json()
    );
    let head = Answer::of(served.request("HEAD", "/v1/tools")).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    let pretty = served.get("/v1?$pretty").await.text;
    assert!(pretty.starts_with("{\n"), "{pretty}");
}

#[tokio::test]
async fn health_is_told_by_service() {
    let served = Served::start().await;
    for path in [
        "/healthz",
        "/health/live",
        "/health/ready",
        "/health/startup",
        "/healthz?service=state",
        "/healthz?service=gateway",
    ] {
        let health = served.get(path).await;
        assert_eq!(
            (health.status, health.json()),
            (200, json!({"status": "SERVING"})),
            "{path}"
        );
    }
    assert_eq!(served.get("/healthz?service=none").await.status, 404);
    assert_eq!(
        Answer::of(served.request("POST", "/healthz")).await.status,
        405
    );
}

#[tokio::test]
async fn head_answers_the_length_that_get_would_send() {
    let served = Served::start().await;
    let of = |method: &str| served.request(method, "/v1/openapi.json").send();
    let body = of("GET").await.unwrap().bytes().await.unwrap();
    let head = of("HEAD").await.unwrap();
    assert_eq!(head.headers()["content-length"], body.len().to_string());
    assert!(head.bytes().await.unwrap().is_empty());
}
