//! Orchestrators on one PostgreSQL, with the engine that their runs call.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::state::v1::ListRequest;
use gearmesh_api::state::v1::state_service_client::StateServiceClient;
use gearmesh_link::{Link, remote};
use gearmesh_testkit::Process;
use gearmesh_testparts::{Postgres, wait_until};
use gearmesh_tests::{Mesh, Settings, program};
use tempfile::TempDir;
use tokio::time::Instant;

/// The database that they share.
const DATABASE: &str = "mesh";

/// How long shards may take to be shared out.
const WHOLE_MAX: Duration = Duration::from_secs(30);

pub(crate) type Client = OrchestratorServiceClient<Link>;

/// Where the members serve; a killed one is not there.
pub(crate) type Addresses = Arc<Mutex<Vec<Option<String>>>>;

/// Orchestrators on one PostgreSQL.
pub(crate) struct Fleet {
    postgres: Postgres,
    state: Mesh,
    members: Vec<Option<(Process, TempDir)>>,
    addresses: Addresses,
}

/// What the runs have done, as the engine knows it.
pub(crate) struct Evidence {
    keys: BTreeSet<String>,
    /// Keys that were written more than once.
    pub(crate) twice: Vec<String>,
}

impl Evidence {
    pub(crate) fn missing(&self, wanted: &[String]) -> Vec<String> {
        let missing = wanted.iter().filter(|key| !self.keys.contains(*key));
        missing.cloned().collect()
    }
}

impl Fleet {
    pub(crate) async fn start(count: usize) -> Self {
        let postgres = Postgres::start().await;
        postgres.database(DATABASE);
        let state = Mesh::start(&Settings::default().only("state")).await;
        let mut fleet = Self {
            postgres,
            state,
            members: Vec::new(),
            addresses: Arc::default(),
        };
        for n in 0..count {
            fleet.members.push(None);
            fleet.addresses.lock().expect("no panic").push(None);
            fleet.restart(n).await;
        }
        fleet
    }

    /// Starts a member, in a new folder: it has nothing but what the server keeps.
    pub(crate) async fn restart(&mut self, n: usize) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = format!("store={}", self.postgres.url(DATABASE));
        let registry = format!("registry=static:state={}", self.state.url());
        let arguments = [
            "serve",
            "orchestrator",
            "--listen",
            "127.0.0.1:0",
            "--output",
            "ndjson",
            "--set",
            &store,
            "--set",
            &registry,
        ];
        let process = Process::start_saying(&program("gearmesh"), &arguments, folder.path()).await;
        self.addresses.lock().expect("no panic")[n] = Some(process.url());
        self.members[n] = Some((process, folder));
    }

    /// `kill -9`; the instant of it.
    pub(crate) fn kill(&mut self, n: usize) -> Instant {
        self.addresses.lock().expect("no panic")[n] = None;
        let (mut process, _) = self.members[n].take().expect("it runs");
        let at = Instant::now();
        process.kill();
        at
    }

    /// `kill -9` of the server, which is started again at once.
    pub(crate) async fn crash_server(&mut self) {
        self.postgres.kill();
        self.postgres.restart().await;
    }

    /// SIGTERM; whether it ends well.
    pub(crate) async fn drain(&mut self, n: usize) -> bool {
        self.addresses.lock().expect("no panic")[n] = None;
        let (process, _) = self.members[n].take().expect("it runs");
        tokio::task::spawn_blocking(|| process.terminate().success())
            .await
            .expect("the wait does not panic")
    }

    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses.clone()
    }

    /// Clients of all members, in their order.
    pub(crate) fn clients(&self) -> Vec<Client> {
        let addresses = self.addresses.lock().expect("no panic");
        let running = addresses.iter().flatten();
        running.map(|url| client(url)).collect()
    }

    /// Owners with the number of their shards.
    pub(crate) async fn shares(&self) -> Vec<(String, usize)> {
        let text =
            "SELECT owner, count(*) FROM gearmesh_orchestrator.shard GROUP BY owner ORDER BY owner";
        let said = self
            .postgres
            .psql(DATABASE, text)
            .expect("the table is there");
        let row = |line: &str| {
            let (owner, count) = line.split_once('|').expect("two columns");
            (owner.to_owned(), count.trim().parse().expect("a number"))
        };
        said.lines().filter(|l| l.contains('|')).map(row).collect()
    }

    /// Waits until the shards are shared by those that run.
    pub(crate) async fn whole(&self) {
        let running = self.members.iter().flatten().count();
        let text = "SELECT count(DISTINCT owner) || '|' || count(*) FILTER (WHERE owner = '') || '|' || max(n)
FROM (SELECT owner, count(*) OVER (PARTITION BY owner) AS n FROM gearmesh_orchestrator.shard) AS s";
        let most = 256_usize.div_ceil(running);
        let wanted = format!("{running}|0|{most}");
        wait_until("the shards are shared", WHOLE_MAX, || {
            let said = self.postgres.psql(DATABASE, text);
            said.is_ok_and(|said| said.trim() == wanted)
        })
        .await;
    }

    /// What the engine knows of all runs.
    pub(crate) async fn evidence(&self) -> Evidence {
        let link = remote(&self.state.url()).expect("an address");
        let mut client = StateServiceClient::new(link);
        let mut found = Evidence {
            keys: BTreeSet::new(),
            twice: Vec::new(),
        };
        let mut token = String::new();
        loop {
            let request = ListRequest {
                prefix: "shared/".into(),
                page_token: token,
                ..ListRequest::default()
            };
            let page = client.list(request).await.expect("a list").into_inner();
            for entry in page.entries {
                if entry.version != 1 {
                    found
                        .twice
                        .push(format!("{} x{}", entry.key, entry.version));
                }
                found.keys.insert(entry.key);
            }
            token = page.next_page_token;
            if token.is_empty() {
                return found;
            }
        }
    }
}

pub(crate) fn client(url: &str) -> Client {
    OrchestratorServiceClient::new(remote(url).expect("an address"))
}
