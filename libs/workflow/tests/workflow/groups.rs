//! Groups, handlers, and who sees whom.

use std::fmt::Write;

use expect_test::expect;
use gearmesh_workflow::{Kind, Workflow, plan};

use crate::support::{catalog, checked, listed, workflow};

/// Tasks with their bodies, and the edges of each.
fn shown(workflow: &Workflow) -> String {
    let mut out = String::new();
    let id = |at: usize| workflow.tasks[at].id.as_str();
    for (body, known) in workflow.bodies.iter().enumerate() {
        let ids: Vec<&str> = known.range().map(id).collect();
        let _ = writeln!(out, "{body}: {}", ids.join(" "));
        for edge in &known.graph.edges {
            let (from, to) = (id(known.first + edge.from), id(known.first + edge.to));
            let _ = writeln!(out, "  {from} -> {to} by {}", edge.reason);
        }
    }
    out
}

const NESTED: &str = "name: x
tasks:
  - id: params
    set: {table: t}
  - id: dump
    each: [1, 2]
    as: part
    tasks:
      - id: rows
        set: {v: \"${params.result.table}-${part}-${index}\", count: 1}
      - id: deep
        tasks:
          - id: inner
            needs: [other]
            set: {v: \"${rows.result.v} ${part}\"}
      - id: keep
        set: {v: \"${deep.result.inner.v}\"}
  - id: other
    set: {v: 1}
  - id: sum
    set: {n: \"${sum(dump.result[].rows.count)}\", one: \"${dump.result[0].deep.inner.v}\"}
";

#[test]
fn inner_tasks_have_a_graph_of_their_own() {
    // WF-3.8, WF-3.44, WF-3.45
    let workflow = workflow(NESTED);
    expect![[r#"
        0: params dump other sum
          params -> dump by rows: set.v
          other -> dump by inner: needs
          dump -> sum by set.n
        1: rows deep keep
          rows -> deep by inner: set.v
          deep -> keep by set.v
        2: inner
    "#]]
    .assert_eq(&shown(&workflow));
    let group = |id: &str| {
        let task = workflow.tasks.iter().find(|task| task.id == id);
        match task.map(|task| &task.kind) {
            Some(Kind::Group { body }) => *body,
            other => panic!("{id}: {other:?}"),
        }
    };
    assert_eq!((group("dump"), group("deep")), (1, 2));
    assert_eq!(workflow.graph().levels.len(), 3);
}

#[test]
fn plan_says_where_inner_tasks_belong() {
    // WF-11.2
    let text = format!(
        "{NESTED}finally:\n  - id: last\n    tool: shop.find\n    params: {{site: \"${{run.status}}\"}}\n"
    );
    let plan = plan(&workflow(&text), catalog());
    let mut out = String::new();
    for task in &plan.tasks {
        let _ = writeln!(
            out,
            "{} {} in {:?} {} {:?} {:?}",
            task.id,
            task.kind,
            task.within,
            task.level,
            task.effect.map(|e| e.as_str()),
            task.dynamic
        );
    }
    let _ = writeln!(out, "{:?} {}", plan.critical_path, plan.edges.len());
    expect![[r#"
        params set in None 0 None []
        dump tasks in None 1 None []
        other set in None 0 None []
        sum set in None 2 None ["set.n", "set.one"]
        last tool in Some("finally") 0 Some("READ") ["params.site"]
        rows set in Some("dump") 0 None ["set.v"]
        deep tasks in Some("dump") 1 None []
        keep set in Some("dump") 2 None ["set.v"]
        inner set in Some("deep") 0 None ["set.v"]
        ["params", "dump", "sum"] 5
    "#]]
    .assert_eq(&out);
}

#[test]
fn outer_tasks_see_only_the_group() {
    // WF-3.45, WF-9.12
    let file = |lines: &str| format!("{NESTED}  - id: z\n    {lines}\n");
    expect![[r#"
        23:17 UNKNOWN_NAME `rows` is inside of the group `dump` and is not seen outside
    "#]]
    .assert_eq(&listed(&file("set: {v: \"${rows.result.v}\"}")));
    let hints = |lines: &str| checked(&file(lines)).errors[0].hints.join("; ");
    assert_eq!(
        hints("set: {v: \"${rows.result.v}\"}"),
        "take `dump.result[].rows`"
    );
    assert_eq!(
        hints("set: {v: \"${inner.result.v}\"}"),
        "take `dump.result[].deep.inner`"
    );
    assert_eq!(
        hints("needs: [inner]\n    set: {v: 1}"),
        "need `dump`, the group"
    );
    let beside = NESTED.replace("${deep.result.inner.v}", "${inner.result.v}");
    assert_eq!(
        checked(&beside).errors[0].hints,
        ["take `deep.result.inner`"]
    );
    expect![[r#"
        23:17 UNKNOWN_NAME `inner` is inside of the group `dump` and is not seen outside
    "#]]
    .assert_eq(&listed(&file("set: {v: \"${inner.result.v}\"}")));
    expect![[r#"
        23:13 MISSING_DEPENDENCY `rows` is inside of the group `dump` and is not seen outside
    "#]]
    .assert_eq(&listed(&file("needs: [rows]\n    set: {v: 1}")));
    expect![[r#"
        23:32 UNKNOWN_NAME the group `dump` has no task `rowz`; did you mean `rows`?
        23:58 UNKNOWN_NAME the result of `dump` is a list, one value per item; take `[0]` or all by `[]`
        23:92 UNKNOWN_NAME the result of `rows` has no `w`
    "#]].assert_eq(&listed(&file("set: {v: \"${dump.result[0].rowz}\", w: \"${dump.result.rows}\", x: \"${dump.result[0].rows.w}\"}")));
    expect![[r#"
        23:17 UNKNOWN_NAME no task or input is called `part`
    "#]]
    .assert_eq(&listed(&file("set: {v: \"${part}\"}")));
}

#[test]
fn inner_tasks_do_not_see_their_own_group() {
    // WF-3.16, WF-3.45
    expect![[r#"
        5:11 UNKNOWN_NAME `item` exists only inside of a task with `each`, and not in its `when` and `each`
        8:17 MISSING_DEPENDENCY `g` is the group around this task and ends after it
        10:21 UNKNOWN_NAME `g` is the group around this task and ends after it
    "#]].assert_eq(&listed("name: x\ntasks:\n  - id: g\n    each: [1]\n    when: item > 0\n    tasks:\n      - id: a\n        needs: [g]\n        when: item > 0\n        set: {v: \"${g.result}\"}\n"));
}

#[test]
fn cycles_through_groups_are_found() {
    // WF-5.1, WF-9.13
    expect![[r#"
        3:9 CIRCULAR_DEPENDENCY Circular dependency detected: g -> b -> g
        7:13 CIRCULAR_DEPENDENCY Circular dependency detected: p -> q -> p
    "#]].assert_eq(&listed("name: x\ntasks:\n  - id: g\n    tasks:\n      - id: a\n        set: {v: \"${b.result.v}\"}\n      - id: p\n        set: {v: \"${q.result.v}\"}\n      - id: q\n        needs: [p]\n        set: {v: 1}\n  - id: b\n    set: {v: \"${g.result.a.v}\"}\n"));
}

#[test]
fn ids_are_unique_in_the_whole_file() {
    // WF-3.1, WF-9.3
    expect![[r#"
        7:13 DUPLICATE_ID `id: a` is used twice (first at line 3)
        10:9 DUPLICATE_ID `id: g` is used twice (first at line 5)
    "#]].assert_eq(&listed("name: x\ntasks:\n  - id: a\n    set: {v: 1}\n  - id: g\n    tasks:\n      - id: a\n        set: {v: 1}\nfinally:\n  - id: g\n    set: {v: 1}\n"));
}

#[test]
fn groups_are_nested_at_most_eight_deep() {
    // WF-1.4
    let file = |deep: usize| {
        let mut text = "name: x\ntasks:\n".to_owned();
        for level in 0..deep {
            let indent = "  ".repeat(level);
            let _ = write!(text, "{indent}- id: g{level}\n{indent}  tasks:\n");
        }
        let indent = "  ".repeat(deep);
        let _ = write!(text, "{indent}- id: leaf\n{indent}  set: {{v: 1}}\n");
        text
    };
    assert_eq!(listed(&file(8)), "");
    expect![[r#"
        20:19 FILE_TOO_LARGE groups are nested deeper than 8 levels
    "#]]
    .assert_eq(&listed(&file(9)));
}

#[test]
fn tasks_of_all_graphs_count() {
    // WF-1.2
    let file = |inner: usize| {
        let mut text = "name: x\ntasks:\n- id: g\n  tasks:\n".to_owned();
        for task in 0..inner {
            let _ = writeln!(text, "  - {{id: t{task}, set: {{v: 1}}}}");
        }
        text
    };
    assert_eq!(listed(&file(9_999)), "");
    assert!(listed(&file(10_000)).contains("the workflow has 10001 tasks; the limit is 10000"));
}

#[test]
fn empty_group_is_refused() {
    // WF-3.8
    expect![[r#"
        4:12 INVALID_VALUE `tasks` of task `g`: expected at least one task
        6:12 INVALID_VALUE `tasks` of task `h`: expected a list of tasks, found a map
        8:13 MISSING_KEY task 1 has no `id`
        8:28 INVALID_VALUE task 2: expected a map, found number 5
    "#]].assert_eq(&listed("name: x\ntasks:\n  - id: g\n    tasks: []\n  - id: h\n    tasks: {a: 1}\n  - id: i\n    tasks: [{set: {v: 1}}, 5]\n"));
}

#[test]
fn handlers_see_the_graph_and_how_it_ended() {
    // WF-2.22, WF-2.24
    let text = "name: x\ntasks:\n  - id: a\n    set: {v: 1}\nfinally:\n  - id: close\n    set: {v: \"${a.result.v} ${run.status}\"}\nonFailure:\n  - id: tell\n    set: {v: \"${run.failedTask} ${run.error.message}\"}\n  - id: more\n    tasks:\n      - id: deep\n        set: {v: \"${tell.result.v} ${a.status} ${run.status}\"}\nonSuccess: []\n";
    let workflow = workflow(text);
    expect![[r#"
        0: a
        1: tell more
          tell -> more by deep: set.v
        2: close
        3: deep
    "#]]
    .assert_eq(&shown(&workflow));
    assert_eq!(
        (workflow.on_failure, workflow.on_success, workflow.finally),
        (Some(1), None, Some(2))
    );
    expect![[r#"
        4:21 UNKNOWN_NAME `run.status` is known only in `onFailure`, `onSuccess` and `finally`
        4:37 UNKNOWN_NAME `close` is a task of `finally` and is not seen outside of it
        5:12 INVALID_VALUE `onFailure` of the workflow: expected a list of tasks, found number 5
        11:13 MISSING_DEPENDENCY Task 'close' depends on 'a', which has ended before any handler runs
        11:16 MISSING_DEPENDENCY `done` is a task of `onSuccess` and is not seen outside of it
        12:17 UNKNOWN_NAME `done` is a task of `onSuccess` and is not seen outside of it
        13:21 UNKNOWN_NAME `run.status` is known only in `onFailure`, `onSuccess` and `finally`
        13:37 UNKNOWN_NAME `close` is a task of `finally` and is not seen outside of it
    "#]].assert_eq(&listed("name: x\ntasks:\n  - id: a\n    set: {v: \"${run.status}\", w: \"${close.result.v}\"}\nonFailure: 5\nonSuccess:\n  - id: done\n    set: {v: \"${run.failedTask}\"}\nfinally:\n  - id: close\n    needs: [a, done]\n    set: {v: \"${done.result.v}\"}\noutputs: {s: \"${run.status}\", c: \"${close.result.v}\"}\n"));
}

#[test]
fn joins_of_what_excludes_each_other_never_run() {
    // WF-5.11, WF-9.15
    let file = |first: &str, second: &str, join: &str| {
        format!(
            "name: x\ninputs: {{n: {{type: number}}}}\ntasks:\n  - id: a\n    when: {first}\n    set: {{v: 1}}\n  - id: b\n    when: {second}\n    set: {{v: 1}}\n  - id: c\n    needs: [a, b]\n    runIf: {join}\n    set: {{v: 1}}\n"
        )
    };
    expect![[r#"
        12:12 JOIN_NEVER_RUNS `a` and `b`, needed by `c`, exclude each other
    "#]]
    .assert_eq(&listed(&file(
        "inputs.n > 5",
        "inputs.n <= 5",
        "allSucceeded",
    )));
    expect![[r#"
        12:12 JOIN_NEVER_RUNS `a` and `b`, needed by `c`, exclude each other
    "#]]
    .assert_eq(&listed(&file(
        "inputs.n == 5",
        "\"!(inputs.n == 5)\"",
        "allSucceeded",
    )));
    assert_eq!(listed(&file("inputs.n > 5", "inputs.n <= 5", "ready")), "");
    assert_eq!(
        listed(&file("inputs.n > 5", "inputs.n <= 6", "allSucceeded")),
        ""
    );
}
