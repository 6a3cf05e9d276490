//! The values of fault enums, looked up in the descriptors.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, EnumValueDescriptor, ExtensionDescriptor};
use tonic::Code;

use gearmesh_api::tool::v1::CommonFault;

/// Our own descriptors, immutable and the same in every process.
static POOL: LazyLock<Pool> = LazyLock::new(Pool::load);

struct Pool {
    descriptors: DescriptorPool,
    fault: ExtensionDescriptor,
}

impl Pool {
    fn load() -> Self {
        let descriptors = DescriptorPool::decode(gearmesh_api::DESCRIPTORS)
            .expect("the build wrote these descriptors");
        let fault = descriptors
            .get_extension_by_name("gearmesh.tool.v1.fault")
            .expect("tool.proto declares the option");
        Self { descriptors, fault }
    }
}

/// What the proto says of a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// The reason without the prefix of its enum, as `FILE_NOT_FOUND`.
    pub reason: String,
    /// `gearmesh` for the reasons that all share, else `{engine}.gearmesh`.
    pub domain: String,
    /// The status code of an answer with this reason.
    pub code: Code,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Whether each answer sets code and retry by itself.
    pub varies: bool,
}

/// A value of a fault enum, by the enum's full name and the value's number.
///
/// # Panics
/// When there is no such enum or value: the caller names a generated constant,
/// so that is a mistake of the program and every test of it fails.
#[must_use]
pub fn reason(fault_enum: &str, value: i32) -> EnumValueDescriptor {
    POOL.descriptors
        .get_enum_by_name(fault_enum)
        .and_then(|e| e.get_value(value))
        .expect("generated code and descriptors come from one build")
}

/// A reason that every tool may answer with.
#[must_use]
pub fn common(fault: CommonFault) -> EnumValueDescriptor {
    reason("gearmesh.tool.v1.CommonFault", fault as i32)
}

/// What the proto says of a value of a fault enum.
#[must_use]
pub fn meaning(value: &EnumValueDescriptor) -> Meaning {
    let (code, retryable, varies) = option(value);
    let parent = value.parent_enum();
    let prefix = screaming(parent.name());
    let reason = value
        .name()
        .strip_prefix(prefix.as_str())
        .unwrap_or(value.name())
        .to_owned();
    Meaning {
        reason,
        domain: domain(parent.package_name()),
        code,
        retryable,
        varies,
    }
}

/// The meaning of a reason by its domain and name, when it is one of ours.
pub(crate) fn known(domain: &str, reason: &str) -> Option<Meaning> {
    let enum_name = if domain == "gearmesh" {
        "gearmesh.tool.v1.CommonFault".to_owned()
    } else {
        let engine = domain.strip_suffix(".gearmesh")?;
        let mut capital = engine.to_owned();
        capital.get_mut(..1)?.make_ascii_uppercase();
        format!("gearmesh.{engine}.v1.{capital}Fault")
    };
    let fault_enum = POOL.descriptors.get_enum_by_name(&enum_name)?;
    let value =
        fault_enum.get_value_by_name(&format!("{}{reason}", screaming(fault_enum.name())))?;
    Some(meaning(&value))
}

fn option(value: &EnumValueDescriptor) -> (Code, bool, bool) {
    let options = value.options();
    let fault = options.get_extension(&POOL.fault);
    let Some(message) = fault.as_message() else {
        return (Code::Unknown, false, false);
    };
    let flag = |name| {
        message
            .get_field_by_name(name)
            .and_then(|v| v.as_bool())
            .unwrap_or_default()
    };
    let code = message
        .get_field_by_name("code")
        .and_then(|v| v.as_enum_number())
        .map_or(Code::Unknown, Code::from);
    (code, flag("retryable"), flag("varies"))
}

/// `FileFault` -> `FILE_FAULT_`: the prefix that the enum's values share.
fn screaming(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (i, c) in name.char_indices() {
        if c.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out.push('_');
    out
}

/// `gearmesh.file.v1` -> `file.gearmesh`; the package of the options -> `gearmesh`.
fn domain(package: &str) -> String {
    match package.rsplit('.').nth(1) {
        Some("tool") | None => "gearmesh".to_owned(),
        Some(engine) => format!("{engine}.gearmesh"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_carries_what_the_proto_says() {
        let meaning = meaning(&common(CommonFault::Timeout));
        assert_eq!(
            meaning,
            Meaning {
                reason: "TIMEOUT".into(),
                domain: "gearmesh".into(),
                code: Code::DeadlineExceeded,
                retryable: true,
                varies: false
            }
        );
    }

    #[test]
    fn reason_of_an_engine_is_found_by_domain_and_name() {
        let found = known("state.gearmesh", "VERSION_MISMATCH").expect("state.proto has it");
        assert_eq!((found.code, found.retryable), (Code::Aborted, false));
        assert_eq!(known("state.gearmesh", "NO_SUCH_REASON"), None);
        assert_eq!(known("nowhere", "TIMEOUT"), None);
        assert_eq!(known(".gearmesh", "TIMEOUT"), None);
    }

    #[test]
    fn every_common_reason_has_a_code() {
        let zero = reason("gearmesh.tool.v1.CommonFault", 0);
        for value in zero.parent_enum().values().filter(|v| v.number() != 0) {
            assert_ne!(meaning(&value).code, Code::Unknown, "{}", value.name());
        }
    }
}
