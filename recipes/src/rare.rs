//! Tables that most recipes do not have.
//!
//! Knows how a value takes no room where it says nothing. Must never know a
//! field of the recipe language.

use std::fmt;
use std::ops::Deref;

/// What a table says that is not there.
pub trait Plain: Sized + 'static {
    /// It, there once for all recipes.
    const PLAIN: &'static Self;
}

/// A table that most recipes do not have: read like one that says nothing
/// then. A set of thousands of recipes keeps each of them.
#[derive(Clone)]
pub struct Rare<T>(Option<Box<T>>);

impl<T> From<Option<T>> for Rare<T> {
    fn from(table: Option<T>) -> Self {
        Self(table.map(Box::new))
    }
}

impl<T: Plain> Deref for Rare<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::PLAIN)
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for Rare<T> {
    /// As the table itself: whether it is there tells nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Plain, Rare};

    impl Plain for u8 {
        const PLAIN: &'static Self = &7;
    }

    #[test]
    fn what_is_not_there_says_what_is_plain_and_takes_no_room() {
        let read = |table: Option<u8>| *Rare::from(table);
        assert_eq!([read(None), read(Some(1))], [7, 1]);
        assert_eq!(format!("{:?}", [Rare::<u8>::from(None), Rare::from(Some(1))]), "[7, 1]");
        assert_eq!(size_of::<Rare<[u64; 99]>>(), size_of::<usize>());
    }
}
