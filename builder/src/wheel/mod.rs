//! Wheels: read, lint, normalise, install.
//!
//! Knows PEP 427, METADATA, RECORD and entry points. Must never know where wheels
//! come from, or pip.
//!
//! ```text
//! raw archive -> Wheel -> finish (relax, remove-tests, namespaces, normalise) -> finished archive
//! finished archive -> Wheel -> lint, verify (findings) and install (a portable tree)
//! ```

use std::collections::BTreeSet;
use std::str::FromStr as _;

use recipes::diag::{Code, Finding, Severity};
use recipes::name::{PackageName, Version};

use crate::error::{Error, Kind};
use crate::tree::RelPath;

mod adopt;
pub mod archive;
pub mod codes;
pub mod content;
mod contents;
pub mod entry_points;
mod executables;
mod finish;
mod install;
mod lint;
pub mod metadata;
pub mod name;
mod native;
pub mod record;
mod relax;
#[cfg(test)]
pub(crate) mod toy;
mod verify;
pub mod wire;

pub use adopt::{Adoption, adopt};
pub use archive::{Archive, Limits, Member, Written};
pub use content::Spool;
pub use contents::site_packages;
pub use finish::{FinishSpec, Finished, finish};
pub use install::{Installed, Layout, MODULE_FILE, SCRIPTS_DIR, Trouble, install, module};
pub use lint::{LintSpec, lint};
pub use native::{Machine, Native};
pub use verify::{Have, verify};

use archive::Want;
use entry_points::EntryPoint;
use metadata::Headers;
use name::WheelName;

/// A wheel, read: every file is covered by RECORD with a true hash.
#[derive(Clone, Debug)]
pub struct Wheel {
    /// The file name, parsed.
    pub name: WheelName,
    /// Every file, sorted by path.
    pub members: Vec<Member>,
    /// The metadata folder, `flask-3.1.3.dist-info`.
    pub dist_info: String,
    /// The folder of files that go elsewhere than site-packages (PEP 427),
    /// `flask-3.1.3.data`, whether there is one or not.
    pub data: String,
    /// METADATA.
    pub metadata: Headers,
    /// WHEEL.
    pub info: Headers,
    /// RECORD's lines.
    pub record: Vec<record::Line>,
    /// What entry_points.txt offers.
    pub entry_points: Vec<EntryPoint>,
    /// What is wrong in entry_points.txt; an error of `lint`.
    pub entry_point_problems: Vec<String>,
}

/// A finding that stands in no recipe text.
pub fn finding(severity: Severity, code: Code, message: impl Into<String>) -> Finding {
    Finding::plain(code, message).with_severity(severity)
}

fn wrong(code: Code, message: impl Into<String>) -> Finding {
    finding(Severity::Error, code, message)
}

impl From<archive::Bad> for Trouble {
    fn from(bad: archive::Bad) -> Self {
        match bad {
            archive::Bad::Archive(said) => {
                said.into_iter().map(|e| wrong(codes::ARCHIVE, e)).collect::<Vec<_>>().into()
            }
            archive::Bad::Machine(e) => e.into(),
        }
    }
}

/// What of a wheel is looked at as a whole, wherever else its files lie.
fn is_text(path: &RelPath) -> bool {
    path.as_str().split_once('/').is_some_and(|(top, file)| {
        top.ends_with(".dist-info")
            && ["METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt"].contains(&file)
    })
}

/// Findings as one error: what was being done, and every error as a cause.
pub fn as_error(doing: impl Into<String>, findings: &[Finding]) -> Error {
    let mut error = Error::new(Kind::Build, doing);
    for finding in findings.iter().filter(|f| f.severity == Severity::Error) {
        error.causes.push(finding.message.clone());
        error.hints.extend(finding.hints.iter().cloned());
    }
    error
}

impl Wheel {
    /// Reads a wheel of the given file name; the errors are all that is wrong.
    pub fn open(file_name: &str, archive: &Archive, spool: &Spool) -> Result<Self, Trouble> {
        let name = WheelName::from_str(file_name).map_err(|e| vec![wrong(codes::FILE_NAME, e)])?;
        let members = archive::read(archive, &Limits::default(), (is_text, spool))?;
        Self::from_members(name, members)
    }

    /// Reads a wheel that [`finish`] made: its RECORD was true when it was
    /// written, and what a disk does to a file since, the archive's own
    /// checksums tell.
    pub fn open_finished(file_name: &str, archive: &Archive, spool: &Spool) -> Result<Self, Trouble> {
        let name = WheelName::from_str(file_name).map_err(|e| vec![wrong(codes::FILE_NAME, e)])?;
        let members = archive::read(archive, &Limits::default(), (is_text, spool))?;
        let dist_info = find_dist_info(&members).map_err(|e| vec![wrong(codes::DIST_INFO, e)])?;
        let lines = get(&members, &format!("{dist_info}/RECORD"))
            .ok_or_else(|| vec!["it is missing".to_owned()])
            .and_then(record::parse)
            .map_err(|all| {
                all.into_iter().map(|e| wrong(codes::RECORD, format!("RECORD: {e}"))).collect::<Vec<_>>()
            })?;
        Ok(Self::from_true_members(name, members, lines)?)
    }

    /// Requires-Dist of a wheel that [`finish`] made, without reading its
    /// other files.
    pub fn requires_of_finished(archive: &Archive) -> Result<Vec<String>, Trouble> {
        let wanted = |path: &RelPath| match is_text(path) && path.as_str().ends_with("/METADATA") {
            true => Want::Held,
            false => Want::No,
        };
        let spool = Spool::nowhere();
        let members = archive::read_some(archive, &Limits::default(), (wanted, &spool))?;
        let dist_info = find_dist_info(&members).map_err(|e| vec![wrong(codes::DIST_INFO, e)])?;
        let text = get(&members, &format!("{dist_info}/METADATA")).unwrap_or_default();
        let metadata = Headers::parse(text)
            .map_err(|e| vec![wrong(codes::METADATA, format!("METADATA cannot be read: {e}"))])?;
        Ok(metadata.values("Requires-Dist"))
    }

    /// A wheel of these files, sorted by path; RECORD must be true of them.
    fn from_members(name: WheelName, members: Vec<Member>) -> Result<Self, Trouble> {
        let dist_info = find_dist_info(&members).map_err(|e| vec![wrong(codes::DIST_INFO, e)])?;
        let own = format!("{dist_info}/RECORD");
        let lines = match get(&members, &own) {
            None => Err(vec!["it is missing".to_owned()]),
            Some(bytes) => record::parse(bytes),
        };
        let untrue = match &lines {
            Ok(lines) => record::check(lines, &members, &own)?,
            Err(e) => e.clone(),
        };
        let mut problems: Vec<Finding> =
            untrue.into_iter().map(|e| wrong(codes::RECORD, format!("RECORD: {e}"))).collect();
        match Self::from_true_members(name, members, lines.unwrap_or_default()) {
            Ok(wheel) if problems.is_empty() => Ok(wheel),
            Ok(_) => Err(problems.into()),
            Err(more) => {
                problems.extend(more);
                Err(problems.into())
            }
        }
    }

    /// The same when RECORD's lines are known and known to be true.
    fn from_true_members(
        name: WheelName,
        mut members: Vec<Member>,
        record: Vec<record::Line>,
    ) -> Result<Self, Vec<Finding>> {
        members.sort_by(|a, b| a.path.cmp(&b.path));
        let dist_info = find_dist_info(&members).map_err(|e| vec![wrong(codes::DIST_INFO, e)])?;
        let mut problems = Vec::new();
        let mut headers = |file: &str, code| match get(&members, &format!("{dist_info}/{file}")) {
            None => {
                problems.push(wrong(code, format!("`{dist_info}/{file}` is missing")));
                None
            }
            Some(bytes) => match Headers::parse(bytes) {
                Ok(headers) => Some(headers),
                Err(e) => {
                    problems.push(wrong(code, format!("`{dist_info}/{file}` cannot be read: {e}")));
                    None
                }
            },
        };
        let metadata = headers("METADATA", codes::METADATA);
        let info = headers("WHEEL", codes::WHEEL);
        let points = match get(&members, &format!("{dist_info}/entry_points.txt")).map(std::str::from_utf8) {
            None => (Vec::new(), Vec::new()),
            Some(Ok(text)) => entry_points::parse(text),
            Some(Err(_)) => (Vec::new(), vec!["it is not UTF-8".to_owned()]),
        };
        let (Some(metadata), Some(info)) = (metadata, info) else { return Err(problems) };
        let (entry_points, entry_point_problems) = points;
        let data = find_data(&members, &name)
            .unwrap_or_else(|| format!("{}.data", dist_info.trim_end_matches(".dist-info")));
        Ok(Self {
            name,
            members,
            dist_info,
            data,
            metadata,
            info,
            record,
            entry_points,
            entry_point_problems,
        })
    }

    /// A file of the dist-info folder that every reader of wheels knows.
    pub fn dist_info_file(&self, name: &str) -> Option<&[u8]> {
        get(&self.members, &format!("{}/{name}", self.dist_info))
    }

    /// Whether the dist-info folder has a file.
    pub fn has_dist_info_file(&self, name: &str) -> bool {
        find(&self.members, &format!("{}/{name}", self.dist_info)).is_some()
    }

    /// Requires-Dist, as text.
    pub fn requires(&self) -> Vec<String> {
        self.metadata.values("Requires-Dist")
    }

    /// The `.data` folder with a `/`.
    pub fn data_prefix(&self) -> String {
        format!("{}/", self.data)
    }

    /// Folders at the top that look like another wheel's `.data`.
    pub fn foreign_data(&self) -> BTreeSet<&str> {
        top_folders(&self.members).filter(|top| top.ends_with(".data") && *top != self.data).collect()
    }

    /// Root-Is-Purelib.
    pub fn is_purelib(&self) -> bool {
        self.info.get("Root-Is-Purelib").is_some_and(|v| v.eq_ignore_ascii_case("true"))
    }
}

/// The bytes of one of the files that are held.
fn get<'a>(members: &'a [Member], path: &str) -> Option<&'a [u8]> {
    find(members, path)?.bytes.memory()
}

fn find<'a>(members: &'a [Member], path: &str) -> Option<&'a Member> {
    let at = members.binary_search_by(|m| m.path.as_str().cmp(path)).ok()?;
    Some(&members[at])
}

/// The top folder of every file that lies in one, in order.
fn top_folders(members: &[Member]) -> impl Iterator<Item = &str> {
    members.iter().filter_map(|m| m.path.as_str().split_once('/')).map(|(top, _)| top)
}

/// Whether `NAME-VERSION`, as builders spell it, is this wheel's.
fn is_stem_of(stem: &str, wheel: &WheelName) -> bool {
    stem.rsplit_once('-').is_some_and(|(name, version)| {
        name.parse::<PackageName>().ok().as_ref() == Some(&wheel.name)
            && version.parse::<Version>().ok().as_ref() == Some(&wheel.version)
    })
}

/// The `.data` folder of the wheel's own name and version, the first of
/// several: not every builder spells them as it does for `.dist-info`.
fn find_data(members: &[Member], wheel: &WheelName) -> Option<String> {
    top_folders(members)
        .find(|top| top.strip_suffix(".data").is_some_and(|stem| is_stem_of(stem, wheel)))
        .map(str::to_owned)
}

fn find_dist_info(members: &[Member]) -> Result<String, String> {
    let mut found: Vec<&str> = top_folders(members).filter(|top| top.ends_with(".dist-info")).collect();
    found.dedup();
    match found[..] {
        [one] => Ok(one.to_owned()),
        [] => Err("the wheel has no `.dist-info` folder".to_owned()),
        _ => Err(format!("the wheel has several `.dist-info` folders: `{}`", found.join("`, `"))),
    }
}

#[cfg(test)]
mod tests;
