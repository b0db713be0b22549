//! What steps run on: store, interpreter, executor, fetcher.
//!
//! Knows how each is opened from the ambient world and the user's settings.
//! Must never know recipes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use recipes::target::Target;
use recipes::workspace::{Isolation, Workspace};

use crate::ambient::Ambient;
use crate::error::{IoContext as _, Result};
use crate::exec::{self, Local, LocalOptions, Stop};
use crate::fetch::Fetcher;
use crate::index::Index;
use crate::ops::host;
use crate::pep517::ByteCode;
use crate::python::{self, Compiler, Interpreter, Memo, Search};
use crate::store::realisation::Level;
use crate::store::{Store, TempDir};

/// What byte code of our own programs is remembered as.
const CODE: &str = "programs 1";

/// What the user asked of the machine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `--store`.
    pub store: Option<PathBuf>,
    /// `--python`, else the workspace's default.
    pub python: Option<String>,
    /// `--isolation`; the workspace's, else full, when not given.
    pub level: Option<Level>,
    /// `--jobs`; the workspace's, else the processors there are, when not given.
    pub jobs: Option<usize>,
    /// `--offline`.
    pub offline: bool,
    /// `--refresh`.
    pub refresh: bool,
    /// `--keep-failed`.
    pub keep_failed: bool,
    /// `--no-warm`.
    pub no_warm: bool,
    /// That store, where it is open already.
    pub opened: Option<Store>,
}

/// Everything opened.
pub struct Machines {
    /// The world as it was at the start.
    pub ambient: Ambient,
    /// What was asked.
    pub settings: Settings,
    /// The store.
    pub store: Store,
    /// The interpreter.
    pub interpreter: Interpreter,
    /// Compiles installs with it.
    pub compiler: Compiler,
    /// Stops everything that runs.
    pub stop: Stop,
    /// The level asked for, by flag or workspace.
    pub level: Level,
    /// Builds at once.
    pub jobs: usize,
    /// Processors a single build may use.
    pub cores: usize,
    workspace: Workspace,
    cells: OnceLock<Cells>,
    /// Held while they are made: once is enough.
    making: Mutex<()>,
    /// Made when first needed, too: a run that has everything has no work.
    work: OnceLock<TempDir>,
    network: OnceLock<(Arc<Index>, Fetcher)>,
    code: OnceLock<ByteCode>,
    halted: Arc<AtomicBool>,
}

/// Where actions run.
struct Cells {
    executor: Local,
    /// The folder of the jobserver's fifo, while the run lasts.
    jobserver: Option<TempDir>,
}

/// Opens the store only: for verbs that build nothing.
pub fn open_store(ambient: &Ambient, store: Option<&PathBuf>) -> Result<Store> {
    Store::open(&store_root(ambient, store)?)
}

/// [`open_store`] for a collection, which may have to work on a full disk.
pub fn open_store_to_collect(ambient: &Ambient, store: Option<&PathBuf>) -> Result<Store> {
    Store::open_to_collect(&store_root(ambient, store)?)
}

/// [`open_store`], moving a database that cannot be opened aside.
pub fn open_store_to_repair(ambient: &Ambient, store: Option<&PathBuf>) -> Result<(Store, Option<PathBuf>)> {
    Store::open_to_repair(&store_root(ambient, store)?)
}

/// Where the store is, with this process made ready to write to it.
fn store_root(ambient: &Ambient, store: Option<&PathBuf>) -> Result<PathBuf> {
    // Builds run as another user and must be able to read what we keep, so
    // the user's umask, however strict, does not hold from here on.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    if let Some(plan) = ambient.var("WHEELWRIGHT_FAULT") {
        crate::tree::fault::arm(plan)?;
    }
    match store {
        Some(given) => Ok(ambient.absolute(given)),
        None => ambient.store_root(),
    }
}

/// The interpreter, remembered in the store.
pub fn interpreter(ambient: &Ambient, store: &Store, want: Option<&str>) -> Result<Interpreter> {
    let memo = Memo {
        recall: &|ns, key| store.recall(ns, key).ok().flatten(),
        // Forgetting costs a probe next time, no more.
        remember: &|ns, key, value| drop(store.remember(ns, key, value)),
    };
    python::discover(&Search::of(ambient), want, memo)
}

/// What recipes are for: the interpreter that is asked for, else the workspace's.
pub fn target(ambient: &Ambient, settings: &Settings, workspace: &Workspace) -> Result<Target> {
    let store = open_store(ambient, settings.store.as_ref())?;
    let python = settings.python.as_ref().or(workspace.python_default.as_ref());
    Ok(interpreter(ambient, &store, python.map(String::as_str))?.target)
}

/// Opens everything.
pub fn open(ambient: &Ambient, settings: &Settings, workspace: &Workspace) -> Result<Machines> {
    let store = match &settings.opened {
        Some(store) => store.clone(),
        None => open_store(ambient, settings.store.as_ref())?,
    };
    let python = settings.python.as_ref().or(workspace.python_default.as_ref());
    let interpreter = interpreter(ambient, &store, python.map(String::as_str))?;
    exec::local::sweep_failed(&failed_folder(&store));
    let jobs = settings.jobs.or_else(|| workspace.jobs.map(|j| j as usize)).unwrap_or(ambient.cpus).max(1);
    Ok(Machines {
        ambient: ambient.clone(),
        settings: settings.clone(),
        store,
        compiler: Compiler::new(&interpreter.exe, ambient.cpus),
        interpreter,
        stop: Stop::new()?,
        level: settings.level.unwrap_or_else(|| level_of(workspace)),
        jobs,
        cores: ambient.cpus,
        workspace: workspace.clone(),
        cells: OnceLock::new(),
        making: Mutex::default(),
        work: OnceLock::new(),
        network: OnceLock::new(),
        code: OnceLock::new(),
        halted: Arc::default(),
    })
}

/// Where `--keep-failed` leaves what failed.
fn failed_folder(store: &Store) -> PathBuf {
    store.root().join("failed")
}

/// The workspace's wish, else the strongest level.
fn level_of(workspace: &Workspace) -> Level {
    match workspace.isolation {
        None | Some(Isolation::Full) => Level::Full,
        Some(Isolation::Landlock) => Level::Landlock,
        Some(Isolation::Env) => Level::Env,
    }
}

impl Machines {
    /// Where actions run: made when first needed, because a run that has
    /// everything must not look at the host's tools and libraries.
    pub fn executor(&self) -> Result<&Local> {
        Ok(&self.cells()?.executor)
    }

    /// What MAKEFLAGS says of the jobserver, when there is one.
    pub fn jobserver_flag(&self) -> Result<Option<String>> {
        let there = self.cells()?.jobserver.as_ref();
        Ok(there.map(|_| format!("--jobserver-auth=fifo:{}", exec::local::JOBSERVER)))
    }

    fn cells(&self) -> Result<&Cells> {
        if let Some(made) = self.cells.get() {
            return Ok(made);
        }
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = self.cells.get() {
            return Ok(made);
        }
        let made = self.make_cells()?;
        Ok(self.cells.get_or_init(|| made))
    }

    fn make_cells(&self) -> Result<Cells> {
        let (trees, toolbox) = (self.store.clone(), self.store.root().join("toolbox"));
        let mut options = LocalOptions::new(move |digest| trees.tree_path(digest), self.work_dir()?, toolbox);
        options.keep_failed = self.settings.keep_failed.then(|| failed_folder(&self.store));
        options.jobs = self.jobs;
        let mut jobserver = None;
        if host::Make::of(&self.ambient).knows_fifo() {
            let temp = self.store.temp_dir()?;
            // One for each processor; every running build holds one of them.
            let server = exec::local::Jobserver::new(&temp.path().join("jobserver"), self.ambient.cpus)?;
            options.jobserver = Some(Arc::new(server));
            jobserver = Some(temp);
        }
        Ok(Cells { executor: exec::local(&options)?, jobserver })
    }

    /// Byte code of our own programs, for what builds in cells: made once for
    /// an interpreter. Without it they are compiled each time.
    pub fn code(&self) -> ByteCode {
        self.code
            .get_or_init(|| self.recall_code().or_else(|| self.make_code().ok()).unwrap_or_default())
            .clone()
    }

    fn recall_code(&self) -> Option<ByteCode> {
        ByteCode::from_text(&self.store.recall(CODE, &self.code_key()).ok()??)
    }

    fn make_code(&self) -> Result<ByteCode> {
        let temp = self.store.temp_dir()?;
        let folder = temp.path().join("programs");
        std::fs::create_dir(&folder).doing(|| format!("failed to make `{}`", folder.display()))?;
        let compile = || self.compiler.compile(std::slice::from_ref(&folder), &self.stop);
        let code = ByteCode::make(&folder, compile)?;
        self.store.remember(CODE, &self.code_key(), &code.to_text())?;
        Ok(code)
    }

    fn code_key(&self) -> String {
        format!("{} {}", self.interpreter.identity.hex(), ByteCode::programs().hex())
    }

    /// From now on Ctrl-C (SIGTERM, SIGHUP) ends what runs, and the run with
    /// it, in order: no process and no half-made result stays. A second one
    /// ends this process at once.
    pub fn heed_interrupts(&self) -> Result<()> {
        let (stop, halted) = (self.stop.clone(), Arc::clone(&self.halted));
        exec::local::on_interrupt(move || {
            // First the flag: no step is begun after one was ended.
            halted.store(true, Ordering::Relaxed);
            stop.stop();
        })
    }

    /// Set when the run is to end.
    pub fn stop_flag(&self) -> &AtomicBool {
        &self.halted
    }

    /// The same, for what outlives a borrow.
    pub fn shared_stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.halted)
    }

    /// Where work folders lie at levels without mounts.
    pub fn work_dir(&self) -> Result<&Path> {
        if let Some(made) = self.work.get() {
            return Ok(made.path());
        }
        // The next run sweeps what a kill leaves in it. Of two that are made
        // at the same time one goes at once.
        let made = self.store.temp_dir()?;
        Ok(self.work.get_or_init(|| made).path())
    }

    /// The fetcher: made when first needed, because a run that has everything
    /// must not read index configuration or make a client.
    pub fn fetcher(&self) -> Result<&Fetcher> {
        Ok(&self.network()?.1)
    }

    /// The index, made with the fetcher.
    pub fn index(&self) -> Result<&Arc<Index>> {
        Ok(&self.network()?.0)
    }

    fn network(&self) -> Result<&(Arc<Index>, Fetcher)> {
        if let Some(made) = self.network.get() {
            return Ok(made);
        }
        let made = super::network::open(self, &self.workspace)?;
        Ok(self.network.get_or_init(|| made))
    }
}
