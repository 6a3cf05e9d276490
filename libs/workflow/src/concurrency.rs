//! The `concurrency` of a workflow.
//!
//! Whether two files can wait for each other's places is not knowable from one of them: the
//! orchestrator, which has all, looks for cycles.

use crate::model::{Concurrency, OnConflict};
use crate::tree::Entry;
use crate::value::{Place, Reader};
use crate::{field, keys};

/// Most runs of one key at once: more than that is no limit.
pub const CONCURRENT_RUNS_MAX: u32 = 10_000;

const WORDS: [(&str, OnConflict); 3] = [
    ("queue", OnConflict::Queue),
    ("skip", OnConflict::Skip),
    ("cancelRunning", OnConflict::CancelRunning),
];

/// Reads it; `None` when something in it is wrong, which is reported.
pub(crate) fn read(reader: &mut Reader<'_, '_, '_>, entry: &Entry) -> Option<Concurrency> {
    let Some(entries) = entry.value.map() else {
        field::unexpected(
            reader.report,
            entry,
            "the workflow",
            "a map as `{limit: 1}`",
        );
        return None;
    };
    let owner = "`concurrency`";
    let fields = keys::CONCURRENCY.check(reader.report, entries, owner);
    let limit = fields
        .get("limit")
        .and_then(|e| field::whole(reader.report, e, owner, 1, u64::from(CONCURRENT_RUNS_MAX)));
    let key = fields.get("key");
    if let Some(key) = key.filter(|key| key.value.text().is_none_or(str::is_empty)) {
        field::unexpected(reader.report, key, owner, "text");
    }
    let key = key.and_then(|key| reader.node(&key.value, &mut Place::before("concurrency.key")));
    let on_conflict = fields
        .get("onConflict")
        .and_then(|e| field::choice(reader.report, e, owner, &WORDS));
    Some(Concurrency {
        limit: limit
            .and_then(|limit| u32::try_from(limit).ok())
            .unwrap_or(1),
        key,
        on_conflict: on_conflict.unwrap_or(OnConflict::Queue),
    })
}
