//! The error of a broken machine, a wrong input or a bug of ours.
//!
//! Knows the exit code each kind has. Must never know packages: a build that
//! fails is a value (`event::Failure`), not an error.

use std::borrow::Cow;
use std::fmt;

/// Whose fault it is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A build or check failed (exit 1).
    Build,
    /// Recipe or usage (exit 2).
    Input,
    /// Network, disk, isolation (exit 3).
    Environment,
    /// Bytes are not the promised ones (exit 4).
    Hash,
    /// Two builds of one thing differ (exit 5).
    Nondeterministic,
    /// Ours (exit 70).
    Bug,
    /// Nobody's: the user asked to stop, by Ctrl-C, SIGTERM or SIGHUP (exit
    /// 130, as of a program ended by SIGINT).
    Stopped,
}

impl Kind {
    /// The process exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Build => 1,
            Kind::Input => 2,
            Kind::Environment => 3,
            Kind::Hash => 4,
            Kind::Nondeterministic => 5,
            Kind::Bug => 70,
            Kind::Stopped => 130,
        }
    }

    /// Of several kinds at once, the one whose code is the exit code:
    /// the first of 130, 70, 3, 4, 5, 2, 1.
    pub fn first(kinds: impl IntoIterator<Item = Kind>) -> Option<Kind> {
        const ORDER: [Kind; 7] = [
            Kind::Stopped,
            Kind::Bug,
            Kind::Environment,
            Kind::Hash,
            Kind::Nondeterministic,
            Kind::Input,
            Kind::Build,
        ];
        let all: Vec<Kind> = kinds.into_iter().collect();
        ORDER.into_iter().find(|k| all.contains(k))
    }
}

/// A sentence about an action and an object, its causes, and hints.
#[derive(Clone, Debug)]
pub struct Error {
    /// Whose fault.
    pub kind: Kind,
    /// `failed to unpack `x.tar.gz``: lower case, no full stop.
    pub doing: String,
    /// Why, outermost first; each a sentence of the same form.
    pub causes: Vec<String>,
    /// What would help; printed as `hint:` lines.
    pub hints: Vec<String>,
}

/// The result of anything that needs the machine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A number with its word: `1 test`, `2 tests`.
pub fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// Bytes that are looked at together.
const PIECE: usize = 256;

/// A text for a terminal: what a terminal would act on (controls but line ends
/// and tabs) or show in another order (bidirectional controls) is written as
/// `\u001b`, which is right in JSON, too.
pub fn printable(text: &str) -> Cow<'_, str> {
    // Nearly all that is ever said, and a plan has megabytes of it: without a
    // jump at each byte many are looked at at once.
    let plain = |part: &[u8]| part.iter().fold(true, |all, b| all & matches!(b, b' '..=b'~' | b'\n' | b'\t'));
    if text.as_bytes().chunks(PIECE).all(plain) {
        return Cow::Borrowed(text);
    }
    escaped(text, |c| acts(c) && !matches!(c, '\n' | '\t'))
}

/// [`printable`] for a stranger's name in a sentence: all of it on one line.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, acts)
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, acts: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' if acts(c) => out.push_str("\\n"),
            c if acts(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

impl Error {
    /// An error without a further cause.
    pub fn new(kind: Kind, doing: impl Into<String>) -> Self {
        Self { kind, doing: doing.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// A wrong recipe or command line.
    pub fn input(doing: impl Into<String>) -> Self {
        Self::new(Kind::Input, doing)
    }

    /// A machine that cannot.
    pub fn environment(doing: impl Into<String>) -> Self {
        Self::new(Kind::Environment, doing)
    }

    /// A bug of ours.
    pub fn bug(doing: impl Into<String>) -> Self {
        Self::new(Kind::Bug, doing)
    }

    /// The same error with a cause (and that cause's own causes).
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// The same error with one more hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// This error as the cause of a larger one; the kind and hints stay.
    pub fn within(mut self, doing: impl Into<String>) -> Self {
        let inner = std::mem::replace(&mut self.doing, doing.into());
        self.causes.insert(0, inner);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Turns an `io::Result` into ours, naming what was being done to what.
/// There is no `From<io::Error>`: a `?` that forgets the file does not compile.
pub trait IoContext<T> {
    /// `doing` is evaluated only on failure. The kind is `Environment`.
    fn doing<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: fmt::Display> IoContext<T> for std::result::Result<T, E> {
    fn doing<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| Error::environment(doing()).because(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_written_out() {
        let text = "a\u{1b}]0;x\u{7}\u{9b}31m\r\n\tb\u{202e}\u{7f}é";
        assert_eq!(printable(text), "a\\u001b]0;x\\u0007\\u009b31m\\u000d\n\tb\\u202e\\u007fé");
        assert_eq!(shown("a\nerror: b\tc"), "a\\nerror: b\\u0009c");
        assert!(matches!(printable("it's `plain`, \\ too"), Cow::Borrowed(_)));
    }
}
