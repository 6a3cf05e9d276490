//! The custom options, read from descriptors into plain values.

use std::time::Duration;

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumValueDescriptor, ExtensionDescriptor, FieldDescriptor,
    MethodDescriptor, ServiceDescriptor, Value,
};

/// `google.api.FieldBehavior.REQUIRED`.
const REQUIRED: i32 = 2;
/// `google.api.FieldBehavior.OUTPUT_ONLY`.
const OUTPUT_ONLY: i32 = 3;
/// `google.api.FieldBehavior.INPUT_ONLY`.
const INPUT_ONLY: i32 = 4;

/// The extensions that one pool declares; a foreign pool may declare none.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    tool: Option<ExtensionDescriptor>,
    access: Option<ExtensionDescriptor>,
    field: Option<ExtensionDescriptor>,
    fault: Option<ExtensionDescriptor>,
    engine: Option<ExtensionDescriptor>,
    http: Option<ExtensionDescriptor>,
    behavior: Option<ExtensionDescriptor>,
}

/// What is known about a field beyond its type.
#[derive(Debug, Clone, Default)]
pub(crate) struct FieldOptions {
    pub(crate) secret: bool,
    pub(crate) artifact: String,
    pub(crate) untrusted: bool,
    pub(crate) path_kind: i32,
    pub(crate) url_kind: i32,
    pub(crate) example: String,
    pub(crate) unit: String,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) pattern: String,
    pub(crate) connection: String,
    pub(crate) required: bool,
    pub(crate) output_only: bool,
    pub(crate) input_only: bool,
    pub(crate) deprecated: bool,
}

impl Options {
    pub(crate) fn of(pool: &DescriptorPool) -> Self {
        let ours = |name: &str| pool.get_extension_by_name(&format!("gearmesh.tool.v1.{name}"));
        Self {
            tool: ours("tool"),
            access: ours("access"),
            field: ours("field"),
            fault: ours("fault"),
            engine: ours("engine"),
            http: pool.get_extension_by_name("google.api.http"),
            behavior: pool.get_extension_by_name("google.api.field_behavior"),
        }
    }

    pub(crate) fn tool(&self, method: &MethodDescriptor) -> Option<DynamicMessage> {
        extension(&method.options(), self.tool.as_ref())
    }

    pub(crate) fn access(&self, method: &MethodDescriptor) -> Option<DynamicMessage> {
        extension(&method.options(), self.access.as_ref())
    }

    pub(crate) fn http(&self, method: &MethodDescriptor) -> Option<DynamicMessage> {
        extension(&method.options(), self.http.as_ref())
    }

    pub(crate) fn engine(&self, service: &ServiceDescriptor) -> Option<DynamicMessage> {
        extension(&service.options(), self.engine.as_ref())
    }

    pub(crate) fn fault(&self, value: &EnumValueDescriptor) -> Option<DynamicMessage> {
        extension(&value.options(), self.fault.as_ref())
    }

    pub(crate) fn field(&self, field: &FieldDescriptor) -> FieldOptions {
        let options = field.options();
        let mut out = FieldOptions {
            secret: flag(&options, "debug_redact"),
            deprecated: flag(&options, "deprecated"),
            ..FieldOptions::default()
        };
        if let Some(ours) = extension(&options, self.field.as_ref()) {
            out.secret |= flag(&ours, "secret");
            out.artifact = text(&ours, "artifact");
            out.untrusted = flag(&ours, "untrusted");
            out.path_kind = number(&ours, "path_kind");
            out.url_kind = number(&ours, "url_kind");
            out.example = text(&ours, "example");
            out.unit = text(&ours, "unit");
            out.min = optional_double(&ours, "min");
            out.max = optional_double(&ours, "max");
            out.pattern = text(&ours, "pattern");
            out.connection = text(&ours, "connection");
        }
        if let Some(behavior) = self.behavior.as_ref().filter(|b| options.has_extension(b)) {
            let list = options.get_extension(behavior);
            for value in list.as_list().unwrap_or_default() {
                match value.as_enum_number() {
                    Some(REQUIRED) => out.required = true,
                    Some(OUTPUT_ONLY) => out.output_only = true,
                    Some(INPUT_ONLY) => out.input_only = true,
                    _ => {}
                }
            }
        }
        out
    }
}

fn extension(
    options: &DynamicMessage,
    extension: Option<&ExtensionDescriptor>,
) -> Option<DynamicMessage> {
    let extension = extension.filter(|e| options.has_extension(e))?;
    options.get_extension(extension).as_message().cloned()
}

/// A text field of an option; empty when absent.
pub(crate) fn text(message: &DynamicMessage, field: &str) -> String {
    message
        .get_field_by_name(field)
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// A bool field of an option; false when absent.
pub(crate) fn flag(message: &DynamicMessage, field: &str) -> bool {
    message
        .get_field_by_name(field)
        .and_then(|v| v.as_bool())
        .unwrap_or_default()
}

/// An optional bool field of an option.
pub(crate) fn optional_flag(message: &DynamicMessage, field: &str) -> Option<bool> {
    let field = message.descriptor_field(field)?;
    message.get_field(&field).as_bool()
}

/// An enum field of an option; 0 when absent.
pub(crate) fn number(message: &DynamicMessage, field: &str) -> i32 {
    message
        .get_field_by_name(field)
        .and_then(|v| v.as_enum_number())
        .unwrap_or_default()
}

/// The messages of a repeated field of an option.
pub(crate) fn messages(message: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    list(message, field, |v| v.as_message().cloned())
}

/// The texts of a repeated field of an option.
pub(crate) fn texts(message: &DynamicMessage, field: &str) -> Vec<String> {
    list(message, field, |v| v.as_str().map(str::to_owned))
}

/// A Duration field of an option, when set.
pub(crate) fn duration(message: &DynamicMessage, field: &str) -> Option<Duration> {
    let field = message.descriptor_field(field)?;
    let value = message.get_field(&field);
    let (seconds, nanos) = crate::json::duration_parts(value.as_message()?);
    Some(Duration::new(
        u64::try_from(seconds).ok()?,
        u32::try_from(nanos).ok()?,
    ))
}

fn optional_double(message: &DynamicMessage, field: &str) -> Option<f64> {
    let field = message.descriptor_field(field)?;
    message.get_field(&field).as_f64()
}

fn list<T>(message: &DynamicMessage, field: &str, element: impl Fn(&Value) -> Option<T>) -> Vec<T> {
    message
        .get_field_by_name(field)
        .and_then(|v| v.as_list().map(|l| l.iter().filter_map(&element).collect()))
        .unwrap_or_default()
}

/// Finds fields that are really set.
trait SetField {
    fn descriptor_field(&self, name: &str) -> Option<FieldDescriptor>;
}

impl SetField for DynamicMessage {
    fn descriptor_field(&self, name: &str) -> Option<FieldDescriptor> {
        use prost_reflect::ReflectMessage;
        let field = self.descriptor().get_field_by_name(name)?;
        self.has_field(&field).then_some(field)
    }
}
