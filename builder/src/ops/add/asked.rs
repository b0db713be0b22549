//! What `add` is asked for, read: requirements, a day, interpreters.
//!
//! Knows how they are written. Must never know what is done with them.

use recipes::name::Requirement;
use recipes::solve::Wish;
use recipes::target::Target;

use crate::ambient::Ambient;
use crate::error::{Error, Result};
use crate::ops::machines::{Machines, Settings, interpreter};

/// Requirements of the command line.
pub fn wishes(texts: &[String]) -> Result<Vec<Wish>> {
    let wish = |text: &String| {
        let wrong = |why: String| {
            Error::input(format!("`{text}` is no requirement"))
                .because(why)
                .hint("write NAME, NAME==VERSION, 'NAME>=VERSION,<VERSION' or 'NAME[EXTRA]'")
        };
        let requirement: Requirement = text.parse().map_err(wrong)?;
        if matches!(requirement.parsed.version_or_url, Some(pep508_rs::VersionOrUrl::Url(_))) {
            return Err(wrong("an address names no version of a project".to_owned()));
        }
        Ok(Wish { requirement, said: "you asked for".to_owned() })
    };
    texts.iter().map(wish).collect()
}

/// `2026-01-31`, or `2026-01-31T12:00:00Z`.
pub fn check_day(text: &str) -> Result<()> {
    let form = |text: &str, pattern: &str| {
        text.len() == pattern.len()
            && text
                .chars()
                .zip(pattern.chars())
                .all(|(c, p)| if p == '0' { c.is_ascii_digit() } else { c == p })
    };
    if form(text, "0000-00-00") || form(text, "0000-00-00T00:00:00Z") {
        return Ok(());
    }
    Err(Error::input(format!("`{text}` is no date")).hint("write 2026-01-31, or 2026-01-31T12:00:00Z (UTC)"))
}

/// The interpreter of this run, then the others of the workspace.
pub fn targets(
    ambient: &Ambient,
    machines: &Machines,
    (settings, also): (&Settings, &[String]),
) -> Result<Vec<Target>> {
    let mut targets = vec![machines.interpreter.target.clone()];
    if settings.python.is_none() {
        for python in also {
            let other = interpreter(ambient, &machines.store, Some(python))?.target;
            if other.python() != targets[0].python() {
                targets.push(other);
            }
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wished_is_a_requirement_of_a_name() {
        let read = |text: &str| wishes(&[text.to_owned()]);
        for text in ["flask", "Flask>=3,<4", "celery[redis]==5.*", "tomli; python_version < '3.11'"] {
            assert_eq!(read(text).unwrap()[0].requirement.text.as_ref(), text);
        }
        for text in ["fla sk", "flask==", "flask @ https://files.test/f.zip", ""] {
            assert!(read(text).unwrap_err().hints[0].contains("NAME==VERSION"), "{text}");
        }
    }

    #[test]
    fn a_day_is_written_in_one_way() {
        for text in ["2026-01-31", "2026-01-31T12:00:00Z"] {
            assert!(check_day(text).is_ok(), "{text}");
        }
        for text in ["2026-1-31", "yesterday", "2026-01-31T12:00:00+01:00", "2026-01-31T12:00Z", ""] {
            assert!(check_day(text).is_err(), "{text}");
        }
    }
}
