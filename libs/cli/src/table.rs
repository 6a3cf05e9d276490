//! Tables: aligned columns without lines.

use comfy_table::{ContentArrangement, Table, presets};

/// The rows under the headings, columns two blanks apart.
pub(crate) fn render(headings: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if !headings.is_empty() {
        table.set_header(headings.iter().map(|h| h.to_uppercase()));
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<_> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn columns_are_aligned_without_lines() {
        let rows = vec![
            vec!["file.read".into(), "READ".into()],
            vec!["größe".into(), "x".into()],
        ];
        expect![[r#"
            TOOL       EFFECT
            file.read  READ
            größe      x"#]]
        .assert_eq(&render(&["tool", "effect"], rows));
    }
}
