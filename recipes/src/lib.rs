//! What the user *means*: recipe text -> [`recipe::Recipe`] -> package set.
//!
//! This crate knows the recipe language, layers of recipes, versions,
//! markers and closures. It must never touch the disk, the network, the
//! clock, the environment or a process: everything it needs arrives as text
//! or values, and everything it finds leaves as values. Its manifest, clippy
//! and the tidy test hold that.
//!
//! ```text
//! text -> node (values with spans) -> recipe::Recipe -> book (layers)
//!      -> set (recipes + target) -> closures
//! ```

pub mod base;
pub mod book;
pub mod codes;
pub mod diag;
pub mod edit;
pub mod export;
pub mod format;
pub mod import;
pub mod license;
pub mod marker;
pub mod name;
pub mod node;
pub mod parse;
pub mod rare;
pub mod recipe;
pub mod schema;
pub mod search;
pub mod set;
pub mod solve;
pub mod target;
pub mod update;
pub mod workspace;
