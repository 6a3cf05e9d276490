//! Between the protocol's messages and the domain.

use std::collections::BTreeMap;

use gearmesh_api::scheduler::v1 as api;
use gearmesh_api::tool::v1::Json;
use gearmesh_schedule::{Fire, Mark, Timetable};
use jiff::Timestamp;
use serde_json::Value;

use crate::definition::Definition;
use crate::error::{Error, Result};
use crate::history::{Figures, Past};
use crate::table::Row;

/// The fields of a kind, which create, update and preview share by name alone: the
/// protocol keeps them flat for those who type them.
macro_rules! kind_of {
    ($request:expr) => {{
        let dst = $request.dst.unwrap_or_default();
        Definition {
            cron_expression: text($request.cron_expression),
            rrule: text($request.rrule),
            interval_ms: $request.interval.map(duration_ms),
            execute_at: text($request.execute_at),
            start: text($request.start),
            timezone: text($request.timezone),
            gap: text(Some(dst.gap)),
            dst_overlap: text(Some(dst.overlap)),
            until: text($request.until),
            except: $request.except,
            jitter_ms: $request.jitter.map(duration_ms),
            ..Definition::default()
        }
    }};
}

/// All fields that create and update share.
macro_rules! definition_of {
    ($request:expr) => {{
        let request = $request;
        Definition {
            labels: request.labels.into_iter().collect(),
            workflow: text(request.workflow),
            file_name: text(request.file_name),
            folder: text(request.folder),
            inputs: inputs(request.inputs)?,
            tool: text(request.tool),
            params: request.params.map(|p| value("params", &p)).transpose()?,
            action_type: text(request.action_type),
            action_config: (request.action_config)
                .map(|c| value("actionConfig", &c))
                .transpose()?,
            retry_count: request.retry_count,
            retry_delay_ms: request.retry_delay.map(duration_ms),
            timeout_ms: request.timeout.map(duration_ms),
            catch_up: text(request.catch_up),
            catch_up_window_ms: request.catch_up_window.map(duration_ms),
            catch_up_max: request.catch_up_max,
            overlap: text(request.overlap),
            ..kind_of!(request)
        }
    }};
}

/// What a request to create tells.
pub(crate) fn created(request: api::CreateRequest) -> Result<Definition> {
    let (name, description) = (request.name.clone(), request.description.clone());
    Ok(Definition {
        name,
        description,
        ..definition_of!(request)
    })
}

/// What a request to update tells.
pub(crate) fn updated(request: api::UpdateRequest) -> Result<Definition> {
    let name = request.name.clone().unwrap_or_default();
    let description = request.description.clone().unwrap_or_default();
    Ok(Definition {
        name,
        description,
        ..definition_of!(request)
    })
}

/// The kind that a request to preview tells.
pub(crate) fn previewed(request: api::PreviewRequest) -> Definition {
    kind_of!(request)
}

fn text(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.is_empty())
}

fn value(field: &'static str, json: &Json) -> Result<Value> {
    serde_json::from_slice(&json.text)
        .map_err(|e| Error::parameter(field, format!("`{field}` is no JSON: {e}")))
}

fn inputs(given: impl IntoIterator<Item = (String, Json)>) -> Result<BTreeMap<String, Value>> {
    given
        .into_iter()
        .map(|(name, json)| Ok((name, value("inputs", &json)?)))
        .collect()
}

fn json(value: &Value) -> Json {
    Json {
        text: value.to_string().into_bytes().into(),
    }
}

fn duration_ms(time: prost_types::Duration) -> i64 {
    time.seconds
        .saturating_mul(1000)
        .saturating_add(i64::from(time.nanos) / 1_000_000)
}

/// Milliseconds as a duration.
pub(crate) fn duration(ms: i64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: ms / 1000,
        nanos: i32::try_from(ms % 1000 * 1_000_000).unwrap_or_default(),
    }
}

/// Milliseconds since 1970 as an instant.
pub(crate) fn timestamp(ms: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: ms.div_euclid(1000),
        nanos: i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default(),
    }
}

/// An instant of a request.
pub(crate) fn instant(at: prost_types::Timestamp) -> Timestamp {
    Timestamp::new(at.seconds, at.nanos).unwrap_or(Timestamp::MAX)
}

/// A schedule as it is shown; in lists without its workflow's text.
pub(crate) fn schedule(row: &Row, in_list: bool) -> api::Schedule {
    let d = row.definition.clone();
    let kind = d.kind().map_or("", |k| k.name());
    api::Schedule {
        id: row.id.clone(),
        name: d.name,
        description: d.description,
        schedule_type: kind.to_owned(),
        labels: d.labels.into_iter().collect(),
        cron_expression: d.cron_expression,
        rrule: d.rrule,
        interval: d.interval_ms.map(duration),
        execute_at: d.execute_at,
        start: d.start,
        timezone: Some(d.timezone.unwrap_or_else(|| "UTC".to_owned())),
        dst: (d.gap.is_some() || d.dst_overlap.is_some()).then(|| api::Dst {
            gap: d.gap.unwrap_or_default(),
            overlap: d.dst_overlap.unwrap_or_default(),
        }),
        until: d.until,
        except: d.except,
        workflow: d.workflow.filter(|_| !in_list),
        file_name: d.file_name,
        folder: d.folder,
        inputs: d.inputs.iter().map(|(k, v)| (k.clone(), json(v))).collect(),
        tool: d.tool,
        params: d.params.as_ref().map(json),
        action_type: d.action_type,
        action_config: d.action_config.as_ref().map(json),
        retry_count: d.retry_count,
        retry_delay: d.retry_delay_ms.map(duration),
        timeout: d.timeout_ms.map(duration),
        catch_up: d.catch_up,
        catch_up_window: d.catch_up_window_ms.map(duration),
        catch_up_max: d.catch_up_max,
        overlap: d.overlap,
        jitter: d.jitter_ms.map(duration),
        enabled: row.enabled,
        disabled_reason: row.reason.clone(),
        next_run: row.next_fire.map(timestamp),
        last_run: row.last_fire.map(timestamp),
        etag: row.etag.to_string(),
        created: Some(timestamp(row.created)),
        updated: Some(timestamp(row.updated)),
        owner: row.owner.clone(),
    }
}

/// A fire of a preview.
pub(crate) fn fire(fire: Fire, timetable: &Timetable, jitter_ms: i64) -> api::Fire {
    let local = fire.at.to_zoned(timetable.zone().clone());
    let at = fire.at.as_millisecond();
    api::Fire {
        time: Some(timestamp(at)),
        local: local.strftime("%FT%T").to_string(),
        offset: local.strftime("%:z").to_string(),
        mark: match fire.mark {
            Mark::Plain => "",
            Mark::Gap => "gap",
            Mark::Overlap => "overlap",
        }
        .to_owned(),
        starts: Some(timestamp(at + jitter_ms)),
    }
}

/// A fire of the history.
pub(crate) fn entry(past: Past) -> api::Entry {
    let status = match past.status.as_str() {
        "ended" => past.outcome.as_str(),
        "started" => "running",
        "failed" => "failure",
        other => other,
    };
    api::Entry {
        id: past.id.to_string(),
        fire_at: Some(timestamp(past.fire_at)),
        start_time: past.started.map(timestamp),
        end_time: past.ended.map(timestamp),
        duration: past.duration.map(duration),
        status: status.to_owned(),
        reason: past.reason,
        run_id: past.run,
        result: past.result.map(|r| Json { text: r.into() }),
        error: past.error,
        manual: !past.origin.is_empty(),
        fires: past.fires,
        retry_count: i32::try_from(past.retries).unwrap_or(i32::MAX),
    }
}

/// The figures of a schedule.
pub(crate) fn statistics(figures: &Figures) -> api::Statistics {
    api::Statistics {
        total_runs: figures.runs,
        success_count: figures.successes,
        failure_count: figures.failures,
        timeout_count: figures.timeouts,
        avg_duration: figures.mean().map(duration),
        p50_duration: figures.percentile(50).map(duration),
        p95_duration: figures.percentile(95).map(duration),
        last_run: figures.last_run.map(timestamp),
        last_success: figures.last_success.map(timestamp),
        last_failure: figures.last_failure.map(timestamp),
        missed_count: figures.missed,
        skipped_count: figures.skipped,
        success_rate: figures.success_rate(),
    }
}
