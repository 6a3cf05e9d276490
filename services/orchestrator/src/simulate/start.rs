//! How the run of a case is accepted.

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::Workflow;

use super::cases::Case;
use super::read::instant;
use crate::acceptance;
use crate::plan::millis;

/// The id of the run of every case.
pub(super) const RUN: &str = "run_0000000000001";

/// Who starts it, and so answers no question of it.
const PRINCIPAL: &str = "test";

/// The first record of a case's run; or why it cannot begin.
pub(super) fn accepted(workflow: &Workflow, case: &Case) -> Result<journal::Accepted, Vec<String>> {
    let texts = |errors: Vec<gearmesh_workflow::InputError>| {
        let texts = errors.into_iter().map(|error| error.message);
        texts.collect::<Vec<_>>()
    };
    let mut inputs = workflow.bind_inputs(&case.inputs).map_err(texts)?;
    let now = crate::render::instant(case.now_ms);
    workflow.fill_inputs(&mut inputs, &now).map_err(texts)?;
    let limit = workflow.timeout.map(millis);
    let trigger = case.trigger.as_ref();
    let scheduled = trigger.and_then(|t| instant(t.get("time")?.as_str()?));
    let mut accepted = journal::Accepted {
        workflow: workflow.name.clone(),
        version: 1,
        inputs: Value::Object(inputs).to_string().into(),
        principal: PRINCIPAL.to_owned(),
        deadline_ms: limit.map(|l| case.now_ms.saturating_add(l)),
        trigger: trigger.map(Value::to_string).unwrap_or_default().into(),
        scheduled_ms: scheduled,
        ..journal::Accepted::default()
    };
    acceptance::vars(workflow, RUN, &mut accepted, case.now_ms).map_err(|e| vec![e.to_string()])?;
    Ok(accepted)
}
