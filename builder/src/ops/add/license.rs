//! Which license a text is, by the words that only it has.
//!
//! Knows the common texts. Must never guess: what may be two is none.

use std::collections::BTreeSet;
use std::path::Path;

/// Words of a license, in lower case with single blanks, and its SPDX identifier.
const WORDS: [(&str, &str); 6] = [
    ("permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
    ("apache license version 2.0, january 2004", "Apache-2.0"),
    ("permission to use, copy, modify, and/or distribute this software for any purpose", "ISC"),
    ("permission to use, copy, modify, and distribute this software for any purpose", "ISC"),
    ("mozilla public license version 2.0", "MPL-2.0"),
    ("mozilla public license, version 2.0", "MPL-2.0"),
];

/// What all BSD licenses begin with.
const BSD: &str = "redistribution and use in source and binary forms";

/// A license text is not longer.
const LARGEST: u64 = 256 << 10;

/// Whether a file is called like one of a license.
pub fn is_one(name: &str) -> bool {
    let name = name.to_uppercase();
    ["LICENSE", "LICENCE", "COPYING"].iter().any(|word| name.starts_with(word))
}

/// The license of an unpacked sdist: that of its license files, if they are one.
pub fn of(top: &Path) -> Option<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(top).ok()?.flatten() {
        let is_license = is_one(&entry.file_name().to_string_lossy());
        let plain = entry.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST);
        if is_license && plain {
            let text = std::fs::read(entry.path()).ok()?;
            found.insert(of_text(&String::from_utf8_lossy(&text))?);
        }
    }
    let only = found.pop_first()?;
    found.is_empty().then(|| only.to_owned())
}

/// The license a text is.
fn of_text(text: &str) -> Option<&'static str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").to_lowercase();
    let mut found: BTreeSet<&str> =
        WORDS.iter().filter(|(words, _)| text.contains(words)).map(|(_, id)| *id).collect();
    if text.contains(BSD) {
        // With the advertising clause it is another one.
        match (text.contains("advertising materials"), text.contains("neither the name")) {
            (true, _) => return None,
            (false, true) => found.insert("BSD-3-Clause"),
            (false, false) => found.insert("BSD-2-Clause"),
        };
    }
    let only = found.pop_first()?;
    found.is_empty().then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BSD_2: &str = "Copyright me\n\nRedistribution and use in source and binary\nforms, with or without";

    #[test]
    fn a_text_is_known_by_its_words() {
        assert_eq!(of_text(BSD_2), Some("BSD-2-Clause"));
        assert_eq!(of_text(&format!("{BSD_2}\nNeither the name of")), Some("BSD-3-Clause"));
        assert_eq!(of_text(&format!("{BSD_2}\nAll advertising materials")), None);
        assert_eq!(of_text("  Apache License\n   Version 2.0, January 2004\n"), Some("Apache-2.0"));
        assert_eq!(of_text("All rights reserved."), None);
    }

    #[test]
    fn what_may_be_two_is_none() {
        let mit = "Permission is hereby granted, free of charge, to any person obtaining a copy";
        assert_eq!(of_text(&format!("{mit} {BSD_2}")), None);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("LICENSE.txt"), mit).unwrap();
        assert_eq!(of(dir.path()).as_deref(), Some("MIT"));
        std::fs::write(dir.path().join("LICENSE.bsd"), BSD_2).unwrap();
        assert_eq!(of(dir.path()), None);
    }
}
