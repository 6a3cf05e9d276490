//! How large a value is.

use std::io::{Result, Write};

use serde_json::Value;

/// Counts what is written to it.
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The size of a value as JSON, in bytes, without writing it down.
pub(crate) fn json_size(value: &Value) -> usize {
    let mut count = Count(0);
    // Counting cannot fail, and every JSON value can be written.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}
