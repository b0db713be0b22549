//! Which license a release is under: by what its metadata says, else by the
//! words that only one license's text has.
//!
//! Knows the common spellings and texts. Must never guess: what may be two is
//! none, and is told by the name of the file that says it.

use std::collections::BTreeSet;
use std::path::Path;

use recipes::license::Expression;

/// Classifiers that mean one license, and its SPDX identifier. `BSD License`
/// and the like mean several.
const SPDX_OF_CLASSIFIERS: [(&str, &str); 26] = [
    ("Apache Software License", "Apache-2.0"),
    ("Boost Software License 1.0 (BSL-1.0)", "BSL-1.0"),
    ("CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "CC0-1.0"),
    ("Eclipse Public License 1.0 (EPL-1.0)", "EPL-1.0"),
    ("Eclipse Public License 2.0 (EPL-2.0)", "EPL-2.0"),
    ("European Union Public Licence 1.2 (EUPL 1.2)", "EUPL-1.2"),
    ("GNU Affero General Public License v3", "AGPL-3.0-only"),
    ("GNU Affero General Public License v3 or later (AGPLv3+)", "AGPL-3.0-or-later"),
    ("GNU General Public License v2 (GPLv2)", "GPL-2.0-only"),
    ("GNU General Public License v2 or later (GPLv2+)", "GPL-2.0-or-later"),
    ("GNU General Public License v3 (GPLv3)", "GPL-3.0-only"),
    ("GNU General Public License v3 or later (GPLv3+)", "GPL-3.0-or-later"),
    ("GNU Lesser General Public License v2 (LGPLv2)", "LGPL-2.0-only"),
    ("GNU Lesser General Public License v2 or later (LGPLv2+)", "LGPL-2.0-or-later"),
    ("GNU Lesser General Public License v3 (LGPLv3)", "LGPL-3.0-only"),
    ("GNU Lesser General Public License v3 or later (LGPLv3+)", "LGPL-3.0-or-later"),
    ("Historical Permission Notice and Disclaimer (HPND)", "HPND"),
    ("ISC License (ISCL)", "ISC"),
    ("MIT License", "MIT"),
    ("MIT No Attribution License (MIT-0)", "MIT-0"),
    ("Mozilla Public License 1.1 (MPL 1.1)", "MPL-1.1"),
    ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
    ("Python Software Foundation License", "PSF-2.0"),
    ("The Unlicense (Unlicense)", "Unlicense"),
    ("Universal Permissive License (UPL)", "UPL-1.0"),
    ("zlib/libpng License", "Zlib"),
];

/// Identifiers that the free field is believed to mean: `BSD` and the like
/// have the form of one, too, but say no license.
const IDENTIFIERS: [&str; 44] = [
    "0BSD",
    "AFL-2.1",
    "AFL-3.0",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-2.0",
    "Artistic-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-4.0",
    "CC0-1.0",
    "CNRI-Python",
    "EPL-2.0",
    "EUPL-1.2",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ISC",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-1.1",
    "MPL-2.0",
    "NCSA",
    "OFL-1.1",
    "PSF-2.0",
    "Python-2.0",
    "Unicode-3.0",
    "Unlicense",
    "UPL-1.0",
    "WTFPL",
    "ZPL-2.1",
    "Zlib",
    "curl",
];

/// What is written in the free field, without the words that every license
/// has, and what it means.
const SPELLINGS: [(&str, &str); 21] = [
    ("2 clause bsd", "BSD-2-Clause"),
    ("3 clause bsd", "BSD-3-Clause"),
    ("agplv3+", "AGPL-3.0-or-later"),
    ("apache 2", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("asl 2.0", "Apache-2.0"),
    ("bsd 2 clause", "BSD-2-Clause"),
    ("bsd 3 clause", "BSD-3-Clause"),
    ("gplv2+", "GPL-2.0-or-later"),
    ("gplv3+", "GPL-3.0-or-later"),
    ("isc", "ISC"),
    ("lgplv2.1+", "LGPL-2.1-or-later"),
    ("lgplv3+", "LGPL-3.0-or-later"),
    ("mit", "MIT"),
    ("modified bsd", "BSD-3-Clause"),
    ("mozilla public 2.0", "MPL-2.0"),
    ("mpl 2.0", "MPL-2.0"),
    ("new bsd", "BSD-3-Clause"),
    ("psf", "PSF-2.0"),
    ("psfl", "PSF-2.0"),
    ("simplified bsd", "BSD-2-Clause"),
];

/// Words that say nothing of which license is meant.
const EMPTY_WORDS: [&str; 6] = ["the", "license", "licence", "licensed", "software", "version"];

/// A license's words, all of which its text has, in lower case with single
/// blanks; words that would make it another one; its SPDX identifier.
const TEXTS: [(&[&str], &[&str], &str); 8] = [
    (&[MIT, "shall be included in all copies or substantial portions"], &[], "MIT"),
    (&["apache license version 2.0, january 2004"], &[], "Apache-2.0"),
    (&["licensed under the apache license, version 2.0"], &[], "Apache-2.0"),
    (&[ISC, "and this permission notice appear in all copies"], &[], "ISC"),
    (&[OLD_ISC, "and this permission notice appear in all copies"], &[], "ISC"),
    (&[ISC, "with or without fee is hereby granted"], &["appear in all copies"], "0BSD"),
    (&["mozilla public license version 2.0"], &[], "MPL-2.0"),
    (&["mozilla public license, version 2.0"], &[], "MPL-2.0"),
];

const MIT: &str =
    "permission is hereby granted, free of charge, to any person obtaining a copy of this software";
const ISC: &str = "permission to use, copy, modify, and/or distribute this software for any purpose";
const OLD_ISC: &str = "permission to use, copy, modify, and distribute this software for any purpose";

/// What all BSD licenses begin with.
const BSD: &str = "redistribution and use in source and binary forms";

/// Words of licenses that are no part of any of those: a text that has them
/// is not only what else is found in it.
const OTHERS: [&str; 8] = [
    "all advertising materials",
    "creative commons",
    "eclipse public license",
    "gnu general public license version",
    "gnu lesser general public license version",
    "in the public domain",
    "psf license agreement",
    "python software foundation license",
];

/// A license text is not longer.
const LARGEST: u64 = 256 << 10;

/// What metadata says of its license.
#[derive(Clone, Debug, Default)]
pub struct Said<'m> {
    /// License-Expression (PEP 639).
    pub expression: Option<&'m str>,
    /// License: an identifier, a name or the whole text.
    pub field: Option<&'m str>,
    /// What the classifiers say behind `License :: `.
    pub classifiers: Vec<&'m str>,
}

impl Said<'_> {
    /// The license as an SPDX expression, when it is certain.
    pub fn license(&self) -> Option<String> {
        let expression = self.expression.filter(|text| Expression::parse(text).is_some());
        expression
            .map(str::to_owned)
            .or_else(|| self.field.and_then(of_field))
            .or_else(|| self.of_classifiers().map(str::to_owned))
            .or_else(|| self.field.filter(|text| text.contains('\n')).and_then(of_text).map(str::to_owned))
    }

    /// What the only classifier means, if that is one license.
    fn of_classifiers(&self) -> Option<&'static str> {
        let mut named = self.classifiers.iter();
        let only = named.next().filter(|c| **c != "OSI Approved").or_else(|| named.next())?;
        let known = of_classifier(only.rsplit(" :: ").next()?)?;
        named.next().is_none().then_some(known)
    }
}

fn of_classifier(name: &str) -> Option<&'static str> {
    SPDX_OF_CLASSIFIERS.iter().find(|(known, _)| *known == name).map(|(_, id)| *id)
}

/// What the free field says in one line.
fn of_field(text: &str) -> Option<String> {
    let text = text.trim();
    let identifiers = text.split([' ', '(', ')']).filter(|word| !["", "AND", "OR"].contains(word));
    if identifiers.clone().all(|word| IDENTIFIERS.contains(&word)) && Expression::parse(text).is_some() {
        return Some(text.to_owned());
    }
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric() && c != '.' && c != '+');
    let words = words.map(|word| word.trim_matches('.')).filter(|word| !EMPTY_WORDS.contains(word));
    let bare = |word: &str| match word.strip_prefix('v') {
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => number.to_owned(),
        _ => word.to_owned(),
    };
    let words: Vec<String> = words.filter(|word| !word.is_empty()).map(bare).collect();
    let words = words.join(" ");
    let known = SPELLINGS.iter().find(|(spelling, _)| *spelling == words).map(|(_, id)| *id);
    known.or_else(|| of_classifier(text)).map(str::to_owned)
}

/// What is to be said of a license that nobody can tell but who reads the
/// file: a reference to it, as SPDX has for licenses that are on no list.
pub fn reference(project: &str, file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    format!("LicenseRef-{project}-{}", name.chars().map(fits).collect::<String>())
}

/// Whether a file is called like one of a license.
pub fn is_one(name: &str) -> bool {
    let name = name.to_uppercase();
    ["LICENSE", "LICENCE", "COPYING"].iter().any(|word| name.starts_with(word))
}

/// The license files of an unpacked sdist, and the license they are, if they
/// are one.
pub fn of(top: &Path) -> (Vec<String>, Option<String>) {
    let mut files: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(top).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_one(&name) && entry.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST) {
            files.push(name);
        }
    }
    files.sort();
    let read = |file: &String| {
        let text = std::fs::read(top.join(file)).ok()?;
        of_text(&String::from_utf8_lossy(&text))
    };
    let found: Option<BTreeSet<&str>> = files.iter().map(read).collect();
    let only = found.filter(|found| found.len() == 1).and_then(|found| found.first().copied());
    (files, only.map(str::to_owned))
}

/// The license a text is.
fn of_text(text: &str) -> Option<&'static str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").to_lowercase();
    let has = |words: &&str| text.contains(words);
    if OTHERS.iter().any(has) {
        return None;
    }
    let is = |(all, none, id): &(&[&str], &[&str], &'static str)| {
        (all.iter().all(has) && !none.iter().any(has)).then_some(*id)
    };
    let mut found: BTreeSet<&'static str> = TEXTS.iter().filter_map(is).collect();
    if text.contains(BSD) {
        found.insert(if text.contains("neither the name") { "BSD-3-Clause" } else { "BSD-2-Clause" });
    }
    let only = found.pop_first()?;
    found.is_empty().then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BSD_2: &str = "Copyright me\n\nRedistribution and use in source and binary\nforms, with or without";
    const MIT_TEXT: &str = "Permission is hereby granted, free of charge, to any person obtaining a copy of this \
        software and so on: The above copyright notice shall be included in all\n copies or substantial portions";

    #[test]
    fn a_text_is_known_by_its_words() {
        assert_eq!(of_text(BSD_2), Some("BSD-2-Clause"));
        assert_eq!(of_text(&format!("{BSD_2}\nNeither the name of")), Some("BSD-3-Clause"));
        assert_eq!(of_text("  Apache License\n   Version 2.0, January 2004\n"), Some("Apache-2.0"));
        assert_eq!(of_text("Licensed under the Apache License, Version 2.0 (the ..."), Some("Apache-2.0"));
        assert_eq!(of_text(MIT_TEXT), Some("MIT"));
        let fee = format!("{ISC} with or without fee is hereby granted");
        let isc = format!("{fee}, provided that the above and this permission notice appear in all copies.");
        assert_eq!((of_text(&isc), of_text(&fee)), (Some("ISC"), Some("0BSD")));
    }

    #[test]
    fn what_is_nearly_a_license_is_none() {
        assert_eq!(of_text("All rights reserved."), None);
        assert_eq!(of_text(&format!("{BSD_2}\nAll advertising materials")), None);
        // MIT-0 has no condition at all.
        assert_eq!(of_text(MIT), None);
        assert_eq!(of_text(&format!("{MIT_TEXT} GNU General Public License\nVersion 3, 29 June 2007")), None);
    }

    #[test]
    fn what_may_be_two_is_none_and_its_files_are_told() {
        assert_eq!(of_text(&format!("{MIT_TEXT} {BSD_2}")), None);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(of(dir.path()), (vec![], None));
        std::fs::write(dir.path().join("LICENSE.txt"), MIT_TEXT).unwrap();
        assert_eq!(of(dir.path()).1.as_deref(), Some("MIT"));
        std::fs::write(dir.path().join("COPYING.bsd"), BSD_2).unwrap();
        assert_eq!(of(dir.path()), (vec!["COPYING.bsd".to_owned(), "LICENSE.txt".to_owned()], None));
        assert_eq!(reference("a-b", "docs/COPYING_all.rst"), "LicenseRef-a-b-COPYING-all.rst");
        assert!(Expression::parse(&reference("a-b", "LICENSE (new)")).is_some());
    }

    #[test]
    fn the_free_field_means_one_license_or_none() {
        for (text, id) in [
            ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
            ("MPL-2.0 AND (MIT OR 0BSD)", "MPL-2.0 AND (MIT OR 0BSD)"),
            ("Apache License, Version 2.0", "Apache-2.0"),
            ("Apache 2", "Apache-2.0"),
            ("Apache Software License", "Apache-2.0"),
            ("Apache Software License v2.0", "Apache-2.0"),
            ("The MIT License", "MIT"),
            ("BSD 3-Clause License", "BSD-3-Clause"),
            ("3-Clause BSD License", "BSD-3-Clause"),
            ("LGPLv3+", "LGPL-3.0-or-later"),
        ] {
            assert_eq!(of_field(text).as_deref(), Some(id), "{text}");
        }
        for text in
            ["BSD", "", "GPLv3", "Dual License", "Apache", "MIT OR", "MIT, Apache 2.0", "Copyright me"]
        {
            assert_eq!(of_field(text), None, "{text}");
        }
    }

    #[test]
    fn metadata_is_believed_in_the_order_of_its_precision() {
        let said = |expression, field, classifiers: &[&'static str]| {
            Said { expression, field, classifiers: classifiers.to_vec() }.license()
        };
        assert_eq!(said(Some("0BSD"), Some("MIT"), &[]).as_deref(), Some("0BSD"));
        assert_eq!(said(Some("what ever"), Some("MIT"), &[]).as_deref(), Some("MIT"));
        let isc = "OSI Approved :: ISC License (ISCL)";
        assert_eq!(said(None, Some("see LICENSE"), &["OSI Approved", isc]).as_deref(), Some("ISC"));
        assert_eq!(said(None, None, &[isc, "OSI Approved :: MIT License"]), None);
        assert_eq!(said(None, Some(MIT_TEXT), &["OSI Approved :: BSD License"]).as_deref(), Some("MIT"));
    }
}
