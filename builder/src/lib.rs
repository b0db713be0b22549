//! From a package set to wheels, environments and applications.
//!
//! Modules import each other only in the order of this list (tidy holds it):
//! `error` and `event` (leaves anybody may use), `ambient`, `key`, `tree`,
//! `store`, `fetch`, `index`, `exec`, `wheel`, `pep517`, `python`, `plan`,
//! `schedule`, `outputs`, `ops`, `cli`.

pub mod ambient;
pub mod cli;
pub mod error;
pub mod event;
pub mod exec;
pub mod fetch;
pub mod index;
pub mod key;
pub mod ops;
pub mod outputs;
pub mod pep517;
pub mod plan;
pub mod python;
pub mod schedule;
pub mod store;
pub mod tree;
pub mod wheel;
