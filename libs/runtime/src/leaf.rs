//! The leaves of a process: asked for at the start, renewed at half their life.
//!
//! Keys are made here and never leave the process, not even to its disk: a fresh
//! start asks for a fresh leaf. When the identity engine cannot be reached, the
//! last leaf serves until its end, and the log says how long that is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use tokio::sync::watch;

use gearmesh_api::identity::v1::SignLeafRequest;
use gearmesh_api::identity::v1::identity_service_client::IdentityServiceClient;
use gearmesh_link::{Credentials, Holder, Link, Spiffe, is_domain, is_id, remote_tls};

use crate::context::Context;
use crate::error::Error;
use crate::leaf_credential::NodeCredential;
use crate::service::Service;

/// The service that signs leaves.
const IDENTITY: &str = "identity";

/// The trust domain when none is named.
pub const TRUST_DOMAIN: &str = "gearmesh.local";

/// How long one request for a leaf may take.
const ASK_MAX: Duration = Duration::from_secs(10);

/// Waits between two requests that failed.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How long a start waits for the first leaves before it serves without them: the
/// identity engine may be started at the same moment.
const FIRST_MAX: Duration = Duration::from_secs(10);

/// Shortest wait before a renewal, whatever the clock and the leaf say.
const RENEW_MIN: Duration = Duration::from_millis(500);

/// The section `[mesh]`: with it every hop is mTLS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct MeshConfig {
    /// PEM file of the roots that are trusted.
    ca: PathBuf,
    /// Node credential, or a folder with one for each service (`SERVICE.json`).
    credential: Option<PathBuf>,
    /// Where leaves are signed.
    identity: Option<String>,
    #[serde(default = "trust_domain", alias = "trustdomain")]
    trust_domain: String,
    /// Age in seconds at which a connection is closed, so that old leaves leave.
    #[serde(default = "connection_age", alias = "connectionage")]
    connection_age: u64,
}

fn trust_domain() -> String {
    TRUST_DOMAIN.to_owned()
}

/// With the half of a leaf's life after which it is renewed, less than the whole: a
/// connection is closed in good order before the leaf that opened it ends.
fn connection_age() -> u64 {
    20 * 60
}

/// A leaf, signed.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Certificates in DER, the leaf first.
    pub chain: Vec<Vec<u8>>,
    /// Roots of the mesh in DER.
    pub roots: Vec<Vec<u8>>,
    /// When the leaf ends, in seconds since 1970.
    pub expires: i64,
}

/// Why there is no leaf.
pub type IssueError = Box<dyn std::error::Error + Send + Sync>;

/// Signs leaves for the services of its own process, so that the identity engine
/// need not ask itself. See [`Context::offer_issuer`].
pub trait Issuer: Debug + Send + Sync {
    /// Signs a request (PKCS #10 in DER) of a service of this process.
    fn issue<'a>(
        &'a self,
        service: &'a str,
        csr: &'a [u8],
    ) -> BoxFuture<'a, Result<Issued, IssueError>>;
}

/// Who this process is in a mesh with TLS.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) credentials: Credentials,
    pub(crate) connection_age: Duration,
    instance: String,
    nodes: BTreeMap<&'static str, NodeCredential>,
    /// Without leaf: whoever asks for one is a stranger.
    identity: Option<Link>,
}

/// Reads the certificates of a PEM file.
///
/// # Errors
/// When it cannot be read or holds none.
pub fn read_certificates(path: &Path, key: &str) -> Result<Vec<Vec<u8>>, Error> {
    let wrong = |reason: String| Error::Config {
        key: key.to_owned(),
        reason: format!("`{}` {reason}", path.display()),
    };
    let text = std::fs::read(path).map_err(|e| wrong(format!("cannot be read: {e}")))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text)
        .map(|c| c.map(|c| c.as_ref().to_vec()))
        .collect();
    match certificates {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(wrong("holds no certificate".to_owned())),
        Err(e) => Err(wrong(format!("is no PEM: {e}"))),
    }
}

impl Own {
    pub(crate) fn open(
        config: &MeshConfig,
        services: &[Service],
        instance: String,
    ) -> Result<Self, Error> {
        let wrong = |key: &str, reason: String| Error::Config {
            key: format!("mesh.{key}"),
            reason,
        };
        if !is_domain(&config.trust_domain) {
            let reason = format!("`{}` is no DNS name in lower case", config.trust_domain);
            return Err(wrong("trustDomain", reason));
        }
        if !(1..=3600).contains(&config.connection_age) {
            let reason = "give 1 to 3600 seconds".to_owned();
            return Err(wrong("connectionAge", reason));
        }
        if !is_id(&instance) {
            return Err(Error::Config {
                key: "instance".to_owned(),
                reason: format!("`{instance}` is no name of letters, digits, `.`, `_` and `-`"),
            });
        }
        let roots = read_certificates(&config.ca, "mesh.ca")?;
        let unusable = |e: gearmesh_link::TlsError| wrong("ca", e.to_string());
        let credentials = Credentials::new(&config.trust_domain, &roots).map_err(unusable)?;
        let mut own = Self {
            credentials,
            connection_age: Duration::from_secs(config.connection_age),
            instance,
            nodes: BTreeMap::new(),
            identity: None,
        };
        if services.iter().any(|s| s.name == IDENTITY) {
            return Ok(own);
        }
        let path = config.credential.as_deref().ok_or_else(|| {
            let reason =
                "is missing: the node credential of this process, as written by `gearmesh init`";
            wrong("credential", reason.to_owned())
        })?;
        for service in services {
            let file = if path.is_dir() {
                path.join(format!("{}.json", service.name))
            } else {
                path.to_owned()
            };
            own.nodes.insert(service.name, NodeCredential::read(&file)?);
        }
        let url = config.identity.as_deref().ok_or_else(|| {
            let reason = "is missing: the address of the identity engine, as https://10.0.0.5:8421";
            wrong("identity", reason.to_owned())
        })?;
        let stranger = Credentials::new(&config.trust_domain, &roots).map_err(unusable)?;
        own.identity = Some(remote_tls(url, IDENTITY, stranger)?);
        Ok(own)
    }

    /// Asks for a leaf of a service; gives when it ends, in seconds since 1970.
    async fn renew(&self, service: &'static str, context: &Context) -> Result<i64, IssueError> {
        let holder = Holder::of_service(service);
        let spiffe = Spiffe::new(self.credentials.domain(), holder, &self.instance)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let csr = request(&spiffe, &key)?;
        let issued = match (context.issuer(), &self.identity) {
            (Some(issuer), _) => issuer.issue(service, &csr).await?,
            (None, Some(link)) => {
                let node = self.nodes.get(service);
                ask(link, node.ok_or("there is no node credential")?, csr).await?
            }
            (None, None) => return Err("this process's identity engine signs no leaves".into()),
        };
        self.credentials
            .set_leaf(service, &issued.chain, key.serialize_der())?;
        if !issued.roots.is_empty() {
            self.credentials.set_roots(&issued.roots)?;
        }
        Ok(issued.expires)
    }
}

/// Asks the identity engine behind a link for a leaf.
async fn ask(link: &Link, node: &NodeCredential, csr: Vec<u8>) -> Result<Issued, IssueError> {
    let request = SignLeafRequest {
        credential: node.document().to_vec().into(),
        signature: node.sign(&csr).into(),
        csr: csr.into(),
    };
    let mut client = IdentityServiceClient::new(link.clone());
    let answer = tokio::time::timeout(ASK_MAX, client.sign_leaf(request))
        .await
        .map_err(|_| "the identity engine did not answer within 10 s")?
        .map_err(|status| causes(&status))?
        .into_inner();
    Ok(Issued {
        chain: answer.chain.into_iter().map(Into::into).collect(),
        roots: answer.roots.into_iter().map(Into::into).collect(),
        expires: answer.expires.map_or(0, |t| t.seconds),
    })
}

/// Asks the identity engine at `url` for a leaf of this name, once; gives its private
/// key (PKCS #8) too. For clients: processes of the mesh keep their own.
///
/// # Errors
/// When the engine cannot be reached, is not the mesh's, or refuses.
pub async fn ask_leaf(
    url: &str,
    roots: &[Vec<u8>],
    node: &NodeCredential,
    spiffe: &Spiffe,
) -> Result<(Issued, zeroize::Zeroizing<Vec<u8>>), IssueError> {
    let link = remote_tls(url, IDENTITY, Credentials::new(spiffe.domain(), roots)?)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let issued = ask(&link, node, request(spiffe, &key)?).await?;
    Ok((issued, zeroize::Zeroizing::new(key.serialize_der())))
}

/// A status with what lies under it: a refused handshake is three errors deep.
fn causes(status: &tonic::Status) -> String {
    let mut text = status.message().to_owned();
    let mut next = std::error::Error::source(status);
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// A request for a leaf: PKCS #10 in DER with one name.
pub(crate) fn request(spiffe: &Spiffe, key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .subject_alt_names
        .push(SanType::URI(spiffe.to_string().try_into()?));
    Ok(params.serialize_request(key)?.der().to_vec())
}

/// Keeps the leaf of a service until the process drains. `had` tells the first.
async fn keep(
    own: Arc<Own>,
    service: &'static str,
    context: Context,
    had: watch::Sender<BTreeSet<&'static str>>,
) {
    let clock = context.clock().clone();
    let mut expires = 0;
    let mut retry = RETRY_FIRST;
    loop {
        let wait = match own.renew(service, &context).await {
            Ok(ends) => {
                expires = ends;
                retry = RETRY_FIRST;
                had.send_modify(|had| {
                    had.insert(service);
                });
                let left = (ends * 1000 - clock.now_ms()).max(0);
                tracing::info!(service, instance = %own.instance, left_s = left / 1000, "leaf renewed");
                // Half its life, a little spread so that a mesh does not ask at once.
                let half = u64::try_from(left / 2).unwrap_or_default();
                let spread = 0.9 + 0.1 * context.rng().fraction();
                Duration::from_millis(half).mul_f64(spread).max(RENEW_MIN)
            }
            Err(error) => {
                let left = (expires - clock.now_ms() / 1000).max(0);
                let retry_ms = u64::try_from(retry.as_millis()).unwrap_or(u64::MAX);
                if left > 0 {
                    tracing::warn!(service, %error, left_s = left, retry_ms, "leaf not renewed; the last one serves on");
                } else {
                    tracing::error!(service, %error, retry_ms, "no valid leaf; peers refuse this process");
                }
                let wait = retry;
                retry = (retry * 2).min(RETRY_MAX);
                wait
            }
        };
        tokio::select! {
            () = context.shutdown().cancelled() => return,
            () = clock.sleep(wait) => {}
        }
    }
}

/// Keeps the leaves of all services, and waits a while for the first ones.
pub(crate) async fn keep_all(own: &Arc<Own>, services: &[Service], context: &Context) {
    let (had, mut seen) = watch::channel(BTreeSet::new());
    for service in services {
        context.spawn(keep(
            own.clone(),
            service.name,
            context.clone(),
            had.clone(),
        ));
    }
    let all = seen.wait_for(|had| had.len() == services.len());
    tokio::select! {
        _ = all => {}
        () = context.clock().sleep(FIRST_MAX) => {
            tracing::warn!("no leaf yet: serving begins, and nobody is let in before it is there");
        }
    }
}
