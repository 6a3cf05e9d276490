//! The reasons of failure, grouped by the HTTP status that they have.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tonic::Code;

use gearmesh_catalog::{Catalog, EngineInfo, FaultInfo, Tool};
use gearmesh_fault::Failure;

/// Name of the response that stands for the reasons which all tools share.
const COMMON: &str = "Common";

/// `{status}` -> reference, for the reasons of a tool.
pub(super) fn references(tool: &Tool) -> Map<String, Value> {
    let mut out: Map<String, Value> = by_status(&tool.faults)
        .keys()
        .map(|status| (status.to_string(), reference(&name(&tool.engine, *status))))
        .collect();
    out.insert("default".to_owned(), reference(COMMON));
    out
}

/// The responses of an engine's own reasons, by the name that [`references`] uses.
pub(super) fn of_engine(engine: &EngineInfo) -> Map<String, Value> {
    by_status(&engine.faults)
        .into_iter()
        .map(|(status, faults)| (name(&engine.id, status), response(&lines(&faults))))
        .collect()
}

/// The response of the reasons that all tools share.
pub(super) fn common(catalog: &Catalog) -> Map<String, Value> {
    let mut text = String::new();
    for (status, faults) in by_status(catalog.common_faults()) {
        text.push_str(&format!("{status}\n\n{}\n\n", lines(&faults)));
    }
    Map::from_iter([(COMMON.to_owned(), response(text.trim_end()))])
}

/// A reference to the response of the shared reasons.
pub(super) fn default_reference() -> Value {
    reference(COMMON)
}

/// The schema of `google.rpc.Status`.
pub(super) fn status_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "code": {"type": "integer", "description": "Number of the `google.rpc.Code`."},
            "message": {"type": "string", "description": "One sentence."},
            "details": {
                "type": "array",
                "description": "ErrorInfo with the reason, RequestInfo with the trace id; BadRequest and RetryInfo where apt.",
                "items": {"type": "object", "properties": {"@type": {"type": "string"}}, "required": ["@type"]},
            },
        },
        "required": ["code", "message", "details"],
    })
}

fn name(engine: &str, status: u16) -> String {
    format!("{engine}_{status}")
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/responses/{name}")})
}

fn response(description: &str) -> Value {
    json!({
        "description": description,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}},
    })
}

fn lines(faults: &[&FaultInfo]) -> String {
    let line = |f: &&FaultInfo| format!("- {}: {}", f.reason, f.text);
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn by_status(faults: &[FaultInfo]) -> BTreeMap<u16, Vec<&FaultInfo>> {
    let mut out: BTreeMap<u16, Vec<&FaultInfo>> = BTreeMap::new();
    for fault in faults {
        out.entry(status(fault)).or_default().push(fault);
    }
    out
}

/// The status that an answer with this reason has: the same function decides both.
fn status(fault: &FaultInfo) -> u16 {
    let failure = Failure {
        code: Code::from(fault.code),
        reason: fault.reason.clone(),
        domain: fault.domain.clone(),
        message: String::new(),
        metadata: BTreeMap::new(),
        violations: Vec::new(),
        retry_after: None,
        retryable: fault.retryable,
    };
    failure.http_status()
}
