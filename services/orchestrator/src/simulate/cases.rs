//! The test file: cases, each with what the world does and what is expected.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use gearmesh_catalog::Catalog;
use gearmesh_workflow::{Document, Kind, Workflow};

use super::expect::{self, Expect};
use super::mocks::{self, Mocks};
use super::names;
use super::read::{At, Reader, shortened};

/// Cases of one file: each is a run.
pub(crate) const CASES_MAX: usize = 500;

/// When a case starts that does not say: 25 January 2026, 12:00 UTC.
const START_MS: i64 = 1_769_342_400_000;

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(super) inputs: Map<String, Value>,
    /// When it starts.
    pub(super) now_ms: i64,
    /// The root `trigger` of expressions.
    pub(super) trigger: Option<Value>,
    pub(super) mocks: Mocks,
    /// What people answer, by task, with or without items.
    pub(super) approvals: BTreeMap<String, Vec<Opinion>>,
    pub(super) events: Vec<Event>,
    pub(super) expect: Expect,
}

/// What one person answers.
#[derive(Debug, Clone)]
pub(super) struct Opinion {
    pub(super) approved: bool,
    /// None: the first who may.
    pub(super) by: Option<String>,
    pub(super) note: String,
    pub(super) form: Map<String, Value>,
    /// How long after the question.
    pub(super) delay_ms: i64,
}

/// Something that happens elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) topic: String,
    pub(super) payload: Value,
    /// None: as soon as a task waits for it.
    pub(super) at_ms: Option<i64>,
}

/// Reads the cases of a file.
pub(crate) fn cases(
    document: &Document<'_>,
    workflow: &Workflow,
    catalog: &Catalog,
) -> Result<Vec<Case>, Vec<String>> {
    let mut reader = Reader::new(document);
    let value = document.value();
    let root = At::root(&value);
    let mut cases: Vec<Case> = Vec::new();
    reader.map(&root, "the test file", &["cases", "$schema"]);
    match root.key("cases") {
        Some(list) => {
            for at in reader.items(&list, "`cases`").take(CASES_MAX + 1) {
                let case = case(&mut reader, &at, workflow, catalog);
                let Some(case) = case else { continue };
                if cases.iter().any(|other| other.name == case.name) {
                    let name = shortened(&case.name);
                    reader.fault(&at, format!("two cases are called `{name}`"));
                }
                cases.push(case);
            }
            if list.value.as_array().is_some_and(Vec::is_empty) {
                reader.fault(&list, "`cases` is empty; give at least one case");
            }
            if cases.len() > CASES_MAX {
                reader.fault(&list, format!("a test file has at most {CASES_MAX} cases"));
            }
        }
        None if root.value.is_object() => {
            reader.fault(&root, "the test file needs `cases`, a list");
        }
        None => {}
    }
    if reader.faults.is_empty() {
        Ok(cases)
    } else {
        Err(reader.faults)
    }
}

fn case(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    workflow: &Workflow,
    catalog: &Catalog,
) -> Option<Case> {
    let keys = [
        "name",
        "inputs",
        "now",
        "trigger",
        "mocks",
        "approvals",
        "events",
        "expect",
    ];
    reader.map(at, "a case", &keys)?;
    let name = match at.key("name") {
        Some(name) => reader.text(&name, "`name`")?.to_owned(),
        None => {
            reader.fault(at, "a case needs a `name`");
            return None;
        }
    };
    let now = at.key("now");
    let now_ms = now.map_or(Some(START_MS), |now| reader.instant(&now, "`now`"))?;
    let inputs = at.key("inputs");
    let inputs = inputs.and_then(|inputs| reader.open_map(&inputs, "`inputs`"));
    let trigger = at.key("trigger");
    let trigger = trigger.and_then(|t| reader.open_map(&t, "`trigger`"));
    let mocks = at.key("mocks");
    let approvals = at.key("approvals");
    let events = at.key("events");
    let expect = at.key("expect");
    Some(Case {
        inputs: inputs.cloned().unwrap_or_default(),
        now_ms,
        trigger: trigger.cloned().map(Value::Object),
        mocks: mocks.map_or_else(Mocks::new, |at| mocks::read(reader, &at, workflow, catalog)),
        approvals: approvals.map_or_else(BTreeMap::new, |at| opinions(reader, &at, workflow)),
        events: events.map_or_else(Vec::new, |at| happenings(reader, &at, now_ms)),
        expect: expect.map_or_else(Expect::default, |at| expect::read(reader, &at, workflow)),
        name,
    })
}

fn opinions(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    workflow: &Workflow,
) -> BTreeMap<String, Vec<Opinion>> {
    let mut opinions = BTreeMap::new();
    for (key, at) in reader.entries(at, "`approvals`") {
        let (id, _) = names::parts(key);
        let mut tasks = workflow.tasks.iter().filter(|task| task.id == id);
        if !tasks.any(|task| matches!(task.kind, Kind::Approve(_))) {
            let key = shortened(key);
            reader.fault(&at, format!("no task `{key}` with `approve`"));
            continue;
        }
        let all = Reader::one_or_more(&at).filter_map(|at| opinion(reader, &at));
        opinions.insert(key.to_owned(), all.collect());
    }
    opinions
}

fn opinion(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Opinion> {
    let keys = ["approve", "reject", "by", "note", "form", "delay"];
    reader.map(at, "an approval", &keys)?;
    let approved = match (at.key("approve"), at.key("reject")) {
        (Some(approve), None) => reader.flag(&approve, "`approve`")?,
        (None, Some(reject)) => !reader.flag(&reject, "`reject`")?,
        _ => {
            let text = "give an approval either `approve: true` or `reject: true`";
            reader.fault(at, text);
            return None;
        }
    };
    let form = at.key("form");
    let form = form.and_then(|form| reader.open_map(&form, "`form`"));
    let note = at.key("note");
    let note = note.and_then(|note| reader.text(&note, "`note`"));
    let by = at.key("by").and_then(|by| reader.text(&by, "`by`"));
    let delay = at.key("delay");
    Some(Opinion {
        approved,
        by: by.map(|by| by.strip_prefix("user:").unwrap_or(by).to_owned()),
        note: note.unwrap_or_default().to_owned(),
        form: form.cloned().unwrap_or_default(),
        delay_ms: delay.map_or(Some(0), |at| reader.duration(&at, "`delay`"))?,
    })
}

fn happenings(reader: &mut Reader<'_>, at: &At<'_>, now_ms: i64) -> Vec<Event> {
    let items = reader.items(at, "`events`");
    let mut events = Vec::new();
    for at in items {
        if reader
            .map(&at, "an event", &["topic", "payload", "at"])
            .is_none()
        {
            continue;
        }
        let Some(topic) = at.key("topic") else {
            reader.fault(&at, "an event needs a `topic`");
            continue;
        };
        let topic = reader.text(&topic, "`topic`");
        let at_ms = at.key("at");
        let at_ms = at_ms.and_then(|at| reader.moment(&at, "`at`", now_ms));
        if let Some(topic) = topic {
            events.push(Event {
                topic: topic.to_owned(),
                payload: at.key("payload").map_or(json!({}), |p| p.value.clone()),
                at_ms,
            });
        }
    }
    events
}
