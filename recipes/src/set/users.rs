//! Who uses a recipe: what would be built, or only looked at, again.
//!
//! Knows closures. Must never know keys: that something uses a recipe does
//! not say that it comes out otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::{PackageSet, Purpose, RecipeId};

/// The users of every recipe of a set.
#[derive(Debug, Default)]
pub struct Users {
    builds: BTreeMap<RecipeId, BTreeSet<RecipeId>>,
    runs: BTreeMap<RecipeId, BTreeSet<RecipeId>>,
}

impl PackageSet {
    /// The users of every recipe, as far as closures can be made.
    pub fn users(&self) -> Users {
        let mut users = Users::default();
        for id in self.ids().filter(|id| self.disabled(*id).is_none()) {
            let builds = self.build_members(id).unwrap_or_default();
            for member in builds.iter() {
                users.builds.entry(member.id).or_default().insert(id);
            }
            for purpose in [Purpose::Run(id, Vec::new()), Purpose::Check(id)] {
                let runs = self.shared(&purpose).unwrap_or_default();
                for member in runs.iter().filter(|m| m.id != id) {
                    users.runs.entry(member.id).or_default().insert(id);
                }
            }
        }
        users
    }
}

impl Users {
    /// What is built anew when a recipe changes: what is built with it, and
    /// what is built with that.
    pub fn rebuilt(&self, id: RecipeId) -> BTreeSet<RecipeId> {
        reached(id, |user| self.builds.get(&user).into_iter().flatten().copied().collect())
    }

    /// All that a change can be seen in: what is built or runs with it.
    pub fn touched(&self, id: RecipeId) -> BTreeSet<RecipeId> {
        reached(id, |user| {
            let of = |users: &BTreeMap<RecipeId, BTreeSet<RecipeId>>| {
                users.get(&user).cloned().unwrap_or_default()
            };
            of(&self.builds).union(&of(&self.runs)).copied().collect()
        })
    }
}

fn reached(id: RecipeId, users: impl Fn(RecipeId) -> Vec<RecipeId>) -> BTreeSet<RecipeId> {
    let mut found = BTreeSet::new();
    let mut todo = vec![id];
    while let Some(next) = todo.pop() {
        todo.extend(users(next).into_iter().filter(|user| found.insert(*user)).collect::<Vec<_>>());
    }
    found.remove(&id);
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::book::{Layer, LayerFile, assemble};
    use crate::diag::SourceFile;
    use crate::target::tests::linux;

    #[test]
    fn what_is_built_again_is_not_what_only_runs_with_it() {
        let recipe = |(name, builds, runs): (&str, &str, &str)| {
            let text = format!(
                "pname = \"{name}\"\nversion = \"1\"\nbuild-system = [{builds}]\ndependencies = [{runs}]\n\
                 [source]\npypi = \"{name}\"\nhash = \"\"\n"
            );
            let file = Arc::new(SourceFile { path: format!("{name}.toml"), text });
            LayerFile { file, pyproject: None }
        };
        let all = [
            ("core", "", ""),
            ("tool", "", "\"core\""),
            ("app", "\"tool\"", ""),
            ("web", "", "\"app\""),
            ("far", "\"app\"", ""),
        ];
        let files = all.map(recipe).to_vec();
        let (book, _) = assemble(&[Layer { name: "recipes".into(), files }]);
        let set = PackageSet::new(book.recipes, linux(12));
        let users = set.users();
        let core = set.versions(&"core".parse().unwrap())[0];
        let names = |ids: BTreeSet<RecipeId>| -> Vec<String> {
            let mut names: Vec<String> = ids.iter().map(|id| set.get(*id).pname.to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(names(users.rebuilt(core)), ["app", "far"]);
        assert_eq!(names(users.touched(core)), ["app", "far", "tool", "web"]);
        let web = set.versions(&"web".parse().unwrap())[0];
        assert_eq!(names(users.touched(web)), [""; 0]);
    }
}
