//! The world outside, for a laptop: servers beside the mesh that examples talk to.

use std::path::Path;

use gearmesh_cli::StartError;
use gearmesh_demo::{DemoMail, DemoSite, demo_db};
use gearmesh_runtime::{CancellationToken, Config};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Names of the connections to the stand-ins, and of the stand-ins.
const DEMO_SITE: &str = "demo-site";
const DEMO_DB: &str = "demo-db";
const DEMO_MAIL: &str = "demo-mail";
const DEMO_INBOX: &str = "demo-inbox";

/// The stand-ins that run beside a mesh.
#[derive(Debug, Default)]
pub(crate) struct StandIns {
    serving: JoinSet<()>,
    connections: Vec<(String, Value)>,
}

impl StandIns {
    /// Starts those whose connections nobody has set otherwise, and sets them.
    pub(crate) async fn start(
        config: &mut Config,
        token: &CancellationToken,
    ) -> Result<Self, StartError> {
        let mut this = Self::default();
        if vacant(config, DEMO_SITE) {
            let (site, address) = DemoSite::bind(config.folder())
                .await
                .map_err(|e| not_started("the demo site", &e))?;
            let serving = site.serve(token.clone());
            this.serving.spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "the demo site ended");
                }
            });
            let url = format!("http://{address}");
            this.connect(
                config,
                DEMO_SITE,
                json!({"kind": "http", "url": url, "allowPrivate": true}),
            );
        }
        if vacant(config, DEMO_DB) {
            let path = demo_db(config.folder())
                .await
                .map_err(|e| not_started("the demo database", &e))?;
            let file = format!("file:{}?mode=rw", path.display());
            this.connect(
                config,
                DEMO_DB,
                json!({"kind": "db", "type": "sqlite", "connectionString": file}),
            );
        }
        if vacant(config, DEMO_MAIL) && vacant(config, DEMO_INBOX) {
            let (mail, at) = DemoMail::bind()
                .await
                .map_err(|e| not_started("the demo mail server", &e))?;
            this.serving.spawn(mail.serve(token.clone()));
            for (name, kind, at) in [(DEMO_MAIL, "smtp", at.smtp), (DEMO_INBOX, "imap", at.imap)] {
                let (host, port) = (at.ip().to_string(), at.port());
                let connection = json!({"kind": kind, "host": host, "port": port,
                    "username": "demo", "password": "demo", "allowPlain": true});
                this.connect(config, name, connection);
            }
        }
        Ok(this)
    }

    /// Tells the mesh where a stand-in is.
    fn connect(&mut self, config: &mut Config, name: &str, connection: Value) {
        config.set(&format!("connections.{name}"), connection.clone());
        self.connections.push((name.to_owned(), connection));
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.connections.iter().map(|(n, _)| n.clone()).collect()
    }

    /// Writes the connections as settings that other processes can read, whole or not
    /// at all: they wait for the file.
    pub(crate) fn write(&self, file: &Path) -> Result<(), StartError> {
        let sections: serde_json::Map<String, Value> = self.connections.iter().cloned().collect();
        let text = toml::to_string(&json!({"connections": sections}))
            .map_err(|e| not_started("the stand-ins", &e))?;
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, text)
            .and_then(|()| std::fs::rename(&fresh, file))
            .map_err(|e| crate::settings::unusable(file, &e))
    }

    /// Waits until all have ended, which the token makes them do.
    pub(crate) async fn ended(self) {
        self.serving.join_all().await;
    }
}

/// Whether nobody has set a connection.
fn vacant(config: &Config, name: &str) -> bool {
    config.get(&format!("connections.{name}")).is_none()
}

fn not_started(what: &str, error: &dyn std::fmt::Display) -> StartError {
    StartError {
        code: StartError::FAILED,
        message: format!("{what} did not start: {error}"),
        help: Some("--no-demo leaves it out".to_owned()),
    }
}
