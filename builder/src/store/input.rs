//! A reference to bytes in the store, and its packed form.
//!
//! Knows one byte of kind and 32 of digest. Must never know who refers to it.

use crate::key::{Digest, TreeDigest};

/// Length of a packed reference.
const LEN: usize = 33;

/// Bytes a step depends on, or a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// A file.
    Blob(Digest),
    /// A folder.
    Tree(TreeDigest),
}

/// References one after the other.
pub(super) fn pack(inputs: &[Input]) -> Vec<u8> {
    let mut out = Vec::with_capacity(inputs.len() * LEN);
    for input in inputs {
        let (tag, digest) = match input {
            Input::Blob(d) => (b'b', d),
            Input::Tree(d) => (b't', &d.0),
        };
        out.push(tag);
        out.extend_from_slice(&digest.0);
    }
    out
}
/// Reads what [`pack`] wrote; a part at the end, which a killed process may
/// leave, is ignored.
pub(super) fn unpack(bytes: &[u8]) -> Vec<Input> {
    let (whole, _) = bytes.as_chunks::<LEN>();
    let read = |one: &[u8; LEN]| {
        let mut digest = [0u8; 32];
        digest.copy_from_slice(&one[1..]);
        match one[0] {
            b't' => Input::Tree(TreeDigest(Digest(digest))),
            _ => Input::Blob(Digest(digest)),
        }
    };
    whole.iter().map(read).collect()
}
