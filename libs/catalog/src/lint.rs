//! The rules that descriptors must obey, since they are the catalogue.
//!
//! Runs in a test over the project's own protos, and over an engine's when it
//! registers. Engines that joined without our options are not looked at.

mod exception;
mod field;
mod method;
mod route;
mod schema;
mod tool;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use prost_reflect::{DescriptorPool, EnumDescriptor, Kind, MessageDescriptor};

use crate::catalog::{Catalog, Rpc};
use crate::docs::Docs;
use crate::options::Options;
use crate::tool::Tool;
use crate::tool_options::reachable;

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Name of the rule, as `examples`.
    pub rule: &'static str,
    /// Tool id, method path, or full name of what breaks it.
    pub subject: String,
    /// What is wrong.
    pub message: String,
}

/// What the rules look at, and what they found.
pub(crate) struct Lint<'a> {
    catalog: &'a Catalog,
    scopes: Vec<Scope>,
    findings: Vec<Finding>,
}

/// Options and comments of one pool.
struct Scope {
    pool: DescriptorPool,
    options: Options,
    docs: Docs,
}

/// Checks every RPC, message and enum of a catalogue; nothing found: all rules hold.
#[must_use]
pub fn lint(catalog: &Catalog) -> Vec<Finding> {
    let mut findings = findings(catalog);
    findings.retain(|f| !exception::EXCEPTIONS.iter().any(|e| e.covers(f)));
    findings
        .sort_by(|a, b| (a.rule, &a.subject, &a.message).cmp(&(b.rule, &b.subject, &b.message)));
    findings.dedup();
    findings
}

/// Everything that breaks a rule, exceptions included.
fn findings(catalog: &Catalog) -> Vec<Finding> {
    let scopes = catalog.pools.iter().map(|pool| Scope {
        pool: pool.clone(),
        options: Options::of(pool),
        docs: Docs::default(),
    });
    let mut lint = Lint {
        catalog,
        scopes: scopes.collect(),
        findings: Vec::new(),
    };
    let rpcs: Vec<&Rpc> = catalog.rpcs().filter(|r| !r.foreign).collect();
    for rpc in &rpcs {
        method::check(&mut lint, rpc);
        route::check(&mut lint, rpc);
        if let Some(tool) = &rpc.tool {
            tool::check(&mut lint, tool);
            schema::of_tool(&mut lint, tool);
        }
    }
    route::shadows(&mut lint, &rpcs);
    let mut seen = HashSet::new();
    for rpc in &rpcs {
        // Requests come first, so that what occurs in both is judged as sent.
        for (message, sent) in [(rpc.method.input(), true), (rpc.method.output(), false)] {
            for message in reachable(&message).into_iter().filter(is_authored) {
                if seen.insert((message.full_name().to_owned(), sent)) {
                    field::of_message(&mut lint, &message, sent);
                }
            }
        }
    }
    for of in enums(&rpcs) {
        schema::of_enum(&mut lint, &of);
    }
    lint.findings
}

impl Lint<'_> {
    fn report(&mut self, rule: &'static str, subject: &str, message: impl Into<String>) {
        self.findings.push(Finding {
            rule,
            subject: subject.to_owned(),
            message: message.into(),
        });
    }

    fn scope(&self, pool: &DescriptorPool) -> &Scope {
        self.scopes
            .iter()
            .find(|s| s.pool == *pool)
            .expect("the catalogue keeps the pool of every RPC")
    }
}

/// Whether a message is written by an engine's author. Those of google, and map entries, are not.
fn is_authored(message: &MessageDescriptor) -> bool {
    !message.full_name().starts_with("google.") && !message.is_map_entry()
}

/// Every enum that RPCs reach, and the fault enums of their packages.
fn enums(rpcs: &[&Rpc]) -> Vec<EnumDescriptor> {
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for rpc in rpcs {
        let package = rpc.method.parent_service().package_name();
        let own = rpc
            .method
            .parent_pool()
            .all_enums()
            .filter(|e| e.package_name() == package || e.name() == "CommonFault");
        let used = [rpc.method.input(), rpc.method.output()]
            .into_iter()
            .flat_map(|m| reachable(&m))
            .flat_map(|m| m.fields().map(|f| f.kind()).collect::<Vec<_>>())
            .filter_map(|kind| match kind {
                Kind::Enum(e) => Some(e),
                _ => None,
            });
        for of in own.chain(used) {
            let authored = !of.full_name().starts_with("google.");
            if authored && seen.insert(of.full_name().to_owned()) {
                out.push(of);
            }
        }
    }
    out
}

/// Whether a tool is of one of these engines.
fn is_of(tool: &Tool, engines: &[&str]) -> bool {
    engines.contains(&tool.engine.as_str())
}
