//! When tasks start, and what a failure does to the others.

use super::world::{DIAMOND, World, done, failing};
use crate::plan::state::RunEnd;

// WF-5.2
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

// WF-6.1, WF-5.10
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

// WF-6.2
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

// WF-5.4, WF-5.6, WF-5.10
#[test]
fn join_after_two_exclusive_branches_runs() {
    let world = World::new(
        "
name: j
tasks:
  - {id: big, when: inputs.n > 5, tool: t.a}
  - {id: small, when: inputs.n <= 5, tool: t.b}
  - {id: after, tool: t.c, needs: [big, small]}
  - {id: other, tool: t.d}
  - {id: strict, tool: t.c, needs: [big, other], runIf: allSucceeded}
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
