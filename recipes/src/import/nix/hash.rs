//! Hashes in the encodings of Nix.
//!
//! Knows SRI, hex and nix-base32 (with and without `sha256:`). Must never
//! know what was hashed.

use crate::name::Sha256;

/// Nix's own digits: no e, o, t or u.
const DIGITS: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// The sha256 that a text stands for.
pub(super) fn read(text: &str) -> Option<Sha256> {
    let bare = text.strip_prefix("sha256:").unwrap_or(text);
    text.parse().ok().or_else(|| bare.parse().ok()).or_else(|| base32(bare))
}

/// 52 digits, the last of which holds the lowest bits of the first byte.
fn base32(text: &str) -> Option<Sha256> {
    if text.len() != 52 {
        return None;
    }
    let mut out = [0u8; 32];
    for (n, digit) in text.bytes().rev().enumerate() {
        let value = DIGITS.iter().position(|d| *d == digit)?;
        let (byte, bit) = (n * 5 / 8, n * 5 % 8);
        let wide = value << bit;
        out[byte] |= (wide & 0xff) as u8;
        let carry = (wide >> 8) as u8;
        match out.get_mut(byte + 1) {
            Some(next) => *next |= carry,
            // The first digit has one bit that means something.
            None if carry != 0 => return None,
            None => {}
        }
    }
    Some(Sha256(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_of_one_hash_is_that_hash() {
        // The sha256 of nothing.
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let hash: Sha256 = hex.parse().unwrap();
        let base32 = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
        for text in [hex, base32, &hash.sri(), &format!("sha256:{hex}"), &format!("sha256:{base32}")] {
            assert_eq!(read(text), Some(hash), "{text}");
        }
    }

    #[test]
    fn what_is_no_sha256_is_none() {
        let good = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
        for bad in [
            "",
            "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c7",
            &good.replace('m', "e"),
            // More bits than a sha256 has.
            &good.replacen('0', "z", 1),
            "sha512-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
