//! The catalogue of finding codes, one line each.
//!
//! A code's meaning never changes. Must never know how findings are made.
//!
//! `W0` is TOML, `W1` keys and types, `W2` words inside values, `W3` layers,
//! `W4` the package set, `W9` matters of style.

use crate::diag::Code;

macro_rules! catalogue {
    ($($name:ident = $code:literal: $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: Code = Code($code);)*

        /// Every code and its meaning, sorted by code.
        pub const CATALOGUE: &[(Code, &str)] = &[$(($name, $meaning),)*];
    };
}

catalogue! {
    SYNTAX = "W001": "the text is not TOML";
    DUPLICATE_KEY = "W002": "a key or table is written twice";
    NOT_FORMATTED = "W003": "a text whose layout cannot be changed safely";
    NOT_NIX = "W004": "the text of an imported file is not Nix";
    UNKNOWN_LOCK = "W005": "a lock file of a version that cannot be read";
    UNKNOWN_KEY = "W101": "a key that does not exist";
    WRONG_TYPE = "W102": "a value of another type than the key takes";
    MISSING_KEY = "W103": "a key that must be there is not";
    WRONG_CHOICE = "W104": "a value that is not among the allowed ones";
    SAID_TWICE = "W105": "one thing said by an old and a modern key";
    OUT_OF_RANGE = "W106": "a number, size or duration outside the allowed range";
    OUT_OF_PLACE = "W107": "a key that has no meaning beside the others";
    BAD_NAME = "W201": "not a name of a project, extra, module or variable";
    BAD_VERSION = "W202": "not a PEP 440 version";
    BAD_REQUIREMENT = "W203": "not a PEP 508 requirement";
    BAD_SPECIFIER = "W204": "not a PEP 440 version specifier";
    BAD_MARKER = "W205": "not a PEP 508 marker";
    BAD_HASH = "W206": "not a sha256 hash";
    MISSING_HASH = "W207": "a source without a hash";
    BAD_EXTERNAL = "W208": "not a PEP 725 external requirement";
    BAD_PATH = "W209": "a path that leaves its folder or is absolute";
    BAD_ADDRESS = "W210": "not an address that can be fetched";
    NO_STATIC_VERSION = "W211": "the version cannot be read from pyproject.toml";
    BAD_PLACEHOLDER = "W212": "an unknown placeholder in braces";
    BAD_SOURCE = "W213": "a source that is none or several of pypi, url, git and path";
    BAD_WRAP = "W214": "a wrapper operation that cannot be done";
    DUPLICATE_RECIPE = "W301": "two recipes of one layer for one name and version";
    EXTENDS_NOTHING = "W302": "an extension of a recipe that does not exist";
    REMOVES_NOTHING = "W303": "an extension removes what is not there";
    AMBIGUOUS_VERSION = "W304": "an extension that would give several recipes one version";
    NOT_EXTENDING = "W305": "append and remove in a recipe that extends nothing";
    MISSING_RECIPE = "W401": "a requirement on a name no recipe has";
    NO_SUCH_VERSION = "W402": "a requirement no version in the set satisfies";
    VERSION_CONFLICT = "W403": "two versions of a name in one closure";
    BUILD_CYCLE = "W404": "a recipe that must be built before itself";
    APPLICATION_DEPENDENCY = "W405": "a requirement on an application";
    DISABLED_RECIPE = "W406": "a recipe that is not for this interpreter or platform";
    ADDRESS_REQUIREMENT = "W407": "a requirement by address";
    UNKNOWN_EXTRA = "W408": "an extra the recipe does not have";
    OLD_SPELLING = "W901": "an older spelling of a key";
    NO_DESCRIPTION = "W902": "no description";
    NO_LICENSE = "W903": "no license";
    NO_TESTS = "W904": "tests are enabled but nothing runs them";
    SAID_IN_VAIN = "W905": "a value that changes nothing";
    LISTED_TWICE = "W906": "one thing listed twice";
    BUILD_PIN = "W907": "a build requirement pinned to one version";
    MOVING_SOURCE = "W909": "a source whose bytes may change under its hash";
    BAD_LICENSE = "W910": "a license that is not an SPDX expression";
}

/// The meaning of a code, if it is in the catalogue.
pub fn meaning(code: Code) -> Option<&'static str> {
    CATALOGUE.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn sources(folder: &Path, out: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("codes.rs") {
                out.push(std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_code_is_in_the_catalogue_and_every_catalogued_code_is_used() {
        let own = include_str!("codes.rs");
        let mut texts = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
        for (code, meaning) in CATALOGUE {
            let line = own.lines().find(|l| l.contains(&format!("= \"{}\":", code.0))).unwrap();
            let name = line.trim().split(' ').next().unwrap();
            let used = texts.iter().any(|t| t.contains(&format!("codes::{name}")));
            assert!(used, "`{name}` ({}: {meaning}) is used nowhere", code.0);
        }
        for text in &texts {
            for literal in text.split("Code(\"").skip(1).map(|rest| &rest[..4]) {
                assert!(
                    CATALOGUE.iter().any(|(code, _)| code.0 == literal),
                    "`{literal}` is not in the catalogue"
                );
            }
        }
    }

    #[test]
    fn codes_are_unique_and_sorted() {
        let all: Vec<_> = CATALOGUE.iter().map(|(code, _)| code.0).collect();
        let sorted: Vec<_> = all.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        assert_eq!(all, sorted);
        assert_eq!(meaning(UNKNOWN_KEY), Some("a key that does not exist"));
    }
}
