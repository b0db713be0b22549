//! Version specifiers that PEP 440 refuses, and what they were meant to be.
//!
//! Knows the oddities of old releases and of other package managers. Must
//! never know where the text stands.

use std::ops::Range;
use std::str::FromStr;

use pep440_rs::VersionSpecifier;

use crate::name::{Requirement, Version, VersionSpecifiers};

/// One clause that cannot be read.
#[derive(Debug)]
pub(super) struct Trouble {
    /// Its bytes in the whole text.
    pub(super) span: Range<usize>,
    /// What is wrong with it.
    pub(super) message: String,
    /// The bytes to replace and what to write there, when that is clear.
    pub(super) fix: Option<(Range<usize>, String)>,
}

/// Where the specifiers of a requirement's text are: between the name (and
/// extras) and the marker.
pub(super) fn range_of(text: &str) -> Range<usize> {
    let end = text.find(';').unwrap_or(text.len());
    let head = &text[..end];
    let name = head.trim_start().find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    let mut start = name.map_or(head.len(), |n| head.len() - head.trim_start().len() + n);
    if head[start..].trim_start().starts_with('[') {
        start = head[start..].find(']').map_or(head.len(), |n| start + n + 1);
    }
    let (mut start, mut end) = trim(text, start..end);
    if text[start..end].starts_with('(') && text[start..end].ends_with(')') {
        (start, end) = (start + 1, end - 1);
    }
    start..end
}

/// The range without blanks at its ends.
fn trim(text: &str, range: Range<usize>) -> (usize, usize) {
    let part = &text[range.clone()];
    let start = range.start + part.len() - part.trim_start().len();
    (start, start.max(range.start + part.trim_end().len()))
}

/// What is wrong with each clause in a range of the text.
pub(super) fn troubles(text: &str, range: Range<usize>) -> Vec<Trouble> {
    let mut out = Vec::new();
    let mut start = range.start;
    if text[range.clone()].trim().is_empty() {
        return out;
    }
    for clause in text[range.clone()].split(',') {
        let (from, to) = trim(text, start..start + clause.len());
        if from == to {
            // The comma before it goes too; before the first clause, the one after.
            let comma = start.saturating_sub(1).max(range.start);
            let cut =
                if start == range.start { start..start + clause.len() + 1 } else { comma..to.max(start) };
            out.push(Trouble {
                span: cut.start..cut.end.max(cut.start + 1).min(text.len()),
                message: "a comma with no specifier beside it".to_owned(),
                fix: Some((cut, String::new())),
            });
        } else if VersionSpecifier::from_str(&text[from..to]).is_err() {
            let (message, fix) = diagnose(&text[from..to]);
            out.push(Trouble { span: from..to, message, fix: fix.map(|f| (from..to, f)) });
        }
        start += clause.len() + 1;
    }
    out
}

/// The whole text with every trouble mended, if all can be and the result is good.
pub(super) fn mended(text: &str, troubles: &[Trouble]) -> Option<String> {
    let mut fixes: Vec<(Range<usize>, &str)> = Vec::new();
    for trouble in troubles {
        let (range, fix) = trouble.fix.as_ref()?;
        match fixes.last_mut() {
            // Two empty clauses side by side give up the same comma.
            Some((last, _)) if range.start < last.end => last.end = last.end.max(range.end),
            _ => fixes.push((range.clone(), fix)),
        }
    }
    let mut out = text.to_owned();
    for (range, fix) in fixes.into_iter().rev() {
        out.replace_range(range, fix);
    }
    let range = range_of(&out);
    let specifiers =
        if out.trim_start().starts_with(['<', '>', '=', '!', '~']) { 0..out.len() } else { range };
    self::troubles(&out, specifiers).is_empty().then_some(out)
}

/// Version specifiers as a recipe may have them: the text, or what was meant
/// by one of old releases' oddities (`>=3.6.*`, a comma too many).
pub fn mend_specifiers(text: &str) -> Option<String> {
    if VersionSpecifiers::from_str(text).is_ok() {
        return Some(text.to_owned());
    }
    let mended = mended(text, &troubles(text, 0..text.len()))?;
    VersionSpecifiers::from_str(&mended).is_ok().then_some(mended)
}

/// The same for a requirement.
pub fn mend_requirement(text: &str) -> Option<String> {
    if Requirement::from_str(text).is_ok() {
        return Some(text.to_owned());
    }
    let mended = mended(text, &troubles(text, range_of(text)))?;
    Requirement::from_str(&mended).is_ok().then_some(mended)
}

/// Why one clause is refused, and what to write instead.
fn diagnose(clause: &str) -> (String, Option<String>) {
    let split = clause.find(|c: char| !"<>=!~^".contains(c)).unwrap_or(clause.len());
    let (operator, version) = (&clause[..split], clause[split..].trim());
    if let Some((message, fix)) = wrong_operator(clause, operator, version) {
        return (message, Some(fix));
    }
    if version.is_empty() {
        return (format!("`{clause}` has no version"), None);
    }
    if version.contains(char::is_whitespace) || version.contains(['<', '>', '=', '!', '~']) {
        let fix = with_commas(clause);
        return (format!("`{clause}` holds several specifiers without a comma between them"), Some(fix));
    }
    if let Some(stem) = version.strip_suffix(".*") {
        if operator == "~=" {
            return ("`~=` takes no `.*`".to_owned(), Some(format!("=={stem}.*")));
        }
        if !matches!(operator, "==" | "!=") {
            return (
                format!("`{operator}` takes no `.*`: only `==` and `!=` do (PEP 440)"),
                Some(format!("{operator}{stem}")),
            );
        }
    }
    if let Some(stem) = [".x", ".X", ".*.*"].iter().find_map(|s| version.strip_suffix(s)) {
        let fix = if matches!(operator, "==" | "!=") {
            format!("{operator}{stem}.*")
        } else {
            format!("{operator}{stem}")
        };
        return (format!("`{version}` is not a version: a wildcard is written `.*`"), Some(fix));
    }
    if operator == "~=" && Version::from_str(version).is_ok() {
        let message = format!("`~={version}` needs a second number to say what may change (PEP 440)");
        return (message, next_major(version).map(|next| format!(">={version},<{next}")));
    }
    match VersionSpecifier::from_str(clause) {
        Err(_) if Version::from_str(version.trim_end_matches(".*")).is_err() => {
            (format!("`{version}` is not a PEP 440 version"), None)
        }
        Err(error) => (super::words::sentence(&error.to_string()), None),
        Ok(_) => (format!("`{clause}` cannot be read"), None),
    }
}

/// Operators PEP 440 does not have.
fn wrong_operator(clause: &str, operator: &str, version: &str) -> Option<(String, String)> {
    let unknown = |fix: &str| (format!("`{operator}` is not a comparison"), format!("{fix}{version}"));
    Some(match operator {
        "" if Version::from_str(version.trim_end_matches(".*")).is_ok() => {
            (format!("`{clause}` has no comparison before the version"), format!("=={version}"))
        }
        "=" => ("`=` is not a comparison: equality is `==`".to_owned(), format!("=={version}")),
        "=>" => unknown(">="),
        "=<" => unknown("<="),
        "<>" | "><" => unknown("!="),
        "~" => unknown("~="),
        "^" => {
            let next = next_major(version)?;
            ("`^` is Poetry's, not PEP 440's".to_owned(), format!(">={version},<{next}"))
        }
        _ => return None,
    })
}

/// The first version with a higher leading number: `2` for `1.4`.
fn next_major(version: &str) -> Option<u64> {
    Version::from_str(version).ok()?.release().first().and_then(|n| n.checked_add(1))
}

/// `>=1 <2` as `>=1,<2`.
fn with_commas(clause: &str) -> String {
    let mut out = String::new();
    let mut last = ' ';
    for c in clause.chars().filter(|c| !c.is_whitespace()) {
        let operator = |c: char| "<>=!~".contains(c);
        if operator(c) && !operator(last) && !out.is_empty() {
            out.push(',');
        }
        out.push(c);
        last = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_too_odd_to_be_told_about() {
        // Every text of up to five of these signs, as specifiers and behind a name.
        let signs = [',', ' ', '>', '=', '1', '(', ')', '[', ';', 'é'];
        let mut texts = vec![String::new()];
        let mut from = 0;
        for _ in 0..5 {
            let until = texts.len();
            for i in from..until {
                for sign in signs {
                    let longer = format!("{}{sign}", texts[i]);
                    texts.push(longer);
                }
            }
            from = until;
        }
        let mut mends = 0;
        for text in texts {
            let found = troubles(&text, 0..text.len());
            assert!(found.iter().all(|t| text.get(t.span.clone()).is_some()), "{text}");
            mends += usize::from(mended(&text, &found).is_some());
            let named = format!("a{text}");
            mended(&named, &troubles(&named, range_of(&named)));
        }
        assert!(mends > 1000, "{mends}");
    }

    #[test]
    fn the_highest_number_has_no_next() {
        assert_eq!(next_major("1.4"), Some(2));
        assert_eq!(next_major(&u64::MAX.to_string()), None);
    }

    #[test]
    fn oddities_of_old_releases_are_mended() {
        assert_eq!(mend_specifiers(">=3.6.*").as_deref(), Some(">=3.6"));
        assert_eq!(mend_specifiers(">=2.7, !=3.0.*,").as_deref(), Some(">=2.7, !=3.0.*"));
        assert_eq!(mend_specifiers(">=3.9").as_deref(), Some(">=3.9"));
        assert_eq!(mend_specifiers("three"), None);
        assert_eq!(mend_requirement("a>=1.*,; b == '1'"), None, "no such marker");
        assert_eq!(
            mend_requirement("a>=1.*,<2; os_name == 'nt'").as_deref(),
            Some("a>=1,<2; os_name == 'nt'")
        );
        assert_eq!(mend_requirement("a (>=1,)").as_deref(), Some("a (>=1)"));
    }
}
