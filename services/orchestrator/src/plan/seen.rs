//! What expressions see under the name of a task that has ended.

use serde_json::{Map, Value, json};

use gearmesh_workflow::Dialect;

use crate::plan::fold::shown_problem;
use crate::plan::task_state::{InstanceStatus, TaskState, TaskStatus};
use crate::render::instant;

impl TaskState {
    /// The results of an `each` task in the order of its items; null where one failed.
    pub(crate) fn collected(&mut self) -> Value {
        self.instances
            .iter_mut()
            .map(|i| std::mem::take(&mut i.result))
            .collect()
    }

    /// What expressions see under the task's name.
    pub(crate) fn as_seen(&self, result: Value, dialect: Dialect) -> Value {
        let mut view = Map::new();
        view.insert("result".into(), result);
        let status = match self.status {
            TaskStatus::Succeeded if dialect == Dialect::Oktyv => "success",
            TaskStatus::Cancelled if dialect == Dialect::Oktyv => "failed",
            TaskStatus::Succeeded => "succeeded",
            TaskStatus::Failed => "failed",
            TaskStatus::Skipped => "skipped",
            TaskStatus::Cancelled => "cancelled",
            TaskStatus::Blocked | TaskStatus::Active => "running",
        };
        view.insert("status".into(), status.into());
        let error = self.problem.as_ref().map_or(Value::Null, shown_problem);
        view.insert("error".into(), error);
        view.insert("attempts".into(), self.attempts().into());
        view.insert(
            "startTime".into(),
            self.start_ms.map_or(Value::Null, |t| instant(t).into()),
        );
        view.insert(
            "endTime".into(),
            self.end_ms.map_or(Value::Null, |t| instant(t).into()),
        );
        let duration = self.start_ms.zip(self.end_ms).map(|(s, e)| (e - s).max(0));
        view.insert("duration".into(), duration.into());
        if let Some(items) = &self.items {
            view.insert("errors".into(), self.item_errors(items));
        }
        Value::Object(view)
    }

    fn item_errors(&self, items: &[Value]) -> Value {
        self.instances
            .iter()
            .enumerate()
            .filter(|(_, i)| i.status == InstanceStatus::Failed)
            .map(|(index, instance)| {
                let problem = instance.problem.as_ref();
                json!({
                    "index": index,
                    "item": items.get(index),
                    "error": {"code": problem.map(|p| &p.code), "message": problem.map(|p| &p.message)},
                })
            })
            .collect()
    }
}
