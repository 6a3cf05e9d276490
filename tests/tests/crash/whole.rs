//! Runs with all that a run may have, on a server that is killed while they wait for a
//! person, within groups, for another run, and while they are undone and cleaned up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use gearmesh_api::journal::v1::record::Fact;
use gearmesh_api::orchestrator::v1::{
    AnswerApprovalRequest, CreateWorkflowRequest, GetRunRequest, StartRunRequest, WatchRunResponse,
};
use gearmesh_api::tool::v1::Json;
use gearmesh_tests::gearmesh;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::evidence::{self, Journal};

/// The workflow that a task of the other starts.
const PART: &str = "
name: part
inputs: {of: {type: string, required: true}}
tasks:
  - {id: first, tool: events.publish, params: {topic: crash.first, payload: {run: '${inputs.of}', n: 0}}}
  - {id: rest, needs: [first], wait: {for: 150ms}}
  - {id: last, needs: [rest], tool: events.publish, params: {topic: crash.last, payload: {run: '${inputs.of}', n: 0}}}
outputs: {done: '${last.status}'}
";

/// Each effect is an event or a key that names the run. Waits are there to be killed in.
const WHOLE: &str = "
name: whole
onError: undo
inputs: {bad: {type: boolean, required: true}}
tasks:
  - {id: ask, approve: {message: 'Go on?', approvers: ['user:ada']}}
  - id: made
    needs: [ask]
    each: [0, 1, 2, 3, 4, 5, 6, 7]
    tool: events.publish
    params: {topic: crash.made, payload: {run: '${run.id}', n: '${item}'}}
    undo: {tool: events.publish, params: {topic: crash.unmade, payload: {run: '${run.id}', n: '${item}'}}}
  - id: groups
    needs: [made]
    each: [0, 1, 2, 3]
    as: n
    tasks:
      - {id: before, tool: events.publish, params: {topic: crash.before, payload: {run: '${run.id}', n: '${n}'}}}
      - {id: pause, needs: [before], wait: {for: 80ms}}
      - {id: kept, needs: [pause], tool: state.put, params: {key: 'whole/${run.id}/${n}', value: '${n}'}}
  - {id: child, needs: [groups], workflow: part, params: {of: '${run.id}'}}
  - {id: broken, needs: [child], when: inputs.bad, tool: state.get, params: {key: nowhere}}
onFailure:
  - {id: mourning, wait: {for: 80ms}}
  - {id: mourned, needs: [mourning], tool: events.publish, params: {topic: crash.mourned, payload: {run: '${run.id}', n: 0}}}
onSuccess:
  - {id: cheering, wait: {for: 80ms}}
  - {id: cheered, needs: [cheering], tool: events.publish, params: {topic: crash.cheered, payload: {run: '${run.id}', n: 0}}}
finally:
  - {id: swept, tool: events.publish, params: {topic: crash.swept, payload: {run: '${run.id}', n: 0}}}
outputs: {child: '${child.result.done}'}
";

/// Items of `made` and of `groups`.
const MADE: u64 = 8;
const GROUPS: u64 = 4;

/// Longest time between an event and the kill: most steps are over by then.
const BEHIND_MAX: Duration = Duration::from_millis(12);

/// Where a run is killed: behind the n-th event of a kind.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Asked,
    Item(usize),
    Child,
    Undoing(usize),
    Handlers,
}

impl Moment {
    fn count(self) -> usize {
        match self {
            Self::Item(n) | Self::Undoing(n) => n,
            _ => 1,
        }
    }

    fn is_shown_by(self, event: &WatchRunResponse) -> bool {
        let of = |task: &str, status: &str| event.task == task && event.status == status;
        match self {
            Self::Asked => of("ask", "waiting"),
            Self::Item(_) => of("pause", "waiting"),
            Self::Child => of("child", "waiting"),
            Self::Undoing(_) => event.status == "undoing",
            Self::Handlers => event.kind == "run" && event.note == "onFailure",
        }
    }
}

/// What a run was in the middle of at some kill.
pub(crate) type Met = BTreeMap<&'static str, usize>;

/// All that a kill is to meet.
pub(crate) const TO_MEET: [&str; 5] = ["approval", "group", "sub-workflow", "undo", "handlers"];

/// What a run is in the middle of, by its journal.
fn standing(journal: &Journal) -> BTreeSet<&'static str> {
    let mut open = BTreeMap::new();
    let mut stage = None;
    for (_, fact) in journal.facts() {
        match fact {
            Fact::Opened(o) => {
                open.insert((&o.task, &o.path, o.item), "group");
            }
            Fact::Waiting(w) => {
                let what: Value = serde_json::from_slice(&w.what).expect("JSON");
                let what = match what["kind"].as_str() {
                    Some("approval") => "approval",
                    Some("workflow") => "sub-workflow",
                    _ => continue,
                };
                open.insert((&w.task, &w.path, w.item), what);
            }
            Fact::Ended(e) if !e.undo => {
                open.remove(&(&e.task, &e.path, e.item));
            }
            Fact::Entered(e) => {
                stage = Some(if e.stage == "undo" {
                    "undo"
                } else {
                    "handlers"
                });
            }
            Fact::Closed(_) => return BTreeSet::new(),
            _ => {}
        }
    }
    open.into_values().chain(stage).collect()
}

/// Each instance has ended once, has been undone at most once, and the run ended last.
fn check_ends(run: &str, journal: &Journal) {
    let mut ends: BTreeMap<_, usize> = BTreeMap::new();
    for (_, fact) in journal.facts() {
        if let Fact::Ended(e) = fact {
            *ends.entry((&e.task, &e.path, e.item, e.undo)).or_default() += 1;
        }
    }
    let twice: Vec<_> = ends.iter().filter(|(_, n)| **n != 1).collect();
    assert!(twice.is_empty(), "{run}: {twice:?}");
    assert_eq!(journal.closed(), 1, "{run}");
    let last = journal.facts().last();
    assert!(
        matches!(last, Some((_, Fact::Closed(_)))),
        "{run}: {last:?}"
    );
}

/// How often each topic has each number, of one run.
type Effects = BTreeMap<(String, u64), usize>;

/// The effects that a run has, each of them once.
fn expected(bad: bool) -> Effects {
    let mut effects = Effects::new();
    let mut add = |topic: &str, count: u64| {
        effects.extend((0..count).map(|n| ((format!("crash.{topic}"), n), 1)));
    };
    add("made", MADE);
    add("before", GROUPS);
    for once in ["first", "last", "swept"] {
        add(once, 1);
    }
    if bad {
        add("unmade", MADE);
        add("mourned", 1);
    } else {
        add("cheered", 1);
    }
    effects
}

/// Calls a tool on the command line in the server's folder.
async fn call(desk: &Desk, tool: &str, params: &Value) -> Value {
    let params = params.to_string();
    let arguments = ["tool", "call", tool, "--params", &params, "-o", "json"];
    let answer = gearmesh(desk.folder(), &arguments).await;
    assert_eq!(answer.code, 0, "{tool}: {}", answer.err);
    answer.json()
}

/// The effects of all runs that are kept.
async fn effects(desk: &Desk) -> BTreeMap<String, Effects> {
    let all = json!({"topic": "crash.**", "count": 1000});
    let answer = call(desk, "events.recent", &all).await;
    let mut effects: BTreeMap<String, Effects> = BTreeMap::new();
    for event in answer["events"].as_array().expect("events") {
        let run = event["payload"]["run"].as_str().expect("a run").to_owned();
        let topic = event["topic"].as_str().expect("a topic").to_owned();
        let n = event["payload"]["n"].as_u64().expect("a number");
        let of_run = effects.entry(run).or_default();
        *of_run.entry((topic, n)).or_default() += 1;
    }
    effects
}

/// The runs of a round: one that succeeds, one that fails and is undone.
struct Pair {
    round: usize,
    good: String,
    bad: String,
}

impl Pair {
    async fn start(desk: &mut Desk, round: usize) -> Self {
        let good = start(desk, round, false).await;
        let bad = start(desk, round, true).await;
        Self { round, good, bad }
    }

    fn both(&self) -> [(&str, bool); 2] {
        [(&self.good, false), (&self.bad, true)]
    }

    /// What is to hold once all has ended.
    async fn check(&self, desk: &mut Desk) {
        for (run, bad) in self.both() {
            let (_, ended) = desk.finish(run).await;
            let (status, undone) = if bad {
                ("failed", Some("all"))
            } else {
                ("succeeded", None)
            };
            assert_eq!(ended.status, status, "{run}: {:?}", ended.error);
            assert_eq!(ended.undone.as_deref(), undone, "{run}");
            assert!(ended.handlers_timed_out.is_none(), "{run}");
            let again = start(desk, self.round, bad).await;
            assert_eq!(again, run, "key resent");
            assert_eq!(desk.runs_of(run).await.len(), 1, "sub-workflows of {run}");
            let kept = call(
                desk,
                "state.list",
                &json!({"prefix": format!("whole/{run}/")}),
            )
            .await;
            let kept = kept["entries"].as_array().map_or(0, Vec::len) as u64;
            assert_eq!(kept, if bad { 0 } else { GROUPS }, "keys of {run}");
        }
        let mut all = effects(desk).await;
        for (run, bad) in self.both() {
            assert_eq!(all.remove(run), Some(expected(bad)), "effects of {run}");
        }
        assert!(all.is_empty(), "{all:?}");
    }
}

async fn start(desk: &mut Desk, round: usize, bad: bool) -> String {
    let value = Json {
        text: bad.to_string().into(),
    };
    let request = StartRunRequest {
        source: WHOLE.to_owned(),
        file_name: "whole.workflow.yaml".to_owned(),
        inputs: [("bad".to_owned(), value)].into(),
        ..StartRunRequest::default()
    };
    desk.start(&format!("whole-{round}-{bad}"), request).await
}

/// Agrees to the question of a run, unless that has been answered.
async fn agree(desk: &mut Desk, run: &str) {
    let request = GetRunRequest {
        run_id: run.to_owned(),
    };
    let shown = desk.client().get_run(request).await.expect("the run");
    let shown = shown.into_inner().run.expect("the run");
    if shown.tasks["ask"].status == "succeeded" {
        return;
    }
    let answer = AnswerApprovalRequest {
        approval_id: format!("{run}.ask"),
        approved: true,
        ..AnswerApprovalRequest::default()
    };
    let answered = desk.client().answer_approval(answer).await;
    assert_eq!(answered.expect("an answer").into_inner().status, "approved");
}

/// A round that has passed.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) number: usize,
    pub(crate) kills: usize,
    pub(crate) met: Met,
    /// Attempts that were lost with the server and made again.
    pub(crate) lost: usize,
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            kills,
            met,
            lost,
        } = self;
        write!(
            f,
            "round {number}: {kills} kills met {met:?}; {lost} attempts lost"
        )
    }
}

/// Plays a round: both runs, and a kill at each moment of the one that is undone.
pub(crate) async fn play(number: usize, mut chance: fastrand::Rng) -> Whole {
    let mut desk = Desk::open().await;
    let part = CreateWorkflowRequest {
        source: PART.to_owned(),
        ..CreateWorkflowRequest::default()
    };
    desk.client().create_workflow(part).await.expect("stored");
    let pair = Pair::start(&mut desk, number).await;
    let moments = [
        Moment::Asked,
        Moment::Item(chance.usize(1..=4)),
        Moment::Child,
        Moment::Undoing(chance.usize(1..=6)),
        Moment::Handlers,
    ];
    let (mut met, mut kills, mut cursor) = (Met::new(), 0, String::new());
    for moment in moments {
        let mut left = moment.count();
        let events = desk.watch_until(&pair.bad, &cursor, |event| {
            left -= usize::from(moment.is_shown_by(event));
            left == 0
        });
        let events = events.await;
        if let Some(last) = events.last() {
            cursor.clone_from(&last.cursor);
        }
        if matches!(moment, Moment::Asked) {
            // The other one asks at about the same time.
            desk.watch_until(&pair.good, "", |e| moment.is_shown_by(e))
                .await;
        }
        // Denser right behind the event, where the shortest steps are.
        let behind = BEHIND_MAX.mul_f64(chance.f64().powi(3));
        let _ = tokio::time::timeout(behind, std::future::pending::<()>()).await;
        kill(&mut desk, &pair, &mut met).await;
        kills += 1;
        if matches!(moment, Moment::Asked) {
            agree(&mut desk, &pair.good).await;
            agree(&mut desk, &pair.bad).await;
            if number % 2 == 1 {
                // Answers that were given stay given.
                kill(&mut desk, &pair, &mut met).await;
                kills += 1;
            }
        }
    }
    pair.check(&mut desk).await;
    let folder = desk.close();
    let mut lost = 0;
    for (run, journal) in evidence::journals(folder.path()).await {
        check_ends(&run, &journal);
        let facts = journal.facts();
        lost += facts
            .filter(|(_, fact)| matches!(fact, Fact::BackedOff(b) if b.lost))
            .count();
    }
    Whole {
        number,
        kills,
        met,
        lost,
    }
}

/// `kill -9`, a look at what it met, and another server.
async fn kill(desk: &mut Desk, pair: &Pair, met: &mut Met) {
    desk.kill();
    let journals = evidence::journals(desk.folder()).await;
    for (run, _) in pair.both() {
        for what in standing(&journals[run]) {
            *met.entry(what).or_default() += 1;
        }
    }
    desk.reopen().await;
}
