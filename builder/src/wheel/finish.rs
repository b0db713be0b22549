//! From a backend's wheel to a finished one: the same bytes on every machine.
//!
//! Knows the recipe fields that change a wheel (`[relax]`, `remove-tests`,
//! `namespaces`). A function of bytes alone; must never know where they lie.

use std::collections::HashMap;

use recipes::diag::Finding;
use recipes::recipe::Relax;

use super::archive::{self, Archive, Member, Written};
use super::content::Spool;
use super::install::Trouble;
use super::{Wheel, codes, record, relax, wrong};
use crate::error::Result;
use crate::tree::RelPath;

/// What the recipe says about the wheel.
#[derive(Clone, Copy, Debug)]
pub struct FinishSpec<'a> {
    /// `[relax]`.
    pub relax: &'a Relax,
    /// `remove-tests`.
    pub remove_tests: bool,
    /// `namespaces` (PEP 420).
    pub namespaces: &'a [String],
}

/// A finished wheel.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The archive.
    pub archive: Written,
    /// The same, read.
    pub wheel: Wheel,
    /// What was taken out, one sentence each.
    pub notes: Vec<String>,
}

/// Finishes a raw wheel: edits asked for by the recipe, then one canonical
/// archive (members sorted, dist-info last, 1980-01-01, 0644/0755, RECORD
/// rebuilt, signatures dropped). The errors are all that stands in the way.
pub fn finish(
    file_name: &str,
    (raw, spool): (&Archive, &Spool),
    spec: &FinishSpec<'_>,
) -> std::result::Result<Finished, Trouble> {
    let mut wheel = Wheel::open(file_name, raw, spool)?;
    let (mut problems, mut notes) = (Vec::new(), Vec::new());
    match relax::relax(&wheel.metadata, spec.relax) {
        Ok(text) => replace(&mut wheel, "METADATA", text),
        Err(unknown) => problems.extend(unknown),
    }
    problems.extend(enforce_namespaces(&mut wheel, spec.namespaces, &mut notes)?);
    if spec.remove_tests {
        remove_tests(&mut wheel, &mut notes);
    }
    remove_byte_code(&mut wheel, &mut notes);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    // One hash a file: RECORD was found true when the wheel was read.
    let (name, edited) = (wheel.name.clone(), wheel.dist_info.clone());
    let (members, record) =
        canonical(wheel, &[format!("{edited}/METADATA"), format!("{edited}/top_level.txt")])?;
    let archive = archive::write(&members, spool)?;
    let wheel = Wheel::from_true_members(name, members, record)?;
    Ok(Finished { archive, wheel, notes })
}

fn replace(wheel: &mut Wheel, file: &str, text: String) {
    let path = format!("{}/{file}", wheel.dist_info);
    if let Some(member) = wheel.members.iter_mut().find(|m| m.path.as_str() == path) {
        member.bytes = text.into_bytes().into();
    }
}

/// Site-packages path of a member: below the root, `.data/purelib` or `.data/platlib`.
fn site_path<'a>(wheel: &Wheel, path: &'a str) -> Option<&'a str> {
    match path.strip_prefix(&wheel.data_prefix()) {
        None => Some(path),
        Some(rest) => rest.strip_prefix("purelib/").or_else(|| rest.strip_prefix("platlib/")),
    }
}

/// Byte code beside its source is no part of a wheel: it differs with who
/// wrote it, and an interpreter would run it though no source says so.
fn remove_byte_code(wheel: &mut Wheel, notes: &mut Vec<String>) {
    let before = wheel.members.len();
    wheel.members.retain(|m| !m.path.as_str().split('/').rev().skip(1).any(|part| part == "__pycache__"));
    let gone = before - wheel.members.len();
    if gone > 0 {
        notes.push(format!("removed `__pycache__` ({})", crate::error::count(gone, "file")));
    }
}

fn remove_tests(wheel: &mut Wheel, notes: &mut Vec<String>) {
    for folder in ["tests", "test"] {
        // A project that *is* `tests` keeps its only package.
        if wheel.name.name.as_ref() == folder {
            continue;
        }
        let inside = |wheel: &Wheel, m: &Member| {
            site_path(wheel, m.path.as_str())
                .and_then(|p| p.strip_prefix(folder))
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let keep: Vec<bool> = wheel.members.iter().map(|m| !inside(wheel, m)).collect();
        let gone = keep.iter().filter(|k| !**k).count();
        if gone == 0 {
            continue;
        }
        let mut keep = keep.into_iter();
        wheel.members.retain(|_| keep.next().unwrap_or(true));
        notes.push(format!("removed the top-level folder `{folder}` ({gone} files)"));
        if let Some(text) = wheel.dist_info_file("top_level.txt").map(String::from_utf8_lossy) {
            let left: String = text.split_inclusive('\n').filter(|line| line.trim() != folder).collect();
            replace(wheel, "top_level.txt", left);
        }
    }
}

/// Removes the `__init__.py` of listed namespaces (PEP 420) and the `.pth`
/// files setuptools made for them; one with code of its own is an error.
fn enforce_namespaces(
    wheel: &mut Wheel,
    namespaces: &[String],
    notes: &mut Vec<String>,
) -> Result<Vec<Finding>> {
    let (mut problems, mut gone) = (Vec::new(), Vec::new());
    for namespace in namespaces {
        let folder = format!("{}/", namespace.replace('.', "/"));
        let mut occurs = false;
        for member in &wheel.members {
            let Some(rest) = site_path(wheel, member.path.as_str()).and_then(|p| p.strip_prefix(&folder))
            else {
                continue;
            };
            occurs = true;
            if rest != "__init__.py" {
                continue;
            }
            if is_namespace_init(&member.bytes.all()?) {
                gone.push(member.path.clone());
            } else {
                problems.push(
                    wrong(
                        codes::NAMESPACE_CODE,
                        format!("`{}` has code in it, so `{namespace}` cannot be a namespace", member.path),
                    )
                    .hint(format!("take `{namespace}` out of `namespaces`, or patch the file away")),
                );
            }
        }
        if !occurs {
            problems.push(
                wrong(
                    codes::NAMESPACE_UNKNOWN,
                    format!("the wheel has nothing in the namespace `{namespace}`"),
                )
                .hint(format!("take `{namespace}` out of `namespaces`")),
            );
        }
    }
    if !namespaces.is_empty() {
        let pth = |m: &&Member| {
            site_path(wheel, m.path.as_str()).is_some_and(|p| !p.contains('/') && p.ends_with("-nspkg.pth"))
        };
        gone.extend(wheel.members.iter().filter(pth).map(|m| m.path.clone()));
    }
    notes.extend(gone.iter().map(|path| format!("removed `{path}`: its folder is a namespace")));
    wheel.members.retain(|m| !gone.contains(&m.path));
    Ok(problems)
}

/// Whether an `__init__.py` does nothing, or only what makes an old-style namespace.
fn is_namespace_init(bytes: &[u8]) -> bool {
    const KNOWN: [&str; 9] = [
        "try:",
        "exceptImportError:",
        "pass",
        "importpkgutil",
        "frompkgutilimportextend_path",
        "importpkg_resources",
        "pkg_resources.declare_namespace(__name__)",
        "__path__=extend_path(__path__,__name__)",
        "__path__=pkgutil.extend_path(__path__,__name__)",
    ];
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut docstring: Option<&str> = None;
    for line in text.lines() {
        let line = line.trim().trim_start_matches('\u{feff}');
        if let Some(mark) = docstring {
            docstring = (!line.ends_with(mark)).then_some(mark);
            continue;
        }
        let mark = ["\"\"\"", "'''"].into_iter().find(|m| line.starts_with(m));
        if let Some(mark) = mark {
            let closed = line.len() >= 6 && line.ends_with(mark);
            if !closed && line[3..].contains(mark) {
                return false;
            }
            docstring = (!closed).then_some(mark);
            continue;
        }
        let code = line.split('#').next().unwrap_or("");
        let code: String =
            code.chars().filter(|c| !c.is_whitespace()).map(|c| if c == '"' { '\'' } else { c }).collect();
        for part in code.split(';').filter(|p| !p.is_empty()) {
            let known = KNOWN.contains(&part)
                || part == "__import__('pkg_resources').declare_namespace(__name__)"
                || part == "__path__=__import__('pkgutil').extend_path(__path__,__name__)";
            if !known {
                return false;
            }
        }
    }
    docstring.is_none()
}

/// The members in archive order with a fresh RECORD, and its lines. All
/// hashes but those of `edited` are taken from the old RECORD, which is true.
fn canonical(wheel: Wheel, edited: &[String]) -> Result<(Vec<Member>, Vec<record::Line>)> {
    let prefix = format!("{}/", wheel.dist_info);
    let own = format!("{prefix}RECORD");
    let dropped = [own.clone(), format!("{own}.jws"), format!("{own}.p7s")];
    let mut known: HashMap<String, String> = wheel
        .record
        .into_iter()
        .filter(|line| line.hash.starts_with("sha256=") && !edited.contains(&line.path))
        .map(|line| (line.path, line.hash.trim_end_matches('=').to_owned()))
        .collect();
    let mut members = wheel.members;
    members.retain(|m| !dropped.iter().any(|d| d == m.path.as_str()));
    for member in members.iter_mut().filter(|m| m.path.as_str().starts_with(&prefix)) {
        member.executable = false;
    }
    members.sort_by(|a, b| {
        let key = |m: &Member| m.path.as_str().starts_with(&prefix);
        key(a).cmp(&key(b)).then_with(|| a.path.cmp(&b.path))
    });
    let mut lines: Vec<record::Line> = members
        .iter()
        .map(|m| {
            let hash = match known.remove(m.path.as_str()) {
                Some(hash) => hash,
                None => record::hash_of_content(&m.bytes)?,
            };
            Ok(record::Line { path: m.path.to_string(), hash, size: Some(m.bytes.size()) })
        })
        .collect::<Result<_>>()?;
    lines.push(record::Line { path: own.clone(), hash: String::new(), size: None });
    members.push(Member {
        path: RelPath::new(own).expect("a folder of the wheel and a plain name"),
        bytes: lines.iter().map(record::Line::text).collect::<String>().into_bytes().into(),
        executable: false,
    });
    Ok((members, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespace_inits_are_told_from_code() {
        for empty in [
            "",
            "# only a comment\n",
            "\"\"\"Doc.\n\nMore.\n\"\"\"\n",
            "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
            "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)  # noqa\n",
            "try:\n    __import__(\"pkg_resources\").declare_namespace(__name__)\nexcept ImportError:\n    import pkgutil; __path__ = pkgutil.extend_path(__path__, __name__)\n",
        ] {
            assert!(is_namespace_init(empty.as_bytes()), "{empty}");
        }
        for code in [
            "__version__ = '1'\n",
            "from .a import b\n",
            "'''doc''' + x()\n",
            "'''open\n",
            "\"\"\"a\"\"\"; f()\n",
        ] {
            assert!(!is_namespace_init(code.as_bytes()), "{code}");
        }
    }
}
