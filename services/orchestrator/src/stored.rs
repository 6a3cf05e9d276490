//! Workflows that are kept under their names.

use gearmesh_workflow::Dialect;

use crate::error::Error;
use crate::run::Runs;

/// The text of a workflow, as it was stored or sent.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) source: String,
    pub(crate) file_name: String,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) version: u32,
}

/// The text of a stored workflow that may be started; version 0: the newest.
pub(crate) async fn startable(_runs: &Runs, name: &str, _version: u32) -> Result<Text, Error> {
    Err(Error::WorkflowNotFound(name.to_owned()))
}
