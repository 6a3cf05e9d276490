//! One run for each fire, whatever happens in between.

use crate::support::{Bench, beat, count, reason};
use serde_json::{Value, json};

#[tokio::test]
async fn once_fires_at_its_instant_and_then_ends() {
    let bench = Bench::at("2027-01-01T08:59:59Z").await;
    let once = beat(
        "once",
        json!({"executeAt": "2027-01-01T11:00:00", "timezone": "Europe/Chisinau"}),
    );
    let created = bench.ok("scheduler.create", once).await;
    assert_eq!(created["schedule"]["nextRun"], "2027-01-01T09:00:00Z");
    let history = bench.history("once", |h| count(h, "success") == 1).await;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0]["fireAt"], "2027-01-01T09:00:00Z");
    let run = history[0]["runId"].as_str().unwrap();
    let run = bench
        .ok("orchestrator.get_run", json!({"runId": run}))
        .await;
    assert_eq!(run["run"]["tasks"]["call"]["result"]["key"], "once");
    let after = bench
        .ok("scheduler.get", json!({"scheduleId": "once"}))
        .await;
    assert_eq!(after["schedule"]["enabled"], false);
    assert_eq!(after["schedule"]["disabledReason"], "ENDED");
    assert_eq!(after["schedule"]["lastRun"], "2027-01-01T09:00:00Z");
}

#[tokio::test]
async fn interval_fires_in_its_phase() {
    let bench = Bench::at("2027-01-01T00:00:00.500Z").await;
    let every = beat(
        "every",
        json!({"interval": "1s", "start": "2027-01-01T00:00:00Z", "overlap": "allow"}),
    );
    bench.ok("scheduler.create", every).await;
    let history = bench.history("every", |h| count(h, "success") >= 3).await;
    let fires: Vec<_> = history
        .iter()
        .take(3)
        .map(|e| e["fireAt"].clone())
        .collect();
    assert_eq!(
        fires,
        [
            "2027-01-01T00:00:01Z",
            "2027-01-01T00:00:02Z",
            "2027-01-01T00:00:03Z"
        ]
    );
    bench
        .ok("scheduler.delete", json!({"scheduleId": "every"}))
        .await;
    assert_eq!(
        reason(
            bench
                .call("scheduler.get", json!({"scheduleId": "every"}))
                .await
        ),
        "SCHEDULE_NOT_FOUND"
    );
}

#[tokio::test]
async fn clock_that_is_set_on_makes_fires_late_and_set_back_fires_nothing_again() {
    let bench = Bench::at("2027-01-01T00:10:00Z").await;
    let hourly = |name: &str, catch_up: &str| {
        beat(
            name,
            json!({"cronExpression": "0 * * * *", "catchUp": catch_up, "catchUpMax": 2, "overlap": "allow"}),
        )
    };
    for (name, catch_up) in [("none", "none"), ("last", "last"), ("all", "all")] {
        bench.ok("scheduler.create", hourly(name, catch_up)).await;
    }
    bench.set("2027-01-01T05:30:00Z");
    let none = bench.history("none", |h| h.len() == 5).await;
    assert_eq!(count(&none, "missed"), 5);
    let last = bench.history("last", |h| count(h, "success") == 1).await;
    assert_eq!((last.len(), count(&last, "missed")), (5, 4));
    assert_eq!(last[4]["fireAt"], "2027-01-01T05:00:00Z");
    let all = bench.history("all", |h| count(h, "success") == 2).await;
    assert_eq!((all.len(), count(&all, "missed")), (5, 3));
    bench.set("2027-01-01T03:59:59Z");
    // At its hour of the second pass nothing fires; the schedule made now is the proof of the time.
    bench
        .ok(
            "scheduler.create",
            beat("now", json!({"cronExpression": "0 * * * *"})),
        )
        .await;
    bench.history("now", |h| count(h, "success") == 1).await;
    assert_eq!(bench.history("last", |_| true).await.len(), 5);
    assert_eq!(bench.runs().await.len(), 4);
}

#[tokio::test]
async fn fire_that_was_due_while_the_process_was_gone_is_caught_up_once() {
    let mut bench = Bench::at("2027-01-01T00:10:00Z").await;
    bench
        .ok(
            "scheduler.create",
            beat("nightly", json!({"cronExpression": "30 3 * * *"})),
        )
        .await;
    bench.stop().await;
    bench.set("2027-01-03T08:00:00Z");
    for _ in 0..3 {
        bench.start().await;
        let history = bench.history("nightly", |h| count(h, "success") == 1).await;
        let fires: Vec<_> = history
            .iter()
            .map(|e| (e["fireAt"].clone(), e["status"].clone()))
            .collect();
        assert_eq!(
            fires,
            [
                (json!("2027-01-01T03:30:00Z"), json!("missed")),
                (json!("2027-01-02T03:30:00Z"), json!("missed")),
                (json!("2027-01-03T03:30:00Z"), json!("success")),
            ]
        );
        assert_eq!(bench.runs().await.len(), 1);
        bench.stop().await;
    }
}

#[tokio::test]
async fn due_fire_without_an_orchestrator_waits_for_it() {
    let mut bench = Bench::at("2027-01-01T03:29:00Z").await;
    bench
        .ok(
            "scheduler.create",
            beat("nightly", json!({"cronExpression": "30 3 * * *"})),
        )
        .await;
    bench.stop().await;
    bench.set("2027-01-01T03:30:01Z");
    bench.start_as(&[gearmesh_scheduler::SERVICE]).await;
    bench.history("nightly", |h| count(h, "due") == 1).await;
    bench.stop().await;
    bench.start().await;
    let history = bench.history("nightly", |h| count(h, "success") == 1).await;
    assert_eq!(history.len(), 1);
    assert_eq!(bench.runs().await.len(), 1);
}

#[tokio::test]
async fn start_whose_answer_was_lost_is_the_same_run() {
    let mut bench = Bench::at("2027-01-01T03:29:59Z").await;
    bench
        .ok(
            "scheduler.create",
            beat("nightly", json!({"cronExpression": "30 3 * * *"})),
        )
        .await;
    let first = bench.history("nightly", |h| count(h, "success") == 1).await;
    bench.stop().await;
    // As if the process had died between the answer and its note.
    let store = gearmesh_store::Store::open(bench.folder(), "scheduler")
        .await
        .unwrap();
    store
        .write(
            async |tx: &mut sqlx::SqliteConnection| -> Result<(), gearmesh_store::Error> {
                sqlx::query("UPDATE fire SET status = 'due', run = '', outcome = ''")
                    .execute(tx)
                    .await?;
                Ok(())
            },
        )
        .await
        .unwrap();
    store.close().await.unwrap();
    bench.start().await;
    let second = bench.history("nightly", |h| count(h, "success") == 1).await;
    assert_eq!(second[0]["runId"], first[0]["runId"]);
    assert_eq!(bench.runs().await.len(), 1);
}

/// A workflow that waits for a while in its only task, and is open meanwhile.
fn slow(name: &str, overlap: &str) -> Value {
    json!({
        "name": name,
        "interval": "1s",
        "start": "2027-01-01T00:00:00Z",
        "overlap": overlap,
        // A call that fails is repeated: so its run stays open for two seconds.
        "workflow": "name: slow\ntasks:\n  - id: wait\n    tool: state.get\n    params: {key: nothing}\n    retry: {attempts: 2, delay: 2s, jitter: false, backoff: constant, errors: [STATE_NOT_FOUND]}\n",
    })
}

#[tokio::test]
async fn overlap_policies_hold() {
    let bench = Bench::at("2027-01-01T00:00:00.200Z").await;
    for policy in ["skip", "queueOne", "queue", "allow", "cancelRunning"] {
        bench.ok("scheduler.create", slow(policy, policy)).await;
    }
    let skip = bench
        .history("skip", |h| {
            count(h, "skipped") >= 1 && count(h, "failure") >= 1
        })
        .await;
    assert!(skip.iter().any(|e| e["reason"] == "OVERLAP"), "{skip:#?}");
    let queue_one = bench
        .history("queueOne", |h| {
            count(h, "skipped") >= 1 && count(h, "failure") >= 2
        })
        .await;
    assert!(count(&queue_one, "due") <= 2, "{queue_one:#?}");
    let queue = bench.history("queue", |h| count(h, "failure") >= 2).await;
    assert_eq!(count(&queue, "skipped"), 0);
    let cancel = bench
        .history("cancelRunning", |h| count(h, "failure") >= 2)
        .await;
    assert!(
        cancel.iter().any(|e| e["reason"] == "RUN_CANCELLED"),
        "{cancel:#?}"
    );
    bench.history("allow", |h| count(h, "running") >= 2).await;
    for policy in ["skip", "queueOne", "queue", "cancelRunning"] {
        // No two runs of it are open at once.
        let mut history = bench.history(policy, |_| true).await;
        history.retain(|e| !e["runId"].as_str().unwrap().is_empty());
        for pair in history.windows(2) {
            let (end, start) = (&pair[0]["endTime"], &pair[1]["startTime"]);
            assert!(
                end.as_str().unwrap() <= start.as_str().unwrap(),
                "{policy}: {pair:#?}"
            );
        }
    }
}

#[tokio::test]
async fn five_refused_starts_in_a_row_pause_the_schedule() {
    let bench = Bench::at("2027-01-01T00:00:00.200Z").await;
    let workflow = "name: needs\ninputs:\n  who: {type: string, required: true}\ntasks:\n  - id: a\n    set: {x: \"${inputs.who}\"}\n";
    let schedule =
        json!({"name": "needs", "interval": "1s", "overlap": "allow", "workflow": workflow});
    bench.ok("scheduler.create", schedule).await;
    let history = bench.history("needs", |h| count(h, "failure") >= 5).await;
    assert_eq!(history[0]["reason"], "INPUT_INVALID");
    let after = bench
        .ok("scheduler.get", json!({"scheduleId": "needs"}))
        .await;
    assert_eq!(after["schedule"]["disabledReason"], "FAILURES");
    assert_eq!(count(&history, "failure"), 5);
}

#[tokio::test]
async fn jitter_delays_the_start_and_not_the_fire() {
    let bench = Bench::at("2027-01-01T03:29:59Z").await;
    let spread = beat(
        "spread",
        json!({"cronExpression": "30 3 * * *", "jitter": "1h"}),
    );
    bench.ok("scheduler.create", spread).await;
    let preview = bench
        .ok(
            "scheduler.preview",
            json!({"scheduleId": "spread", "count": 1}),
        )
        .await;
    let starts = preview["fires"][0]["starts"].as_str().unwrap().to_owned();
    bench.history("spread", |h| count(h, "due") == 1).await;
    bench.set(&starts);
    let history = bench.history("spread", |h| count(h, "success") == 1).await;
    assert_eq!(history[0]["fireAt"], "2027-01-01T03:30:00Z");
    assert!(
        history[0]["startTime"].as_str().unwrap() >= starts.as_str(),
        "{history:#?} {starts}"
    );
}

#[tokio::test]
async fn fire_that_waits_for_its_jitter_is_left_out_by_a_pause() {
    let bench = Bench::at("2027-01-01T03:29:59Z").await;
    let spread = beat(
        "spread",
        json!({"cronExpression": "30 3 * * *", "jitter": "1h"}),
    );
    bench.ok("scheduler.create", spread).await;
    bench.history("spread", |h| count(h, "due") == 1).await;
    bench
        .ok("scheduler.pause", json!({"scheduleId": "spread"}))
        .await;
    bench.set("2027-01-01T05:00:00Z");
    let history = bench.history("spread", |h| !h.is_empty()).await;
    assert_eq!(
        (history.len(), &history[0]["status"], &history[0]["reason"]),
        (1, &json!("skipped"), &json!("PAUSED"))
    );
    assert!(bench.runs().await.is_empty());
}
