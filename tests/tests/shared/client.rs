//! What a client sees of instances that share a store: one service.

use std::time::Duration;

use crate::fleet::{Client, Fleet};
use gearmesh_api::orchestrator::v1::{
    CancelRunRequest, GetRunRequest, ListApprovalsRequest, StartRunRequest, WatchRunRequest,
    WhyRunRequest,
};

/// How long a run may take to do what is awaited.
const SOON: Duration = Duration::from_secs(20);

async fn start(client: &mut Client, source: &str) -> String {
    let request = StartRunRequest {
        source: source.to_owned(),
        file_name: "client.workflow.yaml".into(),
        ..StartRunRequest::default()
    };
    let answer = client.start_run(request).await.expect("the accept");
    answer.into_inner().run.expect("the run").run_id
}

async fn status(client: &mut Client, run: &str) -> String {
    let request = GetRunRequest { run_id: run.into() };
    let answer = client.get_run(request).await.expect("the run is shown");
    answer.into_inner().run.expect("the run").status
}

async fn becomes(client: &mut Client, run: &str, wanted: &str) {
    let until = tokio::time::Instant::now() + SOON;
    loop {
        let found = status(client, run).await;
        if found == wanted {
            return;
        }
        assert!(
            tokio::time::Instant::now() < until,
            "{run} is {found}, not {wanted}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A run that one instance has is shown, watched, asked about and cancelled through all.
pub(crate) async fn any_instance_answers(fleet: &Fleet) {
    let mut clients = fleet.clients();
    let asks = "name: asks\ntasks:\n  - {id: ask, approve: {message: 'Go on?', approvers: ['user:ada']}}\n";
    let run = start(&mut clients[0], asks).await;
    for client in &mut clients {
        becomes(client, &run, "waiting").await;
        let list = client.list_approvals(ListApprovalsRequest::default()).await;
        let list = list.expect("the questions").into_inner().approvals;
        assert!(list.iter().any(|q| q.run_id == run), "{list:?}");
        let why = WhyRunRequest {
            run_id: run.clone(),
            task: "ask".into(),
        };
        let why = client.why_run(why).await.expect("an answer").into_inner();
        assert_eq!(why.reasons.len(), 1, "{why:?}");
    }
    let request = WatchRunRequest {
        run_id: run.clone(),
        ..WatchRunRequest::default()
    };
    let last = clients.len() - 1;
    let mut events = clients[last]
        .watch_run(request)
        .await
        .expect("a stream")
        .into_inner();
    let request = CancelRunRequest {
        run_id: run.clone(),
        ..CancelRunRequest::default()
    };
    clients[1]
        .cancel_run(request)
        .await
        .expect("it is cancelled");
    let mut seen = String::new();
    while let Some(event) = events.message().await.expect("the stream goes on") {
        seen = event.run.map_or(seen, |run| run.status);
    }
    assert_eq!(seen, "cancelled");
    for client in &mut clients {
        assert_eq!(status(client, &run).await, "cancelled");
    }
}

/// Two runs with one key, started through different instances: the second waits.
pub(crate) async fn one_place_for_all(fleet: &Fleet) {
    let mut clients = fleet.clients();
    let source = "name: keyed\nconcurrency: {key: 'global:one', limit: 1}\ntasks:\n  - {id: a, wait: {for: 1h}}\n";
    let first = start(&mut clients[0], source).await;
    becomes(&mut clients[1], &first, "waiting").await;
    let mut others = Vec::new();
    for client in &mut clients {
        others.push(start(client, source).await);
    }
    for run in &others {
        assert_eq!(status(&mut clients[0], run).await, "queued");
    }
    let request = CancelRunRequest {
        run_id: first,
        ..CancelRunRequest::default()
    };
    clients[1]
        .cancel_run(request)
        .await
        .expect("it is cancelled");
    becomes(&mut clients[1], &others[0], "waiting").await;
    assert_eq!(status(&mut clients[0], &others[1]).await, "queued");
}
