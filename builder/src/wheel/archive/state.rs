//! Deflate's own memory, kept from one member to the next.
//!
//! Knows that making it anew costs more than compressing a small file. Must
//! never let one member have a part in the bytes of another.

use std::cell::Cell;

use flate2::{Compress, Compression, Decompress};

use super::LEVEL;

thread_local! {
    static COMPRESS: Cell<Option<Compress>> = const { Cell::new(None) };
    static DECOMPRESS: Cell<Option<Decompress>> = const { Cell::new(None) };
}

/// Gives a compressor that is as a new one is.
pub(super) fn compressing<T>(work: impl FnOnce(&mut Compress) -> T) -> T {
    COMPRESS.with(|kept| {
        let mut state = kept.take().unwrap_or_else(|| Compress::new(Compression::new(LEVEL), false));
        state.reset();
        let done = work(&mut state);
        kept.set(Some(state));
        done
    })
}

/// Gives a decompressor that is as a new one is.
pub(super) fn decompressing<T>(work: impl FnOnce(&mut Decompress) -> T) -> T {
    DECOMPRESS.with(|kept| {
        let mut state = kept.take().unwrap_or_else(|| Decompress::new(false));
        state.reset(false);
        let done = work(&mut state);
        kept.set(Some(state));
        done
    })
}

#[cfg(test)]
mod tests {
    use flate2::{FlushCompress, FlushDecompress, Status};

    use super::*;

    fn pack(state: &mut Compress, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 1024);
        state.compress_vec(bytes, &mut out, FlushCompress::Finish).unwrap();
        out
    }

    /// Texts of many lengths that repeat each other's words.
    fn members() -> impl Iterator<Item = Vec<u8>> {
        let word = |n: usize| format!("{:x} ", (n * n * 2_654_435_761) % 9973).into_bytes();
        (0..300).map(move |i| (0..(i * 37) % 4001).flat_map(|n| word(n + i)).collect())
    }

    #[test]
    fn what_came_before_has_no_part_in_the_bytes() {
        for bytes in members() {
            let fresh = pack(&mut Compress::new(Compression::new(LEVEL), false), &bytes);
            assert_eq!(compressing(|state| pack(state, &bytes)), fresh, "{} bytes", bytes.len());
        }
    }

    #[test]
    fn what_was_left_half_read_does_not_matter() {
        let packed: Vec<Vec<u8>> = members().map(|bytes| compressing(|state| pack(state, &bytes))).collect();
        for (i, (bytes, packed)) in members().zip(&packed).enumerate() {
            let mut out = Vec::with_capacity(bytes.len() + 1);
            // A damaged one before each.
            let damaged = &packed[..packed.len() / 2];
            let _ = decompressing(|s| {
                s.decompress_vec(damaged, &mut Vec::with_capacity(99), FlushDecompress::None)
            });
            let status = decompressing(|s| s.decompress_vec(packed, &mut out, FlushDecompress::Finish));
            assert_eq!((status.unwrap(), out), (Status::StreamEnd, bytes), "member {i}");
        }
    }
}
