//! Lock files and lists of requirements, read and made recipes as `add` does.
//!
//! Knows which files such a file includes, and what is told of the recipes.
//! Must never choose a version.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use recipes::diag::{Place, SourceFile};
use recipes::import::Converted;
use recipes::import::lock::{self, Files, Format, pinned, requirements};
use recipes::import::nix::joined;

use super::{MOST_FILES, Recipe, Report, Request, State, read, way};
use crate::ambient::Ambient;
use crate::error::Result;
use crate::ops::add::{Lock, New, Solved, Solving, solve};

/// Adds what a file asks for, with those that it includes.
pub(super) fn read_file(cwd: &Path, (path, format): (&Path, Format), lock: &mut Lock) -> Result<()> {
    let mut files = Files::new();
    let first = way(cwd, path);
    let mut wanted = vec![first.clone()];
    while let Some(key) = wanted.pop() {
        if files.contains_key(&key) || files.len() >= MOST_FILES {
            continue;
        }
        let text = read(&cwd.join(&key), &key)?;
        if format == Format::Requirements {
            let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
            let named = requirements::references(&text).into_iter().map(|file| joined(folder, &file));
            wanted.extend(named.filter(|file| cwd.join(file).is_file()));
        }
        files.insert(key.clone(), Arc::new(SourceFile { path: key, text }));
    }
    lock.said = if lock.said.is_empty() { format!("`{first}`") } else { format!("{}, `{first}`", lock.said) };
    lock.locked.extend(lock::read(format, &files, &first));
    Ok(())
}

/// Makes the recipes; nothing is written where anything is wrong.
pub(super) fn write(
    ambient: &Ambient,
    request: &Request,
    (into, lock): (&Path, &Lock),
    report: &mut Report,
) -> Result<()> {
    let solving = Solving {
        requirements: Vec::new(),
        lock: lock.clone(),
        dir: Some(into.to_owned()),
        force: request.force,
        dry_run: request.dry_run,
        application: false,
        exclude_newer: None,
        forms: Vec::new(),
        settings: request.settings.clone(),
    };
    let added = match solve(ambient, &solving)? {
        Solved::Findings(findings) => {
            report.findings.extend(findings);
            return Ok(());
        }
        Solved::Done(added) => added,
    };
    report.kept = added.had;
    report.notes.extend(added.notes);
    for new in added.new {
        report.notes.extend(new.added.notes.iter().map(|note| format!("{}: {note}", new.label)));
        let state = if new.replaces { State::Replaced } else { State::Written };
        let outcome = Ok((new.added.path.clone(), state));
        report.recipes.push(Recipe { converted: converted(lock, new), outcome });
    }
    Ok(())
}

fn converted(lock: &Lock, new: New) -> Converted {
    let (name, version) = new.named;
    let wanted = &lock.locked.wanted;
    let own = wanted.iter().filter(|w| *w.requirement.name() == name);
    let own = own.clone().find(|w| pinned(&w.requirement).as_ref() == Some(&version)).or(own.clone().next());
    // What only others need stands nowhere in the file.
    let place = own.map(|w| w.place.clone()).unwrap_or_else(|| Place {
        file: Arc::new(SourceFile { path: lock.said.replace('`', ""), text: String::new() }),
        span: 0..0,
    });
    Converted {
        pname: name.to_string(),
        version: version.to_string(),
        text: new.text,
        place,
        attributes: BTreeSet::new(),
        carried: BTreeSet::new(),
        todos: Vec::new(),
        problems: Vec::new(),
    }
}
