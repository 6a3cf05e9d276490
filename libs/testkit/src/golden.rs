//! Files that show in a review what a change does to a surface.

use std::path::Path;

/// Compares text with a golden file; with `UPDATE_GOLDEN=1` writes it instead.
///
/// # Panics
/// When they differ, naming the first line that does.
pub fn golden(path: &Path, actual: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch of the test run, not of the product"
    )]
    let update = std::env::var("UPDATE_GOLDEN").is_ok_and(|v| v == "1");
    if update {
        std::fs::write(path, actual).expect("the golden file can be written");
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected == actual {
        return;
    }
    let line = expected
        .lines()
        .zip(actual.lines())
        .take_while(|(e, a)| e == a)
        .count();
    let expected = expected.lines().nth(line).unwrap_or("(end)");
    let found = actual.lines().nth(line).unwrap_or("(end)");
    panic!(
        "{} differs at line {}:\n- {expected}\n+ {found}\nif that is meant: UPDATE_GOLDEN=1 and run again",
        path.display(),
        line + 1
    );
}
