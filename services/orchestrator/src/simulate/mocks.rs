//! What stands in for calls.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use gearmesh_catalog::Catalog;
use gearmesh_workflow::Workflow;

use super::names;
use super::read::{At, Reader, shortened};
use crate::plan::Problem;

/// One answer, for one call or several.
#[derive(Debug, Clone)]
pub(super) struct Mock {
    pub(super) answer: Result<Value, Failure>,
    /// How long the call takes.
    pub(super) delay_ms: i64,
    /// For how many calls; none: for all that follow.
    times: Option<u32>,
}

/// How a call fails.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    problem: Problem,
    /// None: what the catalogue says of the code.
    retryable: Option<bool>,
    /// The least wait before another attempt.
    pub(super) retry_after_ms: Option<i64>,
}

impl Failure {
    /// As the problem of a task that calls a tool of this engine.
    pub(super) fn problem(&self, catalog: &Catalog, engine: &str) -> Problem {
        let own = catalog.fault(&format!("{engine}.gearmesh"), &self.problem.code);
        let known = own.or_else(|| catalog.fault("gearmesh", &self.problem.code));
        let usual = known.is_some_and(|fault| match fault.varies {
            true => self.retry_after_ms.is_some(),
            false => fault.retryable,
        });
        Problem {
            retryable: self.retryable.unwrap_or(usual),
            ..self.problem.clone()
        }
    }
}

/// The answers of a case: by task, by task with items, and by tool.
pub(super) type Mocks = BTreeMap<String, Vec<Mock>>;

/// Reads `mocks`.
pub(super) fn read(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    workflow: &Workflow,
    catalog: &Catalog,
) -> Mocks {
    let mut mocks = Mocks::new();
    for (key, at) in reader.entries(at, "`mocks`") {
        let Some(name) = name_of(key, workflow, catalog) else {
            let key = shortened(key);
            reader.fault(&at, format!("`{key}` of `mocks` is no task and no tool"));
            continue;
        };
        let several = at.value.is_array();
        let answers = Reader::one_or_more(&at).filter_map(|at| one(reader, &at, several));
        let answers = answers.collect();
        if mocks.insert(name, answers).is_some() {
            let key = shortened(key);
            let text = format!("`{key}` of `mocks` names a tool that is there under another name");
            reader.fault(&at, text);
        }
    }
    mocks
}

/// The name under which calls look: the key itself for a task, the id for a tool.
fn name_of(key: &str, workflow: &Workflow, catalog: &Catalog) -> Option<String> {
    if names::is_task(workflow, key) {
        return Some(key.to_owned());
    }
    catalog.get(key).map(|found| found.tool.id.clone())
}

fn one(reader: &mut Reader<'_>, at: &At<'_>, several: bool) -> Option<Mock> {
    reader.map(at, "a mock", &["result", "error", "delay", "times"])?;
    let answer = match (at.key("result"), at.key("error")) {
        (Some(result), None) => Ok(result.value.clone()),
        (None, Some(error)) => Err(failure(reader, &error)?),
        _ => {
            reader.fault(at, "give a mock either `result` or `error`");
            return None;
        }
    };
    let delay = at.key("delay");
    let times = at.key("times");
    Some(Mock {
        answer,
        delay_ms: delay.map_or(Some(0), |at| reader.duration(&at, "`delay`"))?,
        times: match times {
            Some(at) => Some(reader.count(&at, "`times`", 1)?),
            None => several.then_some(1),
        },
    })
}

fn failure(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Failure> {
    let keys = [
        "code",
        "message",
        "retryable",
        "details",
        "hint",
        "retryAfter",
    ];
    reader.map(at, "`error`", &keys)?;
    let Some(code) = at.key("code") else {
        reader.fault(at, "`error` needs `code`, as `RATE_LIMIT_EXCEEDED`");
        return None;
    };
    let code = reader.text(&code, "`code`")?;
    let mut text = |key: &str, otherwise: &str| match at.key(key) {
        Some(at) => reader.text(&at, key).map(str::to_owned),
        None => Some(otherwise.to_owned()),
    };
    let message = text("message", "the mock fails")?;
    let hint = text("hint", "")?;
    let details = at.key("details").map(|at| at.value.clone());
    let retryable = match at.key("retryable") {
        Some(at) => Some(reader.flag(&at, "`retryable`")?),
        None => None,
    };
    let retry_after_ms = match at.key("retryAfter") {
        Some(at) => Some(reader.duration(&at, "`retryAfter`")?),
        None => None,
    };
    Some(Failure {
        problem: Problem {
            hint,
            details: Box::new(details.unwrap_or_default()),
            ..Problem::new(code, message)
        },
        retryable,
        retry_after_ms,
    })
}

/// How many calls each answer has had.
#[derive(Debug)]
pub(super) struct Answers<'a> {
    mocks: &'a Mocks,
    calls: HashMap<&'a str, u32>,
}

/// What was found for a call.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Mock(&'a Mock),
    /// Under this name there were only so many.
    UsedUp(&'a str, u32),
    Nothing,
}

impl<'a> Answers<'a> {
    pub(super) fn new(mocks: &'a Mocks) -> Self {
        Self {
            mocks,
            calls: HashMap::new(),
        }
    }

    /// The answer of the next call under the first of these names that has any.
    pub(super) fn next(&mut self, names: &[&str]) -> Found<'a> {
        let found = names
            .iter()
            .find_map(|name| self.mocks.get_key_value(*name));
        let Some((name, mocks)) = found else {
            return Found::Nothing;
        };
        let calls = self.calls.entry(name).or_default();
        let mut before: u64 = 0;
        for mock in mocks {
            before += mock.times.map_or(u64::MAX / 2, u64::from);
            if u64::from(*calls) < before {
                *calls += 1;
                return Found::Mock(mock);
            }
        }
        Found::UsedUp(name, *calls)
    }
}
