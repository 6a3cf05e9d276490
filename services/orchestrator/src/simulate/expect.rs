//! What a case expects of its run, and what was otherwise.

use std::collections::BTreeMap;

use serde_json::Value;

use gearmesh_workflow::Workflow;

use super::Called;
use super::names;
use super::read::{At, Reader, shortened};
use crate::plan::{Problem, State};
use crate::render;

/// How runs end.
const RUN_ENDS: [&str; 5] = ["succeeded", "partial", "failed", "cancelled", "timedOut"];

/// How tasks end.
const TASK_ENDS: [&str; 4] = ["succeeded", "failed", "skipped", "cancelled"];

/// What is expected.
#[derive(Debug, Default)]
pub(super) struct Expect {
    status: Option<String>,
    /// Outputs by name; others are not looked at.
    outputs: Option<Value>,
    error: Option<WantedError>,
    /// All calls, in order.
    calls: Option<Vec<WantedCall>>,
    /// Tasks that began one after the other, maybe with others between.
    order: Vec<String>,
    tasks: BTreeMap<String, WantedTask>,
}

/// What an error is to be.
#[derive(Debug, Default)]
struct WantedError {
    code: Option<String>,
    /// A part of the message.
    message: Option<String>,
    task: Option<String>,
}

#[derive(Debug)]
struct WantedCall {
    /// The task, with or without its items, or the tool.
    name: Option<String>,
    task: Option<String>,
    tool: Option<String>,
    params: Option<Value>,
}

#[derive(Debug, Default)]
struct WantedTask {
    status: Option<String>,
    result: Option<Value>,
    attempts: Option<u32>,
    reason: Option<String>,
    error: Option<WantedError>,
}

/// Reads `expect`.
pub(super) fn read(reader: &mut Reader<'_>, at: &At<'_>, workflow: &Workflow) -> Expect {
    let keys = ["status", "outputs", "error", "calls", "order", "tasks"];
    let mut expect = Expect::default();
    if reader.map(at, "`expect`", &keys).is_none() {
        return expect;
    }
    if let Some(at) = at.key("status") {
        expect.status = word(reader, &at, "`status`", &RUN_ENDS);
    }
    if let Some(at) = at.key("outputs") {
        for (name, at) in reader.entries(&at, "`outputs`") {
            if workflow.outputs.iter().all(|(known, _)| known != name) {
                let name = shortened(name);
                reader.fault(&at, format!("the workflow has no output `{name}`"));
            }
        }
        expect.outputs = Some(at.value.clone());
    }
    expect.error = at.key("error").and_then(|at| error(reader, &at));
    if let Some(at) = at.key("calls") {
        let items = reader.items(&at, "`calls`");
        let calls = items.filter_map(|at| call(reader, &at));
        expect.calls = Some(calls.collect());
    }
    if let Some(at) = at.key("order") {
        for at in reader.items(&at, "`order`") {
            let name = reader.text(&at, "`order`");
            expect.order.extend(name.map(str::to_owned));
            known(reader, &at, name.unwrap_or_default(), workflow);
        }
    }
    if let Some(at) = at.key("tasks") {
        for (name, at) in reader.entries(&at, "`tasks`") {
            known(reader, &at, name, workflow);
            let wanted = task(reader, &at);
            expect.tasks.insert(name.to_owned(), wanted);
        }
    }
    expect
}

fn known(reader: &mut Reader<'_>, at: &At<'_>, name: &str, workflow: &Workflow) {
    if !name.is_empty() && !names::is_task(workflow, name) {
        let name = shortened(name);
        reader.fault(at, format!("the workflow has no task `{name}`"));
    }
}

fn word(reader: &mut Reader<'_>, at: &At<'_>, what: &str, words: &[&str]) -> Option<String> {
    let text = reader.text(at, what)?;
    if !words.contains(&text) {
        let (text, words) = (shortened(text), words.join("`, `"));
        reader.fault(at, format!("{what} is `{text}`; it is one of `{words}`"));
    }
    Some(text.to_owned())
}

fn error(reader: &mut Reader<'_>, at: &At<'_>) -> Option<WantedError> {
    if let Some(code) = at.value.as_str() {
        return Some(WantedError {
            code: Some(code.to_owned()),
            ..WantedError::default()
        });
    }
    reader.map(at, "`error`", &["code", "message", "task"])?;
    let mut text = |key: &str| {
        let at = at.key(key)?;
        reader.text(&at, key).map(str::to_owned)
    };
    Some(WantedError {
        code: text("code"),
        message: text("message"),
        task: text("task"),
    })
}

fn call(reader: &mut Reader<'_>, at: &At<'_>) -> Option<WantedCall> {
    if let Some(name) = at.value.as_str() {
        return Some(WantedCall {
            name: Some(name.to_owned()),
            task: None,
            tool: None,
            params: None,
        });
    }
    reader.map(at, "a call", &["task", "tool", "params"])?;
    let mut text = |key: &str| {
        let at = at.key(key)?;
        reader.text(&at, key).map(str::to_owned)
    };
    Some(WantedCall {
        name: None,
        task: text("task"),
        tool: text("tool"),
        params: at.key("params").map(|at| at.value.clone()),
    })
}

fn task(reader: &mut Reader<'_>, at: &At<'_>) -> WantedTask {
    let keys = ["status", "result", "attempts", "reason", "error"];
    // A text alone is the status.
    if at.value.is_string() {
        return WantedTask {
            status: word(reader, at, "`status`", &TASK_ENDS),
            ..WantedTask::default()
        };
    }
    if reader.map(at, "a task", &keys).is_none() {
        return WantedTask::default();
    }
    let status = at.key("status");
    let status = status.and_then(|at| word(reader, &at, "`status`", &TASK_ENDS));
    let attempts = at.key("attempts");
    let attempts = attempts.and_then(|at| reader.count(&at, "`attempts`", 0));
    let reason = at.key("reason");
    let reason = reason.and_then(|at| reader.text(&at, "`reason`"));
    let failed = at.key("error");
    WantedTask {
        status,
        result: at.key("result").map(|at| at.value.clone()),
        attempts,
        reason: reason.map(str::to_owned),
        error: failed.and_then(|at| error(reader, &at)),
    }
}

/// What a case did.
#[derive(Debug)]
pub(super) struct Played<'a> {
    pub(super) state: &'a State,
    pub(super) calls: &'a [Called],
    /// Names of instances in the order in which they began.
    pub(super) order: &'a [String],
}

impl Played<'_> {
    /// What is otherwise than expected, one sentence each.
    pub(super) fn faults(&self, expect: &Expect) -> Vec<String> {
        let mut faults = Vec::new();
        let status = self.state.status();
        // What nobody says of the end is that it is good.
        let usual = expect.error.is_none().then_some("succeeded");
        if let Some(wanted) = expect.status.as_deref().or(usual).filter(|w| *w != status) {
            let why = self
                .state
                .failed
                .as_ref()
                .map_or_else(String::new, |(task, problem)| {
                    let at = if task.is_empty() {
                        String::new()
                    } else {
                        format!("`{task}`: ")
                    };
                    format!(" ({at}{}: {})", problem.code, shortened(&problem.message))
                });
            faults.push(format!("the run is `{status}`, expected `{wanted}`{why}"));
        }
        if let Some(outputs) = &expect.outputs {
            compare("outputs", outputs, &self.state.outputs, &mut faults);
        }
        if let Some(wanted) = &expect.error {
            let failed = self.state.failed.as_ref();
            let failed = failed.map(|(task, problem)| (task.as_str(), problem));
            errors("the error of the run", wanted, failed, &mut faults);
        }
        if let Some(calls) = &expect.calls {
            self.calls(calls, &mut faults);
        }
        self.order(&expect.order, &mut faults);
        for (name, wanted) in &expect.tasks {
            self.task(name, wanted, &mut faults);
        }
        faults
    }

    fn calls(&self, wanted: &[WantedCall], faults: &mut Vec<String>) {
        for (at, (wanted, made)) in wanted.iter().zip(self.calls).enumerate() {
            let what = format!("call {}", at + 1);
            let is = |name: &str| named(name, &made.task) || name == made.tool;
            let named = wanted.name.as_deref().is_none_or(is)
                && wanted.task.as_deref().is_none_or(|t| named(t, &made.task))
                && wanted.tool.as_deref().is_none_or(|t| t == made.tool);
            if !named {
                let words = [&wanted.name, &wanted.task, &wanted.tool];
                let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
                faults.push(format!(
                    "{what} is `{}` by `{}`, expected `{}`",
                    made.tool,
                    made.task,
                    words.join("` by `")
                ));
                continue;
            }
            if let Some(params) = &wanted.params {
                let what = format!("{what} (`{}`): params", made.task);
                compare(&what, params, &made.params, faults);
            }
        }
        if wanted.len() != self.calls.len() {
            let made: Vec<&str> = self.calls.iter().map(|c| c.task.as_str()).collect();
            faults.push(format!(
                "{} calls were made, expected {}: {}",
                made.len(),
                wanted.len(),
                shortened(&made.join(", "))
            ));
        }
    }

    fn order(&self, wanted: &[String], faults: &mut Vec<String>) {
        let mut began = self.order.iter();
        for (at, wanted_next) in wanted.iter().enumerate() {
            if began.any(|name| named(wanted_next, name)) {
                continue;
            }
            let text = if self.order.iter().any(|name| named(wanted_next, name)) {
                let before = at.checked_sub(1).and_then(|at| wanted.get(at));
                let before = before.map_or("", String::as_str);
                format!("`{wanted_next}` began, but not behind `{before}`")
            } else {
                format!("`{wanted_next}` of `order` never began")
            };
            return faults.push(format!("{text}: {}", shortened(&self.order.join(", "))));
        }
    }

    fn task(&self, name: &str, wanted: &WantedTask, faults: &mut Vec<String>) {
        let (id, path) = names::parts(name);
        let Some(task) = self.state.at(id, &path) else {
            let hint = if path.is_empty() {
                "; inside of a group with `each` it is called as `group[0].task`"
            } else {
                ""
            };
            return faults.push(format!("task `{name}` was never there{hint}"));
        };
        let known = &self.state.tasks[task];
        let status = render::status(known);
        if let Some(wanted) = wanted.status.as_deref().filter(|w| *w != status) {
            faults.push(format!("task `{name}` is `{status}`, expected `{wanted}`"));
        }
        if let Some(wanted) = wanted.attempts.filter(|w| *w != known.attempts()) {
            let made = known.attempts();
            faults.push(format!(
                "task `{name}` took {made} attempts, expected {wanted}"
            ));
        }
        if let Some(wanted) = wanted.reason.as_deref().filter(|w| *w != known.reason) {
            let reason = &known.reason;
            faults.push(format!(
                "the reason of task `{name}` is `{reason}`, expected `{wanted}`"
            ));
        }
        if let Some(wanted) = &wanted.error {
            let failed = known.problem.as_ref().map(|problem| (id, problem));
            errors(&format!("the error of `{name}`"), wanted, failed, faults);
        }
        let Some(wanted) = &wanted.result else {
            return;
        };
        let found = known.view.get("result").unwrap_or(&Value::Null);
        if self.state.task(task).sensitive {
            let mut hidden = Vec::new();
            compare("", wanted, found, &mut hidden);
            if !hidden.is_empty() {
                let text = format!("the result of `{name}`, which is not shown, is otherwise");
                faults.push(text);
            }
        } else {
            compare(&format!("{name}.result"), wanted, found, faults);
        }
    }
}

/// Whether an instance is meant: by its name, or by its task's.
fn named(wanted: &str, instance: &str) -> bool {
    let task = instance.rsplit('.').next().unwrap_or_default();
    let task = task.split('[').next().unwrap_or_default();
    wanted == instance || wanted == task
}

fn errors(
    what: &str,
    wanted: &WantedError,
    found: Option<(&str, &Problem)>,
    faults: &mut Vec<String>,
) {
    let Some((task, problem)) = found else {
        return faults.push(format!("{what}: there is none"));
    };
    if let Some(code) = wanted.code.as_deref().filter(|c| *c != problem.code) {
        let (found, text) = (&problem.code, shortened(&problem.message));
        faults.push(format!("{what} is `{found}`, expected `{code}` ({text})"));
    }
    if let Some(part) = wanted
        .message
        .as_deref()
        .filter(|m| !problem.message.contains(*m))
    {
        let text = shortened(&problem.message);
        faults.push(format!("{what} is \"{text}\", expected \"{part}\" in it"));
    }
    if let Some(wanted) = wanted.task.as_deref().filter(|t| *t != task) {
        faults.push(format!("{what} is of `{task}`, expected of `{wanted}`"));
    }
}

/// Compares values. Of a map only the keys are looked at that are named.
fn compare(path: &str, wanted: &Value, found: &Value, faults: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, wanted) in wanted {
                let found = found.get(key).unwrap_or(&Value::Null);
                compare(&format!("{path}.{key}"), wanted, found, faults);
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (at, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                compare(&format!("{path}[{at}]"), wanted, found, faults);
            }
        }
        (wanted, found) if wanted == found || same_number(wanted, found) => {}
        (wanted, found) => {
            let show = |value: &Value| shortened(&value.to_string());
            let (wanted, found) = (show(wanted), show(found));
            faults.push(format!("`{path}` is {found}, expected {wanted}"));
        }
    }
}

/// Whether one number is written as `1` and the other as `1.0`.
fn same_number(a: &Value, b: &Value) -> bool {
    (a.is_f64() || b.is_f64()) && a.as_f64().is_some() && a.as_f64() == b.as_f64()
}
