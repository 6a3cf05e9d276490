//! The workflows that are run.

use std::fmt::Write;

/// Levels of the graph, by the number of their tasks. A task of the third needs one
/// of the second; the last needs all of the third.
pub(crate) const LEVELS: [usize; 4] = [1, 4, 4, 1];

/// A workflow of `file.stat` calls of this file, in levels of these widths.
pub(crate) fn workflow(levels: &[usize], note: &str) -> String {
    let mut text = "name: bench\ntasks:\n".to_owned();
    for (level, width) in levels.iter().enumerate() {
        for n in 0..*width {
            let above = level.checked_sub(1).map_or(0, |l| levels[l]);
            let needs: Vec<_> = (0..above)
                .filter(|m| above != *width || *m == n)
                .map(|m| format!("t{}x{m}", level - 1))
                .collect();
            let needs = needs.join(", ");
            writeln!(
                text,
                "  - {{id: t{level}x{n}, tool: file.stat, needs: [{needs}], params: {{path: \"{note}\"}}}}"
            )
            .expect("text takes all");
        }
    }
    text
}
