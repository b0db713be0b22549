//! `[relax]`: edits of Requires-Dist, on the text itself.
//!
//! Knows where in a requirement (PEP 508) the name and the specifiers stand,
//! and nothing more of its grammar: extras and markers are never touched.
//! Must never re-print a parsed requirement.

use std::collections::BTreeSet;
use std::ops::Range;
use std::str::FromStr as _;

use recipes::diag::{Finding, Place, did_you_mean};
use recipes::name::PackageName;
use recipes::recipe::Relax;

use super::codes;
use super::metadata::Headers;

/// Where the parts of a requirement stand.
struct Parts {
    name: PackageName,
    /// From the end of name and extras to the end of the specifiers or address.
    spec: Range<usize>,
    url: bool,
}

fn split(text: &str) -> Option<Parts> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(text.len());
    let name = PackageName::from_str(&text[..end]).ok()?;
    let mut start = end;
    let rest = text[end..].trim_start();
    if rest.starts_with('[') {
        start = text.len() - rest.len() + rest.find(']')? + 1;
    }
    let url = text[start..].trim_start().starts_with('@');
    // In an address `;` ends it only after a space (PEP 508).
    let stop = if url { text[start..].find(" ;") } else { text[start..].find(';') };
    let stop = stop.map_or(text.len(), |at| start + at);
    let spec = start..start + text[start..stop].trim_end().len();
    Some(Parts { name, spec, url })
}

fn without(text: &str, span: &Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..span.start], &text[span.end..])
}

/// The text without version specifiers or address.
fn drop_specifiers(text: &str, parts: &Parts) -> String {
    without(text, &parts.spec, "")
}

/// The text without upper bounds: `<`, `<=` go; `~=`, `==`, `===` become `>=`.
fn drop_upper(text: &str, parts: &Parts) -> String {
    if parts.url {
        return text.to_owned();
    }
    let region = &text[parts.spec.clone()];
    let inner = region.trim_start();
    let mut start = parts.spec.start + (region.len() - inner.len());
    let mut end = parts.spec.end;
    if inner.starts_with('(') && inner.ends_with(')') {
        (start, end) = (start + 1, end - 1);
    }
    let clauses: Vec<&str> = text[start..end].split(',').map(str::trim).filter(|c| !c.is_empty()).collect();
    let kept: Vec<String> = clauses.iter().filter_map(|c| without_upper(c)).collect();
    if kept == clauses {
        text.to_owned()
    } else if kept.is_empty() {
        drop_specifiers(text, parts)
    } else {
        without(text, &(start..end), &kept.join(","))
    }
}

fn without_upper(clause: &str) -> Option<String> {
    for operator in ["===", "~=", "=="] {
        if let Some(version) = clause.strip_prefix(operator) {
            return Some(format!(">={}", version.trim().trim_end_matches(".*")));
        }
    }
    (!clause.starts_with('<')).then(|| clause.to_owned())
}

/// METADATA with `[relax]` applied. The errors are all names that do not occur.
pub fn relax(metadata: &Headers, relax: &Relax) -> Result<String, Vec<Finding>> {
    let names = |list: &[(PackageName, Place)]| -> BTreeSet<PackageName> {
        list.iter().map(|(n, _)| n.clone()).collect()
    };
    let (drop, upper, remove) = (names(&relax.dependencies), names(&relax.upper), names(&relax.remove));
    let (mut edits, mut seen) = (Vec::new(), BTreeSet::new());
    for header in metadata.all("Requires-Dist") {
        let Some(parts) = split(&header.value) else { continue };
        seen.insert(parts.name.clone());
        if remove.contains(&parts.name) {
            edits.push((header.line.clone(), String::new()));
            continue;
        }
        let new = if relax.all || drop.contains(&parts.name) {
            drop_specifiers(&header.value, &parts)
        } else if upper.contains(&parts.name) {
            drop_upper(&header.value, &parts)
        } else {
            continue;
        };
        if new != header.value {
            edits.push((header.span.clone(), new));
        }
    }
    let unknown: Vec<Finding> = [&relax.dependencies, &relax.upper, &relax.remove]
        .into_iter()
        .flatten()
        .filter(|(name, _)| !seen.contains(name))
        .map(|(name, place)| absent(name, place, &seen))
        .collect();
    if unknown.is_empty() { Ok(metadata.edited(edits)) } else { Err(unknown) }
}

fn absent(name: &PackageName, place: &Place, seen: &BTreeSet<PackageName>) -> Finding {
    let text = format!("the wheel does not require `{name}`, so there is nothing to relax");
    let finding = Finding::error(codes::RELAX_UNKNOWN, place.clone(), text);
    let known: Vec<&str> = seen.iter().map(AsRef::as_ref).collect();
    match did_you_mean(name.as_ref(), known.iter().copied()) {
        Some(near) => finding.hint(format!("did you mean `{near}`?")),
        None if known.is_empty() => finding.hint("it requires nothing; remove the line"),
        None => finding.hint(format!("it requires {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(text: &str) -> (String, String) {
        let parts = split(text).unwrap();
        (drop_specifiers(text, &parts), drop_upper(text, &parts))
    }

    #[test]
    fn only_the_specifiers_change() {
        let cases = [
            ("a>=1,<2", "a", "a>=1"),
            ("a (>=1,<2) ; extra == 'x'", "a ; extra == 'x'", "a (>=1) ; extra == 'x'"),
            (
                "A.b[c, d] ~=1.4 ; python_full_version < '3.11.0a6'",
                "A.b[c, d] ; python_full_version < '3.11.0a6'",
                "A.b[c, d] >=1.4 ; python_full_version < '3.11.0a6'",
            ),
            ("a==1.2.*", "a", "a>=1.2"),
            ("a<2", "a", "a"),
            ("a (<2)", "a", "a"),
            ("a>=1, !=1.5", "a", "a>=1, !=1.5"),
            (
                "a[b]@ https://h/x;y ; os_name=='nt'",
                "a[b] ; os_name=='nt'",
                "a[b]@ https://h/x;y ; os_name=='nt'",
            ),
            ("a", "a", "a"),
        ];
        for (text, dropped, upper) in cases {
            assert_eq!(both(text), (dropped.to_owned(), upper.to_owned()), "{text}");
        }
    }
}
