//! The flags of `update`.
//!
//! Knows spelling and help. Must never know what a version is.

use clap::Args;

/// `update`.
#[derive(Clone, Debug, Args)]
pub struct UpdateArgs {
    /// Names of recipes, or `NAME==VERSION` for exactly that.
    pub names: Vec<String>,
    /// Every recipe of the workspace.
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// Stay within the major version.
    #[arg(long)]
    pub minor: bool,
    /// Stay within the major and minor version.
    #[arg(long, conflicts_with = "minor")]
    pub patch: bool,
    /// Take nothing that was uploaded less than so long ago: 7d, 2w, 12h.
    #[arg(long, value_name = "AGE")]
    pub cooldown: Option<String>,
    /// Take nothing that was uploaded later: 2026-01-31, or
    /// 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "DATE")]
    pub exclude_newer: Option<String>,
    /// Say what would be done, and write nothing.
    #[arg(long, conflicts_with_all = ["check", "commit"])]
    pub dry_run: bool,
    /// Build what changes and what uses it; what breaks it is taken back.
    #[arg(long)]
    pub check: bool,
    /// Make one git commit of each recipe that changes.
    #[arg(long)]
    pub commit: bool,
}
