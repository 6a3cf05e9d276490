//! The REST routes as OpenAPI 3.1, written from the catalogue.
//!
//! It cannot drift from what is served, since the routes come from the same place.
//! Equal catalogues give equal bytes: the document is compared with a golden file.

mod faults;
mod operation;
mod uniform;

use serde_json::{Map, Value, json};

use gearmesh_catalog::{Catalog, Tool};

use self::operation::Operation;

/// The OpenAPI document of a catalogue, or of one engine of it.
#[must_use]
pub fn openapi(catalog: &Catalog, engine: Option<&str>) -> Value {
    let wanted = |id: &str| engine.is_none_or(|e| e == id);
    let mut paths = Map::new();
    for tool in catalog.tools().iter().filter(|t| wanted(&t.engine)) {
        add(&mut paths, catalog, tool);
    }
    if engine.is_none() {
        uniform::add(&mut paths);
    }
    let mut responses = faults::common(catalog);
    let mut tags = Vec::new();
    for engine in catalog.engines().iter().filter(|e| wanted(&e.id)) {
        let used = catalog.tools().iter().any(|t| t.engine == engine.id);
        if used {
            tags.push(json!({"name": engine.id, "x-displayName": engine.title, "description": engine.instructions}));
            responses.extend(faults::of_engine(engine));
        }
    }
    if engine.is_none() {
        tags.push(json!({"name": uniform::TAG, "description": "Every tool by its name."}));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gearmesh",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The tools of the mesh over HTTP and JSON. Every tool is also served by its name, at `POST /v1/tools/{id}:call`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": {"Status": faults::status_schema()}, "responses": responses},
    })
}

fn add(paths: &mut Map<String, Value>, catalog: &Catalog, tool: &Tool) {
    for (index, binding) in tool.routes.iter().enumerate() {
        let operation = Operation::new(catalog, tool, binding, index);
        let path = paths
            .entry(operation.path())
            .or_insert_with(|| Value::Object(Map::new()));
        // A route of any method has no word in OpenAPI; it is shown as POST.
        let method = match binding.method.as_str() {
            "*" => "post".to_owned(),
            method => method.to_ascii_lowercase(),
        };
        if let Some(path) = path.as_object_mut() {
            path.entry(method).or_insert_with(|| operation.write());
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use gearmesh_catalog::{Engines, Source};

    use super::*;

    fn catalog() -> Catalog {
        Catalog::build(&[Source {
            descriptors: gearmesh_api::DESCRIPTORS,
            engines: Engines::Only(&["state", "orchestrator"]),
        }])
        .unwrap()
    }

    #[test]
    fn derived_route_has_its_schemas_and_reasons() {
        let document = openapi(&catalog(), Some("state"));
        let operation = document["paths"]["/v1/state/delete"]["post"]
            .as_object()
            .unwrap();
        let lines: String = operation
            .iter()
            .map(|(key, value)| format!("{key}: {value}\n"))
            .collect();
        expect![[r##"
            operationId: "state_delete"
            tags: ["state"]
            summary: "Deletes a key with its value."
            description: "Deletes a key with its value.\n\nA key without value is success. With `version` the key is deleted only if it still has that version; else it fails with VERSION_MISMATCH."
            x-gearmesh-tool: "state.delete"
            x-gearmesh-effect: "DESTRUCTIVE"
            x-gearmesh-idempotent: false
            x-gearmesh-latency: "INSTANT"
            x-gearmesh-approval: "CONFIRM"
            requestBody: {"required":true,"content":{"application/json":{"schema":{"type":"object","properties":{"key":{"type":"string","minLength":1,"maxLength":512,"description":"The key.","examples":["inbox/cursor"]},"version":{"type":"integer","minimum":0,"description":"The version that the key must have now; absent: any."}},"required":["key"],"additionalProperties":false},"examples":{"Forget a cursor":{"value":{"key":"inbox/cursor"}}}}}}
            responses: {"200":{"description":"The answer.","content":{"application/json":{"schema":{"type":"object","properties":{"deleted":{"type":"boolean","description":"Whether the key had a value."}}}}}},"404":{"$ref":"#/components/responses/state_404"},"409":{"$ref":"#/components/responses/state_409"},"429":{"$ref":"#/components/responses/state_429"},"default":{"$ref":"#/components/responses/Common"}}
        "##]].assert_eq(&lines);
        let reasons = &document["components"]["responses"]["state_404"]["description"];
        let text = reasons.as_str().unwrap();
        assert!(
            text.contains("STATE_NOT_FOUND: The key has no value"),
            "{text}"
        );
        assert!(
            document["paths"].get("/v1/tools").is_none(),
            "narrowed to one engine"
        );
    }

    #[test]
    fn annotated_route_takes_path_and_query() {
        let document = openapi(&catalog(), None);
        let watch = &document["paths"]["/v1/runs/{runId}/events"]["get"];
        let names: Vec<_> = watch["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| format!("{} {} {}", p["in"], p["name"], p["required"]))
            .collect();
        assert_eq!(
            names,
            [r#""path" "runId" true"#, r#""query" "after" false"#]
        );
        let media: Vec<_> = watch["responses"]["200"]["content"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        assert_eq!(
            media,
            [
                "application/json",
                "application/x-ndjson",
                "text/event-stream"
            ]
        );
        let start = &document["paths"]["/v1/runs"]["post"];
        let answer =
            &start["responses"]["200"]["content"]["application/json"]["schema"]["properties"];
        assert!(
            answer["workflow"].is_object(),
            "the body of the answer is the run itself"
        );
        let cancel = &document["paths"]["/v1/runs/{runId}:cancel"]["post"];
        assert!(
            cancel["requestBody"]["content"]["application/json"]["schema"]["properties"]
                .get("runId")
                .is_none()
        );
    }

    #[test]
    fn every_reference_leads_somewhere_and_ids_are_unique() {
        let document = openapi(&catalog(), None);
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let mut ids: Vec<_> = text
            .split("\"operationId\":\"")
            .skip(1)
            .map(|t| t.split('"').next().unwrap())
            .collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert_eq!(
            text,
            openapi(&catalog(), None).to_string(),
            "equal catalogues, equal bytes"
        );
    }
}
