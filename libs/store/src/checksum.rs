//! CRC32C over what a row says, so that a damaged row is never used.

/// A checksum over fields, each preceded by its length or of a fixed one, so
/// that no two rows have the same bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checksum(u32);

impl Checksum {
    pub(crate) fn int(self, value: i64) -> Self {
        Self(crc32c::crc32c_append(self.0, &value.to_le_bytes()))
    }

    pub(crate) fn bytes(self, value: &[u8]) -> Self {
        let length = (value.len() as u64).to_le_bytes();
        Self(crc32c::crc32c_append(
            crc32c::crc32c_append(self.0, &length),
            value,
        ))
    }

    pub(crate) fn text(self, value: &str) -> Self {
        self.bytes(value.as_bytes())
    }

    /// A value that may be absent; absent differs from every present one.
    pub(crate) fn maybe<T>(self, value: Option<T>, add: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => add(self.int(1), value),
            None => self.int(0),
        }
    }

    pub(crate) fn value(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_fields_do_not_run_into_each_other() {
        let sum = |a: &str, b: &str| Checksum::default().text(a).text(b).value();
        assert_ne!(sum("ab", "c"), sum("a", "bc"));
    }

    #[test]
    fn absent_differs_from_zero() {
        let sum = |v| Checksum::default().maybe(v, Checksum::int).value();
        assert_ne!(sum(None), sum(Some(0)));
    }
}
