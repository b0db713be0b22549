//! Why an archive is refused.
//!
//! Knows a sentence for each rule. Must never hold bytes of the archive that
//! a terminal could act on: names are shown escaped.

use std::fmt;

use crate::error::{Error, Kind, shown};

/// An archive that was not unpacked. What was written before is the caller's
/// to remove with the folder it gave.
#[derive(Debug)]
pub enum UnpackError {
    /// It breaks a rule.
    Refused {
        /// The archive's file name.
        archive: String,
        /// The entry, as far as it can be read; empty for the whole archive.
        entry: String,
        /// Which rule.
        why: Refusal,
    },
    /// Its bytes are not what its format asks for: truncated, a wrong
    /// checksum, not an archive at all.
    Corrupt {
        /// The archive's file name.
        archive: String,
        /// The entry, or empty.
        entry: String,
        /// What is wrong.
        why: String,
    },
    /// This machine could not write what is in it.
    Machine {
        /// The archive's file name.
        archive: String,
        /// The entry, or empty.
        entry: String,
        /// What failed.
        cause: std::io::Error,
    },
}

/// The rule an archive breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The name starts with `/`.
    Absolute,
    /// The name has a `..`.
    Escapes,
    /// The name cannot be a name: empty, a NUL, too long.
    BadName(String),
    /// The name, or a link's text, is not UTF-8.
    NotUtf8,
    /// A link leads out of the archive; its text.
    LinkEscapes(String),
    /// The name leads through a link of the same archive.
    ThroughLink(String),
    /// The name leads through a file of the same archive.
    ThroughFile(String),
    /// A hard link to something that is no file written before it.
    HardLink(String),
    /// Neither file, folder nor link; the word for what it is.
    Special(&'static str),
    /// A second entry for a path.
    Duplicate,
    /// It differs from another path only in case; that path.
    CaseCollision(String),
    /// An entry outside the top folder; that folder.
    SecondTop(String),
    /// There is no top folder.
    NoTop,
    /// Sizes that contradict each other.
    SizeLie(String),
    /// Too much of something; the limit in words.
    Limit(String),
    /// Zip: the local header says something else than the central directory.
    HeadersDisagree(&'static str),
    /// Zip: entries share bytes.
    Overlap,
    /// Zip: bytes that belong to no entry.
    StrayBytes,
    /// Zip: the entry is encrypted.
    Encrypted,
    /// Zip: a symbolic link.
    ZipLink,
    /// Something this program does not read.
    Unsupported(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute => f.write_str("its name is absolute"),
            Self::Escapes => f.write_str("its name leaves the archive"),
            Self::BadName(why) => f.write_str(&shown(why)),
            Self::NotUtf8 => f.write_str("its name is not UTF-8"),
            Self::LinkEscapes(text) => {
                write!(f, "it is a link that leaves the archive, to `{}`", shown(text))
            }
            Self::ThroughLink(link) => write!(f, "its name leads through the link `{}`", shown(link)),
            Self::ThroughFile(file) => write!(f, "its name leads through the file `{}`", shown(file)),
            Self::HardLink(to) => {
                write!(f, "it is a hard link to `{}`, which is no file before it", shown(to))
            }
            Self::Special(what) => write!(f, "it is {what}"),
            Self::Duplicate => f.write_str("it is there twice"),
            Self::CaseCollision(other) => write!(f, "it differs from `{}` only in case", shown(other)),
            Self::SecondTop(first) => write!(f, "it lies outside the top folder `{}`", shown(first)),
            Self::NoTop => f.write_str("there is no top folder"),
            Self::SizeLie(what) => f.write_str(what),
            Self::Limit(what) => f.write_str(what),
            Self::HeadersDisagree(what) => {
                write!(f, "its {what} in the local header is not that in the central directory")
            }
            Self::Overlap => f.write_str("it shares bytes with another entry"),
            Self::StrayBytes => f.write_str("there are bytes that belong to no entry"),
            Self::Encrypted => f.write_str("it is encrypted"),
            Self::ZipLink => f.write_str("it is a symbolic link"),
            Self::Unsupported(what) => write!(f, "{} is not supported", shown(what)),
        }
    }
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (archive, entry) = match self {
            Self::Refused { archive, entry, .. }
            | Self::Corrupt { archive, entry, .. }
            | Self::Machine { archive, entry, .. } => (archive, entry),
        };
        write!(f, "failed to unpack `{}`: ", shown(archive))?;
        if !entry.is_empty() {
            write!(f, "entry `{}`: ", shown(entry))?;
        }
        match self {
            Self::Refused { why, .. } => write!(f, "{why}"),
            Self::Corrupt { why, .. } => f.write_str(why),
            Self::Machine { cause, .. } => write!(f, "{cause}"),
        }
    }
}

impl std::error::Error for UnpackError {}

impl From<UnpackError> for Error {
    fn from(e: UnpackError) -> Self {
        let kind = match &e {
            UnpackError::Machine { .. } => Kind::Environment,
            UnpackError::Refused { .. } | UnpackError::Corrupt { .. } => Kind::Build,
        };
        let text = e.to_string();
        match text.split_once(": ") {
            Some((doing, cause)) => Error::new(kind, doing).because(cause),
            None => Error::new(kind, text),
        }
    }
}

/// What went wrong with one entry, before the archive's name is known.
#[derive(Debug)]
pub(super) enum Why {
    Refused(Refusal),
    Corrupt(String),
    Machine(std::io::Error),
}

impl From<Refusal> for Why {
    fn from(why: Refusal) -> Self {
        Why::Refused(why)
    }
}

/// An entry's name (empty: the whole archive) and what is wrong with it.
pub(super) type Fault = (String, Why);

/// Names the archive.
pub(super) fn name(archive: &str, fault: Fault) -> UnpackError {
    let (entry, why) = fault;
    let archive = archive.to_owned();
    match why {
        Why::Refused(why) => UnpackError::Refused { archive, entry, why },
        Why::Corrupt(why) => UnpackError::Corrupt { archive, entry, why },
        Why::Machine(cause) => UnpackError::Machine { archive, entry, cause },
    }
}
