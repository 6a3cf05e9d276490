//! All routes, and the way from a path to one.
//!
//! A path is matched segment by segment from the left, where a literal comes before
//! `*` and `*` before `**`, whatever the order in which engines came. A verb is
//! only seen where a template has it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use gearmesh_catalog::{Binding, Catalog, Rpc, Tool};
use http::Method;

use super::path::{Path, Segment};
use super::template::{Part, Template};

/// Routes that are suggested for a path that has none.
const SUGGESTIONS_MAX: usize = 3;

/// A route.
#[derive(Debug)]
pub(crate) struct Route {
    /// `*` stands for every method.
    pub(crate) method: String,
    pub(crate) template: Template,
    pub(crate) target: Target,
}

/// What a route leads to.
#[derive(Debug)]
pub(crate) enum Target {
    /// A tool by a route of its own.
    Tool(Box<ToolRoute>),
    /// An RPC that is no tool, by a route that its proto names.
    Rpc(Box<RpcRoute>),
    /// A tool by its name in the path.
    Call,
    /// The list of tools.
    List,
    /// One tool, described.
    Show,
    OpenApi,
    /// The JSON Schema of workflow files.
    WorkflowSchema,
    Index,
    Page,
}

/// A tool behind one of its bindings.
#[derive(Debug)]
pub(crate) struct ToolRoute {
    pub(crate) tool: Arc<Tool>,
    pub(crate) binding: Binding,
    /// Where what was created is found, when the call creates something.
    pub(crate) member: Option<Template>,
}

/// An RPC that is no tool behind one of its bindings.
#[derive(Debug)]
pub(crate) struct RpcRoute {
    pub(crate) rpc: Rpc,
    pub(crate) binding: Binding,
}

/// All routes of a catalogue.
#[derive(Debug)]
pub(crate) struct Table {
    routes: Vec<Route>,
    root: Node,
    verbs: BTreeSet<String>,
}

/// What may follow a segment.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    single: Option<Box<Node>>,
    /// `**` and the literals behind it, the longest first.
    rest: Vec<(Vec<String>, Vec<End>)>,
    ends: Vec<End>,
}

/// A template that ends here.
#[derive(Debug)]
struct End {
    verb: Option<String>,
    route: usize,
}

/// A route that a request matches.
#[derive(Debug)]
pub(crate) struct Matched<'a> {
    pub(crate) route: &'a Route,
    /// The values of the template's variables: field path and text.
    pub(crate) values: Vec<(&'a [String], String)>,
}

/// Why no route matches.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unmatched {
    /// Other methods would.
    Method { allow: Vec<String> },
    /// No path is like it; these are near.
    Path { nearest: Vec<String> },
    /// An escape of the path is no text.
    Escape,
}

impl Table {
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let mut table = Self {
            routes: Vec::new(),
            root: Node::default(),
            verbs: BTreeSet::new(),
        };
        for (method, template, target) in [
            ("GET", "/", Target::Page),
            ("GET", "/v1", Target::Index),
            ("GET", "/v1/openapi.json", Target::OpenApi),
            ("GET", "/v1/schema/workflow.json", Target::WorkflowSchema),
            ("GET", "/v1/tools", Target::List),
            ("GET", "/v1/tools/{id}", Target::Show),
            ("POST", "/v1/tools/{id}:call", Target::Call),
        ] {
            table.add(method, template, target);
        }
        for tool in catalog.tools() {
            for binding in &tool.routes {
                let route = ToolRoute {
                    member: member(catalog, tool, binding),
                    tool: tool.clone(),
                    binding: binding.clone(),
                };
                table.add(
                    &binding.method,
                    &binding.template,
                    Target::Tool(Box::new(route)),
                );
            }
        }
        for rpc in catalog.rpcs().filter(|rpc| rpc.tool.is_none()) {
            // What has no route of its own is for programs: they have gRPC.
            let derived = format!("/v1/{}/", rpc.engine);
            let one = !rpc.method.is_server_streaming() && !rpc.method.is_client_streaming();
            let named = |b: &&Binding| one && !b.template.starts_with(&derived);
            for binding in rpc.routes.iter().filter(named) {
                let route = RpcRoute {
                    rpc: rpc.clone(),
                    binding: binding.clone(),
                };
                let target = Target::Rpc(Box::new(route));
                table.add(&binding.method, &binding.template, target);
            }
        }
        table
    }

    /// Adds a route. One that cannot be read or is there already is left out: the
    /// tool is still served by its name.
    fn add(&mut self, method: &str, template: &str, target: Target) {
        let template = match Template::parse(template) {
            Ok(template) => template,
            Err(error) => {
                tracing::warn!(%error, "route left out");
                return;
            }
        };
        let routes = &self.routes;
        let ends = self.root.ends_of(&template.parts);
        let taken = ends
            .iter()
            .any(|end| end.verb == template.verb && routes[end.route].method == method);
        if taken {
            tracing::warn!(method, template = %template.text, "route left out: there is one already");
            return;
        }
        ends.push(End {
            verb: template.verb.clone(),
            route: routes.len(),
        });
        self.verbs.extend(template.verb.clone());
        self.routes.push(Route {
            method: method.to_owned(),
            template,
            target,
        });
    }

    /// The route for a request.
    pub(crate) fn find(&self, method: &Method, path: &Path<'_>) -> Result<Matched<'_>, Unmatched> {
        // HEAD is GET without the body.
        let asked = match *method {
            Method::HEAD => "GET",
            _ => method.as_str(),
        };
        let mut allow = BTreeSet::new();
        let mut found = None;
        for (segments, verb) in self.readings(path) {
            self.root.walk(&segments, &mut |ends| {
                for end in ends.iter().filter(|e| e.verb.as_deref() == verb) {
                    let route = &self.routes[end.route];
                    if route.method == asked || route.method == "*" {
                        found = Some(route);
                        return true;
                    }
                    allow.insert(route.method.clone());
                }
                false
            });
            if let Some(route) = found {
                let raw: Vec<&str> = segments.iter().map(|s| s.raw).collect();
                return matched(route, &raw);
            }
            // The verb is registered here, so it is one: no part of a value.
            if !allow.is_empty() {
                break;
            }
        }
        if allow.contains("GET") {
            allow.insert("HEAD".to_owned());
        }
        if allow.is_empty() {
            return Err(Unmatched::Path {
                nearest: self.nearest(path),
            });
        }
        Err(Unmatched::Method {
            allow: allow.into_iter().collect(),
        })
    }

    /// The ways to read a path: with each verb that is registered somewhere, the
    /// longest first, and without one.
    fn readings<'p>(&self, path: &Path<'p>) -> Vec<(Vec<Segment<'p>>, Option<&'p str>)> {
        let mut readings = Vec::new();
        if let Some((last, before)) = path.segments.split_last() {
            for (at, _) in last.raw.match_indices(':') {
                let (value, verb) = (&last.raw[..at], &last.raw[at + 1..]);
                if !self.verbs.contains(verb) {
                    continue;
                }
                let Some(value) = Segment::new(value) else {
                    continue;
                };
                let mut segments = before.to_vec();
                segments.push(value);
                readings.push((segments, Some(verb)));
            }
        }
        readings.push((path.segments.clone(), None));
        readings
    }

    /// The routes that share most of their beginning and end with a path.
    fn nearest(&self, path: &Path<'_>) -> Vec<String> {
        let asked: String = path.segments.iter().flat_map(|s| ["/", s.raw]).collect();
        let mut scored: Vec<(usize, String)> = self
            .routes
            .iter()
            .filter_map(|route| {
                let text = route.template.text.as_str();
                let likeness = likeness(&asked, text);
                // A route is near when at least two thirds of the longer text are shared.
                let near = likeness * 3 >= asked.len().max(text.len()) * 2;
                near.then(|| (likeness, format!("{} {text}", route.method)))
            })
            .collect();
        scored.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        scored
            .into_iter()
            .take(SUGGESTIONS_MAX)
            .map(|(_, text)| text)
            .collect()
    }
}

fn matched<'a>(route: &'a Route, segments: &[&str]) -> Result<Matched<'a>, Unmatched> {
    let value = |v: &'a super::template::Variable| {
        let text = route.template.value(v, segments).ok_or(Unmatched::Escape)?;
        Ok((v.field.as_slice(), text))
    };
    let values = route
        .template
        .variables
        .iter()
        .map(value)
        .collect::<Result<_, _>>()?;
    Ok(Matched { route, values })
}

/// Where the thing that a call creates is found: the RPC is `Create..`, posts to a
/// collection, and the member of that collection has a GET.
pub(crate) fn member(catalog: &Catalog, tool: &Tool, binding: &Binding) -> Option<Template> {
    if binding.method != "POST" || !tool.method.name().starts_with("Create") {
        return None;
    }
    let all = catalog.tools().iter().flat_map(|t| &t.routes);
    all.filter(|other| other.method == "GET")
        .filter_map(|other| {
            let rest = other.template.strip_prefix(binding.template.as_str())?;
            let one =
                rest.starts_with("/{") && rest.ends_with('}') && rest.matches('/').count() == 1;
            one.then(|| Template::parse(&other.template).ok()).flatten()
        })
        .next()
}

/// Characters that two texts share at their beginning and at their end.
fn likeness(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[start..], &b[start..]);
    start
        + a.iter()
            .rev()
            .zip(b.iter().rev())
            .take_while(|(x, y)| x == y)
            .count()
}

impl Node {
    /// The place where a template ends, made when it is not there.
    fn ends_of(&mut self, parts: &[Part]) -> &mut Vec<End> {
        match parts.split_first() {
            None => &mut self.ends,
            Some((Part::Literal(text), tail)) => {
                self.literals.entry(text.clone()).or_default().ends_of(tail)
            }
            Some((Part::Single, tail)) => self.single.get_or_insert_default().ends_of(tail),
            Some((Part::Rest, tail)) => {
                let literal = |p: &Part| match p {
                    Part::Literal(text) => text.clone(),
                    Part::Single => "*".to_owned(),
                    Part::Rest => "**".to_owned(),
                };
                let suffix: Vec<String> = tail.iter().map(literal).collect();
                if let Some(at) = self.rest.iter().position(|(s, _)| *s == suffix) {
                    return &mut self.rest[at].1;
                }
                let at = self.rest.partition_point(|(s, _)| s.len() > suffix.len());
                self.rest.insert(at, (suffix, Vec::new()));
                &mut self.rest[at].1
            }
        }
    }

    /// Visits every end that segments lead to, in the order of precedence, until
    /// `visit` says true.
    fn walk(&self, segments: &[Segment<'_>], visit: &mut dyn FnMut(&[End]) -> bool) -> bool {
        let Some((first, tail)) = segments.split_first() else {
            return visit(&self.ends) || self.walk_rest(segments, visit);
        };
        if let Some(node) = self.literals.get(&first.text)
            && node.walk(tail, visit)
        {
            return true;
        }
        if let Some(node) = &self.single
            && !first.text.is_empty()
            && node.walk(tail, visit)
        {
            return true;
        }
        self.walk_rest(segments, visit)
    }

    fn walk_rest(&self, segments: &[Segment<'_>], visit: &mut dyn FnMut(&[End]) -> bool) -> bool {
        self.rest.iter().any(|(suffix, ends)| {
            let Some(start) = segments.len().checked_sub(suffix.len()) else {
                return false;
            };
            segments[start..].iter().map(|s| &s.text).eq(suffix) && visit(ends)
        })
    }
}

#[cfg(test)]
mod tests;
