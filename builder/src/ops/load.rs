//! From command-line words to recipes in memory: finds the workspace, reads
//! its files, and assembles the layers.
//!
//! Knows where recipe files lie. Must never know what is done with them.
//!
//! Each file is opened and read once, many side by side. What it parses to is
//! kept nowhere: with the recipes of the corpus and the base set that is 3 ms
//! of processor time, beside the opening of the store; reading a parse back
//! would save one. What was looked at is noted, so that a question that is
//! asked again can be answered without (`remembered`).

mod looked;
mod names;
mod side_by_side;
mod text;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use recipes::book::{self, Book, Layer, LayerFile, ReadFile};
use recipes::codes;
use recipes::diag::{Code, Finding, Place, Severity, SourceFile};
use recipes::node;
use recipes::workspace::{self, Workspace};

use crate::ambient::Ambient;
use crate::error::{Error, Result};
pub use looked::Looked;
use looked::{clean, entries, note, steps_up};
use names::{is_either, is_foreign, looks_like_recipe, may_be_recipe};
use side_by_side::read_many;
pub use side_by_side::side_by_side;
use text::{Text, mentioned, text};

/// The name of the workspace file.
pub const WORKSPACE_FILE: &str = "wheelwright.toml";

/// A folder of recipes is read up to this depth.
const DEEPEST: usize = 8;

/// Everything that was read.
pub struct Loaded {
    /// The workspace's folder, or the folder of the recipe that was named.
    pub root: PathBuf,
    /// `wheelwright.toml`, or what holds without one.
    pub workspace: Workspace,
    /// The recipes after all layers.
    pub book: Book,
    /// Errors, warnings and lints of all files.
    pub findings: Vec<Finding>,
    /// The recipe files: display path to path on disk.
    pub disk: BTreeMap<String, PathBuf>,
    /// The display paths that the command line named, each with its recipes.
    pub named: Vec<Named>,
    /// All on disk that it was read from, or that was looked for.
    pub looked: Vec<Looked>,
}

/// What one word of the command line stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A package name, perhaps with a version, and what it would be as a path.
    Package(String, PathBuf),
    /// A recipe file, by display path.
    File(String),
    /// A folder: these recipe files.
    Folder(String, Vec<String>),
    /// `[env.NAME]` of the workspace; only where an environment is wanted.
    Environment(String),
}

impl Loaded {
    /// Whether any finding is an error.
    pub fn is_broken(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }

    /// A folder is about to be made: that it is not there yet is no finding.
    pub fn will_make(&mut self, dir: &Path) {
        let dir = clean(dir);
        let folders = self.workspace.recipes.iter();
        let it: Vec<&Place> = folders
            .filter(|(folder, _)| clean(&self.root.join(folder)) == dir)
            .map(|(_, place)| place)
            .collect();
        self.findings.retain(|f| f.code != NO_FOLDER || !f.place.as_ref().is_some_and(|p| it.contains(&p)));
    }

    /// Whether a `wheelwright.toml` says what the set is.
    pub fn is_workspace(&self) -> bool {
        self.root.join(WORKSPACE_FILE).is_file()
    }

    /// That everything was meant, and there is nothing.
    pub fn nothing_here(&self) -> Error {
        let folders = self.workspace.recipes.iter().chain(&self.workspace.overlays);
        let mut looked: Vec<String> =
            folders.map(|(folder, _)| clean(&self.root.join(folder)).display().to_string()).collect();
        if looked.is_empty() {
            looked.push(self.root.display().to_string());
        }
        let error = Error::input(format!("this workspace has no recipe (looked in {})", looked.join(", ")));
        match self.is_workspace() {
            true => error.hint("a recipe is a TOML file there with `pname`: `wheelwright add NAME`"),
            false => error.hint(format!(
                "there is no {WORKSPACE_FILE} here or above: run it where the recipes are, or name them"
            )),
        }
    }

    /// The folder on disk that paths in a recipe file are relative to.
    pub fn folder_of(&self, file: &SourceFile) -> PathBuf {
        let path = self.disk.get(&file.path).map(PathBuf::as_path).unwrap_or(Path::new(&file.path));
        path.parent().unwrap_or(Path::new(".")).to_owned()
    }
}

/// Whether a word of the command line is a path rather than a name.
fn is_path(word: &str) -> bool {
    word == "." || word == ".." || word.contains('/') || word.ends_with(".toml")
}

/// A workspace that was found and whose recipes are still to be read.
pub struct Begun<'a> {
    reader: Reader<'a>,
    words: &'a [String],
    /// As in [`Loaded`].
    root: PathBuf,
    found: bool,
    /// As in [`Loaded`].
    pub workspace: Workspace,
}

/// Finds the workspace upward from the first path named, else from the
/// working folder, and reads it.
pub fn load(ambient: &Ambient, words: &[String]) -> Result<Loaded> {
    begin(ambient, words)?.finish()
}

/// The first part of [`load`]: what says how the machine is to be opened.
pub fn begin<'a>(ambient: &'a Ambient, words: &'a [String]) -> Result<Begun<'a>> {
    let mut reader = Reader::new(ambient);
    let named_paths: Vec<PathBuf> =
        words.iter().filter(|w| is_path(w)).map(|w| place_of(ambient, w)).collect();
    for (path, word) in named_paths.iter().zip(words.iter().filter(|w| is_path(w))) {
        if !path.exists() {
            return Err(missing(word));
        }
    }
    let start = match named_paths.first() {
        Some(path) if path.is_dir() => path.clone(),
        Some(path) => path.parent().unwrap_or(Path::new("/")).to_owned(),
        None => ambient.cwd.clone(),
    };
    for word in words.iter().filter(|w| is_path(w)) {
        reader.looked.extend(steps_up(&ambient.absolute(Path::new(word))));
    }
    let mut is_root = |d: &&Path| {
        let file = d.join(WORKSPACE_FILE);
        let found = file.is_file();
        // One that is there is read, too.
        if !found {
            reader.looked.push(Looked::At(file));
        }
        found
    };
    let found = start.ancestors().find(&mut is_root).map(Path::to_owned);
    let root = found.clone().unwrap_or(start);
    let workspace = match &found {
        Some(folder) => reader.workspace(&folder.join(WORKSPACE_FILE))?,
        None => Workspace::default(),
    };
    Ok(Begun { reader, words, root, found: found.is_some(), workspace })
}

/// Where a word of the command line leads as a path.
fn place_of(ambient: &Ambient, word: &str) -> PathBuf {
    clean(&ambient.absolute(Path::new(word)))
}

impl Begun<'_> {
    /// The rest of [`load`].
    pub fn finish(mut self) -> Result<Loaded> {
        let base = base_layer();
        let slots: Vec<OnceLock<ReadFile>> = base.files.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        // Each file is parsed by whoever comes to it first.
        let parse = || {
            while let Some((file, slot)) =
                base.files.iter().zip(&slots).nth(next.fetch_add(1, Ordering::Relaxed))
            {
                slot.get_or_init(|| book::read(file, &base.name));
            }
        };
        let (layers, named, more) = std::thread::scope(|scope| {
            // While the files of the workspace are read, which waits for the disk.
            if self.reader.ambient.cpus > 1 {
                scope.spawn(parse);
            }
            let ours = self.read(&base);
            parse();
            ours
        })?;
        let read = slots.into_iter().filter_map(OnceLock::into_inner).chain(more);
        let filling = read_many(self.reader.ambient.cpus, self.reader.disk.len());
        let (book, mut findings) = book::lay(&layers, read);
        drop(filling);
        let Self { mut reader, root, workspace, .. } = self;
        for (dir, place) in reader.no_folder {
            // Where there is no folder, what is missing in it is no news.
            let in_vain = |f: &Finding| {
                f.code == codes::NO_STATIC_VERSION && f.place.as_ref().is_some_and(|p| p.file == place.file)
            };
            if findings.iter().any(in_vain) {
                findings.retain(|f| !in_vain(f));
                findings.push(no_source_folder(&dir, place));
            }
        }
        reader.findings.extend(findings);
        let Reader { disk, findings, looked, .. } = reader;
        Ok(Loaded { root, workspace, book, findings, disk, named, looked })
    }

    /// The layers, what was named, and what all files but the base set's parse to.
    fn read(&mut self, base: &Layer) -> Result<(Vec<Layer>, Vec<Named>, Vec<ReadFile>)> {
        let Self { reader, root, workspace, .. } = self;
        let (words, ambient, found) = (self.words, reader.ambient, self.found);
        let mut layers = vec![base.clone()];
        if found {
            layers.extend(reader.workspace_layers(root, workspace));
        } else if !words.iter().any(|word| is_path(word)) {
            layers.push(Layer { name: "recipes".into(), files: reader.folder(root, false) });
        }
        let mut named = Vec::new();
        let mut extra = Vec::new();
        for word in words {
            if !is_path(word) {
                named.push(Named::Package(word.clone(), ambient.cwd.join(word)));
                continue;
            }
            named.push(reader.named(&place_of(ambient, word), !found, &mut extra)?);
        }
        if !extra.is_empty() {
            let known = layers.iter().flat_map(|l| &l.files).map(|f| f.file.path.clone());
            let mut seen: HashSet<String> = known.collect();
            extra.retain(|f: &LayerFile| seen.insert(f.file.path.clone()));
        }
        if !extra.is_empty() {
            // Before the overlays, which may extend what was named.
            let at = layers.iter().position(|l| l.name.starts_with("overlay")).unwrap_or(layers.len());
            layers.insert(at, Layer { name: "named".into(), files: extra });
        }
        let ours = layers.iter().skip(1);
        let files: Vec<(&LayerFile, &str)> =
            ours.flat_map(|layer| layer.files.iter().map(|file| (file, layer.name.as_str()))).collect();
        let more = side_by_side(ambient.cpus, &files, |(file, layer)| book::read(file, layer));
        Ok((layers, named, more))
    }
}

/// That the folder of a `path` source is not there.
pub fn no_source_folder(dir: &str, place: Place) -> Finding {
    let hint = format!("`path` is relative to the folder of {}", place.file.path);
    Finding::error(BAD_PATH, place, format!("the source folder `{dir}` is not there")).hint(hint)
}

fn missing(word: &str) -> Error {
    Error::input(format!("there is no `{word}`"))
        .hint("name a recipe file, a folder of recipes, or a package")
}

/// The embedded base set as a layer.
fn base_layer() -> Layer {
    let files = recipes::base::files()
        .into_iter()
        .map(|(path, text)| LayerFile {
            file: Arc::new(SourceFile { path: format!("<base>/{path}"), text: text.to_owned() }),
            pyproject: None,
        })
        .collect();
    Layer { name: "base".into(), files }
}

struct Reader<'a> {
    ambient: &'a Ambient,
    disk: BTreeMap<String, PathBuf>,
    findings: Vec<Finding>,
    /// `path` sources whose version was to be read and that are not there.
    no_folder: Vec<(String, Place)>,
    /// As in [`Loaded`].
    looked: Vec<Looked>,
}

impl<'a> Reader<'a> {
    fn new(ambient: &'a Ambient) -> Self {
        let (disk, findings, no_folder) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { ambient, disk, findings, no_folder, looked: Vec::new() }
    }
}

impl Reader<'_> {
    fn look(&mut self, looked: Looked) {
        note(&mut self.looked, looked);
    }

    fn text(&self, path: &Path) -> Result<Arc<SourceFile>> {
        text(&self.ambient.cwd, path)
    }

    fn workspace(&mut self, path: &Path) -> Result<Workspace> {
        let file = self.text(path)?;
        self.look(Looked::File(path.to_owned(), Arc::clone(&file)));
        let (workspace, findings) = workspace::parse(&file);
        self.findings.extend(findings);
        Ok(workspace)
    }

    /// What cannot be read is told with all else that is wrong. Of a file that
    /// may be no recipe at all it is only said.
    fn unreadable(&mut self, error: Error, certain: bool) {
        let severity = if certain { Severity::Error } else { Severity::Warning };
        let finding = Finding::plain(UNREADABLE, error.doing).with_severity(severity);
        let known = self.findings.iter_mut().find(|f| f.code == UNREADABLE && f.message == finding.message);
        if let Some(known) = known {
            // A file that was named may lie in a folder of the set, too.
            known.severity = known.severity.max(severity);
            return;
        }
        self.findings.push(Finding { notes: error.causes, hints: error.hints, ..finding });
    }

    fn workspace_layers(&mut self, root: &Path, workspace: &Workspace) -> Vec<Layer> {
        let mut layers = Vec::new();
        let groups = [("recipes", workspace.recipes.as_slice()), ("overlay", workspace.overlays.as_slice())];
        for (word, folders) in groups {
            for (folder, place) in folders {
                steps_up(&root.join(folder)).into_iter().for_each(|looked| self.look(looked));
                let path = clean(&root.join(folder));
                if !path.is_dir() {
                    let message = format!("there is no folder `{folder}` beside {WORKSPACE_FILE}");
                    self.findings.push(Finding::error(NO_FOLDER, place.clone(), message));
                    continue;
                }
                let files = self.folder(&path, true);
                layers.push(Layer { name: format!("{word} {folder}"), files });
            }
        }
        layers
    }

    /// A recipe file; nothing for one that cannot be read, or that was not
    /// `certain` to hold a recipe and does not look like one.
    fn recipe(&mut self, path: &Path, certain: bool) -> Option<LayerFile> {
        let text = mentioned(self.text(path));
        self.recipe_of(text, path.to_owned(), certain)
    }

    /// The same of a file that was read.
    fn recipe_of(&mut self, text: Result<Text>, path: PathBuf, certain: bool) -> Option<LayerFile> {
        let (file, mentions) = match text {
            Ok(text) => text,
            Err(error) => {
                self.look(Looked::Odd);
                self.unreadable(error, certain);
                return None;
            }
        };
        self.look(Looked::File(path.clone(), Arc::clone(&file)));
        if !certain && !looks_like_recipe(&file.text) {
            return None;
        }
        let pyproject = if mentions { self.pyproject(&file, &path) } else { None };
        self.disk.insert(file.path.clone(), path);
        Some(LayerFile { file, pyproject })
    }

    /// `version = { from = "pyproject" }` needs the text of the source's file.
    fn pyproject(&mut self, file: &Arc<SourceFile>, path: &Path) -> Option<String> {
        let (table, _) = node::read(file);
        let dir = node::path_source_dir(&table)?;
        let folder = path.parent().unwrap_or(Path::new("/")).join(&dir);
        // What is built of the folder itself rests on more than this file.
        self.look(Looked::Odd);
        if !folder.is_dir() {
            let place = table.get("source").map(|source| source.place.clone());
            self.no_folder.extend(place.map(|place| (dir, place)));
            return None;
        }
        let wanted = folder.join("pyproject.toml");
        if !wanted.is_file() {
            return None;
        }
        match self.text(&wanted) {
            Ok(text) => Some(text.text.clone()),
            Err(error) => {
                self.unreadable(error, true);
                None
            }
        }
    }

    /// The recipe files of a folder, sorted. In a folder that was declared to
    /// hold recipes every TOML file is one; elsewhere only those that say so.
    fn folder(&mut self, folder: &Path, declared: bool) -> Vec<LayerFile> {
        let mut paths = Vec::new();
        self.collect(folder, (declared, 0), &mut paths);
        let cwd = &self.ambient.cwd;
        let texts = side_by_side(self.ambient.cpus, &paths, |(path, _)| mentioned(text(cwd, path)));
        let read = paths.into_iter().zip(texts);
        read.filter_map(|((path, certain), text)| self.recipe_of(text, path, certain)).collect()
    }

    /// TOML files below a folder, in the order of their paths; `certain` ones
    /// are recipes whatever they hold.
    fn collect(&mut self, folder: &Path, (declared, depth): (bool, usize), out: &mut Vec<(PathBuf, bool)>) {
        let mut entries = match entries(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.look(Looked::Odd);
                return self.unreadable(error, true);
            }
        };
        // Here: to compare whole paths costs many times more.
        entries.sort_unstable_by(|(_, a, _), (_, b, _)| a.cmp(b));
        // A project's own folder holds TOML files of many tools.
        let project = ["pyproject.toml", "setup.py", "setup.cfg"].iter().any(|f| folder.join(f).is_file());
        let mut names = Vec::with_capacity(entries.len());
        for (path, name, kind) in entries {
            if kind.is_dir() && !name.starts_with('.') {
                // Recipes of a workspace may be sorted into folders.
                if declared && depth < DEEPEST && self.is_ours(&path) {
                    self.collect(&path, (declared, depth + 1), out);
                }
            } else if may_be_recipe(&name) && !(kind.is_symlink() && path.is_dir()) {
                out.push((path, declared && !project && !is_either(&name)));
            }
            // Where a link leads may change without its folder.
            if kind.is_symlink() {
                self.look(Looked::At(folder.join(&name)));
            }
            names.push((name, kind));
        }
        self.look(Looked::Folder(folder.to_owned(), names));
    }

    /// A folder with a workspace of its own is not ours, nor is one that was
    /// built.
    fn is_ours(&mut self, folder: &Path) -> bool {
        let marks = [WORKSPACE_FILE, RESULT_MARK].map(|name| folder.join(name));
        let ours = !marks.iter().any(|mark| mark.is_file());
        marks.map(Looked::At).into_iter().for_each(|looked| self.look(looked));
        ours
    }

    fn named(&mut self, path: &Path, alone: bool, extra: &mut Vec<LayerFile>) -> Result<Named> {
        let shown = |f: &LayerFile| f.file.path.clone();
        if path.is_dir() {
            let files = self.folder(path, path.join(WORKSPACE_FILE).is_file());
            let names = files.iter().map(shown).collect();
            extra.extend(files);
            return Ok(Named::Folder(path.display().to_string(), names));
        }
        if path.file_name().is_some_and(|n| is_foreign(&n.to_string_lossy())) {
            let message = format!("`{}` is not a recipe", path.display());
            return Err(Error::input(message).hint("name the recipe file, or the folder that holds it"));
        }
        // One that cannot be read is told of among the findings.
        let file = self.recipe(path, true);
        let name = file.as_ref().map_or_else(|| path.display().to_string(), shown);
        extra.extend(file);
        if alone {
            // Without a workspace the set is the recipe's folder.
            extra.extend(self.folder(path.parent().unwrap_or(Path::new("/")), false));
        }
        Ok(Named::File(name))
    }
}

/// The code of a folder that `wheelwright.toml` names and that is not there.
pub const NO_FOLDER: Code = Code("W502");
/// A `path` source that is not there or cannot be used.
pub const BAD_PATH: Code = Code("W505");
/// A file or folder of recipes that cannot be read.
pub const UNREADABLE: Code = Code("W508");

/// Only a result of ours, or a copy of one, has this file.
const RESULT_MARK: &str = "share/wheelwright/package.json";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::load;
    use crate::ambient::Ambient;

    #[test]
    fn one_processor_reads_what_two_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("wheelwright.toml"), "[set]\nrecipes = [\"r\"]\n").unwrap();
        std::fs::create_dir(dir.path().join("r")).unwrap();
        let text = "pname = \"own\"\nversion = \"1\"\n[source]\npath = \".\"\n";
        std::fs::write(dir.path().join("r/own.toml"), text).unwrap();
        let names = |cpus| {
            let mut ambient = Ambient::made_up(dir.path());
            ambient.cpus = cpus;
            let recipes = load(&ambient, &[]).unwrap().book.recipes;
            recipes.iter().map(|r| r.file.path.clone()).collect::<Vec<_>>()
        };
        let all = names(2);
        assert_eq!(all.len(), recipes::base::files().len() + 1);
        assert_eq!(names(1), all);
    }

    #[test]
    fn recipes_come_in_the_order_of_their_paths() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("wheelwright.toml"), "[set]\nrecipes = [\"r\"]\n").unwrap();
        let mut names = ["r/b.toml", "r/a/z.toml", "r/a/b/c.toml", "r/a-b.toml", "r/a.toml", "r/B.toml"];
        for (n, name) in names.iter().enumerate() {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = format!("pname = \"p{n}\"\nversion = \"1\"\n[source]\npath = \".\"\n");
            std::fs::write(path, text).unwrap();
        }
        let loaded = load(&Ambient::made_up(dir.path()), &[]).unwrap();
        let files = loaded.book.recipes.iter().map(|r| r.file.path.as_str());
        let ours: Vec<&str> = files.filter(|path| path.starts_with("r/")).collect();
        names.sort_by(|a, b| Path::new(a).cmp(Path::new(b)));
        assert_eq!(ours, names);
    }
}
