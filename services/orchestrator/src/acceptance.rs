//! What a run is accepted with: one rule for runs and for the plays of test cases.

use serde_json::{Map, Value};

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::Workflow;

use crate::error::Error;
use crate::plan::constants;

/// Evaluates the `vars` of a run into its acceptance, each with those before it; answers the
/// roots that its further expressions see.
pub(crate) fn vars(
    workflow: &Workflow,
    run: &str,
    accepted: &mut journal::Accepted,
    now_ms: i64,
) -> Result<Map<String, Value>, Error> {
    let mut roots = constants(run, accepted, now_ms);
    let mut vars = Map::new();
    for (name, node) in &workflow.vars {
        let value = node.evaluate(&roots).map_err(|e| Error::Variable {
            name: name.clone(),
            code: e.code.to_owned(),
            message: e.message,
        })?;
        vars.insert(name.clone(), value);
        roots.insert("vars".to_owned(), Value::Object(vars.clone()));
    }
    accepted.vars = Value::Object(vars).to_string().into();
    Ok(roots)
}
