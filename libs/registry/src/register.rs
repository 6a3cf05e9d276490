//! An instance's place in the registry.

use std::sync::Arc;

use tokio::sync::watch;

use crate::Instance;
use crate::consul::{CHECK_INTERVAL, Client};
use crate::local::Table;
use crate::task::Task;

/// An instance's place in the registry. Dropped, it is no longer looked after:
/// in `local:` it is gone at once, from Consul when its check fails.
#[derive(Debug)]
pub struct Registration {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Nothing,
    Local {
        table: Arc<Table>,
        instance: Instance,
    },
    Consul {
        client: Client,
        instance: Instance,
        known: watch::Receiver<bool>,
        task: Task,
    },
}

impl Registration {
    pub(crate) fn nothing() -> Self {
        Self {
            place: Place::Nothing,
        }
    }

    pub(crate) fn local(table: Arc<Table>, instance: Instance) -> Self {
        table.add(instance.clone());
        Self {
            place: Place::Local { table, instance },
        }
    }

    pub(crate) fn consul(client: Client, instance: Instance) -> Self {
        let (sender, known) = watch::channel(false);
        let task = Task::start(keep(client.clone(), instance.clone(), sender));
        Self {
            place: Place::Consul {
                client,
                instance,
                known,
                task,
            },
        }
    }

    /// Ends when the registry knows the instance.
    pub async fn known(&self) {
        if let Place::Consul { known, .. } = &self.place {
            // The sender lives in the task, which lives as long as this.
            let _ = known.clone().wait_for(|k| *k).await;
        }
    }

    /// Takes the instance back. What the registry does not hear it sees by its check.
    pub async fn deregister(mut self) {
        // Dropping does it for the other kinds.
        let place = std::mem::replace(&mut self.place, Place::Nothing);
        match place {
            Place::Consul {
                client,
                instance,
                task,
                ..
            } => {
                // First, or the task would register it again.
                drop(task);
                if let Err(error) = client.deregister(&instance).await {
                    tracing::warn!(engine = instance.engine, %error, "instance not taken back");
                }
            }
            Place::Local { table, instance } => table.remove(&instance),
            Place::Nothing => {}
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Place::Local { table, instance } = &self.place {
            table.remove(instance);
        }
    }
}

/// Registers, then looks at each interval whether the agent still knows.
async fn keep(client: Client, instance: Instance, known: watch::Sender<bool>) {
    let mut failing = false;
    loop {
        let result = if *known.borrow() {
            client.keep(&instance).await
        } else {
            client.register(&instance).await.map(|()| true)
        };
        match result {
            Ok(true) => {
                if failing || !*known.borrow() {
                    tracing::info!(engine = instance.engine, id = instance.id, "registered");
                }
                failing = false;
                known.send_replace(true);
            }
            Ok(false) => {
                tracing::warn!(
                    engine = instance.engine,
                    "the registry has forgotten this instance"
                );
                known.send_replace(false);
                continue;
            }
            Err(error) => {
                // Once per outage, at a level that is seen.
                if !failing {
                    tracing::warn!(engine = instance.engine, %error, "not registered");
                }
                failing = true;
            }
        }
        tokio::time::sleep(CHECK_INTERVAL / if failing { 3 } else { 1 }).await;
    }
}
