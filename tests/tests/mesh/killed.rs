//! `kill -9` of processes while runs go on.

use std::collections::BTreeMap;
use std::time::Duration;

use gearmesh_tests::LocalMesh;
use tokio::time::Instant;

use crate::load::{Ended, Load, Source, failed};
use crate::site::{Place, call, direct, leaf_of, passing, places};

/// Runs around each kill.
const RUNS: usize = 200;

/// Within this a dead instance is no longer among the healthy.
const LEAVES_MAX: Duration = Duration::from_secs(12);

/// How long an instance that was started again, or Consul's registrations, may take.
const BACK_MAX: Duration = Duration::from_secs(30);

const HEALTH: &str = "/grpc.health.v1.Health/Check";

const LOOK: Duration = Duration::from_millis(50);

/// An engine with two instances, and a workflow of it that may be repeated.
const ENGINES: [(&str, Source); 5] = [
    ("http", |_| {
        task("http.request, connection: demo-site, params: {url: /api/alpha}")
    }),
    ("file", |n| {
        task(&format!(
            "file.write, params: {{path: 'work://{n}.txt', content: hello}}"
        ))
    }),
    ("db", |_| {
        task("db.query, connection: demo-db, params: {table: orders}")
    }),
    ("email", |_| {
        task("email.imap_search, connection: demo-inbox, params: {limit: 1}")
    }),
    (
        "browser",
        // A page that is open in a dead browser is lost; the task opens it again.
        |_| {
            task(
                "browser.navigate, connection: demo-site, params: {url: /items}, retry: {attempts: 3, delay: 200ms}",
            )
        },
    ),
];

fn task(tool: &str) -> String {
    format!("name: killed\ntasks:\n  - {{id: only, tool: {tool}}}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_instance_fails_no_run() {
    let mesh = LocalMesh::start(&[]).await;
    let before = places(&mesh).await;
    for (engine, source) in ENGINES {
        let instance = format!("{engine}-1");
        let started = Instant::now();
        let load = Load::start(&mesh, source, RUNS);
        load.until(RUNS / 2).await;
        mesh.kill(&instance).await;
        let killed = Instant::now();
        while passing(&mesh, engine).await.contains(&instance) {
            assert!(
                killed.elapsed() < LEAVES_MAX,
                "{instance} is still called healthy"
            );
            tokio::time::sleep(LOOK).await;
        }
        let left = killed.elapsed();
        let ended = load.all().await;
        let failed = failed(&ended);
        println!(
            "RESULT 3.4: {engine}: {RUNS} runs in {:.1?}, {instance} killed at half, {} failed; it left Consul's list after {left:.1?}",
            started.elapsed(),
            failed.len()
        );
        assert!(
            failed.is_empty() && ended.len() == RUNS,
            "{} {failed:#?}",
            ended.len()
        );
    }
    let again = mesh.script("up", &[]).await;
    assert_eq!(again.code, 0, "{}", again.err);
    for (engine, source) in ENGINES {
        serves_again(&mesh, &before, engine).await;
        let ended = Load::start(&mesh, source, 16).all().await;
        assert!(failed(&ended).is_empty(), "{ended:#?}");
    }
    println!(
        "RESULT 3.4: {} killed instances started again and serve",
        ENGINES.len()
    );
    consul_restarted(&mesh).await;
}

/// The killed instance is back at another port, healthy, and answers.
async fn serves_again(mesh: &LocalMesh, before: &[Place], engine: &str) {
    let instance = format!("{engine}-1");
    let started = Instant::now();
    let place = loop {
        let mut places = places(mesh).await.into_iter();
        let place = places.find(|p| p.instance == instance && !before.contains(p));
        match place {
            Some(place) if passing(mesh, engine).await.contains(&instance) => break place,
            _ => {}
        }
        assert!(started.elapsed() < BACK_MAX, "{instance} is not back");
        tokio::time::sleep(LOOK).await;
    };
    let link = direct(&place, leaf_of(mesh, "gateway").await);
    call(&link, HEALTH).await.expect("it answers");
}

/// An agent that forgot everything is told again, and no run notices.
#[expect(clippy::print_stdout, reason = "figures of the test")]
async fn consul_restarted(mesh: &LocalMesh) {
    let (_, source) = ENGINES[0];
    let before = places(mesh).await;
    let load = Load::start(mesh, source, usize::MAX / 2);
    load.until(50).await;
    mesh.kill("consul").await;
    let killed = Instant::now();
    load.until(load.ended() + 50).await;
    let away = killed.elapsed();
    let again = mesh.script("up", &[]).await;
    assert_eq!(again.code, 0, "{}", again.err);
    while places(mesh).await != before {
        assert!(killed.elapsed() < BACK_MAX, "{:#?}", places(mesh).await);
        tokio::time::sleep(LOOK).await;
    }
    let back = killed.elapsed();
    load.until(load.ended() + 50).await;
    load.stop();
    let ended = load.all().await;
    let failed = failed(&ended);
    println!(
        "RESULT 3.4: Consul killed, away for at least {away:.1?} and started anew: {} of {} registrations back {back:.1?} after the kill, {} runs, {} failed",
        places(mesh).await.len(),
        before.len(),
        ended.len(),
        failed.len()
    );
    assert!(failed.is_empty(), "{failed:#?}");
}

/// A send that was under way at the kill has an unknown outcome, and is not repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_is_never_sent_twice() {
    let send: Source = |n| {
        task(&format!(
            "email.smtp_send, connection: demo-mail, params: {{from: a@example.test, to: [b@example.test], subject: once-{n}-, text: x}}"
        ))
    };
    let mesh = LocalMesh::start(&[]).await;
    let load = Load::start(&mesh, send, RUNS);
    load.until(RUNS / 2).await;
    mesh.kill("email-1").await;
    let ended = load.all().await;
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut arrived: BTreeMap<usize, usize> = BTreeMap::new();
    for (_, answer) in &ended {
        let error = &answer["tasks"]["only"]["error"]["code"];
        let outcome = error.as_str().or(answer["status"].as_str());
        *outcomes
            .entry(outcome.unwrap_or("no answer").to_owned())
            .or_default() += 1;
    }
    for subject in inbox(&mesh).await {
        let n = subject.trim_matches(|c: char| !c.is_ascii_digit()).parse();
        *arrived.entry(n.expect("a number")).or_default() += 1;
    }
    let twice = arrived.values().filter(|count| **count > 1).count();
    println!(
        "RESULT 3.4: {RUNS} runs of email.smtp_send, email-1 killed at half: {outcomes:?}; {} mails arrived, {twice} twice",
        arrived.len()
    );
    assert_eq!(ended.len(), RUNS);
    assert_eq!(twice, 0, "{arrived:?}");
    let lost = |(n, answer): &&Ended| answer["status"] == "succeeded" && !arrived.contains_key(n);
    assert_eq!(
        ended.iter().filter(lost).count(),
        0,
        "a send that succeeded has arrived"
    );
    let known = |(_, answer): &&Ended| {
        answer["status"] == "succeeded"
            || answer["tasks"]["only"]["error"]["code"] == "OUTCOME_UNKNOWN"
    };
    let other: Vec<_> = ended.iter().filter(|ended| !known(ended)).collect();
    assert!(other.is_empty(), "{other:#?}");
}

/// The subjects of the mails that the runs sent.
async fn inbox(mesh: &LocalMesh) -> Vec<String> {
    let params = r#"{"connectionId": "demo-inbox", "subject": "once-", "limit": 500}"#;
    let found = mesh
        .gearmesh(&[
            "tool",
            "call",
            "email.imap_search",
            "--params",
            params,
            "-o",
            "json",
        ])
        .await;
    assert_eq!(found.code, 0, "{}", found.err);
    let found = found.json();
    let emails = found["emails"].as_array().expect("mails");
    emails
        .iter()
        .map(|mail| mail["subject"].as_str().expect("a subject").to_owned())
        .collect()
}
