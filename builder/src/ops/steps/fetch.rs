//! `fetch`: promised bytes into the store.
//!
//! Knows the store's memory of names and the fetcher. Must never unpack an
//! sdist; trees (git, `unpack = true`) are kept as trees because their hash
//! is the tree's.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use recipes::diag::Place;
use recipes::name::{PackageName, Sha256};
use recipes::recipe::{Format, Origin, Promise, Recipe, Source};

use super::failure::{broken, failure, foreign};
use super::{Mismatch, Steps};
use crate::error::Kind;
use crate::event::Failure;
use crate::fetch::{FetchError, FetchSpec, Fetched, FetchedFile, PypiFile, WantFile, Watch, What};
use crate::key::Digest;
use crate::ops::run::{Talk, Worked};
use crate::plan::Step;
use crate::store::BlobName;
use crate::store::realisation::{Output, Realisation};
use crate::tree::unpack::{self, UnpackLimits};

type Failed = Box<Failure>;

/// Bytes of a download are told this often.
const BETWEEN: Duration = Duration::from_millis(250);

/// Fetches the source of a step's recipe, unless the store has it by hash.
pub fn fetch(steps: &Steps, step: &Step, talk: Talk<'_>) -> Worked {
    let start = Instant::now();
    let (recipe, source) = (steps.recipe(step), steps.source_of(step));
    let is_tree = matches!(source.origin, Origin::Git { .. } | Origin::Url { unpack: true, .. });
    let mut stale = None;
    if !is_tree && let Promise::Hash(hash) = source.promise {
        match in_store(steps, recipe, source, hash)? {
            Found::Own(realisation) => return Ok(*realisation),
            Found::Nothing => {}
            // The address decides: it may well have these bytes (one archive
            // of two packages), else what it has is what should be promised.
            Found::Other(told) => stale = Some(told),
        }
    }
    let spec = spec(steps, recipe, source, is_tree);
    let temp = steps.machines.store.temp_dir().map_err(broken)?;
    let told = Mutex::new(None);
    let bytes = |done, total| {
        let mut told = told.lock().expect("no holder of this lock panics");
        if is_time(&mut told, Instant::now()) {
            (talk.bytes)(done, total);
        }
    };
    let watch = Watch { bytes: &bytes, stop: steps.machines.stop_flag() };
    let fetcher = steps.machines.fetcher().map_err(broken)?;
    let fetched = match fetcher.fetch(&spec, temp.path(), watch) {
        Ok(fetched) => fetched,
        Err(error) => return Err(with_stale(fetch_failure(steps, step, error), stale)),
    };
    match fetched {
        Fetched::File(file) if is_tree => {
            notes(&file, talk.note);
            unpacked(steps, step, &file, start)
        }
        Fetched::File(file) => {
            notes(&file, talk.note);
            let (name, got, from) = (file.name.clone(), file.sha256, file.from.clone());
            keep(steps, (recipe, source), &file)?;
            if source.promise == Promise::Ask {
                return Err(asked(steps, step, got, &from));
            }
            let output = Output::Blob { digest: Digest(got.0), name };
            Ok(realisation(steps, output, None, (&from, start.elapsed())))
        }
        Fetched::Checkout(checkout) => {
            let nar = crate::tree::nar::hash(checkout.folder.path()).map_err(broken)?;
            promised_tree(steps, step, Sha256(nar.0), &checkout.from)?;
            let digest = steps.machines.store.add_tree(checkout.folder.path()).map_err(broken)?;
            let mut made = realisation(
                steps,
                Output::Tree(digest),
                Some(checkout.time),
                (&checkout.from, start.elapsed()),
            );
            made.facts = serde_json::json!({ "from": checkout.from, "commit": checkout.commit }).to_string();
            Ok(made)
        }
    }
}

/// Whether a watcher wants to hear of bytes again: a few times a second, and
/// never of a download that is over before anybody could read it.
fn is_time(told: &mut Option<Instant>, now: Instant) -> bool {
    let last = *told.get_or_insert(now);
    let due = now.duration_since(last) >= BETWEEN;
    if due {
        *told = Some(now);
    }
    due
}

fn notes(file: &FetchedFile, say: &dyn Fn(String)) {
    for note in &file.notes {
        say(format!("{}: {note}", file.name));
    }
}

fn realisation(
    steps: &Steps,
    output: Output,
    epoch: Option<u64>,
    (from, took): (&str, Duration),
) -> Realisation {
    Realisation {
        output,
        module: None,
        log: None,
        level: steps.machines.level,
        epoch,
        took,
        facts: serde_json::json!({ "from": from }).to_string(),
    }
}

/// The project whose file it is: the index's name where there is one.
fn project(recipe: &Recipe, source: &Source) -> String {
    match &source.origin {
        Origin::Pypi { project, .. } => {
            project.parse::<PackageName>().map_or_else(|_| project.clone(), |n| n.to_string())
        }
        _ => recipe.pname.to_string(),
    }
}

/// What the store has under a promised hash.
enum Found {
    Nothing,
    Own(Box<Realisation>),
    /// Bytes fetched only for another name or version: the failure to tell.
    Other(Failed),
}

/// A mismatch says so when the promised hash is that of something else.
fn with_stale(mut told: Failed, stale: Option<Failed>) -> Failed {
    match stale {
        Some(stale) if told.group == "hash-mismatch" => {
            told.group = stale.group;
            told.message = stale.message;
            told
        }
        Some(stale) => {
            let mut stale = stale;
            stale.causes.append(&mut told.causes);
            stale
        }
        None => told,
    }
}

/// A blob with the promised hash, if the store has one. One that was fetched
/// only for another name or version is a stale hash: somebody bumped
/// `version` and left `hash`.
fn in_store(steps: &Steps, recipe: &Recipe, source: &Source, hash: Sha256) -> Result<Found, Failed> {
    let store = &steps.machines.store;
    let digest = Digest(hash.0);
    if !store.has_blob(&digest).map_err(broken)? {
        return Ok(Found::Nothing);
    }
    let names = store.blob_named(&digest).map_err(broken)?;
    let (project, version) = (project(recipe, source), recipe.version.to_string());
    let Some(own) = names.iter().find(|n| n.project == project && n.version == version) else {
        let Some(other) = names.first() else { return Ok(Found::Nothing) };
        let mut stale = failure(
            "stale-hash",
            format!(
                "stale hash: {hash} is that of `{}` ({} {}), not of {project} {version}",
                other.file_name, other.project, other.version
            ),
        );
        stale.kind = Kind::Hash;
        let (line, column) = source.hash_place.line_col();
        stale.causes.push(format!("specified in {}:{line}:{column}", source.hash_place.file.path));
        stale.hints.push("write `hash = \"\"` to be told the new one, or use --accept-hash".to_owned());
        return Ok(Found::Other(stale));
    };
    let output = Output::Blob { digest, name: own.file_name.clone() };
    Ok(Found::Own(Box::new(realisation(steps, output, None, ("the store", Duration::ZERO)))))
}

fn spec(steps: &Steps, recipe: &Recipe, source: &Source, is_tree: bool) -> FetchSpec {
    let what = match &source.origin {
        Origin::Pypi { project, file, index } => What::Pypi(PypiFile {
            project: project.parse().unwrap_or_else(|_| recipe.pname.clone()),
            version: recipe.version.clone(),
            file: file.clone(),
            index: index.clone(),
            want: match recipe.format {
                Format::Wheel => WantFile::Wheel(steps.set.target().tags.clone()),
                Format::Pyproject | Format::Other => WantFile::Sdist,
            },
        }),
        Origin::Url { urls, .. } => What::Url { urls: urls.clone() },
        Origin::Git { url, rev, submodules } => {
            What::Git { url: url.clone(), rev: rev.clone(), submodules: *submodules }
        }
        Origin::Path { .. } => What::Url { urls: Vec::new() },
    };
    let expected = match source.promise {
        Promise::Hash(hash) if !is_tree => Some(hash),
        _ => None,
    };
    FetchSpec::new(what, expected)
}

fn keep(steps: &Steps, (recipe, source): (&Recipe, &Source), file: &FetchedFile) -> Result<(), Failed> {
    let store = &steps.machines.store;
    let digest = store.add_blob_file(&file.path).map_err(broken)?;
    let name = BlobName {
        project: project(recipe, source),
        version: recipe.version.to_string(),
        file_name: file.name.clone(),
    };
    store.remember_blob(&digest, &name).map_err(broken)
}

/// `unpack = true`: the hash is that of the tree.
fn unpacked(steps: &Steps, step: &Step, file: &FetchedFile, start: Instant) -> Worked {
    let temp = steps.machines.store.temp_dir().map_err(broken)?;
    let into = super::source::empty_folder(temp.path())?;
    let done = unpack::unpack(&file.path, &file.name, &into, &UnpackLimits::default())
        .map_err(|e| foreign("unpack", e))?;
    let root = match &done.top {
        Some(top) => into.join(top),
        None => into,
    };
    let nar = crate::tree::nar::hash(&root).map_err(broken)?;
    promised_tree(steps, step, Sha256(nar.0), &file.from)?;
    let digest = steps.machines.store.add_tree(&root).map_err(broken)?;
    Ok(realisation(steps, Output::Tree(digest), done.newest_mtime, (&file.from, start.elapsed())))
}

/// Holds a tree's NAR hash against what the recipe promised.
fn promised_tree(steps: &Steps, step: &Step, got: Sha256, from: &str) -> Result<(), Failed> {
    match steps.source_of(step).promise {
        Promise::Hash(hash) if hash == got => Ok(()),
        Promise::Hash(hash) => Err(mismatch(steps, &steps.source_of(step).hash_place, hash, (got, from))),
        Promise::Ask | Promise::Local => Err(asked(steps, step, got, from)),
    }
}

/// `hash = ""`: the answer is the line to paste, and a failure, because
/// nothing was promised.
fn asked(steps: &Steps, step: &Step, got: Sha256, from: &str) -> Failed {
    let place = &steps.source_of(step).hash_place;
    note_mismatch(steps, place, got);
    let mut told = failure("hash-asked", format!("no hash is promised; `{from}` has {got}"));
    told.kind = Kind::Hash;
    let (line, column) = place.line_col();
    told.causes.push(format!("asked for in {}:{line}:{column}", place.file.path));
    told.hints.push(format!("write `hash = \"{got}\"` there, or use --accept-hash"));
    told
}

/// Bytes that are not what was promised at this place of a recipe.
pub fn mismatch(steps: &Steps, place: &Place, specified: Sha256, (got, from): (Sha256, &str)) -> Failed {
    note_mismatch(steps, place, got);
    let (line, column) = place.line_col();
    let mut told = failure("hash-mismatch", "hash mismatch");
    told.kind = Kind::Hash;
    told.causes = vec![
        format!("specified: {specified} ({}:{line}:{column})", place.file.path),
        format!("got:       {got}"),
        format!("from:      {from}"),
    ];
    told.hints.push("if the new bytes are right, --accept-hash writes their hash".to_owned());
    told
}

fn note_mismatch(steps: &Steps, place: &Place, got: Sha256) {
    let mut all = steps.mismatches.lock().expect("no holder of this lock panics");
    all.push(Mismatch { place: place.clone(), got });
}

/// What is missing can only come from the network.
pub fn offline(what: &str) -> Failed {
    let mut told = failure("offline", format!("`{what}` is not in the store, and this run is offline"));
    told.kind = Kind::Environment;
    told.hints.push("run once without --offline to fill the store".to_owned());
    told
}

fn fetch_failure(steps: &Steps, step: &Step, error: FetchError) -> Failed {
    match error {
        FetchError::Mismatch(m) => {
            // The bytes are kept: --accept-hash needs no second download.
            let source = steps.source_of(step);
            if let Err(failed) = keep(steps, (steps.recipe(step), source), &m.got) {
                return failed;
            }
            mismatch(steps, &source.hash_place, m.specified, (m.got.sha256, &m.got.from))
        }
        FetchError::Offline { what } => offline(&what),
        FetchError::Stopped => failure("stopped", "the run was stopped"),
        FetchError::Failed(error) => {
            let mut told = Failure::from(error);
            told.group = "fetch".to_owned();
            Box::new(told)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_a_few_times_a_second() {
        let start = Instant::now();
        let mut told = None;
        let times = [0u64, 1, 249, 250, 251, 499, 500, 5000];
        let heard = times.iter().filter(|ms| is_time(&mut told, start + Duration::from_millis(**ms)));
        assert_eq!(heard.collect::<Vec<_>>(), [&250, &500, &5000]);
    }
}
