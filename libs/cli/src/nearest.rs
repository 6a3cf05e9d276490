//! The name that was probably meant.

/// Longest name that is compared, in characters.
const NAME_MAX: usize = 80;

/// The name at the smallest edit distance, when it is close enough to have been meant.
pub(crate) fn nearest<'a>(
    wanted: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = wanted.chars().count();
    if length == 0 || length > NAME_MAX {
        return None;
    }
    let most = (length / 3).clamp(1, 3);
    names
        .into_iter()
        .filter(|name| name.chars().count().abs_diff(length) <= most)
        .map(|name| (distance(wanted, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Insertions, deletions and replacements from one to the other; two neighbours that
/// changed places count as one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let before = &rows[i - 1];
            let mut cost = (before[j - 1] + usize::from(a[i - 1] != b[j - 1]))
                .min(before[j] + 1)
                .min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(rows[i - 2][j - 2] + 1);
            }
            row[j] = cost;
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slip_finds_its_name_and_nothing_else() {
        assert_eq!(nearest("sorce", ["source", "destination"]), Some("source"));
        assert_eq!(nearest("suorce", ["source"]), Some("source"));
        assert_eq!(nearest("xyz", ["source"]), None);
        assert_eq!(nearest("", ["a"]), None);
    }
}
