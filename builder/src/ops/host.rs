//! The host's own toolchain: what it is, and whether what `[external]` names
//! is there.
//!
//! Knows package managers' lists, headers and pkg-config files. Must never
//! start a process or install anything.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use recipes::diag::{Code, Finding, Place, Severity};
use recipes::recipe::Recipe;

use crate::ambient::{Ambient, is_program};
use crate::error::Result;
use crate::key::{Digest, KeyWriter};
use crate::python::Memo;

/// Files that change when the host's packages change, by package manager.
const PACKAGE_LISTS: [&str; 4] =
    ["var/lib/dpkg/status", "lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite", "var/lib/pacman/local"];

/// Seconds within which a file may change and keep its times.
const FRESH: i64 = 2;

/// Programs of a toolchain, for hosts without a known package manager.
const TOOLS: [&str; 8] = ["cc", "c++", "gcc", "g++", "clang", "ld", "as", "gfortran"];

/// The identity of the host's toolchain: the package manager's list of what
/// is installed, else path, size and mtime of the tools.
///
/// A package list is digested by its `Package:`/`Version:`-like lines; a
/// database by size and mtime. It enters only keys of steps that declare a
/// compiler.
///
/// The list of a Debian has megabytes: what an unchanged one says is remembered.
pub fn identity(ambient: &Ambient, memo: Memo<'_>) -> Result<Digest> {
    let mut key = KeyWriter::new();
    for name in PACKAGE_LISTS {
        let path = ambient.machine(name);
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        if meta.is_file() && !name.ends_with("sqlite") {
            key.part(name, installed(ambient, (&path, &meta), memo));
        } else {
            key.part(name, stamp(&path));
        }
        return Ok(digest(&key));
    }
    for tool in TOOLS {
        if let Some(path) = program(ambient, tool) {
            key.part(format!("{tool} {}", path.display()), stamp(&path));
        }
    }
    Ok(digest(&key))
}

fn digest(key: &KeyWriter) -> Digest {
    Digest::of(key.step_key().hex().as_bytes())
}

/// The digest of a package list, from memory when the file is as it was.
fn installed(ambient: &Ambient, (path, meta): (&Path, &std::fs::Metadata), memo: Memo<'_>) -> String {
    let times = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
    let seen = format!("{} {} {} {times:?}", path.display(), meta.len(), meta.ino());
    if let Some(known) = (memo.recall)("host-packages", &seen) {
        return known;
    }
    let made = Digest::of(&installed_lines(&std::fs::read(path).unwrap_or_default())).hex();
    // One that was written just now may be written again with the same times.
    let last = meta.mtime().max(meta.ctime());
    if i64::try_from(ambient.unix_now()).is_ok_and(|now| now - last > FRESH) {
        (memo.remember)("host-packages", &seen, &made);
    }
    made
}

/// The lines of dpkg's and apk's lists that say what is installed.
fn installed_lines(text: &[u8]) -> Vec<u8> {
    let wanted: [&[u8]; 6] = [b"Package: ", b"Version: ", b"Status: ", b"Architecture: ", b"P:", b"V:"];
    let mut out = Vec::new();
    for line in text.split(|b| *b == b'\n') {
        if wanted.iter().any(|w| line.starts_with(w)) {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    out
}

fn stamp(path: &Path) -> String {
    let Ok(meta) = std::fs::metadata(path) else { return "absent".to_owned() };
    let time = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    format!("{} {}", meta.len(), time.map_or(0, |t| t.as_nanos()))
}

/// The host's make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Make {
    /// There is none.
    Absent,
    /// One of this version, as the package manager has it.
    Known(String),
    /// One nobody says the version of.
    Unknown,
}

impl Make {
    /// Looks for it.
    pub fn of(ambient: &Ambient) -> Self {
        if program(ambient, "make").is_none() && program(ambient, "gmake").is_none() {
            return Make::Absent;
        }
        let status = std::fs::read_to_string(ambient.machine(PACKAGE_LISTS[0])).unwrap_or_default();
        let stanza = status.split("\n\n").find(|s| s.lines().next() == Some("Package: make"));
        let version = stanza.and_then(|s| s.lines().find_map(|l| l.strip_prefix("Version: ")));
        version.map_or(Make::Unknown, |version| Make::Known(version.to_owned()))
    }

    /// Whether it understands a fifo as jobserver (GNU make 4.4): an older one
    /// stops at it. Without make nothing stands against it; a make of unknown
    /// version does.
    pub fn knows_fifo(&self) -> bool {
        let version = match self {
            Make::Absent => return true,
            Make::Unknown => return false,
            Make::Known(version) => version,
        };
        let mut numbers = version.split(['.', '-', '+']).map(|n| n.parse::<u32>().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (4, 4)
    }
}

/// Something `[external]` may name: how to see that it is there, and which
/// package has it.
struct Known {
    name: &'static str,
    /// Any of these programs, headers (below an include folder) or
    /// pkg-config modules proves it.
    programs: &'static [&'static str],
    headers: &'static [&'static str],
    modules: &'static [&'static str],
    debian: &'static str,
    fedora: &'static str,
}

const fn tool(name: &'static str, programs: &'static [&'static str], packages: [&'static str; 2]) -> Known {
    Known { name, programs, headers: &[], modules: &[], debian: packages[0], fedora: packages[1] }
}

const fn library(
    name: &'static str,
    headers: &'static [&'static str],
    modules: &'static [&'static str],
    packages: [&'static str; 2],
) -> Known {
    Known { name, programs: &[], headers, modules, debian: packages[0], fedora: packages[1] }
}

const KNOWN: &[Known] = &[
    tool("virtual:compiler/c", &["cc", "gcc", "clang"], ["gcc libc6-dev", "gcc"]),
    tool("virtual:compiler/cxx", &["c++", "g++", "clang++"], ["g++", "gcc-c++"]),
    tool("virtual:compiler/cpp", &["c++", "g++", "clang++"], ["g++", "gcc-c++"]),
    tool("virtual:compiler/fortran", &["gfortran", "flang"], ["gfortran", "gcc-gfortran"]),
    tool("virtual:compiler/rust", &["rustc"], ["rustc cargo", "rust cargo"]),
    tool("virtual:compiler/go", &["go"], ["golang-go", "golang"]),
    tool("pkg:generic/make", &["make", "gmake"], ["make", "make"]),
    tool("pkg:generic/pkg-config", &["pkg-config", "pkgconf"], ["pkg-config", "pkgconf-pkg-config"]),
    tool("pkg:generic/swig", &["swig"], ["swig", "swig"]),
    tool("pkg:generic/cmake", &["cmake"], ["cmake", "cmake"]),
    tool("pkg:generic/git", &["git"], ["git", "git"]),
    tool("pkg:generic/perl", &["perl"], ["perl", "perl"]),
    library("pkg:generic/openssl", &["openssl/ssl.h"], &["openssl"], ["libssl-dev", "openssl-devel"]),
    library("pkg:generic/libffi", &["ffi.h"], &["libffi"], ["libffi-dev", "libffi-devel"]),
    library("pkg:generic/zlib", &["zlib.h"], &["zlib"], ["zlib1g-dev", "zlib-devel"]),
    library(
        "pkg:generic/libxml2",
        &["libxml2/libxml/tree.h"],
        &["libxml-2.0"],
        ["libxml2-dev", "libxml2-devel"],
    ),
    library("pkg:generic/libxslt", &["libxslt/xslt.h"], &["libxslt"], ["libxslt1-dev", "libxslt-devel"]),
    library("pkg:generic/libyaml", &["yaml.h"], &["yaml-0.1"], ["libyaml-dev", "libyaml-devel"]),
    library(
        "pkg:generic/libpq",
        &["postgresql/libpq-fe.h", "libpq-fe.h"],
        &["libpq"],
        ["libpq-dev", "libpq-devel"],
    ),
    library("pkg:generic/sqlite3", &["sqlite3.h"], &["sqlite3"], ["libsqlite3-dev", "sqlite-devel"]),
    library("pkg:generic/libjpeg", &["jpeglib.h"], &["libjpeg"], ["libjpeg-dev", "libjpeg-turbo-devel"]),
    library(
        "pkg:generic/freetype",
        &["freetype2/ft2build.h"],
        &["freetype2"],
        ["libfreetype-dev", "freetype-devel"],
    ),
    library("pkg:generic/libpng", &["png.h"], &["libpng"], ["libpng-dev", "libpng-devel"]),
    library("pkg:generic/cairo", &["cairo/cairo.h"], &["cairo"], ["libcairo2-dev", "cairo-devel"]),
    library("pkg:generic/curl", &["curl/curl.h"], &["libcurl"], ["libcurl4-openssl-dev", "libcurl-devel"]),
    library("pkg:generic/dbus", &["dbus-1.0/dbus/dbus.h"], &["dbus-1"], ["libdbus-1-dev", "dbus-devel"]),
    library("pkg:generic/hdf5", &["hdf5/serial/hdf5.h", "hdf5.h"], &["hdf5"], ["libhdf5-dev", "hdf5-devel"]),
    library(
        "pkg:generic/xmlsec",
        &["xmlsec1/xmlsec/xmlsec.h"],
        &["xmlsec1"],
        ["libxmlsec1-dev", "xmlsec1-devel"],
    ),
    library("pkg:generic/zeromq", &["zmq.h"], &["libzmq"], ["libzmq3-dev", "zeromq-devel"]),
    library("pkg:generic/zstd", &["zstd.h"], &["libzstd"], ["libzstd-dev", "libzstd-devel"]),
    library(
        "pkg:generic/openblas",
        &["cblas.h", "openblas/cblas.h"],
        &["openblas"],
        ["libopenblas-dev", "openblas-devel"],
    ),
    library(
        "virtual:interface/blas",
        &["cblas.h", "openblas/cblas.h"],
        &["openblas", "blas"],
        ["libopenblas-dev", "openblas-devel"],
    ),
    library(
        "virtual:interface/lapack",
        &["lapacke.h", "lapack.h"],
        &["openblas", "lapack"],
        ["liblapack-dev", "lapack-devel"],
    ),
];

/// The code of a missing external requirement (PEP 725).
pub const MISSING_EXTERNAL: Code = Code("W501");

/// One finding for each thing that `[external]` of some recipes names and that
/// this host lacks or that we cannot see. Nothing is built without what a build
/// needs and we know how to look for; of anything else it is only said.
pub fn missing<'r>(ambient: &Ambient, recipes: impl IntoIterator<Item = &'r Recipe>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Many recipes name the same few things.
    let mut there: BTreeMap<&str, bool> = BTreeMap::new();
    for recipe in recipes {
        let external = &recipe.external;
        let builds = external.build_requires.iter().chain(&external.host_requires).map(|named| (named, true));
        let runs = external.dependencies.iter().map(|named| (named, false));
        for ((name, place), builds) in builds.chain(runs) {
            let bare = bare(name);
            let known = KNOWN.iter().find(|k| k.name == bare);
            let look =
                || known.map_or_else(|| generic_present(ambient, bare), |known| present(ambient, known));
            if !*there.entry(bare).or_insert_with(look) {
                findings.push(not_there(recipe, (bare, known, builds), place));
            }
        }
    }
    findings
}

fn not_there(recipe: &Recipe, (bare, known, builds): (&str, Option<&Known>, bool), place: &Place) -> Finding {
    let need = if builds { "to build" } else { "at run time" };
    let certain = builds && (known.is_some() || bare.starts_with("virtual:compiler/"));
    let (message, severity) = match certain {
        true => (format!("`{bare}` is missing on this host"), Severity::Error),
        false => (format!("`{bare}` was not found on this host"), Severity::Warning),
    };
    let hint = match known {
        Some(known) => format!(
            "install it: Debian and Ubuntu `apt-get install {}`, Fedora `dnf install {}`",
            known.debian, known.fedora
        ),
        None => "install the package that has its program, header or pkg-config file".to_owned(),
    };
    let finding = Finding::error(MISSING_EXTERNAL, place.clone(), message).with_severity(severity);
    finding.label(format!("{} needs it {need}", recipe.pname)).hint(hint)
}

/// A program where builds see the host's: the user's own PATH and `/usr/local`
/// are shown to none.
pub fn program(ambient: &Ambient, name: &str) -> Option<PathBuf> {
    program_places(ambient, name).into_iter().find(|file| is_program(file))
}

fn program_places(ambient: &Ambient, name: &str) -> [PathBuf; 2] {
    ["usr/bin", "bin"].map(|folder| ambient.machine(folder).join(name))
}

fn present(ambient: &Ambient, known: &Known) -> bool {
    known.programs.iter().any(|p| program(ambient, p).is_some())
        || known.headers.iter().any(|h| has_header(ambient, h))
        || known.modules.iter().any(|m| has_module(ambient, m))
}

/// A name outside the table: a program, a header or a pkg-config module of it.
fn generic_present(ambient: &Ambient, name: &str) -> bool {
    let [program_name, header, module, library] = generic(name);
    program(ambient, &program_name).is_some()
        || has_header(ambient, &header)
        || has_module(ambient, &module)
        || has_module(ambient, &library)
}

/// The program, header and modules that such a name may mean.
fn generic(name: &str) -> [String; 4] {
    let what = name.rsplit('/').next().unwrap_or(name);
    [what.to_owned(), format!("{what}.h"), what.to_owned(), format!("lib{what}")]
}

/// `virtual:compiler/c@9` -> `virtual:compiler/c`.
fn bare(name: &str) -> &str {
    name.split(['@', '>', '<', '=', ' ', ';']).next().unwrap_or(name)
}

/// All that [`missing`] and [`identity`] look at for these recipes: while
/// nothing of it changes, they say the same.
pub fn looked<'r>(ambient: &Ambient, recipes: impl IntoIterator<Item = &'r Recipe>) -> Vec<PathBuf> {
    let named = |recipe: &'r Recipe| {
        let external = &recipe.external;
        let all = external.build_requires.iter().chain(&external.host_requires).chain(&external.dependencies);
        all.map(|(name, _)| bare(name))
    };
    let names: BTreeSet<&str> = recipes.into_iter().flat_map(named).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let mut paths: Vec<PathBuf> = PACKAGE_LISTS.iter().map(|name| ambient.machine(name)).collect();
    paths.extend(TOOLS.iter().flat_map(|tool| program_places(ambient, tool)));
    for name in names {
        match KNOWN.iter().find(|known| known.name == name) {
            Some(known) => {
                paths.extend(known.programs.iter().flat_map(|p| program_places(ambient, p)));
                paths.extend(known.headers.iter().flat_map(|h| header_places(ambient, h)));
                paths.extend(known.modules.iter().flat_map(|m| module_places(ambient, m)));
            }
            None => {
                let [program, header, module, library] = generic(name);
                paths.extend(program_places(ambient, &program));
                paths.extend(header_places(ambient, &header));
                paths.extend([module, library].iter().flat_map(|m| module_places(ambient, m)));
            }
        }
    }
    // What folders for other machines there are is read from these.
    paths.extend(["usr/include", "usr/lib", "usr/lib64", "usr/share"].map(|base| ambient.machine(base)));
    paths
}

fn multiarch(ambient: &Ambient, base: &str) -> Vec<PathBuf> {
    let base = ambient.machine(base);
    let mut out = vec![base.clone()];
    if let Ok(entries) = std::fs::read_dir(&base) {
        let folders = entries.flatten().map(|e| e.path()).filter(|p| {
            p.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.contains("-linux-")) && p.is_dir()
        });
        out.extend(folders);
    }
    out
}

fn has_header(ambient: &Ambient, name: &str) -> bool {
    header_places(ambient, name).any(|file| file.is_file())
}

fn header_places(ambient: &Ambient, name: &str) -> impl Iterator<Item = PathBuf> {
    multiarch(ambient, "usr/include").into_iter().map(move |folder| folder.join(name))
}

fn has_module(ambient: &Ambient, name: &str) -> bool {
    module_places(ambient, name).any(|file| file.is_file())
}

fn module_places(ambient: &Ambient, name: &str) -> impl Iterator<Item = PathBuf> {
    let file = format!("pkgconfig/{name}.pc");
    let bases = ["usr/lib", "usr/lib64", "usr/share"].into_iter();
    bases.flat_map(|base| multiarch(ambient, base)).map(move |folder| folder.join(&file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(dir: &Path, files: &[(&str, &str)]) -> Ambient {
        for (name, text) in files {
            let path = dir.join("root").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Ambient::made_up(dir)
    }

    #[test]
    fn a_package_installed_changes_the_identity_and_a_description_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let list = "var/lib/dpkg/status";
        let of = |text: &str| identity(&host(dir.path(), &[(list, text)]), Memo::none()).unwrap();
        let one = of("Package: gcc\nVersion: 12\nDescription: x\n");
        assert_eq!(one, of("Package: gcc\nVersion: 12\nDescription: y\n"));
        assert_ne!(one, of("Package: gcc\nVersion: 13\nDescription: x\n"));
    }

    #[test]
    fn an_unchanged_package_list_is_read_once_and_a_fresh_one_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let known = std::cell::RefCell::new(std::collections::BTreeMap::new());
        let memo = Memo {
            recall: &|_, key| known.borrow().get(key).cloned(),
            remember: &|_, key, value| drop(known.borrow_mut().insert(key.to_owned(), value.to_owned())),
        };
        let list = "var/lib/dpkg/status";
        let ambient = host(dir.path(), &[(list, "Package: gcc\nVersion: 12\n")]);
        let [now, later] = [0, 60].map(|s| std::time::SystemTime::now() + std::time::Duration::from_secs(s));
        let one = identity(&ambient.clone().with_now(now), memo).unwrap();
        assert!(known.borrow().is_empty(), "it may change within its own times");
        assert_eq!(identity(&ambient.clone().with_now(later), memo).unwrap(), one);
        assert_eq!(known.borrow().len(), 1);
        // What is remembered is used, and only for this very file.
        known.borrow_mut().values_mut().for_each(|value| "other".clone_into(value));
        assert_ne!(identity(&ambient.clone().with_now(later), memo).unwrap(), one);
        let path = dir.path().join("root").join(list);
        std::fs::write(path.with_extension("new"), "Package: gcc\nVersion: 12\n").unwrap();
        std::fs::rename(path.with_extension("new"), &path).unwrap();
        assert_eq!(identity(&ambient.with_now(later), memo).unwrap(), one);
    }

    #[test]
    fn only_a_new_make_is_given_a_fifo() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("root/usr/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::copy("/bin/sh", bin.join("make")).unwrap();
        let with = |version: &str| {
            let text = format!("Package: gcc\nVersion: 12\n\nPackage: make\nVersion: {version}\n");
            Make::of(&host(dir.path(), &[("var/lib/dpkg/status", &text)])).knows_fifo()
        };
        assert!(with("4.4.1-2"));
        assert!(!with("4.3-4.1"));
        assert!(!with("unknown"));
        std::fs::remove_file(bin.join("make")).unwrap();
        assert!(Make::of(&host(dir.path(), &[])).knows_fifo(), "there is no make at all");
    }

    #[test]
    fn headers_and_modules_are_found_in_multiarch_folders() {
        let dir = tempfile::tempdir().unwrap();
        let ambient = host(
            dir.path(),
            &[("usr/include/x86_64-linux-gnu/ffi.h", ""), ("usr/lib/x86_64-linux-gnu/pkgconfig/zlib.pc", "")],
        );
        assert!(has_header(&ambient, "ffi.h"));
        assert!(has_module(&ambient, "zlib"));
        assert!(!has_module(&ambient, "openssl"));
        assert!(!generic_present(&ambient, "pkg:generic/nothing"));
    }

    fn recipe(external: &str) -> Recipe {
        use recipes::book::{Layer, LayerFile, assemble};
        let text =
            format!("pname = \"a\"\nversion = \"1\"\n[source]\npath = \".\"\n[external]\n{external}\n");
        let file = std::sync::Arc::new(recipes::diag::SourceFile { path: "a.toml".into(), text });
        let files = vec![LayerFile { file, pyproject: None }];
        let (mut book, findings) = assemble(&[Layer { name: "recipes".into(), files }]);
        assert!(findings.is_empty(), "{findings:?}");
        std::sync::Arc::unwrap_or_clone(book.recipes.remove(0))
    }

    #[test]
    fn a_missing_compiler_is_told_with_its_package() {
        let dir = tempfile::tempdir().unwrap();
        let ambient = host(dir.path(), &[("usr/local/bin/gcc", "")]);
        let found = missing(&ambient, [&recipe("build-requires = [\"virtual:compiler/c\"]")]);
        expect_test::expect![[r#"
            error[W501] a.toml:6:19: `virtual:compiler/c` is missing on this host
             6 | build-requires = ["virtual:compiler/c"]
               |                   ^^^^^^^^^^^^^^^^^^^^ a needs it to build
              hint: install it: Debian and Ubuntu `apt-get install gcc libc6-dev`, Fedora `dnf install gcc`
        "#]]
        .assert_eq(&found[0].render());
        assert_eq!(found[0].severity, Severity::Error);
        // Looked for once, told for each.
        let recipes =
            ["build-requires = [\"virtual:compiler/c\"]", "dependencies = [\"virtual:compiler/c@9\"]"];
        let recipes = recipes.map(recipe);
        let told: Vec<String> = missing(&ambient, &recipes).into_iter().map(|f| f.label).collect();
        assert_eq!(told, ["a needs it to build", "a needs it at run time"]);
    }

    #[test]
    fn what_cannot_be_known_is_said_and_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        let ambient = host(dir.path(), &[("usr/include/ffi.h", ""), ("usr/local/bin/swig", "")])
            .with_var("PATH", elsewhere.as_os_str());
        for folder in [&elsewhere, &dir.path().join("root/usr/bin")] {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::copy("/bin/sh", folder.join("cmake")).unwrap();
        }
        std::fs::copy("/bin/sh", elsewhere.join("perl")).unwrap();
        let external = "build-requires = [\"dep:virtual/compiler/c\", \"pkg:generic/cmake\", \
                        \"pkg:generic/perl\", \"pkg:generic/swig\"]\n\
                        host-requires = [\"dep:generic/libffi\", \"dep:generic/zlib@1\", \"pkg:generic/odd\"]\n\
                        dependencies = [\"pkg:generic/libpq\", \"pkg:generic/rare\"]\n";
        let told: Vec<String> = missing(&ambient, [&recipe(external)])
            .iter()
            .map(|f| format!("{:?} {} ({})", f.severity, f.message, f.label))
            .collect();
        expect_test::expect![[r#"
            Error `virtual:compiler/c` is missing on this host (a needs it to build)
            Error `pkg:generic/perl` is missing on this host (a needs it to build)
            Error `pkg:generic/swig` is missing on this host (a needs it to build)
            Error `pkg:generic/zlib` is missing on this host (a needs it to build)
            Warning `pkg:generic/odd` was not found on this host (a needs it to build)
            Warning `pkg:generic/libpq` was not found on this host (a needs it at run time)
            Warning `pkg:generic/rare` was not found on this host (a needs it at run time)"#]]
        .assert_eq(&told.join("\n"));
        assert!(crate::plan::declares_compiler(&recipe(external)));
    }
}
