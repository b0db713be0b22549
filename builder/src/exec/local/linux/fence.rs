//! The landlock rules of one process.
//!
//! Knows landlock. Must never know which paths are good.

use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::spec::Rule;

/// The first version that keeps what the level promises: files (truncation,
/// device ioctls), TCP, and no signal or abstract socket out of the domain.
pub(super) const NEEDED: ABI = ABI::V6;

/// The version of this kernel, 0 when there is none.
pub(super) fn version() -> i64 {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the call takes no memory and only answers a number.
    let answer = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0usize, VERSION)
    };
    answer.max(0)
}

/// The ruleset; everything it does not name is refused.
pub(super) fn prepare(rules: &[Rule]) -> io::Result<RulesetCreated> {
    build(rules).map_err(io::Error::other)
}

fn build(rules: &[Rule]) -> Result<RulesetCreated, landlock::RulesetError> {
    let mut set = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))?
        .handle_access(AccessNet::from_all(NEEDED))?
        .scope(Scope::from_all(NEEDED))?
        .create()?;
    for rule in rules {
        // What is not there cannot be opened: no rule is the right rule.
        let (Ok(fd), Ok(meta)) = (PathFd::new(&rule.path), std::fs::metadata(&rule.path)) else { continue };
        let all = if rule.write { AccessFs::from_all(NEEDED) } else { AccessFs::from_read(NEEDED) };
        let access = if meta.is_dir() { all } else { all & AccessFs::from_file(NEEDED) };
        set = set.add_rule(PathBeneath::new(fd, access))?;
    }
    Ok(set)
}

/// Confines this thread and what it executes.
pub(super) fn enter(set: &RulesetCreated) -> io::Result<()> {
    let status = set.try_clone()?.restrict_self().map_err(io::Error::other)?;
    if status.ruleset != RulesetStatus::FullyEnforced {
        return Err(io::Error::other("landlock is not fully enforced"));
    }
    Ok(())
}
