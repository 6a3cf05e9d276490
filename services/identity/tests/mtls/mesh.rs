//! A mesh of several processes, each a slice of its own in this one.

use std::path::Path;

use gearmesh_api::state::v1::state_service_client::StateServiceClient;
use gearmesh_api::state::v1::{GetRequest, PutRequest};
use gearmesh_api::tool::v1::Json;
use gearmesh_fault::Failure;
use gearmesh_identity::init;
use gearmesh_link::{Credentials, Holder, Link, Spiffe, remote_tls};
use gearmesh_runtime::{
    Clock, Config, NodeCredential, Service, SystemClock, ask_leaf, read_certificates,
};
use gearmesh_testkit::TestMesh;
use tempfile::TempDir;
use tonic::{Code, Status};

pub(crate) const DOMAIN: &str = "gearmesh.local";

pub(crate) fn now() -> i64 {
    SystemClock::default().now_ms() / 1000
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The files of `gearmesh init`, and an identity engine over them.
pub(crate) struct Site {
    pub(crate) files: TempDir,
    pub(crate) identity_url: String,
    pub(crate) identity: Option<TestMesh>,
    leaf_lifetime: i64,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::start_with(gearmesh_identity::LEAF_MAX_S).await
    }

    pub(crate) async fn start_with(leaf_lifetime: i64) -> Self {
        let files = tempfile::tempdir().unwrap();
        let identity_url = format!("https://127.0.0.1:{}", free_port());
        let mesh = init::Mesh {
            folder: files.path().to_owned(),
            trust_domain: DOMAIN.into(),
            identity: identity_url.clone(),
            services: ["identity", "state", "gateway", "file", "orchestrator"]
                .map(Into::into)
                .to_vec(),
            hosts: vec![],
            if_absent: false,
        };
        init::mesh(&mesh, now()).unwrap();
        let mut site = Self {
            files,
            identity_url,
            identity: None,
            leaf_lifetime,
        };
        site.identity = Some(site.start_identity().await);
        site
    }

    pub(crate) async fn start_identity(&self) -> TestMesh {
        let listen = self.identity_url.trim_start_matches("https://").to_owned();
        let lifetime = self.leaf_lifetime;
        let ca = self.files.path().join("ca");
        let settings = |config: &mut Config| {
            config.set("listen", listen);
            config.set("mesh.ca", text(&ca.join("root.pem")));
            config.set("identity.ca", text(&ca));
            config.set("identity.leafLifetime", lifetime);
        };
        TestMesh::start_with(&[gearmesh_identity::SERVICE], settings).await
    }

    /// Starts a service as a process of this mesh.
    pub(crate) async fn process(
        &self,
        service: Service,
        more: impl FnOnce(&mut Config),
    ) -> TestMesh {
        TestMesh::start_with(&[service], |config| {
            self.settings(config, service.name);
            more(config);
        })
        .await
    }

    pub(crate) fn settings(&self, config: &mut Config, service: &str) {
        let at = self.files.path();
        config.set("mesh.ca", text(&at.join("ca/root.pem")));
        let credential = at.join(format!("credentials/{service}.json"));
        config.set("mesh.credential", text(&credential));
        config.set("mesh.identity", self.identity_url.clone());
    }

    pub(crate) fn roots(&self) -> Vec<Vec<u8>> {
        read_certificates(&self.files.path().join("ca/root.pem"), "ca").unwrap()
    }

    pub(crate) fn node(&self, service: &str) -> NodeCredential {
        let path = self
            .files
            .path()
            .join(format!("credentials/{service}.json"));
        NodeCredential::read(&path).unwrap()
    }

    /// What a process of this service has in its hands.
    pub(crate) async fn leaf_of(&self, service: &str) -> Credentials {
        let holder = Holder::of_service(service);
        let spiffe = Spiffe::new(DOMAIN, holder, "test").unwrap();
        let roots = self.roots();
        let asked = ask_leaf(&self.identity_url, &roots, &self.node(service), &spiffe).await;
        let (issued, key) = asked.unwrap();
        let credentials = Credentials::new(DOMAIN, &roots).unwrap();
        credentials
            .set_leaf(service, &issued.chain, key.to_vec())
            .unwrap();
        credentials
    }

    /// A client's certificate, signed at `when`.
    pub(crate) fn client(&self, name: &str, when: i64) -> Credentials {
        let client = init::Client {
            folder: self.files.path().to_owned(),
            name: name.into(),
            scopes: vec!["state:read".into()],
            lifetime: 600,
        };
        init::client(&client, when).unwrap();
        let at = self.files.path().join("clients").join(name);
        let chain = read_certificates(&at.join("cert.pem"), "cert").unwrap();
        let key = std::fs::read_to_string(at.join("key.pem")).unwrap();
        let key = rcgen::KeyPair::from_pem(&key).unwrap().serialize_der();
        let credentials = Credentials::new(DOMAIN, &self.roots()).unwrap();
        credentials.set_leaf("agent", &chain, key).unwrap();
        credentials
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The address of a process that speaks TLS.
pub(crate) fn https(mesh: &TestMesh) -> String {
    format!("https://{}", mesh.url().split("://").nth(1).unwrap())
}

pub(crate) fn link(mesh: &TestMesh, engine: &str, credentials: Credentials) -> Link {
    remote_tls(&https(mesh), engine, credentials).unwrap()
}

pub(crate) async fn put(link: &Link, key: &str) -> Result<u64, Status> {
    let request = PutRequest {
        key: key.into(),
        value: Some(Json { text: "1".into() }),
        ..PutRequest::default()
    };
    let answer = StateServiceClient::new(link.clone()).put(request).await?;
    Ok(answer.into_inner().version)
}

pub(crate) async fn get(link: &Link, key: &str) -> Result<u64, Status> {
    let request = GetRequest { key: key.into() };
    let answer = StateServiceClient::new(link.clone()).get(request).await?;
    Ok(answer.into_inner().version)
}

/// Code and reason of a refusal that somebody of the mesh gave.
pub(crate) fn said(status: &Status) -> (Code, String) {
    (status.code(), Failure::of(status).reason)
}

/// All that lies under a failed call.
pub(crate) fn causes(status: &Status) -> String {
    let mut out = status.to_string();
    let mut next = std::error::Error::source(status);
    while let Some(cause) = next {
        out = format!("{out} <- {cause}");
        next = cause.source();
    }
    out
}

#[tokio::test]
async fn two_processes_talk_with_their_leaves() {
    let site = Site::start().await;
    let state = site.process(gearmesh_state::SERVICE, |_| {}).await;
    let gateway = link(&state, "state", site.leaf_of("gateway").await);
    assert_eq!(put(&gateway, "a").await.unwrap(), 1);
    assert_eq!(get(&gateway, "a").await.unwrap(), 1);
}
