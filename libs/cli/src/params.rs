//! Parameters of a tool as they are typed.

use gearmesh_catalog::Tool;
use serde_json::{Map, Value};

use crate::args::pair;
use crate::error::Error;
use crate::file::WorkflowFile;
use crate::nearest::nearest;
use crate::text::printable;

/// Parameters, and what else was said about the call.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct CallArgs {
    pub(crate) params: Map<String, Value>,
    pub(crate) key: Option<String>,
}

/// Reads the parameters of a call by the tool's schema.
pub(crate) fn read(tool: &Tool, words: &[String]) -> Result<CallArgs, Error> {
    let mut reader = Reader {
        schema: &tool.input_schema,
        name: &tool.id,
        noun: "parameter",
        known: &["params", "idempotencyKey"],
        more: format!("gearmesh tool show {}", tool.id),
        out: CallArgs::default(),
    };
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (name, attached) = Reader::parts(word);
        let mut value = |what: &str| match attached.or_else(|| words.next()) {
            Some(value) => Ok(value),
            None => Err(Error::usage(format!("`{name}` needs {what}"))),
        };
        match name {
            "--params" => reader.whole(value("a JSON object, or `-`")?)?,
            "--idempotency-key" => reader.out.key = Some(value("a key")?.to_owned()),
            "-p" | "--param" => reader.pair(value("KEY=VALUE")?)?,
            _ => reader.flag(word, &mut words)?,
        }
    }
    Ok(reader.out)
}

/// Reads the inputs of a workflow by their schema. `known` are flags of the command, so
/// that a slip in one of them is told.
pub(crate) fn inputs(
    workflow: &str,
    schema: &Value,
    known: &[&str],
    words: &[String],
) -> Result<Map<String, Value>, Error> {
    let names: Vec<String> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::keys)
        .map(|name| format!("--{}", kebab(name)))
        .collect();
    let mut reader = Reader {
        schema,
        name: workflow,
        noun: "input",
        known,
        more: if names.is_empty() {
            "it has no inputs".to_owned()
        } else {
            format!("its inputs are {}", names.join(", "))
        },
        out: CallArgs::default(),
    };
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        reader.flag(word, &mut words)?;
    }
    Ok(reader.out.params)
}

/// Reads inputs that were given as texts by the same schema.
pub(crate) fn input_texts(
    schema: &Value,
    given: &[(String, String)],
) -> Result<Map<String, Value>, Error> {
    let mut values = Map::with_capacity(given.len());
    for (name, text) in given {
        let of = schema.get("properties").and_then(|p| p.get(name));
        let value = typed(of.unwrap_or(&Value::Null), text);
        if values.insert(name.clone(), value).is_some() {
            let name = printable(name);
            return Err(Error::usage(format!("input `{name}` is given twice")));
        }
    }
    Ok(values)
}

struct Reader<'a> {
    /// Of an object.
    schema: &'a Value,
    /// Whose parameters they are.
    name: &'a str,
    /// What one of them is called.
    noun: &'static str,
    /// Flags that are none of them.
    known: &'a [&'a str],
    /// Where all of them are told.
    more: String,
    out: CallArgs,
}

/// A request field that a flag names.
struct Field {
    /// JSON names from the request inwards.
    path: Vec<String>,
    schema: Value,
    is_flag: bool,
    /// Written as `--no-NAME`.
    negated: bool,
}

impl Reader<'_> {
    /// The name of a flag, and the value behind its `=`.
    fn parts(word: &str) -> (&str, Option<&str>) {
        match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        }
    }

    /// `--NAME`, `--NAME=VALUE`, `--no-NAME`, or `--NAME` with the next word as its value.
    fn flag<'w>(
        &mut self,
        word: &'w str,
        words: &mut impl Iterator<Item = &'w str>,
    ) -> Result<(), Error> {
        let (name, attached) = Self::parts(word);
        if !name.starts_with("--") {
            return Err(Error::Usage {
                message: format!("`{}` is no flag", printable(word)),
                help: Some(format!("{}s are given by name; {}", self.noun, self.more)),
            });
        }
        let field = self.field(name)?;
        match (field.is_flag, attached) {
            (true, None) => self.put(&field, Value::Bool(!field.negated)),
            (true, Some(text)) => self.put(&field, typed(&field.schema, text)),
            (false, _) => match attached.or_else(|| words.next()) {
                Some(text) => self.put_text(&field, text),
                None => Err(Error::usage(format!("`{name}` needs a value"))),
            },
        }
    }

    /// `--params JSON`, or `-` for standard input.
    fn whole(&mut self, text: &str) -> Result<(), Error> {
        let read = if text == "-" {
            WorkflowFile::read("-")?.text
        } else {
            text.to_owned()
        };
        match serde_json::from_str(&read) {
            Ok(Value::Object(map)) => {
                self.out.params.extend(map);
                Ok(())
            }
            Ok(_) => Err(Error::usage("`--params` takes a JSON object")),
            Err(e) => Err(Error::usage(format!("`--params` is no JSON: {e}"))),
        }
    }

    /// `-p KEY=VALUE`: the value is JSON, else text; dots lead into messages.
    fn pair(&mut self, text: &str) -> Result<(), Error> {
        let (name, value) = pair(text).map_err(|e| Error::usage(format!("`-p {text}`: {e}")))?;
        let field = self.field(&format!("--{name}"))?;
        let value = if is_text(&field.schema) {
            Value::String(value)
        } else {
            serde_json::from_str(&value).unwrap_or(Value::String(value))
        };
        self.put(&field, value)
    }

    /// The field of a flag; names may be written as JSON, as in the proto, or with hyphens.
    fn field(&self, flag: &str) -> Result<Field, Error> {
        let name = flag.trim_start_matches("--");
        match self.find(name) {
            Some(field) => Ok(field),
            None => match name
                .strip_prefix("no-")
                .and_then(|rest| self.find(rest))
                .filter(|f| f.is_flag)
            {
                Some(field) => Ok(Field {
                    negated: true,
                    ..field
                }),
                None => Err(self.unknown(name)),
            },
        }
    }

    fn find(&self, name: &str) -> Option<Field> {
        let mut schema = self.schema;
        let mut path = Vec::new();
        for part in name.split('.') {
            let properties = schema.get("properties").and_then(Value::as_object);
            let known = properties.and_then(|p| p.iter().find(|(known, _)| same_name(known, part)));
            match (known, schema.get("additionalProperties")) {
                (Some((known, inner)), _) => {
                    path.push(known.clone());
                    schema = inner;
                }
                (None, Some(values)) if values.is_object() => {
                    path.push(part.to_owned());
                    schema = values;
                }
                _ => return None,
            }
        }
        Some(Field {
            path,
            is_flag: schema.get("type") == Some(&Value::from("boolean")),
            schema: schema.clone(),
            negated: false,
        })
    }

    fn unknown(&self, name: &str) -> Error {
        let properties = self.schema.get("properties").and_then(Value::as_object);
        let names = properties
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str);
        let near = nearest(name, names.chain(self.known.iter().copied()));
        Error::Usage {
            message: format!("`{}` has no {} `{}`", self.name, self.noun, printable(name)),
            help: Some(match near {
                Some(near) => format!("did you mean `--{}`?", kebab(near)),
                None => self.more.clone(),
            }),
        }
    }

    fn put_text(&mut self, field: &Field, text: &str) -> Result<(), Error> {
        let kind = field
            .schema
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match kind {
            "array" if !text.starts_with('[') => {
                let items = field.schema.get("items").unwrap_or(&Value::Null);
                let item = typed(items, text);
                match self.slot(&field.path)? {
                    Value::Array(list) => list.push(item),
                    slot => *slot = Value::Array(vec![item]),
                }
                Ok(())
            }
            "object" if !text.starts_with('{') => {
                let Some((key, value)) = text.split_once('=') else {
                    return Err(Error::usage(format!(
                        "`{}` takes KEY=VALUE or a JSON object",
                        field.path.join(".")
                    )));
                };
                let values = field
                    .schema
                    .get("additionalProperties")
                    .unwrap_or(&Value::Null);
                let mut path = field.path.clone();
                path.push(key.to_owned());
                let value = typed(values, value);
                *self.slot(&path)? = value;
                Ok(())
            }
            _ => self.put(field, typed(&field.schema, text)),
        }
    }

    fn put(&mut self, field: &Field, value: Value) -> Result<(), Error> {
        let slot = self.slot(&field.path)?;
        if !slot.is_null() {
            return Err(Error::usage(format!(
                "`{}` is given twice",
                field.path.join(".")
            )));
        }
        *slot = value;
        Ok(())
    }

    /// The place of a path in the parameters, made when it is not there.
    fn slot(&mut self, path: &[String]) -> Result<&mut Value, Error> {
        let (first, rest) = path
            .split_first()
            .ok_or_else(|| Error::usage("a parameter without a name"))?;
        let mut slot = self.out.params.entry(first.clone()).or_insert(Value::Null);
        for part in rest {
            if slot.is_null() {
                *slot = Value::Object(Map::new());
            }
            let Value::Object(map) = slot else {
                return Err(Error::usage(format!("`{first}` is given twice")));
            };
            slot = map.entry(part.clone()).or_insert(Value::Null);
        }
        Ok(slot)
    }
}

/// A value of the schema's type; what cannot be one stays text, and the answer names it.
pub(crate) fn typed(schema: &Value, text: &str) -> Value {
    if is_text(schema) {
        return Value::String(text.to_owned());
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Whether the field takes text alone, so that `5` and `true` are texts too.
fn is_text(schema: &Value) -> bool {
    schema.get("type") == Some(&Value::from("string"))
}

/// `sourcePath`, `source_path` and `source-path` are one name.
fn same_name(known: &str, given: &str) -> bool {
    let plain = |c: &char| !matches!(c, '-' | '_');
    let lower = |c: char| c.to_ascii_lowercase();
    known
        .chars()
        .filter(plain)
        .map(lower)
        .eq(given.chars().filter(plain).map(lower))
}

/// `sourcePath` as a flag, `source-path`.
pub(crate) fn kebab(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('-');
        }
        out.push(if c == '_' {
            '-'
        } else {
            c.to_ascii_lowercase()
        });
    }
    out
}

#[cfg(test)]
mod tests;
