use futures::StreamExt;
use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{StartRunRequest, WatchRunRequest};
use gearmesh_api::state::v1::state_service_client::StateServiceClient;
use gearmesh_api::state::v1::{GetRequest, ListRequest, PutRequest};
use gearmesh_api::tool::v1::Json;
use gearmesh_fault::Failure;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::Served;
use crate::fixture::Fixture;

async fn channel(served: &Served) -> Channel {
    Channel::from_shared(served.mesh.url())
        .unwrap()
        .connect()
        .await
        .unwrap()
}

#[tokio::test]
async fn generated_client_calls_through_the_gateway() {
    let served = Served::start().await;
    let mut state = StateServiceClient::new(channel(&served).await);
    let value = Json {
        text: b"[1, 2]".as_slice().into(),
    };
    let put = PutRequest {
        key: "a".into(),
        value: Some(value),
        ..PutRequest::default()
    };
    assert_eq!(state.put(put).await.unwrap().into_inner().version, 1);
    let got = state
        .get(GetRequest { key: "a".into() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(got.key, "a");
    let missing = state.get(GetRequest { key: "b".into() }).await.unwrap_err();
    assert_eq!(
        Failure::of(&missing).reason,
        "STATE_NOT_FOUND",
        "details come through"
    );
}

#[tokio::test]
async fn stream_comes_through_to_its_end() {
    let served = Served::start().await;
    let mut client = OrchestratorServiceClient::new(channel(&served).await);
    let start = StartRunRequest {
        source: "name: once\ntasks:\n  - {id: a, set: {x: 1}}\n".into(),
        ..StartRunRequest::default()
    };
    let run_id = client
        .start_run(start)
        .await
        .unwrap()
        .into_inner()
        .run
        .unwrap()
        .run_id;
    let watch = WatchRunRequest {
        run_id,
        after: String::new(),
    };
    let events: Vec<_> = client
        .watch_run(watch)
        .await
        .unwrap()
        .into_inner()
        .collect()
        .await;
    let last = events.last().unwrap().as_ref().unwrap();
    assert_eq!(
        (last.kind.as_str(), last.status.as_str()),
        ("run", "succeeded")
    );
}

#[tokio::test]
async fn caller_cannot_set_what_the_mesh_sets() {
    let served = Served::start().await;
    let mut state = StateServiceClient::new(channel(&served).await);
    let mut request = Request::new(ListRequest::default());
    // An engine that saw this would refuse the call: it is no number.
    request
        .metadata_mut()
        .insert("gearmesh-epoch", "seven".parse().unwrap());
    request
        .metadata_mut()
        .insert("gearmesh-engine", "orchestrator".parse().unwrap());
    assert!(state.list(request).await.is_ok());
}

#[tokio::test]
async fn rpc_that_is_not_for_outsiders_is_not_there() {
    let served = Served::start().await;
    let mut grpc = tonic::client::Grpc::new(channel(&served).await);
    for (path, near) in [
        ("/gearmesh.ledger.v1.LedgerService/Fence", ""),
        (
            "/gearmesh.state.v1.StateService/Gett",
            "/gearmesh.state.v1.StateService/Get",
        ),
    ] {
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        let status = grpc
            .unary(Request::new(()), path.parse().unwrap(), codec)
            .await
            .unwrap_err();
        let failure = Failure::of(&status);
        assert_eq!(
            (failure.code, failure.reason.as_str()),
            (Code::Unimplemented, "NOT_IMPLEMENTED"),
            "{path}"
        );
        assert!(failure.metadata["nearest"].contains(near), "{failure:?}");
    }
}

#[tokio::test]
async fn reflection_shows_every_engine_with_its_options() {
    let fixture = Fixture::start().await;
    let served = fixture.served().await;
    let link = gearmesh_link::remote(&served.mesh.url()).unwrap();
    let bytes = gearmesh_link::reflect(&link, "gateway").await.unwrap();
    let pool = prost_reflect::DescriptorPool::decode(bytes.as_slice()).unwrap();
    for service in [
        "gearmesh.state.v1.StateService",
        "gearmesh.orchestrator.v1.OrchestratorService",
        "fixture.v1.SlowService",
    ] {
        assert!(pool.get_service_by_name(service).is_some(), "{service}");
    }
    let tool = pool.get_extension_by_name("gearmesh.tool.v1.tool").unwrap();
    let get = pool
        .get_service_by_name("gearmesh.state.v1.StateService")
        .unwrap()
        .methods()
        .next()
        .unwrap();
    assert!(
        get.options().has_extension(&tool),
        "options survive reflection"
    );
}

#[tokio::test]
async fn health_knows_services_and_engines() {
    let served = Served::start().await;
    let mut health = HealthClient::new(channel(&served).await);
    for service in ["", "state", "gearmesh.state.v1.StateService"] {
        let request = HealthCheckRequest {
            service: service.into(),
        };
        assert_eq!(
            health.check(request).await.unwrap().into_inner().status,
            1,
            "{service}"
        );
    }
    let none = health
        .check(HealthCheckRequest {
            service: "none".into(),
        })
        .await
        .unwrap_err();
    assert_eq!(none.code(), Code::NotFound);
}

#[tokio::test]
async fn deadline_has_its_reason_and_a_caller_that_leaves_ends_the_call() {
    let fixture = Fixture::start().await;
    let served = fixture.served().await;
    // Sent by hand: tonic's client would end the call itself at the same instant.
    let call = |timeout: &'static str| {
        let client = reqwest::Client::builder()
            .no_proxy()
            .http2_prior_knowledge()
            .build()
            .unwrap();
        let url = format!("{}/fixture.v1.SlowService/Hang", served.mesh.url());
        let request = client
            .post(url)
            .header("content-type", "application/grpc")
            .header("grpc-timeout", timeout);
        request.body(vec![0_u8; 5]).send()
    };
    for timeout in ["200m", "1m"] {
        let late = call(timeout).await.unwrap();
        let status = tonic::Status::from_header_map(late.headers()).unwrap();
        assert_eq!(
            (status.code(), Failure::of(&status).reason),
            (Code::DeadlineExceeded, "TIMEOUT".to_owned())
        );
    }
    fixture
        .until("every late call is dropped", |seen| {
            seen.begun == seen.dropped
        })
        .await;
    let begun = fixture.seen().begun;
    let left = tokio::spawn(call("1M"));
    fixture
        .until("the call has begun", |seen| seen.begun > begun)
        .await;
    left.abort();
    fixture
        .until("the engine's call is dropped", |seen| {
            seen.begun == seen.dropped
        })
        .await;
}
