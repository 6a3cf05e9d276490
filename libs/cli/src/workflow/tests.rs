use expect_test::expect;

use super::*;
use crate::output::{Format, capture};

fn stored() -> Value {
    json!({"name": "refund", "version": 2, "newest": 3, "state": "enabled", "title": "Refunds", "tasks": 4,
        "createTime": "2026-01-25T12:00:00Z", "author": "user:ada", "comment": "limit", "fileName": "refund.workflow.yaml",
        "labels": {"team": "shop"}, "triggers": [{"cron": "0 3 * * *"}],
        "inputs": {"type": "object", "required": ["orderId"], "properties": {
            "orderId": {"type": "integer"}, "amount": {"type": "number", "default": 5}}}})
}

#[test]
fn workflows_are_listed_and_described() {
    let (mut output, out, err) = capture::output(Format::Table);
    list(&mut output, &[stored()], true).unwrap();
    expect![[r#"
        WORKFLOW  VERSION  STATE    TASKS  TRIGGERS  TITLE
        refund    v2       enabled  4      1         Refunds
    "#]]
    .assert_eq(&out.text());
    assert_eq!(err.text(), "the first 1; --all shows all\n");
    expect![[r#"
        refund   v2, enabled, the newest is v3
        Refunds
        stored   2026-01-25T12:00:00Z by user:ada
        comment  limit
        file     refund.workflow.yaml
        tasks    4
        label    team=shop
        input    --order-id integer (required)
        input    --amount number [default: 5]
        trigger  {"cron":"0 3 * * *"}"#]]
    .assert_eq(&describe(&stored(), Style::default()));
}

#[test]
fn versions_are_listed_with_what_changed() {
    let (mut output, out, _) = capture::output(Format::Table);
    history(&mut output, &[stored()], false).unwrap();
    expect![[r#"
        VERSION  STORED                BY        TASKS  WHAT CHANGED
        v2       2026-01-25T12:00:00Z  user:ada  4      limit
    "#]]
    .assert_eq(&out.text());
}

#[test]
fn difference_names_tasks_and_lines() {
    let diff = json!({"from": 2, "to": 3, "added": ["b"], "removed": [], "changed": ["a"],
        "unified": "@@ -1 +1 @@\n-x\u{1b}[2J\n+y\n"});
    assert_eq!(
        changes(&diff, Style::default()),
        "+ task b\n~ task a\n@@ -1 +1 @@\n-x\\u{1b}[2J\n+y"
    );
    assert_eq!(changes(&json!({}), Style::default()), "");
}
