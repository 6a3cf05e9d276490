//! What a Consul agent does for us, in this process: registrations with checks,
//! blocking queries with an index, and what only a test wants: to forget all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A stand-in for a Consul agent.
#[derive(Debug)]
pub struct ConsulStandIn {
    address: SocketAddr,
    agent: Agent,
    server: JoinHandle<()>,
    checker: JoinHandle<()>,
}

/// How often the stand-in looks at what it should check.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Clone)]
struct Agent {
    state: Arc<Mutex<Catalog>>,
    index: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Catalog {
    services: BTreeMap<String, Registered>,
    token: Option<String>,
    down: bool,
    queries: usize,
}

#[derive(Debug)]
struct Registered {
    body: Value,
    passing: bool,
    /// When the next look is due, or the next report at the latest.
    due: Instant,
}

impl Registered {
    fn seconds(&self, key: &str) -> Option<Duration> {
        let text = self.body["Check"][key].as_str()?;
        let seconds = text.strip_suffix('s').expect("a duration in seconds");
        Some(Duration::from_secs(seconds.parse().expect("a number")))
    }
}

impl Agent {
    fn state(&self) -> MutexGuard<'_, Catalog> {
        self.state.lock().expect("no test panics with it")
    }

    fn changed(&self) {
        self.index.send_modify(|i| *i += 1);
    }

    /// Looks at what is due: the gRPC health service of an instance, or its last report.
    async fn check(&self) {
        let due: Vec<(String, Option<String>)> = {
            let state = self.state();
            let due = state
                .services
                .iter()
                .filter(|(_, s)| s.due <= Instant::now());
            due.map(|(id, s)| {
                (
                    id.clone(),
                    s.body["Check"]["GRPC"].as_str().map(str::to_owned),
                )
            })
            .collect()
        };
        for (id, target) in due {
            let passing = match target {
                Some(target) => healthy(&target).await,
                None => false,
            };
            let mut state = self.state();
            let Some(service) = state.services.get_mut(&id) else {
                continue;
            };
            let was = std::mem::replace(&mut service.passing, passing);
            service.due = Instant::now() + service.seconds("Interval").unwrap_or(LOOK);
            drop(state);
            if was != passing {
                self.changed();
            }
        }
    }
}

async fn healthy(target: &str) -> bool {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    let Ok(endpoint) = tonic::transport::Endpoint::from_shared(format!("http://{target}")) else {
        return false;
    };
    let endpoint = endpoint.timeout(Duration::from_secs(2));
    let Ok(channel) = endpoint.connect().await else {
        return false;
    };
    let asked = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await;
    asked.is_ok_and(|a| a.into_inner().status == 1)
}

impl ConsulStandIn {
    /// Starts it.
    ///
    /// # Panics
    /// When no port can be had.
    #[expect(
        clippy::disallowed_methods,
        reason = "a server of a test ends with its value"
    )]
    pub async fn start() -> Self {
        let agent = Agent {
            state: Arc::default(),
            index: watch::Sender::new(7),
        };
        let routes = Router::new()
            .route("/v1/agent/service/register", put(register))
            .route("/v1/agent/service/{id}", get(show))
            .route("/v1/agent/service/deregister/{id}", put(deregister))
            .route("/v1/agent/check/pass/{id}", put(pass))
            .route("/v1/health/service/{name}", get(health))
            .with_state(agent.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("its address");
        let checking = agent.clone();
        Self {
            address,
            agent,
            server: tokio::spawn(async move {
                axum::serve(listener, routes).await.expect("it serves");
            }),
            checker: tokio::spawn(async move {
                loop {
                    tokio::time::sleep(LOOK).await;
                    checking.check().await;
                }
            }),
        }
    }

    /// The setting `registry` that leads to it.
    #[must_use]
    pub fn registry(&self) -> String {
        format!("consul:http://{}", self.address)
    }

    /// Forgets all registrations and counts from the begin, as an agent that was
    /// started anew.
    pub fn forget(&self) {
        self.agent.state().services.clear();
        self.agent.index.send_replace(1);
    }

    /// Answers nothing but errors from now on, or answers again.
    pub fn set_down(&self, down: bool) {
        self.agent.state().down = down;
        self.agent.changed();
    }

    /// Takes only requests with this token from now on.
    pub fn require(&self, token: &str) {
        self.agent.state().token = Some(token.to_owned());
    }

    /// How many queries for instances were asked.
    #[must_use]
    pub fn queries(&self) -> usize {
        self.agent.state().queries
    }

    /// What is registered, as it was sent.
    #[must_use]
    pub fn registered(&self) -> Vec<Value> {
        let state = self.agent.state();
        state.services.values().map(|s| s.body.clone()).collect()
    }
}

impl Drop for ConsulStandIn {
    fn drop(&mut self) {
        self.server.abort();
        self.checker.abort();
    }
}

fn refused(agent: &Agent, headers: &HeaderMap) -> Option<Response> {
    let state = agent.state();
    if state.down {
        return Some((StatusCode::INTERNAL_SERVER_ERROR, "No cluster leader").into_response());
    }
    let given = headers.get("x-consul-token").and_then(|t| t.to_str().ok());
    (state.token.is_some() && given != state.token.as_deref())
        .then(|| (StatusCode::FORBIDDEN, "Permission denied").into_response())
}

async fn register(
    State(agent): State<Agent>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refused) = refused(&agent, &headers) {
        return refused;
    }
    let id = body["ID"].as_str().expect("an id").to_owned();
    let mut service = Registered {
        passing: body["Check"]["Status"] == "passing",
        due: Instant::now(),
        body,
    };
    let wait = service.seconds("TTL").or(service.seconds("Interval"));
    service.due += wait.expect("a check with TTL or Interval");
    agent.state().services.insert(id, service);
    agent.changed();
    StatusCode::OK.into_response()
}

async fn show(State(agent): State<Agent>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if let Some(refused) = refused(&agent, &headers) {
        return refused;
    }
    match agent.state().services.get(&id) {
        Some(service) => Json(service.body.clone()).into_response(),
        None => (StatusCode::NOT_FOUND, format!("unknown service ID: {id}")).into_response(),
    }
}

async fn deregister(
    State(agent): State<Agent>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    if let Some(refused) = refused(&agent, &headers) {
        return refused;
    }
    agent.state().services.remove(&id);
    agent.changed();
    StatusCode::OK.into_response()
}

async fn pass(State(agent): State<Agent>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if let Some(refused) = refused(&agent, &headers) {
        return refused;
    }
    let id = id.strip_prefix("service:").expect("the check of a service");
    let mut state = agent.state();
    let Some(service) = state.services.get_mut(id) else {
        let text = format!("CheckID \"service:{id}\" does not have associated TTL");
        return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
    };
    service.due = Instant::now() + service.seconds("TTL").expect("a TTL");
    let was = std::mem::replace(&mut service.passing, true);
    drop(state);
    if !was {
        agent.changed();
    }
    StatusCode::OK.into_response()
}

async fn health(
    State(agent): State<Agent>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    agent.state().queries += 1;
    let asked: u64 = query["index"].parse().expect("an index");
    let wait = query["wait"].strip_suffix("ms").expect("milliseconds");
    let wait = Duration::from_millis(wait.parse().expect("a number"));
    if asked > 0 {
        let mut index = agent.index.subscribe();
        // Its end is an answer as well.
        let _ = tokio::time::timeout(wait, index.wait_for(|i| *i != asked)).await;
    }
    if let Some(refused) = refused(&agent, &headers) {
        return refused;
    }
    let index = *agent.index.borrow();
    let state = agent.state();
    let living: Vec<Value> = state
        .services
        .values()
        .filter(|s| s.passing && s.body["Name"] == name.as_str())
        .map(|s| {
            let b = &s.body;
            json!({"Node": {"Address": "127.0.0.1"}, "Service": {
                "ID": b["ID"], "Service": b["Name"], "Address": b["Address"],
                "Port": b["Port"], "Tags": b["Tags"], "Meta": b["Meta"],
            }})
        })
        .collect();
    ([("x-consul-index", index.to_string())], Json(living)).into_response()
}
