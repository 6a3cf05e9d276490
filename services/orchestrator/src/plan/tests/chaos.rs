//! Whatever happens to a run, in whatever order: what the planner counts is so, no attempt is
//! given out twice, its records lead back to the same state, and in the end it ends.

use std::collections::HashSet;
use std::sync::Arc;

use gearmesh_workflow::{Kind, Wait};
use serde_json::json;

use super::sound::sound;
use super::spec::{Dice, Spec};
use super::varied::varied;
use super::world::{World, accepted_of, done, failing, known};
use crate::plan::{Answer, Child, Decision, Dispatch, Input, InstanceStatus, Phase, Problem, Vote};

const RUNS: u64 = 2_000;

/// Things that happen to a run before it is let go on to its end.
const STEPS: usize = 60;

// WF-6.5
#[test]
fn whatever_happens_the_counts_are_right_and_the_run_ends() {
    for seed in 0..RUNS {
        let mut run = Run::new(seed);
        for _ in 0..run.dice.below(STEPS) {
            run.happens();
        }
        run.ends();
    }
}

#[test]
fn records_in_any_order_are_folded_without_a_panic() {
    for seed in 0..RUNS {
        let mut run = Run::new(seed);
        for _ in 0..run.dice.below(STEPS) {
            run.happens();
        }
        let (mut dice, records) = (run.dice, run.world.records.clone());
        let mut state = run.world.replayed();
        for _ in 0..records.len() * 2 {
            if let Some(record) = records.get(dice.below(records.len().max(1))) {
                state.fold(record);
            }
        }
    }
}

/// A run to which things happen.
struct Run {
    seed: u64,
    dice: Dice,
    world: World,
    /// Calls that have no answer yet.
    calls: Vec<Dispatch>,
    /// Keys with the numbers of their attempts.
    sent: HashSet<(String, u32)>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0xc4a0);
        let spec = Spec::by_chance(seed);
        let workflow = Arc::new(varied(&spec.workflow(), &mut dice));
        let mut accepted = accepted_of(&workflow);
        accepted.queued = dice.below(8) == 0;
        let mut run = Self {
            seed,
            dice,
            world: World::accepted(workflow, accepted),
            calls: Vec::new(),
            sent: HashSet::new(),
        };
        run.input(Input::Begin);
        run
    }

    fn input(&mut self, input: Input) {
        let text = format!("seed {}: {input:?}", self.seed);
        let before = (self.world.state.phase, self.world.state.paused.is_some());
        self.world.input(input);
        let after = (self.world.state.phase, self.world.state.paused.is_some());
        let still = before.0 == after.0;
        let held = still && matches!(after.0, Phase::Queued | Phase::Cancelling { .. });
        if held || (before.1 && after.1) {
            assert!(self.world.calls.is_empty(), "{text}: something starts");
        }
        while let Some(call) = self.world.calls.pop_front() {
            let fresh = self.sent.insert((call.key.clone(), call.attempt));
            assert!(fresh, "{text}: sent twice: {call:?}");
            let other = self.calls.iter().find(|c| c.key == call.key);
            assert!(other.is_none(), "{text}: under way already: {call:?}");
            self.calls.push(call);
        }
        sound(&self.world.state, &text);
    }

    /// A task by chance, and one of its instances.
    fn place(&mut self) -> (usize, usize, u32) {
        let task = self.dice.below(self.world.state.tasks.len() + 1);
        let instances = self.world.state.tasks.get(task).map(|t| &t.instances);
        let count = instances.map_or(0, Vec::len);
        let item = self.dice.below(count + 1);
        let attempt = instances.and_then(|i| i.get(item)).map_or(0, |i| i.attempt);
        (task, item, attempt)
    }

    /// One thing, mostly one that fits.
    fn happens(&mut self) {
        let (task, item, attempt) = self.place();
        let approved = self.dice.below(3) > 0;
        let input = match self.dice.below(40) {
            0..=15 => return self.answered(),
            16..=19 => return self.passes(),
            20..=22 => Input::Voted {
                task,
                item,
                vote: vote(self.dice.below(3), approved),
            },
            23..=25 => Input::Event {
                task,
                item,
                event: json!({"payload": {"n": self.dice.below(3)}}),
            },
            26 | 27 => Input::ChildEnded {
                task,
                item,
                attempt,
                child: child(approved),
            },
            28 | 29 => Input::Decide {
                task,
                item,
                decision: match self.dice.below(3) {
                    0 => Decision::Retry,
                    1 => Decision::Fail,
                    _ => Decision::Done(json!({"ok": true})),
                },
                principal: "user:x".into(),
            },
            30 => pause(),
            31 | 32 => resume(),
            33 if self.dice.below(4) == 0 => Input::Cancel { force: !approved },
            34 => Input::Answered {
                task,
                item,
                attempt: attempt.saturating_sub(1),
                answer: done(),
            },
            35 => Input::Undone {
                attempt,
                answer: done(),
            },
            36 => Input::Admit,
            37 if self.dice.below(8) == 0 => Input::Skip,
            _ => {
                // The process dies, and the run is taken up again.
                self.world.state = self.world.replayed();
                Input::Begin
            }
        };
        self.input(input);
    }

    fn answered(&mut self) {
        if self.calls.is_empty() {
            return self.passes();
        }
        let at = self.dice.below(self.calls.len());
        let call = self.calls.swap_remove(at);
        let answer = match self.dice.below(12) {
            0 => failing("BAD", false),
            1 | 2 => failing("BAD", true),
            3 => Answer::Unknown(Problem::new("OUTCOME_UNKNOWN", "nobody knows")),
            4 => Answer::Lost,
            5 => Answer::Unsent(Problem::new("ENGINE_UNAVAILABLE", "away")),
            6 => Answer::Cached(json!({"ok": true})),
            7 => Answer::Cancelled,
            n => Answer::Done(json!({"ok": n > 8})),
        };
        self.answer(&call, answer);
    }

    fn answer(&mut self, call: &Dispatch, answer: Answer) {
        let (task, item, attempt) = (call.task, call.item, call.attempt);
        self.input(if call.undo {
            Input::Undone { attempt, answer }
        } else {
            Input::Answered {
                task,
                item,
                attempt,
                answer,
            }
        });
    }

    fn passes(&mut self) {
        let due = self
            .world
            .state
            .due_ms()
            .filter(|_| self.dice.below(2) == 0);
        let later = self.world.now_ms + 500;
        self.world.now_ms = due.unwrap_or(later).max(self.world.now_ms);
        self.input(Input::Due);
    }

    /// Everything is answered, until the run ends.
    fn ends(&mut self) {
        self.input(Input::Admit);
        self.input(resume());
        for _ in 0..20_000 {
            if self.world.state.ended() {
                let (replayed, state) = (known(&self.world.replayed()), known(&self.world.state));
                let other = replayed.iter().zip(&state).find(|(a, b)| a != b);
                assert_eq!(other, None, "seed {}", self.seed);
                return;
            }
            if let Some(call) = self.calls.pop() {
                self.answer(&call, done());
            } else if !self.all_that_wait() {
                let due = self.world.state.due_ms();
                let text = format!("seed {} is stuck: {:?}", self.seed, self.world.statuses());
                self.world.now_ms = due.expect(&text).max(self.world.now_ms);
                self.input(Input::Due);
            }
        }
        panic!("seed {} does not end", self.seed);
    }

    /// Answers one that waits for people, an event or another run.
    fn all_that_wait(&mut self) -> bool {
        let state = &self.world.state;
        let mut waiting = state.tasks.iter().enumerate().flat_map(|(task, known)| {
            let open = known
                .instances
                .iter()
                .enumerate()
                .filter(|_| !known.ended());
            open.map(move |(item, i)| (task, item, i.attempt, i.status))
        });
        let found = waiting.find_map(|(task, item, attempt, status)| {
            let decision = Decision::Fail;
            let waits = status == InstanceStatus::Waiting;
            Some(match (&state.task(task).kind, status) {
                (_, InstanceStatus::Unknown) => Input::Decide {
                    task,
                    item,
                    decision,
                    principal: "user:x".into(),
                },
                (Kind::Approve(_), _) if waits => Input::Voted {
                    task,
                    item,
                    vote: vote(
                        1_000 + state.tasks[task].instances[item].signals.len(),
                        true,
                    ),
                },
                (Kind::Wait(wait), _) if waits && matches!(**wait, Wait::Event { .. }) => {
                    Input::Event {
                        task,
                        item,
                        event: json!({"payload": {"n": 1}}),
                    }
                }
                (Kind::Workflow { .. }, _) if waits => Input::ChildEnded {
                    task,
                    item,
                    attempt,
                    child: child(true),
                },
                _ => return None,
            })
        });
        match found {
            Some(input) => {
                self.input(input);
                true
            }
            None => false,
        }
    }
}

fn vote(who: usize, approved: bool) -> Vote {
    Vote {
        principal: format!("user:{who}"),
        approved,
        note: String::new(),
        form: json!({}),
    }
}

fn child(good: bool) -> Child {
    Child {
        end: if good {
            Ok(json!({"ok": true}))
        } else {
            Err(Problem::new("BROKEN", "the child failed"))
        },
    }
}

fn pause() -> Input {
    Input::Pause {
        principal: "user:x".into(),
        reason: String::new(),
    }
}

fn resume() -> Input {
    Input::Resume {
        principal: "user:x".into(),
    }
}
