//! A vault that can be stopped, changed from outside and started again.

#![allow(dead_code, reason = "each test crate uses its part")]

use std::path::{Path, PathBuf};

use gearmesh_api::vault::v1::vault_service_client::VaultServiceClient;
use gearmesh_api::vault::v1::{ResolveRequest, ResolvedValue};
use gearmesh_fault::Failure;
use gearmesh_link::{Call, Link, invoke};
use gearmesh_runtime::{Config, Running, Service, start};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    running: Option<Running>,
    services: Vec<Service>,
    settings: Vec<(String, Value)>,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[gearmesh_vault::SERVICE], &[]).await
    }

    pub(crate) async fn start_with(services: &[Service], settings: &[(&str, Value)]) -> Self {
        let mut scene = Self::stopped(services);
        for (key, value) in settings {
            scene.set(key, value.clone());
        }
        scene.restart().await.expect("the vault starts");
        scene
    }

    pub(crate) fn stopped(services: &[Service]) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            running: None,
            services: services.to_vec(),
            settings: Vec::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.path().join("vault.key")
    }

    /// Sets a setting, from the next start on.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.settings.retain(|(k, _)| k != key);
        if !value.is_null() {
            self.settings.push((key.to_owned(), value));
        }
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// Stops and starts again; the error is why it did not.
    pub(crate) async fn restart(&mut self) -> Result<(), String> {
        self.stop().await;
        let mut config = Config::new(self.path());
        for (key, value) in &self.settings {
            config.set(key, value.clone());
        }
        let running = start(&self.services, config)
            .await
            .map_err(|e| e.to_string())?;
        self.running = Some(running);
        Ok(())
    }

    /// Changes the store while the vault is stopped, and starts it again.
    pub(crate) async fn sql(&mut self, statement: &str) -> u64 {
        let rows = self.outside(statement).await;
        self.restart().await.expect("the vault starts");
        rows
    }

    /// Stops the vault and changes its store.
    pub(crate) async fn outside(&mut self, statement: &str) -> u64 {
        self.stop().await;
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.path().join("vault.db"))
            .disable_statement_logging();
        let mut store = sqlx::SqliteConnection::connect_with(&options)
            .await
            .expect("the store is a SQLite file");
        let done = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
            .execute(&mut store)
            .await
            .expect("the statement runs");
        store.close().await.expect("closes");
        done.rows_affected()
    }

    pub(crate) fn mesh(&self) -> &gearmesh_link::Mesh {
        self.running.as_ref().expect("it runs").mesh()
    }

    pub(crate) fn client(&self) -> VaultServiceClient<Link> {
        VaultServiceClient::new(self.mesh().link("vault").expect("it is on the mesh"))
            .max_decoding_message_size(gearmesh_api::MESSAGE_MAX)
            .max_encoding_message_size(gearmesh_api::MESSAGE_MAX)
    }

    pub(crate) async fn call(&self, tool: &str, params: Value) -> Result<Value, Failure> {
        self.call_as(tool, params, Call::default()).await
    }

    pub(crate) async fn call_as(
        &self,
        tool: &str,
        params: Value,
        call: Call,
    ) -> Result<Value, Failure> {
        let catalog = self.mesh().catalog();
        let found = catalog.get(tool).expect("the tool is in the catalogue");
        let link = self.mesh().link(&found.tool.engine).expect("on the mesh");
        invoke(&link, found.tool, params, &call)
            .await
            .map_err(|status| Failure::of(&status))
    }

    /// Stores a value; answers its version.
    pub(crate) async fn set_value(&self, vault: &str, credential: &str, value: &str) -> u64 {
        let params = json!({"vaultName": vault, "credentialName": credential, "value": value});
        // Beside a build the first key of a passphrase takes longer than a call may.
        let call = Call {
            timeout: Some(std::time::Duration::from_secs(60)),
            ..Call::default()
        };
        let answer = self.call_as("vault.set", params, call).await;
        let answer = answer.expect("stored");
        answer["version"].as_u64().expect("a version")
    }

    pub(crate) async fn resolve_all(
        &self,
        references: &[&str],
    ) -> Result<Vec<ResolvedValue>, Failure> {
        let references = references.iter().map(|r| (*r).to_owned()).collect();
        match self
            .client()
            .resolve(ResolveRequest {
                references,
                run: String::new(),
            })
            .await
        {
            Ok(answer) => Ok(answer.into_inner().values),
            Err(status) => Err(Failure::of(&status)),
        }
    }

    /// The value of a reference, or the reason why there is none.
    pub(crate) async fn resolve(&self, reference: &str) -> Result<String, String> {
        match self.resolve_all(&[reference]).await {
            Ok(mut values) => Ok(values.pop().expect("one for each").value),
            Err(failure) => Err(failure.reason),
        }
    }

    /// All bytes of all files in the state folder.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    out.extend(std::fs::read(path).expect("a file"));
                }
            }
        }
        out
    }
}

pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}
