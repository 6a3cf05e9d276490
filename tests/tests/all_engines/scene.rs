//! A mesh, the workflow that is run on it, and what that leaves.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use gearmesh_testkit::tree;
use gearmesh_tests::{Caller, LocalMesh};
use serde_json::{Value, json};

use crate::seen::masked;

/// Chromium's own sandbox does not run as root, and tests may.
pub(crate) const SETTINGS: &[&str] = &["browser.sandbox=off"];

/// Time between making the schedule and its only fire: the command itself takes some of it.
const START: Duration = Duration::from_secs(10);

/// How long the scheduled run may take; CI machines are slow, hangs are not.
const FIRE_MAX: Duration = Duration::from_secs(60);

/// The command line as the operator of a mesh.
pub(crate) fn caller(mesh: &LocalMesh) -> Caller {
    let (url, login) = (mesh.url(), mesh.login());
    let login = login.to_str().expect("temporary folders have plain names");
    Caller::new(mesh.folder(), &["--server", &url, "--login", login])
}

/// A mesh and where it keeps the folders of its runs.
pub(crate) struct Scene {
    pub(crate) caller: Caller,
    pub(crate) runs: PathBuf,
}

/// A run, and what can be seen of it elsewhere; with all that differs by nature
/// between two runs masked.
pub(crate) struct Ran {
    pub(crate) run: Value,
    pub(crate) left: Value,
}

impl Scene {
    /// The secret that the workflow uses, put where it looks.
    pub(crate) async fn keep_secret(&self) {
        let secret = json!({
            "vaultName": "examples", "credentialName": "quotes_token", "value": "not-much-of-a-secret",
        });
        self.caller.call("vault.set", &secret).await;
    }

    /// Runs the file.
    pub(crate) async fn called(&self) -> Ran {
        let file = file();
        let ran = self.caller.gearmesh(&["run", &file, "-o", "json"]).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        self.ran(&ran.json()).await
    }

    /// Has the file run once by the clock: its fire, and the run.
    pub(crate) async fn scheduled(&self) -> (Value, Ran) {
        let start = start();
        let mut arguments = vec!["schedule", "create"];
        let file = file();
        arguments.extend([file.as_str(), "--rrule", "FREQ=SECONDLY;COUNT=1"]);
        arguments.extend(["--start", &start, "-o", "json"]);
        let made = self.caller.gearmesh(&arguments).await;
        assert_eq!(made.code, 0, "{}{}", made.out, made.err);
        let fire = self.fired().await;
        let id = fire["runId"].as_str().expect("a fire names its run");
        let run = self
            .caller
            .gearmesh(&["run", "show", id, "-o", "json"])
            .await;
        let ran = self.ran(&run.json()).await;
        (masked(&fire), ran)
    }

    /// The schedule's only fire, once its run has ended.
    async fn fired(&self) -> Value {
        let asked = json!({"scheduleId": "all-engines"});
        let ended = async {
            loop {
                let history = self.caller.call("scheduler.history", &asked).await;
                let fire = history["history"][0].clone();
                if !fire["endTime"].is_null() {
                    return fire;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(FIRE_MAX, ended)
            .await
            .expect("the schedule fires and its run ends")
    }

    /// Runs there were, fires there were, and the next one.
    pub(crate) async fn counted(&self) -> Value {
        let runs = self.caller.gearmesh(&["run", "list", "-o", "json"]).await;
        let asked = json!({"scheduleId": "all-engines"});
        let history = self.caller.call("scheduler.history", &asked).await;
        let schedule = self.caller.call("scheduler.get", &asked).await;
        json!({
            "runs": runs.json().as_array().map(Vec::len),
            "fires": history["count"],
            "next": schedule["nextRun"],
        })
    }

    /// What a run says of itself, and what it left in the world.
    async fn ran(&self, run: &Value) -> Ran {
        let id = run["runId"].as_str().expect("a run has an id");
        let file = std::fs::read_to_string(self.runs.join(id).join("stock.json"));
        let file: Value = serde_json::from_str(&file.expect("the report")).expect("it is JSON");
        let asked = json!({"connectionId": "demo-inbox", "limit": 1});
        let inbox = self.caller.call("email.imap_fetch", &asked).await;
        let asked = json!({"topic": "examples.stock", "count": 1});
        let events = self.caller.call("events.recent", &asked).await;
        let asked = json!({"key": "examples/stock"});
        let state = self.caller.call("state.get", &asked).await;
        Ran {
            run: masked(run),
            left: masked(&json!({
                "file": file,
                "mail": inbox["emails"],
                "event": events["events"],
                "state": state,
            })),
        }
    }
}

fn file() -> String {
    let path = tree().join("docs/examples/all-engines.workflow.yaml");
    path.display().to_string()
}

/// A whole second from which the schedule counts.
fn start() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the schedule counts by the same clock"
    )]
    let now = SystemTime::now();
    let now = now.duration_since(SystemTime::UNIX_EPOCH);
    let at = now.expect("it is after 1970") + START;
    prost_types::Timestamp {
        seconds: at.as_secs().try_into().expect("a time of our days"),
        nanos: 0,
    }
    .to_string()
}
