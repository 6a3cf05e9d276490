//! An instance of the engine at a bus of either kind.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gearmesh_api::events::v1 as api;
use gearmesh_api::events::v1::events_service_client::EventsServiceClient;
use gearmesh_api::tool::v1::Json;
use gearmesh_events::SERVICE;
use gearmesh_fault::Failure;
use gearmesh_link::Link;
use gearmesh_runtime::{Config, Running};
use gearmesh_testkit::TestMesh;
use gearmesh_testkit::servers::Redis;
use tonic::{Status, Streaming};

/// Time in which what comes has come.
const SOON: Duration = Duration::from_secs(20);

pub(crate) type Client = EventsServiceClient<Link>;

pub(crate) struct Scene {
    mesh: TestMesh,
    redis: Option<Arc<Redis>>,
}

impl Scene {
    pub(crate) async fn local() -> Self {
        Self {
            mesh: TestMesh::start(&[SERVICE]).await,
            redis: None,
        }
    }

    pub(crate) async fn redis() -> Self {
        let redis = Arc::new(Redis::start().await);
        Self::at(redis).await
    }

    async fn at(redis: Arc<Redis>) -> Self {
        let url = redis.url();
        let mesh = TestMesh::start_with(&[SERVICE], |c| c.set("bus", url)).await;
        Self {
            mesh,
            redis: Some(redis),
        }
    }

    pub(crate) fn client(&self) -> Client {
        EventsServiceClient::new(self.mesh.link("events"))
    }

    /// Whether instances have stores of their own: on `local:` they share a folder.
    pub(crate) fn has_instances(&self) -> bool {
        self.redis.is_some()
    }

    /// Another instance at the same bus.
    pub(crate) async fn instance(&self) -> Instance {
        let folder: PathBuf = match &self.redis {
            Some(_) => tempfile_in(self.mesh.folder()),
            None => self.mesh.folder().to_owned(),
        };
        let mut config = Config::new(folder);
        if let Some(redis) = &self.redis {
            config.set("bus", redis.url());
        }
        let running = gearmesh_runtime::start(&[SERVICE], config).await.unwrap();
        Instance { running }
    }

    /// Drains; the server of the bus stays as long as what is answered.
    pub(crate) async fn stop(self) -> Option<Arc<Redis>> {
        self.mesh.stop().await;
        self.redis
    }
}

fn tempfile_in(folder: &std::path::Path) -> PathBuf {
    let mut number = 0;
    loop {
        let path = folder.join(format!("instance-{number}"));
        if std::fs::create_dir(&path).is_ok() {
            return path;
        }
        number += 1;
    }
}

pub(crate) struct Instance {
    running: Running,
}

impl Instance {
    pub(crate) fn client(&self) -> Client {
        EventsServiceClient::new(self.running.mesh().link("events").unwrap())
    }
}

pub(crate) async fn publish(client: &mut Client, topic: &str, json: &str) -> i64 {
    let request = api::PublishRequest {
        topic: topic.to_owned(),
        payload: Some(Json {
            text: json.to_owned().into(),
        }),
        source_agent_id: String::new(),
    };
    client.publish(request).await.unwrap().into_inner().sequence
}

pub(crate) async fn take(
    stream: &mut Streaming<api::SubscribeResponse>,
    count: usize,
) -> Vec<api::SubscribeResponse> {
    let mut events = Vec::new();
    while events.len() < count {
        let next = tokio::time::timeout(SOON, stream.message()).await;
        events.push(next.expect("an event comes").unwrap().expect("no end yet"));
    }
    events
}

pub(crate) fn text(event: &api::Event) -> String {
    String::from_utf8(event.payload.as_ref().unwrap().text.to_vec()).unwrap()
}

pub(crate) fn reason(status: &Status) -> String {
    Failure::of(status).reason
}
