//! Triggers, secrets, and files with several workflows.

use expect_test::expect;
use gearmesh_workflow::{DOCUMENTS_MAX, Source, TRIGGERS_MAX, check_all};
use serde_json::json;

use crate::support::{catalog, listed, with_task, workflow};

fn file(triggers: &str) -> String {
    format!(
        "name: x\ninputs: {{id: {{type: integer}}}}\nsecrets: {{hook: vault://demo/hook}}\ntriggers:\n{triggers}\ntasks:\n  - id: a\n    set: {{v: \"${{inputs.id}}\"}}\n"
    )
}

#[test]
fn every_kind_of_trigger_is_read() {
    // WF-2.8, WF-7.1, WF-7.2, WF-7.3, WF-7.4, WF-7.5, WF-7.6, WF-7.7, WF-7.8, WF-7.9, WF-7.10
    let workflow = workflow(&file(
        "  - {id: night, cron: \"30 2 * * *\", timezone: Europe/Chisinau, catchUp: last, inputs: {id: 5}}
  - {rrule: \"FREQ=WEEKLY;BYDAY=MO\", start: \"2027-01-04T09:00:00\", when: trigger.time != now}
  - {interval: 1s, jitter: 1h}
  - {once: \"2027-01-31T09:00:00Z\"}
  - {event: order.*, inputs: {id: \"${trigger.payload.id}\"}}
  - {event: {topic: order.**, where: event.payload.id > 3}}
  - webhook: {path: /hooks/refund, methods: [POST, PUT], auth: hmac, secret: \"${secrets.hook}\", respond: accepted}
  - webhook: {path: /open, auth: none}
  - file: {path: work://in, glob: \"*.csv\", events: [created], settle: 2s}
  - email: {connection: demo-mail, folder: INBOX}",
    ));
    let kinds: Vec<&str> = workflow.triggers.iter().map(|t| t.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "cron", "rrule", "interval", "once", "event", "event", "webhook", "webhook", "file",
            "email"
        ]
    );
    let night = &workflow.triggers[0];
    assert_eq!(
        (night.id.as_deref(), &night.value),
        (Some("night"), &json!("30 2 * * *"))
    );
    assert_eq!(
        json!(night.settings),
        json!({"timezone": "Europe/Chisinau", "catchUp": "last"})
    );
    assert_eq!(night.inputs.len(), 1);
    assert!(workflow.triggers[1].when.is_some());
    // The name of a secret becomes the reference that it stands for.
    assert_eq!(workflow.triggers[6].value["secret"], "vault://demo/hook");
}

#[test]
fn settings_go_with_their_kinds() {
    // WF-7.1, WF-7.11, WF-7.12, WF-7.13, WF-7.14, WF-7.15, WF-7.16
    expect![[r#"
        5:25 TASK_KIND trigger 1 has `cron` and `interval`; give exactly one kind
        6:5 TASK_KIND trigger 2 has no kind; give `cron`, `rrule`, `interval`, `once`, `event`, `webhook`, `file` or `email`
        7:18 UNKNOWN_KEY `timezone` of trigger 3 does not go with `event`
        8:25 UNKNOWN_KEY `start` of trigger 4 does not go with `cron`
        9:35 INVALID_VALUE `timezone` of trigger 5: no zone is called `Europe/Chisinua`; write an IANA name such as Europe/Chisinau
        9:63 INVALID_VALUE `gap` of `dst` of trigger 5: expected one of after, shift, skip, found text "never"
        9:85 UNKNOWN_KEY unknown key `x` in `dst` of trigger 5
        10:16 INVALID_VALUE `interval` of trigger 6: expected at least 1s, found text "999ms"
        10:32 INVALID_VALUE `catchUp` of trigger 6: expected one of none, last, all, found text "some"
        10:53 INVALID_VALUE `catchUpWindow` of trigger 6: expected 10s to 52w2d, found text "9s"
        10:69 INVALID_VALUE `catchUpMax` of trigger 6: expected a whole number from 1 to 1000, found number 1001
        10:83 INVALID_VALUE `jitter` of trigger 6: expected 0s to 1h, found text "61m"
        11:12 INVALID_VALUE `once` of trigger 7: expected an instant as `2027-01-31T09:00:00Z`, or without `Z` a local time, found text "tomorrow"
        11:29 INVALID_VALUE `until` of trigger 7: expected an instant as `2027-01-31T09:00:00Z`, or without `Z` a local time, found text "never"
        11:45 INVALID_VALUE `except` of trigger 7: expected a day as `2027-12-31`, found text "someday"
        11:64 INVALID_VALUE `overlap` of trigger 7: expected one of skip, queueOne, queue, allow, cancelRunning, found text "maybe"
        12:5 INVALID_VALUE trigger 8: expected a map as `{cron: "30 2 * * *"}`, found number 5
        13:6 UNKNOWN_KEY unknown key `every` in trigger 9; did you mean `interval`?
        14:22 INVALID_VALUE `path` of `webhook` of trigger 10: expected a path as `/hooks/refund`, found text "hooks"
        14:35 INVALID_VALUE `auth` of `webhook` of trigger 10: expected one of token, hmac, none, found text "basic"
        14:52 INVALID_VALUE `methods` of `webhook` of trigger 10: expected some of GET, POST, PUT, PATCH, DELETE
        15:6 MISSING_KEY `file` of trigger 11 has no `path`
        15:30 INVALID_VALUE `events` of `file` of trigger 11: expected some of created, changed, deleted
        15:41 UNKNOWN_NAME `inputs` is not known here: there is no run yet
        16:6 MISSING_KEY `email` of trigger 12 has no `connection`
        16:22 INVALID_VALUE `folder` of `email` of trigger 12: expected text, found text ""
        16:31 INVALID_ID `a-b`: hyphens are not allowed in ids; try `a_b`
    "#]].assert_eq(&listed(&file(
        "  - {cron: \"0 0 * * *\", interval: 5m}
  - {timezone: UTC}
  - {event: a.b, timezone: UTC}
  - {cron: \"0 0 * * *\", start: \"2027-01-31T09:00:00Z\"}
  - {cron: \"0 0 * * *\", timezone: Europe/Chisinua, dst: {gap: never, overlap: both, x: 1}}
  - {interval: 999ms, catchUp: some, catchUpWindow: 9s, catchUpMax: 1001, jitter: 61m}
  - {once: tomorrow, until: never, except: [someday], overlap: maybe}
  - 5
  - {every: 5m}
  - {webhook: {path: hooks, auth: basic, methods: [FETCH]}}
  - {file: {glob: x, events: []}, when: inputs.id > 3}
  - {email: {folder: \"\"}, id: a-b}",
    )));
    let edges = "  - {interval: 1s, catchUpWindow: 10s, catchUpMax: 1000, jitter: 1h, until: \"2028-01-01T00:00:00Z\", except: [\"2027-12-31\"], overlap: queueOne, dst: {gap: skip, overlap: last}}";
    assert_eq!(listed(&file(edges)), "");
    let both = file("  - {interval: 1s, overlap: skip}")
        .replace("triggers:", "concurrency: {}\ntriggers:");
    expect![[r#"
        6:20 INVALID_VALUE `overlap` of trigger 1: the workflow has `concurrency`, which decides
    "#]]
    .assert_eq(&listed(&both));
}

#[test]
fn rules_that_cannot_fire_are_refused() {
    // WF-7.2, WF-7.3, WF-7.17
    expect![[r#"
        5:12 SCHEDULE_NEVER_FIRES `cron: 30 2 30 2 *` never fires: no day of the calendar fits it
        6:12 INVALID_VALUE `cron: 30 2 * *` has 4 fields; cron has 5, or 6 with seconds first
        7:13 SCHEDULE_NEVER_FIRES `rrule: FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30` never fires: no day of the calendar fits it
        8:13 INVALID_VALUE `rrule: FREQ=NOW` is no rule of RFC 5545: RRule parsing error: `NOW` is not a valid frequency.
    "#]].assert_eq(&listed(&file(
        "  - {cron: \"30 2 30 2 *\"}
  - {cron: \"30 2 * *\"}
  - {rrule: \"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\"}
  - {rrule: \"FREQ=NOW\"}",
    )));
}

#[test]
fn triggers_give_the_inputs() {
    // WF-7.10, WF-9.18
    let text =
        file("  - {interval: 5m, id: a, inputs: {di: 1, id: ten}}\n  - {interval: 5m, id: a}")
            .replace("{type: integer}", "{type: integer, required: true}");
    expect![[r#"
        5:36 UNKNOWN_NAME no input is called `di`
        5:47 INPUT_INVALID trigger 1: input `id`: expected integer, found text "ten"
        6:5 INPUT_INVALID trigger 2 does not give the input `id`, which is required
        6:24 DUPLICATE_ID `id: a` is used twice (first at line 5)
    "#]]
    .assert_eq(&listed(&text));
}

#[test]
fn triggers_end_at_their_limit() {
    // WF-2.8
    let many = |n: usize| file(&"  - {interval: 5m}\n".repeat(n));
    assert_eq!(listed(&many(TRIGGERS_MAX)), "");
    assert!(listed(&many(TRIGGERS_MAX + 1)).contains("the limit is 100"));
}

#[test]
fn secrets_stand_alone_where_a_secret_is_taken() {
    // WF-2.7, WF-4.6, WF-9.20, WF-9.21
    let file = |lines: &str| {
        with_task(lines).replacen(
            "name: x\n",
            "name: x\nsecrets: {key: \"vault://demo/key@2#user\"}\n",
            1,
        )
    };
    let order = "tool: shop.order\nparams: {lines: [{name: x}], password: \"${secrets.key}\"}";
    assert_eq!(
        workflow(&file(order)).secrets,
        [("key".to_owned(), "vault://demo/key@2#user".to_owned())]
    );
    expect![[r#"
        10:29 SECRET_EXPOSED a secret stands only in a field that the tool marks as secret
        10:63 SECRET_EXPOSED `secrets.key` stands only alone, as the whole value of a field that takes a secret
    "#]].assert_eq(&listed(&file("tool: shop.order\nparams: {lines: [{name: \"${secrets.key}\"}], password: \"x${secrets.key}\"}")));
    expect![[r#"
        10:55 SECRET_EXPOSED `secrets.key` stands only alone, as the whole value of a field that takes a secret
        11:20 SECRET_EXPOSED `secrets.key` stands only alone, as the whole value of a field that takes a secret
    "#]].assert_eq(&listed(&file("tool: shop.order\nparams: {lines: [{name: x}], password: \"${to_json(secrets.key)}\"}\nconnection: \"${secrets.key}\"")));
    expect![[r#"
        9:17 SECRET_EXPOSED `secrets.key` stands only alone, as the whole value of a field that takes a secret
        9:38 SECRET_EXPOSED `secrets` stands only as `${secrets.name}`, in a field that takes a secret
        10:11 SECRET_EXPOSED `secrets.key` stands only alone, as the whole value of a field that takes a secret
    "#]].assert_eq(&listed(&file(
        "set: {v: \"${secrets.key}\", w: \"${secrets}\"}\nwhen: secrets.key == 'x'",
    )));
    expect![[r#"
        10:55 SECRET_NOT_FOUND no secret is called `kye`; did you mean `key`?
    "#]]
    .assert_eq(&listed(&file(
        "tool: shop.order\nparams: {lines: [{name: x}], password: \"${secrets.kye}\"}",
    )));
    expect![[r#"
        2:14 INVALID_VALUE secret `a`: expected a reference as `vault://vault/secret`
        2:23 INVALID_ID `b-c`: a secret's name has letters, digits and `_` only
        2:44 INVALID_VALUE secret `d`: expected a reference as `vault://vault/secret`, found number 5
    "#]].assert_eq(&listed("name: x\nsecrets: {a: hunter2, b-c: vault://a/b, d: 5}\ntasks:\n  - id: a\n    set: {v: 1}\n"));
    let hook = |secret: &str| {
        listed(&format!(
            "name: x\nsecrets: {{key: vault://demo/key}}\ntriggers:\n  - webhook: {{path: /h, auth: token, secret: \"{secret}\"}}\n  - webhook: {{path: /h, auth: token}}\ntasks:\n  - id: a\n    set: {{v: 1}}\n"
        ))
    };
    expect![[r#"
        4:46 LITERAL_SECRET `secret` of `webhook` of trigger 1: expected `${secrets.name}` or a reference as `vault://vault/secret`
        5:5 MISSING_KEY `webhook` of trigger 2 has no `secret`
    "#]].assert_eq(&hook("hunter2"));
    expect![[r#"
        4:50 SECRET_EXPOSED `secrets.key` stands only alone, as the whole value of a field that takes a secret
        5:5 MISSING_KEY `webhook` of trigger 2 has no `secret`
    "#]].assert_eq(&hook("a${secrets.key}"));
    expect![[r#"
        5:5 MISSING_KEY `webhook` of trigger 2 has no `secret`
    "#]]
    .assert_eq(&hook("vault://demo/other"));
}

#[test]
fn roots_exist_where_they_have_a_value() {
    // WF-2.6, WF-4.2, WF-7.10
    expect![[r#"
        2:49 UNKNOWN_NAME `trigger` has no `paylod`; did you mean `payload`?
        2:65 UNKNOWN_NAME `t` is a task; `vars.c` is read before any task runs
        2:83 UNKNOWN_NAME `event` exists only in a `where`
        4:65 UNKNOWN_NAME no input is called `q`
        4:71 UNKNOWN_NAME `vars` is not known here: there is no run yet
        4:88 UNKNOWN_NAME `run` is not known here: there is no run yet
        7:17 UNKNOWN_NAME `event` exists only in a `where`
    "#]].assert_eq(&listed("name: x\nvars: {a: \"${trigger.payload.x}\", b: \"${trigger.paylod}\", c: \"${t.result}\", d: \"${event.x}\"}\ntriggers:\n  - {event: {topic: a, where: trigger.id == event.id}, inputs: {q: \"${vars.a}\"}, when: run.id}\ntasks:\n  - id: t\n    set: {v: \"${event.x}\"}\n"));
}

#[test]
fn documents_are_checked_one_by_one() {
    // WF-1.17
    let source = |text| Source {
        text,
        file_name: "f.yaml",
        dialect: None,
    };
    let text = "name: x\ntasks:\n  - id: a\n    set: {v: 1}\n---\nname: y\ntasks:\n  - id: a\n    set: {v: 1, v: 2}\n    bogus: 1\n---\n# nothing\nname: x\ntasks:\n  - id: a\n    set: {v: 1}\n---\n";
    let all = check_all(&source(text), Some(catalog()));
    let said: Vec<Vec<String>> = all
        .iter()
        .map(|checked| checked.errors.iter().map(ToString::to_string).collect())
        .collect();
    expect![[r#"
        [
            [],
            [
                "f.yaml:9:17: DUPLICATE_KEY: `v` is used twice (first at line 9)",
                "f.yaml:10:5: UNKNOWN_KEY: unknown key `bogus` in task `a`",
            ],
            [
                "f.yaml:13:7: DUPLICATE_ID: `name: x` is used twice (first at line 1)",
            ],
        ]"#]]
    .assert_eq(&format!("{said:#?}"));
    assert!(all[0].workflow.is_some() && all[1].workflow.is_none() && all[2].workflow.is_none());
    let many = |n: usize| {
        let documents: Vec<String> = (0..n)
            .map(|i| format!("name: n{i}\ntasks: [{{id: a, set: {{v: 1}}}}]\n"))
            .collect();
        documents.join("---\n")
    };
    let whole = many(DOCUMENTS_MAX);
    let all = check_all(&source(&whole), None);
    assert!(all.len() == DOCUMENTS_MAX && all.iter().all(|checked| checked.workflow.is_some()));
    let text = many(DOCUMENTS_MAX + 1);
    let over = check_all(&source(&text), None).iter().any(|checked| {
        checked
            .errors
            .iter()
            .any(|error| error.code == "FILE_TOO_LARGE")
    });
    assert!(over);
    let broken = check_all(&source("name: x\n---\n{a"), None);
    assert!(broken.len() == 1 && broken[0].errors[0].code == "YAML_SYNTAX");
}
