//! File names of a project: which version, and whether source or wheel.
//!
//! Knows PEP 427, PEP 625 and the spellings that came before. Must never know
//! where files lie.

use std::str::FromStr as _;

use recipes::name::{PackageName, Version};

/// Endings of source distributions, the best first.
const SDISTS: [&str; 7] = [".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tbz", ".zip", ".tar"];

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A source distribution; the lower the number, the better its kind.
    Sdist(usize),
    /// A wheel, with the number of PEP 427's build tag, 0 when there is none.
    Wheel(u64),
}

/// The version and kind of a file of `project`; `None` for eggs, installers,
/// signatures and files of other projects.
pub fn classify(project: &PackageName, name: &str) -> Option<(Version, FileKind)> {
    if let Some(stem) = name.strip_suffix(".whl") {
        return wheel(project, stem);
    }
    let lower = name.to_ascii_lowercase();
    let (kind, ending) = SDISTS.iter().enumerate().find(|(_, e)| lower.ends_with(**e))?;
    let stem = &name[..name.len() - ending.len()];
    // `Foo-Bar-1.0-1`: the name ends at the first dash that gives both a
    // name that is the project's and a version.
    let version = stem.match_indices('-').find_map(|(at, _)| {
        let same = is_name_of(project, &stem[..at]);
        same.then(|| version(&stem[at + 1..])).flatten()
    })?;
    Some((version, FileKind::Sdist(kind)))
}

fn wheel(project: &PackageName, stem: &str) -> Option<(Version, FileKind)> {
    let mut parts = stem.split('-');
    if !is_name_of(project, parts.next()?) {
        return None;
    }
    let version = version(parts.next()?)?;
    let build = match parts.clone().count() {
        3 => 0,
        4 => {
            let tag = parts.next()?;
            let digits = tag.find(|c: char| !c.is_ascii_digit()).unwrap_or(tag.len());
            tag[..digits].parse().ok()?
        }
        _ => return None,
    };
    parts.all(|tag| !tag.is_empty()).then_some((version, FileKind::Wheel(build)))
}

fn is_name_of(project: &PackageName, text: &str) -> bool {
    // Most files need no allocation: compare with runs of `-_.` taken as one.
    let mut own = project.as_ref().bytes();
    let mut last_was_dash = false;
    for byte in text.bytes() {
        let dash = matches!(byte, b'-' | b'_' | b'.');
        if dash && last_was_dash {
            continue;
        }
        last_was_dash = dash;
        if own.next() != Some(if dash { b'-' } else { byte.to_ascii_lowercase() }) {
            return false;
        }
    }
    own.next().is_none()
}

fn version(text: &str) -> Option<Version> {
    Version::from_str(text).ok().or_else(|| {
        // Escaped: `1.0_1` is 1.0-1, `1.0+a_b` is 1.0+a-b.
        text.contains('_').then(|| Version::from_str(&text.replace('_', "-")).ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(project: &str, name: &str) -> Option<String> {
        let project = PackageName::from_str(project).unwrap();
        classify(&project, name).map(|(v, kind)| match kind {
            FileKind::Sdist(_) => format!("sdist {v}"),
            FileKind::Wheel(build) => format!("wheel {v} {build}"),
        })
    }

    #[test]
    fn every_spelling_of_an_sdist_is_found() {
        for name in [
            "Foo.Bar-1.0.tar.gz",
            "foo_bar-1.0.tar.gz",
            "foo-bar-1.0.zip",
            "foo__bar-1.0.0.tar.bz2",
            "FOO-BAR-v1.0.TGZ",
            "foo.bar-01.00.tar.xz",
        ] {
            let found = kind("foo-bar", name).unwrap_or_else(|| panic!("{name}"));
            assert!(["sdist 1.0", "sdist 1.0.0"].contains(&found.as_str()), "{name}: {found}");
        }
        assert_eq!(kind("foo", "foo-1.0-1.tar.gz").as_deref(), Some("sdist 1.0.post1"));
        assert_eq!(kind("foo", "foo-1.0+local_1.tar.gz").as_deref(), Some("sdist 1.0+local.1"));
        assert_eq!(kind("python-2-x", "python-2-x-3.tar.gz").as_deref(), Some("sdist 3"));
    }

    #[test]
    fn other_files_are_not_taken() {
        for name in [
            "foo-bar-1.0.tar.gz",
            "foo-1.0.tar.gz.asc",
            "foo-1.0-py3.8.egg",
            "foo-1.0.exe",
            "foo-2004d.tar.gz",
            "foo.tar.gz",
            "foo-1.0-py3-none.whl",
            "",
        ] {
            assert_eq!(kind("foo", name), None, "{name}");
        }
    }

    #[test]
    fn wheels_are_read_by_pep_427() {
        assert_eq!(kind("foo-bar", "Foo_Bar-1.0-2x-py2.py3-none-any.whl").as_deref(), Some("wheel 1.0 2"));
        assert_eq!(kind("foo", "foo-1.0-py3-none-any.whl").as_deref(), Some("wheel 1.0 0"));
    }
}
