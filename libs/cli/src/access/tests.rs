use std::path::PathBuf;

use gearmesh_identity::init;
use gearmesh_runtime::{Clock, SystemClock};
use gearmesh_testkit::TestMesh;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::client::{Client, built_in};
use crate::exit::Exit;

fn now() -> i64 {
    SystemClock::default().now_ms() / 1000
}

/// A mesh with a CA: identity, state and a gateway, each with TLS.
struct Site {
    files: TempDir,
    _identity: TestMesh,
    gateway: TestMesh,
}

impl Site {
    async fn start() -> Self {
        let files = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let url = format!("https://{address}");
        let mesh = init::Mesh {
            folder: files.path().to_owned(),
            trust_domain: "gearmesh.local".into(),
            identity: url.clone(),
            services: ["identity", "state", "gateway"].map(Into::into).to_vec(),
            hosts: vec![],
            if_absent: false,
        };
        init::mesh(&mesh, now()).unwrap();
        let at = |name: &str| files.path().join(name).to_string_lossy().into_owned();
        let identity = TestMesh::start_with(&[gearmesh_identity::SERVICE], |config| {
            config.set("listen", address);
            config.set("mesh.ca", at("ca/root.pem"));
            config.set("identity.ca", at("ca"));
        })
        .await;
        let services = [gearmesh_state::SERVICE, gearmesh_gateway::SERVICE];
        let gateway = TestMesh::start_with(&services, |config| {
            config.set("mesh.ca", at("ca/root.pem"));
            config.set("mesh.credential", at("credentials"));
            // Every loopback address leads here, and not every one is in the certificate.
            config.set("listen", "0.0.0.0:0");
            config.set("mesh.identity", url.clone());
            config.set("registry", format!("static:identity={url}"));
        })
        .await;
        Self {
            files,
            _identity: identity,
            gateway,
        }
    }

    /// The gateway's address under another name of it.
    fn url(&self, host: &str) -> String {
        let url = self.gateway.url();
        format!("https://{host}:{}", url.rsplit(':').next().unwrap())
    }

    fn client(&self, name: &str, scopes: &[&str], when: i64) -> PathBuf {
        let client = init::Client {
            folder: self.files.path().to_owned(),
            name: name.into(),
            scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
            lifetime: 600,
        };
        init::client(&client, when).unwrap();
        self.files.path().join("clients").join(name)
    }
}

/// What a command says that puts a value, with these flags.
async fn put(url: &str, globals: Globals) -> Result<(), (Exit, String)> {
    let said = |error: Error| {
        let report = error.report();
        let text = format!(
            "{}: {} ({})",
            report.code,
            report.message,
            report.help.join("; ")
        );
        (error.exit(), text)
    };
    let login = read(&globals).map_err(said)?;
    let link = link_as(url, &login).map_err(said)?;
    let catalog = std::sync::Arc::new(built_in().map_err(said)?);
    let client = Client::over(url, link, catalog, None);
    let params = json!({"key": "a", "value": 1});
    client
        .call("state.put", params)
        .await
        .map(drop)
        .map_err(said)
}

fn with_login(folder: &Path) -> Globals {
    Globals {
        login: Some(folder.to_owned()),
        ..Globals::default()
    }
}

#[tokio::test]
async fn each_way_not_to_get_in_has_its_code_and_its_fix() {
    let (ours, theirs) = (Site::start().await, Site::start().await);
    let admin = with_login(&ours.files.path().join("clients/admin"));
    assert_eq!(put(&ours.url("127.0.0.1"), admin.clone()).await, Ok(()));
    assert_eq!(put(&ours.url("localhost"), admin.clone()).await, Ok(()));
    let root = ours.files.path().join("ca/root.pem");
    let nobody = Globals {
        ca: Some(root.clone()),
        ..Globals::default()
    };
    let foreign = Globals {
        ca: Some(root.clone()),
        ..with_login(&theirs.files.path().join("clients/admin"))
    };
    let late = with_login(&ours.client("late", &["*"], now() - 3_600));
    let reader = with_login(&ours.client("reader", &["state:read"], now()));
    let (own, other) = (ours.url("127.0.0.1"), theirs.url("127.0.0.1"));
    for (url, globals, exit, code, parts) in [
        (
            &other,
            &admin,
            Exit::Login,
            "SERVER_NOT_TRUSTED",
            [other.as_str(), "--ca"],
        ),
        (
            &ours.url("127.0.0.2"),
            &admin,
            Exit::Login,
            "SERVER_NAME_WRONG",
            ["`127.0.0.2`", "init --host"],
        ),
        (
            &own,
            &late,
            Exit::Login,
            "CERTIFICATE_EXPIRED",
            ["`late` has expired", "--renew late"],
        ),
        (
            &own,
            &foreign,
            Exit::Login,
            "CERTIFICATE_REFUSED",
            [own.as_str(), "init --client NAME"],
        ),
        (
            &own,
            &nobody,
            Exit::Login,
            "UNAUTHENTICATED",
            ["nobody has logged in", "--token-file"],
        ),
        (
            &own,
            &reader,
            Exit::Policy,
            "PERMISSION_DENIED",
            ["`state:write`", "--scopes state:write"],
        ),
    ] {
        let (exited, said) = put(url, globals.clone()).await.expect_err(code);
        assert_eq!(exited, exit, "{said}");
        assert!(said.contains(code), "{code}: {said}");
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[tokio::test]
async fn files_and_addresses_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("none.pem");
    let globals = Globals {
        ca: Some(absent.clone()),
        ..Globals::default()
    };
    let (exit, said) = put("https://127.0.0.1:1", globals).await.unwrap_err();
    assert_eq!(exit, Exit::NotFound);
    assert!(
        said.contains("FILE_NOT_READABLE") && said.contains("none.pem"),
        "{said}"
    );
    let (exit, said) = put("http://127.0.0.1:1", Globals::default())
        .await
        .unwrap_err();
    assert_eq!(exit, Exit::Unreachable);
    assert!(
        said.contains("SERVER_UNREACHABLE") && said.contains("http://127.0.0.1:1"),
        "{said}"
    );
    let (exit, said) = put("https://127.0.0.1:1", Globals::default())
        .await
        .unwrap_err();
    assert_eq!(exit, Exit::Usage);
    assert!(
        said.contains("whom to trust") && said.contains("--login DIR"),
        "{said}"
    );
    let token = folder.path().join("token");
    std::fs::write(&token, "gearmesh_x\n").unwrap();
    let globals = Globals {
        token_file: Some(token),
        ..Globals::default()
    };
    let (exit, said) = put("http://192.0.2.1:1", globals).await.unwrap_err();
    assert_eq!(exit, Exit::Usage);
    assert!(
        said.contains("plain text") && !said.contains("gearmesh_x"),
        "{said}"
    );
}
