//! What a schedule was told, as it is stored, and what follows from it.

use std::collections::BTreeMap;

use gearmesh_schedule::{Kind, Spec, Timetable};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::policy::{CatchUp, Overlap, Policy};

/// The fields of a schedule. Absent means that the default holds, so that an edit
/// of one field leaves all others as they were told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) cron_expression: Option<String>,
    pub(crate) rrule: Option<String>,
    pub(crate) interval_ms: Option<i64>,
    pub(crate) execute_at: Option<String>,
    pub(crate) start: Option<String>,
    pub(crate) timezone: Option<String>,
    pub(crate) gap: Option<String>,
    pub(crate) dst_overlap: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) except: Vec<String>,
    pub(crate) workflow: Option<String>,
    pub(crate) file_name: Option<String>,
    pub(crate) folder: Option<String>,
    pub(crate) inputs: BTreeMap<String, Value>,
    pub(crate) tool: Option<String>,
    pub(crate) params: Option<Value>,
    pub(crate) action_type: Option<String>,
    pub(crate) action_config: Option<Value>,
    pub(crate) retry_count: Option<i32>,
    pub(crate) retry_delay_ms: Option<i64>,
    pub(crate) timeout_ms: Option<i64>,
    pub(crate) catch_up: Option<String>,
    pub(crate) catch_up_window_ms: Option<i64>,
    pub(crate) catch_up_max: Option<i32>,
    pub(crate) overlap: Option<String>,
    pub(crate) jitter_ms: Option<i64>,
}

/// Takes a field that was given.
fn take<T>(mine: &mut Option<T>, given: Option<T>) {
    if given.is_some() {
        *mine = given;
    }
}

impl Definition {
    /// The one kind.
    pub(crate) fn kind(&self) -> Result<Kind> {
        let mut kinds = [
            self.cron_expression.clone().map(Kind::Cron),
            self.rrule.clone().map(Kind::Rrule),
            self.interval_ms.map(Kind::Interval),
            self.execute_at.clone().map(Kind::Once),
        ]
        .into_iter()
        .flatten();
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => Ok(kind),
            (None, _) => Err(Error::parameter(
                "cronExpression",
                "a schedule needs one of cronExpression, rrule, interval and executeAt",
            )),
            (Some(one), Some(two)) => Err(Error::parameter(
                "cronExpression",
                format!(
                    "a schedule has one kind, not {} and {}",
                    one.name(),
                    two.name()
                ),
            )),
        }
    }

    /// What the timetable is made of.
    pub(crate) fn spec(&self) -> Result<Spec> {
        Ok(Spec {
            kind: self.kind()?,
            start: self.start.clone(),
            timezone: self.timezone.clone().unwrap_or_else(|| "UTC".to_owned()),
            gap: self.gap.clone(),
            overlap: self.dst_overlap.clone(),
            until: self.until.clone(),
            except: self.except.clone(),
        })
    }

    /// When it fires.
    pub(crate) fn timetable(&self, created_ms: i64) -> Result<Timetable> {
        let created = Timestamp::from_millisecond(created_ms).unwrap_or_default();
        Ok(Timetable::parse(&self.spec()?, created)?)
    }

    /// Stores the first instant of a rule that counts from one and was given none.
    pub(crate) fn fix_start(&mut self, now: Timestamp) -> Result<()> {
        let counts = match self.kind()? {
            Kind::Interval(_) => true,
            Kind::Rrule(text) => !text.to_ascii_uppercase().contains("DTSTART"),
            Kind::Cron(_) | Kind::Once(_) => false,
        };
        if counts && self.start.is_none() {
            let whole = Timestamp::from_second(now.as_millisecond().div_euclid(1000));
            self.start = Some(whole.unwrap_or(now).to_string());
        }
        Ok(())
    }

    /// What it does when it cannot just fire.
    pub(crate) fn policy(&self) -> Policy {
        let default = Policy::default();
        Policy {
            catch_up: CatchUp::of(self.catch_up.as_deref()),
            window_ms: self.catch_up_window_ms.unwrap_or(default.window_ms),
            max: (self.catch_up_max)
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(default.max),
            overlap: Overlap::of(self.overlap.as_deref()),
            jitter_ms: self.jitter_ms.unwrap_or(default.jitter_ms),
        }
    }

    /// Lays the fields that were given over these. A kind or target that was given
    /// takes the place of the former one.
    pub(crate) fn overlay(&mut self, given: Self) {
        let new_kind = given.cron_expression.is_some()
            || given.rrule.is_some()
            || given.interval_ms.is_some()
            || given.execute_at.is_some();
        if new_kind {
            let keeps_start = (given.rrule.is_some() && self.rrule.is_some())
                || (given.interval_ms.is_some() && self.interval_ms.is_some());
            self.cron_expression = given.cron_expression;
            self.rrule = given.rrule;
            self.interval_ms = given.interval_ms;
            self.execute_at = given.execute_at;
            if !keeps_start {
                self.start = None;
            }
        }
        if given.workflow.is_some() || given.tool.is_some() || given.action_type.is_some() {
            self.workflow = None;
            self.file_name = None;
            self.folder = None;
            self.inputs = BTreeMap::new();
            self.tool = None;
            self.params = None;
            self.action_type = None;
            self.action_config = None;
        }
        if !given.name.is_empty() {
            self.name = given.name;
        }
        if !given.description.is_empty() {
            self.description = given.description;
        }
        if !given.labels.is_empty() {
            self.labels = given.labels;
        }
        if !given.except.is_empty() {
            self.except = given.except;
        }
        if !given.inputs.is_empty() {
            self.inputs = given.inputs;
        }
        take(&mut self.start, given.start);
        take(&mut self.timezone, given.timezone);
        take(&mut self.gap, given.gap);
        take(&mut self.dst_overlap, given.dst_overlap);
        take(&mut self.until, given.until);
        take(&mut self.workflow, given.workflow);
        take(&mut self.file_name, given.file_name);
        take(&mut self.folder, given.folder);
        take(&mut self.tool, given.tool);
        take(&mut self.params, given.params);
        take(&mut self.action_type, given.action_type);
        take(&mut self.action_config, given.action_config);
        take(&mut self.retry_count, given.retry_count);
        take(&mut self.retry_delay_ms, given.retry_delay_ms);
        take(&mut self.timeout_ms, given.timeout_ms);
        take(&mut self.catch_up, given.catch_up);
        take(&mut self.catch_up_window_ms, given.catch_up_window_ms);
        take(&mut self.catch_up_max, given.catch_up_max);
        take(&mut self.overlap, given.overlap);
        take(&mut self.jitter_ms, given.jitter_ms);
    }

    /// Puts a field back to its default, by its name in the proto.
    pub(crate) fn reset(&mut self, field: &str) -> Result<()> {
        match field {
            "description" => self.description.clear(),
            "labels" => self.labels.clear(),
            "start" => self.start = None,
            "timezone" => self.timezone = None,
            "dst" => (self.gap, self.dst_overlap) = (None, None),
            "until" => self.until = None,
            "except" => self.except.clear(),
            "file_name" => self.file_name = None,
            "folder" => self.folder = None,
            "inputs" => self.inputs.clear(),
            "params" => self.params = None,
            "retry_count" => self.retry_count = None,
            "retry_delay" => self.retry_delay_ms = None,
            "timeout" => self.timeout_ms = None,
            "catch_up" => self.catch_up = None,
            "catch_up_window" => self.catch_up_window_ms = None,
            "catch_up_max" => self.catch_up_max = None,
            "overlap" => self.overlap = None,
            "jitter" => self.jitter_ms = None,
            // A kind, a target and a name have no default; what is given is laid over them.
            "name" | "cron_expression" | "rrule" | "interval" | "execute_at" | "workflow"
            | "tool" | "action_type" | "action_config" => {}
            other => {
                return Err(Error::parameter(
                    "updateMask",
                    format!("a schedule has no field `{other}`"),
                ));
            }
        }
        Ok(())
    }
}
