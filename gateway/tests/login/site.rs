//! A mesh with a CA: an identity engine, and a gateway with the engines of a test.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gearmesh_api::DESCRIPTORS;
use gearmesh_api::identity::v1::IssueTokenRequest;
use gearmesh_api::identity::v1::identity_service_client::IdentityServiceClient;
use gearmesh_identity::init;
use gearmesh_link::{Link, Login, Peer, remote_as};
use gearmesh_runtime::{BoxFuture, Clock, Config, Context, Service, SystemClock};
use gearmesh_testkit::{TestMesh, wait_until};
use tempfile::TempDir;
use tonic::Status;
use tonic::service::Routes;

const DOMAIN: &str = "gearmesh.local";

/// How long engines may take to find each other.
const JOIN_MAX: Duration = Duration::from_secs(20);

pub(crate) fn now() -> i64 {
    SystemClock::default().now_ms() / 1000
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A request as an engine got it.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
}

/// What the engines got that stand in for all.
static GOT: Mutex<Vec<Got>> = Mutex::new(Vec::new());

/// The requests that reached an engine on behalf of a principal.
pub(crate) fn got_of(principal: &str) -> Vec<Got> {
    let got = GOT.lock().unwrap_or_else(PoisonError::into_inner);
    let is_theirs = |g: &&Got| {
        g.headers
            .get("gearmesh-principal")
            .is_some_and(|p| p == principal)
    };
    got.iter().filter(is_theirs).cloned().collect()
}

/// Everything that reached an engine.
pub(crate) fn got() -> Vec<Got> {
    GOT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// An engine that does nothing but note what it gets.
pub(crate) fn noting(name: &str) -> Service {
    fn start(
        _: Context,
    ) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
        let answer = async |request: axum::extract::Request| {
            let mut got = GOT.lock().unwrap_or_else(PoisonError::into_inner);
            got.push(Got {
                path: request.uri().path().to_owned(),
                headers: request.headers().clone(),
            });
            Status::unimplemented("noted").into_http::<axum::body::Body>()
        };
        Box::pin(async move { Ok(Routes::from(axum::Router::new().fallback(answer))) })
    }
    Service {
        name: name.to_owned().leak(),
        descriptors: || DESCRIPTORS,
        start,
    }
}

/// The mesh.
pub(crate) struct Site {
    pub(crate) files: TempDir,
    identity: TestMesh,
    pub(crate) mesh: TestMesh,
}

impl Site {
    /// A gateway over these engines.
    pub(crate) async fn start(engines: &[Service]) -> Self {
        gearmesh_runtime::log_to_stderr("error");
        let files = tempfile::tempdir().unwrap();
        let identity_url = format!("https://127.0.0.1:{}", free_port());
        let mut names: Vec<String> = engines.iter().map(|s| s.name.to_owned()).collect();
        names.extend(["identity".to_owned(), "gateway".to_owned()]);
        let mesh = init::Mesh {
            folder: files.path().to_owned(),
            trust_domain: DOMAIN.into(),
            identity: identity_url.clone(),
            services: names,
            hosts: vec![],
            if_absent: false,
        };
        init::mesh(&mesh, now()).unwrap();
        let at = |name: &str| files.path().join(name).to_string_lossy().into_owned();
        let identity = TestMesh::start_with(&[gearmesh_identity::SERVICE], |config| {
            config.set("listen", identity_url.trim_start_matches("https://"));
            config.set("mesh.ca", at("ca/root.pem"));
            config.set("identity.ca", at("ca"));
        })
        .await;
        let services = [engines, &[gearmesh_gateway::SERVICE]].concat();
        let settings = |config: &mut Config| {
            config.set("mesh.ca", at("ca/root.pem"));
            config.set("mesh.credential", at("credentials"));
            config.set("mesh.identity", identity_url.clone());
            config.set("registry", format!("static:identity={identity_url}"));
        };
        let mesh = TestMesh::start_with(&services, settings).await;
        let joined = mesh.mesh().clone();
        wait_until("identity has joined", JOIN_MAX, || {
            joined.link("identity").is_ok()
        })
        .await;
        Self {
            files,
            identity,
            mesh,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.mesh.url().replace("http://", "https://")
    }

    /// The identity engine as the gateway reaches it.
    fn identity(&self) -> IdentityServiceClient<Link> {
        let mesh = self.identity.mesh().seen_by(Peer::local("gateway"));
        IdentityServiceClient::new(mesh.link("identity").unwrap())
    }

    /// A token.
    pub(crate) async fn token(&self, name: &str, scopes: &[&str]) -> String {
        let request = IssueTokenRequest {
            name: name.into(),
            scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
            lifetime: None,
        };
        let made = self
            .identity()
            .issue_token(request)
            .await
            .unwrap()
            .into_inner();
        made.token
    }

    /// Whom clients trust.
    pub(crate) fn ca(&self) -> Vec<u8> {
        std::fs::read(self.files.path().join("ca/root.pem")).unwrap()
    }

    /// A client's certificate and key, signed at `when` for ten minutes.
    pub(crate) fn client(&self, name: &str, scopes: &[&str], when: i64) -> (Vec<u8>, Vec<u8>) {
        let client = init::Client {
            folder: self.files.path().to_owned(),
            name: name.into(),
            scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
            lifetime: 600,
        };
        init::client(&client, when).unwrap();
        let at = self.files.path().join("clients").join(name);
        let read = |file: &str| std::fs::read(at.join(file)).unwrap();
        (read("cert.pem"), read("key.pem"))
    }

    /// A link as clients have it.
    pub(crate) fn link(
        &self,
        certificate: Option<(Vec<u8>, Vec<u8>)>,
        token: Option<&str>,
    ) -> Link {
        let login = Login {
            ca: Some(self.ca()),
            certificate,
            token: token.map(str::to_owned),
        };
        remote_as(&self.url(), &login).unwrap()
    }

    /// A client of REST and MCP.
    pub(crate) fn http(&self, certificate: Option<(Vec<u8>, Vec<u8>)>) -> Http {
        let ca = reqwest::Certificate::from_pem(&self.ca()).unwrap();
        let mut builder = reqwest::Client::builder().no_proxy().tls_certs_only([ca]);
        if let Some((chain, key)) = certificate {
            let pem = [chain, key].concat();
            builder = builder.identity(reqwest::Identity::from_pem(&pem).unwrap());
        }
        Http {
            url: self.url(),
            client: builder.build().unwrap(),
            token: None,
        }
    }
}

/// A client of REST and MCP with one login.
pub(crate) struct Http {
    url: String,
    client: reqwest::Client,
    token: Option<String>,
}

impl Http {
    pub(crate) fn with(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.url);
        let request = self.client.request(method.parse().unwrap(), url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}
