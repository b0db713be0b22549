//! The flags of verbs that look into the set: `why-depends`, `outdated`, `licenses`, `search`.
//!
//! Knows spelling and help. Must never know what a verb does.

use clap::Args;

use super::GoalArgs;

/// `why-depends`.
#[derive(Clone, Debug, Args)]
pub struct WhyDependsArgs {
    /// Who needs it: a package name, `NAME[EXTRA]`, a recipe file or a folder.
    pub package: String,
    /// What is needed: a package name, or `NAME==VERSION`.
    pub dependency: String,
    /// Go through what packages are built with, too.
    #[arg(long)]
    pub build: bool,
    /// Every shortest chain instead of one.
    #[arg(long)]
    pub all: bool,
}

/// `outdated`.
#[derive(Clone, Debug, Args)]
pub struct OutdatedArgs {
    /// Names of recipes, or `NAME==VERSION` [default: all of the workspace].
    pub names: Vec<String>,
    /// The recipes of the base set, too.
    #[arg(long)]
    pub base: bool,
    /// Look at nothing that was uploaded later: 2026-01-31, or
    /// 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "DATE")]
    pub exclude_newer: Option<String>,
    /// Exit with 1 when a recipe is outdated.
    #[arg(long)]
    pub exit_code: bool,
}

/// `licenses`.
#[derive(Clone, Debug, Args)]
pub struct LicensesArgs {
    /// What.
    #[command(flatten)]
    pub goals: GoalArgs,
    /// Licenses that may be used, and no others (SPDX, `BSD-*`, `unknown`).
    #[arg(long, value_name = "EXPR", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Licenses that may not be used.
    #[arg(long, value_name = "EXPR", value_delimiter = ',')]
    pub deny: Vec<String>,
}

/// `search`.
#[derive(Clone, Debug, Args)]
pub struct SearchArgs {
    /// Each must be in the name or the description.
    #[arg(required = true)]
    pub words: Vec<String>,
}
