//! The words inside values: names, versions, requirements, hashes, sizes.
//!
//! Knows their grammars and what people usually meant. Must never know keys.

use std::cell::RefCell;
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use pep508_rs::{MarkerWarningKind, VerbatimUrl, VersionOrUrl};

use super::specifier::{self, Trouble};
use crate::codes;
use crate::diag::{Code, Finding};
use crate::name::{MarkerTree, PackageName, Requirement, Sha256, Version, VersionSpecifiers};
use crate::node::{Node, Value};
use crate::recipe::Dependency;

/// Good requirements a thread remembers.
const MOST_GOOD: usize = 4096;

thread_local! {
    /// Good requirements by their text, which says all there is to know of
    /// them: thousands of recipes name the same few backends.
    static GOOD: RefCell<HashMap<String, Requirement>> = RefCell::default();
}

/// An error about some bytes of a string value.
fn at(node: &Node, range: std::ops::Range<usize>, code: Code, message: impl Into<String>) -> Finding {
    Finding::error(code, node.inside(range), message)
}

/// A PEP 503 project name.
pub(super) fn name(node: &Node, findings: &mut Vec<Finding>) -> Option<PackageName> {
    let text = node.as_str()?;
    if let Ok(name) = PackageName::from_str(text) {
        return Some(name);
    }
    let finding = Finding::error(
        codes::BAD_NAME,
        node.place.clone(),
        format!("`{text}` is not a project name (letters, digits, and `-`, `_`, `.` between them)"),
    );
    let mended: String = text
        .trim()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    let mended = mended.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let bare = text.split(['<', '>', '=', '!', '~', '[', ';', '@']).next().unwrap_or("").trim();
    findings.push(if PackageName::from_str(bare).is_ok() && bare != text.trim() {
        finding.label("only the name goes here").hint(format!("write `\"{bare}\"`"))
    } else if !mended.is_empty() && PackageName::from_str(mended).is_ok() {
        finding.hint(format!("write `\"{mended}\"`"))
    } else {
        finding
    });
    None
}

/// A PEP 440 version.
pub(super) fn version(node: &Node, findings: &mut Vec<Finding>) -> Option<Version> {
    let text = node.as_str()?;
    if let Ok(version) = Version::from_str(text) {
        return Some(version);
    }
    let good = (1..text.len())
        .rev()
        .filter(|n| text.is_char_boundary(*n))
        .find(|n| Version::from_str(&text[..*n]).is_ok())
        .unwrap_or(0);
    let good = text[..good].trim_end_matches(['.', '-', '_']).len();
    if text.trim().is_empty() {
        findings.push(
            Finding::error(codes::BAD_VERSION, node.place.clone(), "the version is empty")
                .hint("write the version the project says, e.g. `version = \"1.2.3\"`"),
        );
        return None;
    }
    let finding =
        at(node, good..text.len(), codes::BAD_VERSION, format!("`{text}` is not a PEP 440 version"));

    let finding = match good {
        0 => finding,
        _ => finding.label(format!("after `{}` this has no meaning", &text[..good])),
    };
    let rest = text[good..].trim_start_matches(['-', '_', '+', '.']).replace(['-', '_', '+'], ".");
    let local = format!("{}+{rest}", &text[..good]);
    let dotted = text.replace(['-', '_', '/'], ".");
    let date =
        Version::from_str(&dotted).ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit() || b == b'-'));
    findings.push(if let Some(date) = date {
        finding.hint(format!("write `\"{date}\"`"))
    } else if good > 0 && Version::from_str(&local).is_ok() {
        finding.hint(format!(
            "write `\"{local}\"` if this is a local version, or the version the project itself says"
        ))
    } else {
        finding.hint("versions look like `1.2.3`, `1.2rc1`, `1.2.post1`, `1.2.dev0` or `1.2+local`")
    });
    None
}

/// PEP 440 specifiers such as `>=3.9,<4`.
pub(super) fn specifiers(node: &Node, findings: &mut Vec<Finding>) -> Option<VersionSpecifiers> {
    let text = node.as_str()?;
    if let Ok(specifiers) = VersionSpecifiers::from_str(text) {
        return Some(specifiers);
    }
    let troubles = specifier::troubles(text, 0..text.len());
    if troubles.is_empty() {
        let message = format!("`{text}` is not a list of version specifiers");
        findings.push(at(node, 0..text.len(), codes::BAD_SPECIFIER, message).hint("write e.g. `\">=3.9\"`"));
    }

    if Version::from_str(text).is_ok() {
        // Most likely the oldest one that is good enough.
        let finding = at(
            node,
            0..text.len(),
            codes::BAD_SPECIFIER,
            format!("`{text}` has no comparison before the version"),
        );
        findings.push(finding.hint(format!("write `>={}`", text.trim())));
        return None;
    }
    push_troubles(node, text, troubles, findings);
    None
}

/// One finding a bad clause; the fix is the whole text with all of them mended.
fn push_troubles(node: &Node, text: &str, troubles: Vec<Trouble>, findings: &mut Vec<Finding>) {
    let mended = specifier::mended(text, &troubles);
    for trouble in troubles {
        let finding = at(node, trouble.span, codes::BAD_SPECIFIER, trouble.message);
        findings.push(match &mended {
            Some(mended) if mended.trim().is_empty() => finding.hint("remove it"),
            Some(mended) => finding.hint(format!("write `{mended}`")),
            None => finding,
        });
    }
}

/// A PEP 508 requirement of the set: by name, never by address.
pub(super) fn requirement(node: &Node, findings: &mut Vec<Finding>) -> Option<Dependency> {
    let text = node.as_str()?;
    if let Some(sign) = text.find('@').filter(|sign| !text[..*sign].contains(';')) {
        let name = text[..sign].trim();
        findings.push(
            at(
                node,
                sign..text.len(),
                codes::BAD_REQUIREMENT,
                "a requirement names a package, not an address",
            )
            .hint(format!("require `{name}` and give it a recipe whose `[source]` has the address")),
        );
        return None;
    }
    let place = || node.place.clone();
    if let Some(requirement) = GOOD.with_borrow(|good| good.get(text).cloned()) {
        return Some(Dependency { requirement, place: place() });
    }
    let mut complaints = Vec::new();
    let parsed =
        pep508_rs::Requirement::<VerbatimUrl>::parse_reporter(text, "", &mut dropped(&mut complaints));
    match parsed {
        Ok(mut parsed) if complaints.is_empty() => {
            if let Some(VersionOrUrl::VersionSpecifier(all)) = &mut parsed.version_or_url {
                // The list that is parsed has room for more; thousands are kept.
                *all = all.iter().cloned().collect();
            }
            let requirement = Requirement { text: text.trim().into(), parsed: Arc::new(parsed) };
            GOOD.with_borrow_mut(|good| {
                if good.len() < MOST_GOOD {
                    good.insert(text.to_owned(), requirement.clone());
                }
            });
            return Some(Dependency { requirement, place: place() });
        }
        Ok(_) => {
            let start = text.find(';').map_or(0, |n| n + 1);
            let start = text.len() - text[start..].trim_start().len();
            for message in complaints {
                findings.push(at(node, start..text.len(), codes::BAD_MARKER, bad_marker(&message)));
            }
        }
        Err(_) => bad_requirement(node, text, findings),
    }
    None
}

/// Collects what pep508_rs leaves out of a marker because it cannot do it:
/// what would apply more often than it says is an error instead.
fn dropped(complaints: &mut Vec<String>) -> impl FnMut(MarkerWarningKind, String) {
    |kind, message| {
        if !matches!(kind, MarkerWarningKind::DeprecatedMarkerName) {
            complaints.push(message);
        }
    }
}

fn bad_requirement(node: &Node, text: &str, findings: &mut Vec<Finding>) {
    let range = specifier::range_of(text);

    let troubles = specifier::troubles(text, range);
    let comparing =
        |t: &Trouble| t.fix.is_some() || text[t.span.clone()].starts_with(['<', '>', '=', '!', '~']);
    if !troubles.is_empty() && troubles.iter().all(comparing) {
        return push_troubles(node, text, troubles, findings);
    }
    let Err(error) = pep508_rs::Requirement::<VerbatimUrl>::from_str(text) else { return };
    let start = error.start.min(text.len());
    let end = (error.start + error.len).clamp(start, text.len());
    let in_marker = text.get(..start).is_some_and(|head| head.contains(';'));
    let message = sentence(&error.message.to_string());

    if in_marker {
        findings.push(
            at(node, start..end, codes::BAD_MARKER, bad_marker(&message))
                .hint("markers look like `python_version < '3.11' and sys_platform == 'linux'`"),
        );
        return;
    }
    let finding =
        at(node, start..end, codes::BAD_REQUIREMENT, format!("`{text}` is not a requirement: {message}"));
    findings.push(if text.trim().is_empty() {
        Finding::error(codes::BAD_REQUIREMENT, node.place.clone(), "a requirement is empty").hint("remove it")
    } else {
        finding
            .hint("requirements look like `flask`, `flask>=3,<4` or `flask[async]; python_version < '3.11'`")
    });
}

/// A PEP 508 marker.
pub(super) fn marker(node: &Node, findings: &mut Vec<Finding>) -> Option<MarkerTree> {
    let text = node.as_str()?;
    let mut complaints = Vec::new();
    let parsed = MarkerTree::parse_reporter(text, &mut dropped(&mut complaints));
    match parsed {
        Ok(tree) if complaints.is_empty() => return Some(tree),
        Ok(_) => {
            for message in complaints {
                findings.push(at(node, 0..text.len(), codes::BAD_MARKER, bad_marker(&message)));
            }
        }
        Err(error) => {
            let start = error.start.min(text.len());
            let end = (error.start + error.len).clamp(start, text.len());
            findings.push(
                at(node, start..end, codes::BAD_MARKER, bad_marker(&error.message.to_string()))
                    .hint("markers look like `sys_platform == 'linux' and platform_machine == 'x86_64'`"),
            );
        }
    }
    None
}

/// A sha256; an empty text is for the caller.
pub(super) fn hash(node: &Node, findings: &mut Vec<Finding>) -> Option<Sha256> {
    let text = node.as_str()?;
    let error = match Sha256::from_str(text) {
        Ok(hash) => return Some(hash),
        Err(error) => error,
    };
    let finding =
        Finding::error(codes::BAD_HASH, node.place.clone(), format!("`{text}` is not a sha256 hash"));
    let other = ["md5", "sha1", "sha384", "sha512", "blake2b"]
        .iter()
        .find(|kind| text.starts_with(&format!("{kind}-")) || text.starts_with(&format!("{kind}:")));
    let finding = match other {
        Some(kind) => finding.label(format!("this is a {kind}; only sha256 is accepted")),
        None if text.len() == 52 && text.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            finding.label("this looks like Nix's base32").hint("`nix hash to-sri` writes it as SRI")
        }
        None => finding.label(error),
    };
    findings.push(finding.hint("write `hash = \"\"` and build: the right hash is printed"));
    None
}

/// Bytes: a whole number or `"2 GiB"`.
pub(super) fn size(node: &Node, findings: &mut Vec<Finding>) -> Option<u64> {
    const UNITS: [(&str, u64); 10] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("KB", 1_000),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
    ];
    quantity(node, &UNITS, ("a size", "`\"2 GiB\"`, `\"512 MiB\"` or a number of bytes"), findings)
}

/// Seconds: a whole number or `"30m"`.
pub(super) fn duration(node: &Node, findings: &mut Vec<Finding>) -> Option<u64> {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    quantity(node, &UNITS, ("a duration", "`\"30m\"`, `\"2h\"` or a number of seconds"), findings)
}

/// A number of some unit; `what` is its noun and what is allowed.
fn quantity(
    node: &Node,
    units: &[(&str, u64)],
    what: (&str, &str),
    findings: &mut Vec<Finding>,
) -> Option<u64> {
    let value = match &node.value {
        Value::Integer(n) => u64::try_from(*n).ok(),
        Value::String(text) => {
            let text = text.trim();
            let found = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
            let (number, factor) = found.unwrap_or((text, 1));
            number.trim().parse::<u64>().ok().and_then(|n| n.checked_mul(factor))
        }
        _ => return None,
    };
    let (noun, allowed) = what;
    match value {
        Some(0) => {
            let message = format!("{noun} of nothing");
            findings.push(Finding::error(codes::OUT_OF_RANGE, node.place.clone(), message));
            None
        }
        Some(value) => Some(value),
        // A negative number is already reported by the field table.
        None if matches!(node.value, Value::Integer(_)) => None,
        None => {
            let message = format!("{} is not {noun}", node.text());
            findings.push(
                Finding::error(codes::OUT_OF_RANGE, node.place.clone(), message)
                    .hint(format!("write {allowed}")),
            );
            None
        }
    }
}

/// A dotted module name.
pub(super) fn module(node: &Node, findings: &mut Vec<Finding>) -> Option<String> {
    let text = node.as_str()?;
    let good = |part: &str| {
        part.chars().next().is_some_and(|c| c == '_' || c.is_alphabetic())
            && part.chars().all(|c| c == '_' || c.is_alphanumeric())
    };
    if text.split('.').all(good) {
        return Some(text.to_owned());
    }
    let finding = Finding::error(
        codes::BAD_NAME,
        node.place.clone(),
        format!("`{text}` cannot be imported: not a module name"),
    );
    let mended = text.replace('-', "_");
    findings.push(if mended.split('.').all(good) {
        finding.hint(format!("write `\"{mended}\"`"))
    } else {
        finding
    });
    None
}

/// The name of an environment variable.
pub(super) fn variable(name: &str, place: crate::diag::Place, findings: &mut Vec<Finding>) -> Option<String> {
    if !name.is_empty() && !name.contains(['=', '\0']) && !name.contains(char::is_whitespace) {
        return Some(name.to_owned());
    }
    findings.push(Finding::error(codes::BAD_NAME, place, format!("`{name}` is not the name of a variable")));
    None
}

/// A `/`-separated relative path; `up` allows a leading `..`.
pub(super) fn path(node: &Node, up: bool, findings: &mut Vec<Finding>) -> Option<String> {
    let text = node.as_str()?;
    let mut say = |message: &str, hint: &str| {
        findings.push(
            Finding::error(codes::BAD_PATH, node.place.clone(), format!("`{text}` {message}")).hint(hint),
        );
        None
    };
    if text.is_empty() {
        return say("is an empty path", "write `.` for the folder itself");
    }
    if text.starts_with('/') || text.starts_with('~') {
        return say(
            "is not a relative path",
            "write it relative to the folder of this file: it must work anywhere",
        );
    }
    if text.contains(['\\', '\0']) {
        return say("is not a path", "separate folders with `/`");
    }
    if !up && text.split('/').any(|part| part == "..") {
        return say("leaves the source", "name a path inside it, without `..`");
    }
    Some(text.to_owned())
}

fn bad_marker(message: &str) -> String {
    let message = sentence(message);
    let message = message.trim_end_matches("will be ignored").trim_end().trim_end_matches([',', ';']);
    format!("the marker cannot be read: {message}")
}

/// A library's message as the start of one of ours: lower case, no full stop.
pub(super) fn sentence(message: &str) -> String {
    let message = message.trim().trim_end_matches('.');

    let mut chars = message.chars();
    match (chars.next(), message.chars().nth(1)) {
        // Not `URL` or `PEP`.
        (Some(first), Some(second)) if !second.is_uppercase() => first.to_lowercase().chain(chars).collect(),
        _ => message.to_owned(),
    }
}
