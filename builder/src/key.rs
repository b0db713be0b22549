//! Identities: digests of bytes, and keys of intent.
//!
//! A [`Digest`] names bytes; a [`StepKey`] names what was asked for; a
//! [`ContentKey`] names a step's own spec together with the *digests* of its
//! inputs, and finds the early cut-off. They are different types and none
//! converts into another. Keys are written by hand, field by field, tagged
//! and length-prefixed. This module must never know serde, `Debug` or
//! `std::hash`; never in a key: absolute paths, times, host names, job
//! counts, map order, comments.

use std::cmp::Ordering;
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
        out.push_str(std::str::from_utf8(&self.digits()).expect("digits are ASCII"));
    }

    /// The same, as bytes.
    fn digits(&self) -> [u8; 64] {
        // By hand: a plan of thousands of steps writes millions of these digits.
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&DIGITS[usize::from(byte)]);
        }
        digits
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

/// A part that names another step's key, in pieces that lie elsewhere: its
/// name, and its value up to that key.
#[derive(Clone, Copy, Debug)]
pub struct StepPart<'p> {
    /// The name.
    pub name: [&'p str; 3],
    /// What stands before the key.
    pub value: [&'p str; 2],
    /// The key.
    pub key: &'p StepKey,
}

impl StepPart<'_> {
    /// By name, then by value; those of one plan begin alike.
    fn order(&self, other: &Self) -> Ordering {
        let alike = |i: usize| std::ptr::eq(self.name[i], other.name[i]);
        let names = match alike(0) && alike(1) {
            true => self.name[2].cmp(other.name[2]),
            false => in_pieces(self.name, other.name),
        };
        names.then_with(|| self.text().cmp(&other.text()))
    }

    /// Its order to a part that is in one piece.
    fn order_to(&self, (name, value): (&str, &str)) -> Ordering {
        in_pieces(self.name, [name, "", ""]).then_with(|| self.text().as_str().cmp(value))
    }

    fn text(&self) -> String {
        let mut text = self.value.concat();
        self.key.0.write_hex(&mut text);
        text
    }
}

/// The order of two texts that are in pieces.
fn in_pieces(a: [&str; 3], b: [&str; 3]) -> Ordering {
    let (mut left, mut right) = (a.map(str::as_bytes), b.map(str::as_bytes));
    let (mut i, mut j) = (0, 0);
    loop {
        while left[i].is_empty() && i < 2 {
            i += 1;
        }
        while right[j].is_empty() && j < 2 {
            j += 1;
        }
        let both = left[i].len().min(right[j].len());
        if both == 0 {
            // One of them has ended.
            return left[i].len().cmp(&right[j].len());
        }
        match left[i][..both].cmp(&right[j][..both]) {
            Ordering::Equal => (left[i], right[j]) = (&left[i][both..], &right[j][both..]),
            order => return order,
        }
    }
}

/// Room that many keys can be made in, one after the other.
#[derive(Debug, Default)]
pub struct Room {
    bytes: Vec<u8>,
    /// The parts that are in pieces, in the order of the key.
    pieces: Vec<u32>,
}

/// What is written of a key, as it is kept: its parts are sorted, so that
/// whoever hashes it need not sort them.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Parts that other keys have, too.
    common: Option<Arc<Common>>,
    text: Box<str>,
    ends: Box<[(u32, u32)]>,
}

/// Parts that many keys have. Who counts them must not wait for who reads
/// them: the counts that lie before this have a cache line of their own.
#[derive(Debug)]
#[repr(align(128))]
pub struct Common(Spec);

/// Writes a key from named parts. The order of `part` calls does not matter:
/// parts are sorted by name.
///
/// A plan of thousands of recipes keeps what one wrote for each step
/// ([`Spec`]), so all names and values lie one after the other in one text, and
/// what many have in common is there once.
#[derive(Clone, Debug, Default)]
pub struct KeyWriter {
    /// Parts that other keys have, too.
    common: Option<Arc<Common>>,
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
    pub fn after(common: &Arc<Common>) -> Self {
        Self { common: Some(Arc::clone(common)), ..Self::new() }
    }

    /// The same as [`KeyWriter::after`], in the room that this one has.
    pub fn again(mut self, common: &Arc<Common>) -> Self {
        self.common = Some(Arc::clone(common));
        self.text.clear();
        self.ends.clear();
        self
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
    pub fn step_part(&mut self, part: &StepPart<'_>) -> &mut Self {
        self.long_part(&part.name, &part.value);
        part.key.0.write_hex(&mut self.text);
        let end = self.end();
        self.ends.last_mut().expect("a part was just added").1 = end;
        self
    }

    fn end(&self) -> u32 {
        // The recipes of a set are some megabytes of text at most.
        u32::try_from(self.text.len()).expect("a key is shorter than 4 GB")
    }

    /// Names and values of its own, sorted.
    fn sorted(&self) -> Vec<(&str, &str)> {
        let mut parts = Vec::with_capacity(self.ends.len());
        parts.extend(each(&self.text, &self.ends));
        parts.sort_unstable();
        parts
    }

    /// What was written, with room for nothing more; what is common goes with it.
    pub fn keep(&mut self) -> Spec {
        let mut text = String::with_capacity(self.text.len());
        let mut ends = Vec::with_capacity(self.ends.len());
        for (name, value) in self.sorted() {
            // No longer than what was added.
            text.push_str(name);
            let name_end = text.len() as u32;
            text.push_str(value);
            ends.push((name_end, text.len() as u32));
        }
        Spec { common: self.common.take(), text: text.into(), ends: ends.into() }
    }

    /// The same of a key that is written further.
    pub fn kept(&self) -> Spec {
        self.clone().keep()
    }

    /// What was written, for many keys.
    pub fn shared(&self) -> Arc<Common> {
        Arc::new(Common(self.kept()))
    }

    /// The parts, sorted.
    pub fn parts(&self) -> Vec<KeyPart> {
        let own = |(name, value): (&str, &str)| KeyPart { name: name.to_owned(), value: value.to_owned() };
        self.kept().each().map(own).collect()
    }

    /// The key of intent.
    pub fn step_key(&self) -> StepKey {
        self.kept().step_key()
    }

    /// The key of content.
    pub fn content_key(&self) -> ContentKey {
        ContentKey(self.kept().digest("content", NONE, &mut Room::default()))
    }
}

/// No parts in pieces.
pub const NONE: (usize, fn(usize) -> StepPart<'static>) = (0, |_| unreachable!("there are none"));

/// Names and values, one after the other in a text.
fn each<'k>(text: &'k str, ends: &'k [(u32, u32)]) -> impl Iterator<Item = (&'k str, &'k str)> {
    let mut start = 0;
    ends.iter().map(move |&(name, value)| {
        let (from, name, value) = (start, name as usize, value as usize);
        start = value;
        (&text[from..name], &text[name..value])
    })
}

impl Spec {
    /// Names and values with those in common, sorted.
    fn each(&self) -> impl Iterator<Item = (&str, &str)> {
        let common = self.common.as_deref().map_or(("", &[][..]), |common| (&common.0.text, &common.0.ends));
        let mut own = each(&self.text, &self.ends).peekable();
        let mut common = each(common.0, common.1).peekable();
        std::iter::from_fn(move || match (own.peek(), common.peek()) {
            (Some(a), Some(b)) if b < a => common.next(),
            (Some(_), _) => own.next(),
            (None, _) => common.next(),
        })
    }

    /// To write more behind it.
    pub fn writer(&self) -> KeyWriter {
        KeyWriter { common: self.common.clone(), text: self.text.to_string(), ends: self.ends.to_vec() }
    }

    /// The digest of all parts, with so many more that are in pieces.
    fn digest<'p>(
        &self,
        what: &str,
        (many, piece): (usize, impl Fn(usize) -> StepPart<'p>),
        room: &mut Room,
    ) -> Digest {
        let Room { bytes, pieces } = room;
        pieces.clear();
        pieces.extend(0..u32::try_from(many).expect("a key has fewer parts"));
        // The stable sort is the one that sees that inputs come in their order.
        pieces.sort_by(|a, b| piece(*a as usize).order(&piece(*b as usize)));
        bytes.clear();
        field(bytes, what);
        field(bytes, &KEY_FORMAT.to_string());
        let mut pieces = pieces.iter().map(|number| piece(*number as usize)).peekable();
        for part in self.each() {
            while let Some(before) = pieces.next_if(|piece| piece.order_to(part).is_lt()) {
                piece_fields(bytes, &before);
            }
            field(bytes, part.0);
            field(bytes, part.1);
        }
        pieces.for_each(|piece| piece_fields(bytes, &piece));
        Digest::of(bytes)
    }

    /// The key of intent.
    pub fn step_key(&self) -> StepKey {
        self.step_key_with(NONE, &mut Room::default())
    }

    /// The same with so many more parts, which are not copied to be sorted.
    pub fn step_key_with<'p>(
        &self,
        more: (usize, impl Fn(usize) -> StepPart<'p>),
        room: &mut Room,
    ) -> StepKey {
        StepKey(self.digest("step", more, room))
    }
}

/// A text behind its length.
fn field(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// The two fields of a part that is in pieces.
fn piece_fields(bytes: &mut Vec<u8>, part: &StepPart<'_>) {
    let digits = part.key.0.digits();
    let mut write = |pieces: &[&str], more: &[u8]| {
        let long = pieces.iter().map(|piece| piece.len()).sum::<usize>() + more.len();
        bytes.extend_from_slice(&(long as u64).to_le_bytes());
        pieces.iter().for_each(|piece| bytes.extend_from_slice(piece.as_bytes()));
        bytes.extend_from_slice(more);
    };
    write(&part.name, &[]);
    write(&part.value, &digits);
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
        let common = common.shared();
        let part = StepPart { name: ["c", "", ""], value: ["3", " "], key: &step };
        let mut shared = KeyWriter::after(&common);
        shared.part("a", "1").step_part(&part);
        assert_eq!(shared.step_key(), alone.step_key());
        assert_eq!(shared.content_key(), alone.content_key());
        assert_eq!(shared.parts(), alone.parts());
        // In room that held another key.
        let mut key = KeyWriter::new();
        key.part("x", "y").part("z", "");
        let mut key = key.again(&common);
        key.part("a", "1");
        assert_eq!(key.kept().step_key_with((1, |_| part), &mut Room::default()), alone.step_key());
        assert_eq!(shared.kept().writer().parts(), alone.parts());
    }

    #[test]
    fn a_key_of_pieces_is_that_of_whole_parts() {
        let keys: Vec<StepKey> = ["1", "2"].map(|n| KeyWriter::new().part("n", n).step_key()).into();
        let (first, second) = (&keys[0], &keys[1]);
        let part = |name, value, key| StepPart { name, value, key };
        let pieces = [
            part(["input ", "wheel", ""], ["1", " "], first),
            part(["input ", "dependency ", "b"], ["1", " "], first),
            part(["input ", "dependency ", "ab"], ["1", " "], second),
            part(["input ", "dependency ", "a"], ["1", " "], first),
            part(["input dep", "", "endency aa"], ["", "1 "], first),
            // The same name: the value decides.
            part(["input ", "source", ""], ["1.0", " "], first),
            part(["input ", "source", ""], ["1", " "], second),
            part(["input ", "source", ""], ["1", " "], first),
            part(["", "", ""], ["", ""], first),
        ];
        let mut room = Room::default();
        for names in
            [&[][..], &["a", "z"], &["input", "input ", "input source", "inputs", "input dependency a"]]
        {
            let mut key = KeyWriter::new();
            for name in names {
                key.part(name, "1 5");
            }
            for many in 0..=pieces.len() {
                let mut whole = key.clone();
                for piece in &pieces[..many] {
                    whole.step_part(piece);
                }
                let (parts, mut sorted) = (whole.parts(), whole.parts());
                sorted.sort();
                assert_eq!(parts, sorted);
                let mut bytes = Vec::new();
                field(&mut bytes, "step");
                field(&mut bytes, "1");
                parts.iter().for_each(|part| {
                    [&part.name, &part.value].into_iter().for_each(|text| field(&mut bytes, text));
                });
                assert_eq!(whole.step_key(), StepKey(Digest::of(&bytes)));
                let in_pieces = key.kept().step_key_with((many, |n| pieces[n]), &mut room);
                assert_eq!(in_pieces, whole.step_key(), "{many} pieces beside {names:?}");
            }
        }
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
