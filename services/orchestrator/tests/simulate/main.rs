//! Workflows played with given answers, over the protocol: no engine is called.

mod files;

use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::orchestrator::v1::{TestWorkflowRequest, TestWorkflowResponse, TestedCase};
use gearmesh_fault::Failure;
use gearmesh_link::Link;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};

struct Bench {
    _mesh: TestMesh,
    client: OrchestratorServiceClient<Link>,
}

impl Bench {
    async fn new() -> Self {
        let services = [gearmesh_state::SERVICE, gearmesh_orchestrator::SERVICE];
        let mesh = TestMesh::start(&services).await;
        let client = OrchestratorServiceClient::new(mesh.link("orchestrator"));
        Self {
            _mesh: mesh,
            client,
        }
    }

    async fn test(&mut self, workflow: &str, cases: &str) -> Result<TestWorkflowResponse, Failure> {
        self.test_only(workflow, cases, "").await
    }

    async fn test_only(
        &mut self,
        workflow: &str,
        cases: &str,
        only: &str,
    ) -> Result<TestWorkflowResponse, Failure> {
        let request = TestWorkflowRequest {
            source: workflow.into(),
            file_name: "t.workflow.yaml".into(),
            cases: cases.into(),
            cases_file_name: "t.test.yaml".into(),
            only: only.into(),
        };
        let answer = self.client.test_workflow(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| Failure::of(&status))
    }

    /// All cases do as expected.
    async fn passes(&mut self, workflow: &str, cases: &str) -> Vec<TestedCase> {
        let tested = self
            .test(workflow, cases)
            .await
            .expect("both files are good");
        for case in &tested.cases {
            assert!(case.passed, "{}: {:#?}", case.name, case.faults);
            assert!(case.faults.is_empty(), "{}", case.name);
        }
        assert_eq!(tested.passed as usize, tested.cases.len());
        assert_eq!(tested.failed, 0);
        tested.cases
    }

    /// The faults of the one case.
    async fn faults(&mut self, workflow: &str, case: &str) -> Vec<String> {
        let cases = format!("cases:\n  - {case}\n");
        let tested = self
            .test(workflow, &cases)
            .await
            .expect("both files are good");
        assert_eq!((tested.passed, tested.failed), (0, 1), "{:?}", tested.cases);
        tested.cases.into_iter().flat_map(|c| c.faults).collect()
    }

    /// What is wrong with a test file.
    async fn refused(&mut self, cases: &str) -> String {
        let failure = self.test(ONE, cases).await.expect_err("refused");
        assert_eq!(failure.reason, "TEST_INVALID");
        failure.message
    }
}

const ONE: &str = r#"
name: one
inputs: {n: {type: integer, default: 3}}
tasks:
  - {id: put, tool: state.put, params: {key: a, value: "${inputs.n}"}}
  - {id: get, tool: state.get, params: {key: "${put.result.key}"}}
outputs: {n: "${get.result.value}"}
"#;

/// The result document of a case's run.
fn document(case: &TestedCase) -> Value {
    let run = case.run.as_ref().expect("the document of the run");
    serde_json::from_slice(&run.text).expect("JSON")
}

#[tokio::test]
async fn mocks_answer_by_task_and_by_tool() {
    let mut bench = Bench::new().await;
    let cases = bench
        .passes(
            ONE,
            r#"
cases:
  - name: by tool
    inputs: {n: 5}
    mocks:
      state.put: {result: {key: a, version: 1}}
      state_get: {result: {key: a, value: 7}}
    expect:
      status: succeeded
      outputs: {n: 7}
      calls:
        - {task: put, tool: state.put, params: {key: a, value: 5}}
        - state.get
      order: [put, get]
      tasks: {put: {status: succeeded, attempts: 1, result: {version: 1.0}}, get: succeeded}
  - name: by task first
    mocks:
      state.put: {result: {key: a}}
      state.get: {result: {value: of the tool}}
      get: {result: {value: of the task}}
    expect: {outputs: {n: of the task}}
"#,
        )
        .await;
    let first = &cases[0];
    let run = document(first);
    assert_eq!(
        (&run["workflow"], &run["status"]),
        (&json!("one"), &json!("succeeded"))
    );
    let calls: Vec<_> = (first.calls.iter())
        .map(|call| {
            let params = call.params.as_ref().expect("parameters");
            let params: Value = serde_json::from_slice(&params.text).expect("JSON");
            json!([call.task, call.tool, params])
        })
        .collect();
    let expected = json!([
        ["put", "state.put", {"key": "a", "value": 5}],
        ["get", "state.get", {"key": "a"}]
    ]);
    assert_eq!(Value::Array(calls), expected);
}

// WF-11.4
#[tokio::test]
async fn call_without_a_mock_fails_the_case() {
    let mut bench = Bench::new().await;
    let case = "{name: x, mocks: {put: {result: {key: a}}}}";
    let faults = bench.faults(ONE, case).await;
    assert_eq!(
        faults,
        [
            "no mock answers `state.get` of task `get`",
            "the run is `failed`, expected `succeeded` (`get`: NO_MOCK: no mock answers `state.get` of task `get`)"
        ]
    );
    let once = "{name: x, mocks: {put: {result: {key: a}, times: 1}, get: [{error: {code: TIMEOUT, retryable: true}}]}}";
    let retried = ONE.replace("tool: state.get,", "tool: state.get, retry: {attempts: 3},");
    let faults = bench.faults(&retried, once).await;
    assert_eq!(
        faults[0],
        "the mocks of `get` answer 1 calls, and `state.get` of task `get` makes another"
    );
}

#[tokio::test]
async fn what_is_otherwise_is_said() {
    let mut bench = Bench::new().await;
    let faults = bench
        .faults(
            ONE,
            r#"name: x
    mocks: {put: {result: {key: a}}, get: {result: {value: {list: [1, 2]}}}}
    expect:
      status: failed
      error: HTTP_STATUS
      outputs: {n: {list: [1, 3]}}
      calls: [get, {task: get, params: {key: b}}, put]
      order: [get, put]
      tasks: {put: {status: failed, attempts: 2, reason: CONDITION}}"#,
        )
        .await;
    assert_eq!(
        faults,
        [
            "the run is `succeeded`, expected `failed`",
            "`outputs.n.list[1]` is 2, expected 3",
            "the error of the run: there is none",
            "call 1 is `state.put` by `put`, expected `get`",
            "`call 2 (`get`): params.key` is \"a\", expected \"b\"",
            "2 calls were made, expected 3: put, get",
            "`put` began, but not behind `get`: put, get",
            "task `put` is `succeeded`, expected `failed`",
            "task `put` took 1 attempts, expected 2",
            "the reason of task `put` is ``, expected `CONDITION`"
        ]
    );
}

#[tokio::test]
async fn parameters_and_mocks_are_held_against_the_tool() {
    let mut bench = Bench::new().await;
    let workflow = ONE.replace(
        "key: a,",
        "key: \"${to_string(inputs.n)}\", ttl: \"${inputs.n}\",",
    );
    let faults = bench
        .faults(
            &workflow,
            "{name: x, inputs: {n: -1}, mocks: {put: {result: {}}}}",
        )
        .await;
    assert!(
        faults[0].starts_with("`state.put` of task `put`: `ttl`"),
        "{faults:?}"
    );
    let faults = bench
        .faults(
            ONE,
            "{name: x, mocks: {put: {result: {kee: a}}, get: {result: {}}}}",
        )
        .await;
    assert!(
        faults[0].starts_with("the mock of `state.put` of task `put` is no answer of that tool:"),
        "{faults:?}"
    );
}

// WF-11.4
#[tokio::test]
async fn clock_jumps_over_waits_and_delays() {
    let mut bench = Bench::new().await;
    let cases = bench
        .passes(
            r#"
name: waits
tasks:
  - {id: put, tool: state.put, params: {key: a, value: "${now}"}, retry: {attempts: 3, delay: 1h, jitter: false}}
  - {id: day, needs: [put], wait: {for: 24h}}
  - {id: until, needs: [day], wait: {until: "2026-03-01T00:00:00Z"}}
outputs: {now: "${now}", at: "${until.endTime}", waited: "${day.result.waited}"}
"#,
            r#"
cases:
  - name: jumps
    now: 2026-01-31T00:00:00Z
    mocks:
      put:
        - {error: {code: TIMEOUT, retryable: true}, times: 2}
        - {result: {}, delay: 10s}
    expect:
      outputs: {now: "2026-01-31T00:00:00.000Z", at: "2026-03-01T00:00:00.000Z", waited: 86400000}
      tasks: {put: {attempts: 3}}
"#,
        )
        .await;
    let took = &document(&cases[0])["duration"];
    assert_eq!(took, &json!(29_u64 * 24 * 3_600_000));
}

#[tokio::test]
async fn call_that_takes_too_long_times_out() {
    let mut bench = Bench::new().await;
    let workflow = r#"
name: late
tasks:
  - {id: get, tool: state.get, params: {key: a}, timeout: 5s}
  - {id: put, tool: state.put, params: {key: a, value: 1}, timeout: 5s, needs: [get], runIf: allDone}
onError: continue
"#;
    bench
        .passes(
            workflow,
            r#"
cases:
  - name: at its limit it is in time
    mocks: {get: {result: {}, delay: 5s}, put: {result: {}}}
  - name: behind it is late
    mocks: {get: {result: {}, delay: 5001ms}, put: {result: {}}}
    expect:
      status: partial
      error: {code: TASK_TIMEOUT, message: timed out after 5000ms, task: get}
      tasks: {put: succeeded}
"#,
        )
        .await;
}

const ASKS: &str = r#"
name: asks
inputs: {amount: {type: integer, default: 9}}
tasks:
  - id: decide
    approve:
      message: "Pay ${inputs.amount}?"
      approvers: [user:ann, user:ben]
      quorum: 2
      timeout: 2d
      form: {note: {type: string, required: true}}
outputs: {by: "${decide.result.by}"}
"#;

#[tokio::test]
async fn people_answer_when_the_case_says() {
    let mut bench = Bench::new().await;
    bench
        .passes(
            ASKS,
            r#"
cases:
  - name: both agree
    approvals:
      decide:
        - {approve: true, by: ann, form: {note: a}, delay: 1h}
        - {approve: true, by: user:ben, form: {note: b}, delay: 2h}
    expect:
      outputs: {by: [ann, ben]}
      tasks: {decide: {result: {approved: true, at: "2026-01-25T14:00:00.000Z", form: {note: b}}}}
  - name: who is not named is who may
    approvals: {decide: [{approve: true, form: {note: a}}, {approve: true, form: {note: a}}]}
    expect: {outputs: {by: [ann, ben]}}
  - name: one no is a no
    approvals:
      decide: [{approve: true, form: {note: a}}, {reject: true, by: ben, note: too much, form: {note: a}}]
    expect: {status: failed, error: {code: APPROVAL_REJECTED, message: too much}}
  - name: nobody answers
    expect: {status: failed, error: {code: APPROVAL_REJECTED, message: nobody answered}}
"#,
        )
        .await;
    let wrong = "{name: x, approvals: {decide: {approve: true, by: eve, form: {note: a}}}}";
    let faults = bench.faults(ASKS, wrong).await;
    assert_eq!(
        faults[0],
        "`decide` is for user:ann, user:ben, not for `eve`"
    );
    let agent = "{name: x, approvals: {decide: {approve: true, by: agent/bot, form: {note: a}}}}";
    let faults = bench.faults(ASKS, agent).await;
    assert_eq!(faults[0], "`agent/bot` is an agent; people answer `decide`");
    let twice =
        "{name: x, approvals: {decide: [&a {approve: true, by: ann, form: {note: a}}, *a]}}";
    let faults = bench.faults(ASKS, twice).await;
    assert_eq!(faults[0], "`ann` has answered `decide` before");
    let empty = "{name: x, approvals: {decide: {approve: true, by: ann}}}";
    let faults = bench.faults(ASKS, empty).await;
    assert_eq!(faults[0], "the form of `decide`: input `note` is required");
    let endless = ASKS
        .replace("timeout: 2d", "title: x")
        .replace("      title: x\n", "");
    let faults = bench.faults(&endless, "{name: x}").await;
    assert_eq!(
        faults[0],
        "the run waits for ever: `approvals` has no answer to task `decide`"
    );
}

#[tokio::test]
async fn events_come_when_the_case_says() {
    let mut bench = Bench::new().await;
    let workflow = r#"
name: listens
tasks:
  - id: paid
    wait: {event: {topic: "orders.*", where: event.payload.id == 7, timeout: 1h}}
  - id: sent
    needs: [paid]
    wait: {event: {topic: orders.sent, timeout: 1h}}
outputs: {paid: "${paid.result.payload}", at: "${sent.result.time}"}
"#;
    bench
        .passes(
            workflow,
            r#"
cases:
  - name: those without an instant come as soon as somebody waits
    events:
      - {topic: orders.paid, payload: {id: 6}}
      - {topic: orders.paid, payload: {id: 7}}
      - {topic: orders.sent, payload: {id: 7}}
    expect: {outputs: {paid: {id: 7}, at: "2026-01-25T12:00:00.000Z"}}
  - name: others at their instant
    events:
      - {topic: orders.paid, payload: {id: 7}, at: 10m}
      - {topic: orders.sent, payload: {id: 7}, at: 5m}
      - {topic: orders.sent, at: 2026-01-25T12:30:00Z}
    expect: {outputs: {at: "2026-01-25T12:30:00.000Z"}}
  - name: too late
    events:
      - {topic: orders.paid, payload: {id: 7}, at: 61m}
    expect: {status: failed, error: {code: WAIT_TIMEOUT, task: paid}}
"#,
        )
        .await;
}

#[tokio::test]
async fn items_groups_and_sub_workflows_are_named() {
    let mut bench = Bench::new().await;
    let workflow = r#"
name: nested
tasks:
  - id: dump
    each: [a, b]
    as: table
    tasks:
      - {id: rows, each: [1, 2], tool: state.get, params: {key: "${table}${item}"}}
      - {id: sum, set: {of: "${rows.result[].value}"}}
  - {id: other, workflow: report, params: {n: "${length(dump.result)}"}}
outputs: {b: "${dump.result[1].sum.of}", report: "${other.result.url}"}
"#;
    let mocks = r#"
cases:
  - name: nested
    mocks:
      state.get: {result: {value: 0}}
      rows[1]: {result: {value: 2}}
      dump[1].rows[1]: {result: {value: 9}}
      other: {result: {url: /r}}
    expect:
      outputs: {b: [0, 9], report: /r}
      calls:
        - {task: "dump[0].rows[0]", params: {key: a1}}
        - {task: "dump[0].rows[1]", params: {key: a2}}
        - {task: "dump[1].rows[0]", params: {key: b1}}
        - {task: "dump[1].rows[1]", params: {key: b2}}
        - {tool: "workflow:report", params: {n: 2}}
      tasks:
        dump[0].sum: {result: {of: [0, 0]}}
        dump[1].sum: {result: {of: [0, 9]}}
"#;
    bench.passes(workflow, mocks).await;
    let faults = bench
        .faults(
            workflow,
            "{name: x, mocks: {state.get: {result: {}}, rows: {result: {value: 1}}}}",
        )
        .await;
    assert_eq!(
        faults[0],
        "no mock answers workflow `report` of task `other`"
    );
}

#[tokio::test]
async fn what_had_succeeded_is_undone_and_handlers_run() {
    let mut bench = Bench::new().await;
    let workflow = r#"
name: undo
onError: undo
tasks:
  - id: put
    tool: state.put
    params: {key: a, value: 1}
    undo: {tool: state.delete, params: {key: "${put.result.key}"}}
  - {id: get, tool: state.get, params: {key: b}, needs: [put]}
finally:
  - {id: note, tool: state.put, params: {key: c, value: "${run.status}"}}
"#;
    let tested = bench
        .passes(
            workflow,
            r#"
cases:
  - name: taken back
    mocks:
      put: {result: {key: a}}
      get: {error: {code: KEY_NOT_FOUND, message: no key}}
      state.delete: {result: {}}
      note: {result: {}}
    expect:
      status: failed
      error: KEY_NOT_FOUND
      calls: [put, get, {tool: state.delete, params: {key: a}}, {task: note, params: {value: failed}}]
      tasks: {note: succeeded}
"#,
        )
        .await;
    assert_eq!(document(&tested[0])["undone"], "all");
}

#[tokio::test]
async fn two_plays_of_a_case_are_equal() {
    let mut bench = Bench::new().await;
    let workflow = ONE.replace("tool: state.get,", "tool: state.get, retry: {attempts: 3},");
    let cases = r#"
cases:
  - name: x
    mocks:
      put: {result: {key: a}}
      get: [{error: {code: TIMEOUT, retryable: true}}, {result: {value: 1}}]
"#;
    let first = bench.passes(&workflow, cases).await;
    let second = bench.passes(&workflow, cases).await;
    assert_eq!(first, second);
}
