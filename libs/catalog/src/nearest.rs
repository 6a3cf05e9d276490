//! Names that are close to a mistyped one.

/// Suggestions in one answer.
pub(crate) const SUGGESTIONS_MAX: usize = 3;

/// Likeness below which a name is no suggestion.
const LIKENESS_MIN: f64 = 0.6;

/// Characters of a name that are compared; longer ones match nothing.
const NAME_MAX: usize = 64;

/// Edits between two texts: insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = above[j] + usize::from(a[i] != b[j]);
            let mut best = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

/// How alike two texts are, from 0 to 1.
fn likeness(a: &str, b: &str) -> f64 {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let longest = a.len().max(b.len());
    if longest == 0 {
        return 1.0;
    }
    if longest > NAME_MAX {
        return 0.0;
    }
    1.0 - distance(&a, &b) as f64 / longest as f64
}

/// How alike the words of two names are: each word asked for counts with its best
/// partner, and words of the candidate that nobody asked for count a little against it.
fn word_likeness(asked: &[&str], candidate: &[&str]) -> f64 {
    if asked.is_empty() || candidate.is_empty() {
        return 0.0;
    }
    let best = |word: &str| {
        candidate
            .iter()
            .map(|c| likeness(word, c))
            .fold(0.0, f64::max)
    };
    let total: f64 = asked.iter().map(|w| best(w)).sum();
    let extra = candidate.len().saturating_sub(asked.len()) as f64;
    total / asked.len() as f64 - 0.05 * extra
}

fn words(name: &str) -> Vec<&str> {
    name.split(['.', '_', '-', ' '])
        .filter(|w| !w.is_empty())
        .collect()
}

/// The candidates closest to a name, closest first, at most [`SUGGESTIONS_MAX`].
///
/// Each candidate is the name that is compared and the one that is suggested for it.
pub(crate) fn suggest<'a>(
    name: &str,
    candidates: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<String> {
    let asked = words(name);
    let mut found: Vec<(f64, &str)> = candidates
        .map(|(compared, suggested)| {
            let score = likeness(name, compared).max(word_likeness(&asked, &words(compared)));
            (score, suggested)
        })
        .filter(|(score, _)| *score >= LIKENESS_MIN)
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let mut out: Vec<String> = Vec::new();
    for (_, suggested) in found {
        if out.len() < SUGGESTIONS_MAX && !out.iter().any(|o| o == suggested) {
            out.push(suggested.to_owned());
        }
    }
    out
}

/// The one candidate closest to a name, when any is close.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    suggest(name, candidates.map(|c| (c, c))).into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closest_name_comes_first() {
        let names = [
            "email.smtp_send",
            "email.gmail_search",
            "event.send",
            "file.copy",
        ];
        let found = suggest("email.sent", names.iter().map(|n| (*n, *n)));
        assert_eq!(found.first().map(String::as_str), Some("email.smtp_send"));
        assert!(!found.contains(&"file.copy".to_owned()), "{found:?}");
    }

    #[test]
    fn typing_errors_are_found() {
        for typed in ["destnation", "Destination", "destiantion", "destinations"] {
            let names = ["source", "destination"].into_iter();
            assert_eq!(
                nearest(typed, names).as_deref(),
                Some("destination"),
                "{typed}"
            );
        }
        assert_eq!(nearest("colour", ["path", "size"].into_iter()), None);
    }

    #[test]
    fn suggestions_are_at_most_three() {
        let names = ["a.get1", "a.get2", "a.get3", "a.get4"];
        let found = suggest("a.get", names.iter().map(|n| (*n, *n)));
        assert_eq!(found, ["a.get1", "a.get2", "a.get3"]);
    }

    #[test]
    fn longer_names_than_allowed_match_nothing() {
        let long = "x".repeat(NAME_MAX + 1);
        assert_eq!(nearest(&long, [long.as_str()].into_iter()), None);
        let fits = "x".repeat(NAME_MAX);
        assert_eq!(
            nearest(&fits, [fits.as_str()].into_iter()),
            Some(fits.clone())
        );
    }
}
