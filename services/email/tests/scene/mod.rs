//! A mesh with the email engine, and a real mail server beside it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::time::Duration;

use gearmesh_fault::Failure;
use gearmesh_link::Call;
use gearmesh_testkit::TestMesh;
use gearmesh_testkit::servers::Mail;
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "secret";

/// How long delivery may take.
const DELIVERY_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Scene {
    pub(crate) mesh: TestMesh,
    pub(crate) mail: Mail,
}

pub(crate) async fn mesh() -> TestMesh {
    TestMesh::start(&[
        gearmesh_vault::SERVICE,
        gearmesh_file::SERVICE,
        gearmesh_email::SERVICE,
    ])
    .await
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let mail = tokio::task::spawn_blocking(Mail::start).await.unwrap();
        Self {
            mesh: mesh().await,
            mail,
        }
    }

    /// The parameters of a connection with TLS at once.
    pub(crate) fn server(&self, name: &str, port: u16, user: &str) -> Value {
        json!({"connectionId": name, "host": "127.0.0.1", "port": port, "secure": true,
            "username": user, "password": PASSWORD, "ca": self.mail.ca()})
    }

    /// Connects `out` to send and `in` to read as a user.
    pub(crate) async fn connect(&self, user: &str) {
        let out = self.server("out", self.mail.smtps(), user);
        self.call("email.smtp_connect", out).await;
        let inbox = self.server("in", self.mail.imaps(), user);
        self.call("email.imap_connect", inbox).await;
    }

    pub(crate) async fn call(&self, tool: &str, params: Value) -> Value {
        let answer = self.mesh.call(tool, params).await;
        answer.unwrap_or_else(|e| panic!("{tool}: {:?}", Failure::of(&e)))
    }

    pub(crate) async fn refusal(&self, tool: &str, params: Value) -> Failure {
        refusal(&self.mesh, tool, params).await
    }

    /// The mails that meet criteria, as soon as there are `count`.
    pub(crate) async fn fetch(&self, params: Value, count: usize) -> Vec<Value> {
        let wait = async {
            loop {
                let answer = self.call("email.imap_fetch", params.clone()).await;
                let emails = answer["emails"].as_array().cloned().unwrap_or_default();
                assert_eq!(answer["count"], json!(emails.len()));
                if emails.len() >= count {
                    return emails;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let found = tokio::time::timeout(DELIVERY_MAX, wait).await;
        let mails = found.unwrap_or_else(|_| panic!("not delivered: {}", self.mail.log()));
        assert_eq!(mails.len(), count);
        mails
    }
}

pub(crate) async fn refusal(mesh: &TestMesh, tool: &str, params: Value) -> Failure {
    match mesh.call(tool, params).await {
        Ok(answer) => panic!("{tool} answered {answer}"),
        Err(status) => Failure::of(&status),
    }
}

pub(crate) fn keyed(key: &str) -> Call {
    Call {
        key: Some(key.to_owned()),
        ..Call::default()
    }
}

/// The subjects of mails.
pub(crate) fn subjects(mails: &[Value]) -> Vec<&str> {
    mails
        .iter()
        .map(|m| m["subject"].as_str().unwrap())
        .collect()
}
