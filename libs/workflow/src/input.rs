//! What a start gives a workflow: checked before anything runs.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use crate::diagnostic::quote;
use crate::model::Workflow;
use crate::nearest::nearest;
use crate::node::Node;

/// One input of a workflow.
#[derive(Debug, Clone)]
pub struct InputSpec {
    /// Its name.
    pub name: String,
    /// The JSON Schema of its value.
    pub schema: Value,
    /// Whether a start must give it.
    pub required: bool,
    /// Whether its value is kept out of what people see.
    pub sensitive: bool,
    /// Its value when a start does not give it; without one it is null.
    pub default: Option<Value>,
    /// As `default`, where that is an expression of `now`: [`Workflow::fill_inputs`] gives it.
    pub computed: Option<Node>,
    pub(crate) validator: Arc<Validator>,
}

/// Why an input is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InputError {
    /// `INPUT_INVALID`.
    pub code: &'static str,
    /// The input.
    pub input: String,
    /// One sentence.
    pub message: String,
    /// What may help.
    pub hints: Vec<String>,
}

impl InputError {
    fn new(input: &str, message: String) -> InputError {
        InputError {
            code: "INPUT_INVALID",
            input: input.to_owned(),
            message,
            hints: Vec::new(),
        }
    }
}

impl InputSpec {
    /// The type that the schema declares, when it is one.
    #[must_use]
    pub fn type_name(&self) -> Option<&str> {
        self.schema.get("type").and_then(Value::as_str)
    }

    /// What is wrong with a value.
    pub(crate) fn faults(&self, value: &Value) -> Vec<String> {
        let faults = self.validator.iter_errors(value);
        faults
            .map(|fault| format!("input `{}`{}", self.name, sentence(&fault, self.sensitive)))
            .collect()
    }

    fn read(&self, text: &str) -> Value {
        let as_text = || Value::String(text.to_owned());
        match self.type_name() {
            Some("string") => as_text(),
            // What is no JSON stays text, and its type is refused with the text in the message.
            Some(_) => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
            None if self.schema.get("type").is_some() => {
                serde_json::from_str(text).unwrap_or_else(|_| as_text())
            }
            None => as_text(),
        }
    }
}

impl Workflow {
    /// Checks what a start gives and fills in defaults; what is absent without a default is null.
    /// What has a computed default is left out until [`Workflow::fill_inputs`].
    ///
    /// # Errors
    ///
    /// Every input that is unknown, missing or does not fit its schema.
    pub fn bind_inputs(
        &self,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<InputError>> {
        bind(&self.inputs, given)
    }

    /// Fills in the defaults that are expressions of `now`, the start of the run.
    ///
    /// # Errors
    ///
    /// Every default that has no value or does not fit its schema.
    pub fn fill_inputs(
        &self,
        inputs: &mut Map<String, Value>,
        now: &str,
    ) -> Result<(), Vec<InputError>> {
        let scope = Map::from_iter([("now".to_owned(), Value::from(now))]);
        let mut errors = Vec::new();
        for input in &self.inputs {
            let Some(node) = input.computed.as_ref() else {
                continue;
            };
            if inputs.contains_key(&input.name) {
                continue;
            }
            match node.evaluate(&scope) {
                Ok(value) => {
                    let faults = input.faults(&value).into_iter();
                    errors.extend(
                        faults.map(|fault| {
                            InputError::new(&input.name, format!("default of {fault}"))
                        }),
                    );
                    inputs.insert(input.name.clone(), value);
                }
                Err(error) => {
                    let message = format!("default of input `{}`: {}", input.name, error.message);
                    errors.push(InputError::new(&input.name, message));
                }
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// As [`Workflow::bind_inputs`], from texts as a command line has them: each is read as its input's type.
    ///
    /// # Errors
    ///
    /// As [`Workflow::bind_inputs`]; and an input that is given twice.
    pub fn bind_input_texts(
        &self,
        given: &[(String, String)],
    ) -> Result<Map<String, Value>, Vec<InputError>> {
        let mut values = Map::with_capacity(given.len());
        let mut errors = Vec::new();
        for (name, text) in given {
            let input = self.inputs.iter().find(|input| input.name == *name);
            let value = input.map_or_else(|| Value::String(text.clone()), |input| input.read(text));
            if values.insert(name.clone(), value).is_some() {
                errors.push(InputError::new(
                    name,
                    format!("input `{}` is given twice", quote(name)),
                ));
            }
        }
        match self.bind_inputs(&values) {
            Ok(bound) if errors.is_empty() => Ok(bound),
            Ok(_) => Err(errors),
            Err(others) => Err(errors.into_iter().chain(others).collect()),
        }
    }
}

/// Checks values against what is declared and fills in defaults; what is absent without a
/// default is null.
///
/// # Errors
///
/// Every value that is unknown, missing or does not fit its schema.
pub fn bind(
    inputs: &[InputSpec],
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<InputError>> {
    let mut errors: Vec<InputError> = Vec::new();
    let known: HashSet<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    for name in given.keys() {
        if !known.contains(name.as_str()) {
            errors.push(unknown_input(inputs, name));
        }
    }
    let mut bound = Map::with_capacity(inputs.len());
    for input in inputs {
        let value = match (given.get(&input.name), &input.default) {
            // What a run was started with before has null where nothing was given.
            (Some(Value::Null), None) if !input.required => Value::Null,
            (Some(value), _) => {
                errors.extend(
                    input
                        .faults(value)
                        .into_iter()
                        .map(|fault| InputError::new(&input.name, fault)),
                );
                value.clone()
            }
            (None, Some(default)) => default.clone(),
            (None, None) if input.computed.is_some() => continue,
            (None, None) if input.required => {
                errors.push(InputError::new(
                    &input.name,
                    format!("input `{}` is required", input.name),
                ));
                continue;
            }
            (None, None) => Value::Null,
        };
        bound.insert(input.name.clone(), value);
    }
    if errors.is_empty() {
        Ok(bound)
    } else {
        Err(errors)
    }
}

fn unknown_input(inputs: &[InputSpec], name: &str) -> InputError {
    let names = inputs.iter().map(|input| input.name.as_str());
    let question =
        nearest(name, names.clone()).map(|near| format!("; did you mean `{}`?", near.name));
    let message = format!(
        "no input is called `{}`{}",
        quote(name),
        question.unwrap_or_default()
    );
    let mut error = InputError::new(name, message);
    let all: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    error.hints.push(if all.is_empty() {
        "the workflow has no inputs".to_owned()
    } else {
        format!("the inputs are {}", all.join(", "))
    });
    error
}

/// Makes the checker of a schema: without network, and with patterns that take linear time.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|error| match error.kind() {
            ValidationErrorKind::Referencing(_) => "a `$ref` names nothing inside of it".to_owned(),
            _ => shortened(&error.to_string()),
        })
}

/// The fault behind the name of the input.
fn sentence(fault: &ValidationError<'_>, sensitive: bool) -> String {
    let at = place(&fault.instance_path().to_string());
    if sensitive {
        return format!(
            "{at}: the value does not fit `{}` of its schema",
            fault.kind().keyword()
        );
    }
    let found = describe(fault.instance());
    let expected = match fault.kind() {
        ValidationErrorKind::Type {
            kind: TypeKind::Single(one),
        } => word(&one.to_string()),
        ValidationErrorKind::Type {
            kind: TypeKind::Multiple(many),
        } => many
            .iter()
            .map(|one| word(&one.to_string()))
            .collect::<Vec<_>>()
            .join(" or "),
        ValidationErrorKind::Enum { options } => format!("one of {}", quote(&options.to_string())),
        ValidationErrorKind::Constant { expected_value } => quote(&expected_value.to_string()),
        ValidationErrorKind::Minimum { limit } => format!("at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("at most {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("more than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("less than {limit}"),
        ValidationErrorKind::MinLength { limit } => format!("at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("at most {limit} items"),
        ValidationErrorKind::Pattern { pattern } => {
            format!("text that matches `{}`", quote(pattern))
        }
        ValidationErrorKind::Format { format } => format!("text in the format `{}`", quote(format)),
        ValidationErrorKind::Required { property } => {
            return format!("{at}: {property} is missing");
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            return format!("{at}: {} is unknown", quote(&unexpected.join(", ")));
        }
        _ => return format!("{at}: {}", shortened(&fault.to_string())),
    };
    format!("{at}: expected {expected}, found {found}")
}

/// `/lines/0/name` as ` at `lines[0].name``.
fn place(pointer: &str) -> String {
    if pointer.is_empty() {
        return String::new();
    }
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            let _ = write!(path, "[{step}]");
        } else {
            let dot = if path.is_empty() { "" } else { "." };
            let _ = write!(path, "{dot}{}", step.replace("~1", "/").replace("~0", "~"));
        }
    }
    format!(" at `{}`", quote(&path))
}

/// Longest text of a schema's fault, in characters.
const FAULT_MAX: usize = 200;

fn shortened(text: &str) -> String {
    text.chars().take(FAULT_MAX).collect()
}

fn word(kind: &str) -> String {
    match kind {
        "string" => "text",
        "array" => "list",
        "object" => "map",
        other => other,
    }
    .to_owned()
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("text \"{}\"", quote(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}
