//! Workflows by chance, as plain data: what the planner gets is built from it, and what is
//! expected is worked out from it.

use std::sync::Arc;

use gearmesh_expr::{Expression, Template};
use gearmesh_workflow::{
    Backoff, Body, Dialect, Each, Graph, Kind, Node, OnError, OnItemError, Retry, RunIf, Task,
    TaskOnError, Workflow,
};
use serde_json::json;

/// A workflow.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) seed: u64,
    /// Failures may stop graphs, so that the end depends on who was first. Then nothing
    /// fails at once: two such failures of one instant have no order.
    pub(super) timed: bool,
    pub(super) stop: bool,
    pub(super) slots: usize,
    pub(super) tasks: Vec<Job>,
    /// `onFailure`, `onSuccess`, `finally`.
    pub(super) handlers: [Option<Vec<Job>>; 3],
}

/// A task.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) needs: Vec<usize>,
    pub(super) run_if: RunIf,
    pub(super) when: When,
    /// How many elements.
    pub(super) each: Option<usize>,
    pub(super) on_item_error: OnItemError,
    pub(super) at_once: Option<usize>,
    pub(super) on_error: Option<Then>,
    pub(super) priority: i32,
    pub(super) attempts: Option<u32>,
    /// It expects what its outcomes may not be, and retries that.
    pub(super) expects: bool,
    /// It reads the result of this need.
    pub(super) reads: Option<usize>,
    /// Of 100 attempts.
    pub(super) failures: u64,
    pub(super) kind: JobKind,
}

#[derive(Debug, Clone)]
pub(super) enum JobKind {
    Tool,
    Set,
    Group(Vec<Job>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Always,
    False,
    /// A number, which is no condition.
    Fault,
    /// A need succeeded.
    Succeeded(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Then {
    Stop,
    Continue,
    Use,
}

/// What comes of an attempt, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    pub(super) after_ms: i64,
    pub(super) end: End,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    Good { as_expected: bool },
    Bad { retryable: bool },
    Unknown,
}

/// Numbers by chance that only a seed decides.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}

impl Spec {
    /// The workflow of a seed: mostly small, at times of 200 tasks.
    pub(super) fn by_chance(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let timed = dice.percent(50);
        let most = dice.of(&[3, 6, 6, 10, 10, 15, 15, 25, 40]);
        let most = if dice.percent(2) { 200 } else { most };
        let mut spec = Self {
            seed,
            timed,
            stop: timed && dice.percent(60),
            slots: dice.of(&[1, 2, 3, 10, 100]),
            tasks: Vec::new(),
            handlers: [None, None, None],
        };
        let mut left = 1 + dice.below(most);
        spec.tasks = spec.graph(&mut dice, &mut left, "t", 0);
        for (at, name) in ["f", "s", "z"].into_iter().enumerate() {
            if dice.percent(15) {
                let mut left = 1 + dice.below(3);
                spec.handlers[at] = Some(spec.graph(&mut dice, &mut left, name, 3));
            }
        }
        spec
    }

    fn graph(&self, dice: &mut Dice, left: &mut usize, name: &str, deep: usize) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        let count = if deep == 0 { *left } else { 1 + dice.below(4) };
        let dense = dice.of(&[0, 1, 1, 2, 3]);
        while jobs.len() < count && *left > 0 {
            *left -= 1;
            let id = format!("{name}{}", jobs.len());
            let job = self.job(dice, left, &jobs, id, (dense, deep));
            jobs.push(job);
        }
        jobs
    }

    fn job(
        &self,
        dice: &mut Dice,
        left: &mut usize,
        before: &[Job],
        id: String,
        (dense, deep): (usize, usize),
    ) -> Job {
        let mut needs: Vec<usize> = (0..dice.below(dense + 1))
            .filter(|_| !before.is_empty())
            .map(|_| dice.below(before.len()))
            .collect();
        needs.sort_unstable();
        needs.dedup();
        let need = needs.first().copied();
        let plain = need
            .filter(|n| before[*n].each.is_none() && !matches!(before[*n].kind, JobKind::Group(_)));
        let kind = match dice.below(10) {
            0 | 1 if deep < 3 && *left > 0 => {
                JobKind::Group(self.graph(dice, left, &format!("{id}_"), deep + 1))
            }
            2 => JobKind::Set,
            _ => JobKind::Tool,
        };
        let when = match (dice.below(20), need) {
            (0, _) => When::False,
            (1, _) if !self.timed => When::Fault,
            (2 | 3, Some(need)) => When::Succeeded(need),
            _ => When::Always,
        };
        let tool = matches!(kind, JobKind::Tool);
        let attempts = (tool && deep < 3 && dice.percent(20)).then(|| dice.of(&[2, 3]));
        let each = dice.percent(15).then(|| dice.below(5));
        let then: &[Option<Then>] = if self.timed {
            &[
                None,
                None,
                None,
                Some(Then::Stop),
                Some(Then::Continue),
                Some(Then::Use),
            ]
        } else {
            &[None, None, None, Some(Then::Continue), Some(Then::Use)]
        };
        let mut job = Job {
            needs,
            run_if: dice.of(&[
                RunIf::Ready,
                RunIf::Ready,
                RunIf::Ready,
                RunIf::NoneFailed,
                RunIf::AllSucceeded,
                RunIf::AllDone,
                RunIf::AnySucceeded,
                RunIf::AnyFailed,
            ]),
            when,
            each,
            on_item_error: dice.of(&[OnItemError::Stop, OnItemError::Continue]),
            at_once: dice.of(&[None, None, Some(1), Some(2)]),
            on_error: dice.of(then),
            priority: dice.of(&[0, 0, 0, 5, 100]),
            attempts,
            expects: tool && dice.percent(10),
            reads: plain.filter(|_| !self.timed && dice.percent(30)),
            failures: dice.of(&[0, 0, 0, 0, 0, 10, 30, 60, 100]),
            kind,
            id,
        };
        if job.needs.is_empty() {
            // Nothing would ever start it.
            job.run_if = RunIf::Ready;
        }
        if !self.timed && job.on_item_error == OnItemError::Stop {
            // One after the other, so that it does not depend on time which one was first.
            job.at_once = Some(1);
            job.attempts = None;
        }
        job
    }

    /// What an attempt gives, wherever it is asked.
    pub(super) fn outcome(&self, job: &Job, place: &str, attempt: u32) -> Outcome {
        let mut seed = self.seed ^ u64::from(attempt).wrapping_mul(0x0101_0101);
        for byte in place.bytes() {
            seed = (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        let mut dice = Dice::new(seed);
        // Handlers have a minute; elsewhere no two ends fall on one instant.
        let handler = !place.starts_with('t');
        let most = if handler { 1_000 } else { 1_000_000_000_000 };
        let after_ms = 1 + i64::try_from(dice.below(most)).expect("small");
        let bad = (dice.below(100) as u64) < job.failures;
        let end = match dice.below(8) {
            _ if !bad => End::Good {
                as_expected: !(job.expects && dice.percent(40)),
            },
            0 => End::Unknown,
            at => End::Bad {
                retryable: at % 2 == 0,
            },
        };
        Outcome { after_ms, end }
    }

    /// The workflow that the planner gets.
    pub(super) fn workflow(&self) -> Arc<Workflow> {
        let mut build = Build {
            tasks: Vec::new(),
            bodies: Vec::new(),
            waiting: Vec::new(),
        };
        build.body(&self.tasks);
        let handlers = [0, 1, 2].map(|at| {
            let jobs = self.handlers[at].as_ref()?;
            Some(build.body(jobs))
        });
        while !build.waiting.is_empty() {
            let (at, jobs) = build.waiting.remove(0);
            let body = build.body(&jobs);
            build.tasks[at].kind = Kind::Group { body };
        }
        let empty = Workflow::new(
            "chance".into(),
            Dialect::Native,
            Vec::new(),
            Graph::default(),
        );
        Arc::new(Workflow {
            max_concurrent: self.slots,
            on_error: if self.stop {
                OnError::Stop
            } else {
                OnError::Continue
            },
            tasks: build.tasks,
            bodies: build.bodies,
            on_failure: handlers[0],
            on_success: handlers[1],
            finally: handlers[2],
            ..empty
        })
    }
}

/// A file as the reader lays it out: the tasks of one body together, groups behind.
struct Build {
    tasks: Vec<Task>,
    bodies: Vec<Body>,
    /// Groups whose bodies are still to come.
    waiting: Vec<(usize, Vec<Job>)>,
}

impl Build {
    fn body(&mut self, jobs: &[Job]) -> usize {
        let first = self.tasks.len();
        for job in jobs {
            if let JobKind::Group(inner) = &job.kind {
                self.waiting.push((self.tasks.len(), inner.clone()));
            }
            self.tasks.push(task(job, jobs));
        }
        self.bodies.push(Body {
            first,
            graph: graph(jobs),
        });
        self.bodies.len() - 1
    }
}

fn graph(jobs: &[Job]) -> Graph {
    let mut graph = Graph {
        needs: jobs.iter().map(|j| j.needs.clone()).collect(),
        dependents: vec![Vec::new(); jobs.len()],
        ..Graph::default()
    };
    let mut levels = vec![0; jobs.len()];
    for (at, job) in jobs.iter().enumerate() {
        for need in &job.needs {
            graph.dependents[*need].push(at);
            levels[at] = levels[at].max(levels[*need] + 1);
        }
    }
    graph.levels = vec![Vec::new(); levels.iter().max().map_or(0, |l| l + 1)];
    for (at, level) in levels.iter().enumerate() {
        graph.levels[*level].push(at);
    }
    graph
}

fn task(job: &Job, jobs: &[Job]) -> Task {
    let reads = |need: usize| {
        let text = format!("${{{}.result.v}}", jobs[need].id);
        Node::Text(Template::parse(&text).expect("a template"))
    };
    let value = job.reads.map_or(Node::Constant(json!(job.id)), reads);
    let values = Node::Map(vec![("v".into(), value)]);
    let kind = match &job.kind {
        JobKind::Tool => Kind::Tool {
            name: "t.x".into(),
            params: values,
        },
        JobKind::Set => Kind::Set { values },
        // Its body is put in behind.
        JobKind::Group(_) => Kind::Group { body: 0 },
    };
    let condition = |text: &str| Some(Expression::condition(text).expect("a condition"));
    Task {
        when: match job.when {
            When::Always => None,
            When::False => condition("inputs.n > 5"),
            When::Fault => condition("inputs.n"),
            When::Succeeded(need) => condition(&format!("{}.status == 'succeeded'", jobs[need].id)),
        },
        run_if: job.run_if,
        each: job
            .each
            .map(|count| Each::List((0..count).map(|i| Node::Constant(json!(i))).collect())),
        on_item_error: job.on_item_error,
        max_concurrent: job.at_once,
        on_error: job.on_error.map(|then| match then {
            Then::Stop => TaskOnError::Stop,
            Then::Continue => TaskOnError::Continue,
            Then::Use => TaskOnError::Use(Node::Constant(json!({"use": job.id}))),
        }),
        priority: job.priority,
        retry: job.attempts.map(|attempts| Retry {
            attempts,
            backoff: Backoff::Constant,
            jitter: false,
            errors: vec!["EXPECTATION_FAILED".into()],
            ..Retry::default()
        }),
        expect: job
            .expects
            .then(|| condition(&format!("{}.result.ok", job.id)))
            .flatten(),
        ..Task::new(job.id.clone(), kind)
    }
}
