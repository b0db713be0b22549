//! Toy projects as values: their files, sdists and recipes.
//!
//! Knows how an sdist is laid out. Must never know where it is served or built.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

const BACKEND: &str = include_str!("toy.py");

/// Every member of every toy sdist is from then: 2020-09-13.
const MTIME: u64 = 1_600_000_000;

/// One version of a project, built by the toy backend unless told otherwise.
#[derive(Clone, Debug)]
pub struct Project {
    /// As its author writes it.
    pub name: String,
    /// As its author writes it.
    pub version: String,
    /// What the recipe says beyond name, version, inputs and source.
    extra: String,
    build_system: Vec<String>,
    requires: Vec<String>,
    unsaid: Vec<String>,
    get_requires: Vec<String>,
    console: BTreeMap<String, String>,
    scripts: BTreeMap<String, String>,
    wheel_name: Option<(String, String)>,
    kind: &'static str,
    final_metadata: bool,
    files: BTreeMap<String, Vec<u8>>,
}

impl Project {
    /// A library with one module of its name, which says its `VERSION`.
    pub fn new(name: &str, version: &str) -> Self {
        let project = Self {
            name: name.to_owned(),
            version: version.to_owned(),
            extra: String::new(),
            build_system: vec!["toy".to_owned()],
            requires: Vec::new(),
            unsaid: Vec::new(),
            get_requires: Vec::new(),
            console: BTreeMap::new(),
            scripts: BTreeMap::new(),
            wheel_name: None,
            kind: "package",
            final_metadata: false,
            files: BTreeMap::new(),
        };
        let module = format!("src/{}/__init__.py", project.module());
        project
            .file("pyproject.toml", "[build-system]\nrequires = [\"toy\"]\nbuild-backend = \"toy\"\n")
            .file(&module, &format!("VERSION = \"{version}\"\n"))
    }

    /// The toy backend itself: it builds itself, with its source on the path.
    pub fn backend(version: &str) -> Self {
        let mut project = Self::new("toy", version);
        project.files.clear();
        project.build_system.clear();
        let table = "[build-system]\nrequires = []\nbuild-backend = \"toy\"\nbackend-path = [\"src\"]\n";
        project.file("pyproject.toml", table).file("src/toy.py", BACKEND)
    }

    /// The name of its module.
    pub fn module(&self) -> String {
        self.name.to_lowercase().replace(['-', '.'], "_")
    }

    /// A file of the source; the path is relative to its top.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.as_bytes().to_vec());
        self
    }

    /// Without a file that is there by default.
    pub fn without(mut self, path: &str) -> Self {
        assert!(self.files.remove(path).is_some(), "{} has no {path}", self.name);
        self
    }

    /// More Python in its module.
    pub fn code(mut self, text: &str) -> Self {
        let path = format!("src/{}/__init__.py", self.module());
        self.files.get_mut(&path).expect("the module is there").extend(text.as_bytes());
        self
    }

    /// A run-time requirement, in METADATA and in the recipe.
    pub fn needs(mut self, requirement: &str) -> Self {
        self.requires.push(requirement.to_owned());
        self
    }

    /// A run-time requirement that only METADATA knows.
    pub fn needs_without_saying(mut self, requirement: &str) -> Self {
        self.unsaid.push(requirement.to_owned());
        self
    }

    /// A further build requirement, in the recipe only.
    pub fn builds_with(mut self, requirement: &str) -> Self {
        self.build_system.push(requirement.to_owned());
        self
    }

    /// The recipe's whole `build-system`.
    pub fn build_system(mut self, requirements: &[&str]) -> Self {
        self.build_system = requirements.iter().map(|r| (*r).to_owned()).collect();
        self
    }

    /// What `get_requires_for_build_wheel` answers.
    pub fn asks_for(mut self, requirement: &str) -> Self {
        self.get_requires.push(requirement.to_owned());
        self
    }

    /// Python that runs inside `build_wheel`.
    pub fn hook(self, code: &str) -> Self {
        self.file("hook.py", code)
    }

    /// A console script. A `main` of its module does nothing until the code
    /// says more.
    pub fn console(mut self, command: &str, target: &str) -> Self {
        let module = target.strip_suffix(":main").map(|module| format!("src/{module}/__init__.py"));
        if let Some(code) = module.and_then(|path| self.files.get_mut(&path)) {
            code.splice(..0, b"def main(): pass\n".iter().copied());
        }
        self.console.insert(command.to_owned(), target.to_owned());
        self
    }

    /// A script file, as setup.py's `scripts=` makes them.
    pub fn script(mut self, name: &str, text: &str) -> Self {
        self.scripts.insert(name.to_owned(), text.to_owned());
        self
    }

    /// Its sdist's own metadata is final (PEP 643): what it needs is there.
    pub fn says_all(mut self) -> Self {
        self.final_metadata = true;
        self
    }

    /// What its pyproject.toml requires to build it.
    pub fn requires_to_build(self, requirements: &[&str]) -> Self {
        let table = format!("[build-system]\nrequires = {requirements:?}\nbuild-backend = \"toy\"\n");
        self.file("pyproject.toml", &table)
    }

    /// Its recipe says `kind = "application"`.
    pub fn application(mut self) -> Self {
        self.kind = "application";
        self
    }

    /// Its wheel says another name or version than its recipe.
    pub fn wheel_says(mut self, name: &str, version: &str) -> Self {
        self.wheel_name = Some((name.to_owned(), version.to_owned()));
        self
    }

    /// Further TOML at the end of its recipe.
    pub fn recipe_says(mut self, toml: &str) -> Self {
        self.extra.push_str(toml.trim_start());
        self
    }

    /// `name-version.tar.gz`.
    pub fn file_name(&self) -> String {
        format!("{}-{}.tar.gz", self.module(), self.version)
    }

    /// The source as (path, content), `toy.json` among it.
    pub fn source(&self) -> BTreeMap<String, Vec<u8>> {
        let (name, version) = self.wheel_name.clone().unwrap_or((self.name.clone(), self.version.clone()));
        let requires = [self.requires.as_slice(), self.unsaid.as_slice()].concat();
        let spec = serde_json::json!({
            "name": name,
            "version": version,
            "tag": "py3-none-any",
            "requires": requires,
            "get-requires": self.get_requires,
            "console": self.console,
            "scripts": self.scripts,
        });
        let mut files = self.files.clone();
        files.insert("toy.json".to_owned(), spec.to_string().into_bytes());
        files
    }

    /// The sdist; the same project gives the same bytes.
    pub fn sdist(&self) -> Vec<u8> {
        let top = format!("{}-{}", self.module(), self.version);
        let form = if self.final_metadata { "2.4" } else { "2.1" };
        let mut head = format!("Metadata-Version: {form}\nName: {}\nVersion: {}\n", self.name, self.version);
        if self.final_metadata {
            head.extend(self.requires.iter().map(|text| format!("Requires-Dist: {text}\n")));
        }
        let mut members = self.source();
        members.insert("PKG-INFO".to_owned(), head.into_bytes());
        tar_gz(members.iter().map(|(path, bytes)| (format!("{top}/{path}"), bytes.as_slice())))
    }

    /// The hash a recipe promises for it.
    pub fn hash(&self) -> String {
        sri(&self.sdist())
    }

    /// Its recipe, from the index.
    pub fn recipe(&self) -> String {
        format!(
            "{}[source]\npypi = \"{}\"\nhash = \"{}\"\n{}",
            self.head(),
            self.name,
            self.hash(),
            self.extra
        )
    }

    /// Its recipe for a source beside it.
    pub fn path_recipe(&self, dir: &str) -> String {
        format!("{}[source]\npath = \"{dir}\"\n{}", self.head(), self.extra)
    }

    fn head(&self) -> String {
        let quoted = |list: &[String]| {
            let all: Vec<String> = list.iter().map(|r| format!("{r:?}")).collect();
            format!("[{}]", all.join(", "))
        };
        let mut head = format!("pname = \"{}\"\nversion = \"{}\"\n", self.name, self.version);
        if self.kind != "package" {
            head.push_str(&format!("kind = \"{}\"\n", self.kind));
        }
        head.push_str(&format!("build-system = {}\n", quoted(&self.build_system)));
        if !self.requires.is_empty() {
            head.push_str(&format!("dependencies = {}\n", quoted(&self.requires)));
        }
        head
    }
}

/// A deterministic tar.gz of plain files.
pub fn tar_gz<'a>(members: impl IntoIterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    // Stored, not squeezed: the bytes are no compressor's business.
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    for (path, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(MTIME);
        archive.append_data(&mut header, path, bytes).expect("writing to memory cannot fail");
    }
    archive.into_inner().and_then(GzEncoder::finish).expect("writing to memory cannot fail")
}

/// A tar.gz whose headers are written by hand, so that names and links may
/// be what no honest archive has: (kind, name, link target, content).
pub fn raw_tar_gz(members: &[(tar::EntryType, &str, &str, &[u8])]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    for (kind, name, link, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(MTIME);
        let fields = header.as_old_mut();
        fields.name[..name.len()].copy_from_slice(name.as_bytes());
        fields.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        out.write_all(header.as_bytes()).expect("writing to memory cannot fail");
        out.write_all(bytes).expect("writing to memory cannot fail");
        let rest = bytes.len().next_multiple_of(512) - bytes.len();
        out.write_all(&vec![0; rest]).expect("writing to memory cannot fail");
    }
    out.write_all(&[0; 1024]).expect("writing to memory cannot fail");
    out.finish().expect("writing to memory cannot fail")
}

/// The SRI hash of bytes.
pub fn sri(bytes: &[u8]) -> String {
    recipes::name::Sha256(Sha256::digest(bytes).into()).sri()
}

/// The hex hash of bytes.
pub fn hex(bytes: &[u8]) -> String {
    recipes::name::Sha256(Sha256::digest(bytes).into()).hex()
}
