//! What is read from a file without faults.

use std::time::Duration;

use gearmesh_workflow::{Backoff, Each, Kind, Node, OnError, OnItemError, RunIf, TaskOnError};
use serde_json::json;

use crate::support::{said, workflow};

const FULL: &str = "
name: nightly-2
title: Nightly
description: >-
  Does it
  all.
labels: {team: ops, tier: gold}
inputs:
  q: {type: string, default: rust}
vars:
  stamp: ${now}
  both: ${vars.stamp}-${inputs.q}
maxConcurrent: 3
timeout: 30m
retry: {attempts: 5, delay: 2s, maxDelay: 1m}
onError: continue
tasks:
  - id: look
    tool: shop.find
    params: {site: \"${inputs.q}\", pageSize: 5}
    when: inputs.q != ''
    expect: look.result.count > 0
    idempotencyKey: look-${vars.stamp}
    timeout: 20s
  - id: order
    each: [pen, \"${look.result.goods[0].name}\"]
    as: good
    tool: shop.order
    connection: main
    params: {lines: [{name: \"${good}\", count: \"${index}\"}]}
    needs: [look]
    runIf: allDone
    maxConcurrent: 2
    onItemError: continue
    retry: {attempts: 2, backoff: linear, jitter: false, errors: [BUSY], except: [GONE]}
    onError: {use: {number: none}}
  - id: sum
    set: {n: \"${length(order.result)}\", fixed: [1, two]}
    onError: stop
outputs:
  total: ${sum.result.n}
  note: done
";

#[test]
fn workflow_keys_are_read() {
    // WF-2.2, WF-2.6, WF-2.17, WF-2.18, WF-2.19, WF-2.21
    let workflow = workflow(FULL);
    assert_eq!(workflow.name, "nightly-2");
    assert_eq!(workflow.title.as_deref(), Some("Nightly"));
    assert_eq!(workflow.description.as_deref(), Some("Does it all."));
    assert_eq!(
        workflow.labels,
        [
            ("team".to_owned(), "ops".to_owned()),
            ("tier".to_owned(), "gold".to_owned())
        ]
    );
    assert_eq!(
        (workflow.max_concurrent, workflow.on_error),
        (3, OnError::Continue)
    );
    assert_eq!(workflow.timeout, Some(Duration::from_secs(1_800)));
    assert_eq!(workflow.inputs[0].default, Some(json!("rust")));
    assert_eq!(workflow.vars.len(), 2);
    assert_eq!(workflow.outputs.len(), 2);
    assert!(workflow.outputs[1].1.is_constant() && !workflow.outputs[0].1.is_constant());
}

#[test]
fn tool_task_is_read() {
    // WF-3.3, WF-3.9, WF-3.10, WF-3.12, WF-3.13, WF-3.21, WF-3.27, WF-3.30, WF-3.38
    let workflow = workflow(FULL);
    let look = &workflow.tasks[0];
    assert_eq!(look.tool(), Some("shop.find"));
    assert_eq!(look.timeout, Some(Duration::from_secs(20)));
    let retry = look.retry.as_ref().expect("the workflow's");
    assert_eq!(
        (retry.attempts, retry.delay, retry.max_delay),
        (5, Duration::from_secs(2), Some(Duration::from_secs(60)))
    );
    assert_eq!((retry.backoff, retry.jitter), (Backoff::Exponential, true));
    let Kind::Tool {
        params: Node::Map(params),
        ..
    } = &look.kind
    else {
        panic!("params with an expression")
    };
    assert!(!params[0].1.is_constant() && params[1].1.is_constant());
    let scope = json!({"inputs": {"q": ""}, "look": {"result": {"count": 1}}});
    let scope = scope.as_object().expect("a map");
    assert!(
        !look
            .when
            .as_ref()
            .expect("a condition")
            .holds(scope)
            .expect("it evaluates")
    );
    assert!(
        look.expect
            .as_ref()
            .expect("a condition")
            .holds(scope)
            .expect("it evaluates")
    );
}

#[test]
fn instances_and_policies_are_read() {
    // WF-3.14, WF-3.18, WF-3.19, WF-3.22, WF-3.23, WF-3.25, WF-3.31
    let workflow = workflow(FULL);
    let order = &workflow.tasks[1];
    let Some(Each::List(items)) = &order.each else {
        panic!("a list")
    };
    assert_eq!(items.len(), 2);
    assert_eq!(
        (order.as_name.as_str(), order.max_concurrent),
        ("good", Some(2))
    );
    assert_eq!(
        (order.run_if, order.on_item_error),
        (RunIf::AllDone, OnItemError::Continue)
    );
    assert_eq!(order.timeout, Some(Duration::from_secs(300)));
    let retry = order.retry.as_ref().expect("its own");
    assert_eq!(
        (retry.attempts, retry.backoff, retry.jitter),
        (2, Backoff::Linear, false)
    );
    assert!(retry.applies("BUSY", false) && !retry.applies("GONE", true));
    let Some(TaskOnError::Use(Node::Constant(value))) = &order.on_error else {
        panic!("a substitute")
    };
    assert_eq!(value, &json!({"number": "none"}));
    let sum = &workflow.tasks[2];
    assert!(matches!(sum.on_error, Some(TaskOnError::Stop)));
    assert!(
        sum.retry.is_none() && sum.timeout.is_none(),
        "what calls nothing is not retried"
    );
    assert_eq!(workflow.graph().levels, [vec![0], vec![1], vec![2]]);
}

#[test]
fn least_workflow_has_the_defaults() {
    // WF-2.15, WF-2.16, WF-2.18, WF-3.13, WF-3.15, WF-3.32, WF-3.35, WF-3.37
    let workflow = workflow("name: x\ntasks:\n  - id: a\n    tool: north_find\n");
    assert_eq!(
        (workflow.max_concurrent, workflow.on_error, workflow.timeout),
        (10, OnError::Stop, None)
    );
    let task = &workflow.tasks[0];
    assert_eq!(
        (task.run_if, task.as_name.as_str(), task.on_item_error),
        (RunIf::Ready, "item", OnItemError::Stop)
    );
    assert!(
        task.retry.is_none()
            && task.on_error.is_none()
            && task.connection.is_none()
            && task.each.is_none()
    );
    assert_eq!(workflow.graph().critical_path, [0]);
}

#[test]
fn values_keep_integers_and_the_order_of_keys() {
    let workflow =
        workflow("name: x\ntasks:\n  - id: a\n    set: {z: 9007199254740993, a: 1, m: [1.0, 1]}\n");
    let Kind::Set { values } = &workflow.tasks[0].kind else {
        panic!("a set")
    };
    let value = values.evaluate(&serde_json::Map::new()).expect("constants");
    assert_eq!(
        value.to_string(),
        r#"{"z":9007199254740993,"a":1,"m":[1.0,1]}"#
    );
}

#[test]
fn same_file_reads_without_end_of_line_and_with_other_ends() {
    assert_eq!(said(&FULL.replace('\n', "\r\n")), "");
    assert_eq!(said(FULL.trim_end()), "");
    assert_eq!(said(&format!("\u{feff}{}", FULL.trim_start())), "");
}
