//! The test file: its faults, and its limits.

use super::{Bench, ONE};

#[tokio::test]
async fn faults_of_a_test_file_have_places() {
    let mut bench = Bench::new().await;
    for (cases, message) in [
        (
            "tests: []\n",
            "t.test.yaml:1:1: unknown key `tests` of the test file; the keys are `cases`, `$schema`",
        ),
        (
            "cases: []\n",
            "t.test.yaml:1:1: `cases` is empty; give at least one case",
        ),
        (
            "cases: {}\n",
            "t.test.yaml:1:1: `cases`: expected a list, found a map",
        ),
        ("cases:\n  - {}\n", "t.test.yaml:2:5: a case needs a `name`"),
        (
            "cases:\n  - name: a\n  - name: a\n",
            "t.test.yaml:3:5: two cases are called `a`",
        ),
        (
            "cases:\n  - name: a\n    mocks:\n      gett: {result: 1}\n",
            "t.test.yaml:4:7: `gett` of `mocks` is no task and no tool",
        ),
        (
            "cases:\n  - name: a\n    mocks: {get: {result: 1, error: {}}}\n",
            "t.test.yaml:3:13: give a mock either `result` or `error`",
        ),
        (
            "cases:\n  - name: a\n    mocks: {get: {result: 1, delay: 5}}\n",
            "t.test.yaml:3:30: `delay`: expected a duration as `30s`, found 5",
        ),
        (
            "cases:\n  - name: a\n    mocks: {get: {result: 1, times: 0}}\n",
            "t.test.yaml:3:30: `times`: expected a whole number from 1, found 0",
        ),
        (
            "cases:\n  - name: a\n    approvals: {get: {approve: true}}\n",
            "t.test.yaml:3:17: no task `get` with `approve`",
        ),
        (
            "cases:\n  - name: a\n    now: today\n",
            "t.test.yaml:3:5: `now`: expected an instant as `2027-03-28T09:00:00Z`, found text \"today\"",
        ),
        (
            "cases:\n  - name: a\n    expect: {status: good, tasks: {no: {}}}\n",
            "t.test.yaml:3:14: `status` is `good`; it is one of `succeeded`, `partial`, `failed`, `cancelled`, `timedOut`; \
             t.test.yaml:3:36: the workflow has no task `no`",
        ),
        (
            "cases:\n  - name: a\n    expect: {outputs: {m: 1}}\n",
            "t.test.yaml:3:24: the workflow has no output `m`",
        ),
    ] {
        let found = bench.refused(cases).await;
        assert!(found.contains(message), "{found}\nexpected: {message}");
    }
    let found = bench.refused("cases:\n\t- x\n").await;
    assert!(found.starts_with("t.test.yaml:2:1: YAML_TAB"), "{found}");
}

#[tokio::test]
async fn broken_workflow_and_wrong_inputs_are_refused() {
    let mut bench = Bench::new().await;
    let refused = bench
        .test("name: x\ntasks: []\n", "cases:\n  - name: a\n")
        .await
        .expect_err("no tasks");
    assert_eq!(refused.reason, "WORKFLOW_INVALID");
    let faults = bench.faults(ONE, "{name: x, inputs: {n: ten}}").await;
    assert_eq!(faults, ["input `n`: expected integer, found text \"ten\""]);
}

#[tokio::test]
async fn only_the_cases_that_are_meant_are_played() {
    let mut bench = Bench::new().await;
    let cases = "cases:\n  - {name: good one}\n  - {name: bad one}\n  - {name: other}\n";
    let tested = bench.test_only(ONE, cases, "one").await.expect("played");
    let names: Vec<_> = tested.cases.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["good one", "bad one"]);
    let none = bench.test_only(ONE, cases, "none").await.expect_err("none");
    assert_eq!(
        (none.reason.as_str(), none.message.as_str()),
        (
            "TEST_INVALID",
            "no case has `none` in its name; the cases are `good one`, `bad one`, `other`"
        )
    );
}

/// Cases of one file.
const CASES_MAX: usize = 500;

#[tokio::test]
async fn file_has_at_most_so_many_cases() {
    let mut bench = Bench::new().await;
    let cases = |count: usize| {
        let cases = (0..count).map(|n| format!("  - {{name: c{n}}}\n"));
        format!("cases:\n{}", cases.collect::<String>())
    };
    let once = "name: once\ntasks:\n  - {id: a, set: {x: 1}}\n";
    let most = bench.test(once, &cases(CASES_MAX)).await.expect("played");
    assert_eq!(most.passed as usize, CASES_MAX);
    let more = bench.test(once, &cases(CASES_MAX + 1)).await;
    let more = more.expect_err("one too many").message;
    assert!(more.contains("at most 500 cases"), "{more}");
}

/// Things that happen in one case.
const STEPS_MAX: usize = 50_000;

#[tokio::test]
async fn case_has_at_most_so_many_steps() {
    let mut bench = Bench::new().await;
    // Each item: its rounds with the waits between them, all items at once.
    let workflow = |rounds: usize| {
        format!(
            "name: rounds\ntasks:\n  - id: a\n    each: ${{range(`50`)}}\n    tool: state.get\n    \
             maxConcurrent: 50\n    params: {{key: a}}\n    \
             repeat: {{until: a.result.value == 1, delay: 1ms, max: {rounds}}}\n    \
             onError: {{use: {{}}}}\nmaxConcurrent: 50\n"
        )
    };
    let case = "cases:\n  - {name: x, mocks: {a: {result: {value: 0}}}}\n";
    // 50 answers and one wait a round, but for the last.
    let rounds = STEPS_MAX / 51;
    let fits = bench.test(&workflow(rounds), case).await.expect("played");
    assert_eq!(fits.cases[0].faults, Vec::<String>::new());
    let more = bench
        .test(&workflow(rounds + 2), case)
        .await
        .expect("played");
    assert_eq!(
        more.cases[0].faults[0],
        "the run has not ended after 50000 steps"
    );
}
