//! All pairs of what a task is and what may happen: durability 2.
//!
//! A cell says what the task is then. `-`: refused, and nothing of the run has changed.
//! `=`: something of the run has changed, and the task is what it was.

use std::collections::BTreeSet;

use serde_json::json;

use super::world::{World, done, failing};
use crate::plan::{Answer, Child, Decision, Input, InstanceStatus, Problem, TaskStatus, Vote};

/// B blocked, R ready, L leased, O back-off, W waiting, U unknown, S succeeded, F failed,
/// K skipped, C cancelled.
const TABLE: &str = "
                   B R L O W:approve W:time W:event W:child W:group U S F K C
done               - - S - - - - - - - - - - -
retryable          - - O - - - - - - - - - - -
final              - - F - - - - - - - - - - -
doubt              - - F - - - - - - - - - - -
lost               - - O - - - - - - - - - - -
unsent             - - O - - - - - - - - - - -
ended-by-cancel    - - C - - - - - - - - - - -
answer-of-another  - - - - - - - - - - - - - -
undone             - - - - - - - - - - - - - -
child              - - - - - - - S - - - - - -
child-fails        - - - - - - - F - - - - - -
child-of-another   - - - - - - - - - - - - - -
yes                - - - - S - - - - - - - - -
no                 - - - - F - - - - - - - - -
event              - - - - - - S - - - - - - -
other-event        - - - - - - - - - - - - - -
decide-retry       - - - - - - - - - L - - - -
decide-fail        - - - - - - - - - F - - - -
decide-done        - - - - - - - - - S - - - -
due                - - - L F S F = = - - - - -
early              - - - - - - - - - - - - - -
cancel             C C = C C C C = = C = = = -
force-cancel       C C = C C C C = = C = = = -
pause              = = = = = = = = = = = = = -
resume             - - - - - - - - - - - - - -
admit              - - - - - - - - - - - - - -
skip               - - - - - - - - - - - - - -
begin              - - - - - - - - - - - - - -
";

#[test]
fn every_pair_of_task_and_input_is_as_written() {
    let mut rows = TABLE.lines().filter(|l| !l.is_empty());
    let columns: Vec<&str> = rows.next().expect("a head").split_whitespace().collect();
    let (mut pairs, mut wrong) = (0, Vec::new());
    let mut inputs = BTreeSet::new();
    for row in rows {
        let (input, cells) = row.split_once(' ').expect("a name");
        let cells: Vec<&str> = cells.split_whitespace().collect();
        assert_eq!(cells.len(), columns.len(), "{row}");
        assert!(inputs.insert(input), "{input} twice");
        for (from, expected) in columns.iter().zip(cells) {
            let found = after(from, input);
            pairs += 1;
            if found != expected {
                wrong.push(format!("{from} {input}: {found}, expected {expected}"));
            }
        }
    }
    assert!(pairs >= 200, "{pairs}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What the task is after an input.
fn after(from: &str, input: &str) -> String {
    let mut world = standing(from);
    let (task, item) = (world.find("t"), 0);
    assert_eq!(letter(&world, task), from.split(':').next().unwrap_or(from));
    let known = world.state.tasks[task].instances.first();
    let attempt = known.map_or(1, |i| i.attempt);
    let due = known.map(|i| i.due_ms).filter(|d| *d > 0 && *d < i64::MAX);
    match input {
        "due" => world.now_ms = due.unwrap_or(world.now_ms + 1),
        "early" => world.now_ms = due.map_or(world.now_ms, |d| d - 1),
        _ => {}
    }
    let before = format!("{:?}", world.state);
    let records = world.records.len();
    world.input(input_of(input, task, item, attempt));
    let facts = world.records[records..]
        .iter()
        .filter_map(|r| r.fact.as_ref());
    let ignored = |f: &gearmesh_api::journal::v1::record::Fact| {
        matches!(f, gearmesh_api::journal::v1::record::Fact::Ignored(_))
    };
    let ignores = facts.clone().all(ignored);
    if ignores && format!("{:?}", world.state) == before && world.aborted.is_empty() {
        return "-".into();
    }
    let now = letter(&world, task);
    if now == from.split(':').next().unwrap_or(from) {
        "=".into()
    } else {
        now.into()
    }
}

fn input_of(input: &str, task: usize, item: usize, attempt: u32) -> Input {
    let problem = || Problem::new("X", "it failed");
    let answered = |answer| Input::Answered {
        task,
        item,
        attempt,
        answer,
    };
    let child = |attempt, end| Input::ChildEnded {
        task,
        item,
        attempt,
        child: Child { end },
    };
    let decide = |decision| Input::Decide {
        task,
        item,
        decision,
        principal: "user:x".into(),
    };
    let vote = |approved| Input::Voted {
        task,
        item,
        vote: Vote {
            principal: "user:x".into(),
            approved,
            note: String::new(),
            form: json!({}),
        },
    };
    let event = |n: i64| Input::Event {
        task,
        item,
        event: json!({"payload": {"n": n}}),
    };
    match input {
        "done" => answered(done()),
        "retryable" => answered(failing("X", true)),
        "final" => answered(failing("X", false)),
        "doubt" => answered(Answer::Unknown(problem())),
        "lost" => answered(Answer::Lost),
        "unsent" => answered(Answer::Unsent(problem())),
        "ended-by-cancel" => answered(Answer::Cancelled),
        "answer-of-another" => Input::Answered {
            task,
            item,
            attempt: attempt + 1,
            answer: done(),
        },
        "undone" => Input::Undone {
            attempt,
            answer: done(),
        },
        "child" => child(attempt, Ok(json!({}))),
        "child-fails" => child(attempt, Err(problem())),
        "child-of-another" => child(attempt + 1, Ok(json!({}))),
        "yes" => vote(true),
        "no" => vote(false),
        "event" => event(1),
        "other-event" => event(2),
        "decide-retry" => decide(Decision::Retry),
        "decide-fail" => decide(Decision::Fail),
        "decide-done" => decide(Decision::Done(json!({}))),
        "due" | "early" => Input::Due,
        "cancel" => Input::Cancel { force: false },
        "force-cancel" => Input::Cancel { force: true },
        "pause" => Input::Pause {
            principal: "user:x".into(),
            reason: String::new(),
        },
        "resume" => Input::Resume {
            principal: "user:x".into(),
        },
        "admit" => Input::Admit,
        "skip" => Input::Skip,
        "begin" => Input::Begin,
        other => panic!("no input `{other}`"),
    }
}

/// A run whose task `t` is so; another keeps the run from ending.
fn standing(status: &str) -> World {
    let of = |limit: usize, task: &str| {
        World::new(&format!(
            "
name: t
onError: continue
maxConcurrent: {limit}
tasks:
  - {{id: other, tool: t.x, priority: 100}}
  - {task}
"
        ))
    };
    let tool = "{id: t, tool: t.x, retry: {attempts: 2, delay: 1s, jitter: false}}";
    let mut world = match status {
        "B" => of(10, "{id: t, tool: t.x, needs: [other]}"),
        "R" => of(1, tool),
        "W:approve" => of(
            10,
            "{id: t, approve: {message: ok?, approvers: ['user:x'], timeout: 1h}}",
        ),
        "W:time" => of(10, "{id: t, wait: {for: 1h}}"),
        "W:event" => of(
            10,
            "{id: t, wait: {event: {topic: a.b, where: event.payload.n == 1, timeout: 1h}}}",
        ),
        "W:child" => of(10, "{id: t, workflow: child, timeout: 1h}"),
        "W:group" => of(10, "{id: t, timeout: 1h, tasks: [{id: inner, tool: t.x}]}"),
        "U" => of(10, "{id: t, tool: t.x, onUnknown: ask}"),
        "K" => of(10, "{id: t, tool: t.x, when: inputs.n > 5}"),
        _ => of(10, tool),
    };
    match status {
        "O" => world.reply("t", failing("X", true)),
        "U" => world.reply("t", Answer::Unknown(Problem::new("OUTCOME_UNKNOWN", "?"))),
        "S" => world.reply("t", done()),
        "F" => world.reply("t", failing("X", false)),
        "C" => {
            world.input(Input::Cancel { force: false });
            world.reply("t", Answer::Cancelled);
            world.aborted.clear();
        }
        _ => {}
    }
    world
}

fn letter(world: &World, task: usize) -> &'static str {
    let known = &world.state.tasks[task];
    match known.status {
        TaskStatus::Blocked => "B",
        TaskStatus::Succeeded => "S",
        TaskStatus::Failed => "F",
        TaskStatus::Skipped => "K",
        TaskStatus::Cancelled => "C",
        TaskStatus::Active => match known.instances[0].status {
            InstanceStatus::Ready => "R",
            InstanceStatus::Leased => "L",
            InstanceStatus::Backoff => "O",
            InstanceStatus::Waiting => "W",
            InstanceStatus::Unknown => "U",
            ended => panic!("{ended:?} in a task that has not ended"),
        },
    }
}
