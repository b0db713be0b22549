//! Recipes by words of their name and description.
//!
//! Knows what is nearer to what was typed. Must never know where recipes lie, nor an index.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::diag::did_you_mean;
use crate::recipe::Recipe;

/// A recipe that has all the words, the higher the score the nearer.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The recipe.
    pub recipe: Arc<Recipe>,
    /// For comparison with other hits of one search only.
    pub score: u32,
}

/// The recipes that have each of the words in name or description, the nearest first.
pub fn search(recipes: &[Arc<Recipe>], words: &[String]) -> Vec<Hit> {
    let words: Vec<String> = words.iter().flat_map(|w| w.split_whitespace()).map(str::to_lowercase).collect();
    let mut hits: Vec<Hit> = recipes
        .iter()
        .filter_map(|recipe| Some(Hit { recipe: Arc::clone(recipe), score: score(recipe, &words)? }))
        .collect();
    hits.sort_by_cached_key(|hit| {
        (Reverse(hit.score), hit.recipe.pname.clone(), Reverse(hit.recipe.version.clone()))
    });
    hits
}

/// A name of the set that may be meant by words that nothing has.
pub fn near<'r>(recipes: &'r [Arc<Recipe>], words: &[String]) -> Option<&'r str> {
    let whole = folded(&words.join("-"));
    let names = || recipes.iter().map(|recipe| recipe.pname.as_ref());
    did_you_mean(&whole, names())
        .or_else(|| words.iter().find_map(|word| did_you_mean(&folded(word), names())))
}

/// A word as names are written.
fn folded(word: &str) -> String {
    word.to_lowercase().replace(['_', '.', ' '], "-")
}

/// `None` when a word is nowhere.
fn score(recipe: &Recipe, words: &[String]) -> Option<u32> {
    let name: &str = recipe.pname.as_ref();
    let text = recipe.meta.description.as_deref().unwrap_or_default().to_lowercase();
    let mut total = if folded(&words.join("-")) == name { 1000 } else { 0 };
    for word in words {
        let found = in_name(name, &folded(word)).max(in_text(&text, word));
        if found == 0 {
            return None;
        }
        total += found;
    }
    (!words.is_empty()).then_some(total)
}

fn in_name(name: &str, word: &str) -> u32 {
    if name == word {
        100
    } else if name.split('-').any(|part| part == word) {
        80
    } else if name.starts_with(word) {
        60
    } else if name.split('-').any(|part| part.starts_with(word)) {
        50
    } else if name.contains(word) {
        40
    } else {
        0
    }
}

fn in_text(text: &str, word: &str) -> u32 {
    let mut parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    if parts.clone().any(|part| part == word) {
        20
    } else if parts.any(|part| part.starts_with(word)) {
        15
    } else if text.contains(word) {
        10
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{Layer, LayerFile, assemble};
    use crate::diag::SourceFile;

    fn recipes(lines: &[(&str, &str, &str)]) -> Vec<Arc<Recipe>> {
        let file = |(name, version, description): &(&str, &str, &str)| {
            let text = format!(
                "pname = \"{name}\"\nversion = \"{version}\"\n[source]\npath = \".\"\n[meta]\ndescription = \"{description}\"\n"
            );
            let file = Arc::new(SourceFile { path: format!("{name}-{version}.toml"), text });
            LayerFile { file, pyproject: None }
        };
        assemble(&[Layer { name: "recipes".into(), files: lines.iter().map(file).collect() }]).0.recipes
    }

    fn found(recipes: &[Arc<Recipe>], words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let hits = search(recipes, &words);
        hits.iter().map(|h| format!("{} {}", h.recipe.pname, h.recipe.version)).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn names_come_before_descriptions_and_whole_words_before_parts() {
        let all = recipes(&[
            ("werkzeug", "3", "The web library that flask needs"),
            ("flask-login", "1", "Sessions"),
            ("flask", "2", "A web framework"),
            ("flask", "3", "A web framework"),
            ("pyflaskish", "1", "Nothing"),
            ("toolz", "1", "Webs of functions"),
        ]);
        assert_eq!(found(&all, &["Flask"]), "flask 3, flask 2, flask-login 1, pyflaskish 1, werkzeug 3");
        assert_eq!(found(&all, &["web"]), "flask 3, flask 2, werkzeug 3, toolz 1");
        assert_eq!(found(&all, &["web", "flask"]), "flask 3, flask 2, werkzeug 3");
        assert_eq!(found(&all, &["flask", "login"]), "flask-login 1");
        assert_eq!(found(&all, &["Flask_Login"]), "flask-login 1");
        assert_eq!(found(&all, &["flask", "nowhere"]), "");
        assert_eq!(found(&all, &[" "]), "");
    }

    #[test]
    fn what_is_mistyped_is_told_a_name() {
        let all = recipes(&[("flask-login", "1", "x"), ("werkzeug", "3", "y")]);
        let near_to = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            near(&all, &words).map(str::to_owned)
        };
        assert_eq!(near_to(&["flask", "lgin"]).as_deref(), Some("flask-login"));
        assert_eq!(near_to(&["Werkzueg"]).as_deref(), Some("werkzeug"));
        assert_eq!(near_to(&["quantum"]), None);
    }
}
