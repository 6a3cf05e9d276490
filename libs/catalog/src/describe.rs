//! Tools as JSON, for lists and for the page of one tool.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::fault::FaultInfo;
use crate::tool::Tool;

impl Tool {
    /// All that is known of the tool.
    #[must_use]
    pub fn describe(&self) -> Value {
        let mut out = self.row();
        out.insert("description".into(), self.description.as_str().into());
        out.insert("timeout".into(), seconds(self.timeout).into());
        out.insert("timeoutMax".into(), seconds(self.timeout_max).into());
        out.insert("aliases".into(), self.aliases().into());
        if let Some(undo) = &self.undo {
            let fields: Map<_, _> = undo
                .fields
                .iter()
                .map(|(to, from)| (to.clone(), from.as_str().into()))
                .collect();
            out.insert("undo".into(), json!({"tool": undo.tool, "fields": fields}));
        }
        if !self.narrow.is_empty() {
            out.insert("narrow".into(), self.narrow().into());
        }
        let routes: Vec<_> = self
            .routes
            .iter()
            .map(|r| format!("{} {}", r.method, r.template))
            .collect();
        out.insert("route".into(), routes.first().cloned().into());
        out.insert("routes".into(), routes.into());
        out.insert("grpc".into(), self.path.as_str().into());
        out.insert("scope".into(), self.scope().into());
        out.insert("egress".into(), self.egress.into());
        out.insert("untrusted".into(), self.untrusted.into());
        out.insert("detach".into(), self.detach.into());
        if let Some(field) = &self.resume_field {
            out.insert("resumeField".into(), field.as_str().into());
        }
        if let Some(c) = &self.connection {
            out.insert(
                "connection".into(),
                json!({"field": c.field, "kind": c.kind}),
            );
        }
        out.insert("inputSchema".into(), self.input_schema.clone());
        out.insert("outputSchema".into(), self.output_schema.clone());
        let examples: Vec<_> = self
            .examples
            .iter()
            .map(|e| json!({"title": e.title, "request": e.request, "response": e.response}))
            .collect();
        out.insert("examples".into(), examples.into());
        let faults: Vec<_> = self.faults.iter().map(FaultInfo::describe).collect();
        out.insert("faults".into(), faults.into());
        out.into()
    }

    /// A row of a list.
    #[must_use]
    pub fn brief(&self) -> Value {
        self.row().into()
    }

    fn row(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("id".into(), self.id.as_str().into());
        out.insert("mcpName".into(), self.mcp_name().into());
        out.insert("engine".into(), self.engine.as_str().into());
        out.insert("summary".into(), self.summary.as_str().into());
        out.insert("effect".into(), self.effect.as_str().into());
        out.insert("keyed".into(), self.keyed.as_str().into());
        out.insert("idempotent".into(), self.idempotent.into());
        out.insert("latency".into(), self.latency.as_str().into());
        out.insert("approval".into(), self.approval.as_str().into());
        out.insert("streaming".into(), self.streaming.into());
        for (name, set) in [("deprecated", self.deprecated), ("foreign", self.foreign)] {
            if set {
                out.insert(name.into(), true.into());
            }
        }
        out
    }

    fn aliases(&self) -> Vec<Value> {
        self.aliases
            .iter()
            .map(|a| {
                let preset: Map<_, _> = a.preset.iter().cloned().collect();
                json!({"name": a.name, "preset": preset, "listed": a.listed})
            })
            .collect()
    }

    fn narrow(&self) -> Vec<Value> {
        self.narrow
            .iter()
            .map(|n| {
                json!({
                    "field": n.field,
                    "values": n.values,
                    "effect": n.effect.unwrap_or(self.effect).as_str(),
                    "keyed": n.keyed.unwrap_or(self.keyed).as_str(),
                })
            })
            .collect()
    }
}

impl FaultInfo {
    /// The reason as JSON.
    #[must_use]
    pub fn describe(&self) -> Value {
        json!({
            "reason": self.reason,
            "domain": self.domain,
            "code": self.code_name,
            "retryable": self.retryable,
            "varies": self.varies,
            "text": self.text,
        })
    }
}

fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}
