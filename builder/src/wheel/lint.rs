//! What is wrong with a finished wheel, all at once, with stable codes.
//!
//! Knows the wheel and what the recipe promises about it. Must never stop at
//! the first finding.

use std::collections::BTreeSet;

use rayon::prelude::*;
use recipes::diag::{Finding, Severity};
use recipes::name::{PackageName, Version};
use recipes::recipe::Expect;

use super::content::Content;
use super::contents::{FIRST_LINES, JUNK, python_options};
use super::entry_points::is_identifier;
use super::install::place;
use super::native::{self, Sentence};
use super::{Wheel, codes, finding, is_stem_of, wrong};
use crate::error::Result;

/// What the recipe promises, and what must not be in the bytes.
#[derive(Clone, Copy, Debug)]
pub struct LintSpec<'a> {
    /// The recipe's name.
    pub name: &'a PackageName,
    /// The recipe's version.
    pub version: &'a Version,
    /// `expect`.
    pub expect: Option<Expect>,
    /// Absolute folders of this machine the build saw, beside [`BUILD_DIRS`]:
    /// the work folder at the lower isolation levels. One of them in a wheel is an error.
    pub build_paths: &'a [String],
}

/// Folders every cell has for its build: a path below one of them in a wheel
/// leads nowhere, but is the same for everybody, so it is a warning. Other text that begins `/build/` is only a `Lint`, since it
/// is as likely to be somebody's web address.
pub const BUILD_DIRS: [&str; 3] = ["/build/src", "/build/tmp", "/build/out"];

/// All findings about a wheel, errors first, then by code and text.
pub fn lint(wheel: &Wheel, spec: &LintSpec<'_>) -> Result<Vec<Finding>> {
    let compiled: Vec<(&str, Sentence)> = wheel
        .members
        .par_iter()
        .filter_map(|m| {
            let native = native::inspect_content(&m.bytes).transpose()?;
            Some(native.map(|native| (m.path.as_str(), native)))
        })
        .collect::<Result<_>>()?;
    let natives: Vec<_> = compiled
        .into_iter()
        .filter(|(path, native)| match native {
            // A Windows launcher is data, as in setuptools.
            Ok(native) if native.format == native::Format::Pe => {
                path.ends_with(".pyd") || path.ends_with(".dll")
            }
            _ => true,
        })
        .collect();
    let mut all = identity(wheel, spec);
    all.extend(wheel_file(wheel));
    all.extend(tags(wheel, &natives, spec.expect));
    all.extend(runpaths(&natives));
    all.extend(build_paths(wheel, spec.build_paths)?);
    all.extend(executables(wheel)?);
    all.extend(licences(wheel));
    all.extend(top_level(wheel));
    all.extend(place(wheel, "3").err().unwrap_or_default());
    all.extend(wheel.foreign_data().into_iter().map(|folder| foreign_data(wheel, folder)));
    all.sort_by(|a, b| (b.severity, a.code, &a.message).cmp(&(a.severity, b.code, &b.message)));
    Ok(all)
}

fn identity(wheel: &Wheel, spec: &LintSpec<'_>) -> Vec<Finding> {
    let several = |header: &&str| wheel.metadata.values(header).len() > 1;
    let told =
        |header| wrong(codes::METADATA, format!("METADATA has several `{header}` headers, and may have one"));
    // One reader takes the first of them, the next the last.
    let mut all: Vec<_> =
        ["Metadata-Version", "Name", "Version"].into_iter().filter(several).map(told).collect();
    let name: Option<PackageName> = wheel.metadata.get("Name").and_then(|n| n.parse().ok());
    let version: Option<Version> = wheel.metadata.get("Version").and_then(|v| v.parse().ok());
    let mut differ = |what: &str, got: String, want: String| {
        if got != want {
            all.push(
                wrong(codes::IDENTITY, format!("METADATA has the {what} `{got}`, the recipe `{want}`")).hint(
                    format!(
                        "the {what} the build made usually comes from pyproject.toml, setup.py or the VCS"
                    ),
                ),
            );
        }
    };
    let shown = |header: &str| wheel.metadata.get(header).unwrap_or_default().to_owned();
    match &name {
        Some(name) => differ("name", name.to_string(), spec.name.to_string()),
        None => differ("name", shown("Name"), spec.name.to_string()),
    }
    match &version {
        Some(version) if version == spec.version => {}
        _ => differ("version", shown("Version"), spec.version.to_string()),
    }
    let expected = Some(&wheel.name.name) == name.as_ref() && Some(&wheel.name.version) == version.as_ref();
    if !expected && name.is_some() && version.is_some() {
        let text = format!("the file name `{}` and METADATA disagree", wheel.name.text);
        all.push(wrong(codes::IDENTITY, text));
    }
    let stem = wheel.dist_info.trim_end_matches(".dist-info");
    if !is_stem_of(stem, &wheel.name) {
        let text = format!("the folder `{}` is not named like the wheel", wheel.dist_info);
        all.push(wrong(codes::DIST_INFO, text));
    }
    match wheel
        .metadata
        .get("Metadata-Version")
        .map(|v| v.split('.').map(str::parse::<u32>).collect::<Vec<_>>())
    {
        Some(parts) if matches!(parts[..], [Ok(1), Ok(_)]) => {}
        Some(parts) if matches!(parts[..], [Ok(2), Ok(minor)] if minor <= 6) => {}
        _ => {
            let text = format!("METADATA has the unknown Metadata-Version `{}`", shown("Metadata-Version"));
            all.push(finding(Severity::Warning, codes::METADATA, text));
        }
    }
    all
}

/// Its files would not go where they are meant to go.
fn foreign_data(wheel: &Wheel, folder: &str) -> Finding {
    let text =
        format!("the folder `{folder}` is not the wheel's own `{}`, so it is not installed", wheel.data);
    wrong(codes::PLACEMENT, text)
        .hint("it is named by what made the wheel: give it the name and version of the recipe there")
}

fn wheel_file(wheel: &Wheel) -> Vec<Finding> {
    let mut all = Vec::new();
    let version = wheel.info.get("Wheel-Version").unwrap_or_default();
    if !version.starts_with("1.") {
        all.push(wrong(codes::WHEEL, format!("WHEEL has the unknown Wheel-Version `{version}`")));
    }
    let pure = wheel.info.get("Root-Is-Purelib").unwrap_or_default();
    if !["true", "false"].contains(&pure.to_lowercase().as_str()) {
        all.push(wrong(codes::WHEEL, format!("WHEEL has Root-Is-Purelib `{pure}`, not true or false")));
    }
    let listed: BTreeSet<String> = wheel
        .info
        .values("Tag")
        .iter()
        .flat_map(|t| t.parse::<super::name::TagSet>().map_or_else(|_| vec![t.clone()], |t| t.expand()))
        .collect();
    let named: BTreeSet<String> = wheel.name.tags.expand().into_iter().collect();
    if listed != named {
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
        let text = format!("WHEEL lists the tags `{}`, the file name says `{}`", list(&listed), list(&named));
        all.push(wrong(codes::TAGS, text));
    }
    all.extend(
        wheel
            .entry_point_problems
            .iter()
            .map(|p| wrong(codes::ENTRY_POINTS, format!("entry_points.txt: {p}"))),
    );
    all
}

type Natives<'a> = [(&'a str, Sentence)];

fn tags(wheel: &Wheel, natives: &Natives<'_>, expect: Option<Expect>) -> Vec<Finding> {
    let mut all = Vec::new();
    let any = wheel.name.tags.platform == "any";
    let extensions: Vec<&str> = natives
        .iter()
        .map(|(path, _)| *path)
        .filter(|p| [".so", ".pyd", ".dylib", ".dll"].iter().any(|e| p.ends_with(e)) || p.contains(".so."))
        .collect();
    let tag = &wheel.name.tags;
    if let (true, Some((path, _))) = (any, natives.first()) {
        let text = format!("the tag `{tag}` says any platform, but `{path}` is compiled");
        all.push(wrong(codes::TAGS, text));
    }
    let platlib = wheel.data_prefix() + "platlib/";
    if let Some(path) = extensions.iter().find(|p| wheel.is_purelib() && !p.starts_with(&platlib)) {
        let text = format!("WHEEL says Root-Is-Purelib, but `{path}` is compiled");
        all.push(finding(Severity::Warning, codes::TAGS, text));
    }
    if !any && natives.is_empty() {
        let text = format!(
            "the tag `{tag}` names a platform, but no file is compiled: an optional extension fell away"
        );
        all.push(finding(Severity::Warning, codes::TAGS, text));
    }
    if expect == Some(Expect::Native) && extensions.is_empty() {
        all.push(
            wrong(codes::EXPECT, "the recipe expects a compiled extension, but the wheel has none").hint(
                "a compiler or header was missing and the build left the optional extension out: see its log",
            ),
        );
    }
    if let (Some(Expect::Pure), Some((path, _))) = (expect, natives.first()) {
        all.push(wrong(codes::EXPECT, format!("the recipe expects a pure wheel, but `{path}` is compiled")));
    } else if expect == Some(Expect::Pure) && !any {
        all.push(wrong(codes::EXPECT, format!("the recipe expects a pure wheel, but its tag is `{tag}`")));
    }
    let abi3 = tag.abi == "abi3" || tag.abi == "none";
    if let Some(path) = extensions.iter().find(|p| abi3 && p.contains(".cpython-")) {
        let text = format!("the tag `{tag}` fits any Python, but `{path}` is for one");
        all.push(finding(Severity::Warning, codes::TAGS, text));
    }
    all.extend(machines(wheel, natives));
    all
}

fn machines(wheel: &Wheel, natives: &Natives<'_>) -> Vec<Finding> {
    let platforms: Vec<&str> = wheel.name.tags.platform.split('.').collect();
    let machines: Vec<_> = platforms.iter().filter_map(|p| native::machine_of_tag(p)).collect();
    let formats: Vec<_> = platforms.iter().filter_map(|p| native::format_of_tag(p)).collect();
    let mut all = Vec::new();
    for (path, native) in natives {
        let native = match native {
            Ok(native) => native,
            Err(e) => {
                let text = format!("`{path}` begins like a compiled file but cannot be read: {e}");
                all.push(finding(Severity::Warning, codes::MACHINE, text));
                continue;
            }
        };
        let machine = machines.is_empty()
            || native.machines.is_empty()
            || native.machines.iter().any(|m| machines.contains(m))
            || platforms.iter().any(|p| p.contains("universal"));
        // Only extensions count: a Windows launcher as package data is no mistake.
        let extension = path.ends_with(".so") || path.ends_with(".pyd");
        let format = formats.is_empty() || formats.contains(&native.format);
        if extension && !(machine && format) {
            let text = format!("`{path}` is not for the platform of the tag `{}`", wheel.name.tags);
            all.push(wrong(codes::MACHINE, text));
        }
    }
    all
}

fn runpaths(natives: &Natives<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    for (path, native) in natives {
        let Ok(native) = native else { continue };
        for search in native.search.iter().filter(|s| s.starts_with('/')) {
            let text = format!("`{path}` looks for libraries in `{search}`");
            all.push(finding(Severity::Warning, codes::RUNPATH, text));
        }
    }
    all
}

fn build_paths(wheel: &Wheel, more: &[String]) -> Result<Vec<Finding>> {
    // A path of this machine makes other bytes elsewhere; the fixed paths of a cell do not.
    let machine = more.iter().map(|p| (p.as_str(), Severity::Error));
    let known: Vec<(&str, Severity)> =
        machine.chain(BUILD_DIRS.into_iter().map(|p| (p, Severity::Warning))).collect();
    wheel
        .members
        .par_iter()
        .filter_map(|member| {
            let path = &member.path;
            let found = known.iter().find_map(|(p, s)| {
                let found = find_in(&member.bytes, p).transpose()?;
                Some(found.map(|found| (found, *s)))
            });
            match found {
                Some(Err(e)) => return Some(Err(e)),
                Some(Ok((found, severity))) => {
                    let text = format!("`{path}` has the build path `{found}` in it");
                    return Some(Ok(finding(severity, codes::BUILD_PATH, text).hint(
                        "nothing is there when the wheel is used; patch the path out of the file or its maker",
                    )));
                }
                None => {}
            }
            let found = find_in(&member.bytes, "/build/").transpose()?;
            Some(found.map(|found| {
                let text = format!("`{path}` has `{found}` in it, which may be a path of the build");
                finding(Severity::Lint, codes::BUILD_PATH, text)
            }))
        })
        .collect()
}

/// Bytes of a path that are shown behind what it begins with.
const SHOWN: usize = 80;

/// [`find_path`] in bytes that need not be held: window by window, each with
/// the byte before it and what a path that begins in it may need behind it.
fn find_in(content: &Content, prefix: &str) -> Result<Option<String>> {
    const WINDOW: usize = 1 << 18;
    if let Some(bytes) = content.memory() {
        return Ok(find_path(bytes, prefix, bytes.len()));
    }
    let mut from = 0;
    while from < content.size() {
        let before = usize::from(from > 0);
        let window = content.at(from - before as u64, before + WINDOW + prefix.len() + SHOWN)?;
        let found = find_path(&window, prefix, before + WINDOW);
        if found.is_some() {
            return Ok(found);
        }
        from += WINDOW as u64;
    }
    Ok(None)
}

/// The first path below `prefix` in some bytes that begins before `stop`, when
/// it stands there as an absolute path: nothing that belongs to a longer path
/// before it.
fn find_path(bytes: &[u8], prefix: &str, stop: usize) -> Option<String> {
    let finder = memchr::memmem::Finder::new(prefix.as_bytes());
    let of_path = |b: u8| b.is_ascii_alphanumeric() || b"._-~/+@%}".contains(&b);
    finder.find_iter(bytes).take_while(|at| *at < stop).find_map(|at| {
        if at > 0 && of_path(bytes[at - 1]) {
            return None;
        }
        let rest = &bytes[at + prefix.len()..];
        let whole = prefix.ends_with('/') || rest.first().is_none_or(|b| *b == b'/' || !of_path(*b));
        if !whole || (prefix.ends_with('/') && !rest.first().is_some_and(|b| of_path(*b))) {
            return None;
        }
        let end = rest.iter().take(SHOWN).take_while(|b| of_path(**b)).count();
        Some(format!("{prefix}{}", String::from_utf8_lossy(&rest[..end])))
    })
}

fn executables(wheel: &Wheel) -> Result<Vec<Finding>> {
    let mut all = Vec::new();
    let prefix = wheel.data_prefix() + "scripts/";
    for member in &wheel.members {
        let Some(name) = member.path.as_str().strip_prefix(&prefix) else { continue };
        let lines = member.bytes.at(0, FIRST_LINES)?;
        let Some(line) = lines.strip_prefix(b"#!").and_then(|r| r.split(|b| *b == b'\n').next()) else {
            continue;
        };
        let line = String::from_utf8_lossy(line).trim().to_owned();
        if python_options(&lines).is_none() || line.starts_with("python") {
            continue;
        }
        // `env python` is portable, if not what PEP 427 asks for.
        let env = line.starts_with("/usr/bin/env ");
        let severity = if env { Severity::Lint } else { Severity::Warning };
        let text = format!("the script `{name}` begins `#!{line}` instead of `#!python`");
        all.push(finding(severity, codes::SHEBANG, text));
    }
    Ok(all)
}

fn licences(wheel: &Wheel) -> Vec<Finding> {
    let here = |file: &str| {
        // PEP 639 puts them below `licenses/`; before it they stood in dist-info or nowhere.
        let base = file.rsplit('/').next().unwrap_or(file);
        [format!("licenses/{file}"), file.to_owned(), base.to_owned(), format!("license_files/{file}")]
            .iter()
            .any(|f| wheel.has_dist_info_file(f))
    };
    let promised = wheel.metadata.values("License-File");
    let strict = wheel.metadata.get("Metadata-Version").is_some_and(|v| v.starts_with("2.") && v != "2.1");
    let missing = promised.iter().filter(|f| !here(f));
    let severity = if strict { Severity::Error } else { Severity::Warning };
    missing
        .map(|f| {
            finding(
                severity,
                codes::LICENSE_FILE,
                format!("METADATA promises the licence file `{f}`, which is not there"),
            )
        })
        .collect()
}

fn top_level(wheel: &Wheel) -> Vec<Finding> {
    let mut tops: BTreeSet<(String, bool)> = BTreeSet::new();
    for member in &wheel.members {
        let path = member.path.as_str();
        match path.split_once('/') {
            Some((top, _)) => tops.insert((top.to_owned(), true)),
            None => tops.insert((path.to_owned(), false)),
        };
    }
    let own = wheel.name.name.as_ref();
    tops.into_iter()
        .filter(|(top, folder)| {
            if *folder {
                JUNK.contains(&top.as_str()) && top != own
            } else {
                let stem = top.split('.').next().unwrap_or(top);
                let belongs =
                    [".py", ".pyi", ".so", ".pyd", ".pth", ".start"].iter().any(|e| top.ends_with(e));
                !belongs
                    || !is_identifier(&stem.replace('-', "_"))
                    || top == "setup.py"
                    || top == "conftest.py"
            }
        })
        .map(|(top, folder)| {
            let what = if folder { "folder" } else { "file" };
            let text =
                format!("the {what} `{top}` stands at the top of site-packages and belongs to no package");
            finding(Severity::Warning, codes::TOP_LEVEL, text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_absolute_build_paths_count() {
        let found = |text: &str| find_path(text.as_bytes(), "/build/src", text.len());
        assert_eq!(found("x = '/build/src/a.c'").as_deref(), Some("/build/src/a.c"));
        assert_eq!(found("/build/src\0").as_deref(), Some("/build/src"));
        for fine in ["docs/build/src/x", "/build/srcs", "https://h/build/src", "$HOME/build/src"] {
            assert_eq!(found(fine), None, "{fine}");
        }
        assert_eq!(find_path(b"f('/build/x')", "/build/", 99).as_deref(), Some("/build/x"));
        assert_eq!(find_path(b"f('/build/')", "/build/", 99), None);
    }
}
