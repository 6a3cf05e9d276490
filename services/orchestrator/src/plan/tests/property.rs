//! Workflows by chance: the planner and the reference come to the same, and so does a replay.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::definition::fates;
use super::reference::{Known, Reference, Stage, Status, evaluate, result_of};
use super::spec::{Dice, End, Job, JobKind, Spec, When};
use super::world::{World, failing, known};
use crate::plan::state::RunEnd;
use crate::plan::{Answer, Dispatch, Input, InstanceStatus, Phase, Problem, TaskState, TaskStatus};

/// Workflows in all, over four tests that run beside each other.
const CASES: u64 = 10_000;

#[test]
fn planner_agrees_with_the_reference_1() {
    agrees(0);
}

#[test]
fn planner_agrees_with_the_reference_2() {
    agrees(1);
}

#[test]
fn planner_agrees_with_the_reference_3() {
    agrees(2);
}

#[test]
fn planner_agrees_with_the_reference_4() {
    agrees(3);
}

// WF-5.2, WF-5.4, WF-5.5, WF-5.6, WF-5.7, WF-5.8, WF-5.9, WF-5.10, WF-6.1, WF-6.2, WF-6.4
fn agrees(quarter: u64) {
    for seed in (quarter * CASES / 4)..((quarter + 1) * CASES / 4) {
        let spec = Spec::by_chance(seed);
        if let Err(first) = tried(&spec) {
            let (small, last) = shrunk(spec, first);
            panic!("seed {seed}: {last}\nin {small:#?}");
        }
    }
}

#[test]
fn workflows_by_chance_are_of_all_kinds() {
    let mut seen: HashMap<String, u64> = HashMap::new();
    for seed in 0..2_000 {
        let spec = Spec::by_chance(seed);
        let reference = evaluate(&spec, order(&spec));
        *seen.entry(reference.verdict.into()).or_default() += 1;
        for task in reference.graphs.iter().flat_map(|g| &g.tasks) {
            *seen.entry(format!("{:?}", task.status)).or_default() += 1;
            *seen.entry(task.reason.into()).or_default() += 1;
            *seen.entry(task.code.clone()).or_default() += 1;
        }
        let tasks: usize = reference.graphs.iter().map(|g| g.tasks.len()).sum();
        *seen
            .entry(format!("over {}", tasks / 100 * 100))
            .or_default() += 1;
    }
    for kind in [
        "succeeded",
        "partial",
        "failed",
        "Succeeded",
        "Failed",
        "Skipped",
        "CONDITION",
        "NEED_FAILED",
        "NEEDS_SKIPPED",
        "RUN_STOPPED",
        "BAD",
        "EXPECTATION_FAILED",
        "EXPRESSION_TYPE",
        "VARIABLE_RESOLUTION_ERROR",
        "OUTCOME_UNKNOWN",
        "ITEM_FAILED",
        "over 100",
    ] {
        let often = seen.get(kind).copied().unwrap_or_default();
        assert!(often >= 3, "`{kind}` comes {often} times: {seen:?}");
    }
}

#[test]
fn a_wrong_outcome_is_found_and_shrunk() {
    let spec = (0..1_000).map(Spec::by_chance);
    let spec = spec.into_iter().find(|s| {
        let known = evaluate(s, order(s));
        s.tasks.len() > 10
            && known.graphs[0]
                .tasks
                .iter()
                .any(|t| t.status == Status::Failed)
    });
    let spec = spec.expect("one with a failure");
    let fails = |spec: &Spec| {
        let known = evaluate(spec, order(spec));
        let mut tasks = known.graphs.iter().flat_map(|g| &g.tasks);
        match tasks.any(|t| t.status == Status::Failed) {
            true => Err("a task failed".to_owned()),
            false => Ok(()),
        }
    };
    let (small, _) = shrunk_by(spec, "a task failed".into(), &fails);
    assert_eq!(small.tasks.len(), 1, "{small:#?}");
}

/// Position of each task in the file.
fn order(spec: &Spec) -> HashMap<String, usize> {
    let workflow = spec.workflow();
    let tasks = workflow.tasks.iter().enumerate();
    tasks.map(|(at, task)| (task.id.clone(), at)).collect()
}

fn tried(spec: &Spec) -> Result<(), String> {
    let compared = catch_unwind(AssertUnwindSafe(|| compare(spec)));
    compared.unwrap_or_else(|_| Err("it panics".into()))
}

fn compare(spec: &Spec) -> Result<(), String> {
    let world = play(spec)?;
    let reference = evaluate(spec, order(spec));
    let replayed = world.replayed();
    if known(&replayed) != known(&world.state) {
        return Err("a replay comes to something else".into());
    }
    if world.most_at_once > spec.slots {
        return Err(format!("{} calls at once", world.most_at_once));
    }
    let end = match world.state.phase {
        Phase::Ended(RunEnd::Succeeded) => "succeeded",
        Phase::Ended(RunEnd::Partial) => "partial",
        Phase::Ended(RunEnd::Failed) => "failed",
        other => return Err(format!("the run is {other:?}")),
    };
    if world.state.frames.len() != reference.graphs.len() {
        let (has, should) = (world.state.frames.len(), reference.graphs.len());
        return Err(format!("{has} graphs, expected {should}"));
    }
    for graph in 0..reference.graphs.len() {
        for task in 0..reference.graphs[graph].tasks.len() {
            same(&world, &reference, graph, task, spec.timed)?;
        }
    }
    if !spec.timed {
        defined(spec, &world, end)?;
    }
    if end != reference.verdict {
        return Err(format!("the run {end}, expected {}", reference.verdict));
    }
    Ok(())
}

/// What the format says outright.
fn defined(spec: &Spec, world: &World, end: &str) -> Result<(), String> {
    let (fates, verdict) = fates(spec);
    if fates.len() != world.state.tasks.len() {
        return Err(format!(
            "{} tasks, expected {}",
            world.state.tasks.len(),
            fates.len()
        ));
    }
    for ((id, path), fate) in &fates {
        let task = world.state.at(id, path);
        let task = &world.state.tasks[task.ok_or_else(|| format!("no task {id} {path:?}"))?];
        let status = status_of(task);
        let found = (status, task.reason.as_str(), &task.view["result"]);
        let expected = (fate.status, fate.reason, &fate.result);
        if found != expected {
            return Err(format!(
                "{id} {path:?}: {found:?}, by definition {expected:?}"
            ));
        }
    }
    if end != verdict {
        return Err(format!("the run {end}, by definition {verdict}"));
    }
    Ok(())
}

fn status_of(task: &TaskState) -> Status {
    match task.status {
        TaskStatus::Blocked => Status::Blocked,
        TaskStatus::Active => Status::Active,
        TaskStatus::Succeeded => Status::Succeeded,
        TaskStatus::Failed => Status::Failed,
        TaskStatus::Skipped | TaskStatus::Cancelled => Status::Skipped,
    }
}

fn same(
    world: &World,
    reference: &Reference<'_>,
    graph: usize,
    task: usize,
    timed: bool,
) -> Result<(), String> {
    let (here, job) = (&reference.graphs[graph], reference.job(graph, task));
    let should = &here.tasks[task];
    let at = world.state.at(&job.id, &here.path);
    let at = at.ok_or_else(|| format!("there is no task {} {:?}", job.id, here.path))?;
    let has = &world.state.tasks[at];
    let status = status_of(has);
    let problem = has.problem.as_ref();
    let code = problem.map_or("", |p| p.code.as_str());
    // Which of two failures of one instant was first has no meaning.
    let group = !timed && matches!(job.kind, JobKind::Group(_));
    let code_as = if group { code } else { should.code.as_str() };
    let found = (status, has.reason.as_str(), code, &has.view["result"]);
    let expected = (should.status, should.reason, code_as, &should.result);
    if found != expected {
        let place = format!("{} {:?}", job.id, here.path);
        return Err(format!("{place}: {found:?}, expected {expected:?}"));
    }
    items(job, should, has, &here.path)
}

fn items(job: &Job, should: &Known, has: &TaskState, path: &[u32]) -> Result<(), String> {
    if has.items.is_none() || should.status == Status::Skipped {
        return Ok(());
    }
    let stages = has.instances.iter().map(|i| match i.status {
        InstanceStatus::Succeeded => Stage::Succeeded,
        InstanceStatus::Failed => Stage::Failed,
        InstanceStatus::Skipped => Stage::Skipped,
        _ => Stage::Ready,
    });
    let found: Vec<Stage> = stages.collect();
    let expected: Vec<Stage> = should.items.iter().map(|i| i.stage).collect();
    if found == expected {
        return Ok(());
    }
    let place = format!("{} {path:?}", job.id);
    Err(format!(
        "items of {place}: {found:?}, expected {expected:?}"
    ))
}

/// Plays a workflow in time: each call ends when its outcome says so.
fn play(spec: &Spec) -> Result<World, String> {
    let mut jobs = HashMap::new();
    index(&spec.tasks, &mut jobs);
    spec.handlers
        .iter()
        .flatten()
        .for_each(|h| index(h, &mut jobs));
    let mut world = World::of(spec.workflow());
    let mut calls: Vec<(i64, usize, Dispatch)> = Vec::new();
    let mut sequence = 0;
    let mut dice = Dice::new(spec.seed);
    for _ in 0..1_000_000 {
        // The process dies now and then; what was called goes on.
        if spec.seed.is_multiple_of(4) && dice.below(8) == 0 {
            world.state = world.replayed();
            world.input(Input::Begin);
        }
        while let Some(call) = world.calls.pop_front() {
            let job = jobs[world.state.task(call.task).id.as_str()];
            let outcome = spec.outcome(job, &world.name(&call), call.attempt);
            sequence += 1;
            calls.push((world.now_ms + outcome.after_ms, sequence, call));
        }
        world.most_at_once = world.most_at_once.max(calls.len());
        let next = calls.iter().map(|(when, at, _)| (*when, *at)).min();
        let due = world.state.due_ms();
        match (next, due) {
            (Some((when, at)), due) if due.is_none_or(|due| when <= due) => {
                let found = calls.iter().position(|c| c.1 == at).expect("just seen");
                let (_, _, call) = calls.swap_remove(found);
                let job = jobs[world.state.task(call.task).id.as_str()];
                world.now_ms = when;
                let answer = answer(spec, job, &world.name(&call), call.attempt);
                world.answer(&call, answer);
            }
            (_, Some(due)) => {
                world.now_ms = due;
                world.input(Input::Due);
            }
            (_, None) if world.state.ended() => return Ok(world),
            (_, None) => return Err(format!("it is stuck: {:?}", world.statuses())),
        }
    }
    Err("it does not end".into())
}

fn answer(spec: &Spec, job: &Job, place: &str, attempt: u32) -> Answer {
    match spec.outcome(job, place, attempt).end {
        End::Good { as_expected } => Answer::Done(result_of(place, attempt, as_expected)),
        End::Bad { retryable } => failing("BAD", retryable),
        End::Unknown => Answer::Unknown(Problem::new("OUTCOME_UNKNOWN", "nobody knows")),
    }
}

fn index<'a>(jobs: &'a [Job], all: &mut HashMap<&'a str, &'a Job>) {
    for job in jobs {
        all.insert(&job.id, job);
        if let JobKind::Group(inner) = &job.kind {
            index(inner, all);
        }
    }
}

/// Leaves out tasks for as long as it still fails.
fn shrunk(spec: Spec, why: String) -> (Spec, String) {
    shrunk_by(spec, why, &tried)
}

fn shrunk_by(
    mut spec: Spec,
    mut why: String,
    fails: &dyn Fn(&Spec) -> Result<(), String>,
) -> (Spec, String) {
    loop {
        let smaller = smaller(&spec).into_iter().find_map(|smaller| {
            let why = fails(&smaller).err()?;
            Some((smaller, why))
        });
        match smaller {
            Some(found) => (spec, why) = found,
            None => return (spec, why),
        }
    }
}

/// The workflow without each one of its tasks, and without each handler.
fn smaller(spec: &Spec) -> Vec<Spec> {
    let mut all = Vec::new();
    for handler in 0..spec.handlers.len() {
        if spec.handlers[handler].is_some() {
            let mut less = spec.clone();
            less.handlers[handler] = None;
            all.push(less);
        }
    }
    for tasks in without_one(&spec.tasks) {
        if !tasks.is_empty() {
            let mut less = spec.clone();
            less.tasks = tasks;
            all.push(less);
        }
    }
    all
}

fn without_one(jobs: &[Job]) -> Vec<Vec<Job>> {
    let mut all = Vec::new();
    for gone in (0..jobs.len()).rev() {
        let mut left = jobs.to_vec();
        left.remove(gone);
        for job in &mut left {
            job.needs.retain(|need| *need != gone);
            for need in &mut job.needs {
                *need -= usize::from(*need > gone);
            }
            job.reads = moved(job.reads, gone);
            if let When::Succeeded(need) = job.when {
                job.when = moved(Some(need), gone).map_or(When::Always, When::Succeeded);
            }
        }
        all.push(left);
        if let JobKind::Group(inner) = &jobs[gone].kind {
            for inner in without_one(inner) {
                if !inner.is_empty() {
                    let mut left = jobs.to_vec();
                    left[gone].kind = JobKind::Group(inner);
                    all.push(left);
                }
            }
        }
    }
    all
}

fn moved(need: Option<usize>, gone: usize) -> Option<usize> {
    let need = need.filter(|need| *need != gone)?;
    Some(need - usize::from(need > gone))
}
