//! The planner, asked with the time, chance and catalogue of this moment.

use gearmesh_runtime::Context;

use crate::plan::{Decided, Input, Moment, State, advance};
use crate::run::tools::Known;

/// Takes inputs in and adds what follows from them to `decided`. When it is `leaving`,
/// nothing further is given out here.
pub(crate) fn decide(
    cx: &Context,
    leaving: bool,
    state: &mut State,
    inputs: impl IntoIterator<Item = Input>,
    decided: &mut Decided,
) {
    let moment = Moment {
        now_ms: cx.clock().now_ms(),
        draining: leaving,
        chance: &|| cx.rng().fraction(),
        tools: &Known {
            catalog: cx.catalog(),
            mesh: cx.mesh(),
            scopes: state.accepted.scopes.clone(),
        },
    };
    for input in inputs {
        advance(state, &moment, input, decided);
    }
}
