//! What a name that no index has may have been meant for.
//!
//! Knows how names are mistyped, and that a name someone else registered to
//! catch slips has few releases. Must never choose: its answer is a hint.

use std::collections::BTreeSet;
use std::sync::Arc;

use recipes::name::PackageName;
use recipes::recipe::Recipe;
use recipes::target::Target;

use super::Market;
use crate::error::Error;
use crate::ops::outdated::side_by_side;

/// Pages asked for at most.
const MOST: usize = 96;

/// Why nothing could be chosen, in sentences; with a hint where that is a name.
pub fn conflict(
    (market, recipes): (&Market<'_>, &[Arc<Recipe>]),
    target: &Target,
    doing: &str,
    sentences: Vec<String>,
) -> Error {
    let mut error = Error::input(format!("{doing} ({})", target.describe()));
    let absent = sentences.iter().find_map(|s| s.strip_prefix("there is no project `"));
    if let Some(name) = absent.map(|name| name.trim_end_matches('`')) {
        let known = recipes.iter().map(|r| r.pname.as_ref());
        let ours = recipes::diag::did_you_mean(name, known).map(str::to_owned);
        error = error.hint(match ours.or_else(|| near(market, name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("no configured index has `{name}`: look at how it is written"),
        });
    }
    error.causes = sentences;
    error
}

/// The project that is most used of those whose name is one slip away.
fn near(market: &Market<'_>, name: &str) -> Option<String> {
    let names: Vec<PackageName> = slips(name).iter().filter_map(|n| n.parse().ok()).take(MOST).collect();
    // An index that cannot be asked has no hint to give.
    let releases = |name: &PackageName| market.offers(name).ok().flatten().map_or(0, |all| all.len());
    let found = side_by_side(&names, releases).into_iter().zip(&names);
    found
        .filter(|(releases, _)| *releases > 0)
        .max_by_key(|(releases, _)| *releases)
        .map(|(_, name)| name.to_string())
}

/// Names from which one slip leads to `name`, the likeliest first: two letters
/// the wrong way round, one too many, a word left out, a dash or a vowel too few.
fn slips(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let with = |edit: &dyn Fn(&mut Vec<char>)| {
        let mut letters = letters.clone();
        edit(&mut letters);
        letters.into_iter().collect::<String>()
    };
    let places = 0..letters.len();
    let mut out: Vec<String> = places.clone().skip(1).map(|at| with(&|l| l.swap(at - 1, at))).collect();
    out.extend(places.clone().map(|at| {
        with(&|l| {
            l.remove(at);
        })
    }));
    out.extend([format!("{name}s"), format!("{name}e"), format!("python-{name}"), format!("py{name}")]);
    out.extend(
        ["python-", "py"].into_iter().filter_map(|prefix| name.strip_prefix(prefix)).map(str::to_owned),
    );
    out.extend(places.clone().skip(1).map(|at| with(&|l| l.insert(at, '-'))));
    for at in places {
        out.extend("aeiou".chars().map(|vowel| with(&|l| l.insert(at, vowel))));
    }
    let mut seen = BTreeSet::from([name.to_owned()]);
    out.retain(|slip| seen.insert(slip.clone()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_among_the_slips() {
        for (typed, meant) in [
            ("reqeusts", "requests"),
            ("reqests", "requests"),
            ("requestss", "requests"),
            ("panda", "pandas"),
            ("dateutil", "python-dateutil"),
            ("yaml", "pyyaml"),
            ("pyflask", "flask"),
            ("scikitlearn", "scikit-learn"),
        ] {
            let slips = slips(typed);
            assert!(slips.contains(&meant.to_owned()), "{typed}: {slips:?}");
            assert!(!slips.contains(&typed.to_owned()));
        }
        assert!(slips("sentence-transformer").len() > MOST, "the bound is of use");
    }
}
