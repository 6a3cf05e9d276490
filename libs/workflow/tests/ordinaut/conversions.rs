//! Documents of other dialects in our own format.

use std::collections::BTreeSet;

use expect_test::expect;
use gearmesh_workflow::{Source, Workflow, check, convert};
use serde_json::json;

use crate::support::{MORNING, files, native};

fn converted(name: &str, text: &str) -> String {
    let source = Source {
        text,
        file_name: name,
        dialect: None,
    };
    convert(&source).unwrap_or_else(|faults| panic!("{name}: {faults:?}"))
}

/// Who needs whom, by positions: ids may be others.
fn needs(workflow: &Workflow) -> Vec<BTreeSet<usize>> {
    let needs = workflow.graph().needs.iter();
    needs.map(|needs| needs.iter().copied().collect()).collect()
}

/// What must be the same before and after.
fn same(name: &str, text: &str) -> String {
    let out = converted(name, text);
    let source = Source {
        text,
        file_name: name,
        dialect: None,
    };
    let before = check(&source, None).workflow.expect("it is read");
    let after = native(&out);
    assert_eq!(needs(&before), needs(&after), "{name}\n{out}");
    assert_eq!(before.graph().levels, after.graph().levels, "{name}");
    assert_eq!(before.on_error, after.on_error, "{name}");
    assert_eq!(before.max_concurrent, after.max_concurrent, "{name}");
    assert_eq!(before.timeout, after.timeout, "{name}");
    assert_eq!(before.priority, after.priority, "{name}");
    assert_eq!(before.inputs.len(), after.inputs.len(), "{name}");
    let kinds = |workflow: &Workflow| -> Vec<_> {
        let triggers = workflow.triggers.iter();
        triggers
            .map(|t| {
                (
                    t.kind.clone(),
                    t.value.clone(),
                    t.settings.get("timezone").cloned(),
                )
            })
            .collect()
    };
    assert_eq!(kinds(&before), kinds(&after), "{name}");
    for ((was, is), needs) in before.tasks.iter().zip(&after.tasks).zip(needs(&after)) {
        // Without needs every join is the same.
        assert!(
            was.run_if == is.run_if || needs.is_empty(),
            "{name}: {}",
            was.id
        );
        assert_eq!(was.tool(), is.tool(), "{name}");
        assert_eq!(was.timeout, is.timeout, "{name}: {}", was.id);
        if let Some(was) = &was.retry {
            let is = is.retry.as_ref().expect("it is tried again");
            assert_eq!(
                (was.attempts, was.delay, was.backoff),
                (is.attempts, is.delay, is.backoff)
            );
            for failed in 1..was.attempts {
                assert_eq!(was.wait(failed, 0.5), is.wait(failed, 0.5), "{name}");
            }
        }
    }
    // What is converted is our own: it is given back as it is.
    assert_eq!(converted("x.yaml", &out), out);
    out
}

// WF-10.18
#[test]
fn briefing_is_written_in_our_own_format() {
    expect![[r##"
        # Converted from a task of Ordinaut.
        name: weekday-morning-briefing
        title: Weekday Morning Briefing
        triggers:
          - rrule: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8;BYMINUTE=30"
            timezone: Europe/Chisinau
        # max_retries counts the tries after the first, attempts counts all.
        retry: {attempts: 4}
        tasks:
          # save_as events: `steps.events` is `calendar.result`.
          # `google-calendar-mcp.list_events`: no hyphens in names of tools.
          - id: calendar
            tool: google_calendar_mcp.list_events
            params: {start: "${now}", end: "${date_add(now, '+24h')}"}
            timeout: 30s
          # save_as weather: `steps.weather` is `weather.result`.
          # `weather-mcp.forecast`: no hyphens in names of tools.
          - id: weather
            needs: [calendar]
            runIf: noneFailed
            tool: weather_mcp.forecast
            params: {city: Chisinau}
            timeout: 30s
          # save_as inbox: `steps.inbox` is `emails.result`.
          # `imap-mcp.top_unread`: no hyphens in names of tools.
          - id: emails
            needs: [weather]
            runIf: noneFailed
            tool: imap_mcp.top_unread
            params: {count: 5}
            timeout: 30s
          # save_as summary: `steps.summary` is `brief.result`.
          - id: brief
            needs: [emails]
            runIf: noneFailed
            tool: llm.plan
            params:
              instruction: Create morning briefing
              calendar: "${calendar.result}"
              weather: "${weather.result}"
              emails: "${emails.result}"
            timeout: 30s
          # `telegram-mcp.send_message`: no hyphens in names of tools.
          - id: notify
            needs: [brief]
            runIf: noneFailed
            tool: telegram_mcp.send_message
            params: {chat_id: 12345, text: "${not_null(brief.result.text)}"}
            timeout: 30s
        # What the answer had under `steps`.
        outputs:
          events: "${not_null(calendar.result)}"
          weather: "${not_null(weather.result)}"
          inbox: "${not_null(emails.result)}"
          summary: "${not_null(brief.result)}"
    "##]]
    .assert_eq(&same("morning-briefing.json", MORNING));
}

// WF-10.18
#[test]
fn every_document_of_the_tree_plans_to_its_own_graph() {
    let mut count = 0;
    for folder in ["tests/oktyv", "tests/oktyv/engines", "tests/ordinaut"] {
        for (path, text) in files(folder, ".json") {
            let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else {
                panic!("{}", path.display())
            };
            // Some files hold several cases, each with its document.
            let documents: Vec<serde_json::Value> = match value {
                serde_json::Value::Array(cases) => cases
                    .into_iter()
                    .filter(|case| case.get("error").is_none())
                    .filter_map(|case| case.get("document").cloned().or(Some(case)))
                    .collect(),
                one => vec![one],
            };
            for document in documents {
                if document.get("tasks").is_some() || document.get("payload").is_some() {
                    same(&path.to_string_lossy(), &document.to_string());
                    count += 1;
                }
            }
        }
    }
    assert!(count >= 6, "{count} documents");
}

// WF-10.18
#[test]
fn everything_of_oktyv_is_said_or_told() {
    let text = json!({
        "tasks": [
            {"id": "look-up", "tool": "browser_extract", "params": {"selectors": {"title": "h1"}, "note": "a $${b} and ${ or $${ or ${"}},
            {"id": "run", "tool": "api_request", "params": {"url": "https://a.test/${look-up.result.title}"}},
            {"id": "read", "tool": "file_read", "params": {"path": "a", "encoding": "binary"}, "timeout": 1500, "priority": 500},
            {"id": "save", "tool": "file_write", "dependsOn": ["look-up", "run", "look-up"], "vault": "main", "priority": -3,
             "retryPolicy": {"maxAttempts": 9, "backoff": "exponential", "initialDelay": 3000},
             "params": {"path": "b-${read.status}.json", "content": {"n": "${run.result.items.length}", "first": "${run.result.items[0].a-b}",
                "second": "${run.result.items.1}", "data": "${read.result.content}", "t": "${run.duration}"}}},
            {"id": "store", "tool": "db_query", "vault": "main", "params": {"credentialName": "c", "text": "line one\nline two: \u{7f}"}}
        ],
        "config": {"maxConcurrent": 3, "timeout": 60000, "continueOnError": false}
    });
    expect![[r##"
        # Converted from a request of Oktyv.
        # References are JMESPath here; a null inside of a text is an error.
        # A request has no name; this one is that of its file.
        name: job-search
        maxConcurrent: 3
        timeout: 1m
        tasks:
          # `look-up` cannot be an id here.
          - id: look_up
            tool: browser_extract
            params: {selectors: {title: h1}, note: "a $${b} and $${ or $$${ or $${"}
          # `run` cannot be an id here.
          # The tool tries three times more by itself there.
          - id: run_task
            runIf: allSucceeded
            tool: api_request
            params: {url: "https://a.test/${look_up.result.data.title}"}
            retry: {attempts: 4, maxDelay: 30s}
          # priority 500: 0 to 100 here.
          - id: read
            tool: file_read
            params: {path: a, encoding: binary}
            timeout: 1s500ms
            priority: 100
          # `vault: main`: name it in `params` where the tool takes it.
          # retryPolicy there retries nearly every failure, `retry` those that may pass:
          # add the codes of others to `errors`.
          # priority -3: 0 to 100 here.
          - id: save
            needs: [look_up, run_task]
            runIf: allSucceeded
            tool: file_write
            params:
              path: "b-${read.status}.json"
              content:
                n: "${length(run_task.result.items)}"
                first: "${run_task.result.items[0].\"a-b\"}"
                second: "${run_task.result.items[1]}"
                data: "${read.result.data}"
                t: "${run_task.duration}"
            retry: {attempts: 9, delay: 3s, maxDelay: 4w2d, jitter: false}
            priority: 0
          # `vault` of the task is a parameter here.
          - id: store
            tool: db_query
            params: {credentialName: c, text: "line one\nline two: \u007f", vaultName: main}
    "##]]
    .assert_eq(&same(
        "dir/Job Search.v2.json",
        &text.to_string().replace('\u{7f}', "\\u007f"),
    ));
}

// WF-10.18
#[test]
fn everything_of_ordinaut_is_said_or_told() {
    let text = json!({
        "title": "Утро", "description": "Two lines:\nof text", "schedule_kind": "condition", "schedule_expr": "params.most > `1`",
        "max_retries": 0, "priority": 7, "concurrency_key": "house", "dedupe_key": "k", "dedupe_window_seconds": 3600,
        "payload": {
            "params": {"most": 2, "city-name": "Chisinau", "list": ["a", "b: c", "1", "true", ""], "raw": "${now}"},
            "pipeline": [
                {"id": "fetch-it", "uses": "a-b.c", "with": {"when": "${now+24h}", "city": "${params.\"city-name\"}"}, "save_as": "x", "if": "params.most > 1"},
                {"uses": "a.b", "if": false, "save_as": "x", "max_retries": 2},
                {"id": "run", "uses": "a.b", "with": {"t": "${steps.x.text} in ${params.most}", "all": "${steps}", "none": "${steps.later.a}",
                    "word": "${params.no} of ${steps.\"fetch-it\"}", "n": "${length(steps.x)}"}, "if": "${steps.x}", "timeout_seconds": 90}
            ]
        }
    });
    expect![[r##"
        # Converted from a task of Ordinaut.
        name: task-5d14dfe4
        title: Утро
        description: "Two lines:\nof text"
        # payload.params: a start may give other values.
        inputs:
          most: {type: number, default: 2}
          # `city-name`: an input has letters, digits and `_` only.
          city_name: {type: string, default: Chisinau}
          list: {type: array, default: [a, "b: c", "1", "true", ""]}
          raw: {type: string, default: "$${now}"}
        triggers:
          # schedule_kind condition: looked at every minute.
          - interval: 1m
            when: "`2` > `1`"
        # concurrency_key: shared by all workflows, so `global:` stands before it.
        concurrency: {limit: 1, key: global:house, onConflict: queue}
        # dedupe_key `k` for 1h: a file cannot say this; give the key with the start.
        priority: 7
        tasks:
          # `fetch-it` cannot be an id here.
          # save_as x: `steps.x` is `fetch_it.result`.
          # `a-b.c`: no hyphens in names of tools.
          - id: fetch_it
            when: "inputs.most > 1"
            tool: a_b.c
            params: {when: "${date_add(now, '+24h')}", city: "${inputs.city_name}"}
            timeout: 30s
          # save_as x: `steps.x` is `step_2.result`.
          - id: step_2
            needs: [fetch_it]
            runIf: noneFailed
            when: "`false`"
            tool: a.b
            timeout: 30s
            retry: {attempts: 3}
          # `run` cannot be an id here.
          - id: run_task
            needs: [step_2]
            runIf: noneFailed
            when: "not_null(step_2.result, fetch_it.result)"
            tool: a.b
            params:
              t: "${not_null(not_null(step_2.result, fetch_it.result).text, 'null')} in ${inputs.most}"
              all: "${not_null({x: not_null(step_2.result, fetch_it.result)})}"
              none: "${`null`}"
              word: "${'null'} of ${not_null(fetch_it.result, 'null')}"
              n: "${length(not_null(step_2.result, fetch_it.result))}"
            timeout: 1m30s
        # What the answer had under `steps`.
        outputs:
          x: "${not_null(step_2.result, fetch_it.result)}"
    "##]].assert_eq(&same("t.json", &text.to_string()));
}

#[test]
fn what_would_never_run_is_not_converted() {
    let refused = |text: &str| {
        let source = Source {
            text,
            file_name: "f.json",
            dialect: None,
        };
        let faults = convert(&source).expect_err("it has faults");
        faults
            .iter()
            .map(|fault| format!("{} {}\n", fault.code, fault.message))
            .collect::<String>()
    };
    let all = [
        refused(r#"{"tasks": [{"id": "a", "tool": "b", "params": {"x": "${nobody.result}"}}]}"#),
        refused(r#"{"tasks": [{"id": "a", "tool": "b", "params": {"x": "${}"}}]}"#),
        refused(r#"{"tasks": []}"#),
        refused(r#"{"pipeline": []}"#),
        refused(r#"{"pipeline": [{}]}"#),
        refused("{"),
    ];
    expect![[r#"
        VARIABLE_RESOLUTION_ERROR Cannot resolve a variable: Task 'nobody' not found
        VARIABLE_RESOLUTION_ERROR Cannot resolve variable ${}: expected task.result.path
        INVALID_PARAMETERS `tasks` must be a list with at least one task
        INVALID_PARAMETERS `pipeline` is empty; a workflow has at least one task
        INVALID_PARAMETERS step 1 has no `uses`
        YAML_SYNTAX unclosed bracket '{'
    "#]]
    .assert_eq(&all.concat());
}

#[test]
fn ids_stay_different() {
    let text = json!({"tasks": [
        {"id": "a-b", "tool": "x"}, {"id": "a_b", "tool": "x"}, {"id": "a.b", "tool": "x"}, {"id": "9", "tool": "x"},
        {"id": "a_b_2", "tool": "x"}
    ]});
    let workflow = native(&same("f.json", &text.to_string()));
    let ids: Vec<&str> = workflow.tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(ids, ["a_b", "a_b_2", "a_b_3", "_9", "a_b_2_2"]);
}
