//! What a tool answers in a run that calls nothing.
//!
//! An example says what is typical, but only of the keys that it is about. What it leaves
//! out is there all the same, as a value that the schema of the answer allows: tasks
//! behind it read more than examples tell, and a mock run shows whether they find it.

use serde_json::{Map, Value, json};

use gearmesh_catalog::Tool;

/// An instant where the schema wants one: the same in every mock run.
const INSTANT: &str = "1970-01-01T00:00:00Z";

/// The answer of a tool: its first example, completed by its schema.
pub(crate) fn answer(tool: &Tool) -> Value {
    let mut examples = tool.examples.iter().map(|e| &e.response);
    let example = examples.find(|answer| !answer.is_null());
    completed(example, shaped(&tool.output_schema))
}

/// The example over what is otherwise there. Lists stay as the example has them.
fn completed(example: Option<&Value>, otherwise: Value) -> Value {
    match (example, otherwise) {
        (None, otherwise) => otherwise,
        (Some(Value::Object(example)), Value::Object(mut all)) => {
            for (key, value) in example {
                let before = all.get_mut(key).map(Value::take).unwrap_or_default();
                all.insert(key.clone(), completed(Some(value), before));
            }
            Value::Object(all)
        }
        (Some(example), _) => example.clone(),
    }
}

/// The least value that fits a schema: its example, the first of its values, else nothing
/// of its type. Of an object every property is there, since answers leave none out; a
/// free-form value is null.
fn shaped(schema: &Value) -> Value {
    let kind = match schema.get("type") {
        // The first of several is the usual one.
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        kind => kind.and_then(Value::as_str),
    };
    for key in ["examples", "enum"] {
        let first = schema.get(key).and_then(|values| values.get(0));
        if let Some(first) = first.filter(|value| fits(kind, value)) {
            return first.clone();
        }
    }
    match kind {
        Some("object") => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let properties = properties.into_iter().flatten();
            let shape = properties.map(|(name, schema)| (name.clone(), shaped(schema)));
            Value::Object(shape.collect::<Map<_, _>>())
        }
        Some("array") => json!([]),
        Some("string") if schema.get("format") == Some(&json!("date-time")) => INSTANT.into(),
        Some("string") => "".into(),
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(0)),
        Some("number") => json!(0),
        Some("boolean") => json!(false),
        _ => Value::Null,
    }
}

/// Whether a value is of a type: an example of a field may show what a request takes, as
/// `15m` where the answer has a number.
fn fits(kind: Option<&str>, value: &Value) -> bool {
    match kind {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use gearmesh_api::DESCRIPTORS;
    use gearmesh_catalog::json::{Violation, ViolationKind};
    use gearmesh_catalog::{Catalog, Engines, Source, json as fields};

    use super::*;

    fn catalog() -> Catalog {
        let source = Source {
            descriptors: DESCRIPTORS,
            engines: Engines::All,
        };
        Catalog::build(&[source]).expect("the catalogue")
    }

    #[test]
    fn every_tool_has_an_answer_that_it_could_give() {
        for tool in catalog().tools() {
            let answer = answer(tool);
            let faults = fields::check(&tool.method.output(), &answer, &|_| false);
            // Bounds and patterns are of what is sent.
            let of_answers = |fault: &&Violation| {
                !matches!(
                    fault.kind,
                    ViolationKind::Range | ViolationKind::Pattern | ViolationKind::Missing
                )
            };
            let faults = faults.iter().filter(of_answers);
            let faults: Vec<String> = faults.map(ToString::to_string).collect();
            assert!(faults.is_empty(), "{}: {faults:?}\n{answer:#}", tool.id);
            let properties = tool.output_schema["properties"].as_object();
            for name in properties.into_iter().flat_map(Map::keys) {
                assert!(answer.get(name).is_some(), "{}: no {name}", tool.id);
            }
        }
    }

    #[test]
    fn example_is_completed() {
        let catalog = catalog();
        let answer = answer(catalog.get("http.request").expect("a tool").tool);
        assert_eq!(answer["status"], 200, "of the example");
        assert_eq!(answer["metadata"]["format"], "json", "of the example");
        assert_eq!(answer["metadata"]["totalDelay"], 0, "of the schema");
        assert_eq!(answer["headers"], json!({}), "of the schema");
        assert_eq!(answer["url"], "", "of the schema");
        assert_eq!(answer.get("data"), Some(&Value::Null), "free-form");
    }

    #[test]
    fn value_of_a_schema_is_the_least_of_its_type() {
        for (schema, value) in [
            (json!({"type": "string"}), json!("")),
            (
                json!({"type": "string", "format": "date-time"}),
                json!(INSTANT),
            ),
            (json!({"type": "string", "enum": ["b", "a"]}), json!("b")),
            (json!({"type": "string", "examples": ["x"]}), json!("x")),
            (json!({"type": "integer"}), json!(0)),
            (json!({"type": "integer", "examples": ["15m"]}), json!(0)),
            (json!({"type": "integer", "minimum": 2}), json!(2)),
            (json!({"type": ["integer", "string"]}), json!(0)),
            (json!({"type": "number"}), json!(0)),
            (json!({"type": "boolean"}), json!(false)),
            (
                json!({"type": "array", "items": {"type": "string"}}),
                json!([]),
            ),
            (json!({"type": "object"}), json!({})),
            (json!({}), json!(null)),
            (
                json!({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}}),
                json!({"a": {"b": ""}}),
            ),
        ] {
            assert_eq!(shaped(&schema), value, "{schema}");
        }
    }

    #[test]
    fn lists_of_an_example_stay_as_they_are() {
        let otherwise = json!({"rows": [], "count": 0, "at": {"x": 1, "y": 2}});
        let example = json!({"rows": [{"a": 1}], "at": {"x": 3}});
        let all = completed(Some(&example), otherwise);
        assert_eq!(
            all,
            json!({"rows": [{"a": 1}], "count": 0, "at": {"x": 3, "y": 2}})
        );
    }
}
