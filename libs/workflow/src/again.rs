//! What of a task may be done again, or taken back: `repeat`, `undo`, `cache`.

use std::time::Duration;

use gearmesh_catalog::Catalog;

use crate::diagnostic::Report;
use crate::fields::Fields;
use crate::model::{Cache, Repeat, Undo};
use crate::task::text_node;
use crate::task_kind::params_of;
use crate::tree::Entry;
use crate::value::{Place, Reader};
use crate::{field, keys, params};

/// The wait before the next round when the file does not say.
pub const REPEAT_DELAY: Duration = Duration::from_secs(1);

/// Most rounds when the file does not say.
pub const REPEAT_DEFAULT: u32 = 100;

/// Most rounds that a file may ask for: each is a record of the run.
pub const REPEAT_MAX: u32 = 10_000;

/// The entries of a map that is the value of a key.
fn map_of<'t>(
    report: &mut Report<'_>,
    entry: &'t Entry,
    keys: &keys::Keys,
    owner: &str,
    as_in: &str,
) -> Option<Fields<'t>> {
    let Some(entries) = entry.value.map() else {
        field::unexpected(report, entry, owner, &format!("a map as `{as_in}`"));
        return None;
    };
    Some(keys.check(report, entries, &format!("`{}` of {owner}", entry.key)))
}

/// Reports a key that must be there, unless something may have been meant as it.
fn required(report: &mut Report<'_>, entry: &Entry, fields: &Fields<'_>, key: &str, owner: &str) {
    if !fields.may_have(key) {
        let message = format!("`{}` of {owner} has no `{key}`", entry.key);
        report.error("MISSING_KEY", entry.key_span, message);
    }
}

/// Reads a `repeat`; `place` is that of its condition.
pub(crate) fn repeat(
    reader: &mut Reader<'_, '_, '_>,
    entry: &Entry,
    owner: &str,
    place: &Place<'_>,
) -> Option<Repeat> {
    let as_in = "{until: a.result.done}";
    let fields = map_of(reader.report, entry, &keys::REPEAT, owner, as_in)?;
    required(reader.report, entry, &fields, "until", owner);
    let owner = &format!("`repeat` of {owner}");
    let until = fields
        .get("until")
        .and_then(|until| reader.condition(until, place, owner));
    let report = &mut *reader.report;
    let delay = fields
        .get("delay")
        .and_then(|e| field::duration(report, e, owner, true));
    let max = fields
        .get("max")
        .and_then(|e| field::whole(report, e, owner, 1, u64::from(REPEAT_MAX)));
    let timeout = fields
        .get("timeout")
        .and_then(|e| field::duration(report, e, owner, false));
    Some(Repeat {
        until: until?,
        delay: delay.unwrap_or(REPEAT_DELAY),
        max: max
            .and_then(|max| u32::try_from(max).ok())
            .unwrap_or(REPEAT_DEFAULT),
        timeout,
    })
}

/// Reads the `undo` of a task; `place` is that of its params.
pub(crate) fn undo(
    reader: &mut Reader<'_, '_, '_>,
    catalog: Option<&Catalog>,
    task: &Fields<'_>,
    owner: &str,
    place: Place<'_>,
) -> Option<Undo> {
    let entry = task.get("undo")?;
    let as_in = "{tool: file.delete, params: {path: x}}";
    let fields = map_of(reader.report, entry, &keys::UNDO, owner, as_in)?;
    required(reader.report, entry, &fields, "tool", owner);
    let owner = &format!("`undo` of {owner}");
    let place = Place {
        secret: true,
        ..place
    };
    let params = params_of(reader, fields.get("params"), owner, place);
    let tool = fields.get("tool")?;
    let name = field::text(reader.report, tool, owner)?;
    let given = fields.get("params");
    let connection = params::handed_on(catalog, &name, given, task.get("connection"));
    params::check(reader.report, catalog, tool, given, connection, owner);
    Some(Undo {
        tool: name,
        params: params?,
    })
}

/// Reads a `cache`; `place` is that of its key.
pub(crate) fn cache(
    reader: &mut Reader<'_, '_, '_>,
    entry: &Entry,
    owner: &str,
    place: Place<'_>,
) -> Option<Cache> {
    let as_in = "{key: x, ttl: 1h}";
    let fields = map_of(reader.report, entry, &keys::CACHE, owner, as_in)?;
    required(reader.report, entry, &fields, "key", owner);
    required(reader.report, entry, &fields, "ttl", owner);
    let owner = &format!("`cache` of {owner}");
    let key = text_node(reader, &fields, "key", place, owner);
    let ttl = fields
        .get("ttl")
        .and_then(|e| field::duration(reader.report, e, owner, false));
    Some(Cache {
        key: key?,
        ttl: ttl?,
    })
}
