//! What tasks do beside calling tools, and what is done again or taken back.

use std::time::Duration;

use expect_test::expect;
use gearmesh_workflow::{Kind, Node, OnError, OnTimeout, OnUnknown, Task, Wait};

use crate::support::{listed, with_task, workflow};

fn task(lines: &str) -> Task {
    let mut workflow = workflow(&with_task(lines));
    workflow.tasks.remove(1)
}

fn said(lines: &str) -> String {
    listed(&with_task(lines))
}

#[test]
fn workflow_task_has_a_name_and_inputs() {
    // WF-3.4
    let task = task(
        "workflow: sub-one\nparams: {id: \"${first.result.count}\", fixed: 1}\nretry: {attempts: 2}\ntimeout: 1h",
    );
    let Kind::Workflow { name, params } = &task.kind else {
        panic!("{:?}", task.kind);
    };
    assert_eq!(name, "sub-one");
    assert!(matches!(params, Node::Map(entries) if entries.len() == 2));
    assert_eq!(task.retry.map(|retry| retry.attempts), Some(2));
    assert_eq!(task.timeout, Some(Duration::from_secs(3600)));
    expect![[r#"
        8:15 INVALID_ID `Sub One`: a name has small letters, digits and hyphens and begins with a letter
        9:5 TASK_KIND `connection` of task `a` goes with `tool` only
        10:13 INVALID_VALUE `params` of task `a`: expected a map, found a list
    "#]].assert_eq(&said("workflow: Sub One\nconnection: c\nparams: [1]"));
}

#[test]
fn approve_is_read_with_its_defaults() {
    // WF-3.6, WF-3.47, WF-3.48, WF-3.49
    let least = task("approve: {message: \"Pay ${inputs.q}?\", approvers: [role:finance]}");
    let Kind::Approve(approve) = &least.kind else {
        panic!("{:?}", least.kind);
    };
    assert_eq!((approve.quorum, approve.timeout), (1, None));
    assert_eq!(approve.on_timeout, OnTimeout::Reject);
    assert_eq!(approve.approvers.len(), 1);
    assert!(approve.form.is_empty() && least.timeout.is_none());
    let full = task(
        "approve:\n  message: Pay?\n  approvers: [\"user:${inputs.q}\", role:ops]\n  quorum: 2\n  timeout: 2d\n  onTimeout: fail\n  form: {note: {type: string}, sum: {type: number, default: 5}}",
    );
    let Kind::Approve(approve) = &full.kind else {
        panic!("{:?}", full.kind);
    };
    assert_eq!(approve.quorum, 2);
    assert_eq!(approve.timeout, Some(Duration::from_secs(172_800)));
    assert_eq!(approve.on_timeout, OnTimeout::Fail);
    assert_eq!(approve.form.len(), 2);
    expect![[r#"
        8:24 INVALID_VALUE `message` of `approve` of task `a`: expected text, found text ""
        8:40 INVALID_VALUE `approvers` of `approve` of task `a`: expected `user:name` or `role:name`, found text "ops"
        8:45 INVALID_VALUE `approvers` of `approve` of task `a`: expected `user:name` or `role:name`, found text "user:"
        8:63 INVALID_VALUE `quorum` of `approve` of task `a`: expected a whole number from 1 to 100, found number 0
        8:77 INVALID_VALUE `onTimeout` of `approve` of task `a`: expected one of reject, approve, fail, found text "maybe"
        8:91 INVALID_ID `a-b`: an input has letters, digits and `_` only
        8:111 UNKNOWN_KEY unknown key `who` in `approve` of task `a`
    "#]].assert_eq(&said(
        "approve: {message: \"\", approvers: [ops, \"user:\"], quorum: 0, onTimeout: maybe, form: {a-b: {type: text}}, who: me}",
    ));
    expect![[r#"
        8:5 MISSING_KEY `approve` of task `a` has no `message`
        8:26 INVALID_VALUE `approvers` of `approve` of task `a`: expected 1 to 100 approvers, found a list
    "#]].assert_eq(&said("approve: {approvers: []}"));
    assert!(said("approve: {message: m, approvers: [role:a], quorum: 100}").is_empty());
    assert!(!said("approve: {message: m, approvers: [role:a], quorum: 101}").is_empty());
}

#[test]
fn wait_has_exactly_one_way() {
    // WF-3.7
    assert!(
        matches!(task("wait: {for: 90m}").kind, Kind::Wait(wait) if matches!(*wait, Wait::For(_)))
    );
    let until = "wait: {until: \"2027-01-31T09:00:00Z\"}";
    assert!(matches!(task(until).kind, Kind::Wait(wait) if matches!(*wait, Wait::Until(_))));
    let computed = "wait: {until: \"${date_add(now, '+1h')}\"}";
    assert!(
        matches!(task(computed).kind, Kind::Wait(wait) if matches!(*wait, Wait::Until(Node::Text(_))))
    );
    for text in [
        "wait: {event: order.paid, where: event.payload.id == inputs.q, timeout: 1d}",
        "wait: {event: {topic: order.paid, where: event.payload.id == inputs.q, timeout: 1d}}",
    ] {
        let Kind::Wait(wait) = task(text).kind else {
            panic!("{text}");
        };
        let Wait::Event {
            topic,
            where_,
            timeout,
        } = *wait
        else {
            panic!("{text}");
        };
        assert!(matches!(topic, Node::Constant(topic) if topic == "order.paid"));
        assert!(where_.is_some());
        assert_eq!(timeout, Some(Duration::from_secs(86_400)));
    }
    expect![[r#"
        8:5 TASK_KIND `wait` of task `a`: give `for`, `until` or `event`
    "#]]
    .assert_eq(&said("wait: {}"));
    expect![[r#"
        8:20 TASK_KIND `wait` of task `a` has `for` and `until`; give exactly one
    "#]]
    .assert_eq(&said("wait: {for: 5, until: tomorrow}"));
    expect![[r#"
        8:17 UNITLESS_DURATION `for: 5` has no unit; `5s`?
    "#]]
    .assert_eq(&said("wait: {for: 5}"));
    expect![[r#"
        8:19 INVALID_VALUE `until` of `wait` of task `a`: expected an instant as `2027-01-31T09:00:00Z`, found text "tomorrow"
        8:29 TASK_KIND `where` of `wait` of task `a` goes with `event` only
    "#]].assert_eq(&said("wait: {until: tomorrow, where: \"true == event.x\"}"));
    expect![[r#"
        8:19 INVALID_VALUE the topic "a..b" of `wait` of task `a`: expected parts of letters, digits, `_` and `-` with dots between, `*` for one and `**` at the end for the rest, at most 100 characters
        8:36 INVALID_VALUE `timeout` of `wait` of task `a`: expected more than 0s, found text "0s"
    "#]].assert_eq(&said("wait: {event: \"a..b\", timeout: 0s}"));
    expect![[r#"
        8:12 MISSING_KEY `event` of `wait` of task `a` has no `topic`
        8:37 DUPLICATE_KEY `where` of `wait` of task `a` is given twice
    "#]]
    .assert_eq(&said("wait: {event: {where: event.x}, where: event.y}"));
    expect![[r#"
        8:19 INVALID_VALUE the topic "a.**.b" of `wait` of task `a`: expected parts of letters, digits, `_` and `-` with dots between, `*` for one and `**` at the end for the rest, at most 100 characters
        9:11 UNKNOWN_NAME `event` exists only in a `where`
    "#]].assert_eq(&said("wait: {event: \"a.**.b\"}\nwhen: event.x"));
}

#[test]
fn results_of_waits_and_approvals_are_known() {
    // WF-3.6, WF-3.7, WF-4.10
    let file = "name: x\ntasks:\n  - id: ask\n    approve: {message: m, approvers: [role:a]}\n  - id: nap\n    wait: {for: 1s}\n  - id: paid\n    wait: {event: a.b}\n  - id: last\n    set: {a: \"${ask.result.by[0]}\", b: \"${ask.result.aproved}\", c: \"${nap.result.waited}\", d: \"${paid.result.payload.x}\", e: \"${paid.result.waited}\"}\n";
    expect![[r#"
        10:54 UNKNOWN_NAME the result of `ask` has no `aproved`; did you mean `approved`?
        10:141 UNKNOWN_NAME the result of `paid` has no `waited`
    "#]]
    .assert_eq(&listed(file));
}

#[test]
fn repeat_looks_at_the_own_result() {
    // WF-3.20
    let least = task("tool: shop.find\nparams: {site: a}\nrepeat: {until: a.result.count > 3}");
    let repeat = least.repeat.expect("it was read");
    assert_eq!((repeat.delay, repeat.max), (Duration::from_secs(1), 100));
    assert_eq!(repeat.timeout, None);
    let full =
        task("set: {v: 1}\nrepeat: {until: a.result.v == 1, delay: 0s, max: 10000, timeout: 1h}");
    let repeat = full.repeat.expect("it was read");
    assert_eq!((repeat.delay, repeat.max), (Duration::ZERO, 10_000));
    assert_eq!(repeat.timeout, Some(Duration::from_secs(3600)));
    expect![[r#"
        9:22 TEMPLATE_IN_CONDITION write the condition without `${}`
        9:43 INVALID_VALUE `max` of `repeat` of task `a`: expected a whole number from 1 to 10000, found number 10001
        9:50 UNKNOWN_KEY unknown key `every` in `repeat` of task `a`
    "#]].assert_eq(&said(
        "set: {v: 1}\nrepeat: {until: \"${a.result.v}\", max: 10001, every: 1s}",
    ));
    expect![[r#"
        9:5 MISSING_KEY `repeat` of task `a` has no `until`
    "#]]
    .assert_eq(&said("set: {v: 1}\nrepeat: {delay: 1s}"));
}

#[test]
fn undo_calls_a_tool_with_the_own_result() {
    // WF-3.34, WF-6.3
    let task = task(
        "tool: shop.order\nparams: {lines: [{name: x}]}\nundo: {tool: shop.order, params: {lines: [{name: \"${a.result.number}\"}]}}",
    );
    assert_eq!(
        task.undo.map(|undo| undo.tool).as_deref(),
        Some("shop.order")
    );
    expect![[r#"
        9:18 TOOL_NOT_FOUND no tool `shop.ordr`; nearest: shop.order
    "#]]
    .assert_eq(&said("set: {v: 1}\nundo: {tool: shop.ordr}"));
    expect![[r#"
        9:58 UNKNOWN_NAME the result of `a` has no `w`
        9:63 UNKNOWN_PARAM `shop.order` takes no `colour`
    "#]]
    .assert_eq(&said(
        "set: {v: 1}\nundo: {tool: shop.order, params: {lines: \"${a.result.w}\", colour: red}}",
    ));
    expect![[r#"
        9:11 INVALID_VALUE `undo` of task `a`: expected a map as `{tool: file.delete, params: {path: x}}`, found text "shop.order"
        10:14 INVALID_VALUE `onError` of task `a`: expected one of stop, continue, found text "undo"
    "#]].assert_eq(&said("set: {v: 1}\nundo: shop.order\nonError: undo"));
    // The connection of the task is that of its undoing, where this takes one.
    let order = "params: {lines: [{name: x}]}";
    for lines in [
        format!("tool: shop.order\nconnection: c\n{order}\nundo: {{tool: shop.order, {order}}}"),
        format!(
            "tool: shop.order\nconnection: c\n{order}\nundo: {{tool: shop.find, params: {{site: a}}}}"
        ),
        format!(
            "tool: shop.order\nconnection: c\n{order}\nundo: {{tool: shop.order, params: {{account: d, lines: [{{name: x}}]}}}}"
        ),
    ] {
        assert_eq!(said(&lines), "", "{lines}");
    }
    let workflow = workflow("name: x\nonError: undo\ntasks:\n  - id: a\n    set: {v: 1}\n");
    assert_eq!(workflow.on_error, OnError::Undo);
}

#[test]
fn cache_is_for_calls_that_read() {
    // WF-3.39
    let task =
        task("each: [1]\ntool: shop.find\nparams: {site: a}\ncache: {key: \"k-${item}\", ttl: 1h}");
    let cache = task.cache.expect("it was read");
    assert_eq!(cache.ttl, Duration::from_secs(3600));
    expect![[r#"
        10:5 TASK_KIND `cache` of task `a` goes with tools of effect READ only; `shop.order` has WRITE
    "#]].assert_eq(&said(
        "tool: shop.order\nparams: {lines: [{name: x}]}\ncache: {key: k, ttl: 1h}",
    ));
    expect![[r#"
        9:5 MISSING_KEY `cache` of task `a` has no `ttl`
        9:5 TASK_KIND `cache` of task `a` goes with `tool` only
    "#]]
    .assert_eq(&said("set: {v: 1}\ncache: {key: k}"));
}

#[test]
fn keys_of_one_word_are_read() {
    // WF-3.32, WF-3.33, WF-3.35, WF-3.36, WF-3.37
    let task = task(
        "tool: shop.find\nparams: {site: a}\nonUnknown: ask\npriority: 100\nsave: \"goods-${a.result.count}.json\"\nsensitive: true",
    );
    assert_eq!(
        (task.on_unknown, task.priority, task.sensitive),
        (OnUnknown::Ask, 100, true)
    );
    assert!(matches!(task.save, Some(Node::Text(_))));
    expect![[r#"
        9:5 TASK_KIND `onUnknown` of task `a` goes with `tool` and `workflow` only
        10:15 INVALID_VALUE `priority` of task `a`: expected a whole number from 0 to 100, found number 101
        11:11 INVALID_VALUE `save` of task `a`: expected text, found number 5
        12:16 INVALID_VALUE `sensitive` of task `a`: expected true or false, found number 1
    "#]].assert_eq(&said(
        "set: {v: 1}\nonUnknown: retry\npriority: 101\nsave: 5\nsensitive: 1",
    ));
}

#[test]
fn what_is_inside_of_a_sensitive_group_is_sensitive() {
    // WF-3.37
    let text = "sensitive: true\ntasks:\n  - {id: b, set: {v: 1}}\n  - id: c\n    tasks:\n      - {id: d, set: {v: 1}}";
    let found = workflow(&with_task(text));
    let hidden = |id: &str| found.tasks.iter().any(|t| t.id == id && t.sensitive);
    assert!(
        ["a", "b", "c", "d"].into_iter().all(hidden),
        "{:?}",
        found.tasks
    );
}

#[test]
fn priority_and_concurrency_of_a_workflow_are_read() {
    // WF-2.9, WF-2.10, WF-2.11, WF-2.12, WF-2.13, WF-2.15
    let file = |head: &str| format!("name: x\n{head}\ntasks:\n  - id: a\n    set: {{v: 1}}\n");
    let priority = |n: u8| listed(&file(&format!("priority: {n}")));
    assert!(priority(1).is_empty() && priority(9).is_empty());
    assert!(!priority(0).is_empty() && !priority(10).is_empty());
    let least = workflow(&file("concurrency: {}"))
        .concurrency
        .expect("it was read");
    assert_eq!(
        (least.limit, format!("{:?}", least.on_conflict)),
        (1, "Queue".to_owned())
    );
    assert!(least.key.is_none());
    for (word, shown) in [
        ("queue", "Queue"),
        ("skip", "Skip"),
        ("cancelRunning", "CancelRunning"),
    ] {
        let text = file(&format!(
            "concurrency: {{limit: 3, key: \"global:${{trigger.id}}\", onConflict: {word}}}"
        ));
        let read = workflow(&text).concurrency.expect("it was read");
        assert_eq!(
            (read.limit, format!("{:?}", read.on_conflict)),
            (3, shown.to_owned())
        );
    }
    let limit = |n: u32| listed(&file(&format!("concurrency: {{limit: {n}}}")));
    assert!(limit(10_000).is_empty() && !limit(10_001).is_empty());
    expect![[r#"
        2:22 INVALID_VALUE `limit` of `concurrency`: expected a whole number from 1 to 10000, found number 0
        2:33 UNKNOWN_NAME `a` is a task; `concurrency.key` is read before any task runs
        2:59 INVALID_VALUE `onConflict` of `concurrency`: expected one of queue, skip, cancelRunning, found text "wait"
    "#]].assert_eq(&listed(&file(
        "concurrency: {limit: 0, key: \"${a.result.v}\", onConflict: wait}",
    )));
    expect![[r#"
        2:14 INVALID_VALUE `concurrency` of the workflow: expected a map as `{limit: 1}`, found number 1
    "#]].assert_eq(&listed(&file("concurrency: 1")));
}

#[test]
fn unused_inputs_are_warned_of() {
    // WF-9.27
    let file = |set: &str| {
        format!(
            "name: x\ninputs: {{a: {{type: string}}, b: {{type: string}}}}\ntasks:\n  - id: t\n    set: {{v: \"${{{set}}}\"}}\n"
        )
    };
    expect![[r#"
        2:29 UNUSED_INPUT no expression uses the input `b`
    "#]]
    .assert_eq(&listed(&file("inputs.a")));
    assert!(listed(&file("to_json(inputs)")).is_empty());
    assert!(!listed(&file("inputs.c")).contains("UNUSED_INPUT"));
}
