//! Every RPC of the catalogue over every surface: nothing is let through without a
//! login, nor with too small a scope, and no engine hears of what is refused.

use std::sync::Arc;

use gearmesh_api::DESCRIPTORS;
use gearmesh_catalog::{Catalog, Effect, Engines, Rpc, Source, Tool};
use gearmesh_link::Link;
use serde_json::json;
use tonic::{Code, Request};

use crate::site::{Http, Site, got, got_of, noting};
use crate::{Answer, mcp_call, with_json};

/// A way to call a tool over HTTP.
struct Way {
    method: String,
    path: String,
    /// Whether the route takes a body.
    body: bool,
    /// Over MCP, the tool's name.
    mcp: Option<String>,
}

/// All ways to a tool: its routes, and each of its names by REST and MCP.
fn ways(tool: &Tool) -> Vec<Way> {
    let mut out: Vec<Way> = tool
        .routes
        .iter()
        .map(|binding| Way {
            method: binding.method.replace('*', "POST"),
            path: filled(&binding.template),
            body: !binding.body.is_empty(),
            mcp: None,
        })
        .collect();
    let mut names = vec![tool.id.clone(), tool.mcp_name()];
    names.extend(tool.aliases.iter().map(|a| a.name.clone()));
    for name in names {
        out.push(Way {
            method: "POST".into(),
            path: format!("/v1/tools/{name}:call"),
            body: true,
            mcp: None,
        });
        out.push(Way {
            method: "POST".into(),
            path: "/mcp".into(),
            body: true,
            mcp: Some(name),
        });
    }
    out
}

/// A path that a template matches.
fn filled(template: &str) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, variable)) = rest.split_once('{') {
        let (variable, after) = variable.split_once('}').unwrap();
        out.push_str(before);
        match variable.split_once('=') {
            Some((_, pattern)) => out.push_str(&pattern.replace("**", "1").replace('*', "1")),
            None => out.push('1'),
        }
        rest = after;
    }
    out + rest
}

impl Way {
    async fn ask(&self, http: &Http) -> Answer {
        let request = http.request(&self.method, &self.path);
        Answer::of(match &self.mcp {
            Some(name) => with_json(request, &mcp_call(name, &json!({}))),
            None if self.body => with_json(request, &json!({})),
            None => request,
        })
        .await
    }

    /// Whether an answer is a refusal for want of a scope.
    fn lacks_scope(&self, answer: &Answer) -> bool {
        match &self.mcp {
            Some(_) => answer.mcp_reason() == "PERMISSION_DENIED",
            None => answer.status == 403 && answer.challenge.contains("insufficient_scope"),
        }
    }
}

/// Calls an RPC with an empty request.
async fn call(link: &Link, path: &str) -> Code {
    let mut grpc = tonic::client::Grpc::new(link.clone());
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let answer = grpc
        .unary(Request::new(()), path.parse().unwrap(), codec)
        .await;
    answer.err().map_or(Code::Ok, |status| status.code())
}

fn whole_catalogue() -> Catalog {
    Catalog::build(&[Source {
        descriptors: DESCRIPTORS,
        engines: Engines::All,
    }])
    .unwrap()
}

/// Engines of the catalogue, but for the one that is real.
fn stand_ins(catalog: &Catalog) -> Vec<gearmesh_runtime::Service> {
    let ids = catalog.engines().iter().map(|e| e.id.as_str());
    ids.filter(|id| !["identity", "ledger"].contains(id))
        .map(noting)
        .collect()
}

/// One step below what a call needs.
fn too_small(engine: &str, needed: Effect) -> String {
    match needed {
        Effect::Read => "none:read".to_owned(),
        Effect::Write => format!("{engine}:read"),
        Effect::Destructive => format!("{engine}:write"),
    }
}

/// An RPC that outsiders may call.
fn is_open(rpc: &Rpc) -> bool {
    let ours = |scope: &str| scope.ends_with(":internal");
    rpc.admits("gateway") && rpc.access.as_ref().is_none_or(|a| !ours(&a.scope))
}

#[tokio::test]
async fn no_call_passes_without_login_nor_with_too_small_a_scope() {
    let catalog = whole_catalogue();
    let site = Site::start(&stand_ins(&catalog)).await;
    let mut checked = 0;
    let (nobody, stranger) = (site.http(None), site.link(None, None));
    let mut rpcs: Vec<&Rpc> = catalog.rpcs().collect();
    rpcs.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(rpcs.len() > 60, "the whole catalogue: {}", rpcs.len());
    for rpc in &rpcs {
        assert_eq!(
            call(&stranger, &rpc.path).await,
            Code::Unauthenticated,
            "{}",
            rpc.path
        );
        checked += 1;
        for way in rpc.tool.iter().flat_map(|tool| ways(tool)) {
            let answer = way.ask(&nobody).await;
            assert_eq!(
                answer.status, 401,
                "{} {}: {answer:?}",
                way.method, way.path
            );
            assert_eq!(answer.reason().1, "UNAUTHENTICATED");
            assert_eq!(answer.challenge, "Bearer realm=\"gearmesh\"");
            checked += 1;
        }
    }
    // What a caller has with every scope of a word on every engine.
    for word in [Effect::Read, Effect::Write, Effect::Destructive] {
        for engine in catalog.engines() {
            let scope = too_small(&engine.id, word);
            let name = format!("small-{}-{}", engine.id, word.scope_word());
            let token = site.token(&name, &[&scope]).await;
            let (http, link) = (site.http(None).with(&token), site.link(None, Some(&token)));
            for rpc in rpcs.iter().filter(|r| r.engine == engine.id) {
                let needed = rpc.tool.as_ref().map(|t| t.effect);
                if needed.is_some_and(|n| n != word) {
                    continue;
                }
                let refused = if is_open(rpc) {
                    Code::PermissionDenied
                } else {
                    Code::Unimplemented
                };
                assert_eq!(
                    call(&link, &rpc.path).await,
                    refused,
                    "{} with {scope}",
                    rpc.path
                );
                checked += 1;
            }
            for tool in rpcs
                .iter()
                .filter(|r| r.engine == engine.id)
                .filter_map(|r| r.tool.as_ref())
            {
                // By JSON a call may need less than its tool.
                if tool.class_of(&json!({})).effect != word {
                    continue;
                }
                for way in ways(tool) {
                    let answer = way.ask(&http).await;
                    assert!(
                        way.lacks_scope(&answer),
                        "{} {} with {scope}: {answer:?}",
                        way.method,
                        way.path
                    );
                    checked += 1;
                }
            }
            assert!(
                got_of(&format!("token/{name}")).is_empty(),
                "{:?}",
                got_of(&format!("token/{name}"))
            );
        }
    }
    println!("{checked} refusals of {} RPCs", rpcs.len());
    checked_positively(&site, &rpcs).await;
}

/// With its scope each call gets past the gateway's checks: else the refusals above
/// would prove nothing.
async fn checked_positively(site: &Site, rpcs: &[&Rpc]) {
    let token = site.token("enough", &["*"]).await;
    let (http, link) = (site.http(None).with(&token), site.link(None, Some(&token)));
    for rpc in rpcs {
        let code = call(&link, &rpc.path).await;
        let passed = ![Code::Unauthenticated, Code::PermissionDenied].contains(&code);
        assert!(passed, "{}: {code:?}", rpc.path);
        let tools: Option<&Arc<Tool>> = rpc.tool.as_ref();
        for way in tools.into_iter().flat_map(|tool| ways(tool)) {
            let answer = way.ask(&http).await;
            assert!(
                ![401, 403].contains(&answer.status),
                "{}: {answer:?}",
                way.path
            );
        }
    }
    let reached = got_of("token/enough");
    assert!(reached.len() > rpcs.len() / 2, "{}", reached.len());
    for got in got() {
        let headers = &got.headers;
        assert!(!headers.contains_key("authorization"), "{}", got.path);
        assert!(headers.contains_key("gearmesh-principal"), "{}", got.path);
    }
}

#[tokio::test]
async fn lists_documents_and_reflection_are_for_those_who_have_logged_in() {
    let site = Site::start(&[gearmesh_state::SERVICE]).await;
    let (nobody, stranger) = (site.http(None), site.link(None, None));
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    for path in [
        "/",
        "/v1",
        "/v1/tools",
        "/v1/tools/state.get",
        "/v1/openapi.json",
        "/v1/nowhere",
        "/mcp",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = Answer::of(with_json(nobody.request(method, path), &list)).await;
            assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
        }
    }
    assert!(gearmesh_link::reflect(&stranger, "gateway").await.is_err());
    let token = site.token("reader", &["state:read"]).await;
    let known = site.http(None).with(&token);
    for path in ["/", "/v1", "/v1/tools", "/v1/openapi.json"] {
        assert_eq!(
            Answer::of(known.request("GET", path)).await.status,
            200,
            "{path}"
        );
    }
    let link = site.link(None, Some(&token));
    gearmesh_link::reflect(&link, "gateway").await.unwrap();
    // A model is shown what its login can call.
    let answer = Answer::of(with_json(known.request("POST", "/mcp"), &list))
        .await
        .json();
    let names: Vec<&str> = answer["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["state_get", "state_list"]);
}

#[tokio::test]
async fn strangers_learn_that_it_serves_and_no_names() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    let site = Site::start(&[gearmesh_state::SERVICE]).await;
    let token = site.token("watcher", &["none:read"]).await;
    let nobody = site.http(None);
    for path in [
        "/healthz",
        "/health/live",
        "/health/ready",
        "/health/startup",
    ] {
        let answer = Answer::of(nobody.request("GET", path)).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (200, "{\"status\":\"SERVING\"}"),
            "{path}"
        );
    }
    let check = async |link: &Link, service: &str| {
        let request = HealthCheckRequest {
            service: service.into(),
        };
        let answer = HealthClient::new(link.clone()).check(request).await;
        answer
            .map(|a| a.into_inner().status)
            .map_err(|status| status.code())
    };
    let (stranger, known) = (site.link(None, None), site.link(None, Some(&token)));
    assert_eq!(check(&stranger, "").await, Ok(1));
    assert_eq!(check(&known, "state").await, Ok(1));
    assert_eq!(check(&known, "vault").await, Err(Code::NotFound));
    for name in ["state", "vault", "gearmesh.state.v1.StateService"] {
        // There or not: the same answer.
        assert_eq!(check(&stranger, name).await, Err(Code::NotFound), "{name}");
        let path = format!("/healthz?service={name}");
        assert_eq!(
            Answer::of(nobody.request("GET", &path)).await.status,
            401,
            "{path}"
        );
    }
    let known = site.http(None).with(&token);
    assert_eq!(
        Answer::of(known.request("GET", "/healthz?service=state"))
            .await
            .status,
        200
    );
    assert_eq!(
        Answer::of(known.request("GET", "/healthz?service=vault"))
            .await
            .status,
        404
    );
}
