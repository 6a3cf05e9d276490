//! What outlives the process, and for how long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{
    CreateWorkflowRequest, GetWorkflowRequest, RestoreWorkflowRequest,
};
use gearmesh_fault::Failure;
use gearmesh_store::workflow::{Change, Changed, Head, State, Version};
use gearmesh_store::{Journal, Store};

use crate::once;

#[tokio::test]
async fn workflow_outlives_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let services = [gearmesh_orchestrator::SERVICE];
    let config = || gearmesh_runtime::Config::new(folder.path());
    let mut seen = Vec::new();
    for _ in 0..2 {
        let running = gearmesh_runtime::start(&services, config())
            .await
            .expect("starts");
        let link = running.mesh().link("orchestrator").expect("a link");
        let mut client = OrchestratorServiceClient::new(link);
        if seen.is_empty() {
            let request = CreateWorkflowRequest {
                source: once("kept", 1),
                ..Default::default()
            };
            client.create_workflow(request).await.expect("stored");
        }
        let request = GetWorkflowRequest {
            workflow: "kept".into(),
            version: 0,
        };
        let found = client.get_workflow(request).await.expect("found");
        seen.push(found.into_inner().workflow);
        running.stop().await;
    }
    assert!(seen[0].is_some());
    assert_eq!(seen[0], seen[1]);
}

/// A workflow in a store, deleted so long ago.
async fn deleted(workflows: &gearmesh_store::workflow::Workflows, name: &str, ago: Duration) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let then = now.expect("past 1970").saturating_sub(ago).as_millis();
    let changed_at_ms = i64::try_from(then).expect("a time");
    let version = Version {
        name: name.into(),
        version: 1,
        spec_hash: [0; 32],
        source: once(name, 1),
        file_name: String::new(),
        dialect: "native".into(),
        title: String::new(),
        author: "local".into(),
        comment: String::new(),
        words: name.into(),
        summary: "{}".into(),
        sketch: "".into(),
        created_at_ms: changed_at_ms,
    };
    let head = Head {
        name: name.into(),
        newest: 1,
        state: State::Deleted,
        etag: "1".into(),
        changed_at_ms,
    };
    let change = Change {
        before: None,
        head,
        version: Some(version),
    };
    let done = workflows.change(&change, None).await.expect("stored");
    assert_eq!(done, Changed::Done);
}

#[tokio::test]
async fn deleted_workflow_can_be_restored_for_thirty_days() {
    let folder = tempfile::tempdir().expect("a folder");
    let day = Duration::from_secs(24 * 3_600);
    let store = Store::open(folder.path(), "orchestrator")
        .await
        .expect("opened");
    let spawn = |committer| {
        tokio::spawn(committer);
    };
    let journal = Journal::open(store.clone(), spawn).await.expect("opened");
    deleted(
        &journal.workflows(),
        "long",
        30 * day + Duration::from_secs(1),
    )
    .await;
    deleted(
        &journal.workflows(),
        "lately",
        30 * day - Duration::from_secs(600),
    )
    .await;
    drop(journal);
    store.close().await.expect("closed");
    drop(store);
    let running = gearmesh_runtime::start(
        &[gearmesh_orchestrator::SERVICE],
        gearmesh_runtime::Config::new(folder.path()),
    )
    .await
    .expect("starts");
    let link = running.mesh().link("orchestrator").expect("a link");
    let mut client = OrchestratorServiceClient::new(link);
    // The first sweep comes with the start.
    for _ in 0..600 {
        let request = GetWorkflowRequest {
            workflow: "long".into(),
            version: 0,
        };
        if client.get_workflow(request).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let request = |name: &str| RestoreWorkflowRequest {
        workflow: name.into(),
    };
    let refused = client.restore_workflow(request("long")).await;
    let refused = refused.expect_err("it is gone");
    assert_eq!(Failure::of(&refused).reason, "WORKFLOW_NOT_FOUND");
    let restored = client.restore_workflow(request("lately")).await;
    let restored = restored.expect("restored").into_inner().workflow;
    assert_eq!(restored.expect("a workflow").state, "disabled");
    running.stop().await;
}
