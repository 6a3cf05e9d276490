//! Tokens that are wrong, and how long an answer about one is believed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gearmesh_api::identity::v1::identity_service_client::IdentityServiceClient;
use gearmesh_api::identity::v1::{IssueTokenRequest, RevokeTokenRequest, Token};
use gearmesh_link::{Link, Peer};
use gearmesh_runtime::{BoxFuture, Clock, Config, Running, SystemClock, start_at};
use tempfile::TempDir;

use crate::Answer;

/// The machine's clock, set forward: both what time it is and how much has passed.
#[derive(Debug, Default)]
struct Forward {
    clock: SystemClock,
    by_ms: AtomicI64,
}

impl Clock for Forward {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms() + self.by_ms.load(Ordering::Relaxed)
    }

    fn monotonic_us(&self) -> u64 {
        let by = u64::try_from(self.by_ms.load(Ordering::Relaxed)).unwrap();
        self.clock.monotonic_us() + by * 1_000
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(time)
    }
}

/// A gateway on plain loopback whose clock is driven.
struct Driven {
    _folder: TempDir,
    running: Running,
    clock: Arc<Forward>,
    identity: IdentityServiceClient<Link>,
    http: reqwest::Client,
}

impl Driven {
    async fn start() -> Self {
        gearmesh_runtime::log_to_stderr("error");
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Forward::default());
        let services = [
            gearmesh_identity::SERVICE,
            gearmesh_state::SERVICE,
            gearmesh_gateway::SERVICE,
        ];
        let config = Config::new(folder.path());
        let running = start_at(&services, config, clock.clone()).await.unwrap();
        let mesh = running.mesh().seen_by(Peer::local("gateway"));
        Self {
            identity: IdentityServiceClient::new(mesh.link("identity").unwrap()),
            _folder: folder,
            running,
            clock,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    async fn issue(&mut self, seconds: i64) -> (String, Token) {
        let request = IssueTokenRequest {
            name: "reports".into(),
            scopes: vec!["state:read".into()],
            lifetime: Some(prost_types::Duration { seconds, nanos: 0 }),
        };
        let made = self
            .identity
            .issue_token(request)
            .await
            .unwrap()
            .into_inner();
        (made.token, made.details.unwrap())
    }

    async fn revoke(&mut self, id: &str) {
        let request = RevokeTokenRequest { id: id.into() };
        self.identity.revoke_token(request).await.unwrap();
    }

    fn forward(&self, ms: i64) {
        self.clock.by_ms.fetch_add(ms, Ordering::Relaxed);
    }

    async fn get(&self, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.http.get(format!("{}/v1/tools", self.running.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request).await
    }

    async fn with(&self, token: &str) -> Answer {
        self.get(&[("authorization", &format!("Bearer {token}"))])
            .await
    }
}

#[tokio::test]
async fn revoked_token_ends_within_ten_seconds() {
    let mut mesh = Driven::start().await;
    let (token, details) = mesh.issue(3_600).await;
    assert_eq!(mesh.with(&token).await.status, 200);
    mesh.revoke(&details.id).await;
    // What was answered is believed for a while, and no longer.
    assert_eq!(mesh.with(&token).await.status, 200);
    mesh.forward(10_000);
    assert_eq!(mesh.with(&token).await.status, 401);
}

#[tokio::test]
async fn token_ends_at_its_end_whatever_is_remembered() {
    let mut mesh = Driven::start().await;
    let (token, _) = mesh.issue(60).await;
    mesh.forward(56_000);
    assert_eq!(mesh.with(&token).await.status, 200);
    mesh.forward(5_000);
    assert_eq!(mesh.with(&token).await.status, 401);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    let mut mesh = Driven::start().await;
    let (good, _) = mesh.issue(3_600).await;
    let (revoked, details) = mesh.issue(3_600).await;
    mesh.revoke(&details.id).await;
    let (expired, _) = mesh.issue(60).await;
    mesh.forward(61_000);
    // Of the same store's form, but never issued: another mesh's.
    let (unknown, _) = Driven::start().await.issue(3_600).await;
    // The id of one token with the secret of another fails its checksum.
    let mixed = format!("{}{}", &good[..18], &revoked[18..]);
    let long = format!("{good}0");
    let mut texts = Vec::new();
    for wrong in [
        &revoked,
        &expired,
        &unknown,
        &mixed,
        &long,
        "gearmesh_x",
        &good[..40],
    ] {
        let answer = mesh.with(wrong).await;
        assert_eq!(
            answer.reason(),
            (401, "UNAUTHENTICATED".to_owned()),
            "{wrong}"
        );
        let mut body = answer.json();
        // The id of the request differs, and nothing else.
        body["details"]
            .as_array_mut()
            .unwrap()
            .retain(|d| d.get("requestId").is_none());
        texts.push((answer.challenge.clone(), body.to_string()));
        assert!(
            !answer.text.contains(wrong),
            "the token comes back: {answer:?}"
        );
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:#?}");
    assert_eq!(
        texts[0].0,
        "Bearer realm=\"gearmesh\", error=\"invalid_token\""
    );
    assert_eq!(mesh.with(&good).await.status, 200);
}

#[tokio::test]
async fn plain_loopback_is_the_user_of_this_machine_and_nobody_else() {
    let mut mesh = Driven::start().await;
    assert_eq!(mesh.get(&[]).await.status, 200);
    let (token, _) = mesh.issue(3_600).await;
    let bearer = format!("Bearer {token}");
    for wrong in [
        // A login that is no login is not the same as none.
        &[("authorization", "Bearer nonsense")][..],
        &[("authorization", "Basic YTpi")],
        &[("authorization", &bearer), ("authorization", &bearer)],
        // What came through a proxy may have come from anywhere.
        &[("x-forwarded-for", "192.0.2.1")],
        &[("forwarded", "for=192.0.2.1")],
        &[("via", "1.1 proxy")],
    ] {
        assert_eq!(mesh.get(wrong).await.status, 401, "{wrong:?}");
    }
    // Through a proxy with a login, yes.
    let proxied = [("authorization", bearer.as_str()), ("via", "1.1 proxy")];
    assert_eq!(mesh.get(&proxied).await.status, 200);
    // No token is read from the query.
    let url = format!(
        "{}/v1/tools/state.list:call?access_token={token}",
        mesh.running.url()
    );
    let answer = Answer::of(mesh.http.post(url).header("via", "1.1 proxy")).await;
    assert_eq!(answer.status, 401);
}
