//! The tools of the scheduler.

use crate::support::{Bench, beat, count, reason};
use gearmesh_link::Call;
use serde_json::{Value, json};

const NOW: &str = "2027-01-01T00:00:00Z";

async fn created(bench: &Bench, name: &str, kind: Value) -> Value {
    bench.ok("scheduler.create", beat(name, kind)).await
}

#[tokio::test]
async fn schedule_is_made_and_read() {
    let bench = Bench::at(NOW).await;
    let kinds = [
        (
            "a",
            json!({"cronExpression": "30 3 * * *", "timezone": "Europe/Chisinau"}),
            "cron",
            "At 03:30, in Europe/Chisinau",
        ),
        (
            "b",
            json!({"rrule": "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0"}),
            "rrule",
            "Every month on the last Friday at 09:00, in UTC",
        ),
        ("c", json!({"interval": 900_000}), "interval", "Every 15m"),
        (
            "d",
            json!({"executeAt": "2027-06-01T12:00:00Z"}),
            "once",
            "Once, at 2027-06-01 12:00:00 in UTC",
        ),
    ];
    for (name, kind, type_name, meaning) in kinds {
        let made = created(&bench, name, kind).await;
        assert_eq!(made["schedule"]["scheduleType"], type_name);
        assert_eq!(made["meaning"], meaning);
        let id = made["schedule"]["id"].as_str().unwrap();
        let read = bench.ok("scheduler.get", json!({"scheduleId": id})).await;
        assert_eq!(read["schedule"], made["schedule"]);
        assert_eq!(read["nextRun"], made["schedule"]["nextRun"]);
    }
    let made = bench.ok("scheduler.get", json!({"scheduleId": "c"})).await;
    assert_eq!(made["schedule"]["interval"], 900_000);
    assert_eq!(made["schedule"]["start"], "2027-01-01T00:00:00Z");
}

#[tokio::test]
async fn schedules_are_listed_by_pages_in_the_order_of_their_names() {
    let bench = Bench::at(NOW).await;
    created(&bench, "d", json!({"interval": "1h"})).await;
    for name in ["c", "a"] {
        created(&bench, name, json!({"interval": "1h"})).await;
    }
    created(&bench, "b", json!({"cronExpression": "0 3 * * *"})).await;
    let names = |answer: &Value| -> Vec<String> {
        let list = answer["schedules"].as_array().unwrap();
        list.iter()
            .map(|s| s["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let page = bench.ok("scheduler.list", json!({"pageSize": 3})).await;
    assert_eq!(
        (names(&page), &page["count"]),
        (vec!["a".into(), "b".into(), "c".into()], &json!(3))
    );
    let token = page["nextPageToken"].as_str().unwrap();
    let rest = bench
        .ok("scheduler.list", json!({"pageSize": 3, "pageToken": token}))
        .await;
    assert_eq!(
        (names(&rest), &rest["nextPageToken"]),
        (vec!["d".into()], &json!(""))
    );
    let crons = bench
        .ok(
            "scheduler.list",
            json!({"scheduleType": "cron", "enabled": true}),
        )
        .await;
    assert_eq!(names(&crons), ["b"]);
    // The alias of Oktyv is the same tool.
    assert_eq!(
        bench.ok("cron_list_tasks", json!({"limit": 1})).await["count"],
        1
    );
}

#[tokio::test]
async fn schedule_is_changed_and_deleted() {
    let bench = Bench::at(NOW).await;
    let cron = json!({"cronExpression": "30 3 * * *", "timezone": "Europe/Chisinau"});
    created(&bench, "a", cron).await;
    let changed = bench
        .ok("scheduler.update", json!({"scheduleId": "a", "cronExpression": "0 4 * * *", "until": "2027-12-31T00:00:00", "etag": "1"}))
        .await;
    assert_eq!(changed["schedule"]["nextRun"], "2027-01-01T02:00:00Z");
    assert_eq!(changed["schedule"]["timezone"], "Europe/Chisinau");
    let params = json!({"scheduleId": "a", "description": "x", "etag": "1"});
    assert_eq!(
        reason(bench.call("scheduler.update", params).await),
        "ETAG_MISMATCH"
    );
    let changed = bench
        .ok(
            "scheduler.update",
            json!({"scheduleId": "a", "interval": "1h", "updateMask": "until,timezone"}),
        )
        .await;
    let schedule = &changed["schedule"];
    assert_eq!(
        (&schedule["scheduleType"], &schedule["timezone"]),
        (&json!("interval"), &json!("UTC"))
    );
    assert!(
        schedule.get("until").is_none() && schedule.get("cronExpression").is_none(),
        "{schedule}"
    );
    let deleted = bench
        .ok("scheduler.delete", json!({"scheduleId": "a"}))
        .await;
    assert_eq!(deleted["message"], "schedule `a` is deleted");
    for tool in [
        "get",
        "delete",
        "pause",
        "resume",
        "run_now",
        "history",
        "statistics",
        "clear_history",
        "update",
    ] {
        let answer = bench
            .call(&format!("scheduler.{tool}"), json!({"scheduleId": "a"}))
            .await;
        assert_eq!(reason(answer), "SCHEDULE_NOT_FOUND", "{tool}");
    }
}

#[tokio::test]
async fn rule_that_cannot_be_followed_is_refused_and_not_stored() {
    let bench = Bench::at(NOW).await;
    let cron = json!({"cronExpression": "30 3 * * *"});
    for (schedule, wanted) in [
        (beat("x", json!({})), "INVALID_PARAMETERS"),
        (
            beat(
                "x",
                json!({"cronExpression": "0 0 * * *", "interval": "1h"}),
            ),
            "INVALID_PARAMETERS",
        ),
        (
            beat(
                "x",
                json!({"cronExpression": "0 0 * * *", "scheduleType": "once"}),
            ),
            "INVALID_PARAMETERS",
        ),
        (
            beat("x", json!({"cronExpression": "61 * * * *"})),
            "INVALID_SCHEDULE",
        ),
        (
            beat(
                "x",
                json!({"cronExpression": "0 0 * * *", "timezone": "Europe/Nowhere"}),
            ),
            "INVALID_SCHEDULE",
        ),
        (
            beat("x", json!({"cronExpression": "0 0 30 2 *"})),
            "SCHEDULE_NEVER_FIRES",
        ),
        (
            beat("x", json!({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"})),
            "SCHEDULE_NEVER_FIRES",
        ),
        (
            beat("x", json!({"executeAt": "2026-12-31T00:00:00Z"})),
            "SCHEDULE_IN_PAST",
        ),
        (
            beat("x", json!({"interval": "500ms"})),
            "INVALID_PARAMETERS",
        ),
        (
            beat("x", json!({"interval": "1h", "jitter": "2h"})),
            "INVALID_PARAMETERS",
        ),
        (
            beat("x", json!({"interval": "1h", "catchUp": "some"})),
            "INVALID_PARAMETERS",
        ),
        (
            beat("x", json!({"interval": "1h", "catchUpMax": 1001})),
            "INVALID_PARAMETERS",
        ),
    ] {
        let shown = schedule.to_string();
        assert_eq!(
            reason(bench.call("scheduler.create", schedule).await),
            wanted,
            "{shown}"
        );
    }
    assert_eq!(bench.ok("scheduler.list", json!({})).await["count"], 0);
    created(&bench, "x", cron.clone()).await;
    assert_eq!(
        reason(bench.call("scheduler.create", beat("x", cron)).await),
        "SCHEDULE_EXISTS"
    );
}

#[tokio::test]
async fn target_that_cannot_be_started_is_refused() {
    let bench = Bench::at(NOW).await;
    for (schedule, wanted) in [
        (
            beat("x", json!({"interval": "1h", "workflow": "name: a"})),
            "INVALID_PARAMETERS",
        ),
        (
            beat("x", json!({"interval": "1h", "tool": "state.nothing"})),
            "TARGET_INVALID",
        ),
        (
            beat("x", json!({"interval": "1h", "params": {"kye": 1}})),
            "TARGET_INVALID",
        ),
        (beat(" x", json!({"interval": "1h"})), "INVALID_PARAMETERS"),
        (
            json!({"name": "x", "interval": "1h", "workflow": "name: a\ntasks:\n  - id: a\n    needs: [b]\n    set: {x: 1}\n"}),
            "TARGET_INVALID",
        ),
        (json!({"name": "x", "interval": "1h"}), "INVALID_PARAMETERS"),
        (
            json!({"name": "x", "interval": "1h", "actionType": "file", "actionConfig": {}}),
            "INVALID_PARAMETERS",
        ),
    ] {
        let shown = schedule.to_string();
        assert_eq!(
            reason(bench.call("scheduler.create", schedule).await),
            wanted,
            "{shown}"
        );
    }
    assert_eq!(bench.ok("scheduler.list", json!({})).await["count"], 0);
}

#[tokio::test]
async fn repeated_create_under_one_key_is_one_schedule() {
    let bench = Bench::at(NOW).await;
    let call = || Call {
        key: Some("k".to_owned()),
        ..Call::default()
    };
    let schedule = || beat("x", json!({"interval": "1h"}));
    let first = bench
        .call_as("scheduler.create", schedule(), call())
        .await
        .unwrap();
    let second = bench
        .call_as("scheduler.create", schedule(), call())
        .await
        .unwrap();
    assert_eq!(first, second);
    let delete = json!({"scheduleId": "x"});
    let first = bench
        .call_as("scheduler.delete", delete.clone(), call())
        .await
        .unwrap();
    let second = bench
        .call_as("scheduler.delete", delete, call())
        .await
        .unwrap();
    assert_eq!(first, second);
}

#[tokio::test]
async fn repeat_under_a_key_is_answered_though_it_would_be_refused_by_now() {
    // WF-9.24
    let bench = Bench::at("2027-01-01T00:00:00Z").await;
    let call = || Call {
        key: Some("k".to_owned()),
        ..Call::default()
    };
    let once = || beat("x", json!({"executeAt": "2027-01-01T00:00:30Z"}));
    let edit = || json!({"scheduleId": "x", "executeAt": "2027-01-01T00:00:40Z"});
    let created = bench.call_as("scheduler.create", once(), call()).await;
    let edited = bench.call_as("scheduler.update", edit(), call()).await;
    bench.set("2027-01-01T00:01:00Z");
    let again = bench.call_as("scheduler.create", once(), call()).await;
    assert_eq!(again.unwrap(), created.unwrap());
    let again = bench.call_as("scheduler.update", edit(), call()).await;
    assert_eq!(again.unwrap(), edited.unwrap());
    let other = Call {
        key: Some("other".to_owned()),
        ..Call::default()
    };
    let refused = bench.call_as("scheduler.create", once(), other).await;
    assert_eq!(reason(refused), "SCHEDULE_IN_PAST");
}

#[tokio::test]
async fn paused_schedule_does_not_fire_and_counts_from_its_resumption() {
    let bench = Bench::at("2027-01-01T00:59:00Z").await;
    created(&bench, "x", json!({"cronExpression": "0 * * * *"})).await;
    let paused = bench
        .ok("cron_disable_task", json!({"scheduleId": "x"}))
        .await;
    assert_eq!(paused["schedule"]["enabled"], false);
    assert_eq!(paused["schedule"]["disabledReason"], "PAUSED");
    assert!(paused["schedule"].get("nextRun").is_none(), "{paused}");
    assert_eq!(
        reason(
            bench
                .call("scheduler.run_now", json!({"scheduleId": "x"}))
                .await
        ),
        "SCHEDULE_DISABLED"
    );
    bench.set("2027-01-01T03:59:59.500Z");
    let resumed = bench
        .ok("cron_enable_task", json!({"scheduleId": "x"}))
        .await;
    assert_eq!(resumed["schedule"]["nextRun"], "2027-01-01T04:00:00Z");
    let history = bench.history("x", |h| count(h, "success") == 1).await;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0]["fireAt"], "2027-01-01T04:00:00Z");
}

#[tokio::test]
async fn run_by_hand_is_extra_and_once_for_a_key() {
    let bench = Bench::at(NOW).await;
    let before = created(&bench, "x", json!({"cronExpression": "0 12 * * *"})).await;
    let call = || Call {
        key: Some("k".to_owned()),
        ..Call::default()
    };
    let id = || json!({"scheduleId": "x"});
    let first = bench
        .call_as("cron_execute_now", id(), call())
        .await
        .unwrap();
    let second = bench
        .call_as("scheduler.run_now", id(), call())
        .await
        .unwrap();
    assert_eq!(first["runId"], second["runId"]);
    let third = bench.ok("scheduler.run_now", id()).await;
    assert_ne!(first["runId"], third["runId"]);
    let history = bench.history("x", |h| count(h, "success") == 2).await;
    assert!(history.iter().all(|e| e["manual"] == true), "{history:#?}");
    let after = bench.ok("scheduler.get", id()).await;
    assert_eq!(after["nextRun"], before["schedule"]["nextRun"]);
    let statistics = bench.ok("cron_get_statistics", id()).await;
    let figures = &statistics["statistics"];
    assert_eq!(
        (&figures["totalRuns"], &figures["successCount"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(figures["successRate"], 100.0);
    assert!(figures["lastSuccess"].is_string() && figures.get("lastFailure").is_none());
    assert_eq!(
        bench.ok("cron_clear_history", id()).await["deletedCount"],
        2
    );
    assert_eq!(bench.ok("cron_get_history", id()).await["count"], 0);
}

#[tokio::test]
async fn failure_of_a_run_reaches_the_history() {
    let bench = Bench::at(NOW).await;
    let schedule = json!({
        "name": "x", "interval": "1h", "tool": "state.get", "params": {"key": "nothing"},
        "retryCount": 1, "retryDelay": 10, "timeout": 1000,
    });
    bench.ok("scheduler.create", schedule).await;
    bench
        .ok("scheduler.run_now", json!({"scheduleId": "x"}))
        .await;
    let history = bench.history("x", |h| count(h, "failure") == 1).await;
    assert_eq!(history[0]["reason"], "STATE_NOT_FOUND");
    assert!(history[0]["error"].as_str().unwrap().contains("nothing"));
    let statistics = bench
        .ok("scheduler.statistics", json!({"scheduleId": "x"}))
        .await;
    assert_eq!(statistics["statistics"]["failureCount"], 1);
    assert!(statistics["statistics"]["lastFailure"].is_string());
}

#[tokio::test]
async fn workflow_gets_its_inputs_and_leaves_its_outputs() {
    let bench = Bench::at(NOW).await;
    let workflow = "name: greet\ninputs:\n  who: {type: string}\ntasks:\n  - id: a\n    set: {text: \"hello ${inputs.who}\"}\noutputs:\n  text: ${a.result.text}\n";
    let schedule = json!({"name": "x", "interval": "1h", "workflow": workflow, "fileName": "greet.yaml", "inputs": {"who": "you"}});
    bench.ok("scheduler.create", schedule).await;
    bench
        .ok("scheduler.run_now", json!({"scheduleId": "x"}))
        .await;
    let history = bench.history("x", |h| count(h, "success") == 1).await;
    assert_eq!(history[0]["result"], json!({"text": "hello you"}));
    let read = bench.ok("scheduler.get", json!({"scheduleId": "x"})).await;
    assert_eq!(read["schedule"]["workflow"], workflow);
    let list = bench.ok("scheduler.list", json!({})).await;
    assert!(list["schedules"][0].get("workflow").is_none());
}

#[tokio::test]
async fn preview_shows_the_changes_of_the_clock() {
    let bench = Bench::at(NOW).await;
    let preview = bench
        .ok("scheduler.preview", json!({"cronExpression": "30 3 * * *", "timezone": "Europe/Chisinau", "after": "2027-03-27T12:00:00Z", "count": 2}))
        .await;
    assert_eq!(
        preview["fires"],
        json!([
            {"time": "2027-03-28T01:00:00Z", "local": "2027-03-28T04:00:00", "offset": "+03:00", "mark": "gap", "starts": "2027-03-28T01:00:00Z"},
            {"time": "2027-03-29T00:30:00Z", "local": "2027-03-29T03:30:00", "offset": "+03:00", "mark": "", "starts": "2027-03-29T00:30:00Z"},
        ])
    );
    assert_eq!(preview["notes"].as_array().unwrap().len(), 2);
    let all = bench
        .ok(
            "scheduler.preview",
            json!({"interval": "1s", "count": 1000}),
        )
        .await;
    assert_eq!(all["count"], 1000);
    let few = bench
        .ok(
            "scheduler.preview",
            json!({"rrule": "FREQ=DAILY;COUNT=3", "start": "2027-01-02T09:00:00"}),
        )
        .await;
    assert_eq!(few["count"], 3);
    for bad in [
        json!({"interval": "1s", "count": 1001}),
        json!({}),
        json!({"interval": "1s", "cronExpression": "* * * * *"}),
    ] {
        assert_eq!(
            reason(bench.call("scheduler.preview", bad).await),
            "INVALID_PARAMETERS"
        );
    }
}

#[tokio::test]
async fn expression_is_checked_and_explained() {
    let bench = Bench::at(NOW).await;
    let good = bench
        .ok(
            "cron_validate_expression",
            json!({"expression": "30 3 * * *", "timezone": "Europe/Chisinau"}),
        )
        .await;
    assert_eq!(
        (&good["valid"], &good["nextRun"]),
        (&json!(true), &json!("2027-01-01T01:30:00Z"))
    );
    assert_eq!(good["meaning"], "At 03:30, in Europe/Chisinau");
    assert_eq!(good["warnings"].as_array().unwrap().len(), 2);
    let rule = bench
        .ok(
            "scheduler.validate",
            json!({"expression": "RRULE:FREQ=WEEKLY;BYDAY=MO"}),
        )
        .await;
    assert_eq!(rule["valid"], true);
    for bad in [
        "61 * * * *",
        "@reboot",
        "FREQ=HOURS",
        "0 0 30 2 *",
        "* * * *",
    ] {
        let answer = bench
            .ok("scheduler.validate", json!({"expression": bad}))
            .await;
        assert_eq!(
            (&answer["valid"], &answer["expression"]),
            (&json!(false), &json!(bad))
        );
        assert_eq!(answer["errors"].as_array().unwrap().len(), 1, "{answer}");
    }
}
