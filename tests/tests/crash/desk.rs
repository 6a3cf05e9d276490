//! A folder with a server of the built binary in it, that is killed and started again.

use std::path::Path;
use std::time::Duration;

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{
    ListRunsRequest, Run, StartRunRequest, WatchRunRequest, WatchRunResponse,
};
use gearmesh_link::{Link, remote};
use gearmesh_testkit::Process;
use gearmesh_tests::program;
use tempfile::TempDir;
use tokio::time::timeout;
use tonic::Request;

/// How long a run may take that goes on after a crash, on a machine with other work.
const END_MAX: Duration = Duration::from_secs(60);

pub(crate) type Client = OrchestratorServiceClient<Link>;

/// A folder with a server.
pub(crate) struct Desk {
    folder: TempDir,
    server: Process,
    client: Client,
}

async fn serve(folder: &TempDir) -> (Process, Client) {
    let endpoint = folder.path().join(".gearmesh/endpoint");
    let arguments = ["dev", "--port", "0", "--quiet"];
    let server = Process::start(&program("gearmesh"), &arguments, folder.path(), &endpoint).await;
    let link = remote(&server.url()).expect("an address");
    (server, OrchestratorServiceClient::new(link))
}

impl Desk {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (server, client) = serve(&folder).await;
        Self {
            folder,
            server,
            client,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
    }

    pub(crate) async fn reopen(&mut self) {
        (self.server, self.client) = serve(&self.folder).await;
    }

    /// Lets the server come to its own end; the folder as it leaves it.
    pub(crate) fn close(self) -> TempDir {
        assert!(self.server.terminate().success(), "the server drains");
        self.folder
    }

    /// Starts a run under a key; its id.
    pub(crate) async fn start(&mut self, key: &str, request: StartRunRequest) -> String {
        let mut request = Request::new(request);
        let key = key.parse().expect("a key of plain letters");
        request.metadata_mut().insert("idempotency-key", key);
        let answer = self.client.start_run(request).await.expect("the accept");
        answer.into_inner().run.expect("the run").run_id
    }

    /// Reads the events behind a cursor until one is the last that is wanted, or the run
    /// has ended.
    pub(crate) async fn watch_until(
        &mut self,
        run: &str,
        after: &str,
        mut last: impl FnMut(&WatchRunResponse) -> bool,
    ) -> Vec<WatchRunResponse> {
        let request = WatchRunRequest {
            run_id: run.to_owned(),
            after: after.to_owned(),
        };
        let mut stream = self
            .client
            .watch_run(request)
            .await
            .expect("a stream of events")
            .into_inner();
        let mut events = Vec::new();
        while let Some(event) = stream.message().await.expect("an event") {
            let enough = last(&event);
            events.push(event);
            if enough {
                break;
            }
        }
        events
    }

    /// Reads events from the start until the run has ended or `enough` of them came.
    pub(crate) async fn watch(&mut self, run: &str, enough: usize) -> Vec<WatchRunResponse> {
        let mut left = enough;
        self.watch_until(run, "", |_| {
            left -= 1;
            left == 0
        })
        .await
    }

    /// Watches to the end: the events, and the run as the last of them shows it.
    pub(crate) async fn finish(&mut self, run: &str) -> (Vec<WatchRunResponse>, Run) {
        let events = timeout(END_MAX, self.watch(run, usize::MAX)).await;
        let events = events.unwrap_or_else(|_| panic!("{run} has not ended within {END_MAX:?}"));
        let last = events.last().and_then(|e| e.run.clone());
        (events, last.expect("the last event carries the run"))
    }

    /// The runs, those of the tasks of a run alone when one is named.
    pub(crate) async fn runs_of(&mut self, parent: &str) -> Vec<String> {
        let request = ListRunsRequest {
            parent: parent.to_owned(),
            ..ListRunsRequest::default()
        };
        let list = self.client.list_runs(request).await;
        let runs = list.expect("the list of runs").into_inner().runs;
        runs.into_iter().map(|r| r.run_id).collect()
    }
}
