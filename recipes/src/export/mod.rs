//! Closures as files of other tools (`wheelwright export`).
//!
//! Knows what a file of each format says of a package. Must never read or
//! write a file, ask an index or look at a clock: the same set gives the same
//! bytes.

mod cyclonedx;
mod graph;
mod html;
mod nix;
mod pylock;
mod requirements;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::name::{ExtraName, Sha256};
use crate::recipe::{GitRev, Origin, Promise, Recipe, Source};
use crate::set::{Closure, Member, PackageSet, RecipeId};

pub use cyclonedx::cyclonedx;
pub use graph::{dot, svg};
pub use html::html;
pub use nix::{NixFile, NixSet, nix};
pub use pylock::{Located, pylock};
pub use requirements::{constraints, requirements};

/// One package that is exported.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its recipe.
    pub id: RecipeId,
    /// The extras asked of it, sorted.
    pub extras: Vec<ExtraName>,
    /// The parts it needs itself, sorted as the parts are.
    pub needs: Vec<RecipeId>,
    /// It was named, and is not there only because others need it.
    pub named: bool,
}

/// All that is exported together.
pub struct Selection<'s> {
    /// The set the parts are of.
    pub set: &'s PackageSet,
    /// Sorted by name, then version.
    pub parts: Vec<Part>,
}

/// A file's text, and what the user should know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// One sentence each.
    pub notes: Vec<String>,
}

/// A text, or why there can be none: one sentence each.
pub type Outcome = Result<Text, Vec<String>>;

impl<'s> Selection<'s> {
    /// The members of these closures, each once.
    pub fn of(set: &'s PackageSet, closures: &[Closure], named: &[Member]) -> Self {
        let mut all: BTreeMap<RecipeId, (BTreeSet<ExtraName>, BTreeSet<RecipeId>)> = BTreeMap::new();
        for closure in closures {
            for member in &closure.members {
                let (extras, needs) = all.entry(member.id).or_default();
                extras.extend(member.extras.iter().cloned());
                needs.extend(set.needs(closure, member));
            }
        }
        let order = |id: &RecipeId| (&set.get(*id).pname, &set.get(*id).version, *id);
        let part = |(id, (extras, needs)): (RecipeId, (BTreeSet<ExtraName>, BTreeSet<RecipeId>))| {
            let mut needs: Vec<RecipeId> = needs.into_iter().collect();
            needs.sort_by(|a, b| order(a).cmp(&order(b)));
            let named = named.iter().any(|m| m.id == id);
            Part { id, extras: extras.into_iter().collect(), needs, named }
        };
        let mut parts: Vec<Part> = all.into_iter().map(part).collect();
        parts.sort_by(|a, b| order(&a.id).cmp(&order(&b.id)));
        Self { set, parts }
    }

    fn recipe(&self, part: &Part) -> &'s Recipe {
        self.set.get(part.id)
    }

    /// Says of parts that they are left out, in the file and beside it.
    fn tell_left_out(&self, parts: &[(&Part, String)], file: &mut String, notes: &mut Vec<String>) {
        for (part, why) in parts {
            let told = format!("{} is left out: {why}", self.set.label(part.id));
            file.push_str(&format!("# {told}\n"));
            notes.push(told);
        }
    }

    /// Each part as a file of one environment can name it, and why those that
    /// nobody needs cannot be. One that others need must not be missing.
    fn pinned(&self) -> Result<Pinned<'s, '_>, Vec<String>> {
        let needed: BTreeSet<RecipeId> = self.parts.iter().flat_map(|p| p.needs.iter().copied()).collect();
        let (mut pinned, mut left_out, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for part in &self.parts {
            match self.set.source_for(part.id).and_then(pin) {
                Ok(pin) => pinned.push((part, pin)),
                Err(why) if needed.contains(&part.id) => {
                    missing.push(format!("{}: {why}, and others need it", self.set.label(part.id)));
                }
                Err(why) => left_out.push((part, why)),
            }
        }
        if missing.is_empty() { Ok((pinned, left_out)) } else { Err(missing) }
    }

    /// What is lost where the sources are built by somebody else.
    fn unsaid(&self) -> Vec<String> {
        let changed = |part: &Part| {
            let recipe = self.recipe(part);
            let patches = self.set.source_for(part.id).is_ok_and(|s| !s.patches.is_empty());
            let words = [(patches, "patches"), (!recipe.phases.is_empty(), "phases")];
            let words: Vec<&str> = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
            let label = self.set.label(part.id);
            (!words.is_empty()).then(|| format!("{label}: its {} are not exported", words.join(" and ")))
        };
        self.parts.iter().filter_map(changed).collect()
    }
}

/// What can be pinned, and what cannot be and why.
type Pinned<'s, 'p> = (Vec<(&'p Part, Pin<'s>)>, Vec<(&'p Part, String)>);

/// Bytes that an installer can be told to insist on.
enum Pin<'s> {
    /// A file of the index.
    Index(Sha256),
    /// A file at an address.
    Address(String, Sha256),
    /// A commit; it has no hash of a file.
    Commit { url: String, id: &'s str },
}

fn pin(source: &Source) -> Result<Pin<'_>, String> {
    match (&source.origin, &source.promise) {
        (Origin::Path { dir, .. }, _) => {
            Err(format!("its source is the folder `{dir}`, which is no file with a hash"))
        }
        (_, Promise::Ask) => Err("its recipe promises no hash yet".to_owned()),
        (_, Promise::Local) => Err("its source has no hash".to_owned()),
        (Origin::Pypi { index: Some(index), .. }, _) if index.contains("://") && has_login(index) => {
            Err("the address of its index holds a login".to_owned())
        }
        (Origin::Pypi { .. }, Promise::Hash(hash)) => Ok(Pin::Index(*hash)),
        (Origin::Url { unpack: true, .. }, _) => {
            Err("its hash is that of an unpacked tree, not of a file".to_owned())
        }
        (Origin::Url { urls, .. }, Promise::Hash(hash)) => match urls.first() {
            Some(url) => Ok(Pin::Address(without_login(url), *hash)),
            None => Err("its source has no address".to_owned()),
        },
        (Origin::Git { url, rev: GitRev::Rev(id), .. }, _) if id.len() >= 40 => {
            Ok(Pin::Commit { url: without_login(url), id })
        }
        (Origin::Git { rev: GitRev::Rev(rev) | GitRev::Tag(rev), .. }, _) => {
            Err(format!("its source is `{rev}` of a git repository, which is no file with a hash"))
        }
    }
}

fn has_login(url: &str) -> bool {
    url != without_login(url)
}

/// An address without the name and password in it; the user of an ssh address
/// is no secret.
fn without_login(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) if !scheme.ends_with("ssh") => format!("{scheme}://{}", &rest[at + 1..]),
        _ => url.to_owned(),
    }
}

/// The last segment of an address.
fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or(path)
}
