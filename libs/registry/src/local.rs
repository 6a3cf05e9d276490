//! The table of `local:` and `static:`: kept in this process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::address::Address;
use crate::instance::in_order;
use crate::{Error, Instance};

/// Instances by engine. A set that is watched stays when it becomes empty.
#[derive(Debug, Default)]
pub(crate) struct Table {
    sets: Mutex<BTreeMap<String, watch::Sender<Vec<Instance>>>>,
}

impl Table {
    /// Reads `file=https://a:8443,file=https://b:8443,db=..`.
    pub(crate) fn parse(list: &str) -> Result<Self, Error> {
        let table = Self::default();
        for entry in list.split(',').map(str::trim).filter(|e| !e.is_empty()) {
            let (engine, url) = entry.split_once('=').ok_or_else(|| {
                Error::setting(
                    entry,
                    "an entry of `static:` is NAME=URL, as file=https://10.0.0.7:8443",
                )
            })?;
            let address = Address::parse(url.trim()).map_err(|e| Error::setting("static:", e))?;
            table.add(Instance {
                id: address.authority(),
                engine: engine.trim().to_owned(),
                url: address.url(),
                tags: Vec::new(),
            });
        }
        Ok(table)
    }

    fn sets(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<Vec<Instance>>>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an instance, or replaces the one of its id.
    pub(crate) fn add(&self, instance: Instance) {
        let mut sets = self.sets();
        let set = sets.entry(instance.engine.clone()).or_default();
        set.send_modify(|set| {
            set.retain(|i| i.id != instance.id);
            set.push(instance);
            *set = in_order(std::mem::take(set));
        });
    }

    /// Takes an instance away, unless another has taken its id.
    pub(crate) fn remove(&self, instance: &Instance) {
        if let Some(set) = self.sets().get(&instance.engine) {
            set.send_modify(|set| set.retain(|i| i != instance));
        }
    }

    pub(crate) fn watch(&self, engine: &str) -> watch::Receiver<Vec<Instance>> {
        self.sets()
            .entry(engine.to_owned())
            .or_default()
            .subscribe()
    }

    /// The engines that have an instance.
    pub(crate) fn engines(&self) -> Vec<String> {
        let sets = self.sets();
        let held = sets.iter().filter(|(_, set)| !set.borrow().is_empty());
        held.map(|(engine, _)| engine.clone()).collect()
    }
}
