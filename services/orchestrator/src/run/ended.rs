//! The last runs that ended, for those that ask right after.

use std::collections::VecDeque;
use std::sync::Arc;

use gearmesh_store::RunId;

use crate::plan::State;
use crate::size::json_size;

/// Ended runs that are kept in memory: those that are asked for right after.
const KEPT_MAX: usize = 64;

/// Bytes that the results of these may have together, as JSON; the last run is kept however
/// large it is, since it was in memory all the time.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// The last runs that ended, in their order.
#[derive(Debug, Default)]
pub(super) struct Ended {
    runs: VecDeque<Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    run: RunId,
    state: Arc<State>,
    bytes: usize,
}

impl Ended {
    /// Keeps a run, and forgets the oldest ones where there is no room.
    pub(super) fn keep(&mut self, run: RunId, state: Arc<State>) {
        let bytes = size(&state);
        self.bytes = self.bytes.saturating_add(bytes);
        self.runs.push_back(Kept { run, state, bytes });
        while self.runs.len() > 1 && (self.runs.len() > KEPT_MAX || self.bytes > BYTES_MAX) {
            let oldest = self.runs.pop_front();
            self.bytes -= oldest.map_or(0, |kept| kept.bytes);
        }
    }

    /// A run, if it is kept.
    pub(super) fn find(&self, run: RunId) -> Option<Arc<State>> {
        let found = self.runs.iter().find(|kept| kept.run == run)?;
        Some(found.state.clone())
    }
}

/// The bytes of all values of a run that may be large.
fn size(state: &State) -> usize {
    let tasks = state.tasks.iter().map(|task| {
        let items = task.items.iter().flatten().map(json_size).sum::<usize>();
        let results = task.instances.iter().map(|i| json_size(&i.result));
        items + results.sum::<usize>() + json_size(&task.view)
    });
    let constants = state.constants.values().map(json_size);
    tasks.sum::<usize>() + constants.sum::<usize>() + json_size(&state.outputs)
}

#[cfg(test)]
mod tests {
    use gearmesh_api::journal::v1 as journal;
    use gearmesh_workflow::{Source, check};
    use serde_json::Value;

    use super::*;

    /// An ended run whose outputs have this many bytes.
    fn ended(bytes: usize) -> Arc<State> {
        let source = Source {
            text: "name: a\ntasks: [{id: a, set: {x: 1}}]\n",
            file_name: "a.workflow.yaml",
            dialect: None,
        };
        let workflow = check(&source, None).workflow.expect("a workflow");
        let accepted = journal::Accepted::default();
        let mut state = State::new("run_0".into(), Arc::new(workflow), &accepted, 0);
        let rest = size(&state) - json_size(&state.outputs) + "\"\"".len();
        state.outputs = Value::String("x".repeat(bytes.saturating_sub(rest)));
        Arc::new(state)
    }

    fn kept(ended: &Ended) -> Vec<RunId> {
        ended.runs.iter().map(|kept| kept.run).collect()
    }

    #[test]
    fn as_many_as_fit_are_kept() {
        let mut few = Ended::default();
        for run in 0..=64 {
            few.keep(run, ended(0));
        }
        assert_eq!(kept(&few), (1..=64).collect::<Vec<_>>());
        assert!(few.find(0).is_none() && few.find(64).is_some());
    }

    #[test]
    fn large_ones_make_room_and_the_last_stays() {
        let mut large = Ended::default();
        large.keep(1, ended(BYTES_MAX / 2));
        large.keep(2, ended(BYTES_MAX / 2));
        assert_eq!(kept(&large), [1, 2], "{}", large.bytes);
        large.keep(3, ended(1_000));
        assert_eq!(kept(&large), [2, 3], "one byte too many");
        large.keep(4, ended(BYTES_MAX + 1));
        assert_eq!(kept(&large), [4]);
        large.keep(5, ended(1_000));
        assert_eq!(kept(&large), [5]);
        assert_eq!(large.bytes, 1_000);
    }
}
