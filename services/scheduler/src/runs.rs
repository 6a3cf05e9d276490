//! The orchestrator as the scheduler needs it.

use std::time::Duration;

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_api::orchestrator::v1::orchestrator_service_client::OrchestratorServiceClient;
use gearmesh_api::tool::v1::Json;
use gearmesh_link::Link;
use gearmesh_runtime::{Call, Context};
use tonic::{Request, Status};

use crate::error::{Error, Result};
use crate::target::Target;

/// The engine that runs workflows.
const ORCHESTRATOR: &str = "orchestrator";

/// Time for one call: a start is one durable write.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Calls of the orchestrator.
#[derive(Debug, Clone)]
pub(crate) struct Runs {
    context: Context,
}

/// A start with what makes it the one that is meant.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) target: Target,
    pub(crate) key: String,
    pub(crate) owner: &'a str,
    pub(crate) scopes: Option<String>,
}

impl Runs {
    pub(crate) fn new(context: Context) -> Self {
        Self { context }
    }

    fn client(&self) -> Result<OrchestratorServiceClient<Link>, Status> {
        Ok(OrchestratorServiceClient::new(
            self.context.link(ORCHESTRATOR)?,
        ))
    }

    /// Starts a run, or finds the one that the key started before.
    pub(crate) async fn start(&self, start: Start<'_>) -> Result<String, Status> {
        let target = start.target;
        let text = |value: serde_json::Value| Json {
            text: value.to_string().into_bytes().into(),
        };
        let call = Call {
            key: Some(start.key),
            principal: Some(start.owner.to_owned()).filter(|o| !o.is_empty()),
            scopes: start.scopes,
            ..Call::default()
        };
        let message = api::StartRunRequest {
            source: target.source,
            file_name: target.file_name,
            dialect: target.dialect.to_owned(),
            folder: target.folder,
            inputs: (target.inputs.into_iter())
                .map(|(name, value)| (name, text(value)))
                .collect(),
            ..api::StartRunRequest::default()
        };
        let answer = self.client()?.start_run(request(message, call)?).await?;
        Ok(answer.into_inner().run.unwrap_or_default().run_id)
    }

    /// How a run stands.
    pub(crate) async fn get(&self, run: &str) -> Result<api::Run, Status> {
        let message = api::GetRunRequest {
            run_id: run.to_owned(),
        };
        let answer = self
            .client()?
            .get_run(request(message, Call::default())?)
            .await?;
        Ok(answer.into_inner().run.unwrap_or_default())
    }

    /// Cancels a run.
    pub(crate) async fn cancel(&self, run: &str) -> Result<(), Status> {
        let message = api::CancelRunRequest {
            run_id: run.to_owned(),
            force: false,
        };
        self.client()?
            .cancel_run(request(message, Call::default())?)
            .await?;
        Ok(())
    }

    /// Checks a target before it is stored.
    ///
    /// # Errors
    /// [`Error::Target`] with every fault that the orchestrator finds.
    pub(crate) async fn validate(&self, target: &Target) -> Result<()> {
        let message = api::ValidateRequest {
            source: target.source.clone(),
            file_name: target.file_name.clone(),
            dialect: target.dialect.to_owned(),
        };
        let answer = self
            .client()?
            .validate(request(message, Call::default())?)
            .await?;
        let answer = answer.into_inner();
        if answer.valid {
            return Ok(());
        }
        let faults = answer.errors.into_iter().map(|e| {
            let place = format!("workflow:{}:{}", e.line, e.column);
            (place, format!("{} ({})", e.message, e.code))
        });
        Err(Error::Target(faults.collect()))
    }
}

fn request<T>(message: T, call: Call) -> Result<Request<T>, Status> {
    let mut request = Request::new(message);
    let call = Call {
        timeout: Some(TIMEOUT),
        ..call
    };
    call.write(request.metadata_mut())
        .map_err(|e| Status::from(Error::parameter("scheduleId", e.to_string())))?;
    Ok(request)
}
