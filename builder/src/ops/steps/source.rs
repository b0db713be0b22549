//! `source`: unpack, patch, source phases.
//!
//! Knows archives, patches and the phases before a build. Must never know
//! what the source is built into.

use std::path::Path;
use std::time::{Duration, Instant};

use recipes::recipe::{Origin, Patch};

use super::Steps;
use super::failure::{broken, exit_sentence, failure, foreign, with_result};
use super::fetch::{mismatch, offline};
use crate::error::IoContext as _;
use crate::event::Failure;
use crate::exec::Executor as _;
use crate::exec::action::{Action, Exit, Limits};
use crate::fetch::auth::shown_text;
use crate::fetch::{FetchError, FetchSpec, Fetched, Url, Watch, What, file_name};
use crate::key::{Digest, TreeDigest};
use crate::ops::run::Worked;
use crate::pep517::answer::failed_phase;
use crate::pep517::phases::{PhaseSpec, Subject, after_patches, before_patches};
use crate::plan::Step;
use crate::store::realisation::{Output, Realisation};
use crate::tree::fs::{Copying, copy_tree};
use crate::tree::patch;
use crate::tree::unpack::{self, UnpackLimits};

type Failed = Box<Failure>;

/// 1980-01-01: the oldest time a zip can hold.
pub const OLDEST: u64 = 315_532_800;

/// Bytes of an unpacked archive that a worker may hold: most sdists have less.
const IN_MEMORY: u64 = 16 << 20;

/// Makes the source tree of a step's recipe.
pub fn source(steps: &Steps, step: &Step, inputs: &[&Realisation]) -> Worked {
    let start = Instant::now();
    let source = steps.source_of(step);
    let (mut tree, found) = unpacked(steps, step, inputs)?;
    let epoch = source.epoch.unwrap_or(found).max(OLDEST);
    let mut log = Vec::new();
    let spec = phase_spec(steps, step, (tree, epoch));
    if let Some(action) = before_patches(&spec) {
        tree = phase(steps, step, (&action, &mut log))?;
    }
    if !source.patches.is_empty() {
        tree = patched(steps, step, tree)?;
    }
    if let Some(action) = after_patches(&PhaseSpec { source: tree, ..spec }) {
        tree = phase(steps, step, (&action, &mut log))?;
    }
    let store = &steps.machines.store;
    let log = if log.is_empty() { None } else { Some(store.add_blob_bytes(&log).map_err(broken)?) };
    Ok(Realisation {
        output: Output::Tree(tree),
        module: None,
        log,
        level: steps.machines.level,
        epoch: Some(epoch),
        took: start.elapsed(),
        facts: "{}".to_owned(),
    })
}

/// The unpacked tree and the time found in it.
fn unpacked(steps: &Steps, step: &Step, inputs: &[&Realisation]) -> Result<(TreeDigest, u64), Failed> {
    let store = &steps.machines.store;
    let Some(fetched) = inputs.first() else {
        let tree = steps.local.trees.get(&step.recipe.0).expect("path sources are stored before the plan");
        return Ok((*tree, OLDEST));
    };
    match &fetched.output {
        Output::Tree(tree) => Ok((*tree, fetched.epoch.unwrap_or(OLDEST))),
        Output::Blob { digest, name } => {
            let (archive, limits) = (store.blob_path(digest), UnpackLimits::default());
            if let Some(held) = unpack::hold(&archive, &limits, IN_MEMORY) {
                let tree = store.add_held(&held).map_err(broken)?;
                return Ok((tree, held.unpacked.newest_mtime.unwrap_or(OLDEST)));
            }
            let temp = store.temp_dir().map_err(broken)?;
            let into = empty_folder(temp.path())?;
            let done = unpack::unpack(&archive, name, &into, &limits).map_err(|e| foreign("unpack", e))?;
            let top = done.top.as_deref().map_or_else(|| into.clone(), |top| into.join(top));
            let tree = store.add_tree(&top).map_err(broken)?;
            Ok((tree, done.newest_mtime.unwrap_or(OLDEST)))
        }
        Output::Passed => unreachable!("a fetch gives bytes"),
    }
}

/// A new folder to unpack into.
pub fn empty_folder(parent: &Path) -> Result<std::path::PathBuf, Failed> {
    let into = parent.join("unpacked");
    let doing = || format!("failed to make `{}`", into.display());
    std::fs::create_dir(&into).doing(doing).map_err(broken)?;
    Ok(into)
}

fn phase_spec(steps: &Steps, step: &Step, (source, epoch): (TreeDigest, u64)) -> PhaseSpec {
    let recipe = steps.recipe(step);
    PhaseSpec {
        label: format!("source phases of {}", step.package),
        subject: Subject { pname: recipe.pname_text.clone(), version: recipe.version.to_string(), cores: 1 },
        source,
        epoch,
        phases: recipe.phases.clone(),
        inputs: std::collections::BTreeMap::new(),
        // No interpreter: a source is one for all of them, and so is its key.
        host_paths: Vec::new(),
        compiler: false,
        level: steps.machines.level,
        limits: Limits { timeout: Duration::from_secs(1800), ..Limits::default() },
    }
}

/// Runs source phases and keeps what they left, and the log of all of them.
fn phase(steps: &Steps, step: &Step, (action, log): (&Action, &mut Vec<u8>)) -> Result<TreeDigest, Failed> {
    let machines = steps.machines;
    let result = machines.executor().map_err(broken)?.execute(action, &machines.stop).map_err(broken)?;
    log.extend_from_slice(&result.log);
    let kept = machines.store.add_blob_bytes(log).map_err(broken)?;
    machines.store.keep_log(&step.package, (step.kind, &step.key), &kept).map_err(broken)?;
    if result.exit != Exit::Code(0) || !result.missing.is_empty() {
        let what = failed_phase(&result).unwrap_or_else(|| exit_sentence(result.exit));
        let told = failure("phase", format!("the phase `{what}` failed"));
        return Err(with_result(told, &result));
    }
    machines.store.add_tree(&result.outputs.path().join("src")).map_err(broken)
}

/// Applies the patches in order to a copy.
fn patched(steps: &Steps, step: &Step, tree: TreeDigest) -> Result<TreeDigest, Failed> {
    let store = &steps.machines.store;
    let temp = store.temp_dir().map_err(broken)?;
    let root = temp.path().join("patched");
    copy_tree(&store.tree_path(&tree), &root, Copying::Writable, None).map_err(broken)?;
    for one in &steps.source_of(step).patches {
        let (name, text) = patch_text(steps, step, (one, temp.path()))?;
        patch::apply(&root, &name, &text).map_err(|e| {
            let machine = e.machine;
            let mut told = foreign("patch", e);
            if machine {
                return told;
            }
            told.hints.push("refresh the patch for this version, or take it out of `patches`".to_owned());
            told
        })?;
    }
    store.add_tree(&root).map_err(broken)
}

fn patch_text(steps: &Steps, step: &Step, (one, temp): (&Patch, &Path)) -> Result<(String, Vec<u8>), Failed> {
    match one {
        Patch::File(name, base) => {
            let path = steps.loaded.folder_of(base).join(name);
            let text = std::fs::read(&path)
                .map_err(|e| failure("patch", format!("failed to read `{name}`: {e}")))?;
            // The key holds what the file was when the plan was made.
            let planned = steps.local.patches.get(&(step.recipe.0, name.clone()));
            if planned != Some(&Digest::of(&text)) {
                let mut changed = failure("patch", format!("the patch `{name}` changed while it was read"));
                changed.hints.push("let the other program finish, and run again".to_owned());
                return Err(changed);
            }
            Ok((name.clone(), text))
        }
        Patch::Url { url, hash, place } => {
            let digest = Digest(hash.0);
            let store = &steps.machines.store;
            if !store.has_blob(&digest).map_err(broken)? {
                let spec = FetchSpec::new(What::Url { urls: vec![url.clone()] }, Some(*hash));
                let fetcher = steps.machines.fetcher().map_err(broken)?;
                let watch = Watch { bytes: &|_, _| {}, stop: steps.machines.stop_flag() };
                match fetcher.fetch(&spec, temp, watch) {
                    Ok(Fetched::File(file)) => store.add_blob_file(&file.path).map_err(broken)?,
                    Ok(Fetched::Checkout(_)) => unreachable!("an address gives a file"),
                    Err(FetchError::Mismatch(m)) => {
                        // Kept: --accept-hash needs no second download.
                        store.add_blob_file(&m.got.path).map_err(broken)?;
                        return Err(mismatch(steps, place, *hash, (m.got.sha256, &m.got.from)));
                    }
                    Err(FetchError::Offline { what }) => return Err(offline(&what)),
                    Err(error) => return Err(broken(error.into_error())),
                };
            }
            let text = std::fs::read(store.blob_path(&digest))
                .map_err(|e| failure("patch", format!("failed to read the patch: {e}")))?;
            Ok((Url::parse(url).map_or_else(|_| shown_text(url), |url| file_name(&url)), text))
        }
    }
}

/// Whether the version is told to backends that would ask a VCS.
pub fn pretends_version(origin: &Origin) -> bool {
    matches!(origin, Origin::Git { .. } | Origin::Path { .. })
}
