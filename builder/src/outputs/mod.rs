//! Environments, applications and result folders.
//!
//! Knows PEP 405 layout, launchers and links into the store. Must never know
//! scheduling or the user's working folder.

pub mod app;
pub mod copies;
pub mod env;
pub mod launcher;
mod merge;
pub mod modules;
pub mod result;
#[cfg(test)]
mod tests;
pub mod wire;
mod writing;
