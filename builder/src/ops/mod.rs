//! The verbs: build, env, run, plan, why, add, new, update, outdated, gc.
//!
//! Knows how the modules below compose. Must never know clap, colours or exit
//! codes.

pub mod accept;
pub mod add;
mod beside;
pub mod build;
mod direct_url;
pub mod doctor;
pub mod environments;
pub mod export;
pub mod goals;
pub mod host;
pub mod import;
pub mod judge;
pub mod load;
pub mod logs;
pub mod machines;
mod network;
pub mod new;
pub mod outdated;
pub mod prepare;
pub mod recipes;
pub mod remembered;
pub mod report;
pub mod result;
pub mod run;
pub mod steps;
pub mod update;
pub mod why;
