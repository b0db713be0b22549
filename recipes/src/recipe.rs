//! One recipe: what a package is and how it is built, valid by construction.
//!
//! Knows the fields of the recipe language and their meaning. Must never
//! know other recipes, the target, or where files lie.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Place, SourceFile};
use crate::name::{ExtraName, MarkerTree, PackageName, Requirement, Sha256, Version, VersionSpecifiers};
use crate::rare::{Plain, Rare};

/// A requirement and the recipe line that says it.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// What is required.
    pub requirement: Requirement,
    /// Where the recipe says so.
    pub place: Place,
}

/// Whether others may import the package (nixpkgs' `buildPythonPackage`
/// against `buildPythonApplication`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Importable; carries pythonModule.
    Package,
    /// Only its executables count.
    Application,
}

/// How a wheel comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PEP 517, with the setuptools fallback for a lone `setup.py`.
    Pyproject,
    /// The source is a prebuilt wheel.
    Wheel,
    /// `[phases]` build and install; still a module.
    Other,
}

/// Where bytes come from. Exactly one per source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file of a project on the package index.
    Pypi {
        /// The project's name as the recipe writes it.
        project: String,
        /// `file`: the exact file name, when the sdist (or wheel) of the version is not meant.
        file: Option<String>,
        /// `index`: a name from `[index.NAME]` or an address.
        index: Option<String>,
    },
    /// One file at an address, or at one of several mirrors.
    Url {
        /// Addresses in order of preference, `{pname}`/`{version}` already filled in.
        urls: Vec<String>,
        /// The hash is the NAR sha256 of the unpacked tree.
        unpack: bool,
    },
    /// A commit of a git repository; the hash is the NAR sha256 of the tree.
    Git {
        /// The repository.
        url: String,
        /// `rev` or `tag`.
        rev: GitRev,
        /// Submodules too.
        submodules: bool,
    },
    /// A folder beside the recipe.
    Path {
        /// Relative to the folder of [`Source::base`], `/`-separated; may start with `..`.
        dir: String,
        /// Files of ours that belong to the source all the same.
        include: Vec<String>,
    },
}

/// What of a git repository is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitRev {
    /// A full or abbreviated commit id.
    Rev(String),
    /// A tag.
    Tag(String),
}

/// What the recipe promises about the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// This sha256.
    Hash(Sha256),
    /// `hash = ""`: fetch once, print the hash to paste, fail.
    Ask,
    /// A `path` source: its tree is hashed.
    Local,
}

/// A patch applied (`-p1`) after unpacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// A file, its path relative to the folder of the recipe file that names it.
    File(String, Arc<SourceFile>),
    /// A fetched one.
    Url {
        /// Its address.
        url: String,
        /// The sha256 of the patch file.
        hash: Sha256,
        /// The place of that hash: `--accept-hash` edits here.
        place: Place,
    },
}

/// One source. `when` is set only in `[[source]]` (a wheel per platform).
#[derive(Clone, Debug)]
pub struct Source {
    /// Where from.
    pub origin: Origin,
    /// What bytes.
    pub promise: Promise,
    /// The place of `hash`, or of `[source]` when there is none: `--accept-hash` edits here.
    pub hash_place: Place,
    /// Folder inside the source that holds the project; empty for its top.
    pub subdirectory: String,
    /// Patches in order.
    pub patches: Vec<Patch>,
    /// SOURCE_DATE_EPOCH override, seconds.
    pub epoch: Option<u64>,
    /// The platforms this source is for.
    pub when: Option<MarkerTree>,
    /// The file that says where the source is: a `path` is relative to its folder, whatever overlays added since.
    pub base: Arc<SourceFile>,
    /// The whole table, for messages.
    pub place: Place,
}

/// `[build]`.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// PEP 517 config_settings; a list is passed as a list.
    pub config_settings: BTreeMap<String, Vec<String>>,
    /// Extra environment of the build.
    pub env: BTreeMap<String, String>,
    /// PEP 517 build-backend override.
    pub backend: Option<String>,
    /// PEP 517 backend-path override.
    pub backend_path: Option<Vec<String>>,
    /// Cores the build may use; all of them when absent.
    pub cores: Option<u32>,
    /// Bytes of memory the build is expected to need (and its limit).
    pub memory: Option<u64>,
    /// Nothing else runs beside it.
    pub exclusive: bool,
    /// Seconds in all; the default applies when absent.
    pub timeout: Option<u64>,
    /// Whether the wheel must be pure or native.
    pub expect: Option<Expect>,
    /// Never from a warm builder.
    pub cold: bool,
}

/// `expect = "pure" | "native"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The wheel must be `none-any`.
    Pure,
    /// The wheel must hold a compiled extension.
    Native,
}

/// Shell fragments by nixpkgs' phase names, in running order when iterated by [`Phase`].
pub type Phases = BTreeMap<Phase, String>;

/// nixpkgs' phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are nixpkgs' own")]
pub enum Phase {
    PostUnpack,
    PrePatch,
    PostPatch,
    PreBuild,
    Build,
    PostBuild,
    PreInstall,
    Install,
    PostInstall,
    PreCheck,
    Check,
    PostCheck,
}

impl Phase {
    /// Every phase with its key in `[phases]`.
    pub const ALL: [(Phase, &'static str); 12] = [
        (Phase::PostUnpack, "post-unpack"),
        (Phase::PrePatch, "pre-patch"),
        (Phase::PostPatch, "post-patch"),
        (Phase::PreBuild, "pre-build"),
        (Phase::Build, "build"),
        (Phase::PostBuild, "post-build"),
        (Phase::PreInstall, "pre-install"),
        (Phase::Install, "install"),
        (Phase::PostInstall, "post-install"),
        (Phase::PreCheck, "pre-check"),
        (Phase::Check, "check"),
        (Phase::PostCheck, "post-check"),
    ];
}

/// `[external]` (PEP 725).
#[derive(Clone, Debug, Default)]
pub struct External {
    /// `build-requires`, e.g. `virtual:compiler/c`.
    pub build_requires: Vec<(String, Place)>,
    /// `host-requires`, e.g. `pkg:generic/openssl`.
    pub host_requires: Vec<(String, Place)>,
    /// `dependencies`: needed at run time.
    pub dependencies: Vec<(String, Place)>,
}

/// `[check]`.
#[derive(Clone, Debug)]
pub struct Check {
    /// Whether tests run (the import check does not depend on it).
    pub enable: bool,
    /// Whether the recipe says so itself.
    pub enable_said: bool,
    /// Modules the import check imports; `None`: the wheel's top-level modules.
    pub imports: Option<Vec<String>>,
    /// What runs the tests.
    pub runner: Runner,
    /// Requirements of the tests only.
    pub inputs: Vec<Dependency>,
    /// Extra arguments of the runner.
    pub flags: Vec<String>,
    /// pytest `-k` (or unittest names) to run.
    pub enabled_tests: Vec<String>,
    /// Names to leave out.
    pub disabled_tests: Vec<String>,
    /// Paths to run.
    pub enabled_paths: Vec<(String, Place)>,
    /// Paths to leave out.
    pub disabled_paths: Vec<(String, Place)>,
    /// pytest `-m` expressions, joined with `and`.
    pub marks: Vec<String>,
}

/// `runner` of `[check]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runner {
    /// No tests are declared (enable without a runner and without inputs is a lint).
    None,
    /// pytest.
    Pytest,
    /// unittest discovery.
    Unittest,
    /// A shell command: the `check` phase.
    Command,
}

/// `[relax]`.
#[derive(Clone, Debug, Default)]
pub struct Relax {
    /// Drop the specifiers of every requirement.
    pub all: bool,
    /// Drop the specifiers of these.
    pub dependencies: Vec<(PackageName, Place)>,
    /// Drop only upper bounds of these.
    pub upper: Vec<(PackageName, Place)>,
    /// Drop these requirements whole.
    pub remove: Vec<(PackageName, Place)>,
}

/// One makeWrapper operation of `[wrap]`, in the order of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrapOp {
    /// `set.NAME = VALUE`.
    Set(String, String),
    /// `set-default.NAME = VALUE`.
    SetDefault(String, String),
    /// `unset = [NAME]`.
    Unset(String),
    /// `prefix.NAME = { sep, values }`.
    Prefix {
        /// Variable.
        name: String,
        /// Separator.
        sep: String,
        /// Values put before it.
        values: Vec<String>,
    },
    /// `suffix.NAME = { sep, values }`.
    Suffix {
        /// Variable.
        name: String,
        /// Separator.
        sep: String,
        /// Values put after it.
        values: Vec<String>,
    },
    /// `chdir = DIR`.
    Chdir(String),
    /// `run = "shell line"`.
    Run(String),
    /// `add-flags = [..]`: before the user's arguments.
    AddFlags(Vec<String>),
    /// `append-flags = [..]`: after the user's arguments.
    AppendFlags(Vec<String>),
}

/// `[wrap]`.
#[derive(Clone, Debug)]
pub struct Wrap {
    /// Whether executables are wrapped at all.
    pub enable: bool,
    /// Leave the user's site-packages visible.
    pub permit_user_site: bool,
    /// The operations.
    pub ops: Vec<WrapOp>,
}

/// `[app]`: kept, not built yet.
#[derive(Clone, Debug)]
pub struct App {
    /// `wsgi` or `asgi`, and its value (`shop:create_app()`).
    pub interface: (String, String),
    /// `server`.
    pub server: Option<String>,
    /// `bind`.
    pub bind: Option<String>,
    /// `workers`.
    pub workers: Option<u32>,
    /// `health`.
    pub health: Option<String>,
    /// Where.
    pub place: Place,
}

/// `[meta]`; moves no key.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// One line.
    pub description: Option<String>,
    /// Address.
    pub homepage: Option<String>,
    /// SPDX expression.
    pub license: Option<String>,
    /// Address.
    pub changelog: Option<String>,
    /// The executable `run` starts.
    pub main_program: Option<String>,
    /// People.
    pub maintainers: Vec<String>,
    /// Known not to build: an error unless allowed.
    pub broken: bool,
    /// Advisory ids.
    pub known_vulnerabilities: Vec<String>,
}

impl Plain for Build {
    const PLAIN: &'static Self = &Self {
        config_settings: BTreeMap::new(),
        env: BTreeMap::new(),
        backend: None,
        backend_path: None,
        cores: None,
        memory: None,
        exclusive: false,
        timeout: None,
        expect: None,
        cold: false,
    };
}

impl Plain for External {
    const PLAIN: &'static Self =
        &Self { build_requires: Vec::new(), host_requires: Vec::new(), dependencies: Vec::new() };
}

impl Plain for Relax {
    const PLAIN: &'static Self =
        &Self { all: false, dependencies: Vec::new(), upper: Vec::new(), remove: Vec::new() };
}

/// A whole recipe.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The file that defined the recipe, before any extension.
    pub file: Arc<SourceFile>,
    /// The layer that defined it (`base`, `recipes`, an overlay's path).
    pub layer: String,
    /// Place of `pname`, for messages about the whole recipe.
    pub place: Place,
    /// Normalised name.
    pub pname: PackageName,
    /// The name as written (wheel METADATA must agree after normalisation).
    pub pname_text: String,
    /// The version.
    pub version: Version,
    /// Package or application.
    pub kind: Kind,
    /// How the wheel comes to be.
    pub format: Format,
    /// Interpreters the recipe is for.
    pub requires_python: Option<(VersionSpecifiers, Place)>,
    /// Build requirements, never propagated.
    pub build_system: Vec<Dependency>,
    /// The propagated inputs.
    pub dependencies: Vec<Dependency>,
    /// Extras.
    pub optional_dependencies: BTreeMap<ExtraName, Vec<Dependency>>,
    /// One source, or several told apart by `when`.
    pub sources: Vec<Source>,
    /// `[build]`.
    pub build: Rare<Build>,
    /// `[phases]`.
    pub phases: Phases,
    /// `[external]`.
    pub external: Rare<External>,
    /// `[cargo]`: the table's place; building with it is not supported yet.
    pub cargo: Option<Place>,
    /// `[check]`.
    pub check: Check,
    /// `[relax]`.
    pub relax: Rare<Relax>,
    /// `[wrap]`.
    pub wrap: Wrap,
    /// `[app]`.
    pub app: Option<Box<App>>,
    /// PEP 420 namespaces whose `__init__.py` must not be in the wheel.
    pub namespaces: Vec<String>,
    /// Remove top-level `tests`/`test` from the wheel.
    pub remove_tests: bool,
    /// `[meta]`.
    pub meta: Meta,
}

/// Build systems that choose a release's compiler flags themselves and *add*
/// CFLAGS to them.
const OWN_FLAGS: [&str; 3] = ["meson-python", "py-build-cmake", "scikit-build-core"];

impl Recipe {
    /// Whether its build system brings the compiler flags of a release build.
    /// Such a build knows nothing of the interpreter's own (`-fwrapv` among
    /// them, which forbids optimisations that upstream's wheels have); one by
    /// setuptools takes those, and where both are declared setuptools calls
    /// the other.
    pub fn brings_flags(&self) -> bool {
        let names = |wanted: &[&str]| {
            let name = |d: &Dependency| d.requirement.name().to_string();
            self.build_system.iter().any(|d| wanted.contains(&name(d).as_str()))
        };
        names(&OWN_FLAGS) && !names(&["setuptools"])
    }
}
