//! What a workflow comes to, worked out anew and slowly: a list of events in time, and the
//! rules of sections 5 and 6 of the format looked through again and again until none
//! applies. It shares nothing with the planner but the workflow and its outcomes.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::rules::runs_after_failures;
use super::spec::{End, Job, JobKind, Spec};

/// Wait between two attempts: that of a retry whose file says nothing else.
const RETRY_MS: i64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Blocked,
    Active,
    Succeeded,
    Failed,
    Skipped,
}

/// A task of a graph that has begun.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) status: Status,
    pub(super) reason: &'static str,
    pub(super) code: String,
    pub(super) result: Value,
    pub(super) items: Vec<Item>,
    pub(super) started: bool,
    pub(super) items_stopped: bool,
}

/// One execution of it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) stage: Stage,
    pub(super) code: String,
    pub(super) attempts: u32,
    pub(super) result: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Ready,
    Called,
    Waits,
    /// A group whose graph has begun.
    Open(usize),
    Succeeded,
    Failed,
    Skipped,
}

/// A graph that has begun.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub(super) jobs: &'a [Job],
    pub(super) path: Vec<u32>,
    pub(super) tasks: Vec<Known>,
    /// The group to which it belongs: graph, task, item.
    pub(super) group: Option<(usize, usize, usize)>,
    place: String,
    pub(super) stopping: bool,
    pub(super) failed: Option<String>,
}

/// The end of an attempt, or of the wait before another.
#[derive(Debug)]
struct Event {
    /// When, and in which order among those of one instant.
    at: (i64, usize),
    graph: usize,
    task: usize,
    item: usize,
    ends: bool,
}

/// The whole of it.
#[derive(Debug)]
pub(super) struct Reference<'a> {
    pub(super) spec: &'a Spec,
    /// Position of each task in the file.
    order: HashMap<String, usize>,
    pub(super) graphs: Vec<Graph<'a>>,
    events: Vec<Event>,
    sequence: usize,
    now: i64,
    /// The status of the run.
    pub(super) verdict: &'static str,
}

/// Works a workflow out. `order` is that of the tasks in the file.
pub(super) fn evaluate(spec: &Spec, order: HashMap<String, usize>) -> Reference<'_> {
    let mut run = Reference {
        spec,
        order,
        graphs: Vec::new(),
        events: Vec::new(),
        sequence: 0,
        now: 0,
        verdict: "",
    };
    run.play(&spec.tasks);
    let graph = run.of_graph();
    let [failure, success, finally] = &spec.handlers;
    let first = if graph == "succeeded" {
        success
    } else {
        failure
    };
    let before = run.graphs.len();
    for handler in [first, finally].into_iter().flatten() {
        run.play(handler);
    }
    let broken = run.graphs[before..]
        .iter()
        .any(|g| g.group.is_none() && g.failed.is_some());
    run.verdict = if broken { "failed" } else { graph };
    run
}

impl<'a> Reference<'a> {
    pub(super) fn job(&self, graph: usize, task: usize) -> &'a Job {
        let jobs: &'a [Job] = self.graphs[graph].jobs;
        &jobs[task]
    }

    /// Lets a graph begin, and time pass until nothing is under way.
    fn play(&mut self, jobs: &'a [Job]) {
        self.begin(jobs, Vec::new(), None, String::new());
        loop {
            while self.apply_a_rule() {}
            let Some(next) = (0..self.events.len()).min_by_key(|e| self.events[*e].at) else {
                return;
            };
            let event = self.events.swap_remove(next);
            self.now = event.at.0;
            if event.ends {
                self.attempt_ends(event.graph, event.task, event.item);
                continue;
            }
            let item = &mut self.graphs[event.graph].tasks[event.task].items[event.item];
            if item.stage == Stage::Waits {
                item.stage = Stage::Ready;
            }
        }
    }

    fn begin(
        &mut self,
        jobs: &'a [Job],
        path: Vec<u32>,
        group: Option<(usize, usize, usize)>,
        place: String,
    ) {
        let task = || Known {
            status: Status::Blocked,
            reason: "",
            code: String::new(),
            result: Value::Null,
            items: Vec::new(),
            started: false,
            items_stopped: false,
        };
        self.graphs.push(Graph {
            tasks: jobs.iter().map(|_| task()).collect(),
            jobs,
            path,
            group,
            place,
            stopping: false,
            failed: None,
        });
    }

    fn apply_a_rule(&mut self) -> bool {
        for graph in 0..self.graphs.len() {
            for task in 0..self.graphs[graph].tasks.len() {
                let needs = &self.graphs[graph].jobs[task].needs;
                let free = needs.iter().all(|n| self.ended(graph, *n));
                if self.graphs[graph].tasks[task].status == Status::Blocked && free {
                    self.decide(graph, task);
                    return true;
                }
            }
        }
        for graph in 0..self.graphs.len() {
            let all = 0..self.graphs[graph].tasks.len();
            if let Some((outer, task, item)) = self.graphs[graph].group
                && self.graphs[outer].tasks[task].items[item].stage == Stage::Open(graph)
                && all.into_iter().all(|task| self.ended(graph, task))
            {
                self.group_ends(graph, (outer, task, item));
                return true;
            }
        }
        self.start_one()
    }

    fn ended(&self, graph: usize, task: usize) -> bool {
        let status = self.graphs[graph].tasks[task].status;
        !matches!(status, Status::Blocked | Status::Active)
    }

    /// The best that may start: groups at once, calls while there are slots.
    fn start_one(&mut self) -> bool {
        let mut best = None;
        let called = |g: &Graph<'_>| {
            let items = g.tasks.iter().flat_map(|t| &t.items);
            items.filter(|i| i.stage == Stage::Called).count()
        };
        let slots = self.spec.slots > self.graphs.iter().map(called).sum();
        for (at, graph) in self.graphs.iter().enumerate() {
            for (task, known) in graph.tasks.iter().enumerate() {
                let job = &graph.jobs[task];
                let group = matches!(job.kind, JobKind::Group(_));
                let most = job
                    .at_once
                    .unwrap_or(if group { self.spec.slots } else { 1_000 });
                let busy = |i: &&Item| matches!(i.stage, Stage::Called | Stage::Open(_));
                if known.status != Status::Active
                    || known.items.iter().filter(busy).count() >= most
                    || (!group && !slots)
                {
                    continue;
                }
                for item in 0..known.items.len() {
                    let key = (!group, -job.priority, self.order[&job.id], at, item, task);
                    if self.is_ready(at, task, item) && best.is_none_or(|b| key < b) {
                        best = Some(key);
                    }
                }
            }
        }
        let Some((_, _, _, graph, item, task)) = best else {
            return false;
        };
        self.start(graph, task, item);
        true
    }

    fn start(&mut self, graph: usize, task: usize, item: usize) {
        let job = self.job(graph, task);
        let place = self.place(graph, task, item);
        if let JobKind::Group(inner) = &job.kind {
            self.graphs[graph].tasks[task].started = true;
            let mut path = self.graphs[graph].path.clone();
            path.extend(job.each.map(|_| u32::try_from(item).expect("few")));
            let opened = self.graphs.len();
            self.graphs[graph].tasks[task].items[item].stage = Stage::Open(opened);
            return self.begin(inner, path, Some((graph, task, item)), place);
        }
        if let Err(code) = self.read(graph, task) {
            return self.item_fails(graph, task, item, code);
        }
        let known = &mut self.graphs[graph].tasks[task];
        known.started = true;
        let item_of = &mut known.items[item];
        item_of.stage = Stage::Called;
        item_of.attempts += 1;
        let outcome = self.spec.outcome(job, &place, item_of.attempts);
        self.event(outcome.after_ms, (graph, task, item), true);
    }

    fn event(&mut self, after_ms: i64, (graph, task, item): (usize, usize, usize), ends: bool) {
        self.sequence += 1;
        self.events.push(Event {
            at: (self.now + after_ms, self.sequence),
            graph,
            task,
            item,
            ends,
        });
    }

    /// A task with the groups around it, as the world names it.
    fn place(&self, graph: usize, task: usize, item: usize) -> String {
        let job = self.job(graph, task);
        let own = match job.each {
            Some(_) => format!("{}[{item}]", job.id),
            None => job.id.clone(),
        };
        match self.graphs[graph].group {
            Some(_) => format!("{}/{own}", self.graphs[graph].place),
            None => own,
        }
    }

    fn attempt_ends(&mut self, graph: usize, task: usize, item: usize) {
        let job = self.job(graph, task);
        let place = self.place(graph, task, item);
        let attempts = self.graphs[graph].tasks[task].items[item].attempts;
        let (code, again) = match self.spec.outcome(job, &place, attempts).end {
            End::Good { as_expected: true } => {
                let result = result_of(&place, attempts, true);
                return self.item_ends(graph, task, item, Stage::Succeeded, result, "");
            }
            End::Good { as_expected: false } => ("EXPECTATION_FAILED", true),
            End::Bad { retryable } => ("BAD", retryable),
            End::Unknown => ("OUTCOME_UNKNOWN", false),
        };
        let left = job.attempts.is_some_and(|most| attempts < most);
        let stopped = self.stopped(graph) && !runs_after_failures(job);
        if again && left && !stopped {
            let known = &mut self.graphs[graph].tasks[task].items[item];
            known.stage = Stage::Waits;
            known.code = code.to_owned();
            return self.event(RETRY_MS, (graph, task, item), false);
        }
        self.item_fails(graph, task, item, code);
    }

    fn group_ends(&mut self, graph: usize, (outer, task, item): (usize, usize, usize)) {
        match self.graphs[graph].failed.clone() {
            Some(code) => self.item_fails(outer, task, item, &code),
            None => {
                let known = &self.graphs[graph];
                let ids = known.jobs.iter().map(|j| j.id.clone());
                let results = known.tasks.iter().map(|t| t.result.clone());
                let result = Value::Object(ids.zip(results).collect());
                self.item_ends(outer, task, item, Stage::Succeeded, result, "");
            }
        }
    }
}

/// A result that a tool gives.
pub(super) fn result_of(place: &str, attempt: u32, ok: bool) -> Value {
    json!({"v": format!("{place}#{attempt}"), "ok": ok})
}
