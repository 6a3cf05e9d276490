//! What holds of every state of a run.

use std::collections::BTreeSet;

use crate::plan::{InstanceStatus, State};

/// What is kept twice is equal, and the limits hold.
pub(super) fn sound(state: &State, text: &str) {
    let open = state.tasks.iter().enumerate().filter(|(_, t)| !t.ended());
    let instances = open.clone().flat_map(|(task, known)| {
        let all = known.instances.iter().enumerate();
        all.map(move |(item, instance)| (task, item, instance))
    });
    let count = |status: InstanceStatus| instances.clone().filter(|i| i.2.status == status).count();
    let leased = count(InstanceStatus::Leased);
    assert_eq!(
        state.leased,
        leased + usize::from(state.undoing.leased),
        "{text}: leased"
    );
    assert!(
        leased <= state.workflow.max_concurrent,
        "{text}: {leased} slots"
    );
    let waiting = count(InstanceStatus::Waiting) + count(InstanceStatus::Unknown);
    assert_eq!(state.waiting, waiting, "{text}: waiting");
    let of = |status| instances.clone().filter(move |i| i.2.status == status);
    let ready: BTreeSet<_> = of(InstanceStatus::Ready)
        .map(|(task, item, _)| state.ready_key(task, item))
        .collect();
    let sets: BTreeSet<_> = state.ready.union(&state.free).copied().collect();
    assert_eq!(sets, ready, "{text}: ready");
    let backoffs: BTreeSet<_> = of(InstanceStatus::Backoff)
        .map(|(task, item, i)| (i.due_ms, task, item))
        .collect();
    assert_eq!(state.backoffs, backoffs, "{text}: back-offs");
    let timers: BTreeSet<_> = of(InstanceStatus::Waiting)
        .map(|(task, item, i)| (i.due_ms, task, item))
        .collect();
    assert!(state.timers.is_subset(&timers), "{text}: timers");
    for (task, known) in open {
        let left = known.instances.iter().filter(|i| !i.status.ended()).count();
        assert_eq!(
            known.open_instances, left,
            "{text}: open instances of {task}"
        );
        let under_way = known.instances.iter().filter(|i| i.status.under_way());
        assert_eq!(
            known.under_way,
            under_way.count(),
            "{text}: under way of {task}"
        );
    }
    for (at, frame) in state.frames.iter().enumerate() {
        let tasks = &state.tasks[state.tasks_of(at)];
        let left = tasks.iter().filter(|t| !t.ended()).count();
        assert_eq!(frame.open, left, "{text}: open tasks of frame {at}");
    }
    if state.ended() {
        assert!(
            state.tasks.iter().all(|t| t.ended()),
            "{text}: not all have ended"
        );
        assert_eq!((state.leased, state.due_ms()), (0, None), "{text}");
    }
}
