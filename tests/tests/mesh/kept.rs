//! The script itself: what stays when a mesh is stopped, and what it says when it cannot start.

use std::net::TcpListener;
use std::path::Path;

use gearmesh_tests::LocalMesh;

use crate::site::places;

#[tokio::test]
async fn state_stays_over_down_and_up() {
    let mesh = LocalMesh::start(&[]).await;
    let secret = r#"{"vaultName": "kept", "credentialName": "token", "value": "canary-5d1e"}"#;
    succeeds(&mesh, &["tool", "call", "vault.set", "--params", secret]).await;
    let source =
        "name: kept\ntasks:\n  - {id: only, tool: state.put, params: {key: kept, value: 7}}\n";
    let path = mesh.folder().join("kept.workflow.yaml");
    std::fs::write(&path, source).expect("written");
    succeeds(&mesh, &["run", path.to_str().expect("a plain name")]).await;
    let runs = succeeds(&mesh, &["run", "list", "-o", "json"]).await;

    // A second `up` changes nothing.
    let (before, pid) = (places(&mesh).await, mesh.pid("gateway"));
    let again = mesh.script("up", &[]).await;
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!((places(&mesh).await, mesh.pid("gateway")), (before, pid));

    let down = mesh.script("down", &[]).await;
    assert_eq!(down.code, 0, "{}", down.err);
    let left = processes_of(mesh.folder());
    assert!(left.is_empty(), "{left:#?}");
    let status = mesh.script("status", &[]).await;
    assert!(
        !status.out.contains("runs") && status.out.contains("stopped"),
        "{}",
        status.out
    );
    port_taken(&mesh).await;

    let up = mesh.script("up", &[]).await;
    assert_eq!(up.code, 0, "{}", up.err);
    let vaults = succeeds(
        &mesh,
        &[
            "tool",
            "call",
            "vault.list",
            "--params",
            r#"{"vaultName": "kept"}"#,
        ],
    )
    .await;
    assert!(vaults.contains("token"), "{vaults}");
    assert_eq!(succeeds(&mesh, &["run", "list", "-o", "json"]).await, runs);
    let value = succeeds(
        &mesh,
        &[
            "tool",
            "call",
            "state.get",
            "--params",
            r#"{"key": "kept"}"#,
        ],
    )
    .await;
    assert!(value.contains('7'), "{value}");
    println!(
        "RESULT local-mesh: up twice, down (no process left), port taken, up again: secret, value and run are there"
    );
}

/// The gateway's port in somebody else's hands is named, with what helps.
async fn port_taken(mesh: &LocalMesh) {
    let port = mesh.port("gateway");
    let _taken = TcpListener::bind(("127.0.0.1", port)).expect("the port is free now");
    let up = mesh.script("up", &[]).await;
    assert_eq!(up.code, 1, "{}", up.err);
    let said = format!("port {port} of gateway is taken by another program");
    assert!(
        up.err.contains(&said) && up.err.contains("--port"),
        "{}",
        up.err
    );
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/local-mesh");
    // Only what every host has: neither Redis nor Consul.
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    for tool in ["bash", "mkdir", "dirname", "realpath", "sed", "cat"] {
        let found = ["/usr/bin", "/bin"].map(|at| Path::new(at).join(tool));
        let found = found
            .iter()
            .find(|path| path.exists())
            .expect("a usual tool");
        std::os::unix::fs::symlink(found, bin.join(tool)).expect("linked");
    }
    let said = |arguments: &[&str]| {
        let output = std::process::Command::new(&script)
            .args(arguments)
            .current_dir(folder.path())
            .env("PATH", &bin)
            .output()
            .expect("the script starts");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let expected = [
        (
            &["up"][..],
            1,
            "there is no redis-server: apt-get install redis-server",
        ),
        (
            &["down", "--folder", "nowhere"],
            1,
            "there is no mesh in nowhere",
        ),
        (&["up", "--ports", "1"], 2, "unknown option --ports"),
        (&["up", "--port", "http"], 2, "`http` is no port"),
    ];
    for (arguments, code, message) in expected {
        let (ended, err) = said(arguments);
        assert_eq!(ended, Some(code), "{arguments:?}: {err}");
        assert!(err.contains(message), "{arguments:?}: {err}");
    }
}

async fn succeeds(mesh: &LocalMesh, arguments: &[&str]) -> String {
    let answer = mesh.gearmesh(arguments).await;
    assert_eq!(answer.code, 0, "{arguments:?}: {}", answer.err);
    answer.out
}

/// Command lines of processes that work in a folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let of = |entry: std::fs::DirEntry| {
        let at = std::fs::read_link(entry.path().join("cwd")).ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (at.starts_with(folder) || line.contains(folder.to_str()?)).then_some(line)
    };
    // The watch over the mesh names its folder, too, and stays.
    entries
        .filter_map(of)
        .filter(|line| !line.contains("kill -0"))
        .collect()
}
