//! What of the host's own system files is seen, as steps and rules.
//!
//! Knows how distributions lay out /usr. Must never know Python: names of
//! package folders are data here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::spec::{BindMode, Rule, Step};
use super::toolbox::{self, Contents, Shelf};
use crate::error::Result;
use crate::exec::action::HostView;

/// Folders of packages nobody declared; hidden wherever they show.
const PACKAGES: [&str; 2] = ["dist-packages", "site-packages"];
/// Below a library folder: what only a compiler or a package finder wants.
const DEVELOPMENT: [&str; 16] = [
    "pkgconfig",
    "cmake",
    "perl",
    "perl5",
    "perl-base",
    "gcc",
    "gcc-cross",
    "clang",
    "go",
    "golang",
    "jvm",
    "rustlib",
    "node_modules",
    "R",
    "ruby",
    "ocaml",
];

/// The host's system files, looked at once.
pub(super) struct Host {
    shelf: Shelf,
    tools: BTreeMap<String, PathBuf>,
    /// Folders with shared libraries, and what is hidden in each.
    libraries: Vec<(PathBuf, Vec<PathBuf>)>,
    /// `/bin`, `/lib64` …: links of the root, with their targets.
    links: Vec<(PathBuf, PathBuf)>,
    /// The dynamic loader's names outside the library folders, with the files.
    loaders: Vec<(PathBuf, PathBuf)>,
    library_cache: Option<Vec<u8>>,
    toolboxes: Mutex<BTreeMap<Vec<PathBuf>, PathBuf>>,
    covers: Mutex<BTreeMap<PathBuf, Vec<PathBuf>>>,
}

impl Host {
    /// Looks.
    pub fn look(shelf: Shelf) -> Self {
        shelf.sweep();
        let links = ["/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"];
        let libraries = library_folders();
        Self {
            shelf,
            tools: toolbox::host_tools(),
            links: links.iter().filter_map(|l| Some((l.into(), fs::read_link(l).ok()?))).collect(),
            loaders: loaders(&LOADER_FOLDERS.map(PathBuf::from), &libraries),
            libraries,
            library_cache: fs::read("/etc/ld.so.cache").ok(),
            toolboxes: Mutex::default(),
            covers: Mutex::default(),
        }
    }

    /// The steps that make the system visible, host paths included.
    pub fn steps(&self, view: HostView, host_paths: &[PathBuf]) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        if let Some(bytes) = &self.library_cache {
            steps.push(Step::File("/etc/ld.so.cache".to_owned(), bytes.clone()));
        }
        match view {
            HostView::Minimal => self.minimal(host_paths, &mut steps)?,
            HostView::Toolchain => self.toolchain(host_paths, &mut steps),
        }
        Ok(steps)
    }

    fn minimal(&self, host_paths: &[PathBuf], steps: &mut Vec<Step>) -> Result<()> {
        steps.push(bind(&self.toolbox(host_paths)?, Path::new("/usr")));
        for (name, target) in &self.links {
            let target =
                if name.ends_with("bin") || name.ends_with("sbin") { Path::new("usr/bin") } else { target };
            steps.push(Step::Link(text(name), text(target)));
        }
        for name in ["/bin", "/sbin"] {
            if !self.links.iter().any(|(link, _)| link == Path::new(name)) {
                steps.push(Step::Link(name.to_owned(), "usr/bin".to_owned()));
            }
        }
        steps
            .extend(self.loaders.iter().filter(|(path, _)| !path.starts_with("/usr")).flat_map(loader_steps));
        for (folder, hidden) in &self.libraries {
            steps.push(bind(folder, folder));
            steps.extend(hidden.iter().map(|path| Step::Cover(text(path))));
        }
        let in_toolbox = |path: &Path| path.parent() == Some(Path::new("/usr/bin")) && !path.is_dir();
        for path in host_paths.iter().filter(|path| !in_toolbox(path)) {
            if !self.libraries.iter().any(|(folder, _)| path.starts_with(folder)) {
                steps.push(bind(path, path));
            }
            steps.extend(self.package_covers(path).iter().map(|path| Step::Cover(text(path))));
        }
        Ok(())
    }

    fn toolchain(&self, host_paths: &[PathBuf], steps: &mut Vec<Step>) {
        steps.push(bind(Path::new("/usr"), Path::new("/usr")));
        for name in ["/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"] {
            let path = Path::new(name);
            match self.links.iter().find(|(link, _)| link == path) {
                Some((_, target)) => steps.push(Step::Link(name.to_owned(), text(target))),
                None if path.is_dir() => steps.push(bind(path, path)),
                None => {}
            }
        }
        if Path::new("/etc/alternatives").is_dir() {
            steps.push(bind(Path::new("/etc/alternatives"), Path::new("/etc/alternatives")));
        }
        steps.extend(self.package_covers(Path::new("/usr")).iter().map(|path| Step::Cover(text(path))));
        let local = Path::new("/usr/local");
        let (in_local, others): (Vec<_>, Vec<_>) =
            host_paths.iter().partition(|path| path.starts_with(local));
        if local.is_dir() {
            if in_local.is_empty() {
                steps.push(Step::Cover(text(local)));
            } else {
                steps.push(Step::Memory(text(local), 1 << 20, 0o755));
            }
        }
        let outside = others.into_iter().filter(|path| !path.starts_with("/usr"));
        for path in in_local.iter().copied().chain(outside) {
            steps.push(bind(path, path));
            steps.extend(self.package_covers(path).iter().map(|path| Step::Cover(text(path))));
        }
        if !in_local.is_empty() {
            steps.push(Step::Seal(text(local)));
        }
    }

    /// The prepared `/usr` for these host paths.
    fn toolbox(&self, host_paths: &[PathBuf]) -> Result<PathBuf> {
        let mut toolboxes = self.toolboxes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(ready) = toolboxes.get(host_paths).filter(|ready| ready.is_dir()) {
            return Ok(ready.clone());
        }
        let usr: Vec<&PathBuf> = host_paths.iter().filter(|path| path.starts_with("/usr")).collect();
        let (in_bin, others): (Vec<_>, Vec<_>) = usr
            .into_iter()
            .filter(|path| !self.libraries.iter().any(|(folder, _)| path.starts_with(folder)))
            .partition(|path| path.parent() == Some(Path::new("/usr/bin")) && !path.is_dir());
        let (folders, files): (Vec<_>, Vec<_>) = others.into_iter().partition(|path| path.is_dir());
        let libraries = self.libraries.iter().map(|(path, _)| path).filter(|path| path.starts_with("/usr"));
        let contents = Contents {
            mount_folders: libraries.chain(folders).cloned().collect(),
            mount_files: files.into_iter().cloned().collect(),
            extra: in_bin.into_iter().cloned().collect(),
            links: self.loaders.iter().filter(|(path, _)| path.starts_with("/usr")).cloned().collect(),
        };
        let ready = toolbox::ensure(&self.shelf, &self.tools, &contents)?;
        toolboxes.insert(host_paths.to_vec(), ready.clone());
        Ok(ready)
    }

    /// Package folders below a visible path.
    fn package_covers(&self, path: &Path) -> Vec<PathBuf> {
        let mut covers = self.covers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        covers.entry(path.to_owned()).or_insert_with(|| package_folders(path)).clone()
    }

    /// Rules of the same view for level `landlock`.
    pub fn rules(&self, view: HostView, host_paths: &[PathBuf]) -> Vec<Rule> {
        let mut paths: Vec<PathBuf> =
            ["/etc/ld.so.cache", "/etc/localtime", "/proc"].map(PathBuf::from).to_vec();
        match view {
            HostView::Minimal => {
                paths.extend(self.tools.values().cloned());
                for (folder, hidden) in &self.libraries {
                    paths.extend(children_without(folder, hidden));
                }
                paths.extend(self.loaders.iter().filter_map(|(name, _)| fs::canonicalize(name).ok()));
            }
            HostView::Toolchain => {
                let local = PathBuf::from("/usr/local");
                let hidden: Vec<PathBuf> =
                    self.package_covers(Path::new("/usr")).into_iter().chain([local]).collect();
                paths.extend(children_without(Path::new("/usr"), &hidden));
                paths.push("/etc/alternatives".into());
                for name in ["/bin", "/sbin", "/lib", "/lib64"] {
                    if !self.links.iter().any(|(link, _)| link == Path::new(name)) {
                        paths.push(name.into());
                    }
                }
            }
        }
        for path in host_paths {
            let hidden = self.package_covers(path);
            paths.extend(if hidden.is_empty() {
                vec![path.clone()]
            } else {
                children_without(path, &hidden)
            });
        }
        paths.into_iter().map(|path| Rule { path: text(&path), write: false }).collect()
    }
}

/// Everything below `folder` but the hidden paths, in as few names as possible.
fn children_without(folder: &Path, hidden: &[PathBuf]) -> Vec<PathBuf> {
    if !hidden.iter().any(|path| path.starts_with(folder)) {
        return vec![folder.to_owned()];
    }
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| !hidden.contains(&entry.path()))
        // A link's target has a rule of its own, or none.
        .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()))
        .flat_map(|entry| children_without(&entry.path(), hidden))
        .collect()
}

/// `X/{dist,site}-packages`, `X/lib/python*/…` and `X/python*/…` of an X.
fn package_folders(path: &Path) -> Vec<PathBuf> {
    let mut parents = vec![path.to_owned()];
    for folder in [path.to_owned(), path.join("lib"), path.join("lib64")] {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let names = entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with("python"));
        parents.extend(names.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()));
    }
    let mut found: Vec<PathBuf> = parents
        .iter()
        .flat_map(|parent| PACKAGES.map(|name| parent.join(name)))
        .filter(|p| p.is_dir())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Folders that hold the C library's kind of files: the multiarch folders of
/// Debian, /usr/lib64 of Fedora, /usr/lib of Arch and Alpine.
fn library_folders() -> Vec<(PathBuf, Vec<PathBuf>)> {
    let mut found = Vec::new();
    for base in ["/usr/lib", "/usr/lib64", "/lib", "/lib64"].map(PathBuf::from) {
        if fs::symlink_metadata(&base).map_or(true, |m| m.is_symlink()) {
            continue;
        }
        let Ok(entries) = fs::read_dir(&base) else { continue };
        let names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        let named = |path: &PathBuf, test: fn(&str) -> bool| {
            path.file_name().and_then(|n| n.to_str()).is_some_and(test)
        };
        let flat = names.iter().any(|p| named(p, |n| n == "libc.so.6" || n.starts_with("libc.musl-")));
        if flat {
            found.push(base);
        } else {
            found.extend(
                names.into_iter().filter(|p| named(p, |n| n.contains("-linux-")) && has_c_library(p)),
            );
        }
    }
    found.into_iter().map(|folder| (folder.clone(), development(&folder))).collect()
}

fn has_c_library(folder: &Path) -> bool {
    folder.join("libc.so.6").exists()
}

/// What is hidden in a library folder.
fn development(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut hidden = Vec::new();
    for path in entries.flatten().filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path())
    {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let include = path.join("include");
        if DEVELOPMENT.contains(&name.as_str()) || name.starts_with("llvm") {
            hidden.push(path);
        } else if name.starts_with("python") {
            hidden.extend(PACKAGES.map(|p| path.join(p)).into_iter().filter(|p| p.is_dir()));
        } else if include.is_dir() {
            hidden.push(include);
        }
    }
    hidden.sort();
    hidden
}

/// Where programs look for their loader. The last three are links to the
/// first ones, but for hosts that keep `/` and `/usr` apart.
const LOADER_FOLDERS: [&str; 6] = ["/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/lib32"];

/// Names of the dynamic loader outside the library folders, with the files
/// they lead to.
fn loaders(folders: &[PathBuf], libraries: &[(PathBuf, Vec<PathBuf>)]) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for base in folders {
        let is_link = fs::symlink_metadata(base).map_or(true, |meta| meta.is_symlink());
        if is_link || libraries.iter().any(|(folder, _)| folder == base) {
            continue;
        }
        let Ok(entries) = fs::read_dir(base) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with("ld-")
                && name.contains(".so")
                && let Ok(real) = fs::canonicalize(&path)
            {
                found.push((path, real));
            }
        }
    }
    found.sort();
    found
}

/// A loader's name in a folder of its own, outside `/usr`.
fn loader_steps((path, real): &(PathBuf, PathBuf)) -> Vec<Step> {
    if path == real {
        return vec![bind(real, path)];
    }
    let folder = path.parent().map(|folder| Step::Folder(text(folder)));
    folder.into_iter().chain([Step::Link(text(path), text(real))]).collect()
}

fn bind(from: &Path, to: &Path) -> Step {
    Step::Bind(text(from), text(to), BindMode::ReadOnly)
}

/// Paths of the host that are not UTF-8 cannot be named in an action.
pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loader_in_a_folder_of_its_own_is_found_where_no_link_leads() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["lib64", "lib", "multi", "usr"] {
            fs::create_dir(at(folder)).unwrap();
        }
        for (file, text) in
            [("multi/ld-2.28.so", "loader"), ("lib/ld-musl.so.1", "musl"), ("lib64/other.so", "")]
        {
            fs::write(at(file), text).unwrap();
        }
        std::os::unix::fs::symlink("../multi/ld-2.28.so", at("lib64/ld-linux.so.2")).unwrap();
        std::os::unix::fs::symlink("lib64", at("lib32")).unwrap();
        let real = fs::canonicalize(dir.path()).unwrap();
        let folders = ["lib64", "lib", "lib32", "none", "multi"].map(at);
        let found = loaders(&folders, &[(at("multi"), Vec::new())]);
        let (glibc, musl) = (real.join("multi/ld-2.28.so"), real.join("lib/ld-musl.so.1"));
        assert_eq!(
            found,
            [(at("lib/ld-musl.so.1"), musl.clone()), (at("lib64/ld-linux.so.2"), glibc.clone())]
        );
        assert_eq!(loader_steps(&(musl.clone(), musl.clone())), [bind(&musl, &musl)]);
        let link = Step::Link(text(&at("lib64/ld-linux.so.2")), text(&glibc));
        assert_eq!(loader_steps(&found[1]), [Step::Folder(text(&at("lib64"))), link]);
    }
}
