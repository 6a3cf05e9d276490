//! The end of a workflow in which no failure stops anything: then it does not depend on time,
//! and sections 5 and 6 of the format say it outright, task by task and group by group.

use std::collections::BTreeMap;

use gearmesh_workflow::{OnItemError, RunIf};
use serde_json::{Value, json};

use super::reference::{Status, result_of};
use super::spec::{End, Job, JobKind, Spec, Then, When};

/// Tasks by their id and the items of the groups around them.
pub(super) type Fates = BTreeMap<(String, Vec<u32>), Fate>;

/// What becomes of a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fate {
    pub(super) status: Status,
    pub(super) reason: &'static str,
    pub(super) result: Value,
    /// Failed items, which the task outlives.
    tolerated: bool,
}

/// What becomes of all tasks, and of the run.
pub(super) fn fates(spec: &Spec) -> (Fates, &'static str) {
    let mut all = Fates::new();
    let own = graph(spec, &spec.tasks, "", &[], &mut all);
    let any = |fates: &[Fate], status| fates.iter().any(|f| f.status == status);
    let tolerated = all.values().any(|f| f.tolerated);
    let mut verdict = match (
        any(&own, Status::Failed) || tolerated,
        any(&own, Status::Succeeded),
    ) {
        (false, _) => "succeeded",
        (true, true) => "partial",
        (true, false) => "failed",
    };
    let [failure, success, finally] = &spec.handlers;
    let first = if verdict == "succeeded" {
        success
    } else {
        failure
    };
    for handler in [first, finally].into_iter().flatten() {
        let fates = graph(spec, handler, "", &[], &mut all);
        if any(&fates, Status::Failed) {
            verdict = "failed";
        }
    }
    (all, verdict)
}

/// The fates of the tasks of one graph, in the order of the file: needs come before.
fn graph(spec: &Spec, jobs: &[Job], around: &str, path: &[u32], all: &mut Fates) -> Vec<Fate> {
    let mut fates: Vec<Fate> = Vec::new();
    for job in jobs {
        let fate = task(spec, job, &fates, around, path, all);
        all.insert((job.id.clone(), path.to_vec()), fate.clone());
        fates.push(fate);
    }
    fates
}

fn task(
    spec: &Spec,
    job: &Job,
    before: &[Fate],
    around: &str,
    path: &[u32],
    all: &mut Fates,
) -> Fate {
    let fate = |status, result: Value, tolerated| Fate {
        status,
        reason: "",
        result,
        tolerated,
    };
    let skipped = |reason| Fate {
        reason,
        ..fate(Status::Skipped, Value::Null, false)
    };
    let needs = || job.needs.iter().map(|need| &before[*need]);
    let succeeded = |f: &Fate| f.status == Status::Succeeded;
    let failed = |f: &Fate| f.status == Status::Failed || f.reason == "NEED_FAILED";
    let runs = match job.run_if {
        RunIf::Ready => !needs().any(failed) && (needs().any(succeeded) || job.needs.is_empty()),
        RunIf::NoneFailed => !needs().any(failed),
        RunIf::AllSucceeded => needs().all(succeeded),
        RunIf::AllDone => true,
        RunIf::AnySucceeded => needs().any(succeeded),
        RunIf::AnyFailed => needs().any(failed),
    };
    if !runs {
        return skipped(match needs().any(failed) {
            true => "NEED_FAILED",
            false => "NEEDS_SKIPPED",
        });
    }
    match job.when {
        When::False => return skipped("CONDITION"),
        When::Succeeded(need) if !succeeded(&before[need]) => return skipped("CONDITION"),
        When::Fault => {
            return match failure(job) {
                Some(result) => fate(Status::Succeeded, result, false),
                None => fate(Status::Failed, Value::Null, false),
            };
        }
        When::Always | When::Succeeded(_) => {}
    }
    let read = job.reads.map_or(Some(json!(job.id)), |need| {
        before[need].result.get("v").cloned()
    });
    let Some(count) = job.each else {
        let place = format!("{around}{}", job.id);
        return match one(spec, job, read, &place, path, all) {
            Some(result) => fate(Status::Succeeded, result, false),
            None => fate(Status::Failed, Value::Null, false),
        };
    };
    let (mut results, mut good, mut bad) = (Vec::new(), 0, 0);
    for item in 0..count {
        let stopped = bad > 0 && job.on_item_error == OnItemError::Stop;
        let mut path = path.to_vec();
        path.push(u32::try_from(item).expect("few"));
        let place = format!("{around}{}[{item}]", job.id);
        let result = if stopped {
            None
        } else {
            let result = one(spec, job, read.clone(), &place, &path, all);
            *(if result.is_some() {
                &mut good
            } else {
                &mut bad
            }) += 1;
            result
        };
        results.push(result.unwrap_or_default());
    }
    let lenient = job.on_item_error == OnItemError::Continue && good > 0;
    if bad == 0 || lenient {
        fate(Status::Succeeded, results.into(), bad > 0)
    } else {
        fate(Status::Failed, results.into(), false)
    }
}

/// The result of one execution of a task; none: it failed, and nothing stands in for it.
fn one(
    spec: &Spec,
    job: &Job,
    read: Option<Value>,
    place: &str,
    path: &[u32],
    all: &mut Fates,
) -> Option<Value> {
    let result = match &job.kind {
        JobKind::Set => read.map(|v| json!({"v": v})),
        JobKind::Tool => read.and_then(|_| called(spec, job, place)),
        JobKind::Group(jobs) => {
            let fates = graph(spec, jobs, &format!("{place}/"), path, all);
            let good = fates.iter().all(|f| f.status != Status::Failed);
            let ids = jobs.iter().map(|job| job.id.clone());
            let results = fates.into_iter().map(|f| f.result);
            good.then(|| Value::Object(ids.zip(results).collect()))
        }
    };
    result.or_else(|| failure(job))
}

/// What a tool gives in the end.
fn called(spec: &Spec, job: &Job, place: &str) -> Option<Value> {
    let most = job.attempts.unwrap_or(1);
    for attempt in 1..=most {
        match spec.outcome(job, place, attempt).end {
            End::Good { as_expected: true } => return Some(result_of(place, attempt, true)),
            // Retried where there are attempts left: the specs list its code.
            End::Good { as_expected: false } | End::Bad { retryable: true } => {}
            End::Bad { retryable: false } | End::Unknown => return None,
        }
    }
    None
}

/// What stands in for a failure.
fn failure(job: &Job) -> Option<Value> {
    (job.on_error == Some(Then::Use)).then(|| json!({"use": job.id}))
}
