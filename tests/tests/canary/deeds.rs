//! All that is done with the secret: what succeeds, what fails, in every engine that
//! uses it.

use std::time::Duration;

use gearmesh_testkit::wait_until;
use gearmesh_tests::{Answer, Caller};
use serde_json::{Value, json};

use crate::search::Canary;
use crate::world::{NOWHERE, World};

/// How long a call may take to reach the site.
const CALL_MAX: Duration = Duration::from_secs(30);

/// One caller, and the world that it works on.
pub(crate) struct Deeds<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) world: &'a World,
    pub(crate) canary: &'a Canary,
}

impl Deeds<'_> {
    /// The connection string with this password.
    fn dsn(&self, password: &str, port: u16) -> String {
        format!("postgresql://canary:{password}@127.0.0.1:{port}/postgres")
    }

    async fn fails(&self, tool: &str, params: &Value) -> Answer {
        let answer = self.caller.tool(tool, params).await;
        assert_ne!(answer.code, 0, "{tool} fails: {}", answer.out);
        assert_ne!(answer.code, 2, "it is called well: {}", answer.err);
        answer
    }

    async fn keep(&self, name: &str, value: &str) {
        let params = json!({"vaultName": "canary", "credentialName": name, "value": value});
        self.caller.call("vault.set", &params).await;
    }

    /// Puts it into the vault, right and wrong.
    pub(crate) async fn vault(&self) {
        let (text, encoded) = (self.canary.text(), self.canary.in_url());
        let port = self.world.postgres.port();
        self.keep("token", text).await;
        self.keep("broken", &format!("{text}\n")).await;
        self.keep("wrong", &format!("{text}wrong")).await;
        self.keep(
            "account",
            &json!({"user": "ann", "token": text}).to_string(),
        )
        .await;
        self.keep("dsn", &self.dsn(&encoded, port)).await;
        self.keep("dsn_wrong", &self.dsn(&format!("{encoded}wrong"), port))
            .await;
        self.keep("dsn_nowhere", &self.dsn(&encoded, NOWHERE)).await;
        self.keep(
            "dsn_malformed",
            &format!("postgresql://canary:{encoded}@[::/x"),
        )
        .await;
        let one = json!({"vaultName": "canary", "credentialName": "token"});
        self.caller.call("vault.get", &one).await;
        self.caller
            .call("vault.list", &json!({"vaultName": "canary"}))
            .await;
        let bad = json!({"vaultName": "no such name", "credentialName": "x", "value": text});
        self.fails("vault.set", &bad).await;
        let bad = json!({"vaultName": "canary", "credentialName": "token", "value": [text]});
        self.fails("vault.set", &bad).await;
        let bad = json!({"vaultName": "canary", "credentialName": "token", "valeu": text});
        self.fails("vault.set", &bad).await;
    }

    pub(crate) async fn db(&self) {
        let connect = |id: &str, dsn: &str| json!({"connectionId": id, "type": "postgresql", "connectionString": dsn, "connectionTimeout": 3000});
        self.caller
            .call("db.connect", &connect("shop", "vault://canary/dsn"))
            .await;
        let literal = self.dsn(&self.canary.in_url(), self.world.postgres.port());
        self.caller
            .call("db.connect", &connect("plain", &literal))
            .await;
        for id in ["shop", "plain"] {
            let query = json!({"connectionId": id, "query": "SELECT current_user::text AS who", "readOnly": true});
            let rows = self.caller.call("db.raw_query", &query).await;
            assert_eq!(rows["rows"], json!([{"who": "canary"}]));
            let wrong = json!({"connectionId": id, "query": "SELECT nothing FROM nowhere", "readOnly": true});
            self.fails("db.raw_query", &wrong).await;
        }
        for name in [
            "dsn_wrong",
            "dsn_nowhere",
            "dsn_malformed",
            "token",
            "account",
        ] {
            let reference = format!("vault://canary/{name}");
            self.fails("db.connect", &connect("none", &reference)).await;
        }
        let encoded = self.canary.in_url();
        for literal in [
            self.dsn(&format!("{encoded}x"), self.world.postgres.port()),
            self.dsn(&encoded, NOWHERE),
            format!("postgresql://canary:{encoded}@127.0.0.1:many/x"),
            format!("canary:{}", self.canary.text()),
        ] {
            self.fails("db.connect", &connect("none", &literal)).await;
        }
        self.caller.call("db.list_connections", &json!({})).await;
    }

    pub(crate) async fn email(&self) {
        let mail = &self.world.mail;
        let connect = |id: &str, port: u16, secure: bool, password: &str| {
            json!({
                "connectionId": id, "host": "127.0.0.1", "port": port, "secure": secure,
                "username": "ann", "password": password, "ca": mail.ca(),
            })
        };
        let (good, text) = ("vault://canary/token", self.canary.text());
        for (tool, id, port, secure) in [
            ("email.smtp_connect", "out", mail.smtp(), false),
            ("email.imap_connect", "in", mail.imaps(), true),
        ] {
            self.caller
                .call(tool, &connect(id, port, secure, good))
                .await;
            let plain = format!("{id}-plain");
            self.caller
                .call(tool, &connect(&plain, port, secure, text))
                .await;
            for password in ["vault://canary/wrong", &format!("{text}wrong")] {
                self.fails(tool, &connect("none", port, secure, password))
                    .await;
            }
            self.fails(tool, &connect("none", NOWHERE, secure, good))
                .await;
            self.fails(tool, &connect("none", port, !secure, good))
                .await;
        }
        for (out, inbox) in [("out", "in"), ("out-plain", "in-plain")] {
            let send = json!({
                "connectionId": out, "from": "ann@test", "to": ["ann@test"],
                "subject": "hello", "text": "nothing of note",
            });
            self.caller.call("email.smtp_send", &send).await;
            let refused = json!({
                "connectionId": out, "from": "ann@test", "to": ["refused@test"],
                "subject": "hello", "text": "nothing of note",
            });
            self.fails("email.smtp_send", &refused).await;
            self.caller
                .call("email.imap_fetch", &json!({"connectionId": inbox}))
                .await;
        }
        self.caller.call("email.list_connections", &json!({})).await;
    }

    /// The connection `echo` leads to the site, with the secret in a header of its own.
    pub(crate) async fn http(&self) {
        let call = |path: &str, bearer: &str, key: &str| {
            json!({
                "connection": "echo", "url": path, "bearer": bearer, "secretHeaders": {"X-Key": key},
            })
        };
        let (good, text) = ("vault://canary/token", self.canary.text());
        for form in ["plain", "json", "hex", "base64"] {
            let path = format!("/echo/{form}");
            self.caller
                .call("http.request", &call(&path, good, good))
                .await;
            let member = "vault://canary/account#token";
            self.caller
                .call("http.request", &call(&path, member, good))
                .await;
            self.caller
                .call("http.request", &call(&path, text, text))
                .await;
            for kind in ["denied", "broken"] {
                let path = format!("/{kind}/{form}");
                self.fails("http.request", &call(&path, good, good)).await;
                self.fails("http.request", &call(&path, text, text)).await;
            }
        }
        self.fails("http.request", &call("/moved/plain", good, good))
            .await;
        let unsendable = "vault://canary/broken";
        self.fails("http.request", &call("/echo/plain", unsendable, good))
            .await;
        self.fails("http.request", &call("/echo/plain", good, unsendable))
            .await;
        let mut nowhere = call("/", good, good);
        nowhere["connection"] = json!("nowhere");
        self.fails("http.request", &nowhere).await;
        let (sent, with) = self.world.site.seen("echo", text);
        assert!(
            sent >= 12 && sent == with,
            "the site got it {with} of {sent} times"
        );
    }

    /// Runs that succeed, fail and are cancelled.
    pub(crate) async fn runs(&self) {
        let succeeds = self.run(SUCCEEDS).await;
        assert_eq!(succeeds.code, 0, "{}{}", succeeds.out, succeeds.err);
        let result = succeeds.json()["tasks"]["call"]["result"].to_string();
        assert!(result.contains("redacted"), "the site told it: {result}");
        assert_eq!(self.run(FAILS).await.code, 7);
        let run = self.waiting().await;
        self.cancel(&run).await;
        let list = self.caller.gearmesh(&["run", "list", "-o", "json"]).await;
        assert_eq!(list.json().as_array().map(Vec::len), Some(3));
    }

    async fn run(&self, source: &str) -> Answer {
        let file = self.caller.folder().join("canary.workflow.yaml");
        std::fs::write(&file, source).expect("the folder is ours");
        let file = file.display().to_string();
        self.caller.gearmesh(&["run", &file, "-o", "json"]).await
    }

    /// A run whose call of the site waits for an answer that does not come.
    pub(crate) async fn waiting(&self) -> String {
        let before = self.world.site.seen("slow", "").0;
        let start = json!({"source": WAITS});
        let started = self.caller.call("orchestrator.start_run", &start).await;
        self.called_slowly(before).await;
        started["run"]["runId"].as_str().expect("an id").to_owned()
    }

    /// Waits until one more call of the site waits.
    pub(crate) async fn called_slowly(&self, before: usize) {
        wait_until("the call is under way", CALL_MAX, || {
            self.world.site.seen("slow", "").0 > before
        })
        .await;
    }

    pub(crate) async fn cancel(&self, run: &str) {
        let cancelled = self.caller.gearmesh(&["run", "cancel", run]).await;
        assert_eq!(cancelled.code, 0, "{}", cancelled.err);
        let ended = self
            .caller
            .gearmesh(&["run", "watch", run, "-o", "json"])
            .await;
        assert_eq!(ended.code, 7, "{}{}", ended.out, ended.err);
        self.caller
            .gearmesh(&["run", "show", run, "-o", "json"])
            .await;
    }
}

/// Uses the secret in three engines and hands what the site told to three others.
const SUCCEEDS: &str = r#"
name: succeeds
tasks:
  - id: secret
    tool: vault.get
    params: {vaultName: canary, credentialName: token}
  - id: rows
    tool: db.raw_query
    connection: shop
    params: {query: "SELECT current_user::text AS who", readOnly: true}
  - id: call
    tool: http.request
    connection: echo
    params: {url: /echo/json, bearer: "${secret.result.value}", secretHeaders: {X-Key: "${secret.result.value}"}}
  - id: mail
    tool: email.smtp_send
    connection: out
    params: {from: ann@test, to: [ann@test], subject: told, text: "${call.result.data.sent}"}
  - id: note
    tool: file.write
    params: {path: "work://told.json", content: "${call.result}"}
  - id: kept
    tool: state.put
    params: {key: told, value: "${call.result}"}
  - id: told
    tool: events.publish
    params: {topic: told, payload: "${call.result}"}
"#;

/// Each of these fails in its own way, some after a second attempt.
const FAILS: &str = r#"
name: fails
tasks:
  - id: denied
    tool: http.request
    connection: echo
    params: {url: /denied/json, bearer: "vault://canary/token"}
    retry: {attempts: 2, delay: 10ms}
  - id: broken
    tool: http.request
    connection: echo
    params: {url: /broken/base64, secretHeaders: {X-Key: "vault://canary/token"}}
    retry: {attempts: 2, delay: 10ms}
  - id: wrong
    tool: db.connect
    params: {connectionId: none, type: postgresql, connectionString: "vault://canary/dsn_wrong"}
  - id: nowhere
    tool: db.connect
    params: {connectionId: none, type: postgresql, connectionString: "vault://canary/dsn_nowhere"}
    retry: {attempts: 2, delay: 10ms}
  - id: login
    tool: email.imap_connect
    params: {connectionId: none, host: 127.0.0.1, port: 1, secure: true, username: ann, password: "vault://canary/wrong"}
"#;

/// Waits for the site.
const WAITS: &str = r#"
name: waits
tasks:
  - id: slow
    tool: http.request
    connection: echo
    params: {url: /slow/plain, bearer: "vault://canary/token", timeout: 10m}
    retry: {attempts: 20, delay: 2s}
"#;
