//! Which of several instances takes a call.

use std::cmp::Ordering;

/// The less busy one of two that chance picked. Nearly as even as the least busy of
/// all, without everybody running to the same one.
pub(crate) fn less_busy<T>(
    candidates: &[T],
    busy: impl Fn(&T) -> usize,
    mut chance: impl FnMut(usize) -> usize,
) -> Option<&T> {
    match candidates {
        [] => None,
        [only] => Some(only),
        _ => {
            let first = chance(candidates.len());
            // Any other than the first, each as likely.
            let second = (first + 1 + chance(candidates.len() - 1)) % candidates.len();
            let (first, second) = (candidates.get(first)?, candidates.get(second)?);
            Some(match busy(first).cmp(&busy(second)) {
                Ordering::Greater => second,
                Ordering::Less | Ordering::Equal => first,
            })
        }
    }
}

/// The one whose turn it is for a key, by rendezvous hash: when an instance comes or
/// goes, only the keys that it takes or had change their place. Every process must
/// come to the same answer.
pub(crate) fn whose_turn<'a, T>(
    candidates: &'a [T],
    key: &str,
    id: impl Fn(&T) -> &str,
) -> Option<&'a T> {
    candidates
        .iter()
        .max_by(|a, b| (score(key, id(a)), id(a)).cmp(&(score(key, id(b)), id(b))))
}

/// FNV-1a with a finish that spreads it: the same in every build, and nothing is
/// guarded by it.
fn score(key: &str, id: &str) -> u64 {
    let bytes = key.bytes().chain([0]).chain(id.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busier_one_of_two_is_never_picked() {
        let load = [3, 9, 1];
        let mut taken = [0; 3];
        let mut chance = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let index = *less_busy(&[0, 1, 2], |i| load[*i], |n| chance.usize(..n)).unwrap();
            taken[index] += 1;
        }
        assert_eq!(taken[1], 0, "{taken:?}");
        assert!(taken[0] > 50 && taken[2] > 150, "{taken:?}");
        assert_eq!(less_busy(&[] as &[usize], |i| *i, |_| 0), None);
    }

    #[test]
    fn leaving_instance_moves_its_own_keys_alone() {
        let all = ["a", "b", "c", "d"];
        let left = ["a", "b", "d"];
        let mut counts = std::collections::BTreeMap::<&str, usize>::new();
        for n in 0..4_000 {
            let key = format!("run_{n}");
            let before = *whose_turn(&all, &key, |i| i).unwrap();
            let after = *whose_turn(&left, &key, |i| i).unwrap();
            *counts.entry(before).or_default() += 1;
            if before != "c" {
                assert_eq!(before, after);
            }
        }
        assert!(
            counts.values().all(|n| (850..1150).contains(n)),
            "{counts:?}"
        );
    }
}
