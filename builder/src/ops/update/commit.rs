//! A commit for each bump.
//!
//! Knows which files are a bump's, and what its message says. Must never take
//! anything else into a commit.

use std::fmt::Write as _;
use std::path::Path;

use super::{Bump, Desk, Proposal};
use crate::ambient::Ambient;
use crate::error::{Error, Result, count};
use crate::fetch::OwnRepository;

/// The repository of the recipes.
pub struct Repository(OwnRepository);

/// Finds the repository that commits go to, before anything is written: each
/// recipe that changes must be committed as it is.
pub fn repository(ambient: &Ambient, proposal: &Proposal) -> Result<Repository> {
    let own = OwnRepository::around(ambient, &ambient.cwd)?;
    let files: Vec<&Path> = proposal.bumps.iter().map(|bump| bump.path.0.as_path()).collect();
    let unclean = own.unclean(&files)?;
    if unclean.is_empty() {
        return Ok(Repository(own));
    }
    let mut error =
        Error::input(format!("{} with changes that are not committed", count(unclean.len(), "recipe")));
    error.causes = unclean
        .iter()
        .map(|path| format!("`{}`", path.strip_prefix(&ambient.cwd).unwrap_or(path).display()))
        .collect();
    Err(error.hint("commit them first, or leave --commit out"))
}

/// Commits what was made, one bump after the other.
pub fn commit(repository: &Repository, proposal: &Proposal, desk: &Desk) -> Result<Vec<String>> {
    let mut told = Vec::new();
    let mut done = vec![false; proposal.new.len()];
    let made = desk.made();
    for (i, bump) in proposal.bumps.iter().enumerate().filter(|(i, _)| made.contains(i)) {
        let mut files = vec![bump.path.0.as_path()];
        if bump.path.1 != bump.path.0 {
            files.push(&bump.path.1);
        }
        let mut labels = Vec::new();
        for (at, new) in proposal.new.iter().enumerate() {
            if desk.is_written(at) && !done[at] && new.needed_by.contains(&i) {
                done[at] = true;
                files.push(&new.path);
                labels.push(new.label.as_str());
            }
        }
        let message = message(bump, &labels);
        let subject = message.lines().next().unwrap_or_default().to_owned();
        repository.0.commit(&files, &message).map_err(|e| {
            e.within(format!("failed to commit {subject}"))
                .hint("the recipes are written: commit what is left by hand")
        })?;
        told.push(subject);
    }
    Ok(told)
}

/// `urllib3: 1.26.20 -> 2.2.3`, and what there is to know.
fn message(bump: &Bump, new: &[&str]) -> String {
    let mut out = format!("{}: {} -> {}\n\n", bump.pname, bump.old, bump.new);
    for change in bump.changes.iter().filter(|change| !change.field.starts_with("meta.")) {
        let _ = writeln!(out, "{}:", change.field);
        for (sign, items) in [('-', &change.old), ('+', &change.new)] {
            items.iter().for_each(|item| out += &format!("{sign} {item}\n"));
        }
    }
    if bump.license.0 != bump.license.1 {
        let said = |license: &Option<String>| license.clone().unwrap_or_else(|| "unknown".to_owned());
        let _ = writeln!(out, "license: {} -> {}", said(&bump.license.0), said(&bump.license.1));
    }
    if let Some(changelog) = &bump.changelog {
        let _ = writeln!(out, "changelog: {changelog}");
    }
    if !new.is_empty() {
        let _ = writeln!(out, "new recipes: {}", new.join(", "));
    }
    if !bump.rebuilds.is_empty() {
        let _ = writeln!(out, "rebuilds {}: {}", bump.rebuilds.len(), bump.rebuilds.join(", "));
    }
    out.trim_end().to_owned() + "\n"
}
