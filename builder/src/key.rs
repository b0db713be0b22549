//! Identities: digests of bytes, and keys of intent.
//!
//! A [`Digest`] names bytes; a [`StepKey`] names what was asked for; a
//! [`ContentKey`] names a step's own spec together with the *digests* of its
//! inputs, and finds the early cut-off. They are different types and none
//! converts into another. Keys are written by hand, field by field, tagged
//! and length-prefixed. This module must never know serde, `Debug` or
//! `std::hash`; never in a key: absolute paths, times, host names, job
//! counts, map order, comments.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// Raised when the meaning of any key changes.
pub const KEY_FORMAT: u32 = 1;

/// The sha256 of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of a stream, read to its end.
    pub fn of_reader(mut from: impl Read) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0u8; 1 << 16];
        loop {
            let n = from.read(&mut buffer)?;
            if n == 0 {
                return Ok(Self(hasher.finalize().into()));
            }
            hasher.update(&buffer[..n]);
        }
    }

    /// 64 lower-case hex digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl FromStr for Digest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return Err(format!("`{text}` is not 64 hex digits"));
        }
        let mut out = [0u8; 32];
        for (i, byte) in out.iter_mut().enumerate() {
            let pair = text.get(2 * i..2 * i + 2).ok_or("not hex")?;
            *byte = u8::from_str_radix(pair, 16).map_err(|e| e.to_string())?;
        }
        Ok(Self(out))
    }
}

/// The digest of a tree's canonical listing (see `tree`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeDigest(pub Digest);

/// What a step was asked to do, known when the plan is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepKey(Digest);

/// A step's own spec and its inputs' digests, known when they are realised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentKey(Digest);

impl StepKey {
    /// Reads back what [`StepKey::hex`] wrote; only the store does this.
    pub fn from_hex(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }

    /// As kept in the store.
    pub fn hex(&self) -> String {
        self.0.hex()
    }
}

impl ContentKey {
    /// As kept in the store.
    pub fn hex(&self) -> String {
        self.0.hex()
    }
}

macro_rules! debug_short {
    ($($t:ty, $prefix:literal);*) => {$(
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let hex: String = self.hex().chars().take(12).collect();
                write!(f, concat!($prefix, "{}"), hex)
            }
        }
    )*};
}

impl TreeDigest {
    /// 64 lower-case hex digits.
    pub fn hex(&self) -> String {
        self.0.hex()
    }
}

debug_short!(Digest, "sha256:"; TreeDigest, "tree:"; StepKey, "step:"; ContentKey, "content:");

/// One named part of a key, kept beside it so that `why` can say which differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPart {
    /// What it is (`source`, `build-system setuptools`), unique in its key.
    pub name: String,
    /// The value or, for long values, its digest; what `why` prints.
    pub value: String,
}

/// Writes a key from named parts. The order of `part` calls does not matter:
/// parts are sorted by name.
#[derive(Clone, Debug, Default)]
pub struct KeyWriter {
    parts: Vec<KeyPart>,
}

impl KeyWriter {
    /// An empty key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one part.
    pub fn part(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.parts.push(KeyPart { name: name.into(), value: value.into() });
        self
    }

    /// The parts, sorted.
    pub fn parts(&self) -> Vec<KeyPart> {
        let mut parts = self.parts.clone();
        parts.sort();
        parts
    }

    fn digest(&self, what: &str) -> Digest {
        let mut hasher = Sha256::new();
        let mut field = |text: &str| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        field(what);
        field(&KEY_FORMAT.to_string());
        for part in self.parts() {
            field(&part.name);
            field(&part.value);
        }
        Digest(hasher.finalize().into())
    }

    /// The key of intent.
    pub fn step_key(&self) -> StepKey {
        StepKey(self.digest("step"))
    }

    /// The key of content.
    pub fn content_key(&self) -> ContentKey {
        ContentKey(self.digest("content"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_key() {
        let mut k = KeyWriter::new();
        k.part("kind", "build").part("source", "abc");
        let mut other = KeyWriter::new();
        other.part("source", "abc").part("kind", "build");
        assert_eq!(k.step_key(), other.step_key());
        expect_test::expect!["c79e"].assert_eq(&k.step_key().hex()[..4]);
        assert_ne!(k.step_key().hex(), k.content_key().hex());
    }

    #[test]
    fn parts_do_not_run_together() {
        let mut a = KeyWriter::new();
        a.part("ab", "c");
        let mut b = KeyWriter::new();
        b.part("a", "bc");
        assert_ne!(a.step_key(), b.step_key());
    }
}
