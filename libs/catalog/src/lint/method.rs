//! Rules about RPCs, tools or not.

use prost_reflect::{Kind, MessageDescriptor, MethodDescriptor};

use super::Lint;
use crate::catalog::Rpc;
use crate::docs;
use crate::names;
use crate::tool_options::field;

/// Longest summary, in characters.
const SUMMARY_MAX: usize = 120;

pub(super) fn check(lint: &mut Lint<'_>, rpc: &Rpc) {
    options(lint, rpc);
    text(lint, rpc);
    list(lint, rpc);
    if has_acronym_run(rpc.method.name()) {
        lint.report(
            "name",
            &rpc.path,
            "two capitals in a row: write acronyms as words",
        );
    }
    if let Some(tool) = &rpc.tool {
        if !names::is_tool_id(&tool.id) {
            lint.report("name", &rpc.path, format!("`{}` is no tool id", tool.id));
        }
        let spelling = tool.mcp_name();
        if spelling.len() > names::MCP_NAME_MAX {
            let message = format!(
                "`{spelling}` has {} characters, more than {}",
                spelling.len(),
                names::MCP_NAME_MAX
            );
            lint.report("name", &tool.id, message);
        }
    }
}

/// Exactly one of `tool` and `access`.
fn options(lint: &mut Lint<'_>, rpc: &Rpc) {
    let message = match (&rpc.tool, &rpc.access) {
        (None, None) => "carries neither `tool` nor `access`",
        (Some(_), Some(_)) => "carries both `tool` and `access`",
        (None, Some(access)) if access.peers.is_empty() => "`access` names no peers",
        _ => return,
    };
    lint.report("rpc", &rpc.path, message);
}

fn text(lint: &mut Lint<'_>, rpc: &Rpc) {
    let scope = lint.scope(rpc.method.parent_pool());
    let comment = scope.docs.of(&rpc.method.parent_file(), rpc.method.path());
    if comment.is_empty() {
        lint.report("text", &rpc.path, "has no comment");
    }
    let summary = match &rpc.tool {
        Some(tool) => tool.summary.as_str(),
        None => docs::summary(&comment),
    };
    let length = summary.chars().count();
    if length > SUMMARY_MAX {
        let message = format!("the summary has {length} characters, more than {SUMMARY_MAX}");
        lint.report("text", &rpc.path, message);
    }
}

/// Pages on every List that has a GET route; etag and mask on Update.
fn list(lint: &mut Lint<'_>, rpc: &Rpc) {
    let has_get = rpc.routes.iter().any(|r| r.method == "GET");
    let name = rpc.method.name();
    let mut needed: Vec<(MessageDescriptor, &str)> = Vec::new();
    if is_verb(name, "List") && has_get {
        needed.push((rpc.method.input(), "page_size"));
        needed.push((rpc.method.input(), "page_token"));
        needed.push((rpc.method.output(), "next_page_token"));
    }
    if is_verb(name, "Update") {
        needed.push((rpc.method.input(), "update_mask"));
        if !has_etag(&rpc.method) {
            lint.report("list", &rpc.path, "no request field `etag`");
        }
    }
    for (message, name) in needed {
        if field(&message, name).is_none() {
            let message = format!("`{}` has no field `{name}`", message.name());
            lint.report("list", &rpc.path, message);
        }
    }
}

/// Whether a name is a verb, alone or with a noun: `List`, `ListRuns`, not `Listen`.
fn is_verb(name: &str, verb: &str) -> bool {
    name.strip_prefix(verb)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_lowercase()))
}

/// In the request, or in the resource that it holds.
fn has_etag(method: &MethodDescriptor) -> bool {
    let request = method.input();
    field(&request, "etag").is_some()
        || request.fields().any(|f| match f.kind() {
            Kind::Message(m) => field(&m, "etag").is_some(),
            _ => false,
        })
}

fn has_acronym_run(name: &str) -> bool {
    let chars: Vec<char> = name.chars().collect();
    chars.windows(2).any(|w| w.iter().all(|c| c.is_uppercase()))
}
