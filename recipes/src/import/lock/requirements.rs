//! `requirements.txt`, as pip reads it.
//!
//! Knows its lines, options and includes. Must never know where the files
//! lie, and never show an address: it may have a password.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;
use std::sync::Arc;

use super::table::sha256s;
use super::{ELSEWHERE, Locked, Promise, Wanted, pinned, without_address};
use crate::codes;
use crate::diag::{Finding, Place, SourceFile};
use crate::import::nix::joined;
use crate::name::Requirement;
use crate::parse::mend_requirement;

/// Texts by their paths, all relative to one folder.
pub type Files = BTreeMap<String, Arc<SourceFile>>;

/// Options that name where files come from.
const PLACES: [&str; 6] = ["-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host"];

/// Options that say nothing about what is wanted.
const OF_NO_EFFECT: [&str; 2] = ["--require-hashes", "--use-feature"];

/// A line of the file, with those it continues on.
struct Line {
    start: usize,
    /// The length of the first of them.
    len: usize,
    text: String,
}

/// A line that is an option of its own.
struct Flag<'t> {
    name: &'t str,
    value: &'t str,
}

/// The files that a text includes, from its own folder.
pub fn references(text: &str) -> Vec<String> {
    let included = |line: &Line| {
        let flag = flag(&line.text)?;
        let local = include(flag.name).is_some() && !flag.value.contains("://");
        (local && !flag.value.is_empty()).then(|| flag.value.to_owned())
    };
    lines(text).iter().filter_map(included).collect()
}

/// Reads a file and those it includes.
pub fn read(files: &Files, first: &str) -> Locked {
    let mut locked = Locked::default();
    read_one(files, (first, false), &mut BTreeSet::new(), &mut locked);
    // pip asks for all hashes where there is one.
    locked.whole = locked.promises.values().any(|promise| !promise.hashes.is_empty());
    locked
}

fn read_one(
    files: &Files,
    (path, limits): (&str, bool),
    seen: &mut BTreeSet<(String, bool)>,
    locked: &mut Locked,
) {
    let Some(file) = files.get(path).filter(|_| seen.insert((path.to_owned(), limits))) else { return };
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    for line in lines(&file.text) {
        let shown = &file.text[line.start..line.start + line.len];
        let at = without_address(file, line.start, shown);
        let Some(flag) = flag(&line.text) else {
            let mut own = Locked::default();
            requirement(&at, &line.text, &mut own);
            if limits {
                locked.limits.extend(std::mem::take(&mut own.wanted).into_iter().map(|w| w.requirement));
            }
            locked.extend(own);
            continue;
        };
        let Some(of_limits) = include(flag.name) else {
            option(file, &at, &flag, locked);
            continue;
        };
        let named = joined(folder, flag.value);
        if flag.value.contains("://") {
            locked.todo(&at, flag.name, "only files are read, no addresses");
        } else if files.contains_key(&named) {
            read_one(files, (&named, of_limits || limits), seen, locked);
        } else {
            let message = format!("there is no file `{named}`, which this line includes");
            locked.findings.push(Finding::error(codes::BAD_PATH, at, message));
        }
    }
}

/// Whether an option includes a file, and then whether it only limits.
fn include(name: &str) -> Option<bool> {
    match name {
        "-r" | "--requirement" => Some(false),
        "-c" | "--constraint" => Some(true),
        _ => None,
    }
}

fn option(file: &Arc<SourceFile>, at: &Place, flag: &Flag<'_>, locked: &mut Locked) {
    // What follows may be an address with a password.
    let start = at.span.start;
    let only = Place { file: Arc::clone(file), span: start..start + flag.name.len() };
    match flag.name {
        "-e" | "--editable" => locked.todo(at, flag.name, ELSEWHERE),
        name if OF_NO_EFFECT.contains(&name) => {}
        name if PLACES.contains(&name) || name == "--no-index" => {
            locked.todo(&only, name, "name indexes in pip's or uv's configuration, or in `[index.NAME]`");
        }
        name => locked.todo(&only, name, "this has no counterpart"),
    }
}

/// One line that asks for something, with its own options.
pub(super) fn requirement(at: &Place, line: &str, locked: &mut Locked) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let first_option = words.iter().position(|word| word.starts_with('-'));
    let (said, options) = words.split_at(first_option.unwrap_or(words.len()));
    let (mut hashes, mut options) = (Vec::new(), options.iter().copied());
    while let Some(option) = options.next() {
        match option.split_once('=').unwrap_or((option, "")) {
            ("--hash", "") => hashes.extend(options.next().map(str::to_owned)),
            ("--hash", hash) => hashes.push(hash.to_owned()),
            (name, _) if name.starts_with('-') => locked.todo(at, name, "this has no counterpart"),
            _ => {}
        }
    }
    wanted(at, &said.join(" "), &hashes, locked);
}

/// A requirement, or something else that pip takes for one.
pub(super) fn wanted(at: &Place, text: &str, hashes: &[String], locked: &mut Locked) {
    let bad = |code, message: String| Finding::error(code, at.clone(), message);
    if is_path(text) || text.contains("${") {
        let why =
            if text.contains("${") { "its text is in a variable of the environment" } else { ELSEWHERE };
        return locked.todo(at, "", why);
    }
    let read = mend_requirement(text).ok_or(()).and_then(|text| Requirement::from_str(&text).map_err(drop));
    let Ok(requirement) = read else {
        if text.contains("://") {
            return locked.todo(at, "", ELSEWHERE);
        }
        let why = Requirement::from_str(text).err().unwrap_or_default();
        return locked.findings.push(bad(codes::BAD_REQUIREMENT, format!("this is no requirement: {why}")));
    };
    if matches!(requirement.parsed.version_or_url, Some(pep508_rs::VersionOrUrl::Url(_))) {
        return locked.todo(at, requirement.name().as_ref(), ELSEWHERE);
    }
    match (sha256s(hashes.iter().map(String::as_str)), pinned(&requirement)) {
        (Err(why), _) => {
            let message = format!("the hashes of {}: {why}", requirement.name());
            return locked.findings.push(bad(codes::BAD_HASH, message));
        }
        (Ok(_), None) if !hashes.is_empty() => {
            let message = format!("there are hashes of {}, but no `==VERSION`", requirement.name());
            return locked.findings.push(bad(codes::BAD_REQUIREMENT, message));
        }
        (Ok(hashes), Some(version)) if !hashes.is_empty() => {
            let promise = Promise { hashes, only_wheels: false };
            locked.promise((requirement.name().clone(), version), promise);
        }
        _ => {}
    }
    locked.wanted.push(Wanted { requirement, place: at.clone() });
}

/// Whether a line names a file, a folder or an address and no project.
fn is_path(text: &str) -> bool {
    let head = text.split(['@', ';', '[', '<', '>', '=', '!', '~', ' ']).next().unwrap_or("");
    let archive = [".whl", ".tar.gz", ".zip", ".tar.bz2"].iter().any(|end| text.ends_with(end));
    head.contains(['/', '\\', ':']) || head.starts_with('.') || (archive && !text.contains('@'))
}

/// An option that has a line of its own.
fn flag(text: &str) -> Option<Flag<'_>> {
    let text = text.strip_prefix('-').map(|_| text)?;
    let end = text.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(text.len());
    // `-rFILE` is one, too.
    let short = text.char_indices().nth(2).map_or(text.len(), |(at, _)| at);
    let end = if text.starts_with("--") { end } else { end.min(short) };
    let (name, value) = text.split_at(end);
    Some(Flag { name, value: value.trim_start_matches(['=', ' ', '\t']).trim() })
}

/// The lines that say something, joined where they are continued, without
/// their comments.
fn lines(text: &str) -> Vec<Line> {
    let mut out = Vec::new();
    let mut open: Option<Line> = None;
    let mut at = 0;
    for raw in text.split_inclusive('\n') {
        let physical = raw.trim_end_matches(['\n', '\r']);
        let indent = physical.len() - physical.trim_start().len();
        let is_comment = physical.trim_start().starts_with('#');
        let continued = physical.strip_suffix('\\').filter(|_| !is_comment);
        let part = continued.unwrap_or(physical);
        let line = open.get_or_insert_with(|| Line {
            start: at + indent,
            len: without_comment(part).trim().len(),
            text: String::new(),
        });
        // A comment in a line that goes on ends it, as for pip.
        line.text += if is_comment { " #" } else { part };
        if continued.is_none() {
            out.extend(open.take());
        }
        at += raw.len();
    }
    out.extend(open);
    for line in &mut out {
        line.text = without_comment(&line.text).trim().to_owned();
    }
    out.retain(|line| !line.text.is_empty());
    out
}

fn without_comment(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').find(begins).map_or(line, |(at, _)| &line[..at])
}
