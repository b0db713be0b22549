//! Messages of Python, its build backends and test runners.
//!
//! Knows their wording and which project gives which module. Must never know
//! recipes beyond the line to add.

use super::{Facts, Hint, between, lines_with, word_after};

/// The index project that has a top-level module, where the names differ.
const PROJECTS: [(&str, &str); 41] = [
    ("Crypto", "pycryptodome"),
    ("Cython", "cython"),
    ("OpenSSL", "pyopenssl"),
    ("PIL", "pillow"),
    ("_cffi_backend", "cffi"),
    ("_pytest", "pytest"),
    ("attr", "attrs"),
    ("bs4", "beautifulsoup4"),
    ("coherent", "coherent.licensed"),
    ("cv2", "opencv-python"),
    ("dateutil", "python-dateutil"),
    ("distutils", "setuptools"),
    ("dotenv", "python-dotenv"),
    ("flit_core", "flit-core"),
    ("flit_scm", "flit-scm"),
    ("git", "gitpython"),
    ("google", "protobuf"),
    ("grpc", "grpcio"),
    ("hatch_fancy_pypi_readme", "hatch-fancy-pypi-readme"),
    ("hatch_requirements_txt", "hatch-requirements-txt"),
    ("hatch_vcs", "hatch-vcs"),
    ("jose", "python-jose"),
    ("jwt", "pyjwt"),
    ("lxml_html_clean", "lxml-html-clean"),
    ("mesonbuild", "meson"),
    ("mesonpy", "meson-python"),
    ("pdm", "pdm-backend"),
    ("pkg_resources", "setuptools<81"),
    ("poetry", "poetry-core"),
    ("poetry_dynamic_versioning", "poetry-dynamic-versioning"),
    ("ruamel", "ruamel.yaml"),
    ("scikit_build_core", "scikit-build-core"),
    ("serial", "pyserial"),
    ("setuptools_rust", "setuptools-rust"),
    ("setuptools_scm", "setuptools-scm"),
    ("skbuild", "scikit-build"),
    ("sklearn", "scikit-learn"),
    ("socks", "pysocks"),
    ("vcs_versioning", "vcs-versioning"),
    ("win32api", "pywin32"),
    ("yaml", "pyyaml"),
];

/// The requirement that gives a module.
pub fn project_of(module: &str) -> String {
    let top = module.split('.').next().unwrap_or(module);
    match PROJECTS.iter().find(|(known, _)| *known == top) {
        Some((_, project)) => (*project).to_owned(),
        None => top.replace('_', "-").to_ascii_lowercase(),
    }
}

/// Modules that cannot be imported.
pub fn modules(lines: &[&str], facts: Facts) -> Vec<Hint> {
    let mut found = Vec::new();
    // The last one ended the build; those before it may have been caught.
    let last = lines.iter().rev().find_map(|line| {
        let rest = line.split_once("ModuleNotFoundError: No module named ")?.1;
        rest.split(['\'', '"']).find(|part| !part.trim().is_empty())
    });
    if let Some(module) = last {
        let top = module.split('.').next().unwrap_or(module);
        let text = match top {
            "imp" | "asyncore" | "asynchat" | "smtpd" if facts.python >= 12 => {
                format!(
                    "`{top}` is gone since Python 3.12: a newer release, a patch, or an older Python is needed"
                )
            }
            "cgi" | "crypt" | "imghdr" | "pipes" | "telnetlib" if facts.python >= 13 => {
                format!(
                    "`{top}` is gone since Python 3.13: a newer release, a patch, or an older Python is needed"
                )
            }
            "distutils" => {
                "distutils is gone since Python 3.12: add \"setuptools\" to `build-system`, which brings it"
                    .into()
            }
            "pkg_resources" => {
                "newer setuptools have no pkg_resources: ask for \"setuptools<81\" in `build-system`".into()
            }
            _ => format!(
                "add \"{}\" to `build-system` (to `dependencies` if it is needed at run time)",
                project_of(module)
            ),
        };
        found.push(Hint::new(format!("missing-module:{module}"), text));
    }
    found
}

/// What setuptools and its kin complain of: text in the log, group, hint.
const SETUPTOOLS: [(&str, &str, &str); 11] = [
    (
        "use_2to3 is invalid",
        "use-2to3",
        "the source is for Python 2: ask for a newer release, or \"setuptools<58\" in `build-system`",
    ),
    (
        "invalid command 'bdist_wheel'",
        "bdist-wheel",
        "older setuptools need wheel: add \"wheel\" to `build-system`",
    ),
    (
        "has no attribute 'ImpImporter'",
        "old-setuptools",
        "this setuptools is too old for Python 3.12: ask for a newer one in `build-system`",
    ),
    (
        "`project.license` must be",
        "old-setuptools",
        "licence expressions need setuptools 77 or newer in `build-system`",
    ),
    (
        "invalid pyproject.toml config: `project.license`",
        "old-setuptools",
        "licence expressions need setuptools 77 or newer in `build-system`",
    ),
    (
        "was unable to detect version for",
        "vcs-version",
        "the source has no version control data: set the version with `build.env`, for setuptools-scm `SETUPTOOLS_SCM_PRETEND_VERSION`",
    ),
    (
        "Versioning for this project requires either an sdist tarball",
        "vcs-version",
        "the source has no version control data: set `PBR_VERSION` with `build.env`",
    ),
    (
        "Multiple top-level packages discovered in a flat-layout",
        "flat-layout",
        "setuptools does not know which folder to package: say so in the project, or with a patch",
    ),
    (
        "install_layout",
        "old-setuptools",
        "this setuptools does not fit the interpreter: ask for a newer one in `build-system`",
    ),
    (
        "Cython.Compiler.Errors.CompileError",
        "cython",
        "Cython refuses the source: ask for the Cython it was written for (\"cython<3\") in `build-system`",
    ),
    (
        "module 'configparser' has no attribute 'SafeConfigParser'",
        "old-versioneer",
        "the source carries a versioneer too old for Python 3.12: a newer release or a patch is needed",
    ),
];

/// What setuptools and its kin complain of.
pub fn setuptools(lines: &[&str], _facts: Facts) -> Vec<Hint> {
    let known = |(text, group, hint): &(&str, &str, &str)| {
        lines_with(lines, &[text]).next().map(|_| Hint::new(*group, *hint))
    };
    SETUPTOOLS.iter().filter_map(known).collect()
}

/// pytest's plugins by the option they bring.
const OPTIONS: [(&str, &str); 9] = [
    ("--cov", "pytest-cov"),
    ("-n", "pytest-xdist"),
    ("--numprocesses", "pytest-xdist"),
    ("--dist", "pytest-xdist"),
    ("--timeout", "pytest-timeout"),
    ("--asyncio-mode", "pytest-asyncio"),
    ("--benchmark", "pytest-benchmark"),
    ("--doctest-plus", "pytest-doctestplus"),
    ("--reruns", "pytest-rerunfailures"),
];

/// pytest's plugins by the fixture they bring.
const FIXTURES: [(&str, &str); 9] = [
    ("mocker", "pytest-mock"),
    ("benchmark", "pytest-benchmark"),
    ("httpbin", "pytest-httpbin"),
    ("httpserver", "pytest-httpserver"),
    ("requests_mock", "requests-mock"),
    ("aiohttp_client", "pytest-aiohttp"),
    ("freezer", "pytest-freezer"),
    ("snapshot", "syrupy"),
    ("subtests", "pytest-subtests"),
];

/// What test runners complain of.
pub fn tests(lines: &[&str], _facts: Facts) -> Vec<Hint> {
    let mut found = Vec::new();
    let mut plugin = |name: &str| {
        let text = format!("add \"{name}\" to `check.inputs`");
        found.push(Hint::new(format!("pytest-plugin:{name}"), text));
    };
    let mut unknown = Vec::new();
    for line in lines {
        if let Some((_, options)) = line.split_once("error: unrecognized arguments: ") {
            for option in options.split_ascii_whitespace().filter(|o| o.starts_with('-')) {
                match OPTIONS.iter().find(|(known, _)| option.starts_with(known)) {
                    Some((_, name)) => plugin(name),
                    None => unknown.push(option.to_owned()),
                }
            }
        }
        let fixture = between(line, "fixture '", "' not found");
        if let Some((_, name)) = FIXTURES.iter().find(|(known, _)| fixture == Some(known)) {
            plugin(name);
        }
        if line.contains("async def functions are not natively supported") {
            plugin("pytest-asyncio");
        }
        if let Some(mark) =
            word_after(line, "Unknown pytest.mark.").filter(|m| *m == "asyncio" || *m == "anyio")
        {
            plugin(if mark == "asyncio" { "pytest-asyncio" } else { "anyio" });
        }
    }
    if !unknown.is_empty() {
        let text = format!(
            "pytest does not know {}: add the plugin to `check.inputs`, or `check.flags = [\"-o\", \"addopts=\"]`",
            unknown.join(" ")
        );
        found.push(Hint::new("pytest-options", text));
    }
    found
}
