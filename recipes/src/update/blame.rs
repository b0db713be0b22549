//! Which of several changes are to be taken back so that a test passes again.
//!
//! Knows sets of changes and a test's answers. Must never know what a change
//! is, nor how it is tested.

/// The fewest of `all` that must go for the test to pass: `passes_without`
/// takes what is left out. `None` when it fails without all of them, too.
///
/// Delta debugging: halves first, so that one culprit among many is found in
/// few tests. What comes out cannot do with one less.
pub fn culprits<T: Clone + PartialEq, E>(
    all: &[T],
    mut passes_without: impl FnMut(&[T]) -> Result<bool, E>,
) -> Result<Option<Vec<T>>, E> {
    let mut known: Vec<(Vec<T>, bool)> = Vec::new();
    let mut test = |left_out: Vec<T>| -> Result<Option<Vec<T>>, E> {
        let before = known.iter().find(|(set, _)| *set == left_out).map(|(_, passes)| *passes);
        let passes = match before {
            Some(passes) => passes,
            None => passes_without(&left_out)?,
        };
        known.push((left_out.clone(), passes));
        Ok(passes.then_some(left_out))
    };
    let Some(mut left) = test(all.to_vec())? else { return Ok(None) };
    let mut parts = 2;
    while left.len() > 1 {
        let size = left.len().div_ceil(parts);
        let chunks: Vec<Vec<T>> = left.chunks(size).map(<[T]>::to_vec).collect();
        let mut smaller = None;
        for chunk in &chunks {
            smaller = test(chunk.clone())?.map(|found| (found, 2));
            if smaller.is_some() {
                break;
            }
        }
        for chunk in chunks.iter().filter(|_| chunks.len() > 2) {
            if smaller.is_some() {
                break;
            }
            let rest: Vec<T> = left.iter().filter(|one| !chunk.contains(one)).cloned().collect();
            smaller = test(rest)?.map(|found| (found, parts.saturating_sub(1).max(2)));
        }
        match smaller {
            Some((found, next)) => (left, parts) = (found, next),
            None if size == 1 => break,
            None => parts = (parts * 2).min(left.len()),
        }
    }
    Ok(Some(left))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// The culprits among `0..many`, and how many tests that took.
    fn blame(many: usize, passes: impl Fn(&[usize]) -> bool) -> (Option<Vec<usize>>, usize) {
        let (all, mut tests): (Vec<usize>, usize) = ((0..many).collect(), 0);
        let found = culprits(&all, |left_out| {
            tests += 1;
            Ok::<_, Infallible>(passes(left_out))
        });
        (found.unwrap(), tests)
    }

    #[test]
    fn one_culprit_is_found_in_few_tests() {
        for culprit in 0..64 {
            let (found, tests) = blame(64, |left_out| left_out.contains(&culprit));
            assert_eq!(found, Some(vec![culprit]));
            assert!(tests <= 14, "{tests} tests for {culprit}");
        }
    }

    #[test]
    fn several_culprits_are_found_together() {
        for (a, b) in [(0, 1), (0, 15), (7, 8), (3, 12)] {
            let (found, _) = blame(16, |out| out.contains(&a) && out.contains(&b));
            assert_eq!(found, Some(vec![a, b]));
        }
        let (found, _) = blame(9, |out| [1, 4, 7].iter().all(|one| out.contains(one)));
        assert_eq!(found, Some(vec![1, 4, 7]));
    }

    #[test]
    fn of_two_that_only_fail_together_one_goes() {
        let (found, _) = blame(8, |out| out.contains(&2) || out.contains(&5));
        assert_eq!(found, Some(vec![2]));
    }

    #[test]
    fn what_failed_before_has_no_culprit() {
        assert_eq!(blame(8, |_| false), (None, 1));
        assert_eq!(blame(1, |_| true).0, Some(vec![0]));
        assert_eq!(blame(0, |_| true).0, Some(vec![]));
    }

    #[test]
    fn nothing_is_tested_twice() {
        let all: Vec<usize> = (0..12).collect();
        let mut seen: Vec<Vec<usize>> = Vec::new();
        let found = culprits(&all, |out: &[usize]| {
            assert!(!seen.contains(&out.to_vec()), "{out:?} is tested again");
            seen.push(out.to_vec());
            // Sets that hang together: 4 cannot go without 5.
            Ok::<_, Infallible>(out.contains(&4) && out.contains(&5) && out.contains(&11))
        });
        assert_eq!(found.unwrap(), Some(vec![4, 5, 11]));
    }

    #[test]
    fn a_test_that_cannot_be_made_ends_it() {
        assert_eq!(culprits(&[1, 2], |_| Err::<bool, _>("no disk")), Err("no disk"));
    }
}
