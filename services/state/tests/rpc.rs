//! The state engine through its generated client, over a local link.

use std::time::Duration;

use gearmesh_api::state::v1::state_service_client::StateServiceClient;
use gearmesh_api::state::v1::{DeleteRequest, GetRequest, ListRequest, PutRequest};
use gearmesh_api::tool::v1::Json;
use gearmesh_link::{Call, Link};
use gearmesh_testkit::TestMesh;
use tonic::{Code, Request};

async fn engine() -> (TestMesh, StateServiceClient<Link>) {
    let mesh = TestMesh::start(&[gearmesh_state::SERVICE]).await;
    let client = StateServiceClient::new(mesh.link("state"));
    (mesh, client)
}

fn put(key: &str, value: &str) -> PutRequest {
    PutRequest {
        key: key.into(),
        value: Some(Json {
            text: value.as_bytes().to_vec().into(),
        }),
        ..PutRequest::default()
    }
}

fn get(key: &str) -> GetRequest {
    GetRequest { key: key.into() }
}

fn reason(status: &tonic::Status) -> String {
    gearmesh_fault::Failure::of(status).reason
}

#[tokio::test]
async fn value_is_kept_and_its_version_rises() {
    let (_mesh, mut client) = engine().await;
    let first = client
        .put(put("a", "{\"z\":1,\"a\":9007199254740993}"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.version, 1);
    let found = client.get(get("a")).await.unwrap().into_inner();
    assert_eq!(
        found.value.unwrap().text,
        "{\"z\":1,\"a\":9007199254740993}"
    );
    assert!(found.updated.is_some() && found.expires.is_none());
    assert_eq!(
        client
            .put(put("a", "2"))
            .await
            .unwrap()
            .into_inner()
            .version,
        2
    );
}

#[tokio::test]
async fn missing_key_is_not_found() {
    let (_mesh, mut client) = engine().await;
    let status = client.get(get("nothing")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::NotFound, "STATE_NOT_FOUND")
    );
}

#[tokio::test]
async fn compare_and_set_refuses_another_version_and_stores_nothing() {
    let (_mesh, mut client) = engine().await;
    let with = |version, value: &str| PutRequest {
        version: Some(version),
        ..put("a", value)
    };
    client.put(with(0, "1")).await.unwrap();
    let status = client.put(with(0, "2")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Aborted, "VERSION_MISMATCH")
    );
    assert_eq!(
        client
            .get(get("a"))
            .await
            .unwrap()
            .into_inner()
            .value
            .unwrap()
            .text,
        "1"
    );
    client.put(with(1, "2")).await.unwrap();
    let delete = |version| DeleteRequest {
        key: "a".into(),
        version: Some(version),
    };
    assert!(client.delete(delete(1)).await.is_err());
    assert!(client.delete(delete(2)).await.unwrap().into_inner().deleted);
    assert!(!client.delete(delete(0)).await.unwrap().into_inner().deleted);
}

#[tokio::test]
async fn list_pages_by_prefix_in_order() {
    let (_mesh, mut client) = engine().await;
    for key in ["in/b", "in/a", "in/c", "out/a", "in", "im"] {
        client.put(put(key, "1")).await.unwrap();
    }
    let mut request = ListRequest {
        prefix: "in/".into(),
        page_size: 2,
        ..ListRequest::default()
    };
    let first = client.list(request.clone()).await.unwrap().into_inner();
    let keys = |entries: &[gearmesh_api::state::v1::Entry]| {
        entries.iter().map(|e| e.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&first.entries), ["in/a", "in/b"]);
    assert_eq!(first.count, 2);
    request.page_token = first.next_page_token;
    let second = client.list(request.clone()).await.unwrap().into_inner();
    assert_eq!(keys(&second.entries), ["in/c"]);
    assert_eq!(second.next_page_token, "");
    request.page_token = "nonsense".into();
    let status = client.list(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn value_expires() {
    let (_mesh, mut client) = engine().await;
    let request = PutRequest {
        ttl: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
        ..put("a", "1")
    };
    let stored = client.put(request).await.unwrap().into_inner();
    assert!(stored.expires.is_some());
    assert!(client.get(get("a")).await.is_ok());
    let mut gone = false;
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if client.get(get("a")).await.is_err() {
            gone = true;
            break;
        }
    }
    assert!(gone, "not expired after 3 s");
    // A value that has expired counts as none.
    let fresh = PutRequest {
        version: Some(0),
        ..put("a", "2")
    };
    assert_eq!(client.put(fresh).await.unwrap().into_inner().version, 1);
}

#[tokio::test]
async fn limits_are_checked_before_the_handler_and_by_it() {
    let (_mesh, mut client) = engine().await;
    for key in ["", &"k".repeat(gearmesh_state::KEY_MAX + 1)] {
        let status = client.get(get(key)).await.unwrap_err();
        assert_eq!(reason(&status), "INVALID_PARAMETERS");
        assert_eq!(
            gearmesh_fault::Failure::of(&status).violations[0].field,
            "key"
        );
    }
    client
        .put(put(&"k".repeat(gearmesh_state::KEY_MAX), "1"))
        .await
        .unwrap();
    let text = |n: usize| format!("\"{}\"", "x".repeat(n - 2));
    client
        .put(put("full", &text(gearmesh_state::VALUE_MAX)))
        .await
        .unwrap();
    let status = client
        .put(put("over", &text(gearmesh_state::VALUE_MAX + 1)))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "VALUE_TOO_LARGE");
}

#[tokio::test]
async fn repeat_with_one_key_takes_effect_once() {
    let (_mesh, mut client) = engine().await;
    let keyed = |key: &str, message: PutRequest| {
        let mut request = Request::new(message);
        let call = Call {
            key: Some(key.into()),
            ..Call::default()
        };
        call.write(request.metadata_mut()).unwrap();
        request
    };
    let first = client
        .put(keyed("k1", put("a", "1")))
        .await
        .unwrap()
        .into_inner();
    let again = client
        .put(keyed("k1", put("a", "1")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((first.version, again.version), (1, 1));
    let other = client.put(keyed("k1", put("a", "2"))).await.unwrap_err();
    assert_eq!(
        (other.code(), reason(&other).as_str()),
        (Code::AlreadyExists, "KEY_REUSED")
    );
    assert_eq!(
        client
            .put(keyed("k2", put("a", "2")))
            .await
            .unwrap()
            .into_inner()
            .version,
        2
    );
}
