//! The uniform routes: every tool by its name.

use serde_json::{Map, Value, json};

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_catalog::{Catalog, Found};
use gearmesh_fault::Refusal;

/// The document at `/v1/tools`: engines and tools of a catalogue.
///
/// Equal catalogues give equal bytes.
#[must_use]
pub fn tools_json(catalog: &Catalog) -> Value {
    let engines: Vec<Value> = catalog
        .engines()
        .iter()
        .map(|e| json!({"id": e.id, "title": e.title, "instructions": e.instructions}))
        .collect();
    let tools: Vec<Value> = catalog.tools().iter().map(|t| t.brief()).collect();
    json!({"engines": engines, "tools": tools})
}

/// Whether the schema of workflow files is to hold the parameters of all tools:
/// `?withTools=true`.
///
/// # Errors
/// INVALID_PARAMETERS for any other query.
pub(crate) fn with_tools(query: &[(String, String)]) -> Result<bool, Refusal> {
    match query {
        [] => Ok(false),
        [(name, value)] if name == "withTools" && matches!(value.as_str(), "true" | "false") => {
            Ok(value == "true")
        }
        [(name, _), ..] => Err(Refusal::parameters(vec![(
            name.clone(),
            "the schema takes `withTools=true` or `false`, and nothing else".to_owned(),
        )])),
    }
}

/// TOOL_NOT_FOUND with the nearest names.
pub(crate) fn not_found(catalog: &Catalog, name: &str) -> Refusal {
    let nearest = catalog.nearest(name);
    let mut text = format!("no tool `{name}`");
    if !nearest.is_empty() {
        text.push_str("; did you mean ");
        text.push_str(&nearest.join(", "));
        text.push('?');
    }
    Refusal::new(CommonFault::ToolNotFound, text).with("nearest", nearest.join(","))
}

/// The arguments of a call by name, with what the name fixes.
///
/// # Errors
/// INVALID_PARAMETERS when the arguments are no object or contradict the name.
pub(crate) fn with_preset(found: &Found<'_>, arguments: Option<Value>) -> Result<Value, Refusal> {
    let mut params = match arguments {
        None => Map::new(),
        Some(Value::Object(map)) => map,
        Some(_) => {
            return Err(Refusal::parameters(vec![(
                String::new(),
                "the arguments must be an object".to_owned(),
            )]));
        }
    };
    found.rename(&mut params);
    let input = found.tool.method.input();
    for (name, value) in found.preset {
        let field = input.get_field_by_json_name(name);
        let proto = field.as_ref().map(|f| f.name()).unwrap_or_default();
        let given = params.get(name).or_else(|| params.get(proto));
        if given.is_some_and(|given| given != value) {
            let alias = found.alias.map(|a| a.name.as_str()).unwrap_or_default();
            return Err(Refusal::parameters(vec![(
                name.clone(),
                format!("is fixed to {value} by the name `{alias}`"),
            )]));
        }
        if given.is_none() {
            params.insert(name.clone(), value.clone());
        }
    }
    Ok(Value::Object(params))
}

/// The engine that a query narrows a document to.
///
/// # Errors
/// INVALID_PARAMETERS for another parameter or an engine that is not there.
pub(super) fn one_engine<'a>(
    catalog: &Catalog,
    fields: &'a [(String, String)],
) -> Result<Option<&'a str>, Refusal> {
    match fields {
        [] => Ok(None),
        [(name, engine)] if name == "engine" => {
            let known = catalog.engines().iter().any(|e| e.id == *engine);
            let text = || {
                Refusal::parameters(vec![(
                    "engine".to_owned(),
                    format!("no engine `{engine}` is on the mesh"),
                )])
            };
            if known { Ok(Some(engine)) } else { Err(text()) }
        }
        [(name, _), ..] => Err(Refusal::parameters(vec![(
            name.clone(),
            "is no parameter; there is `engine`, once".to_owned(),
        )])),
    }
}
