//! What the log of a failed build or check says would help.
//!
//! Knows the messages of compilers, build tools, Python and the network. Must
//! never know the build's spec beyond [`Facts`].

mod python;
mod system;
mod tools;

pub use python::project_of;

/// The group of failures for which no disk had room.
pub const DISK_FULL: &str = "disk-full";

/// One thing that would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Failures with the same group have the same cause
    /// (`missing-header:ffi.h`).
    pub group: String,
    /// One line.
    pub text: String,
}

impl Hint {
    fn new(group: impl Into<String>, text: impl Into<String>) -> Self {
        Self { group: group.into(), text: text.into() }
    }
}

/// Whose names of packages a hint uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distro {
    /// Debian, Ubuntu and what derives from them.
    Debian,
    /// Fedora, RHEL and what derives from them.
    Fedora,
    /// Any other.
    #[default]
    Other,
}

impl Distro {
    /// From the text of `/etc/os-release`.
    pub fn of(os_release: &str) -> Self {
        let words: Vec<&str> = os_release
            .lines()
            .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
            .flat_map(|value| value.trim_matches(['"', '\'']).split_ascii_whitespace())
            .collect();
        if words.contains(&"debian") || words.contains(&"ubuntu") {
            Distro::Debian
        } else if words.iter().any(|w| ["fedora", "rhel", "centos"].contains(w)) {
            Distro::Fedora
        } else {
            Distro::Other
        }
    }

    /// The sentence that says which package to install.
    fn install(self, debian: &str, fedora: &str) -> String {
        match self {
            Distro::Debian => format!("install `{debian}`"),
            Distro::Fedora => format!("install `{fedora}`"),
            Distro::Other => format!("install `{debian}` (Debian), `{fedora}` (Fedora)"),
        }
    }
}

/// What the log does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Whether the recipe declares a compiler.
    pub compiler: bool,
    /// Minor version of Python 3.
    pub python: u32,
    /// Whose package names to use.
    pub distro: Distro,
}

/// Looks at the lines of a log for one family of causes.
type Rule = fn(&[&str], Facts) -> Vec<Hint>;

/// Bytes at the end of a log that are read.
const WINDOW: usize = 4 << 20;

/// What would help, likeliest cause first, one hint a group. Empty when nothing
/// in the log is known.
pub fn hints(log: &str, facts: Facts) -> Vec<Hint> {
    let mut start = log.len().saturating_sub(WINDOW);
    while !log.is_char_boundary(start) {
        start += 1;
    }
    let lines: Vec<&str> = log[start..].lines().collect();
    let rules: [Rule; 9] = [
        tools::resources,
        tools::compilers,
        tools::headers,
        tools::libraries,
        tools::programs,
        tools::network,
        python::modules,
        python::setuptools,
        python::tests,
    ];
    let mut found: Vec<Hint> = Vec::new();
    for hint in rules.iter().flat_map(|rule| rule(&lines, facts)) {
        if !found.iter().any(|have| have.group == hint.group) {
            found.push(hint);
        }
    }
    found.truncate(6);
    found
}

/// The text between two others in a line.
fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(before)?;
    let (found, _) = rest.split_once(after)?;
    (!found.is_empty()).then_some(found)
}

/// The word that follows a text in a line, without quotes and punctuation.
fn word_after<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(before)?;
    let end = |c: char| c.is_whitespace() || "'\"`,;()[]{}<>".contains(c);
    let word = rest.trim_start_matches(end).split(end).next()?.trim_end_matches(['.', ':']);
    (!word.is_empty()).then_some(word)
}

/// The lines that contain one of the texts.
fn lines_with<'a>(lines: &'a [&'a str], texts: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    lines.iter().filter_map(|line| Some((*line, *texts.iter().find(|text| line.contains(**text))?)))
}

#[cfg(test)]
mod tests;
