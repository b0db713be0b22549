//! Sets of versions as bits: a version is its place among those of its project.
//!
//! Knows sets and their complements. Must never know what a version is: which
//! of them a specifier allows is decided where sets are made, so that PEP 440
//! is read in one place and nothing is lost in ranges.

use std::fmt;

use pubgrub::VersionSet;

/// Some versions of one project, or all but some.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bits {
    /// The bits are those that are not in the set.
    without: bool,
    /// No zero at the end: equal sets are equal values.
    words: Vec<u64>,
}

impl Bits {
    /// The places of these versions.
    pub fn of(places: impl IntoIterator<Item = usize>) -> Self {
        let mut words = Vec::new();
        for place in places {
            if words.len() <= place / 64 {
                words.resize(place / 64 + 1, 0);
            }
            words[place / 64] |= 1 << (place % 64);
        }
        Self { without: false, words }
    }

    /// Whether a place is in the set.
    pub fn has(&self, place: usize) -> bool {
        let bit = self.words.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1);
        bit != self.without
    }

    fn new(without: bool, mut words: Vec<u64>) -> Self {
        while words.last() == Some(&0) {
            words.pop();
        }
        Self { without, words }
    }

    /// Word by word, the shorter one filled up with zeros.
    fn zip(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Vec<u64> {
        let word = |words: &[u64], i: usize| words.get(i).copied().unwrap_or(0);
        let len = self.words.len().max(other.words.len());
        (0..len).map(|i| f(word(&self.words, i), word(&other.words, i))).collect()
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = (0..self.words.len() * 64).filter(|place| self.has(*place) != self.without);
        let places: Vec<String> = places.map(|place| place.to_string()).collect();
        write!(f, "{}{{{}}}", if self.without { "all but " } else { "" }, places.join(", "))
    }
}

impl VersionSet for Bits {
    type V = u32;

    fn empty() -> Self {
        Self { without: false, words: Vec::new() }
    }

    fn singleton(place: u32) -> Self {
        Self::of([place as usize])
    }

    fn complement(&self) -> Self {
        Self { without: !self.without, words: self.words.clone() }
    }

    fn intersection(&self, other: &Self) -> Self {
        match (self.without, other.without) {
            (false, false) => Self::new(false, self.zip(other, |a, b| a & b)),
            (false, true) => Self::new(false, self.zip(other, |a, b| a & !b)),
            (true, false) => Self::new(false, self.zip(other, |a, b| !a & b)),
            (true, true) => Self::new(true, self.zip(other, |a, b| a | b)),
        }
    }

    fn contains(&self, place: &u32) -> bool {
        self.has(*place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_obey_the_laws_of_sets() {
        let some = [vec![], vec![0], vec![0, 3], vec![3, 70], vec![200]].map(Bits::of);
        let all: Vec<Bits> = some.iter().flat_map(|s| [s.clone(), s.complement()]).collect();
        for a in &all {
            assert_eq!(a.complement().complement(), *a);
            assert_eq!(a.intersection(&a.complement()), Bits::empty());
            assert_eq!(a.union(&a.complement()), Bits::full());
            for b in &all {
                let (both, either) = (a.intersection(b), a.union(b));
                assert_eq!(both, b.intersection(a));
                for place in 0..260 {
                    assert_eq!(both.has(place), a.has(place) && b.has(place), "{a} {b} {place}");
                    assert_eq!(either.has(place), a.has(place) || b.has(place), "{a} {b} {place}");
                }
            }
        }
        assert_eq!(Bits::of([1, 64]).to_string(), "{1, 64}");
        assert_eq!(Bits::of([1]).complement().to_string(), "all but {1}");
    }
}
