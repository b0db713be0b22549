//! What a file of byte code says of its source (PEP 552), and the kind of it
//! that notices edits.
//!
//! Knows the header. Must never know how byte code is made.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::error::{IoContext as _, Result};

/// The same byte code as the compiler's, checked: an interpreter compares the
/// hash in it with the source at each import, so an edited source counts. Both
/// kinds hold that hash; one bit tells them apart. `None` for anything else.
pub fn checked(code: &[u8]) -> Option<Vec<u8>> {
    const FLAGS: std::ops::Range<usize> = 4..8;
    const HASH_BASED: u32 = 0b01;
    const CHECK_SOURCE: u32 = 0b10;
    const HEADER: usize = 16;
    let flags = u32::from_le_bytes(code.get(..HEADER)?[FLAGS].try_into().ok()?);
    if flags & !CHECK_SOURCE != HASH_BASED {
        return None;
    }
    let mut out = code.to_vec();
    out[FLAGS].copy_from_slice(&(HASH_BASED | CHECK_SOURCE).to_le_bytes());
    Some(out)
}

/// The byte code below `from`, checked, at the same paths below `into`, a
/// folder that is there. Nothing else of `from` comes along.
pub fn checked_copy(from: &Path, into: &Path) -> Result<()> {
    let doing = || format!("failed to read `{}`", from.display());
    for entry in std::fs::read_dir(from).doing(doing)? {
        let entry = entry.doing(doing)?;
        if entry.file_type().doing(doing)?.is_dir() {
            checked_copy(&entry.path(), &into.join(entry.file_name()))?;
        } else if from.file_name().is_some_and(|name| name == "__pycache__") {
            let Some(code) = checked(&std::fs::read(entry.path()).doing(doing)?) else { continue };
            let to = into.join(entry.file_name());
            let written = std::fs::create_dir_all(into)
                .and_then(|()| std::fs::write(&to, code))
                .and_then(|()| std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o444)));
            written.doing(|| format!("failed to write `{}`", to.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_byte_code_that_holds_a_hash_becomes_checked() {
        let code = |flags: u8| [&[1, 2, 13, 10, flags, 0, 0, 0][..], b"12345678", b"body"].concat();
        assert_eq!(checked(&code(1)), Some(code(3)));
        assert_eq!(checked(&code(3)), Some(code(3)));
        // By time, of a later form, cut off.
        assert_eq!((checked(&code(0)), checked(&code(5)), checked(&code(1)[..15])), (None, None, None));
    }

    #[test]
    fn a_checked_copy_holds_byte_code_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (from, into) = (dir.path().join("from"), dir.path().join("into"));
        fs::create_dir_all(from.join("pkg/__pycache__")).unwrap();
        fs::create_dir_all(from.join("empty")).unwrap();
        fs::create_dir(&into).unwrap();
        fs::write(from.join("pkg/a.py"), "x = 1\n").unwrap();
        let code = [&[1, 2, 13, 10, 1, 0, 0, 0][..], b"12345678", b"body"].concat();
        fs::write(from.join("pkg/__pycache__/a.cpython-311.pyc"), &code).unwrap();
        fs::write(from.join("pkg/__pycache__/b.cpython-311.pyc"), "no byte code").unwrap();
        checked_copy(&from, &into).unwrap();
        let kept = into.join("pkg/__pycache__/a.cpython-311.pyc");
        assert_eq!(fs::read(&kept).unwrap(), checked(&code).unwrap());
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o444);
        let names = |folder: &Path| fs::read_dir(folder).unwrap().count();
        assert_eq!((names(&into), names(&into.join("pkg")), names(&into.join("pkg/__pycache__"))), (1, 1, 1));
    }
}
