//! All pairs of what a run is and what may happen: durability 2.
//!
//! A cell says what the run is then. `-`: refused, and nothing of the run has changed.
//! `=`: something of the run has changed, and it is what it was.

use super::world::{World, accepted_of, done, failing, workflow_of};
use crate::plan::state::Stage;
use crate::plan::{Answer, Input, Phase};

/// `..-paused` have a run that somebody paused; `undo`, `handler` and `last` are what
/// follows the graph: the undoing, `onFailure`, `finally`.
const TABLE: &str = "
                  queued        queued-paused running    paused     waiting    cancelling timing-out undo      handler   last      succeeded partial failed cancelled timedOut
begin             -             -             -          -          -          -          -          -         -         -         -         -       -      -         -
admit             running       paused        -          -          -          -          -          -         -         -         -         -       -      -         -
skip              cancelled     cancelled     -          -          -          -          -          -         -         -         -         -       -      -         -
answer            -             -             =          =          -          last       handler    -         last      failed    -         -       -      -         -
old-answer        -             -             -          -          -          -          -          -         -         -         -         -       -      -         -
undone            -             -             -          -          -          -          -          handler   -         -         -         -       -      -         -
old-undone        -             -             -          -          -          -          -          -         -         -         -         -       -      -         -
due               -             -             -          -          -          -          -          -         -         -         -         -       -      -         -
deadline          timedOut      timedOut      timing-out timing-out last       -          -          -         =         =         -         -       -      -         -
minute            -             -             -          -          -          -          -          -         =         =         -         -       -      -         -
cancel            cancelled     cancelled     cancelling cancelling last       -          -          -         -         -         -         -       -      -         -
force-cancel      cancelled     cancelled     cancelling cancelling last       -          -          =         =         =         -         -       -      -         -
pause             queued-paused -             paused     -          paused     -          -          -         -         -         -         -       -      -         -
resume            -             queued        -          running    -          -          -          -         -         -         -         -       -      -         -
vote              -             -             -          -          last       -          -          -         -         -         -         -       -      -         -
";

/// Behind the run's deadline, and behind what handlers may take.
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

// WF-2.17, WF-2.22, WF-2.23
#[test]
fn every_pair_of_run_and_input_is_as_written() {
    let mut rows = TABLE.lines().filter(|l| !l.is_empty());
    let columns: Vec<&str> = rows.next().expect("a head").split_whitespace().collect();
    let (mut pairs, mut wrong) = (0, Vec::new());
    for row in rows {
        let (input, cells) = row.split_once(' ').expect("a name");
        let cells: Vec<&str> = cells.split_whitespace().collect();
        assert_eq!(cells.len(), columns.len(), "{row}");
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

fn after(from: &str, input: &str) -> String {
    let mut world = standing(from);
    assert_eq!(label(&world), from);
    match input {
        "deadline" => world.now_ms = HOUR_MS,
        "minute" => world.now_ms += MINUTE_MS,
        _ => {}
    }
    let before = format!("{:?}", world.state);
    let aborted = world.aborted.len();
    world.input(input_of(&world, input));
    let now = label(&world);
    let same = format!("{:?}", world.state) == before && world.aborted.len() == aborted;
    match (same, now == from) {
        (true, _) => "-".into(),
        (false, true) => "=".into(),
        (false, false) => now,
    }
}

fn input_of(world: &World, input: &str) -> Input {
    let call = world.calls.front();
    let (task, item) = call.map_or((0, 0), |c| (c.task, c.item));
    let attempt = call.map_or(1, |c| c.attempt);
    let answered = |attempt| Input::Answered {
        task,
        item,
        attempt,
        answer: done(),
    };
    let undone = |attempt| Input::Undone {
        attempt,
        answer: done(),
    };
    match input {
        "begin" => Input::Begin,
        "admit" => Input::Admit,
        "skip" => Input::Skip,
        "answer" => answered(attempt),
        "old-answer" => answered(attempt + 1),
        "undone" => undone(attempt),
        "old-undone" => undone(attempt + 1),
        "due" | "deadline" | "minute" => Input::Due,
        "cancel" => Input::Cancel { force: false },
        "force-cancel" => Input::Cancel { force: true },
        "pause" => Input::Pause {
            principal: "user:x".into(),
            reason: "a look at it".into(),
        },
        "resume" => Input::Resume {
            principal: "user:x".into(),
        },
        "vote" => Input::Voted {
            task: 0,
            item: 0,
            vote: crate::plan::Vote {
                principal: "user:x".into(),
                approved: true,
                note: String::new(),
                form: serde_json::json!({}),
            },
        },
        other => panic!("no input `{other}`"),
    }
}

const GRAPH: &str = "
name: t
timeout: 1h
onError: undo
tasks:
  - {id: a, tool: t.made}
  - {id: b, tool: t.b, needs: [a]}
onFailure: [{id: h, tool: t.h}]
finally: [{id: z, tool: t.z}]
";

fn paused() -> Input {
    Input::Pause {
        principal: "user:x".into(),
        reason: String::new(),
    }
}

/// The run of the graph after these calls were answered; `!`: they failed.
fn graph(replies: &[&str]) -> World {
    let mut world = World::new(GRAPH);
    for reply in replies {
        let (name, good) = match reply.strip_prefix('!') {
            Some(name) => (name, false),
            None => (*reply, true),
        };
        let answer = if good { done() } else { failing("X", false) };
        world.reply(name, answer);
    }
    world
}

/// A run that stands so.
fn standing(label: &str) -> World {
    match label {
        "queued" | "queued-paused" => {
            let workflow = workflow_of(GRAPH);
            let mut accepted = accepted_of(&workflow);
            accepted.queued = true;
            let mut world = World::accepted(workflow, accepted);
            world.input(Input::Begin);
            if label == "queued-paused" {
                world.input(paused());
            }
            world
        }
        "running" => graph(&[]),
        "paused" => {
            let mut world = graph(&[]);
            world.input(paused());
            world
        }
        "waiting" => World::new(
            "
name: t
timeout: 1h
tasks: [{id: a, approve: {message: ok?, approvers: ['user:x']}}]
finally: [{id: z, tool: t.z}]
",
        ),
        "cancelling" => {
            let mut world = graph(&[]);
            world.input(Input::Cancel { force: false });
            world
        }
        "timing-out" => {
            let mut world = graph(&[]);
            world.now_ms = HOUR_MS;
            world.input(Input::Due);
            world
        }
        "undo" => graph(&["a", "!b"]),
        "handler" => graph(&["a", "!b", "undo a"]),
        "last" => graph(&["a", "!b", "undo a", "h"]),
        "succeeded" => graph(&["a", "b", "z"]),
        "failed" => graph(&["a", "!b", "undo a", "h", "z"]),
        "partial" => {
            let source = GRAPH.replace("undo", "continue");
            let mut world = World::new(&source);
            world.reply("a", done());
            world.reply("b", failing("X", false));
            world.reply("h", done());
            world.reply("z", done());
            world
        }
        "cancelled" | "timedOut" => {
            let from = if label == "cancelled" {
                "cancelling"
            } else {
                "timing-out"
            };
            let mut world = standing(from);
            world.reply("a", Answer::Cancelled);
            if label == "timedOut" {
                world.reply("h", done());
            }
            world.reply("z", done());
            world
        }
        other => panic!("no status `{other}`"),
    }
}

fn label(world: &World) -> String {
    let paused = world.state.paused.is_some();
    match world.state.phase {
        Phase::Queued if paused => "queued-paused".into(),
        Phase::Queued => "queued".into(),
        Phase::Running if paused => "paused".into(),
        Phase::Running => world.state.status().into(),
        Phase::Cancelling { timed_out: true } => "timing-out".into(),
        Phase::Cancelling { timed_out: false } => "cancelling".into(),
        Phase::Finishing { stage, .. } => match stage {
            Stage::Undo => "undo".into(),
            Stage::OnFailure | Stage::OnSuccess => "handler".into(),
            Stage::Finally => "last".into(),
        },
        Phase::Ended(end) => end.as_str().into(),
    }
}
