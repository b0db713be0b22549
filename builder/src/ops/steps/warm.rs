//! Which modules a fork server loads for a build.
//!
//! Knows what the store remembers of an environment. Must never decide what
//! comes of a build.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::Steps;
use crate::exec::Executor as _;
use crate::key::TreeDigest;
use crate::pep517::{BuildSpec, Preload, backend_for, read_sample, sample_action};

/// Bytes of a pyproject.toml that are read: a longer one is built cold.
const LONGEST: u64 = 1 << 20;
/// What the lists are remembered as; another one when they are made in another way.
const NAMESPACE: &str = "preload 5";

/// The lists of this run, by environment and backend.
#[derive(Default)]
pub struct Preloads(Mutex<HashMap<Backend, Arc<Mutex<Seen>>>>);

/// An environment's name, and the module of a backend in it.
type Backend = (String, String);

#[derive(Default)]
struct Seen {
    builds: u32,
    preload: Option<Preload>,
}

/// What a server has loaded that may run this build; None for a cold one.
///
/// The list of an environment is made when a second build needs it, with a
/// small project of ours: only then it pays. Without it nobody knows whether the
/// backend may be imported where no source is.
pub fn preload(steps: &Steps, spec: &BuildSpec, source: &TreeDigest, env: &Path) -> Option<Preload> {
    if steps.machines.settings.no_warm {
        return None;
    }
    let file = steps.machines.store.tree_path(source).join("pyproject.toml");
    let text = match file.symlink_metadata() {
        Ok(meta) if meta.is_file() && meta.len() <= LONGEST => Some(std::fs::read_to_string(&file).ok()?),
        Ok(_) => return None,
        Err(_) => None,
    };
    let backend = backend_for(spec, text.as_deref())?;
    let env = env.file_name()?.to_str()?.to_owned();
    let seen = {
        let mut all = steps.preloads.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry((env.clone(), backend.clone())).or_default())
    };
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.builds += 1;
    if seen.preload.is_none() {
        seen.preload = recall(steps, &env, &backend);
    }
    if seen.preload.is_none() && seen.builds == 2 {
        seen.preload = sample(steps, spec, &env, &backend);
    }
    let preload = seen.preload.clone().filter(Preload::serves)?;
    let tree = steps.machines.store.tree_path(source);
    let has = |name: &String| tree.join(name).symlink_metadata().is_ok();
    (!preload.absent.iter().any(has)).then_some(preload)
}

/// What a server of this environment will have loaded, if one build of it was
/// seen before: before its source is here, that is all there is to go by.
pub fn expected(steps: &Steps, spec: &BuildSpec, env: &Path) -> Option<Preload> {
    if steps.machines.settings.no_warm {
        return None;
    }
    let env = env.file_name()?.to_str()?;
    let backend = steps.machines.store.recall(NAMESPACE, env).ok()??;
    // A source may name another backend; then this server waits for one that does not.
    backend_for(spec, Some(&format!("[build-system]\nbuild-backend = \"{backend}\"")))?;
    recall(steps, env, &backend).filter(Preload::serves)
}

fn recall(steps: &Steps, env: &str, backend: &str) -> Option<Preload> {
    // One that cannot be read is made again.
    let text = steps.machines.store.recall(NAMESPACE, &format!("{env} {backend}")).ok()??;
    Some(Preload::from_text(backend, &text))
}

fn sample(steps: &Steps, spec: &BuildSpec, env: &str, backend: &str) -> Option<Preload> {
    let machines = steps.machines;
    // Whatever does not work here shows in the builds themselves.
    let result = machines.executor().ok()?.execute(&sample_action(spec, backend), &machines.stop).ok()?;
    let preload = read_sample(&result, backend)?;
    let _ = machines.store.remember(NAMESPACE, &format!("{env} {backend}"), &preload.to_text());
    let _ = machines.store.remember(NAMESPACE, env, backend);
    Some(preload)
}
