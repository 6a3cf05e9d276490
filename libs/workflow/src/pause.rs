//! Tasks that wait: for people, for time, for an event.

use crate::diagnostic::quote;
use crate::fields::Fields;
use crate::input::InputSpec;
use crate::kind::{Approve, Kind, OnTimeout, Wait};
use crate::node::Node;
use crate::source::Span;
use crate::task::{Where, text_node};
use crate::task_kind::words;
use crate::topic::{self, TOPIC_MAX};
use crate::tree::{Data, Entry};
use crate::value::{Place, Reader};
use crate::{field, keys, spec};

/// Most people that a question may ask for: more different ones never come together.
pub const QUORUM_MAX: u32 = 100;

/// Most approvers of a question.
pub const APPROVERS_MAX: usize = 100;

const ON_TIMEOUT: [(&str, OnTimeout); 3] = [
    ("reject", OnTimeout::Reject),
    ("approve", OnTimeout::Approve),
    ("fail", OnTimeout::Fail),
];

/// Reads an `approve`.
pub(crate) fn approve(
    reader: &mut Reader<'_, '_, '_>,
    entry: &Entry,
    owner: &str,
    at: Where<'_>,
) -> Option<Kind> {
    let Some(entries) = entry.value.map() else {
        let expected = "a map as `{message: \"Go on?\", approvers: [role:ops]}`";
        field::unexpected(reader.report, entry, owner, expected);
        return None;
    };
    let owner = &format!("`approve` of {owner}");
    let fields = keys::APPROVE.check(reader.report, entries, owner);
    for key in ["message", "approvers"] {
        if !fields.may_have(key) {
            let message = format!("{owner} has no `{key}`");
            reader.report.error("MISSING_KEY", entry.key_span, message);
        }
    }
    let message = text_node(
        reader,
        &fields,
        "message",
        at.place("approve.message"),
        owner,
    );
    let approvers = fields
        .get("approvers")
        .and_then(|entry| approvers(reader, entry, owner, at.place("approve.approvers")));
    let report = &mut *reader.report;
    let quorum = fields
        .get("quorum")
        .and_then(|e| field::whole(report, e, owner, 1, u64::from(QUORUM_MAX)));
    let timeout = fields
        .get("timeout")
        .and_then(|e| field::duration(report, e, owner, false));
    let on_timeout = fields
        .get("onTimeout")
        .and_then(|e| field::choice(report, e, owner, &ON_TIMEOUT));
    let form: Option<Vec<InputSpec>> = fields
        .get("form")
        .map_or(Some(Vec::new()), |entry| spec::read(report, entry));
    for field in form
        .iter()
        .flatten()
        .filter(|field| field.computed.is_some())
    {
        let message = format!(
            "`default` of `{}` in `form` of {owner}: an expression cannot stand here",
            quote(&field.name)
        );
        reader
            .report
            .error("INVALID_VALUE", entry.key_span, message);
    }
    Some(Kind::Approve(Box::new(Approve {
        message: message?,
        approvers: approvers?,
        quorum: quorum.and_then(|q| u32::try_from(q).ok()).unwrap_or(1),
        timeout,
        on_timeout: on_timeout.unwrap_or(OnTimeout::Reject),
        form: form?,
    })))
}

/// Who may answer, at least one.
fn approvers(
    reader: &mut Reader<'_, '_, '_>,
    entry: &Entry,
    owner: &str,
    mut place: Place<'_>,
) -> Option<Vec<Node>> {
    let list = field::texts(reader.report, entry, owner)?;
    if list.is_empty() || list.len() > APPROVERS_MAX {
        let expected = format!("1 to {APPROVERS_MAX} approvers");
        field::unexpected(reader.report, entry, owner, &expected);
        return None;
    }
    for (text, span) in &list {
        let name = text
            .strip_prefix("user:")
            .or_else(|| text.strip_prefix("role:"));
        if name.is_none_or(str::is_empty) && !text.contains("${") {
            let message = format!(
                "`approvers` of {owner}: expected `user:name` or `role:name`, found text \"{}\"",
                quote(text)
            );
            reader.report.error("INVALID_VALUE", *span, message);
        }
    }
    match reader.node(&entry.value, &mut place)? {
        Node::List(nodes) => Some(nodes),
        Node::Constant(value) => {
            let values = value.as_array().cloned().unwrap_or_default();
            Some(values.into_iter().map(Node::Constant).collect())
        }
        _ => None,
    }
}

/// The ways to wait: each task has exactly one.
const WAYS: [&str; 3] = ["for", "until", "event"];

/// Reads a `wait`.
pub(crate) fn wait(
    reader: &mut Reader<'_, '_, '_>,
    entry: &Entry,
    owner: &str,
    at: Where<'_>,
) -> Option<Kind> {
    let Some(entries) = entry.value.map() else {
        let expected = "a map as `{for: 1h}`, `{until: ..}` or `{event: topic}`";
        field::unexpected(reader.report, entry, owner, expected);
        return None;
    };
    let owner = &format!("`wait` of {owner}");
    let fields = keys::WAIT.check(reader.report, entries, owner);
    let given: Vec<(&str, &Entry)> = WAYS
        .into_iter()
        .filter_map(|way| Some((way, fields.get(way)?)))
        .collect();
    let (way, value) = match given.as_slice() {
        [one] => *one,
        [] => {
            if !WAYS.iter().any(|way| fields.may_have(way)) {
                let message = format!("{owner}: give {}", words(&WAYS, "or"));
                reader.report.error("TASK_KIND", entry.key_span, message);
            }
            return None;
        }
        [(first, _), (second, other), ..] => {
            let message = format!("{owner} has `{first}` and `{second}`; give exactly one");
            reader.report.error("TASK_KIND", other.key_span, message);
            return None;
        }
    };
    if way == "event" {
        return event(reader, value, &fields, owner, at);
    }
    for key in ["where", "timeout"] {
        if let Some(other) = fields.get(key) {
            let message = format!("`{key}` of {owner} goes with `event` only");
            reader.report.error("TASK_KIND", other.key_span, message);
        }
    }
    let node = moment(reader, way, value, owner, at)?;
    Some(Kind::Wait(Box::new(if way == "for" {
        Wait::For(node)
    } else {
        Wait::Until(node)
    })))
}

/// A duration or an instant: checked when it is written out.
fn moment(
    reader: &mut Reader<'_, '_, '_>,
    way: &str,
    entry: &Entry,
    owner: &str,
    at: Where<'_>,
) -> Option<Node> {
    let dynamic = entry.value.text().is_some_and(crate::params::is_dynamic);
    if !dynamic && way == "for" {
        field::duration(reader.report, entry, owner, false)?;
    }
    if !dynamic && way == "until" {
        let text = entry.value.text();
        if text.is_none_or(|text| text.parse::<jiff::Timestamp>().is_err()) {
            let expected = "an instant as `2027-01-31T09:00:00Z`";
            field::unexpected(reader.report, entry, owner, expected);
            return None;
        }
    }
    reader.node(&entry.value, &mut at.place(&format!("wait.{way}")))
}

/// An event: its topic as text, or a map; `where` and `timeout` in that or beside it.
fn event(
    reader: &mut Reader<'_, '_, '_>,
    entry: &Entry,
    beside: &Fields<'_>,
    owner: &str,
    at: Where<'_>,
) -> Option<Kind> {
    let inside = match &entry.value.data {
        Data::Map(entries) => {
            let owner = format!("`event` of {owner}");
            let fields = keys::WAIT_EVENT.check(reader.report, entries, &owner);
            if !fields.may_have("topic") {
                let message = format!("{owner} has no `topic`");
                reader.report.error("MISSING_KEY", entry.key_span, message);
            }
            Some(fields)
        }
        _ => None,
    };
    let place = at.place("wait.event");
    let topic = match &inside {
        Some(fields) => text_node(reader, fields, "topic", place, owner),
        None => text_node(reader, beside, "event", place, owner),
    };
    let pattern = match &inside {
        Some(fields) => fields.get("topic"),
        None => Some(entry),
    };
    if let Some((text, span)) = pattern.and_then(|e| Some((e.value.text()?, e.value.span)))
        && !crate::params::is_dynamic(text)
    {
        check_topic(reader, text, span, owner);
    }
    let both = |key: &str| {
        let inner = inside.as_ref().and_then(|fields| fields.get(key));
        (
            inner.or_else(|| beside.get(key)),
            inner.and(beside.get(key)),
        )
    };
    let ((where_, twice), (timeout, again)) = (both("where"), both("timeout"));
    for other in [twice, again].into_iter().flatten() {
        let message = format!("`{}` of {owner} is given twice", other.key);
        reader
            .report
            .error("DUPLICATE_KEY", other.key_span, message);
    }
    let filter = where_.map(|entry| {
        let place = Place {
            event: true,
            ..at.place("wait.where")
        };
        reader.condition(entry, &place, owner)
    });
    let timeout = timeout.map(|e| field::duration(reader.report, e, owner, false));
    Some(Kind::Wait(Box::new(Wait::Event {
        topic: topic?,
        where_: match filter {
            Some(filter) => Some(filter?),
            None => None,
        },
        timeout: match timeout {
            Some(timeout) => Some(timeout?),
            None => None,
        },
    })))
}

/// Reports what is no topic or pattern of topics.
pub(crate) fn check_topic(reader: &mut Reader<'_, '_, '_>, text: &str, span: Span, owner: &str) {
    if topic::is_pattern(text) {
        return;
    }
    let message = format!(
        "the topic \"{}\" of {owner}: expected parts of letters, digits, `_` and `-` with dots between, `*` for one and `**` at the end for the rest, at most {TOPIC_MAX} characters",
        quote(text)
    );
    reader.report.error("INVALID_VALUE", span, message);
}
