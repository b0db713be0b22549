//! Newer versions of recipes: which, what of their text changes, and which of
//! several is to blame when what was good fails.
//!
//! Knows recipes, what upstream says of two of its versions, and how a set
//! holds together. Must never know where versions come from, nor build.

mod blame;
mod choose;
mod demands;
mod merge;

pub use blame::culprits;
pub use choose::{Choice, Held, Outcome, Scene, Slot, Upstream, choose};
pub use merge::{Change, Kept, Merged, merge};
