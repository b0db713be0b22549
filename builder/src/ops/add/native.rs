//! Whether a source is compiled, and with what: from its files and its build
//! files' words, without running any of it.
//!
//! Knows file endings and build backends. Must never know a recipe's layout.

use std::collections::BTreeSet;
use std::path::Path;

/// What a source seems to be compiled with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Native {
    /// PEP 725 names (`virtual:compiler/c`).
    pub compilers: BTreeSet<&'static str>,
    /// It has a Cargo.toml and a Rust backend.
    pub cargo: bool,
}

/// Folders whose sources are not the package's own.
const ASIDE: [&str; 9] =
    ["tests", "test", "testing", "docs", "doc", "examples", "example", "benchmarks", ".github"];

/// Judges a source by its build files, then names compilers by its files.
/// `files` are all there are, by their paths in the archive.
pub fn inspect(top: &Path, (build_requires, backend): (&[String], &str), files: &[String]) -> Native {
    let mut found = Native::default();
    let read = |name: &str| std::fs::read_to_string(top.join(name)).unwrap_or_default();
    let (setup_py, setup_cfg, pyproject) = (read("setup.py"), read("setup.cfg"), read("pyproject.toml"));
    let requires = |name: &str| {
        build_requires.iter().any(|r| {
            let bare: String = r.chars().take_while(|c| c.is_alphanumeric() || "-_.".contains(*c)).collect();
            bare.to_lowercase().replace(['_', '.'], "-") == name
        })
    };
    if backend.starts_with("maturin") || requires("setuptools-rust") || requires("maturin") {
        found.cargo = true;
        found.compilers.insert("virtual:compiler/rust");
        found.compilers.insert("virtual:compiler/c");
        return found;
    }
    let compiled =
        ["Extension(", "ext_modules", "cffi_modules", "cythonize"].iter().any(|w| setup_py.contains(w))
            || pyproject.contains("ext-modules")
            || setup_cfg.contains("cffi_modules")
            || backend.starts_with("mesonpy")
            || backend.starts_with("scikit_build_core")
            || requires("cython")
            || requires("cffi")
            || requires("pybind11")
            || requires("mypyc");
    if !compiled {
        return found;
    }
    files.iter().for_each(|file| see(file, &mut found));
    // Fortran files are often only examples: the build has to speak of them.
    let builds = [setup_py, setup_cfg, read("meson.build"), read("CMakeLists.txt")];
    if !builds.iter().any(|text| text.to_lowercase().contains("fortran") || text.contains(".f90")) {
        found.compilers.remove("virtual:compiler/fortran");
    }
    if found.compilers.is_empty() && (requires("cffi") || requires("cython")) {
        found.compilers.insert("virtual:compiler/c");
    }
    found
}

fn see(file: &str, found: &mut Native) {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    if folder.split('/').any(|part| ASIDE.contains(&part)) {
        return;
    }
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    let compilers: &[&str] = match end {
        "c" | "pyx" => &["virtual:compiler/c"],
        "cc" | "cpp" | "cxx" | "hpp" => &["virtual:compiler/c", "virtual:compiler/cpp"],
        "f" | "f90" | "f77" | "for" => &["virtual:compiler/c", "virtual:compiler/fortran"],
        _ => &[],
    };
    found.compilers.extend(compilers);
}
