//! What the tests hold in their hands: certificates of every kind, and where engines are.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gearmesh_identity::init;
use gearmesh_link::{Credentials, Holder, Link, Login, Spiffe, remote_as, remote_tls};
use gearmesh_runtime::{NodeCredential, TRUST_DOMAIN, ask_leaf, read_certificates};
use gearmesh_testkit::wait_until;
use gearmesh_tests::LocalMesh;
use serde_json::Value;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

/// A certificate chain and its private key, in PEM.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// An engine's process, as Consul lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) engine: String,
    pub(crate) instance: String,
    pub(crate) url: String,
}

impl Place {
    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("https://")
    }
}

/// Every engine's process that is registered.
pub(crate) async fn places(mesh: &LocalMesh) -> Vec<Place> {
    let services = consul(mesh, "/v1/agent/services").await;
    let services = services.as_object().expect("a map of services");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let place = |service: &Value| Place {
        engine: text(&service["Service"])
            .trim_start_matches("gearmesh-")
            .to_owned(),
        instance: text(&service["Meta"]["gearmesh-instance"]),
        url: text(&service["Meta"]["gearmesh-url"]),
    };
    let mut places: Vec<Place> = services.values().map(place).collect();
    places.sort();
    places
}

/// The instances of an engine that Consul calls healthy.
pub(crate) async fn passing(mesh: &LocalMesh, engine: &str) -> Vec<String> {
    let path = format!("/v1/health/service/gearmesh-{engine}?passing=true");
    let found = consul(mesh, &path).await;
    let instance = |entry: &Value| {
        entry["Service"]["Meta"]["gearmesh-instance"]
            .as_str()
            .map(str::to_owned)
    };
    found
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(instance)
        .collect()
}

/// What the agent answers; null while it is away.
async fn consul(mesh: &LocalMesh, path: &str) -> Value {
    let url = format!("http://127.0.0.1:{}{path}", mesh.port("consul_http"));
    match reqwest::get(url).await {
        Ok(answer) if answer.status().is_success() => answer.json().await.expect("JSON"),
        _ if path.starts_with("/v1/health") => Value::Array(Vec::new()),
        _ => Value::Object(serde_json::Map::new()),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "certificates live by the host's clock"
    )]
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_secs()).expect("seconds fit")
}

pub(crate) fn roots(mesh: &LocalMesh) -> Vec<Vec<u8>> {
    read_certificates(&mesh.ca(), "ca").expect("the roots")
}

/// What a process of this service has in its hands.
pub(crate) async fn leaf_of(mesh: &LocalMesh, service: &str) -> Credentials {
    let path = mesh
        .folder()
        .join(format!("mesh/credentials/{service}.json"));
    let node = NodeCredential::read(&path).expect("its credential");
    let spiffe = Spiffe::new(TRUST_DOMAIN, Holder::of_service(service), "test").expect("a name");
    let identity = format!("https://127.0.0.1:{}", mesh.port("identity"));
    let roots = roots(mesh);
    let asked = ask_leaf(&identity, &roots, &node, &spiffe).await;
    let (issued, key) = asked.expect("identity signs it");
    let credentials = Credentials::new(TRUST_DOMAIN, &roots).expect("roots");
    credentials
        .set_leaf(service, &issued.chain, key.to_vec())
        .expect("a pair");
    credentials
}

/// What somebody without certificate has.
pub(crate) fn nobody(mesh: &LocalMesh) -> Credentials {
    Credentials::new(TRUST_DOMAIN, &roots(mesh)).expect("roots")
}

/// What a client has who comes to an engine's own port with the certificate of this folder.
pub(crate) fn agent(mesh: &LocalMesh, folder: &Path) -> Credentials {
    let chain = read_certificates(&folder.join("cert.pem"), "cert").expect("a chain");
    let key = std::fs::read_to_string(folder.join("key.pem")).expect("a key");
    let key = rcgen::KeyPair::from_pem(&key)
        .expect("a key")
        .serialize_der();
    let credentials = nobody(mesh);
    credentials.set_leaf("agent", &chain, key).expect("a pair");
    credentials
}

/// A client's certificate of the CA in a folder of `gearmesh init`, signed at `when`.
pub(crate) fn client(folder: &Path, name: &str, scopes: &[&str], when: i64) -> PathBuf {
    let client = init::Client {
        folder: folder.to_owned(),
        name: name.into(),
        scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
        lifetime: 600,
    };
    init::client(&client, when).expect("a client");
    folder.join("clients").join(name)
}

/// The certificate of a client's folder.
pub(crate) fn pair(folder: &Path) -> Pair {
    let read = |file: &str| std::fs::read(folder.join(file)).expect("a file of the client");
    (read("cert.pem"), read("key.pem"))
}

/// Where the mesh's own `gearmesh init` wrote.
pub(crate) fn files(mesh: &LocalMesh) -> PathBuf {
    mesh.folder().join("mesh")
}

/// A link to an engine's own port.
pub(crate) fn direct(place: &Place, credentials: Credentials) -> Link {
    remote_tls(&place.url, &place.engine, credentials).expect("an address")
}

/// A link to the gateway, as clients have it.
pub(crate) fn outside(mesh: &LocalMesh, certificate: Option<Pair>, token: Option<&str>) -> Link {
    let login = Login {
        ca: Some(std::fs::read(mesh.ca()).expect("the root")),
        certificate,
        token: token.map(str::to_owned),
    };
    remote_as(&mesh.url(), &login).expect("an address")
}

/// A client of REST.
pub(crate) fn http(mesh: &LocalMesh, certificate: Option<&Pair>) -> reqwest::Client {
    let root = std::fs::read(mesh.ca()).expect("the root");
    let root = reqwest::Certificate::from_pem(&root).expect("a certificate");
    let mut builder = reqwest::Client::builder().no_proxy().tls_certs_only([root]);
    if let Some((chain, key)) = certificate {
        let pem = [chain.as_slice(), key].concat();
        builder = builder.identity(reqwest::Identity::from_pem(&pem).expect("a pair"));
    }
    builder.build().expect("a client")
}

/// Calls an RPC with an empty request; what it answers does not matter here.
pub(crate) async fn call(link: &Link, path: &str) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(link.clone());
    grpc.ready()
        .await
        .map_err(|e| Status::from_error(e.into()))?;
    let path = path.parse().expect("a path");
    let answer = grpc.unary(Request::new(()), path, ProstCodec::<(), ()>::default());
    answer.await.map(|_| ())
}

/// Asserts that a call ends in the handshake, and that the process says so in its log.
/// What the caller hears depends on who is faster, the alert or its own request.
pub(crate) async fn refused_by_tls(mesh: &LocalMesh, process: &str, link: &Link) {
    let refused = || mesh.log(process).matches("\"handshake refused\"").count();
    let before = refused();
    let status = call(link, "/gearmesh.state.v1.StateService/List")
        .await
        .expect_err("refused");
    let why = causes(&status);
    // The latter two are what a client of ours makes of the alert.
    let told = [
        "transport error",
        "has expired",
        "does not take your certificate",
    ];
    let told = told.iter().any(|text| why.contains(text));
    assert!(told, "{process} answers: {why}");
    wait_until("the refusal is in the log", LOG_MAX, || refused() > before).await;
}

/// How long a line may take to be in a log.
const LOG_MAX: Duration = Duration::from_secs(5);

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
