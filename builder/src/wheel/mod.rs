//! Wheels: read, lint, normalise, install.
//!
//! Knows PEP 427, METADATA, RECORD and entry points. Must never know where wheels
//! come from, or pip.
//!
//! ```text
//! raw bytes -> Wheel -> finish (relax, remove-tests, namespaces, normalise) -> finished bytes
//! finished bytes -> Wheel -> lint, verify (findings) and install (a portable tree)
//! ```

use std::path::Path;
use std::str::FromStr as _;

use recipes::diag::{Code, Finding, Severity};

use crate::error::{Error, IoContext as _, Kind, Result};

mod adopt;
pub mod archive;
pub mod codes;
mod contents;
pub mod entry_points;
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
pub use archive::{Limits, Member};
pub use contents::site_packages;
pub use finish::{FinishSpec, Finished, finish};
pub use install::{Installed, Layout, MODULE_FILE, SCRIPTS_DIR, Trouble, install, module};
pub use lint::{LintSpec, lint};
pub use native::{Machine, Native};
pub use verify::{Have, verify};

use entry_points::EntryPoint;
use metadata::Headers;
use name::WheelName;

/// A wheel in memory: every file is covered by RECORD with a true hash.
#[derive(Clone, Debug)]
pub struct Wheel {
    /// The file name, parsed.
    pub name: WheelName,
    /// Every file, sorted by path.
    pub members: Vec<Member>,
    /// The metadata folder, `flask-3.1.3.dist-info`.
    pub dist_info: String,
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
    /// Reads a wheel file; a damaged one is a `Build` error with all causes.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let file_name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        let bytes = std::fs::read(path).doing(|| format!("failed to read `{shown}`"))?;
        Self::parse(&file_name, &bytes)
            .map_err(|f| as_error(format!("failed to read the wheel `{shown}`"), &f))
    }

    /// Reads a wheel of the given file name; the errors are all that is wrong.
    pub fn parse(file_name: &str, bytes: &[u8]) -> Result<Self, Vec<Finding>> {
        let name = WheelName::from_str(file_name).map_err(|e| vec![wrong(codes::FILE_NAME, e)])?;
        let members = archive::read(bytes, &Limits::default())
            .map_err(|all| all.into_iter().map(|e| wrong(codes::ARCHIVE, e)).collect::<Vec<_>>())?;
        Self::from_members(name, members)
    }

    /// A wheel of these files, sorted by path; RECORD must be true of them.
    pub fn from_members(name: WheelName, members: Vec<Member>) -> Result<Self, Vec<Finding>> {
        let dist_info = find_dist_info(&members).map_err(|e| vec![wrong(codes::DIST_INFO, e)])?;
        let own = format!("{dist_info}/RECORD");
        let lines = match get(&members, &own) {
            None => Err(vec!["it is missing".to_owned()]),
            Some(bytes) => record::parse(bytes),
        };
        let untrue = match &lines {
            Ok(lines) => record::check(lines, &members, &own),
            Err(e) => e.clone(),
        };
        let mut problems: Vec<Finding> =
            untrue.into_iter().map(|e| wrong(codes::RECORD, format!("RECORD: {e}"))).collect();
        match Self::from_true_members(name, members, lines.unwrap_or_default()) {
            Ok(wheel) if problems.is_empty() => Ok(wheel),
            Ok(_) => Err(problems),
            Err(more) => {
                problems.extend(more);
                Err(problems)
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
        Ok(Self { name, members, dist_info, metadata, info, record, entry_points, entry_point_problems })
    }

    /// A file's bytes.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        get(&self.members, path)
    }

    /// A file of the dist-info folder.
    pub fn dist_info_file(&self, name: &str) -> Option<&[u8]> {
        self.get(&format!("{}/{name}", self.dist_info))
    }

    /// Requires-Dist, as text.
    pub fn requires(&self) -> Vec<String> {
        self.metadata.values("Requires-Dist")
    }

    /// The folder of files that go elsewhere than site-packages (PEP 427), with a `/`.
    pub fn data_prefix(&self) -> String {
        format!("{}.data/", self.dist_info.trim_end_matches(".dist-info"))
    }

    /// Root-Is-Purelib.
    pub fn is_purelib(&self) -> bool {
        self.info.get("Root-Is-Purelib").is_some_and(|v| v.eq_ignore_ascii_case("true"))
    }
}

fn get<'a>(members: &'a [Member], path: &str) -> Option<&'a [u8]> {
    let at = members.binary_search_by(|m| m.path.as_str().cmp(path)).ok()?;
    Some(&members[at].bytes)
}

fn find_dist_info(members: &[Member]) -> Result<String, String> {
    let mut found: Vec<&str> = members
        .iter()
        .filter_map(|m| m.path.as_str().split_once('/'))
        .map(|(top, _)| top)
        .filter(|top| top.ends_with(".dist-info"))
        .collect();
    found.dedup();
    match found[..] {
        [one] => Ok(one.to_owned()),
        [] => Err("the wheel has no `.dist-info` folder".to_owned()),
        _ => Err(format!("the wheel has several `.dist-info` folders: `{}`", found.join("`, `"))),
    }
}

#[cfg(test)]
mod tests;
