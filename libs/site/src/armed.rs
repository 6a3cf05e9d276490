//! The places of a build for tests.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::plan::Plan;

static PLAN: OnceLock<Plan> = OnceLock::new();
static PASSES: AtomicU32 = AtomicU32::new(0);
static REACHED: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

pub(crate) fn arm(plan: Plan) {
    let _ = PLAN.set(plan);
}

pub(crate) fn reached(name: &'static str) {
    let first = REACHED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(name);
    if let Some(log) = PLAN
        .get()
        .and_then(|plan| plan.log.as_ref())
        .filter(|_| first)
    {
        // One write each, appended: many processes share the file.
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .and_then(|mut file| file.write_all(format!("{name}\n").as_bytes()));
        if let Err(e) = written {
            // A suite counts what it finds there; what is missing fails it.
            eprintln!("{}: {e}", log.display());
        }
    }
}

pub(crate) fn crash(name: &'static str) {
    reached(name);
    let Some(crash) = PLAN.get().and_then(|plan| plan.crash.as_ref()) else {
        return;
    };
    if crash.name == name && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == crash.nth {
        std::process::abort();
    }
}

pub(crate) fn planted(name: &'static str) -> bool {
    let planted = PLAN.get().and_then(|plan| plan.plant.as_deref()) == Some(name);
    if planted {
        reached(name);
    }
    planted
}

pub(crate) fn all_reached() -> Vec<&'static str> {
    REACHED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .copied()
        .collect()
}
