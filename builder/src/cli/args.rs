//! The command line, as close to the flags as possible.
//!
//! Knows spelling and help. Must never know what a verb does.

mod inspecting;
mod updating;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use inspecting::{LicensesArgs, OutdatedArgs, SearchArgs, WhyDependsArgs};
pub use updating::UpdateArgs;

/// Python packages from pinned source: recipes in, wheels, applications and
/// environments out.
#[derive(Debug, Parser)]
#[command(name = "wheelwright", version, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Flags of every verb.
    #[command(flatten)]
    pub common: Common,
}

/// Flags of every verb.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Say less.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more (logs of builds as they end).
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Report as JSON on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Make no network request.
    #[arg(long, global = true)]
    pub offline: bool,
    /// Ask the index again, whatever is remembered.
    #[arg(long, global = true)]
    pub refresh: bool,
    /// Builds at once [default: the processors there are].
    #[arg(short, long, global = true, value_name = "N")]
    pub jobs: Option<usize>,
    /// Interpreter: a version (3.12), a program name or a path.
    #[arg(long, global = true, value_name = "PYTHON")]
    pub python: Option<String>,
    /// How builds are kept apart; never weaker than asked for.
    #[arg(long, global = true, value_enum, value_name = "LEVEL")]
    pub isolation: Option<Isolation>,
    /// Start a new interpreter for each build; the wheels are the same.
    #[arg(long, global = true)]
    pub no_warm: bool,
    /// Build what recipes mark as broken, too.
    #[arg(long, global = true)]
    pub allow_broken: bool,
    /// The store [default: $WHEELWRIGHT_STORE, else the XDG data folder].
    #[arg(long, global = true, value_name = "DIR")]
    pub store: Option<PathBuf>,
}

/// Isolation levels.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Isolation {
    /// Namespaces, assembled root, seccomp, no capability, no network.
    Full,
    /// Landlock and seccomp, where namespaces are refused.
    Landlock,
    /// Only an emptied environment.
    Env,
}

/// The verbs. The flags of each are put together when it is the one.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Verb {
    /// Build packages: wheels, installs, checks, ./result.
    Build(BuildArgs),
    /// Run the import checks and tests of packages.
    Check(CheckArgs),
    /// Say what would run, and why.
    Plan(GoalArgs),
    /// Say why a package would be rebuilt.
    Why(GoalArgs),
    /// Print the kept log of a package's last build (or other step).
    Log(LogArgs),
    /// Print a recipe as it stands after all layers.
    Show(ShowArgs),
    /// List the recipes of the set.
    List(ListArgs),
    /// Print the tree of propagated inputs.
    Tree(GoalArgs),
    /// Say by which requirements one package needs another.
    WhyDepends(WhyDependsArgs),
    /// Say which recipes the index has newer versions of.
    Outdated(OutdatedArgs),
    /// Say under which licenses packages and all that they run with are.
    Licenses(LicensesArgs),
    /// Find recipes of the set by words of their names and descriptions.
    Search(SearchArgs),
    /// Write recipes for projects of the index and for all that they and
    /// their builds need.
    Add(AddArgs),
    /// Bring recipes to newer versions, as far as all that the set requires
    /// is kept.
    Update(UpdateArgs),
    /// Write the recipe of a project that is there already: a folder, a git
    /// repository, an sdist or wheel at an address.
    New(NewArgs),
    /// Write recipes and environments for what files of other tools say: Nix
    /// files as of nixpkgs (buildPythonPackage, python.withPackages), lock
    /// files (pylock.toml, uv.lock, poetry.lock, pdm.lock) and lists of
    /// requirements (requirements.txt, environment.yml, pyproject.toml).
    Import(ImportArgs),
    /// Write what packages need for other tools: requirements, a lock file, a
    /// bill of materials, the graph, Nix files.
    Export(ExportArgs),
    /// Report everything doubtful in recipes.
    Lint(PathsArgs),
    /// Lay out recipes in the one way.
    Fmt(FmtArgs),
    /// Make a working environment (a venv) that holds packages.
    Env(EnvArgs),
    /// Run a command in a frozen environment that holds packages.
    Run(RunArgs),
    /// Look after the store.
    Store(StoreArgs),
    /// Remove what no result, environment or running build needs, and failed
    /// builds and toolboxes that were kept for more than a week.
    Gc(GcArgs),
    /// Say what this machine can do.
    Doctor,
    /// Print the JSON Schema of recipes.
    Schema,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Names or paths of recipes.
#[derive(Clone, Debug, Args)]
pub struct GoalArgs {
    /// Package names (`flask`, `flask==3.1.3`), recipe files, or folders: the
    /// recipe whose source the folder is, else all in it.
    pub packages: Vec<String>,
    /// Every recipe of the workspace.
    #[arg(long)]
    pub all: bool,
    /// Every recipe of the base set.
    #[arg(long)]
    pub base: bool,
}

/// Flags of verbs that build.
#[derive(Clone, Debug, Args)]
pub struct RunFlags {
    /// Build without running any check.
    #[arg(long)]
    pub no_check: bool,
    /// Stop at the first failure.
    #[arg(long)]
    pub fail_fast: bool,
    /// Leave the work folder of a failed build, with a run.sh that repeats it.
    #[arg(long)]
    pub keep_failed: bool,
    /// Write hashes that do not match into the recipes.
    #[arg(long)]
    pub accept_hash: bool,
    /// Write a report: junit=FILE or md=FILE.
    #[arg(long, value_name = "KIND=FILE")]
    pub report: Vec<String>,
}

/// `build`.
#[derive(Clone, Debug, Args)]
pub struct BuildArgs {
    /// What.
    #[command(flatten)]
    pub goals: GoalArgs,
    /// How.
    #[command(flatten)]
    pub flags: RunFlags,
    /// Where the result link goes.
    #[arg(short, long, default_value = "result", value_name = "LINK")]
    pub out_link: PathBuf,
    /// Make no result link.
    #[arg(long)]
    pub no_link: bool,
    /// Make the finished wheels only, of the packages and of all they need to
    /// run: no result link, and nothing is installed or checked but what
    /// builds need.
    #[arg(long, conflicts_with = "out_link")]
    pub wheels_only: bool,
    /// Copy the wheels into a folder, too.
    #[arg(long, value_name = "DIR")]
    pub wheel_dir: Option<PathBuf>,
    /// Say what would run, and stop.
    #[arg(long)]
    pub dry_run: bool,
}

impl BuildArgs {
    /// `build` of these without any flag.
    pub fn plain(goals: GoalArgs) -> Self {
        Self {
            goals,
            flags: RunFlags {
                no_check: false,
                fail_fast: false,
                keep_failed: false,
                accept_hash: false,
                report: Vec::new(),
            },
            out_link: "result".into(),
            no_link: false,
            wheels_only: false,
            wheel_dir: None,
            dry_run: false,
        }
    }
}

/// `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// What.
    #[command(flatten)]
    pub goals: GoalArgs,
    /// How.
    #[command(flatten)]
    pub flags: RunFlags,
    /// Run the tests of the dependencies, too.
    #[arg(long)]
    pub deps: bool,
}

/// `log`.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// The package.
    pub package: String,
    /// The step: build, check, imports, source, install.
    #[arg(long, default_value = "build")]
    pub step: String,
}

/// `show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The package.
    pub package: String,
    /// Name the layer and line of each value.
    #[arg(long)]
    pub origin: bool,
    /// Print the run-time closure and who forced each member.
    #[arg(long)]
    pub closure: bool,
}

/// `list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// The base set, too.
    #[arg(long)]
    pub base: bool,
}

/// `add`.
#[derive(Clone, Debug, Args)]
pub struct AddArgs {
    /// Requirements: NAME, NAME==VERSION, 'NAME>=VERSION,<VERSION' or
    /// 'NAME[EXTRA]'.
    #[arg(required = true, value_name = "REQUIREMENT")]
    pub projects: Vec<String>,
    /// Take each as given: no versions are chosen for what it needs.
    #[arg(long)]
    pub no_solve: bool,
    /// The folder the recipes go to [default: the workspace's first].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Replace recipes that exist.
    #[arg(long)]
    pub force: bool,
    /// How versions are chosen and what is done then.
    #[command(flatten)]
    pub solving: SolvingArgs,
}

/// Flags of an `add` that chooses versions.
#[derive(Clone, Debug, Args)]
pub struct SolvingArgs {
    /// Say which recipes would be written, and write none.
    #[arg(long, conflicts_with = "no_solve")]
    pub dry_run: bool,
    /// Take nothing that was uploaded later: 2026-01-31, or
    /// 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "DATE", conflicts_with = "no_solve")]
    pub exclude_newer: Option<String>,
    /// Build this project from source, or fail.
    #[arg(long, value_name = "NAME", conflicts_with = "no_solve")]
    pub sdist: Vec<String>,
    /// Take this project prebuilt.
    #[arg(long, value_name = "NAME", conflicts_with = "no_solve")]
    pub wheel: Vec<String>,
    /// What is named is an application: its executables are what counts.
    #[arg(long, conflicts_with = "no_solve")]
    pub application: bool,
    /// Build what is named at once.
    #[arg(long, conflicts_with_all = ["no_solve", "dry_run"])]
    pub check: bool,
}

/// `new`.
#[derive(Clone, Debug, Args)]
pub struct NewArgs {
    /// A project's folder; a repository (https://…, ssh://…, file:///…); or an
    /// sdist or wheel (https://…/x-1.0.tar.gz, file:///…/x-1.0-py3-none-any.whl).
    #[arg(value_name = "PATH|URL")]
    pub project: String,
    /// The folder the recipe goes to [default: the project's own; of what is
    /// elsewhere the workspace's first, else this one].
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// The commit of the repository, or a branch, whose commit of now is
    /// written [default: the one its HEAD is at].
    #[arg(long, value_name = "REV", conflicts_with = "tag")]
    pub rev: Option<String>,
    /// The tag of the repository.
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// It is an application: its executables are what counts.
    #[arg(long)]
    pub application: bool,
    /// Print what would be written, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Replace a recipe that exists.
    #[arg(long)]
    pub force: bool,
}

/// `import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// Files, or folders with a default.nix. Files that these name are read,
    /// too.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// The folder the recipes go to [default: the workspace's first].
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// Print what would be written, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Replace recipes and environments that say something else.
    #[arg(long)]
    pub force: bool,
}

/// `export`.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// What is written.
    #[arg(value_enum)]
    pub format: ExportFormat,
    /// Package names, recipe files, or folders.
    pub packages: Vec<String>,
    /// The packages of an `[env.NAME]` of the workspace.
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Every recipe of the workspace.
    #[arg(long)]
    pub all: bool,
    /// The file it goes to [default: standard output]; for nix, the folder.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What `export` writes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ExportFormat {
    /// For pip install --require-hashes -r.
    Requirements,
    /// For pip install -c.
    Constraints,
    /// A lock file (PEP 751).
    Pylock,
    /// A CycloneDX 1.6 bill of materials.
    Cyclonedx,
    /// The graph, for Graphviz.
    Dot,
    /// The graph, as a picture.
    Svg,
    /// The graph and a table, as one page.
    Html,
    /// A default.nix for each recipe, and a packages.nix.
    Nix,
}

/// `lint`.
#[derive(Clone, Debug, Args)]
pub struct PathsArgs {
    /// Recipe files or folders [default: the workspace].
    pub paths: Vec<String>,
}

/// `fmt`.
#[derive(Clone, Debug, Args)]
pub struct FmtArgs {
    /// Recipe files or folders [default: the workspace].
    pub paths: Vec<String>,
    /// Only say which would change; exit 1 if any.
    #[arg(long)]
    pub check: bool,
}

/// `env`.
#[derive(Clone, Debug, Args)]
pub struct EnvArgs {
    /// Packages (`flask`, `flask[async]`), paths of recipes, or an `[env.NAME]`
    /// of the workspace.
    #[arg(required = true)]
    pub packages: Vec<String>,
    /// Where the environment goes.
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    /// How.
    #[command(flatten)]
    pub flags: RunFlags,
}

/// `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Packages or an `[env.NAME]` of the workspace, then `--` and the command.
    #[arg(required = true)]
    pub packages: Vec<String>,
    /// The command and its arguments.
    #[arg(last = true)]
    pub command: Vec<String>,
}

/// `store`.
#[derive(Clone, Debug, Args)]
pub struct StoreArgs {
    /// What.
    #[command(subcommand)]
    pub verb: StoreVerb,
}

/// `store ...`.
#[derive(Clone, Debug, Subcommand)]
pub enum StoreVerb {
    /// Rehash everything.
    Verify {
        /// Remove what is damaged, so that the next run makes it again.
        #[arg(long)]
        repair: bool,
    },
    /// Print where the store is.
    Path,
}

/// `gc`.
#[derive(Clone, Debug, Args)]
pub struct GcArgs {
    /// Only say what would go.
    #[arg(long)]
    pub dry_run: bool,
}
