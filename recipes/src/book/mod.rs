//! Layers of recipes: base, workspace, overlays; later wins, composing.
//!
//! Knows merging and which layer each value came from. Must never know the target or the disk.
//!
//! - A recipe of a later layer replaces the one of the same name *and*
//!   version; another version of a name stands beside it.
//! - `extends = true` merges into every earlier recipe of that name,
//!   `extends = "1.2.3"` into that version only. Recipes of a layer are laid
//!   down before its extensions, so an extension may mean one beside it.
//! - Merging: scalars replace, tables merge, lists replace unless
//!   `{ append = [..], remove = [..] }`. A `[source]` that says where it is
//!   replaces the earlier one, all but its patches.

mod merge;

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::codes;
use crate::diag::{Finding, Place, Severity, SourceFile, did_you_mean};
use crate::name::{PackageName, Version};
use crate::node::{Node, Table, Value};
use crate::parse::{self, Identity};
use crate::recipe::Recipe;
use crate::schema;

/// Some files of equal rank.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What `show --origin` calls it: `base`, `recipes`, an overlay's path.
    pub name: String,
    /// Its files, in the order of their paths.
    pub files: Vec<LayerFile>,
}

/// One recipe file.
#[derive(Clone, Debug)]
pub struct LayerFile {
    /// Path and text.
    pub file: Arc<SourceFile>,
    /// The text of the pyproject.toml in the folder of a `path` source
    /// ([`crate::node::path_source_dir`]), for `version = { from = "pyproject" }`.
    pub pyproject: Option<String>,
}

/// All recipes of all layers, merged.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// The good recipes. Several versions of a name may be among them.
    pub recipes: Vec<Arc<Recipe>>,
    /// The tables of those that were extended; another is its file's.
    merged: HashMap<usize, Table>,
    /// Layer of each file, sorted by the file's address (the places keep it alive).
    layers: Vec<(usize, Arc<str>)>,
    /// The files recipes are made of, sorted by path, and those recipes.
    of_file: Vec<(Arc<SourceFile>, usize)>,
}

/// One value of a recipe: dotted key, value, layer, `file:line`.
pub type OriginRow = (String, String, String, String);

impl Book {
    /// Where each value of a recipe comes from, in the order of its table.
    pub fn origins(&self, index: usize) -> Vec<OriginRow> {
        let mut out = Vec::new();
        match (self.merged.get(&index), self.recipes.get(index)) {
            (Some(table), _) => self.rows(table, "", &mut out),
            (None, Some(recipe)) => self.rows(&table_of(&recipe.file), "", &mut out),
            (None, None) => {}
        }
        out
    }

    /// The recipes a file stands for: the one it holds, the one that took its
    /// place in a later layer, or those that it extends.
    pub fn of_file(&self, path: &str) -> impl Iterator<Item = usize> {
        let first = self.of_file.partition_point(|(file, _)| file.path.as_str() < path);
        let these = self.of_file[first..].iter().take_while(move |(file, _)| file.path == path);
        these.map(|(_, recipe)| *recipe)
    }

    /// The layer a place's file belongs to.
    pub fn layer_of(&self, place: &Place) -> Option<&str> {
        let at = self.layers.binary_search_by_key(&address(&place.file), |(file, _)| *file).ok()?;
        Some(&self.layers[at].1)
    }

    fn rows(&self, table: &Table, path: &str, out: &mut Vec<OriginRow>) {
        for entry in &table.entries {
            let name = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
            self.row(name, &entry.node, out);
        }
    }

    fn row(&self, name: String, node: &Node, out: &mut Vec<OriginRow>) {
        match &node.value {
            Value::Table(inner) if !inner.entries.is_empty() => return self.rows(inner, &name, out),
            // A list whose items have different homes is shown item by item.
            Value::Array(items)
                if items.iter().any(|i| i.place.file != node.place.file || i.as_table().is_some()) =>
            {
                for (at, item) in items.iter().enumerate() {
                    self.row(format!("{name}[{at}]"), item, out);
                }
                return;
            }
            _ => {}
        }
        let layer = self.layer_of(&node.place).unwrap_or("").to_owned();
        let line = node.place.line_col().0;
        out.push((name, node.text(), layer, format!("{}:{line}", node.place.file.path)));
    }
}

fn address(file: &Arc<SourceFile>) -> usize {
    Arc::as_ptr(file) as usize
}

/// The checked table of a file that is known to be good.
fn table_of(file: &Arc<SourceFile>) -> Table {
    let (mut table, _) = crate::node::read(file);
    schema::check(&mut table, schema::RECIPE, &mut Vec::new());
    table
}

/// A recipe, unless an error stands against it, and what is to be said.
type Parsed = (Option<Arc<Recipe>>, Vec<Finding>);

fn parsed(table: &Table, identity: (&PackageName, &Version), of: (&Arc<SourceFile>, &str)) -> Parsed {
    let (recipe, findings) = parse::recipe(table, identity, of);
    (recipe.map(Arc::new), findings)
}

/// A file, read and checked as far as it goes alone. Of thousands of files
/// the tables are many times larger than the recipes, so only an extension
/// keeps its own.
pub struct ReadFile {
    file: Arc<SourceFile>,
    identity: Option<Identity>,
    good: bool,
    findings: Vec<Finding>,
    content: Content,
}

enum Content {
    Extension(Table),
    /// Where the name stands, the name, and the recipe if it has an identity.
    Whole(Option<Place>, Option<PackageName>, Option<Parsed>),
}

/// A file that extends.
struct Extension<'a> {
    table: &'a Table,
    file: &'a Arc<SourceFile>,
}

/// A recipe while layers are being laid on it.
struct Entry {
    /// Once it was extended.
    table: Option<Table>,
    /// Until it is extended.
    parsed: Option<Parsed>,
    /// Where its name stands.
    place: Option<Place>,
    file: Arc<SourceFile>,
    layer: usize,
    pname: PackageName,
    version: Version,
    good: bool,
}

/// The entries of one name. Most have one, which takes no list.
struct Same {
    first: usize,
    more: Vec<usize>,
}

impl Same {
    fn all(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }
}

/// The recipes so far.
#[derive(Default)]
struct Shelf {
    entries: Vec<Entry>,
    by_name: HashMap<PackageName, Same>,
    /// Files and the entries they are part of.
    parts: Vec<(Arc<SourceFile>, usize)>,
    /// Names of files that could not be read well enough to be laid down.
    broken: HashSet<PackageName>,
}

/// Reads every recipe and lays the layers on each other.
pub fn assemble(layers: &[Layer]) -> (Book, Vec<Finding>) {
    let files = layers.iter().flat_map(|layer| layer.files.iter().map(|file| read(file, &layer.name)));
    lay(layers, files)
}

/// Lays layers on each other, their files read by [`read`] in order.
///
/// Returns the good recipes and all findings, in the order of files and
/// lines; a recipe with an error is not in the book, the others are.
pub fn lay(layers: &[Layer], files: impl IntoIterator<Item = ReadFile>) -> (Book, Vec<Finding>) {
    let many = layers.iter().map(|layer| layer.files.len()).sum();
    let mut findings = Vec::new();
    let mut shelf = Shelf::default();
    let mut names: Vec<(usize, Arc<str>)> = Vec::with_capacity(many);
    shelf.entries.reserve(many);
    shelf.by_name.reserve(many);
    let mut files = files.into_iter();
    for (at, layer) in layers.iter().enumerate() {
        let name: Arc<str> = layer.name.as_str().into();
        let mut extensions = Vec::new();
        for mut read in files.by_ref().take(layer.files.len()) {
            names.push((address(&read.file), name.clone()));
            findings.append(&mut read.findings);
            match read.content {
                Content::Extension(_) => extensions.push(read),
                Content::Whole(..) => shelf.define(read, at, &name, &mut findings),
            }
        }
        for extension in extensions {
            shelf.extend(extension, &mut findings);
        }
    }
    let mut book = Book::default();
    let mut numbers = vec![None; shelf.entries.len()];
    book.recipes.reserve(shelf.entries.len());
    for (at, mut entry) in shelf.entries.into_iter().enumerate() {
        let parsed = entry.parsed.take();
        let (recipe, more) = parsed.unwrap_or_else(|| entry.parse(&layers[entry.layer].name));
        findings.extend(more);
        if let Some(recipe) = recipe.filter(|_| entry.good) {
            numbers[at] = Some(book.recipes.len());
            book.merged.extend(entry.table.map(|table| (book.recipes.len(), table)));
            book.recipes.push(recipe);
        }
    }
    for (file, at) in shelf.parts {
        book.of_file.extend(numbers[at].map(|number| (file, number)));
    }
    book.of_file.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    let findings = in_order(findings, &names);
    book.layers = names;
    book.layers.sort_unstable_by_key(|(file, _)| *file);
    (book, findings)
}

/// Reads one file of the layer of this name. Needs no other, so that many can
/// be read side by side.
pub fn read(file: &LayerFile, layer: &str) -> ReadFile {
    let mut findings = Vec::new();
    let (mut table, syntax) = crate::node::read(&file.file);
    let readable = syntax.is_empty();
    // What is missing may only be unreadable: nothing more is said.
    findings.extend(syntax);
    let mut identity = None;
    if readable {
        schema::check(&mut table, schema::RECIPE, &mut findings);
        identity = parse::identity(&table, &file.file, file.pyproject.as_deref(), &mut findings);
    }
    let good = findings.iter().all(|f| f.severity != Severity::Error);
    let whole = |table: &Table| {
        let known = identity.as_ref().and_then(|i| Some((&i.pname, i.version.as_ref()?)));
        let parsed = known.map(|known| parsed(table, known, (&file.file, layer)));
        let name = table.str("pname").and_then(|name| name.parse().ok());
        Content::Whole(table.get("pname").map(|n| n.place.clone()), name, parsed)
    };
    let content = if parse::extends(&table).is_some() { Content::Extension(table) } else { whole(&table) };
    ReadFile { file: file.file.clone(), identity, good, findings, content }
}

/// Findings of several versions of one recipe are said once; `files` are in
/// the order in which they are told.
fn in_order(mut findings: Vec<Finding>, files: &[(usize, Arc<str>)]) -> Vec<Finding> {
    if findings.is_empty() {
        return findings;
    }
    let order: HashMap<usize, usize> = files.iter().enumerate().map(|(at, (file, _))| (*file, at)).collect();
    let key = |f: &Finding| {
        let place = f.place.as_ref();
        place.map_or((usize::MAX, 0), |p| {
            (order.get(&address(&p.file)).copied().unwrap_or(usize::MAX), p.span.start)
        })
    };
    findings.sort_by_key(key);
    let mut seen = HashSet::new();
    findings.retain(|f| {
        let place = f.place.as_ref().map(|p| (address(&p.file), p.span.start, p.span.end));
        seen.insert((place, f.code, f.message.clone()))
    });
    findings
}

impl Entry {
    /// The table, to be extended: what was made of it is not what it says any more.
    fn open(&mut self) -> &mut Table {
        self.parsed = None;
        self.table.get_or_insert_with(|| table_of(&self.file))
    }

    fn parse(&mut self, layer: &str) -> Parsed {
        let identity = (&self.pname, &self.version);
        let table = self.table.get_or_insert_with(|| table_of(&self.file));
        parsed(table, identity, (&self.file, layer))
    }
}

impl Shelf {
    fn define(&mut self, read: ReadFile, layer: usize, layer_name: &str, findings: &mut Vec<Finding>) {
        let Content::Whole(place, name, parsed) = read.content else { return };
        let Some(Identity { pname, version: Some(version) }) = read.identity else {
            self.broken.extend(name);
            return;
        };
        let found = match self.by_name.entry(pname.clone()) {
            MapEntry::Vacant(place) => {
                place.insert(Same { first: self.entries.len(), more: Vec::new() });
                None
            }
            MapEntry::Occupied(mut place) => {
                let same = place.get_mut();
                let found = same.all().find(|at| self.entries[*at].version == version);
                if found.is_none() {
                    same.more.push(self.entries.len());
                }
                found
            }
        };
        let (file, good) = (read.file, read.good);
        let entry = Entry { table: None, parsed, place, file, layer, pname, version, good };
        self.parts.push((entry.file.clone(), found.unwrap_or(self.entries.len())));
        match found {
            None => self.entries.push(entry),
            Some(at) if self.entries[at].layer == layer => {
                let first = self.entries[at].place.as_ref();
                let first = first.map_or(String::new(), |p| format!("{}:{}", p.file.path, p.line_col().0));
                findings.push(Finding {
                    place: entry.place,
                    ..Finding::error(
                        codes::DUPLICATE_RECIPE,
                        Place { file: entry.file.clone(), span: 0..0 },
                        format!("a second recipe for `{}` {} in `{layer_name}`", entry.pname, entry.version),
                    )
                    .hint(format!("the first is {first}; remove one, or give one another version"))
                });
            }
            Some(at) => self.entries[at] = entry,
        }
    }

    fn extend(&mut self, read: ReadFile, findings: &mut Vec<Finding>) {
        let ReadFile { file, identity, good, content, .. } = read;
        let (Content::Extension(table), Some(identity)) = (content, identity) else { return };
        let text = Extension { table: &table, file: &file };
        let Some(targets) = self.targets(&text, &identity, findings) else { return };
        if let Some(new) = &identity.version
            && !self.may_become(&text, &targets, new, findings)
        {
            return;
        }
        for at in targets {
            self.parts.push((file.clone(), at));
            let entry = &mut self.entries[at];
            let start = findings.len();
            if let Some(new) = identity.version.as_ref().filter(|new| **new != entry.version) {
                let old = std::mem::replace(&mut entry.version, new.clone());
                merge::stale_hash(entry.open(), &table, (&old, new), findings);
            }
            let whose = format!("`{}` {}", entry.pname, entry.version);
            merge::recipe(entry.open(), &table, &whose, findings);
            entry.good &= good && findings[start..].iter().all(|f| f.severity != Severity::Error);
        }
    }

    /// The recipes an extension is about; `None` after a finding.
    fn targets(
        &self,
        text: &Extension<'_>,
        identity: &Identity,
        findings: &mut Vec<Finding>,
    ) -> Option<Vec<usize>> {
        let (node, version) = parse::extends(text.table)?;
        let pname = &identity.pname;
        let wanted = match version {
            Some(_) => Some(parse::extended_version(node, findings)?),
            None => None,
        };
        let Some(all) = self.by_name.get(pname) else {
            if !self.broken.contains(pname) {
                let place = text.table.get("pname").map_or(&node.place, |n| &n.place).clone();
                let finding = Finding::error(
                    codes::EXTENDS_NOTHING,
                    place,
                    format!("there is no earlier recipe named `{pname}` to extend"),
                );
                findings.push(match did_you_mean(pname.as_ref(), self.by_name.keys().map(AsRef::as_ref)) {
                    Some(near) => finding
                        .label(format!("did you mean `{near}`?"))
                        .hint(format!("write `pname = \"{near}\"`")),
                    None => finding.hint("remove `extends` if this is the whole recipe"),
                });
            }
            return None;
        };
        let fits = |at: &usize| wanted.as_ref().is_none_or(|w| self.entries[*at].version == *w);
        let targets: Vec<usize> = all.all().filter(fits).collect();
        if targets.is_empty() {
            let versions: Vec<_> =
                all.all().map(|at| format!("`\"{}\"`", self.entries[at].version)).collect();
            findings.push(
                Finding::error(
                    codes::EXTENDS_NOTHING,
                    node.place.clone(),
                    format!("there is no earlier recipe for `{pname}` {} to extend", version.unwrap_or("")),
                )
                .hint(format!("there is {}; `extends = true` means all of them", versions.join(", "))),
            );
            return None;
        }
        Some(targets)
    }

    /// Whether the targets may all be given a version.
    fn may_become(
        &self,
        text: &Extension<'_>,
        targets: &[usize],
        new: &Version,
        findings: &mut Vec<Finding>,
    ) -> bool {
        let place = text.table.get("version").map(|n| n.place.clone());
        let say = |message: String, hint: String| Finding {
            place: place.clone(),
            ..Finding::error(codes::AMBIGUOUS_VERSION, Place { file: text.file.clone(), span: 0..0 }, message)
                .hint(hint)
        };
        let first = &self.entries[targets[0]];
        if targets.len() > 1 {
            let versions: Vec<_> = targets.iter().map(|at| self.entries[*at].version.to_string()).collect();
            findings.push(say(
                format!("{} recipes of `{}` would all become {new}", targets.len(), first.pname),
                format!(
                    "there are {}: say which one to extend, `extends = \"{}\"`",
                    versions.join(", "),
                    versions[0]
                ),
            ));
            return false;
        }
        let taken =
            self.by_name[&first.pname].all().any(|at| at != targets[0] && self.entries[at].version == *new);
        if taken {
            findings.push(say(
                format!("`{}` {} would become {new}, which is there already", first.pname, first.version),
                format!("to change that one, write `extends = \"{new}\"` and no `version`"),
            ));
        }
        !taken
    }
}

#[cfg(test)]
mod tests;
