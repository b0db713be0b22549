//! End to end: the real binary against a fake index and toy backends.
//!
//! `world` is the machine a test runs on, `project` what it builds, `index`
//! where that comes from; every other module is a theme.

mod adding;
mod building;
mod determinism;
mod durable;
mod examples;
mod export;
mod harness;
mod import;
mod index;
mod inspecting;
mod locked;
#[cfg(target_os = "linux")]
mod memory;
mod messages;
mod moving;
mod new;
mod newcomer;
mod nixpkgs;
mod output;
mod policy;
mod project;
mod real;
mod remembered;
#[path = "../support/server.rs"]
mod server;
mod stopping;
mod updating;
mod wanted;
mod warm;
mod world;
