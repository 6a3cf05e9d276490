//! HTTP routes: annotated with `google.api.http`, or derived.

use prost_reflect::{DynamicMessage, MethodDescriptor, ReflectMessage};

use crate::names::kebab_case;
use crate::options::{messages, text};

/// One way to reach an RPC over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The HTTP method, as `POST`; `*` for any.
    pub method: String,
    /// The path template, as `/v1/runs/{run_id}:cancel`.
    pub template: String,
    /// The request field that the body holds, `*` for all that the path does not, empty for none.
    pub body: String,
    /// The response field that is the body of the answer; empty: the whole message.
    pub response_body: String,
    /// Whether the route follows from the names alone.
    pub derived: bool,
}

impl Binding {
    /// `POST /v1/{engine}/{rpc-in-kebab-case}` with the whole request as body.
    pub(crate) fn derived(engine: &str, method: &MethodDescriptor) -> Self {
        Self {
            method: "POST".to_owned(),
            template: format!("/v1/{engine}/{}", kebab_case(method.name())),
            body: "*".to_owned(),
            response_body: String::new(),
            derived: true,
        }
    }

    /// The bindings of an annotation: its own, then the additional ones.
    pub(crate) fn annotated(rule: &DynamicMessage) -> Vec<Self> {
        std::iter::once(Self::of_rule(rule))
            .chain(
                messages(rule, "additional_bindings")
                    .iter()
                    .map(Self::of_rule),
            )
            .flatten()
            .collect()
    }

    fn of_rule(rule: &DynamicMessage) -> Option<Self> {
        let verb = ["get", "put", "post", "delete", "patch"]
            .into_iter()
            .map(|verb| (verb.to_uppercase(), text(rule, verb)))
            .find(|(_, template)| !template.is_empty());
        let (method, template) = verb.or_else(|| {
            let field = rule.descriptor().get_field_by_name("custom")?;
            let value = rule.get_field(&field);
            let custom = value.as_message()?;
            let kind = text(custom, "kind").to_uppercase();
            (!kind.is_empty()).then(|| (kind, text(custom, "path")))
        })?;
        Some(Self {
            method,
            template,
            body: text(rule, "body"),
            response_body: text(rule, "response_body"),
            derived: false,
        })
    }

    /// The segment after `/v1/`, when it is a literal.
    pub(crate) fn collection(&self) -> Option<&str> {
        let rest = self.template.strip_prefix("/v1/")?;
        let end = rest.find(['/', ':']).unwrap_or(rest.len());
        let segment = &rest[..end];
        (!segment.is_empty() && !segment.contains(['{', '*'])).then_some(segment)
    }

    /// The template with its variables' names left out: equal ones match equal paths.
    pub(crate) fn shape(&self) -> String {
        let mut out = String::with_capacity(self.template.len());
        let mut rest = self.template.as_str();
        while let Some((literal, tail)) = rest.split_once('{') {
            out.push_str(literal);
            let (variable, next) = tail.split_once('}').unwrap_or((tail, ""));
            out.push_str(
                variable
                    .split_once('=')
                    .map_or("*", |(_, segments)| segments),
            );
            rest = next;
        }
        out.push_str(rest);
        out
    }

    /// Field paths of the template's variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.template.split('{').skip(1).map(|v| {
            let end = v.find(['}', '=']).unwrap_or(v.len());
            &v[..end]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(template: &str) -> Binding {
        Binding {
            method: "GET".into(),
            template: template.into(),
            body: String::new(),
            response_body: String::new(),
            derived: false,
        }
    }

    #[test]
    fn collection_is_the_literal_after_the_version() {
        assert_eq!(
            binding("/v1/runs/{run_id}:cancel").collection(),
            Some("runs")
        );
        assert_eq!(binding("/v1/runs:batch").collection(), Some("runs"));
        assert_eq!(binding("/v1/{name=**}").collection(), None);
        assert_eq!(binding("/health").collection(), None);
    }

    #[test]
    fn shape_forgets_names_and_keeps_segments() {
        assert_eq!(binding("/v1/a/{x}/{y=b/*}:go").shape(), "/v1/a/*/b/*:go");
        assert_eq!(binding("/v1/{a}").shape(), binding("/v1/{b}").shape());
        let variables = binding("/v1/{x.y}/{z=**}");
        assert_eq!(variables.variables().collect::<Vec<_>>(), ["x.y", "z"]);
    }
}
