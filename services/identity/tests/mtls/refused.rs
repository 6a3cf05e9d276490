//! Everybody who must not get in, and what they are told.

use std::process::Command;

use gearmesh_api::identity::v1::identity_service_client::IdentityServiceClient;
use gearmesh_api::identity::v1::{ListTokensRequest, RevokeCredentialRequest, SignLeafRequest};
use gearmesh_link::{Credentials, Holder, Spiffe, reflect, remote};
use gearmesh_runtime::{Config, ask_leaf, start};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ED25519, SanType};
use tonic::Code;

use crate::mesh::{DOMAIN, Site, causes, get, https, link, now, put, said, text};

#[tokio::test]
async fn leaf_of_another_ca_is_refused_at_both_ends() {
    let (ours, theirs) = (Site::start().await, Site::start().await);
    let state = ours.process(gearmesh_state::SERVICE, |_| {}).await;
    // The client does not trust the server.
    let stranger = link(&state, "state", theirs.leaf_of("gateway").await);
    let why = causes(&get(&stranger, "a").await.unwrap_err());
    // Theirs has the names of ours, so it is the signature that does not fit.
    assert!(why.contains("BadSignature"), "{why}");
    // The server does not trust the client, who trusts everybody.
    let foreign = theirs.leaf_of("gateway").await;
    foreign.set_roots(&ours.roots()).unwrap();
    let status = get(&link(&state, "state", foreign), "a").await.unwrap_err();
    let why = causes(&status);
    assert!(why.contains("received fatal alert: Decrypt"), "{why}");
}

#[tokio::test]
async fn expired_leaf_is_refused() {
    let site = Site::start().await;
    let state = site.process(gearmesh_state::SERVICE, |_| {}).await;
    let expired = site.client("late", now() - 3_600);
    let status = get(&link(&state, "state", expired), "a").await.unwrap_err();
    let why = causes(&status);
    assert!(why.contains("CertificateExpired"), "{why}");
}

#[tokio::test]
async fn leaf_of_another_engine_is_not_the_engine_asked_for() {
    let site = Site::start().await;
    let state = site.process(gearmesh_state::SERVICE, |_| {}).await;
    let vault = link(&state, "vault", site.leaf_of("gateway").await);
    let why = causes(&get(&vault, "a").await.unwrap_err());
    assert!(
        why.contains("asked for `/engine/vault`, but `spiffe://gearmesh.local/engine/state/"),
        "{why}"
    );
}

#[tokio::test]
async fn caller_without_certificate_is_refused() {
    let site = Site::start().await;
    let state = site.process(gearmesh_state::SERVICE, |_| {}).await;
    let nobody = Credentials::new(DOMAIN, &site.roots()).unwrap();
    let status = get(&link(&state, "state", nobody), "a").await.unwrap_err();
    let why = causes(&status);
    assert!(why.contains("CertificateRequired"), "{why}");
}

#[tokio::test]
async fn plain_text_gets_no_answer_on_a_port_with_tls() {
    let site = Site::start().await;
    let state = site.process(gearmesh_state::SERVICE, |_| {}).await;
    let plain = remote(&https(&state).replace("https://", "http://")).unwrap();
    let why = causes(&get(&plain, "a").await.unwrap_err());
    assert!(why.contains("transport error"), "{why}");
    // The listener goes on.
    let gateway = link(&state, "state", site.leaf_of("gateway").await);
    put(&gateway, "a").await.unwrap();
}

/// What `openssl s_client` says about a port.
fn openssl(mesh_url: &str, version: &str) -> (bool, String) {
    let address = mesh_url.trim_start_matches("https://");
    let output = Command::new("openssl")
        .args(["s_client", "-connect", address, version, "-alpn", "h2"])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("openssl is installed");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[tokio::test]
async fn tls_1_2_is_not_spoken() {
    let site = Site::start().await;
    let state = site.process(gearmesh_state::SERVICE, |_| {}).await;
    let url = https(&state);
    let (old, new) =
        tokio::task::spawn_blocking(move || (openssl(&url, "-tls1_2"), openssl(&url, "-tls1_3")))
            .await
            .unwrap();
    assert!(!old.0 && old.1.contains("protocol version"), "{}", old.1);
    assert!(new.1.contains("TLSv1.3"), "{}", new.1);
    assert!(new.1.contains("ALPN protocol: h2"), "{}", new.1);
    // No tickets: a resumed session would outlive the check of its leaf.
    assert!(
        !new.1.contains("Post-Handshake New Session Ticket"),
        "{}",
        new.1
    );
}

#[tokio::test]
async fn credential_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::start().await;
    let path = site.files.path().join("credentials/state.json");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    site.settings(&mut config, "state");
    let error = start(&[gearmesh_state::SERVICE], config).await.unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with("INSECURE_CONFIG"), "{error}");
    assert!(
        error.contains("mode 0644") && error.contains("chmod 600"),
        "{error}"
    );
    // So is the CA's key.
    let key = site.files.path().join("ca/intermediate.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let mut config = Config::new(folder.path());
    config.set("identity.ca", text(&site.files.path().join("ca")));
    let error = start(&[gearmesh_identity::SERVICE], config)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("INSECURE_CONFIG"), "{error}");
}

#[tokio::test]
async fn settings_that_name_half_of_it_are_refused() {
    let site = Site::start().await;
    let folder = tempfile::tempdir().unwrap();
    for (key, value, what) in [
        ("mesh.credential", "", "mesh.credential"),
        ("mesh.ca", "/nowhere.pem", "mesh.ca"),
        ("mesh.trustDomain", "Not.A.Domain", "mesh.trustDomain"),
        ("mesh.identity", "http://127.0.0.1:1", "https://"),
        ("mesh.nonsense", "x", "unknown field `nonsense`"),
    ] {
        let mut config = Config::new(folder.path());
        site.settings(&mut config, "state");
        config.set(key, value);
        let error = start(&[gearmesh_state::SERVICE], config).await.unwrap_err();
        assert!(error.to_string().contains(what), "{key}: {error}");
    }
    // Without the section nothing but loopback is served.
    let mut config = Config::new(folder.path());
    config.set("listen", "0.0.0.0:0");
    let error = start(&[gearmesh_state::SERVICE], config).await.unwrap_err();
    assert!(error.to_string().starts_with("INSECURE_CONFIG"), "{error}");
}

#[tokio::test]
async fn matrix_holds_over_tls() {
    let site = Site::start().await;
    let state = site.process(gearmesh_state::SERVICE, |_| {}).await;
    let file = link(&state, "state", site.leaf_of("file").await);
    let status = put(&file, "a").await.unwrap_err();
    assert_eq!(
        said(&status),
        (Code::PermissionDenied, "PERMISSION_DENIED".to_owned())
    );
    let failure = gearmesh_fault::Failure::of(&status);
    assert_eq!(
        failure.metadata["rpc"],
        "/gearmesh.state.v1.StateService/Put"
    );
    assert_eq!(failure.metadata["allowed"], "gateway, orchestrator");
    assert!(failure.metadata["peer"].starts_with("spiffe://gearmesh.local/engine/file/"));
    // A client of the mesh is let in at the gateway, not at the engines.
    let client = link(&state, "state", site.client("reports", now()));
    let status = get(&client, "a").await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    // Whoever is known may read the descriptors.
    reflect(&client, "state").await.unwrap();
    reflect(&file, "state").await.unwrap();
}

#[tokio::test]
async fn strangers_find_the_signing_of_leaves_and_nothing_else() {
    let site = Site::start().await;
    let identity = site.identity.as_ref().unwrap();
    let nobody = Credentials::new(DOMAIN, &site.roots()).unwrap();
    let link = link(identity, "identity", nobody);
    let mut client = IdentityServiceClient::new(link.clone());
    let status = client
        .list_tokens(ListTokensRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        said(&status),
        (Code::Unauthenticated, "UNAUTHENTICATED".to_owned())
    );
    let error = reflect(&link, "identity").await.unwrap_err().to_string();
    assert!(error.contains("certificate of this mesh"), "{error}");
    let status = client
        .sign_leaf(SignLeafRequest::default())
        .await
        .unwrap_err();
    assert_eq!(said(&status).1, "INVALID_PARAMETERS");
}

/// A request with these names, for a key of this kind.
fn csr(uris: &[&str], key: &KeyPair) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for uri in uris {
        let uri = (*uri).to_owned().try_into().unwrap();
        params.subject_alt_names.push(SanType::URI(uri));
    }
    params.serialize_request(key).unwrap().der().to_vec()
}

#[tokio::test]
async fn leaf_is_signed_for_the_credentials_own_name_alone() {
    let site = Site::start().await;
    let identity = site.identity.as_ref().unwrap();
    let nobody = Credentials::new(DOMAIN, &site.roots()).unwrap();
    let mut client = IdentityServiceClient::new(link(identity, "identity", nobody));
    let node = site.node("state");
    let key = KeyPair::generate().unwrap();
    let mut ask = async |csr: Vec<u8>, change: fn(&mut SignLeafRequest)| {
        let mut request = SignLeafRequest {
            credential: node.document().to_vec().into(),
            signature: node.sign(&csr).into(),
            csr: csr.into(),
        };
        change(&mut request);
        let answer = client.sign_leaf(request).await;
        answer.map_err(|status| said(&status).1).map(|_| ())
    };
    let own = "spiffe://gearmesh.local/engine/state/1";
    assert_eq!(ask(csr(&[own], &key), |_| {}).await, Ok(()));
    for other in [
        "spiffe://gearmesh.local/engine/vault/1",
        "spiffe://gearmesh.local/gateway/1",
        "spiffe://gearmesh.local/agent/me",
        "spiffe://elsewhere/engine/state/1",
    ] {
        let answer = ask(csr(&[other], &key), |_| {}).await;
        assert_eq!(answer, Err("CREDENTIAL_REFUSED".into()), "{other}");
    }
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    for bad in [
        csr(&[], &key),
        csr(&[own, own], &key),
        csr(&["spiffe://gearmesh.local/engine/state/*"], &key),
        csr(&["https://gearmesh.local/engine/state/1"], &key),
        csr(&[own], &ed25519),
        b"nonsense".to_vec(),
    ] {
        assert_eq!(ask(bad, |_| {}).await, Err("CSR_INVALID".into()));
    }
    let refused = Err("CREDENTIAL_REFUSED".to_owned());
    let good = || csr(&[own], &key);
    let flip = |r: &mut SignLeafRequest| {
        let mut bytes = r.signature.to_vec();
        bytes[7] ^= 1;
        r.signature = bytes.into();
    };
    assert_eq!(ask(good(), flip).await, refused);
    let widened = |r: &mut SignLeafRequest| {
        let text = String::from_utf8(r.credential.to_vec()).unwrap();
        r.credential = text.replace("/engine/state", "/engine/vault").into();
    };
    assert_eq!(ask(good(), widened).await, refused);
    let scoped = |r: &mut SignLeafRequest| {
        let text = String::from_utf8(r.credential.to_vec()).unwrap();
        r.credential = text.replacen('{', r#"{"scopes":["*"],"#, 1).into();
    };
    assert_eq!(ask(good(), scoped).await, refused);
    let large = |r: &mut SignLeafRequest| r.credential = vec![b' '; 5_000].into();
    assert_eq!(ask(good(), large).await, Err("INVALID_PARAMETERS".into()));
}

#[tokio::test]
async fn revoked_credential_gets_no_more_leaves() {
    let site = Site::start().await;
    let _leaf = site.leaf_of("file").await;
    let identity = site.identity.as_ref().unwrap();
    let gateway = link(identity, "identity", site.leaf_of("gateway").await);
    let mut client = IdentityServiceClient::new(gateway);
    let document: serde_json::Value = serde_json::from_slice(site.node("file").document()).unwrap();
    let id = document["id"].as_str().unwrap().to_owned();
    let revoke = RevokeCredentialRequest { id: id.clone() };
    let answer = client.revoke_credential(revoke.clone()).await.unwrap();
    assert!(answer.into_inner().revoked);
    let again = client.revoke_credential(revoke).await.unwrap();
    assert!(!again.into_inner().revoked);
    let spiffe = Spiffe::new(DOMAIN, Holder::of_service("file"), "2").unwrap();
    let asked = ask_leaf(
        &site.identity_url,
        &site.roots(),
        &site.node("file"),
        &spiffe,
    )
    .await;
    let error = asked.unwrap_err().to_string();
    assert!(error.contains("not valid for this leaf"), "{error}");
    // Others go on.
    site.leaf_of("state").await;
    let bad = RevokeCredentialRequest { id: "x".into() };
    let status = client.revoke_credential(bad).await.unwrap_err();
    assert_eq!(said(&status).1, "INVALID_PARAMETERS");
}
