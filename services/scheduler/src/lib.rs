//! When work starts: schedules by cron, rule, interval or at one instant.
//!
//! The scheduler decides when, the orchestrator how. The crate `schedule` finds the
//! instants of a rule and is pure, as is `plan`, which says what a schedule owes at an
//! instant.
//! The planner makes the fires that are owed durable, the sender starts their runs
//! under a request key that follows from the fire: so each fire has one run,
//! whatever crashes in between.
//!
//! Must not know: how a workflow runs. It sees runs by the orchestrator's protocol.

mod config;
mod convert;
mod definition;
mod error;
mod fires;
mod history;
mod key;
mod outcome;
mod plan;
mod planner;
mod policy;
mod rpc;
mod runs;
mod schedules;
mod sender;
mod table;
mod target;

use std::sync::Arc;

use gearmesh_api::scheduler::v1::scheduler_service_server::SchedulerServiceServer;
use gearmesh_runtime::{BoxFuture, Context, Service};
use tokio::sync::Notify;
use tonic::service::Routes;

pub use config::Config;
pub use table::SCHEDULES_MAX;

/// The scheduler engine.
pub const SERVICE: Service = Service {
    name: "scheduler",
    descriptors: || gearmesh_api::DESCRIPTORS,
    start,
};

fn start(
    cx: Context,
) -> BoxFuture<'static, Result<Routes, Box<dyn std::error::Error + Send + Sync>>> {
    Box::pin(async move {
        cx.config::<Config>()?;
        let table = Arc::new(table::Table::new(cx.clone()));
        let (edited, due) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let sender = Arc::new(sender::Sender::new(cx.clone(), table.clone(), due.clone()));
        cx.spawn(sender.clone().run());
        let planner = planner::Planner {
            context: cx.clone(),
            table: table.clone(),
            edited: edited.clone(),
            due,
        };
        cx.spawn(planner.run());
        let schedules = schedules::Schedules::new(cx, table, edited);
        Ok(Routes::new(SchedulerServiceServer::new(rpc::Rpc::new(
            schedules, sender,
        ))))
    })
}
