//! Needs, levels and chains.

use std::fmt::Write;

use expect_test::expect;
use gearmesh_workflow::{EDGES_MAX, Graph};

use crate::support::{checked, expect_said, workflow};

fn shown(graph: &Graph, ids: &[&str]) -> String {
    let mut text = String::new();
    for level in &graph.levels {
        let _ = writeln!(
            text,
            "{:?}",
            level.iter().map(|task| ids[*task]).collect::<Vec<_>>()
        );
    }
    for edge in &graph.edges {
        let _ = writeln!(
            text,
            "{} -> {} by {}",
            ids[edge.from], ids[edge.to], edge.reason
        );
    }
    let chain: Vec<&str> = graph.critical_path.iter().map(|task| ids[*task]).collect();
    let _ = writeln!(text, "chain {chain:?}");
    text
}

#[test]
fn needs_come_from_the_list_and_from_expressions() {
    // WF-3.11, WF-5.1
    let text = "name: x\ntasks:\n  - id: d\n    needs: [b]\n    when: c.status == 'succeeded'\n    set: {v: \"${b.result.v}\", w: [1, {deep: \"${a.result.v}\"}]}\n  - id: a\n    set: {v: 1}\n  - id: b\n    set: {v: \"${a.result.v}\"}\n  - id: c\n    each: ${a.result.v}\n    tool: shop.order\n    connection: \"${a.status}\"\n    params: {lines: [{name: \"${item}\"}]}\n    idempotencyKey: k-${b.status}\n    expect: b.result.v != c.result.number\n    onError: {use: \"${a.result.v}\"}\n  - id: e\n    needs: [a, a]\n    set: {v: 1}\n";
    let workflow = workflow(text);
    let ids: Vec<&str> = workflow.tasks.iter().map(|task| task.id.as_str()).collect();
    expect![[r#"
        ["a"]
        ["b", "e"]
        ["c"]
        ["d"]
        b -> d by needs
        a -> d by set.w[1].deep
        c -> d by when
        a -> b by set.v
        a -> c by each
        b -> c by idempotencyKey
        a -> e by needs
        chain ["a", "b", "c", "d"]
    "#]]
    .assert_eq(&shown(workflow.graph(), &ids));
}

#[test]
fn missing_need_is_named() {
    // WF-5.1, WF-9.14
    expect_said(
        "name: x\ntasks:\n  - id: fetch\n    set: {v: 1}\n  - id: b\n    needs: [fetsh, x]\n    set: {v: 1}\n",
        &expect![[r#"
            error[MISSING_DEPENDENCY]: Task 'b' depends on non-existent task 'fetsh'
             --> f.yaml:6:13
              |
            6 |     needs: [fetsh, x]
              |             ^^^^^
              = help: did you mean `fetch`?   gearmesh validate --fix f.yaml
              = note: nothing was run
            error[MISSING_DEPENDENCY]: Task 'b' depends on non-existent task 'x'
             --> f.yaml:6:20
              |
            6 |     needs: [fetsh, x]
              |                    ^
              = note: nothing was run
        "#]],
    );
}

#[test]
fn every_knot_is_shown_as_one_cycle() {
    // WF-5.1, WF-9.13
    let text = "name: x\ntasks:\n  - {id: a, needs: [b], set: {v: 1}}\n  - {id: b, needs: [c, d], set: {v: 1}}\n  - {id: c, needs: [a], set: {v: 1}}\n  - {id: d, needs: [b], set: {v: 1}}\n  - {id: e, needs: [e], set: {v: 1}}\n  - {id: f, needs: [a], set: {v: 1}}\n";
    expect_said(
        text,
        &expect![[r#"
        error[CIRCULAR_DEPENDENCY]: Circular dependency detected: a -> b -> c -> a
         --> f.yaml:3:10
          |
        3 |   - {id: a, needs: [b], set: {v: 1}}
          |          ^
          = note: nothing was run
        error[CIRCULAR_DEPENDENCY]: Circular dependency detected: e -> e
         --> f.yaml:7:10
          |
        7 |   - {id: e, needs: [e], set: {v: 1}}
          |          ^
          = note: nothing was run
    "#]],
    );
}

/// Levels the slow way: again and again, until nothing changes.
fn naive(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut level = vec![0; needs.len()];
    loop {
        let next: Vec<usize> = needs
            .iter()
            .map(|needs| needs.iter().map(|need| level[*need] + 1).max().unwrap_or(0))
            .collect();
        if next == level {
            return level;
        }
        level = next;
    }
}

fn file(needs: &[Vec<usize>]) -> String {
    let mut text = String::from("name: x\ntasks:\n");
    for (task, needs) in needs.iter().enumerate() {
        let needs: Vec<String> = needs.iter().map(|need| format!("t{need}")).collect();
        let _ = writeln!(
            text,
            "- {{id: t{task}, needs: [{}], set: {{v: 1}}}}",
            needs.join(",")
        );
    }
    text
}

/// A graph without cycles whose tasks stand in any order.
fn random(random: &mut fastrand::Rng, tasks: usize, most: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..tasks).collect();
    random.shuffle(&mut order);
    let mut needs = vec![Vec::new(); tasks];
    for (position, task) in order.iter().enumerate().skip(1) {
        for _ in 0..random.usize(..=most) {
            let need = order[random.usize(..position)];
            if !needs[*task].contains(&need) {
                needs[*task].push(need);
            }
        }
    }
    needs
}

#[test]
fn levels_are_longest_chains() {
    // WF-5.3
    let mut rng = fastrand::Rng::with_seed(42);
    for _ in 0..200 {
        let tasks = rng.usize(1..40);
        let needs = random(&mut rng, tasks, 4);
        let graph = workflow(&file(&needs)).graph().clone();
        let mut level = vec![0; tasks];
        for (depth, tasks) in graph.levels.iter().enumerate() {
            assert!(tasks.is_sorted() && !tasks.is_empty());
            tasks.iter().for_each(|task| level[*task] = depth);
        }
        assert_eq!(level, naive(&needs));
        assert_eq!(graph.needs, needs);
        assert_eq!(graph.critical_path.len(), graph.levels.len());
        assert!(
            graph
                .critical_path
                .windows(2)
                .all(|pair| needs[pair[1]].contains(&pair[0]))
        );
        assert!((0..tasks).all(|task| {
            graph.dependents[task]
                .iter()
                .all(|next| needs[*next].contains(&task))
        }));
        assert_eq!(
            graph.dependents.iter().map(Vec::len).sum::<usize>(),
            graph.edges.len()
        );
    }
}

#[test]
fn largest_graph_is_read() {
    // WF-1.2, WF-1.3
    let tasks = 10_000;
    let mut needs: Vec<Vec<usize>> = (0..tasks)
        .map(|task: usize| (task.saturating_sub(5)..task).collect())
        .collect();
    let edges: usize = needs.iter().map(Vec::len).sum();
    needs[tasks - 1].extend(0..EDGES_MAX - edges);
    let workflow = workflow(&file(&needs));
    assert_eq!(workflow.graph().edges.len(), EDGES_MAX);
    assert_eq!(workflow.graph().levels.len(), tasks);
    needs[tasks - 1].push(EDGES_MAX - edges);
    let errors = checked(&file(&needs)).errors;
    expect!["f.yaml:1:1: FILE_TOO_LARGE: the tasks have 50001 needs; the limit is 50000"]
        .assert_eq(&errors[0].to_string());
}

#[test]
fn cycle_through_every_task_is_one_fault() {
    let tasks = 10_000;
    let needs: Vec<Vec<usize>> = (0..tasks).map(|task| vec![(task + 1) % tasks]).collect();
    let errors = checked(&file(&needs)).errors;
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0]
            .message
            .starts_with("Circular dependency detected: t0 -> t1 -> t2 -> ")
    );
}
