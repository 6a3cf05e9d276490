//! A secret that engines use reaches the servers that it is for, and nothing else: no
//! log, trace, journal, result or page of a store, in no form.

mod deeds;
mod search;
mod world;

use gearmesh_testkit::servers::Otlp;
use gearmesh_tests::{Caller, Dev, LocalMesh};
use serde_json::{Value, json};

use deeds::Deeds;
use search::{Canary, Search};
use world::{NOWHERE, World};

/// Everything is logged, that of libraries too.
const LOG: &str = "trace";

#[tokio::test(flavor = "multi_thread")]
async fn secret_is_in_no_byte_of_one_process() {
    let canary = Canary::new();
    let world = World::start(&canary).await;
    let collector = Otlp::start().await;
    let environment = [
        ("GEARMESH_LOG", LOG),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    let [echo, nowhere] =
        connections(&world).map(|(name, settings)| format!("connections.{name}={settings}"));
    let mut dev = Dev::start(&environment, &[&echo, &nowhere]).await;
    let caller = dev.caller().clone();
    let deeds = Deeds {
        caller: &caller,
        world: &world,
        canary: &canary,
    };
    deeds.vault().await;
    deeds.db().await;
    deeds.email().await;
    deeds.http().await;
    deeds.runs().await;
    let mut answers = rest(&dev.url(), &canary).await;

    let before = deeds.world.site.seen("slow", "").0;
    let run = deeds.waiting().await;
    dev.kill_and_restart().await;
    // Once more after the call that was under way.
    deeds.called_slowly(before + 1).await;
    deeds.cancel(&run).await;
    answers.extend(rest(&dev.url(), &canary).await);

    // Journals of the stores are there only while they are open.
    let mut search = Search::of(&canary);
    search.folder(dev.folder());
    assert!(dev.stop().await.success(), "it drains");
    search.folder(dev.folder());
    search.bytes("answers of REST", &answers);
    search.bytes("command line", &caller.said());
    search.bytes("traces", &collector.bytes());
    assert!(!collector.spans().is_empty(), "there are traces");
    search.end("dev");
}

#[tokio::test(flavor = "multi_thread")]
async fn secret_is_in_no_byte_of_many_processes() {
    let canary = Canary::new();
    let world = World::start(&canary).await;
    let collector = Otlp::start().await;
    let environment = [
        ("GEARMESH_LOG", LOG),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    let mesh = LocalMesh::start(&environment).await;
    // Connections of the mesh's own are read at the start of a process.
    let settings: serde_json::Map<String, Value> = connections(&world)
        .map(|(n, s)| (n.to_owned(), s))
        .into_iter()
        .collect();
    let settings = toml(&settings);
    std::fs::write(mesh.folder().join("connections.toml"), settings).expect("the folder is ours");
    again(&mesh).await;

    let (url, login) = (mesh.url(), mesh.login());
    let login = login.to_str().expect("temporary folders have plain names");
    let caller = Caller::new(mesh.folder(), &["--server", &url, "--login", login]);
    let deeds = Deeds {
        caller: &caller,
        world: &world,
        canary: &canary,
    };
    deeds.vault().await;
    deeds.db().await;
    deeds.email().await;
    deeds.http().await;
    deeds.runs().await;
    let before = deeds.world.site.seen("slow", "").0;
    let run = deeds.waiting().await;
    again(&mesh).await;
    deeds.called_slowly(before + 1).await;
    deeds.cancel(&run).await;

    let mut search = Search::of(&canary);
    search.folder(mesh.folder());
    let down = mesh.script("down", &[]).await;
    assert_eq!(down.code, 0, "{}", down.err);
    search.folder(mesh.folder());
    search.bytes("command line", &caller.said());
    search.bytes("traces", &collector.bytes());
    assert!(!collector.spans().is_empty(), "there are traces");
    search.end("local mesh");
}

/// Kills both instances of the engine that calls the site, and starts them again.
async fn again(mesh: &LocalMesh) {
    for name in ["http-1", "http-2"] {
        mesh.kill(name).await;
    }
    let up = mesh.script("up", &[]).await;
    assert_eq!(up.code, 0, "{}", up.err);
}

/// The site with the secret in a header of the connection, and a server that is not there.
fn connections(world: &World) -> [(&'static str, Value); 2] {
    let to = |url: &str| {
        json!({
            "kind": "http", "url": url, "allowPrivate": true,
            "headers": {"X-Connection": "vault://canary/token"},
        })
    };
    let nowhere = format!("http://127.0.0.1:{NOWHERE}");
    [("echo", to(world.site.url())), ("nowhere", to(&nowhere))]
}

fn toml(connections: &serde_json::Map<String, Value>) -> String {
    let section = |(name, settings): (&String, &Value)| {
        let headers = &settings["headers"]["X-Connection"];
        format!(
            "[connections.{name}]\nkind = \"http\"\nallowPrivate = true\nurl = {}\nheaders.X-Connection = {headers}\n",
            settings["url"]
        )
    };
    connections.iter().map(section).collect()
}

/// What REST and MCP answer when they are asked for all that there is, and when the
/// secret is sent to them in a wrong way.
async fn rest(url: &str, canary: &Canary) -> Vec<u8> {
    let client = reqwest::Client::new();
    let mut heard = Vec::new();
    let get = |path: String| client.get(format!("{url}{path}"));
    let post = |path: &str, body: String| {
        let request = client.post(format!("{url}{path}")).body(body);
        request.header("content-type", "application/json")
    };
    let text = canary.text();
    let call = json!({
        "connection": "echo", "url": "/echo/json", "bearer": "vault://canary/token",
        "secretHeaders": {"X-Key": text},
    });
    let mcp = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "http_request", "arguments": call},
    });
    let mut requests = vec![
        get("/v1/runs".into()),
        get("/v1/schedules".into()),
        get("/v1/openapi.json".into()),
        post("/v1/http/request", call.to_string()),
        post(
            "/v1/http/request",
            format!("{{\"url\": \"/\", \"bearer\": \"{text}\""),
        ),
        post(
            "/v1/http/request",
            json!({"url": "/", "bearer": [text]}).to_string(),
        ),
        post(
            "/v1/vault/set",
            json!({"vaultName": "a", "value": text}).to_string(),
        ),
        post("/mcp", mcp.to_string()).header("accept", "application/json, text/event-stream"),
    ];
    let runs: Value = get("/v1/runs".into())
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    for run in runs["runs"].as_array().expect("a list") {
        let id = run["runId"].as_str().expect("an id");
        requests.push(get(format!("/v1/runs/{id}")));
        requests.push(get(format!("/v1/runs/{id}/events")));
    }
    for request in requests {
        let answer = request.send().await.expect("an answer");
        heard.extend(format!("{answer:?}").into_bytes());
        heard.extend(answer.bytes().await.expect("a body"));
    }
    heard
}
