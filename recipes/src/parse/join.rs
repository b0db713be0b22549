//! Requirements that say something of one package twice, as one that says it all.
//!
//! Knows where the parts of a requirement's text are. Must never re-print a
//! part: what is joined is cut out of the texts that were given.

use std::str::FromStr as _;

use super::specifier::range_of;
use crate::name::Requirement;

/// The same requirements, each package once for each marker: extras and
/// specifiers of the later ones go to the first. Addresses stay as they are.
pub fn join_requirements(texts: Vec<String>) -> Vec<String> {
    let mut out: Vec<(String, Option<Requirement>)> = Vec::new();
    for text in texts {
        let read = Requirement::from_str(&text).ok().filter(has_no_address);
        let same =
            |a: &Requirement, b: &Requirement| a.name() == b.name() && a.parsed.marker == b.parsed.marker;
        let first = out.iter_mut().find(|(_, known)| {
            known.as_ref().zip(read.as_ref()).is_some_and(|(known, read)| same(known, read))
        });
        match first {
            None => out.push((text, read)),
            Some(first) => {
                let both = joined(&first.0, &text);
                if let Ok(read) = Requirement::from_str(&both) {
                    *first = (both, Some(read));
                } else {
                    out.push((text, read));
                }
            }
        }
    }
    out.into_iter().map(|(text, _)| text).collect()
}

fn has_no_address(requirement: &Requirement) -> bool {
    !matches!(requirement.parsed.version_or_url, Some(pep508_rs::VersionOrUrl::Url(_)))
}

/// `a [x] >=1 ; m` in its parts: `a`, `x`, ` `, `>=1`, ` ; m`.
struct Parts<'t> {
    name: &'t str,
    extras: Vec<&'t str>,
    blank: &'t str,
    specifiers: Vec<&'t str>,
    marker: &'t str,
}

fn parts(text: &str) -> Parts<'_> {
    let range = range_of(text);
    let end = text.find(';').unwrap_or(text.len());
    let head = &text[..range.start];
    let (name, extras) = head.split_once('[').unwrap_or((head.trim_end_matches('('), ""));
    let blank = if head.trim_end_matches('(').ends_with(' ') { " " } else { "" };
    let before = text[..end].trim_end().len();
    Parts {
        name: name.trim(),
        extras: listed(extras.split(']').next().unwrap_or("")),
        blank,
        specifiers: listed(&text[range]),
        marker: &text[before..],
    }
}

fn listed(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
}

fn joined(first: &str, second: &str) -> String {
    let (mut all, more) = (parts(first), parts(second));
    let bare = |extra: &str| extra.to_lowercase().replace(['_', '.'], "-");
    for extra in more.extras {
        if !all.extras.iter().any(|known| bare(known) == bare(extra)) {
            all.extras.push(extra);
        }
    }
    for specifier in more.specifiers {
        if !all.specifiers.contains(&specifier) {
            all.specifiers.push(specifier);
        }
    }
    let extras = if all.extras.is_empty() { String::new() } else { format!("[{}]", all.extras.join(",")) };
    let blank = if all.specifiers.is_empty() { "" } else { all.blank };
    format!("{}{extras}{blank}{}{}", all.name, all.specifiers.join(","), all.marker)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(texts: &[&str]) -> Vec<String> {
        join_requirements(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn what_is_said_twice_is_said_once() {
        assert_eq!(join(&["fastapi", "b", "FastAPI"]), ["fastapi", "b"]);
        assert_eq!(join(&["a[x]", "a[y, X]"]), ["a[x,y]"]);
        assert_eq!(join(&["pytest !=8.1.*,>=6", "pytest !=8.0.*, >=6"]), ["pytest !=8.1.*,>=6,!=8.0.*"]);
        assert_eq!(join(&["a (>=1)", "a[x] (<2)", "a>=1"]), ["a[x] >=1,<2"]);
        assert_eq!(join(&["a; os_name == 'nt'", "a>1 ; os_name=='nt'"]), ["a>1; os_name == 'nt'"]);
    }

    #[test]
    fn what_is_not_of_one_marker_stays_apart() {
        for texts in [
            ["a>=1; python_version < '3.11'", "a>=2; python_version >= '3.11'"],
            ["a", "a; os_name == 'nt'"],
            ["a @ https://files.test/a.zip", "a>=1"],
            ["a ??", "a ??"],
        ] {
            assert_eq!(join(&texts), texts);
        }
    }
}
