//! The reasons behind a store's errors.

use gearmesh_fault::{EnumValueDescriptor, Fault, reason};

use crate::error::Error;

/// The enum of the reasons that all services share. Its generated type is not
/// among what this crate may see, so its values are taken by number; a test
/// holds each number to its name.
const COMMON: &str = "gearmesh.tool.v1.CommonFault";
const INVALID_PARAMETERS: i32 = 1;
const INTERNAL_ERROR: i32 = 9;
const KEY_REUSED: i32 = 13;
const KEY_IN_USE: i32 = 14;
const STALE_EPOCH: i32 = 15;
const TOO_LARGE: i32 = 20;
const STORE_FULL: i32 = 25;
const STORE_FAILED: i32 = 26;
const STORE_UNAVAILABLE: i32 = 28;
const COMMIT_UNKNOWN: i32 = 29;

impl Fault for Error {
    fn reason(&self) -> EnumValueDescriptor {
        let value = match self {
            Self::KeyReused(_) => KEY_REUSED,
            Self::KeyInUse(_) => KEY_IN_USE,
            Self::StaleEpoch(_) => STALE_EPOCH,
            Self::TooLarge { .. } => TOO_LARGE,
            Self::Nul(_) => INVALID_PARAMETERS,
            Self::Full => STORE_FULL,
            Self::Unavailable(_) | Self::Fenced { .. } => STORE_UNAVAILABLE,
            Self::CommitUnknown => COMMIT_UNKNOWN,
            Self::Locked { .. }
            | Self::OldSqlite { .. }
            | Self::NewerSchema { .. }
            | Self::File { .. }
            | Self::Corrupt { .. }
            | Self::Unfit(_)
            | Self::Failed(_)
            | Self::Closed(_) => STORE_FAILED,
            Self::Name(_)
            | Self::NoWayBack { .. }
            | Self::Damaged { .. }
            | Self::DamagedBlob(_)
            | Self::DamagedEffect { .. }
            | Self::DamagedWorkflow { .. }
            | Self::Gap { .. }
            | Self::UnknownRun(_)
            | Self::RunExists(_)
            | Self::Ended(_)
            | Self::Sql(_) => INTERNAL_ERROR,
        };
        reason(COMMON, value)
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::KeyReused(key) | Self::KeyInUse(key) | Self::StaleEpoch(key) => {
                vec![("key", key.clone())]
            }
            Self::TooLarge { size, limit, .. } => {
                vec![("size", size.to_string()), ("limit", limit.to_string())]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use gearmesh_fault::meaning;

    use super::*;

    #[test]
    fn every_error_has_the_reason_of_its_name() {
        let key = || "k".to_owned();
        let too_large = Error::TooLarge {
            what: "a body",
            size: 2,
            limit: 1,
        };
        let cases = [
            (Error::KeyReused(key()), "KEY_REUSED"),
            (Error::KeyInUse(key()), "KEY_IN_USE"),
            (Error::StaleEpoch(key()), "STALE_EPOCH"),
            (too_large, "TOO_LARGE"),
            (Error::Full, "STORE_FULL"),
            (Error::Failed(key()), "STORE_FAILED"),
            (Error::Unavailable(key()), "STORE_UNAVAILABLE"),
            (Error::Fenced { shard: 7 }, "STORE_UNAVAILABLE"),
            (Error::CommitUnknown, "COMMIT_UNKNOWN"),
            (Error::Nul("a key"), "INVALID_PARAMETERS"),
            (Error::UnknownRun(1), "INTERNAL_ERROR"),
        ];
        for (error, name) in cases {
            assert_eq!(meaning(&error.reason()).reason, name, "{error}");
        }
    }
}
