//! The name that was probably meant.

/// Longest name that is compared, in characters.
const NAME_MAX: usize = 64;

/// The closest of the names, when it is close enough to have been meant; and whether it is the only one that close.
pub(crate) fn nearest<'n>(
    name: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<Nearest<'n>> {
    let wanted: Vec<char> = name.chars().collect();
    if wanted.is_empty() || wanted.len() > NAME_MAX {
        return None;
    }
    // Of two letters one is half the name: there only another case of the same letters counts.
    let most = match wanted.len() {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let mut best: Option<Nearest<'n>> = None;
    for candidate in names {
        if candidate == name {
            continue;
        }
        let Some(distance) = distance(&wanted, candidate, most) else {
            continue;
        };
        match &mut best {
            Some(found) if found.distance < distance => {}
            Some(found) if found.distance == distance => found.unique = false,
            _ => {
                best = Some(Nearest {
                    name: candidate,
                    distance,
                    unique: true,
                })
            }
        }
    }
    best
}

/// The name that was probably meant, when one is close enough.
#[must_use]
pub fn nearest_name<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    nearest(name, names).map(|found| found.name)
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Nearest<'n> {
    pub(crate) name: &'n str,
    distance: usize,
    unique: bool,
}

impl Nearest<'_> {
    /// Whether nothing else can have been meant: one or two slips, and no other name as near.
    pub(crate) const fn is_sure(&self) -> bool {
        self.unique && self.distance <= 2
    }
}

/// Insertions, deletions, replacements and swaps of neighbours from one to the other, case not counted; `None`: more than `most`.
fn distance(wanted: &[char], candidate: &str, most: usize) -> Option<usize> {
    if candidate.len() > 4 * NAME_MAX {
        return None;
    }
    let other: Vec<char> = candidate.chars().collect();
    if other.len().abs_diff(wanted.len()) > most {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in wanted.iter().enumerate() {
        let mut next = vec![i + 1; other.len() + 1];
        for (j, b) in other.iter().enumerate() {
            let same = a.eq_ignore_ascii_case(b);
            let mut cost = (row[j] + usize::from(!same))
                .min(row[j + 1] + 1)
                .min(next[j] + 1);
            if i > 0
                && j > 0
                && a.eq_ignore_ascii_case(&other[j - 1])
                && wanted[i - 1].eq_ignore_ascii_case(b)
            {
                cost = cost.min(before[j - 1] + 1);
            }
            next[j + 1] = cost;
        }
        if next.iter().all(|cost| *cost > most) {
            return None;
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().filter(|cost| *cost <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_sure_when_alone() {
        assert!(nearest("fetsh", ["fetch", "pick"]).unwrap().is_sure());
        assert!(!nearest("task3", ["task1", "task2"]).unwrap().is_sure());
    }

    #[test]
    fn swapped_letters_are_one_slip() {
        assert_eq!(nearest("neesd", ["needs", "each"]).unwrap().distance, 1);
    }

    #[test]
    fn far_names_are_not_proposed() {
        assert_eq!(nearest("abc", ["fetch", "xyz"]), None);
        assert_eq!(nearest("", ["a"]), None);
    }
}
