//! Where the sources are.

use std::path::{Path, PathBuf};

/// The root of the source tree that the running test was built from.
///
/// # Panics
/// Never: the crate lies two folders below it.
#[must_use]
pub fn tree() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = own.ancestors().nth(2);
    root.expect("the crate lies in libs/").to_owned()
}
