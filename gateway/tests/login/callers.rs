//! Certificates, tokens and both, and what the mesh hears of a caller.

use gearmesh_api::state::v1::state_service_client::StateServiceClient;
use gearmesh_api::state::v1::{GetRequest, ListRequest};
use gearmesh_fault::Failure;
use gearmesh_link::{Holder, Link, Login, Spiffe, remote_as};
use gearmesh_runtime::{NodeCredential, ask_leaf, read_certificates};
use serde_json::json;
use tonic::{Code, Request, Status};

use crate::site::{Site, got_of, noting, now};
use crate::{Answer, mcp_call, with_json};

async fn list(link: &Link) -> Result<(), Status> {
    let mut client = StateServiceClient::new(link.clone());
    client.list(ListRequest::default()).await.map(drop)
}

/// All that lies under a failed call.
fn causes(status: &Status) -> String {
    let mut out = status.to_string();
    let mut next = std::error::Error::source(status);
    while let Some(cause) = next {
        out = format!("{out} <- {cause}");
        next = cause.source();
    }
    out
}

#[tokio::test]
async fn certificate_and_token_are_logins_with_their_scopes() {
    let site = Site::start(&[gearmesh_state::SERVICE]).await;
    let token = site.token("reports", &["state:read"]).await;
    let certificate = site.client("reader", &["state:read"], now());
    for (link, who) in [
        (site.link(None, Some(&token)), "token/reports"),
        (site.link(Some(certificate.clone()), None), "agent/reader"),
    ] {
        list(&link).await.unwrap();
        let put = gearmesh_api::state::v1::PutRequest {
            key: "a".into(),
            ..Default::default()
        };
        let status = StateServiceClient::new(link).put(put).await.unwrap_err();
        let failure = Failure::of(&status);
        assert_eq!(
            (failure.code, failure.reason.as_str()),
            (Code::PermissionDenied, "PERMISSION_DENIED")
        );
        assert_eq!(failure.metadata["scope"], "state:write");
        assert!(
            failure.message.contains("`state:write`") && failure.message.contains(who),
            "{failure:?}"
        );
    }
    for http in [site.http(None).with(&token), site.http(Some(certificate))] {
        assert_eq!(
            Answer::of(http.request("GET", "/v1/tools")).await.status,
            200
        );
        let answer = Answer::of(with_json(
            http.request("POST", "/v1/tools/state.put:call"),
            &json!({"key": "a", "value": 1}),
        ))
        .await;
        assert_eq!(answer.reason(), (403, "PERMISSION_DENIED".to_owned()));
        assert_eq!(
            answer.challenge,
            "Bearer realm=\"gearmesh\", error=\"insufficient_scope\", scope=\"state:write\""
        );
        let answer = Answer::of(with_json(
            http.request("POST", "/mcp"),
            &mcp_call("state_put", &json!({"key": "a", "value": 1})),
        ))
        .await;
        assert_eq!(
            (answer.status, answer.mcp_reason().as_str()),
            (200, "PERMISSION_DENIED")
        );
    }
}

#[tokio::test]
async fn expired_and_foreign_certificates_end_in_the_handshake() {
    let (ours, theirs) = (
        Site::start(&[gearmesh_state::SERVICE]).await,
        Site::start(&[]).await,
    );
    let expired = ours.client("late", &["*"], now() - 3_600);
    let why = causes(&list(&ours.link(Some(expired), None)).await.unwrap_err());
    assert!(why.contains("your certificate `late` has expired"), "{why}");
    let foreign = theirs.client("spy", &["*"], now());
    let why = causes(&list(&ours.link(Some(foreign), None)).await.unwrap_err());
    assert!(
        why.contains("does not take your certificate `spy`"),
        "{why}"
    );
    // A client of ours does not speak to their gateway.
    let login = Login {
        ca: Some(ours.ca()),
        ..Login::default()
    };
    let why = causes(
        &list(&remote_as(&theirs.url(), &login).unwrap())
            .await
            .unwrap_err(),
    );
    assert!(
        why.contains("not signed by the roots that are trusted"),
        "{why}"
    );
}

#[tokio::test]
async fn leaf_of_a_service_is_no_login_even_with_a_token() {
    let site = Site::start(&[gearmesh_state::SERVICE]).await;
    let roots = read_certificates(&site.files.path().join("ca/root.pem"), "ca").unwrap();
    let node = NodeCredential::read(&site.files.path().join("credentials/state.json")).unwrap();
    let spiffe = Spiffe::new("gearmesh.local", Holder::of_service("state"), "stolen").unwrap();
    let config = std::fs::read_to_string(site.files.path().join("config/state.toml")).unwrap();
    let url = config
        .split('"')
        .find(|t| t.starts_with("https://"))
        .unwrap();
    let (issued, key) = ask_leaf(url, &roots, &node, &spiffe).await.unwrap();
    let pair = (
        gearmesh_identity::init::pem("CERTIFICATE", &issued.chain).into_bytes(),
        gearmesh_identity::init::pem("PRIVATE KEY", &[key.to_vec()]).into_bytes(),
    );
    let token = site.token("all", &["*"]).await;
    for token in [None, Some(token.as_str())] {
        let status = list(&site.link(Some(pair.clone()), token))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert!(
            status.message().contains("/engine/state/stolen"),
            "{status}"
        );
    }
    let answer = Answer::of(site.http(Some(pair)).request("GET", "/v1/tools")).await;
    assert_eq!(answer.status, 403, "{answer:?}");
}

#[tokio::test]
async fn engines_hear_who_calls_and_never_the_token() {
    let site = Site::start(&[noting("state")]).await;
    let token = site.token("heard", &["state:*"]).await;
    let link = site.link(None, Some(&token));
    let mut request = Request::new(GetRequest { key: "a".into() });
    let metadata = request.metadata_mut();
    for (name, value) in [
        ("gearmesh-principal", "agent/admin"),
        ("gearmesh-run", "run_1"),
        ("gearmesh-folder", "/etc"),
        ("x-gearmesh-principal", "agent/admin"),
        ("x-forwarded-for", "127.0.0.1"),
        ("cookie", "a=b"),
        ("x-own", "stays"),
    ] {
        metadata.insert(name, value.parse().unwrap());
    }
    let _ = StateServiceClient::new(link).get(request).await;
    let http = site.http(None).with(&token);
    let rest = with_json(
        http.request("POST", "/v1/tools/state.get:call"),
        &json!({"key": "a"}),
    );
    Answer::of(
        rest.header("gearmesh-principal", "agent/admin")
            .header("gearmesh-run", "run_1"),
    )
    .await;
    let mcp = with_json(
        http.request("POST", "/mcp"),
        &mcp_call("state_get", &json!({"key": "a"})),
    );
    Answer::of(
        mcp.header("gearmesh-principal", "agent/admin")
            .header("gearmesh-run", "run_1"),
    )
    .await;
    let got = got_of("token/heard");
    assert_eq!(got.len(), 3, "{got:?}");
    for (n, got) in got.iter().enumerate() {
        assert_eq!(got.path, "/gearmesh.state.v1.StateService/Get");
        assert_eq!(got.headers.get_all("gearmesh-principal").iter().count(), 1);
        for absent in [
            "authorization",
            "cookie",
            "gearmesh-run",
            "gearmesh-folder",
            "x-gearmesh-principal",
            "x-forwarded-for",
        ] {
            assert!(!got.headers.contains_key(absent), "{absent}: {got:?}");
        }
        assert_eq!(
            got.headers.contains_key("x-own"),
            n == 0,
            "gRPC alone passes metadata on"
        );
        let values = format!("{:?}", got.headers);
        assert!(!values.contains(&token), "{values}");
    }
}

#[tokio::test]
async fn run_is_of_whoever_started_it() {
    let site = Site::start(&[gearmesh_state::SERVICE, gearmesh_orchestrator::SERVICE]).await;
    let token = site.token("starter", &["orchestrator:*"]).await;
    let certificate = site.client("nightly", &["orchestrator:*"], now());
    let source = "name: who\ntasks:\n  - {id: a, set: {by: \"${run.actor}\"}}\n";
    for (http, who) in [
        (site.http(None).with(&token), "token/starter"),
        (site.http(Some(certificate)), "agent/nightly"),
    ] {
        let request = http.request("POST", "/v1/tools/orchestrator.execute:call");
        let answer = Answer::of(with_json(request, &json!({"source": source}))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.text.contains(who), "{answer:?}");
    }
}
