//! Names, versions, hashes and requirements: the words recipes are made of.
//!
//! Knows the PyPA spellings (PEP 440, 503, 508, SRI). Must never know what a
//! recipe is or where text came from.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use pep440_rs::{Version, VersionSpecifiers};
pub use pep508_rs::{ExtraName, MarkerTree, PackageName};

/// A PEP 508 requirement that keeps its source text.
///
/// `text` is what we write out (into METADATA, messages, recipes): a
/// re-printed parse loses markers. `parsed` is what we reason with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The requirement as its author wrote it, trimmed.
    pub text: Arc<str>,
    /// The same requirement, parsed: of thousands of recipes many say the same.
    pub parsed: Arc<pep508_rs::Requirement>,
}

impl Requirement {
    /// The normalised project name (PEP 503).
    pub fn name(&self) -> &PackageName {
        &self.parsed.name
    }

    /// The version specifiers, empty when any version will do or when the
    /// requirement is a direct URL.
    pub fn specifiers(&self) -> VersionSpecifiers {
        match &self.parsed.version_or_url {
            Some(pep508_rs::VersionOrUrl::VersionSpecifier(s)) => s.clone(),
            _ => VersionSpecifiers::empty(),
        }
    }
}

impl FromStr for Requirement {
    type Err = String;

    /// Parses PEP 508 text; the error is one sentence without the text itself.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match pep508_rs::Requirement::from_str(text) {
            Ok(parsed) => Ok(Self { text: text.into(), parsed: Arc::new(parsed) }),
            Err(e) => Err(e.message.to_string()),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A sha256 promised by a recipe, written as SRI (`sha256-<base64>`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Sha256 {
    /// The 64 lower-case hex digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The SRI form, `sha256-` and 44 base64 characters.
    pub fn sri(&self) -> String {
        let mut out = String::from("sha256-");
        for chunk in self.0.chunks(3) {
            let b = [chunk[0], *chunk.get(1).unwrap_or(&0), *chunk.get(2).unwrap_or(&0)];
            let n = u32::from(b[0]) << 16 | u32::from(b[1]) << 8 | u32::from(b[2]);
            for i in 0..4 {
                if i <= chunk.len() {
                    out.push(BASE64[(n >> (18 - 6 * i)) as usize & 63] as char);
                } else {
                    out.push('=');
                }
            }
        }
        out
    }

    fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut out = [0u8; 32];
        for (i, byte) in out.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(Self(out))
    }

    fn from_base64(text: &str) -> Option<Self> {
        let body = text.strip_suffix('=').unwrap_or(text);
        if body.len() != 43 {
            return None;
        }
        let (mut out, mut fours) = ([0; 32], body.as_bytes().chunks(4));
        let (mut bits, mut all) = (0, 0);
        for three in out.chunks_mut(3) {
            // Four digits are three bytes; the last three are two and two bits.
            let four = fours.next()?;
            bits = 0;
            for digit in four {
                let value = BASE64_VALUE[usize::from(*digit)];
                all |= value;
                bits = bits << 6 | u32::from(value);
            }
            bits <<= 8 + 6 * (4 - four.len());
            three.copy_from_slice(&bits.to_be_bytes()[..three.len()]);
            bits <<= 8 * three.len();
        }
        if all == NO_DIGIT {
            return None;
        }
        // Non-zero padding bits would be a second spelling of one hash.
        if bits != 0 { None } else { Some(Self(out)) }
    }
}

/// Is no value of a base64 digit, nor are several together.
const NO_DIGIT: u8 = 0xff;

/// The value of each base64 digit: there are thousands of hashes, and which
/// kind of digit comes next cannot be foreseen.
const BASE64_VALUE: [u8; 256] = {
    let mut all = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 64 {
        all[BASE64[value] as usize] = value as u8;
        value += 1;
    }
    all
};

impl FromStr for Sha256 {
    type Err = String;

    /// Accepts SRI (`sha256-...`), `sha256:<hex>` and bare hex.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = if let Some(rest) = text.strip_prefix("sha256-") {
            Self::from_base64(rest)
        } else if let Some(rest) = text.strip_prefix("sha256:") {
            Self::from_hex(rest).or_else(|| Self::from_base64(rest))
        } else {
            Self::from_hex(text)
        };
        found.ok_or_else(|| "expected `sha256-` and 44 base64 characters, or 64 hex digits".to_owned())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sri())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sri())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_one_value_in_each_spelling() {
        let sri = "sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=";
        let hash: Sha256 = sri.parse().unwrap();
        assert_eq!(hash.sri(), sri);
        assert_eq!(hash.hex().parse::<Sha256>().unwrap(), hash);
        assert_eq!(format!("sha256:{}", hash.hex()).parse::<Sha256>().unwrap(), hash);
        assert!("sha256-short".parse::<Sha256>().is_err());
        // The last digit has two bits that say nothing.
        assert!("sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWB=".parse::<Sha256>().is_err());
        assert!("sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RW\u{e9}=".parse::<Sha256>().is_err());
        assert!("sha256-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA\u{e9}".parse::<Sha256>().is_err());
        assert!("sha512-CP3V73yWSArRHBLUct4hrNMjWZlvaaUlkpm1QP66RWA=".parse::<Sha256>().is_err());
    }

    #[test]
    fn a_requirement_keeps_its_text() {
        let text = "tomli>=1; python_full_version < '3.11.0a6'";
        let r: Requirement = text.parse().unwrap();
        assert_eq!(r.to_string(), text);
        assert_eq!(r.name().as_ref(), "tomli");
    }
}
