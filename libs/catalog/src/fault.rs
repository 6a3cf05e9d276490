//! Reasons of failure, as the fault enums declare them.

use prost_reflect::{DescriptorPool, EnumDescriptor, ReflectMessage};

use crate::docs::Docs;
use crate::names::snake_case;
use crate::options::{Options, flag, number};

/// Domain of the reasons that all tools share.
pub(crate) const COMMON_DOMAIN: &str = "gearmesh";

/// Full name of the enum of those reasons.
const COMMON_ENUM: &str = "gearmesh.tool.v1.CommonFault";

/// A reason of failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultInfo {
    /// Name of the enum value without the enum's prefix, as `FILE_NOT_FOUND`.
    pub reason: String,
    /// `{engine}.gearmesh`, or `gearmesh` for the reasons that all tools share.
    pub domain: String,
    /// Number of the `google.rpc.Code`.
    pub code: i32,
    /// Name of the code, as `NOT_FOUND`.
    pub code_name: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Whether each answer sets code and retry by itself.
    pub varies: bool,
    /// Cause and remedy, for people.
    pub text: String,
}

/// The reasons that all tools share, when the pool has them.
pub(crate) fn common(pool: &DescriptorPool, options: &Options, docs: &Docs) -> Vec<FaultInfo> {
    pool.get_enum_by_name(COMMON_ENUM)
        .map(|e| of_enum(&e, COMMON_DOMAIN, options, docs))
        .unwrap_or_default()
}

/// The reasons of an engine's own: of every fault enum of its package.
pub(crate) fn of_package(
    pool: &DescriptorPool,
    package: &str,
    engine: &str,
    options: &Options,
    docs: &Docs,
) -> Vec<FaultInfo> {
    let domain = format!("{engine}.{COMMON_DOMAIN}");
    pool.all_enums()
        .filter(|e| e.package_name() == package && e.full_name() != COMMON_ENUM)
        .flat_map(|e| of_enum(&e, &domain, options, docs))
        .collect()
}

fn of_enum(of: &EnumDescriptor, domain: &str, options: &Options, docs: &Docs) -> Vec<FaultInfo> {
    let prefix = format!("{}_", snake_case(of.name()).to_uppercase());
    let file = of.parent_file();
    of.values()
        .filter_map(|value| {
            let fault = options.fault(&value)?;
            let code = number(&fault, "code");
            let field = fault.descriptor().get_field_by_name("code")?;
            let code_name = field
                .kind()
                .as_enum()
                .and_then(|e| e.get_value(code))
                .map_or_else(|| code.to_string(), |v| v.name().to_owned());
            let name = value.name();
            Some(FaultInfo {
                reason: name.strip_prefix(&prefix).unwrap_or(name).to_owned(),
                domain: domain.to_owned(),
                code,
                code_name,
                retryable: flag(&fault, "retryable"),
                varies: flag(&fault, "varies"),
                text: docs.of(&file, value.path()),
            })
        })
        .collect()
}
