//! Reports that are ordered, and are ready some time later.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::log::Lines;

/// Looks at a report, within one run, until it is ready.
pub(crate) const LOOKS_UNTIL_READY: u32 = 3;

/// An ordered report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) id: String,
    /// `Idempotency-Key` of the order; empty when it had none.
    key: String,
    /// What was ordered.
    pub(crate) order: Value,
}

/// The reports, kept in a file.
#[derive(Debug)]
pub(crate) struct Reports(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    lines: Lines,
    by_id: HashMap<String, Report>,
    id_by_key: HashMap<String, String>,
}

impl Inner {
    fn insert(&mut self, report: Report) {
        if !report.key.is_empty() {
            self.id_by_key.insert(report.key.clone(), report.id.clone());
        }
        self.by_id.insert(report.id.clone(), report);
    }
}

impl Reports {
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let (lines, reports) = Lines::open::<Report>(folder.join("reports.jsonl"))?;
        let mut inner = Inner {
            lines,
            by_id: HashMap::new(),
            id_by_key: HashMap::new(),
        };
        for report in reports {
            inner.insert(report);
        }
        Ok(Self(Mutex::new(inner)))
    }

    /// Orders a report. A second order with the same key is the first one.
    pub(crate) fn order(&self, key: &str, order: Value) -> Result<Report, Error> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = inner.id_by_key.get(key).and_then(|id| inner.by_id.get(id));
        if let Some(report) = earlier {
            return Ok(report.clone());
        }
        let report = Report {
            id: format!("rep-{}", inner.by_id.len() + 1),
            key: key.to_owned(),
            order,
        };
        inner.lines.append(&report)?;
        inner.insert(report.clone());
        Ok(report)
    }

    pub(crate) fn get(&self, id: &str) -> Option<Report> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.by_id.get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_with_a_known_key_is_the_first_one_even_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let reports = Reports::open(folder.path()).unwrap();
        let first = reports.order("k", json!({"count": 1})).unwrap();
        assert_eq!(reports.order("k", json!(2)).unwrap().id, first.id);
        drop(reports);
        let reports = Reports::open(folder.path()).unwrap();
        assert_eq!(reports.order("k", json!(3)).unwrap().id, first.id);
        let other = reports.order("", json!(4)).unwrap();
        assert_ne!(other.id, first.id);
        assert_ne!(reports.order("", json!(4)).unwrap().id, other.id);
        assert_eq!(reports.get(&first.id).unwrap().order, json!({"count": 1}));
    }
}
