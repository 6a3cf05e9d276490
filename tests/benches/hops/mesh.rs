//! Meshes of processes, started as an operator starts them.

use std::error::Error;
use std::path::{Path, PathBuf};

use gearmesh_link::{Credentials, Holder, Link, Login, Spiffe, remote, remote_as, remote_tls};
use gearmesh_runtime::{NodeCredential, TRUST_DOMAIN, ask_leaf, read_certificates};
use gearmesh_testkit::Process;
use gearmesh_tests::{gearmesh, program};

/// Engines that need none of the others.
const ENGINES: [&str; 3] = ["state", "file", "http"];

const IDENTITY: &str = "identity";
const ORCHESTRATOR: &str = "orchestrator";
const GATEWAY: &str = "gateway";

/// Processes that serve, by their names; they end with this value.
#[derive(Debug)]
pub(crate) struct Mesh {
    folder: PathBuf,
    processes: Vec<(String, Process)>,
    /// Whether there are certificates.
    secured: bool,
}

impl Mesh {
    /// Each service a process of its own, with a certificate on both ends of every hop.
    pub(crate) async fn separate(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut mesh = Self::empty(folder, true)?;
        let made = gearmesh(folder, &["init", "--quiet", "--folder", "mesh"]).await;
        assert_eq!(made.code, 0, "{}", made.err);
        mesh.start(IDENTITY, &[IDENTITY], &[]).await;
        for engine in ENGINES {
            mesh.start(engine, &[engine], &[]).await;
        }
        mesh.start(ORCHESTRATOR, &[ORCHESTRATOR], &ENGINES).await;
        let behind: Vec<&str> = [IDENTITY, ORCHESTRATOR]
            .into_iter()
            .chain(ENGINES)
            .collect();
        mesh.start(GATEWAY, &[GATEWAY], &behind).await;
        Ok(mesh)
    }

    /// The same services in one process, in plain text on loopback.
    pub(crate) async fn in_one(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut mesh = Self::empty(folder, false)?;
        let services: Vec<&str> = [IDENTITY, ORCHESTRATOR, GATEWAY]
            .into_iter()
            .chain(ENGINES)
            .collect();
        mesh.start(GATEWAY, &services, &[]).await;
        Ok(mesh)
    }

    /// An engine and a gateway, two processes, in plain text on loopback.
    pub(crate) async fn plain(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut mesh = Self::empty(folder, false)?;
        let [state, ..] = ENGINES;
        mesh.start(state, &[state], &[]).await;
        mesh.start(GATEWAY, &[GATEWAY], &[state]).await;
        Ok(mesh)
    }

    fn empty(folder: &Path, secured: bool) -> Result<Self, Box<dyn Error>> {
        let data = folder.join("data");
        std::fs::create_dir_all(&data)?;
        std::fs::write(data.join("note.txt"), "hello\n")?;
        Ok(Self {
            folder: folder.to_owned(),
            processes: Vec::new(),
            secured,
        })
    }

    /// Starts a process of these services, which finds others where they are.
    async fn start(&mut self, name: &str, services: &[&str], others: &[&str]) {
        let mut arguments: Vec<String> = ["serve", "-o", "ndjson", "--listen", "127.0.0.1:0"]
            .map(str::to_owned)
            .into();
        arguments.extend(services.iter().map(|s| (*s).to_owned()));
        let mut flag = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        flag("--folder", format!("state/{name}"));
        if self.secured {
            flag("--config", format!("mesh/config/{name}.toml"));
            if name != IDENTITY {
                flag("--set", format!("mesh.identity={}", self.url(IDENTITY)));
            }
        }
        if services.contains(&"file") {
            let data = self.folder.join("data");
            flag("--set", format!("file.roots.data.path={}", data.display()));
        }
        if !others.is_empty() {
            let found: Vec<_> = others
                .iter()
                .map(|other| format!("{other}={}", self.url(other)))
                .collect();
            flag("--set", format!("registry=static:{}", found.join(",")));
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let process = Process::start_saying(&program("gearmesh"), &arguments, &self.folder).await;
        self.processes.push((name.to_owned(), process));
    }

    fn process(&self, name: &str) -> &Process {
        let found = self.processes.iter().find(|(n, _)| n == name);
        let (_, process) = found.unwrap_or_else(|| panic!("no process `{name}`"));
        process
    }

    /// Where a process serves.
    fn url(&self, name: &str) -> String {
        self.process(name).url()
    }

    /// Where the gateway serves.
    pub(crate) fn gateway_url(&self) -> String {
        self.url(GATEWAY)
    }

    /// Names and process ids.
    pub(crate) fn pids(&self) -> impl Iterator<Item = (&str, u32)> {
        self.processes.iter().map(|(n, p)| (n.as_str(), p.pid()))
    }

    /// The client that may do everything, as it comes to the gateway.
    pub(crate) fn gateway(&self) -> Result<Link, Box<dyn Error>> {
        let mut login = Login::default();
        if self.secured {
            login.ca = Some(self.admin("ca.pem")?);
            login.certificate = Some((self.admin("cert.pem")?, self.admin("key.pem")?));
        }
        Ok(remote_as(&self.gateway_url(), &login)?)
    }

    /// A file of that client.
    pub(crate) fn admin(&self, file: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.folder.join("mesh/clients/admin").join(file))
    }

    /// Straight to an engine: with a leaf of the gateway's where there are leaves.
    pub(crate) async fn engine(&self, engine: &str) -> Result<Link, Box<dyn Error>> {
        let url = self.url(engine);
        if !self.secured {
            return Ok(remote(&url)?);
        }
        let at = self.folder.join("mesh");
        let roots = read_certificates(&at.join("ca/root.pem"), "ca")?;
        let node = NodeCredential::read(&at.join(format!("credentials/{GATEWAY}.json")))?;
        let spiffe = Spiffe::new(TRUST_DOMAIN, Holder::of_service(GATEWAY), "bench")?;
        let asked = ask_leaf(&self.url(IDENTITY), &roots, &node, &spiffe).await;
        let (issued, key) = asked.map_err(|e| -> Box<dyn Error> { e })?;
        let credentials = Credentials::new(TRUST_DOMAIN, &roots)?;
        credentials.set_leaf(GATEWAY, &issued.chain, key.to_vec())?;
        Ok(remote_tls(&url, engine, credentials)?)
    }

    /// Where the orchestrator keeps its store.
    pub(crate) fn orchestrators_store(&self) -> PathBuf {
        let own = self.processes.iter().any(|(n, _)| n == ORCHESTRATOR);
        let process = if own { ORCHESTRATOR } else { GATEWAY };
        let folder = self.folder.join("state").join(process);
        folder.join(format!("{ORCHESTRATOR}.db"))
    }
}

/// Everything in one process, as on a laptop.
pub(crate) async fn dev(folder: &Path) -> std::io::Result<Process> {
    std::fs::create_dir_all(folder)?;
    let arguments = ["dev", "--port", "0", "-o", "ndjson"];
    Ok(Process::start_saying(&program("gearmesh"), &arguments, folder).await)
}
