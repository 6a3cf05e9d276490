//! The effect ledger of an engine, and the service through which it is fenced.

use std::time::Duration;

use gearmesh_api::ledger::v1::ledger_service_server::{LedgerService, LedgerServiceServer};
use gearmesh_api::ledger::v1::{FenceRequest, FenceResponse, FenceState};
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_catalog::{Keyed, Tool};
use gearmesh_fault::{Refusal, status};
use gearmesh_store::{Fenced, Ledger};
use tokio::sync::OnceCell;
use tonic::{Request, Response, Status};

use crate::context::Context;
use crate::error::Error;

/// The ledger in the engine's store. The store is opened when the first keyed
/// call needs it: engines that never meet one pay nothing.
#[derive(Debug, Clone)]
pub(crate) struct LazyLedger {
    context: Context,
    ledger: std::sync::Arc<OnceCell<Ledger>>,
}

impl LazyLedger {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context,
            ledger: std::sync::Arc::default(),
        }
    }

    pub(crate) async fn get(&self) -> Result<&Ledger, Status> {
        self.ledger
            .get_or_try_init(|| async {
                let ledger = if self.is_beside_tables() {
                    Box::pin(Ledger::open(self.context.store().await?.clone())).await?
                } else {
                    Box::pin(Ledger::open(self.context.base().await?.clone())).await?
                };
                self.context
                    .spawn(forget(self.context.clone(), ledger.clone()));
                Ok(ledger)
            })
            .await
            .map_err(|e: Error| match e {
                Error::Store(e) => status(&e),
                e => Refusal::new(CommonFault::StoreFailed, e.to_string()).into(),
            })
    }

    /// Whether entries lie beside what the engine's effects change, to be committed with it:
    /// then whoever fences must look there.
    fn is_beside_tables(&self) -> bool {
        let catalog = self.context.catalog();
        let own = |t: &&std::sync::Arc<Tool>| t.engine == self.context.service();
        catalog
            .tools()
            .iter()
            .filter(own)
            .any(|t| t.keyed == Keyed::Txn)
    }

    pub(crate) fn engine(&self) -> &'static str {
        self.context.service()
    }

    pub(crate) fn server(self) -> LedgerServiceServer<Self> {
        LedgerServiceServer::new(self)
    }
}

/// Wait between two sweeps, and entries forgotten in one.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
const SWEEP_MAX: u32 = 500;

/// Forgets entries that have expired, in small batches off the hot path.
async fn forget(context: Context, ledger: Ledger) {
    loop {
        tokio::select! {
            () = context.shutdown().cancelled() => return,
            () = context.clock().sleep(SWEEP_EVERY) => {}
        }
        if let Err(error) = ledger.purge(context.clock().now_ms(), SWEEP_MAX).await {
            tracing::warn!(%error, "expired keys not forgotten");
        }
    }
}

#[tonic::async_trait]
impl LedgerService for LazyLedger {
    async fn fence(
        &self,
        request: Request<FenceRequest>,
    ) -> Result<Response<FenceResponse>, Status> {
        let request = request.into_inner();
        let number = |n: u64| {
            i64::try_from(n)
                .map_err(|_| Refusal::parameters(vec![("epoch".into(), "is too large".into())]))
        };
        let epoch = number(request.epoch)?;
        let fenced = self
            .get()
            .await?
            .fence(
                self.engine(),
                &request.tool,
                &request.key,
                epoch,
                i64::from(request.attempt),
            )
            .await
            .map_err(|e| status(&e))?;
        let (state, reply) = match fenced {
            Fenced::Absent => (FenceState::Absent, bytes::Bytes::new()),
            Fenced::Started => (FenceState::Started, bytes::Bytes::new()),
            Fenced::Done(reply) => (FenceState::Done, reply),
        };
        Ok(Response::new(FenceResponse {
            state: state.into(),
            reply,
        }))
    }
}
