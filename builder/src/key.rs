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
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// Raised when the meaning of any key changes.
pub const KEY_FORMAT: u32 = 1;

/// The two hex digits of each byte.
const DIGITS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut all = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        all[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    all
};

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
        let mut out = String::with_capacity(64);
        self.write_hex(&mut out);
        out
    }

    /// The same, behind a text.
    fn write_hex(&self, out: &mut String) {
        // By hand: a plan of thousands of steps writes millions of these digits.
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&DIGITS[usize::from(byte)]);
        }
        out.push_str(std::str::from_utf8(&digits).expect("digits are ASCII"));
    }
}

impl FromStr for Digest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return Err(format!("`{text}` is not 64 hex digits"));
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let mut out = [0u8; 32];
        for (byte, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
            let (high, low) = digit(pair[0]).zip(digit(pair[1])).ok_or("not hex")?;
            *byte = high << 4 | low;
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
///
/// A plan of thousands of recipes keeps one a step, so all names and values
/// lie one after the other in one text, and what many have in common is there
/// once.
#[derive(Clone, Debug, Default)]
pub struct KeyWriter {
    /// Parts that other keys have, too.
    common: Option<Arc<KeyWriter>>,
    text: String,
    /// Where each name and its value end.
    ends: Vec<(u32, u32)>,
}

impl KeyWriter {
    /// An empty key, with room for what most steps say.
    pub fn new() -> Self {
        Self { common: None, text: String::with_capacity(256), ends: Vec::with_capacity(8) }
    }

    /// A key that has all parts of another, which is not copied.
    pub fn after(common: &Arc<KeyWriter>) -> Self {
        Self { common: Some(Arc::clone(common)), ..Self::new() }
    }

    /// Makes this the same key as another, in the room that it has.
    pub fn become_like(&mut self, other: &KeyWriter) {
        self.common.clone_from(&other.common);
        self.text.clone_from(&other.text);
        self.ends.clone_from(&other.ends);
    }

    /// Adds one part.
    pub fn part(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> &mut Self {
        self.long_part(&[name.as_ref()], &[value.as_ref()])
    }

    /// Adds one part whose name and value are put together from pieces.
    pub fn long_part(&mut self, name: &[&str], value: &[&str]) -> &mut Self {
        name.iter().for_each(|piece| self.text.push_str(piece));
        let name_end = self.end();
        value.iter().for_each(|piece| self.text.push_str(piece));
        self.ends.push((name_end, self.end()));
        self
    }

    /// Adds one part whose value ends in another step's key.
    pub fn step_part(&mut self, name: &[&str], value: &[&str], key: &StepKey) -> &mut Self {
        self.long_part(name, value);
        key.0.write_hex(&mut self.text);
        let end = self.end();
        self.ends.last_mut().expect("a part was just added").1 = end;
        self
    }

    fn end(&self) -> u32 {
        // The recipes of a set are some megabytes of text at most.
        u32::try_from(self.text.len()).expect("a key is shorter than 4 GB")
    }

    /// This key with room for nothing more: to be kept.
    pub fn fitted(mut self) -> Self {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        self
    }

    /// Names and values, as they were added.
    fn each(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        let part = move |&(name, value): &(u32, u32)| {
            let (from, name, value) = (start, name as usize, value as usize);
            start = value;
            (&self.text[from..name], &self.text[name..value])
        };
        self.ends.iter().map(part)
    }

    /// Names and values, sorted.
    fn sorted(&self) -> Vec<(&str, &str)> {
        let common = self.common.as_deref();
        let many = self.ends.len() + common.map_or(0, |common| common.ends.len());
        let mut parts = Vec::with_capacity(many);
        parts.extend(self.each());
        parts.extend(common.iter().flat_map(|common| common.each()));
        // The stable sort is the one that sees that inputs come in their order.
        parts.sort();
        parts
    }

    /// The parts, sorted.
    pub fn parts(&self) -> Vec<KeyPart> {
        let own = |(name, value): (&str, &str)| KeyPart { name: name.to_owned(), value: value.to_owned() };
        self.sorted().into_iter().map(own).collect()
    }

    fn digest(&self, what: &str, bytes: &mut Vec<u8>) -> Digest {
        bytes.clear();
        let mut field = |text: &str| {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        };
        field(what);
        field(&KEY_FORMAT.to_string());
        for (name, value) in self.sorted() {
            field(name);
            field(value);
        }
        Digest::of(bytes)
    }

    /// The key of intent.
    pub fn step_key(&self) -> StepKey {
        self.step_key_in(&mut Vec::new())
    }

    /// The same, in room that many keys can have one after the other.
    pub fn step_key_in(&self, room: &mut Vec<u8>) -> StepKey {
        StepKey(self.digest("step", room))
    }

    /// The key of content.
    pub fn content_key(&self) -> ContentKey {
        ContentKey(self.digest("content", &mut Vec::new()))
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
    fn a_key_is_the_same_whoever_else_has_its_parts() {
        let mut common = KeyWriter::new();
        common.part("b", "2").part("d", "4");
        let step = common.step_key();
        let mut alone = KeyWriter::new();
        alone.part("b", "2").part("d", "4").part("a", "1").part("c", format!("3 {}", step.hex()));
        let mut shared = KeyWriter::after(&Arc::new(common));
        shared.part("a", "1").step_part(&["c"], &["3 "], &step);
        assert_eq!(shared.step_key(), alone.step_key());
        assert_eq!(shared.content_key(), alone.content_key());
        assert_eq!(shared.clone().fitted().parts(), alone.parts());
        // In room that held another key.
        let (mut room, mut key) = (vec![7; 9], KeyWriter::new());
        key.part("x", "y");
        key.become_like(&shared);
        assert_eq!(key.step_key_in(&mut room), alone.step_key());
        key.become_like(&alone);
        assert_eq!(key.step_key_in(&mut room), alone.step_key());
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
