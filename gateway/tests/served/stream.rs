use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::{Answer, Served};

/// Starts a run of one task and gives the path of its events.
async fn events_of_a_run(served: &Served) -> String {
    let source = "name: once\ntasks:\n  - {id: a, set: {x: 1}}\n";
    let run = served
        .post("/v1/runs", json!({"source": source}))
        .await
        .json();
    let id = run["runId"].as_str();
    let id = id.unwrap_or_else(|| panic!("not started: {run}"));
    format!("/v1/runs/{id}/events")
}

#[tokio::test]
async fn one_stream_comes_in_three_forms() {
    let served = Served::start().await;
    let path = events_of_a_run(&served).await;
    let array = served.get(&path).await;
    assert_eq!(array.header("content-type"), "application/json");
    let events = array.json().as_array().unwrap().clone();
    assert!(events.len() >= 2, "{events:?}");
    let lines = Answer::of(
        served
            .request("GET", &path)
            .header("accept", "application/x-ndjson"),
    )
    .await;
    let parsed: Vec<Value> = lines
        .text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(parsed.last(), events.last());
    let sse = served.get(&format!("{path}?$alt=sse")).await;
    assert_eq!(sse.header("content-type"), "text/event-stream");
    assert_eq!(sse.header("x-accel-buffering"), "no");
    let last = events.last().unwrap()["cursor"].as_str().unwrap();
    assert!(
        sse.text.contains(&format!("id: {last}\ndata: {{")),
        "{}",
        sse.text
    );
    assert!(
        sse.text.ends_with("\n\n") && sse.text.contains("event: end\ndata: {\"count\":"),
        "{}",
        sse.text
    );
}

#[tokio::test]
async fn stream_goes_on_from_a_cursor() {
    let served = Served::start().await;
    let path = events_of_a_run(&served).await;
    let events = served.get(&path).await.json().as_array().unwrap().clone();
    let seen = events[0]["cursor"].as_str().unwrap();
    let rest = Answer::of(served.request("GET", &path).header("last-event-id", seen))
        .await
        .json();
    let cursors = |list: &[Value]| list.iter().map(|e| e["cursor"].clone()).collect::<Vec<_>>();
    assert_eq!(cursors(rest.as_array().unwrap()), cursors(&events[1..]));
    let by_query = served.get(&format!("{path}?$cursor={seen}")).await.json();
    assert_eq!(by_query, rest);
    let none = served
        .post("/v1/tools/state.get:call?$cursor=1", json!({"key": "a"}))
        .await;
    assert_eq!(none.reason(), (400, "INVALID_PARAMETERS".into()));
}

#[tokio::test]
async fn error_before_the_first_message_has_its_status() {
    let served = Served::start().await;
    for alt in ["json", "ndjson", "sse"] {
        let none = served
            .get(&format!("/v1/runs/run_0000000000000/events?$alt={alt}"))
            .await;
        assert_eq!(none.reason(), (404, "RUN_NOT_FOUND".into()), "{alt}");
    }
}

#[tokio::test]
async fn messages_come_as_they_are_made_and_end_with_the_client() {
    let fixture = Fixture::start().await;
    let served = fixture.served().await;
    let request = served
        .request("POST", "/v1/slow/count")
        .json(&json!({}))
        .header("accept", "application/x-ndjson");
    let mut response = request.send().await.unwrap();
    let first = response.chunk().await.unwrap().unwrap();
    assert_eq!(first, "{\"thingId\":\"1\"}\n", "while the stream goes on");
    drop(response);
    fixture
        .until("the engine's stream is dropped", |seen| seen.dropped == 1)
        .await;
}
