//! Every port of the mesh, and who does not get in.

use std::process::Stdio;
use std::time::Duration;

use gearmesh_catalog::{Catalog, Engines, Source};
use gearmesh_fault::Failure;
use gearmesh_tests::LocalMesh;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tonic::Code;

use crate::site::{Place, call, direct, http, leaf_of, nobody, outside, places, refused_by_tls};

/// Processes that register: every one but the gateway.
const REGISTERED: usize = 16;

/// A method that every engine serves, to those of the mesh.
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// A method of identity that is for the gateway.
const TOKENS: &str = "/gearmesh.identity.v1.IdentityService/ListTokens";

/// First byte of a TLS record with an alert.
const ALERT: u8 = 0x15;

/// How long a port may take to close on plain text; the handshake's limit is 5 s.
const PLAIN_MAX: Duration = Duration::from_secs(8);

#[tokio::test]
async fn nobody_gets_in_who_should_not() {
    let mesh = LocalMesh::start(&[]).await;
    let places = places(&mesh).await;
    assert_eq!(places.len(), REGISTERED, "{places:?}");
    let gateway = Place {
        engine: "gateway".into(),
        instance: "gateway".into(),
        url: format!("https://127.0.0.1:{}", mesh.port("gateway")),
    };
    strangers(&mesh, &places).await;
    let mut ports = places.clone();
    ports.push(gateway);
    for place in &ports {
        plain_text(place).await;
        old_tls(place).await;
    }
    let denied = matrix(&mesh, &places).await;
    login(&mesh).await;
    // Those with a right to come in still do.
    let orchestrator = leaf_of(&mesh, "orchestrator").await;
    for place in &places {
        let link = direct(place, orchestrator.clone());
        call(&link, HEALTH)
            .await
            .expect("the door opens for the mesh's own");
    }
    println!(
        "RESULT 3.1: {} ports; no certificate, plain HTTP/2 and HTTP/1.1, TLS 1.2 refused at each; \
         {denied} calls with engines' own leaves denied by the matrix; gateway without login refused",
        ports.len()
    );
}

/// Without a certificate the handshake ends; identity alone takes strangers, to sign leaves.
async fn strangers(mesh: &LocalMesh, places: &[Place]) {
    for place in places {
        let link = direct(place, nobody(mesh));
        if place.engine == "identity" {
            let status = call(&link, TOKENS).await.expect_err("a stranger");
            assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        } else {
            refused_by_tls(mesh, &place.instance, &link).await;
            assert!(
                mesh.log(&place.instance)
                    .contains("peer sent no certificates")
            );
        }
    }
}

/// Plain text is answered by an alert of TLS or by nothing.
async fn plain_text(place: &Place) {
    // The preface with empty SETTINGS, and a request of HTTP/1.1.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice();
    for said in [preface, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut socket = TcpStream::connect(place.address())
            .await
            .expect("the port is open");
        socket.write_all(said).await.expect("written");
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PLAIN_MAX, socket.read_to_end(&mut answer)).await;
        // A reset is an end, too.
        let _ = read.unwrap_or_else(|_| panic!("{place:?} keeps a plain connection open"));
        let alert = answer.first().is_none_or(|first| *first == ALERT);
        assert!(alert && answer.len() < 16, "{place:?}: {answer:?}");
    }
}

async fn old_tls(place: &Place) {
    for (version, spoken) in [("-tls1_2", false), ("-tls1_3", true)] {
        let output = Command::new("openssl")
            .args([
                "s_client",
                "-connect",
                place.address(),
                version,
                "-alpn",
                "h2",
            ])
            .stdin(Stdio::null())
            .output()
            .await
            .expect("openssl is installed");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        if spoken {
            assert!(
                said.contains("TLSv1.3") && said.contains("ALPN protocol: h2"),
                "{said}"
            );
        } else {
            assert!(said.contains("alert protocol version"), "{place:?}: {said}");
            assert!(!output.status.success(), "{place:?}: {said}");
        }
    }
}

/// An engine's own leaf opens no RPC that the matrix does not give it: every RPC of every
/// engine, with the leaves of two engines. Gives how many calls were denied.
async fn matrix(mesh: &LocalMesh, places: &[Place]) -> usize {
    let source = Source {
        descriptors: gearmesh_api::DESCRIPTORS,
        engines: Engines::All,
    };
    let catalog = Catalog::build(&[source]).expect("the catalogue");
    let mut denied = 0;
    for own in ["file", "browser"] {
        let leaf = leaf_of(mesh, own).await;
        for rpc in catalog.rpcs() {
            // Not said: denied. So what the descriptors give is left out, all else tried.
            if rpc.admits(own) || rpc.path.contains("/SignLeaf") {
                continue;
            }
            for place in places.iter().filter(|p| p.engine == rpc.engine) {
                let answer = call(&direct(place, leaf.clone()), &rpc.path).await;
                let status = answer.expect_err(&rpc.path);
                assert_eq!(
                    status.code(),
                    Code::PermissionDenied,
                    "{own} {}: {status}",
                    rpc.path
                );
                let failure = Failure::of(&status);
                let name = format!("spiffe://gearmesh.local/engine/{own}/test");
                assert_eq!(failure.metadata["peer"], name, "{failure:?}");
                denied += 1;
            }
        }
    }
    let vault = catalog
        .rpc("/gearmesh.vault.v1.VaultService/Set")
        .expect("vault.set");
    assert!(
        !vault.admits("file"),
        "the example of the issue was among them"
    );
    denied
}

/// The gateway takes anybody's handshake, and then asks who it is.
async fn login(mesh: &LocalMesh) {
    let path = "/gearmesh.state.v1.StateService/List";
    let status = call(&outside(mesh, None, None), path)
        .await
        .expect_err("no login");
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    let url = format!("{}/v1/state/list", mesh.url());
    for token in [None, Some("gearmesh_nonsense")] {
        let mut request = http(mesh, None)
            .post(&url)
            .header("content-type", "application/json")
            .body("{}");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 401);
    }
}
