//! The catalogue itself: every key of a recipe and of `wheelwright.toml`, in
//! the order `fmt` writes them. Must never know a value.

use super::Old::{Here, Top, TopListOrAll, TopNot, TopPyproject, TopWrapperArgs};
use super::Type::{AnyOf, Bool, Choice, Count, Fields, List, Map, Requirements, Text};
use super::{Field, Old, Type};

const TEXTS: Type = List(&Text);
const TEXT_OR_TEXTS: Type = AnyOf(&[Text, TEXTS]);

const fn field(key: &'static str, takes: Type, doc: &'static str) -> Field {
    Field { key, takes, doc, old: &[] }
}

const fn renamed(key: &'static str, takes: Type, doc: &'static str, old: &'static [Old]) -> Field {
    Field { key, takes, doc, old }
}

/// The keys of a recipe.
pub static RECIPE: &[Field] = &[
    field(
        "extends",
        AnyOf(&[Bool, Text]),
        "merge into the earlier recipes of this name (`true`) or into the one of this version",
    ),
    field(
        "kind",
        Choice(&["package", "application"]),
        "`package` (default) is importable, of an `application` only the executables count",
    ),
    field("pname", Text, "the project's name"),
    field(
        "version",
        AnyOf(&[Text, Fields(VERSION)]),
        "the PEP 440 version, or `{ from = \"pyproject\" }` for a path source",
    ),
    renamed(
        "format",
        Choice(&["pyproject", "wheel", "other"]),
        "how the wheel comes to be: PEP 517 (default), a prebuilt wheel, or `[phases]`",
        &[TopPyproject("pyproject")],
    ),
    renamed(
        "requires-python",
        Text,
        "PEP 440 specifiers of the interpreters the recipe is for",
        &[Top("python-requires")],
    ),
    renamed(
        "build-system",
        Requirements,
        "PEP 508 requirements of the build; never propagated",
        &[Top("native-build-inputs"), Top("build-requires")],
    ),
    renamed(
        "dependencies",
        Requirements,
        "PEP 508 requirements at run time, propagated to whoever uses the package",
        &[Top("propagated-build-inputs"), Top("python-path")],
    ),
    renamed(
        "namespaces",
        TEXTS,
        "PEP 420 namespaces that must have no `__init__.py` in the wheel",
        &[Top("python-namespaces")],
    ),
    renamed(
        "remove-tests",
        Bool,
        "remove top-level `tests` and `test` from the wheel (default true)",
        &[TopNot("dont-use-python-remove-tests-dir")],
    ),
    renamed(
        "optional-dependencies",
        Map(&Requirements),
        "extra -> PEP 508 requirements",
        &[Top("passthru-optional-dependencies"), Top("extras-require")],
    ),
    renamed(
        "source",
        AnyOf(&[Fields(SOURCE), List(&Fields(SOURCE))]),
        "where the source comes from, or several `[[source]]` told apart by `when`",
        &[Top("src")],
    ),
    field("build", Fields(BUILD), "how the build runs"),
    field("phases", Fields(PHASES), "shell fragments by nixpkgs' phase names"),
    field("external", Fields(EXTERNAL), "PEP 725: what is needed from outside Python"),
    field("cargo", Fields(CARGO), "crates vendored from the source's Cargo.lock"),
    field("check", Fields(CHECK), "import check and tests of the installed package"),
    field("relax", Fields(RELAX), "edits of the wheel's own requirements"),
    field("wrap", Fields(WRAP), "how executables are wrapped, in makeWrapper's words"),
    field("app", Fields(APP), "a web application's interface and server"),
    field("meta", Fields(META), "words about the package; they move no key"),
];

static VERSION: &[Field] = &[field(
    "from",
    Choice(&["pyproject"]),
    "read the static `project.version` of the path source's pyproject.toml",
)];

static SOURCE: &[Field] = &[
    field("when", Text, "PEP 508 marker: the platforms this `[[source]]` is for"),
    field(
        "pypi",
        Text,
        "a project on the package index; the sdist of `version` unless `file` says otherwise",
    ),
    renamed(
        "url",
        TEXT_OR_TEXTS,
        "an address or a list of mirrors; `{pname}` and `{version}` are filled in",
        &[Here("urls")],
    ),
    field("git", Text, "a git repository; needs `rev` or `tag`"),
    field("path", Text, "a folder, relative to the recipe's"),
    field("rev", Text, "the commit of a git source"),
    field("tag", Text, "the tag of a git source"),
    field("submodules", Bool, "fetch the git source's submodules too"),
    renamed("file", Text, "the exact file name on the index", &[Here("filename")]),
    field("index", Text, "a name from `[index.NAME]` or an index's address"),
    field("unpack", Bool, "the hash of a `url` source is the NAR hash of the unpacked tree"),
    renamed("hash", Text, "sha256 in SRI form or hex; `\"\"` to be told the right one", &[Here("sha256")]),
    field("subdirectory", Text, "the folder of the source that holds the project"),
    field("include", TEXTS, "files of ours that belong to a path source all the same"),
    renamed(
        "patches",
        List(&AnyOf(&[Text, Fields(PATCH)])),
        "patch files (`-p1`) in order: a file beside the recipe, or `{ url, hash }`",
        &[Top("patches")],
    ),
    field("epoch", Count, "SOURCE_DATE_EPOCH in seconds, instead of the source's own"),
];

static PATCH: &[Field] = &[
    field("url", Text, "the patch's address"),
    renamed("hash", Text, "sha256 of the patch file", &[Here("sha256")]),
];

static BUILD: &[Field] = &[
    renamed("backend", Text, "PEP 517 build-backend, instead of pyproject.toml's", &[Here("build-backend")]),
    field("backend-path", TEXTS, "PEP 517 backend-path, instead of pyproject.toml's"),
    field("config-settings", Map(&AnyOf(&[Text, Bool, Count, TEXTS])), "PEP 517 config settings"),
    renamed("env", Map(&Text), "environment variables of the build", &[Top("env")]),
    field("expect", Choice(&["pure", "native"]), "what the wheel must be"),
    field("cores", Count, "cores the build may use"),
    field("memory", AnyOf(&[Count, Text]), "memory the build needs: bytes or `\"2 GiB\"`"),
    field("exclusive", Bool, "nothing else runs beside this build"),
    field("timeout", AnyOf(&[Count, Text]), "seconds or `\"30m\"`"),
    field("cold", Bool, "never use a warm builder"),
];

const fn phase(key: &'static str, old: &'static [Old]) -> Field {
    Field { key, takes: Text, doc: "a shell fragment", old }
}

static PHASES: &[Field] = &[
    phase("post-unpack", &[Top("post-unpack")]),
    phase("pre-patch", &[Top("pre-patch")]),
    phase("post-patch", &[Top("post-patch")]),
    phase("pre-build", &[Top("pre-build")]),
    phase("build", &[Top("build-phase")]),
    phase("post-build", &[Top("post-build")]),
    phase("pre-install", &[Top("pre-install")]),
    phase("install", &[Top("install-phase")]),
    phase("post-install", &[Top("post-install")]),
    phase("pre-check", &[Top("pre-check")]),
    phase("check", &[Top("check-phase")]),
    phase("post-check", &[Top("post-check")]),
];

static EXTERNAL: &[Field] = &[
    field("build-requires", TEXTS, "tools of the build machine, e.g. `virtual:compiler/c`"),
    field("host-requires", TEXTS, "libraries to link, e.g. `pkg:generic/openssl`"),
    field("dependencies", TEXTS, "what must be there at run time"),
];

static CARGO: &[Field] = &[
    field("lock", Text, "the Cargo.lock inside the source (default `Cargo.lock`)"),
    field("hashes", Map(&Text), "crate -> hash, for crates from git"),
];

static CHECK: &[Field] = &[
    renamed(
        "enable",
        Bool,
        "whether the tests run (default: when a runner or inputs are named)",
        &[Top("do-check"), Top("do-install-check")],
    ),
    renamed(
        "imports",
        TEXTS,
        "modules the import check imports (default: the wheel's own); `[]` turns it off",
        &[Top("python-imports-check")],
    ),
    field(
        "runner",
        Choice(&["pytest", "unittest", "command"]),
        "what runs the tests; `command` is the `check` phase",
    ),
    renamed(
        "inputs",
        Requirements,
        "PEP 508 requirements of the tests only",
        &[Top("native-check-inputs"), Top("check-inputs"), Top("tests-require")],
    ),
    renamed(
        "flags",
        TEXTS,
        "further arguments of the runner",
        &[Top("pytest-flags"), Top("pytest-flags-array"), Top("unittest-flags")],
    ),
    renamed("enabled-tests", TEXTS, "only these tests", &[Top("enabled-tests")]),
    renamed("disabled-tests", TEXTS, "all but these tests", &[Top("disabled-tests")]),
    renamed(
        "enabled-paths",
        TEXTS,
        "only the tests in these paths",
        &[Top("enabled-test-paths"), Here("enabled-test-paths")],
    ),
    renamed(
        "disabled-paths",
        TEXTS,
        "all but the tests in these paths",
        &[Top("disabled-test-paths"), Here("disabled-test-paths")],
    ),
    renamed(
        "marks",
        TEXTS,
        "pytest mark expressions, all of which must hold",
        &[Top("enabled-test-marks"), Here("enabled-test-marks")],
    ),
];

static RELAX: &[Field] = &[
    field("all", Bool, "drop the version specifiers of every requirement"),
    renamed(
        "dependencies",
        TEXTS,
        "drop the version specifiers of these",
        &[TopListOrAll("python-relax-deps")],
    ),
    field("upper", TEXTS, "drop only the upper bounds of these"),
    renamed("remove", TEXTS, "drop these requirements", &[Top("python-remove-deps")]),
];

static WRAP: &[Field] = &[
    renamed(
        "enable",
        Bool,
        "whether executables are wrapped (default true)",
        &[TopNot("dont-wrap-python-programs")],
    ),
    renamed("permit-user-site", Bool, "leave the user's site-packages visible", &[Top("permit-user-site")]),
    renamed("set", Map(&Text), "variables to set", &[TopWrapperArgs("make-wrapper-args")]),
    field("set-default", Map(&Text), "variables to set unless they are set"),
    field("unset", TEXTS, "variables to unset"),
    field("prefix", Map(&AnyOf(&[Text, TEXTS, Fields(AFFIX)])), "values to put before a list variable's"),
    field("suffix", Map(&AnyOf(&[Text, TEXTS, Fields(AFFIX)])), "values to put after a list variable's"),
    field("chdir", Text, "the folder to start in"),
    field("run", TEXT_OR_TEXTS, "shell lines to run first"),
    renamed("add-flags", TEXTS, "arguments before the user's", &[Here("add-flag")]),
    renamed("append-flags", TEXTS, "arguments after the user's", &[Here("append-flag")]),
];

static AFFIX: &[Field] = &[
    field("sep", Text, "what stands between the values (default `:`)"),
    field("values", TEXTS, "the values, in order"),
];

static APP: &[Field] = &[
    field("wsgi", Text, "the WSGI application, e.g. `shop:create_app()`"),
    field("asgi", Text, "the ASGI application, e.g. `shop:app`"),
    field("server", Text, "the server that runs it"),
    field("bind", Text, "the address to listen on"),
    field("workers", Count, "how many workers"),
    field("health", Text, "the path a health check asks for"),
];

static META: &[Field] = &[
    field("description", Text, "one line about the package"),
    field("homepage", Text, "the project's page"),
    field("license", Text, "an SPDX expression"),
    field("changelog", Text, "the project's changelog"),
    field("main-program", Text, "the executable `run` starts"),
    field("maintainers", TEXTS, "people who look after the recipe"),
    field("broken", Bool, "known not to build"),
    field("known-vulnerabilities", TEXTS, "advisories against this version"),
];

/// The keys of `wheelwright.toml`.
pub static WORKSPACE: &[Field] = &[
    field("set", Fields(SET), "which recipes there are"),
    field("python", Fields(PYTHON), "which interpreters are meant"),
    field("build", Fields(WORKSPACE_BUILD), "how builds run here"),
    field("env", Map(&Fields(ENV)), "named environments"),
    field("index", Map(&Fields(INDEX)), "named package indexes"),
    field("cache", Map(&Fields(CACHE)), "named shared caches"),
];

static SET: &[Field] = &[
    field("recipes", TEXT_OR_TEXTS, "folders of recipes, relative to this file"),
    field("overlays", TEXTS, "folders of overlay recipes; later ones win"),
];

static PYTHON: &[Field] = &[
    field("default", Text, "the interpreter when none is asked for, e.g. `3.12`"),
    field("also", TEXTS, "further interpreters the set is for"),
];

static WORKSPACE_BUILD: &[Field] = &[
    field("isolation", Choice(&["full", "landlock", "env"]), "the isolation asked for (default `full`)"),
    field("jobs", Count, "builds at once (default: one a core)"),
];

static ENV: &[Field] = &[
    field("packages", Requirements, "what the environment holds"),
    field("python", Text, "its interpreter"),
];

static INDEX: &[Field] = &[
    field("url", Text, "the address of its simple API"),
    field("default", Bool, "ask this index when a recipe names none"),
    field("cert", Text, "a CA bundle (PEM) to believe there, relative to this file"),
    field(
        "client-cert",
        Text,
        "a PEM file with a key and a certificate to show there, relative to this file",
    ),
];

static CACHE: &[Field] = &[
    field("url", Text, "the address or folder"),
    field("push", Bool, "write to it as well"),
    field("public-key", Text, "what its entries are signed with"),
];
