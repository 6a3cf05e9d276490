//! The planner against a world in which time and answers are given.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::{Source, check};

use super::state::RunEnd;
use super::*;

/// Every tool exists and takes what it is given.
struct AnyTool;

impl Tools for AnyTool {
    fn resolve(&self, prepared: Prepared) -> Result<Resolved, Problem> {
        if prepared.tool == "no.such" {
            return Err(Problem::new("TOOL_NOT_FOUND", "no tool `no.such`"));
        }
        Ok(Resolved {
            tool: prepared.tool,
            params: prepared.params,
            class: "IDEMPOTENT",
            key: prepared.key,
        })
    }
}

/// A run in a world where each answer is given.
struct World {
    state: State,
    records: Vec<journal::Record>,
    calls: VecDeque<Dispatch>,
    /// Calls in the order in which they were sent: `task` or `task[item]`.
    sent: Vec<String>,
    now_ms: i64,
    most_at_once: usize,
    aborted: bool,
    draining: bool,
}

fn new_state(source: &str) -> State {
    let source = source.replacen("\ntasks:", "\ninputs: {n: {type: integer}}\ntasks:", 1);
    let checked = check(
        &Source {
            text: &source,
            file_name: "test.workflow.yaml",
            dialect: None,
        },
        None,
    );
    assert!(checked.errors.is_empty(), "{:?}", checked.errors);
    let workflow = checked.workflow.expect("no errors");
    let accepted = journal::Accepted {
        inputs: br#"{"n": 3}"#.as_slice().into(),
        vars: b"{}".as_slice().into(),
        deadline_ms: workflow
            .timeout
            .map(|t| i64::try_from(t.as_millis()).expect("short")),
        ..journal::Accepted::default()
    };
    State::new("run_0000000000001".into(), Arc::new(workflow), &accepted, 0)
}

impl World {
    fn new(source: &str) -> Self {
        let mut world = Self {
            state: new_state(source),
            records: Vec::new(),
            calls: VecDeque::new(),
            sent: Vec::new(),
            now_ms: 0,
            most_at_once: 0,
            aborted: false,
            draining: false,
        };
        world.input(Input::Begin);
        world
    }

    fn input(&mut self, input: Input) {
        let mut decided = Decided::default();
        let moment = Moment {
            now_ms: self.now_ms,
            draining: self.draining,
            chance: &|| 1.0,
            tools: &AnyTool,
        };
        advance(&mut self.state, &moment, input, &mut decided);
        self.records.extend(decided.records);
        for command in decided.commands {
            match command {
                Command::Dispatch(dispatch) => {
                    self.sent.push(self.name(&dispatch));
                    self.calls.push_back(*dispatch);
                }
                Command::Abort => self.aborted = true,
            }
        }
        self.most_at_once = self.most_at_once.max(self.calls.len());
    }

    fn name(&self, dispatch: &Dispatch) -> String {
        let id = &self.state.workflow.tasks[dispatch.task].id;
        match self.state.tasks[dispatch.task].items {
            Some(_) => format!("{id}[{}]", dispatch.item),
            None => id.clone(),
        }
    }

    fn answer(&mut self, dispatch: &Dispatch, answer: Answer) {
        self.input(Input::Answered {
            task: dispatch.task,
            item: dispatch.item,
            attempt: dispatch.attempt,
            answer,
        });
    }

    /// Answers all calls, oldest first, and lets time pass where nothing is under way.
    fn play(mut self, mut world: impl FnMut(&str, u32) -> Answer) -> Self {
        for _ in 0..100_000 {
            if let Some(dispatch) = self.calls.pop_front() {
                let answer = world(&self.name(&dispatch), dispatch.attempt);
                self.answer(&dispatch, answer);
            } else if let Some(due) = self.state.due_ms() {
                self.now_ms = due;
                self.input(Input::Due);
            } else {
                break;
            }
        }
        assert!(self.state.ended(), "the run is stuck");
        self.replays();
        self
    }

    /// The records alone lead to the same state.
    fn replays(&self) {
        let mut again = State::new(
            self.state.run.clone(),
            self.state.workflow.clone(),
            &journal::Accepted::default(),
            0,
        );
        for record in &self.records {
            again.fold(record);
        }
        let known = |s: &State| {
            let tasks: Vec<_> = s
                .tasks
                .iter()
                .map(|t| (t.status, t.reason.clone(), t.view.clone(), t.attempts()))
                .collect();
            (
                s.phase,
                tasks,
                s.outputs.clone(),
                s.leased,
                s.open,
                s.ready.len(),
                s.backoffs.len(),
            )
        };
        assert_eq!(known(&again), known(&self.state));
    }

    fn statuses(&self) -> BTreeMap<&str, String> {
        self.state
            .workflow
            .tasks
            .iter()
            .zip(&self.state.tasks)
            .map(|(d, t)| {
                let status = format!("{:?}", t.status).to_lowercase();
                let reason = if t.reason.is_empty() {
                    String::new()
                } else {
                    format!(" {}", t.reason)
                };
                (d.id.as_str(), format!("{status}{reason}"))
            })
            .collect()
    }

    fn end(&self) -> RunEnd {
        match self.state.phase {
            Phase::Ended(end) => end,
            other => panic!("not ended: {other:?}"),
        }
    }
}

fn done() -> Answer {
    Answer::Done(json!({"x": 1}))
}

fn failing(code: &str, retryable: bool) -> Answer {
    Answer::Failed {
        problem: Problem {
            retryable,
            ..Problem::new(code, "it failed")
        },
        retry_after_ms: None,
    }
}

const DIAMOND: &str = "
name: d
tasks:
  - {id: a, tool: t.a}
  - {id: b, tool: t.b, needs: [a]}
  - {id: c, tool: t.c, needs: [a]}
  - {id: d, tool: t.d, needs: [b, c]}
";

#[test]
fn task_starts_when_its_own_needs_have_ended() {
    let world = World::new(DIAMOND).play(|_, _| done());
    assert_eq!(world.sent, ["a", "b", "c", "d"]);
    assert_eq!(world.most_at_once, 2);
    assert_eq!(world.end(), RunEnd::Succeeded);
}

#[test]
fn task_of_a_later_level_starts_while_an_earlier_level_still_runs() {
    let mut world = World::new(
        "
name: d
tasks:
  - {id: slow, tool: t.a}
  - {id: quick, tool: t.b}
  - {id: after, tool: t.c, needs: [quick]}
",
    );
    let quick = world.calls.remove(1).expect("both are sent at once");
    world.answer(&quick, done());
    assert_eq!(world.sent, ["slow", "quick", "after"]);
}

#[test]
fn failure_stops_what_has_not_started() {
    let world = World::new(
        "
name: s
tasks:
  - {id: bad, tool: t.a}
  - {id: good, tool: t.b}
  - {id: child, tool: t.c, needs: [bad]}
  - {id: other, tool: t.d, needs: [good]}
  - {id: always, tool: t.e, needs: [child], runIf: allDone}
  - {id: alarm, tool: t.f, needs: [bad], runIf: anyFailed}
",
    )
    .play(|task, _| {
        if task == "bad" {
            failing("X", false)
        } else {
            done()
        }
    });
    let statuses = world.statuses();
    assert_eq!(statuses["bad"], "failed");
    assert_eq!(statuses["good"], "succeeded", "what runs ends normally");
    assert_eq!(statuses["child"], "skipped NEED_FAILED");
    assert_eq!(statuses["other"], "skipped RUN_STOPPED");
    assert_eq!(statuses["always"], "succeeded");
    assert_eq!(statuses["alarm"], "succeeded");
    assert_eq!(world.end(), RunEnd::Failed);
}

#[test]
fn failure_under_continue_leaves_the_rest_alone() {
    let world = World::new(
        "
name: s
onError: continue
tasks:
  - {id: bad, tool: t.a}
  - {id: good, tool: t.b}
  - {id: child, tool: t.c, needs: [bad]}
  - {id: other, tool: t.d, needs: [good]}
",
    )
    .play(|task, _| {
        if task == "bad" {
            failing("X", false)
        } else {
            done()
        }
    });
    assert_eq!(world.statuses()["child"], "skipped NEED_FAILED");
    assert_eq!(world.statuses()["other"], "succeeded");
    assert_eq!(world.end(), RunEnd::Partial);
}

#[test]
fn join_after_two_exclusive_branches_runs() {
    let world = World::new(
        "
name: j
tasks:
  - {id: big, when: inputs.n > 5, tool: t.a}
  - {id: small, when: inputs.n <= 5, tool: t.b}
  - {id: after, tool: t.c, needs: [big, small]}
  - {id: strict, tool: t.c, needs: [big, small], runIf: allSucceeded}
  - {id: none, tool: t.c, needs: [big]}
",
    )
    .play(|_, _| done());
    let statuses = world.statuses();
    assert_eq!(statuses["big"], "skipped CONDITION");
    assert_eq!(statuses["after"], "succeeded");
    assert_eq!(statuses["strict"], "skipped NEEDS_SKIPPED");
    assert_eq!(statuses["none"], "skipped NEEDS_SKIPPED");
    assert_eq!(world.end(), RunEnd::Succeeded);
}

#[test]
fn retryable_failure_is_tried_again_with_growing_waits() {
    let mut attempts = Vec::new();
    let world = World::new(
        "
name: r
tasks:
  - {id: a, tool: t.a, retry: {attempts: 3, delay: 1s, jitter: false}}
",
    )
    .play(|_, attempt| {
        attempts.push(attempt);
        if attempt < 3 {
            failing("HTTP_STATUS", true)
        } else {
            done()
        }
    });
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(world.now_ms, 3_000, "1 s, then 2 s");
    assert_eq!(world.end(), RunEnd::Succeeded);
}

#[test]
fn retries_end_with_the_last_error() {
    let world = World::new(
        "
name: r
onError: continue
tasks:
  - {id: a, tool: t.a, retry: {attempts: 2, delay: 1s}}
  - {id: b, tool: t.b, retry: {attempts: 2, delay: 1s}}
",
    )
    .play(|task, _| failing("X", task == "a"));
    assert_eq!(
        world.sent,
        ["a", "b", "a"],
        "what is not retryable is not tried again"
    );
    assert_eq!(world.end(), RunEnd::Failed);
}

#[test]
fn peer_that_names_a_wait_is_given_at_least_that() {
    let world = World::new(
        "
name: r
tasks:
  - {id: a, tool: t.a, retry: {attempts: 2, delay: 1s}}
",
    )
    .play(|_, attempt| match attempt {
        1 => Answer::Failed {
            problem: Problem {
                retryable: true,
                ..Problem::new("HTTP_STATUS", "503")
            },
            retry_after_ms: Some(7_000),
        },
        _ => done(),
    });
    assert_eq!(world.now_ms, 7_000);
}

#[test]
fn limits_on_calls_at_once_hold() {
    let source = |limit: &str| {
        let tasks: String = (0..20)
            .map(|i| format!("  - {{id: t{i}, tool: t.x}}\n"))
            .collect();
        format!("name: m\n{limit}\ntasks:\n{tasks}")
    };
    assert_eq!(World::new(&source("")).play(|_, _| done()).most_at_once, 10);
    assert_eq!(
        World::new(&source("maxConcurrent: 20"))
            .play(|_, _| done())
            .most_at_once,
        20
    );
    assert_eq!(
        World::new(&source("maxConcurrent: 5"))
            .play(|_, _| done())
            .most_at_once,
        5
    );
    let each = World::new(
        "
name: e
tasks:
  - {id: a, each: [1, 2, 3, 4, 5, 6], maxConcurrent: 2, tool: t.x}
",
    )
    .play(|_, _| done());
    assert_eq!(each.most_at_once, 2);
}

#[test]
fn each_gives_results_in_the_order_of_its_items() {
    let world = World::new(r#"
name: e
tasks:
  - {id: list, set: {of: [1, 2, 3]}}
  - {id: a, each: "${list.result.of}", as: n, onItemError: continue, tool: t.x, params: {n: "${n}", i: "${index}"}}
  - {id: none, each: [], tool: t.x}
outputs:
  all: "${a.result}"
  failed: "${a.errors[].item}"
  none: "${none.result}"
"#).play(|task, _| match task {
        "a[1]" => failing("X", false),
        _ => Answer::Done(json!(task)),
    });
    assert_eq!(
        world.state.outputs,
        json!({"all": ["a[0]", null, "a[2]"], "failed": [2], "none": []})
    );
    assert_eq!(world.end(), RunEnd::Partial);
}

#[test]
fn failed_item_keeps_the_others_from_starting() {
    let world = World::new(
        "
name: e
tasks:
  - {id: a, each: [1, 2, 3, 4], maxConcurrent: 1, tool: t.x}
",
    )
    .play(|task, _| {
        if task == "a[1]" {
            failing("X", false)
        } else {
            done()
        }
    });
    assert_eq!(world.sent, ["a[0]", "a[1]"]);
    let problem = world.state.tasks[0].problem.as_ref().expect("failed");
    assert_eq!(problem.code, "ITEM_FAILED");
    assert_eq!(world.end(), RunEnd::Failed);
}

#[test]
fn all_items_failed_fails_the_task_under_continue_too() {
    let world = World::new(
        "
name: e
tasks:
  - {id: a, each: [1, 2], onItemError: continue, tool: t.x}
",
    )
    .play(|_, _| failing("X", false));
    assert_eq!(world.statuses()["a"], "failed");
}

#[test]
fn substitute_counts_as_success_and_keeps_the_error() {
    let world = World::new(
        r#"
name: u
tasks:
  - {id: a, tool: t.a, onError: {use: {x: 7}}}
  - {id: b, tool: t.b, params: {x: "${a.result.x}"}}
outputs: {x: "${a.result.x}", code: "${a.error.code}"}
"#,
    )
    .play(|task, _| {
        if task == "a" {
            failing("X", false)
        } else {
            done()
        }
    });
    assert_eq!(world.state.outputs, json!({"x": 7, "code": "X"}));
    assert!(world.state.tasks[0].substituted);
    assert_eq!(world.end(), RunEnd::Succeeded);
}

#[test]
fn expectation_that_is_false_fails_the_attempt_and_starts_another_pass() {
    let mut passes = Vec::new();
    let world = World::new("
name: x
tasks:
  - {id: a, tool: t.a, expect: a.result.n > 1, retry: {attempts: 3, delay: 1s, errors: [EXPECTATION_FAILED]}}
");
    let keys = std::cell::RefCell::new(Vec::new());
    let mut world = world;
    for n in 1..=2 {
        let call = world.calls.pop_front().expect("a call");
        passes.push(call.pass);
        keys.borrow_mut().push(call.key.clone());
        world.answer(&call, Answer::Done(json!({"n": n})));
        if let Some(due) = world.state.due_ms() {
            world.now_ms = due;
            world.input(Input::Due);
        }
    }
    assert_eq!(passes, [1, 2]);
    let keys = keys.into_inner();
    assert_ne!(keys[0], keys[1], "another pass is another key");
    assert_eq!(world.end(), RunEnd::Succeeded);
}

#[test]
fn key_is_equal_over_the_attempts_of_a_pass() {
    let mut world = World::new(
        "
name: x
tasks:
  - {id: a, tool: t.a, retry: {attempts: 3, delay: 1s}}
  - {id: own, tool: t.a, idempotencyKey: 'mine-${inputs.n}'}
",
    );
    let first = world.calls.pop_front().expect("a call");
    assert_eq!(world.calls[0].key, "mine-3");
    world.answer(&first, failing("X", true));
    world.now_ms = world.state.due_ms().expect("a wait");
    world.input(Input::Due);
    let second = world.calls.pop_back().expect("another call");
    assert_eq!((second.attempt, &second.key), (2, &first.key));
}

#[test]
fn lost_attempt_is_sent_again_and_costs_no_retry() {
    let mut world = World::new(
        "
name: l
tasks:
  - {id: a, tool: t.a}
",
    );
    let first = world.calls.pop_front().expect("a call");
    world.answer(&first, Answer::Lost);
    world.input(Input::Due);
    let second = world.calls.pop_front().expect("sent again");
    assert_eq!((second.attempt, &second.key), (2, &first.key));
    world.answer(&first, done());
    assert!(
        !world.state.ended(),
        "the answer of an attempt that was given up is ignored"
    );
    world.answer(&second, done());
    assert_eq!(world.end(), RunEnd::Succeeded);
}

#[test]
fn unknown_outcome_fails_the_task_by_default() {
    let world = World::new(
        "
name: l
tasks:
  - {id: a, tool: t.a, retry: {attempts: 5}}
",
    )
    .play(|_, _| Answer::Unknown(Problem::new("OUTCOME_UNKNOWN", "?")));
    assert_eq!(world.sent.len(), 1, "never a silent second try");
    assert_eq!(world.end(), RunEnd::Failed);
}

#[test]
fn cancel_starts_nothing_more_and_waits_for_what_runs() {
    let mut world = World::new(DIAMOND);
    world.input(Input::Cancel);
    assert!(world.aborted && !world.state.ended());
    let call = world.calls.pop_front().expect("a runs");
    world.answer(&call, Answer::Cancelled);
    assert_eq!(world.end(), RunEnd::Cancelled);
    assert_eq!(world.sent, ["a"]);
    assert!(world.statuses().values().all(|s| s == "cancelled"));
}

#[test]
fn run_that_takes_too_long_is_ended() {
    let mut world = World::new(
        "
name: l
timeout: 5s
tasks:
  - {id: a, tool: t.a}
",
    );
    assert_eq!(world.state.due_ms(), Some(5_000));
    world.now_ms = 5_000;
    world.input(Input::Due);
    assert!(world.aborted);
    let call = world.calls.pop_front().expect("a runs");
    world.answer(&call, Answer::Cancelled);
    assert_eq!(world.end(), RunEnd::TimedOut);
    assert_eq!(
        world.state.failed.as_ref().expect("why").1.code,
        "RUN_TIMEOUT"
    );
}

#[test]
fn missing_name_fails_the_task_without_an_attempt() {
    let world = World::new(
        r#"
name: v
onError: continue
tasks:
  - {id: a, tool: t.a}
  - {id: b, tool: t.b, params: {x: "${a.result.nothing}"}}
  - {id: c, tool: no.such}
"#,
    )
    .play(|_, _| done());
    assert_eq!(world.sent, ["a"]);
    let code = |t: usize| {
        world.state.tasks[t]
            .problem
            .as_ref()
            .expect("failed")
            .code
            .clone()
    };
    assert_eq!(
        (code(1), code(2)),
        ("VARIABLE_RESOLUTION_ERROR".into(), "TOOL_NOT_FOUND".into())
    );
}

#[test]
fn output_that_cannot_be_computed_fails_a_run_that_had_succeeded() {
    let world = World::new(
        r#"
name: o
tasks:
  - {id: a, set: {x: []}}
outputs: {y: "${a.result.x[0]}"}
"#,
    )
    .play(|_, _| done());
    assert_eq!(world.end(), RunEnd::Failed);
}

#[test]
fn higher_priority_of_long_lists_is_kept_in_file_order() {
    let tasks: String = (0..200)
        .map(|i| format!("  - {{id: t{i}, tool: t.x}}\n"))
        .collect();
    let world =
        World::new(&format!("name: m\nmaxConcurrent: 3\ntasks:\n{tasks}")).play(|_, _| done());
    let expected: Vec<String> = (0..200).map(|i| format!("t{i}")).collect();
    assert_eq!(world.sent, expected);
}

#[test]
fn value_of_a_set_is_its_map() {
    let world = World::new(
        r#"
name: s
tasks:
  - {id: a, set: {n: "${inputs.n}", text: "n=${inputs.n}"}}
  - {id: b, each: [1, 2], set: {twice: "${item}"}}
outputs: {a: "${a.result}", b: "${b.result}"}
"#,
    )
    .play(|_, _| done());
    assert_eq!(
        world.state.outputs,
        json!({"a": {"n": 3, "text": "n=3"}, "b": [{"twice": 1}, {"twice": 2}]})
    );
    assert_eq!(world.sent, Vec::<String>::new());
    let Value::Object(_) = &world.state.tasks[0].view else {
        panic!("a view")
    };
}

#[test]
fn call_under_which_the_process_died_three_times_is_not_sent_again() {
    let world = World::new(
        "
name: l
tasks:
  - {id: a, tool: t.a}
",
    )
    .play(|_, _| Answer::Lost);
    assert_eq!(world.sent.len(), 3);
    assert_eq!(
        world.state.tasks[0].problem.as_ref().expect("failed").code,
        "POISON"
    );
}

#[test]
fn nothing_is_given_out_while_the_process_drains() {
    let mut world = World::new(DIAMOND);
    let first = world.calls.pop_front().expect("a runs");
    world.draining = true;
    world.answer(&first, done());
    assert!(world.calls.is_empty() && world.state.leased == 0);
    world.draining = false;
    world.input(Input::Begin);
    assert_eq!(world.sent, ["a", "b", "c"]);
}

#[test]
fn nothing_is_given_out_behind_the_deadline() {
    let mut world = World::new(
        "
name: l
timeout: 5s
tasks:
  - {id: a, tool: t.a}
  - {id: b, tool: t.b, needs: [a]}
",
    );
    let first = world.calls.pop_front().expect("a runs");
    world.now_ms = 5_000;
    world.answer(&first, done());
    assert!(world.calls.is_empty());
    world.input(Input::Due);
    assert_eq!(world.end(), RunEnd::TimedOut);
}

#[test]
fn result_that_the_journal_cannot_keep_fails_its_task() {
    let at = |bytes: usize| Answer::Done(json!("x".repeat(bytes - 2)));
    let source = "
name: l
tasks:
  - {id: a, tool: t.a}
";
    let limit = super::outcome::RESULT_MAX;
    assert_eq!(
        World::new(source).play(|_, _| at(limit)).end(),
        RunEnd::Succeeded
    );
    let over = World::new(source).play(|_, _| at(limit + 1));
    assert_eq!(
        over.state.tasks[0].problem.as_ref().expect("failed").code,
        "RESPONSE_TOO_LARGE"
    );
}
