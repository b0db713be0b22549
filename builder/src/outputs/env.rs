//! Environments: real PEP 405 venvs made of installs.
//!
//! *Frozen*: pieces of site-packages are links into the installs; nobody
//! writes to it. *Working*: files of its own, so that pip and people may
//! change it. What people edit is copied there: installers replace files by a
//! new one and a rename, but editors, `sed -i` on a hard link's other name and
//! pip's own `.pth` edits write in place, and as root no mode stops them. Only
//! compiled files, files of a MiB and more, and formats that are only read
//! (time zones, message catalogs, pictures, fonts) are hard links: nobody edits
//! these in place. What is copied lies together in a pack beside each install.
//! Byte code comes along in each kind, in a working one the kind that notices
//! edits; it is a hard link too, since Python replaces it by a new file.
//!
//! Knows links and launchers. Must never know how an install came to be.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use recipes::diag::{Finding, Severity};
use recipes::target::Target;

use super::copies::Copies;
use super::launcher::{self, UserSite};
use super::merge::{Clash, Merge, Node, Source};
use super::modules::{self, Host, Member};
use super::writing::write_out;
use crate::error::{Error, IoContext as _, Result};
use crate::wheel::wire::{Contents, FORMAT};
use crate::wheel::{MODULE_FILE, SCRIPTS_DIR, Trouble, codes, finding, record, site_packages};

/// How the files of an environment stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Links into the installs.
    Frozen,
    /// Files of its own.
    Working,
    /// Real folders of hard links: nobody writes to it, and no link leaves it,
    /// so that a cell sees all of it through one mount.
    Solid,
}

/// What an environment is made of.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// The interpreter.
    pub host: &'a Host,
    /// Frozen or working.
    pub style: Style,
    /// The installs.
    pub members: &'a [Member],
    /// Checks that every requirement is met, when given.
    pub target: Option<&'a Target>,
    /// Where the folder will stand in the end; it may be composed elsewhere.
    pub at: &'a Path,
    /// The store: links between two places in it are relative.
    pub store: Option<&'a Path>,
    /// PEP 610 direct_url.json text by member name, for git, url and path sources.
    pub direct_urls: &'a BTreeMap<String, String>,
    /// Whether the user's own site-packages are seen.
    pub user_site: UserSite,
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composed {
    /// Executables of `bin` and whose they are, by index of the member.
    pub executables: BTreeMap<String, usize>,
    /// `.pth` and `.start` files with the member's name: they run at start-up.
    pub start_up: Vec<(String, String)>,
}

/// Makes the environment in `into`, which must be new or empty.
pub fn compose(spec: &Spec<'_>, into: &Path) -> Result<Composed, Trouble> {
    let reasons = modules::check(spec.members, spec.host, spec.target);
    if !reasons.is_empty() {
        return Err(Trouble::Findings(reasons));
    }
    let contents = spec.members.par_iter().map(|m| read_contents(&m.tree)).collect::<Result<Vec<_>>>()?;
    let copies = match spec.style {
        Style::Working => Copies::open(spec.members)?,
        Style::Frozen | Style::Solid => Copies::none(),
    };
    let (merge, composed) = plan(spec, &contents, &copies)?;
    if !merge.clashes.is_empty() {
        return Err(Trouble::Findings(merge.clashes.iter().map(|c| clash(spec.members, c)).collect()));
    }
    skeleton(spec, into)?;
    write_out(spec, (&copies, &merge.top), into)?;
    Ok(composed)
}

/// The description an install carries.
pub fn read_contents(tree: &Path) -> Result<Contents> {
    let path = tree.join(MODULE_FILE);
    let bytes = fs::read(&path).doing(|| format!("failed to read `{}`", path.display()))?;
    let contents: Contents =
        serde_json::from_slice(&bytes).doing(|| format!("failed to understand `{}`", path.display()))?;
    if contents.format != FORMAT {
        let text = format!("the install `{}` is of format {}, not {FORMAT}", tree.display(), contents.format);
        return Err(
            Error::environment(text).hint("it was made by another version of wheelwright: build again")
        );
    }
    Ok(contents)
}

fn clash(members: &[Member], clash: &Clash) -> Finding {
    let (a, b) = (members[clash.owners.0].label(), members[clash.owners.1].label());
    let text = format!("`{}` belongs to both `{a}` and `{b}`, with different bytes", clash.path);
    let hint = if clash.path.starts_with("bin/") {
        "leave one of them out, or rename the executable in `post-build`".to_owned()
    } else if clash.path.ends_with("/__init__.py") {
        "if the folder is a namespace, list it in `namespaces` of both recipes".to_owned()
    } else {
        "remove the file from one of them in `post-install`".to_owned()
    };
    finding(Severity::Error, codes::TWO_OWNERS, text).hint(hint)
}

/// Everything but the interpreter's own files, as names.
fn plan<'a>(spec: &Spec<'_>, contents: &[Contents], copies: &'a Copies<'a>) -> Result<(Merge<'a>, Composed)> {
    let own: Vec<BTreeMap<String, String>> =
        spec.members.par_iter().zip(contents).map(|(m, c)| metadata(spec, m, c)).collect::<Result<_>>()?;
    let (mut merge, mut composed) = (Merge::new(copies), Composed::default());
    let site = site_packages(&spec.host.python);
    for (owner, (member, contents)) in spec.members.iter().zip(contents).enumerate() {
        let of =
            |path: &str, folder, real| Node::Of(Source { owner, path: member.tree.join(path), folder, real });
        for unit in &contents.units {
            let path = format!("{site}/{}", unit.path);
            merge.add(&path, of(&path, unit.folder, unit.real))?;
        }
        for file in &contents.files {
            merge.add(file, of(file, false, false))?;
        }
        executables(spec, owner, contents, &mut merge)?;
        for name in names(contents) {
            composed.executables.insert(name.to_owned(), owner);
        }
        composed.start_up.extend(contents.pth.iter().map(|p| (member.name.clone(), p.clone())));
        for (path, text) in &own[owner] {
            merge.replace(path, Node::Text { owner, text: text.clone(), executable: false })?;
        }
    }
    if spec.user_site == UserSite::Permitted && !spec.members.is_empty() {
        // A venv never looks at the user's site-packages; this file makes it.
        let text = "import os, site, sys; p = site.getusersitepackages(); \
                    not sys.flags.no_user_site and os.path.isdir(p) and site.addsitedir(p)\n";
        let node = Node::Text { owner: 0, text: text.to_owned(), executable: false };
        merge.add(&format!("{site}/wheelwright-user-site.pth"), node)?;
    }
    Ok((merge, composed))
}

fn names(contents: &Contents) -> impl Iterator<Item = &str> {
    let points = contents.entry_points.iter().map(|e| e.name.as_str());
    points.chain(contents.scripts.iter().map(|s| s.name.as_str()))
}

fn executables(spec: &Spec<'_>, owner: usize, contents: &Contents, merge: &mut Merge<'_>) -> Result<()> {
    let text = |text| Node::Text { owner, text, executable: true };
    for point in &contents.entry_points {
        let node = text(launcher::entry_point(point, spec.user_site));
        merge.add(&format!("bin/{}", point.name), node)?;
    }
    for script in &contents.scripts {
        if contents.entry_points.iter().any(|e| e.name == script.name) {
            continue;
        }
        let body = format!("{SCRIPTS_DIR}/{}", script.name);
        let source = Source { owner, path: spec.members[owner].tree.join(&body), folder: false, real: false };
        let name = format!("bin/{}", script.name);
        if script.python.is_some() {
            merge.add(&body, Node::Of(source))?;
            merge.add(&name, text(launcher::script(script, spec.user_site)))?;
        } else {
            merge.add(&name, Node::Of(source))?;
        }
    }
    Ok(())
}

/// Files of dist-info that only an environment can have: path and text.
fn metadata(spec: &Spec<'_>, member: &Member, contents: &Contents) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let Some(folder) = &contents.dist_info else { return Ok(files) };
    let site = site_packages(&spec.host.python);
    let direct_url = spec.direct_urls.get(&member.name);
    if let Some(text) = direct_url {
        files.insert(format!("{site}/{folder}/direct_url.json"), text.clone());
    }
    if spec.style != Style::Working {
        return Ok(files);
    }
    let path = format!("{site}/{folder}/RECORD");
    let source = member.tree.join(&path);
    let record = fs::read(&source).doing(|| format!("failed to read `{}`", source.display()))?;
    let rows = record::rows(&record).map_err(|all| {
        Error::environment(format!("failed to understand `{}`", source.display())).because(all.join(", "))
    })?;
    files.insert(path, working_record(&rows, contents, direct_url.is_some()));
    Ok(files)
}

/// RECORD with what the environment really holds, so that pip can uninstall.
fn working_record(rows: &[(Cow<'_, str>, &str)], contents: &Contents, direct_url: bool) -> String {
    let up = |path: &str| format!("../../../{path}");
    let natives = contents.scripts.iter().filter(|s| s.python.is_none());
    let mut gone: BTreeSet<String> = natives.map(|s| up(&format!("{SCRIPTS_DIR}/{}", s.name))).collect();
    gone.insert(up(MODULE_FILE));
    let added = |path: &str| record::line(path, "", None);
    let mut own: Vec<String> = names(contents).map(|name| added(&up(&format!("bin/{name}")))).collect();
    if let (true, Some(folder)) = (direct_url, &contents.dist_info) {
        own.push(added(&format!("{folder}/direct_url.json")));
    }
    let kept = rows.iter().filter(|(path, _)| !gone.contains(path.as_ref())).map(|(_, row)| *row);
    let mut rows: Vec<&str> = kept.chain(own.iter().map(|row| row.trim_end())).collect();
    rows.sort_unstable();
    rows.dedup();
    rows.iter().flat_map(|row| [*row, "\n"]).collect()
}

/// `pyvenv.cfg`, the interpreter's links, `lib64`.
fn skeleton(spec: &Spec<'_>, into: &Path) -> Result<()> {
    let bin = into.join("bin");
    let site = into.join(site_packages(&spec.host.python));
    for folder in [&bin, &site] {
        fs::create_dir_all(folder).doing(|| format!("failed to make `{}`", folder.display()))?;
    }
    let home = spec.host.exe.parent().unwrap_or(Path::new("/"));
    let text = format!(
        "home = {}\ninclude-system-site-packages = false\nversion = {}\n",
        home.display(),
        spec.host.version
    );
    write(&into.join("pyvenv.cfg"), text.as_bytes(), false)?;
    link(&spec.host.exe, &bin.join("python"))?;
    link(Path::new("python"), &bin.join("python3"))?;
    let python = format!("python{}", spec.host.python);
    link(Path::new("python"), &bin.join(&python))?;
    // Without the GIL it is called by both names, as in the venvs it makes itself.
    if let Some(plain) = python.strip_suffix('t') {
        link(Path::new("python"), &bin.join(plain))?;
    }
    link(Path::new("lib"), &into.join("lib64"))
}

pub(super) fn link(target: &Path, at: &Path) -> Result<()> {
    symlink(target, at).doing(|| format!("failed to link `{}` to `{}`", at.display(), target.display()))
}

/// Writes a file with the mode it should have.
pub(super) fn write(path: &Path, bytes: &[u8], executable: bool) -> Result<()> {
    fs::write(path, bytes).doing(|| format!("failed to write `{}`", path.display()))?;
    if executable {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path, mode)
            .doing(|| format!("failed to set the mode of `{}`", path.display()))?;
    }
    Ok(())
}

/// The text of a link at `at` to `target`: relative when both are in the store.
pub(super) fn link_text(store: Option<&Path>, at: &Path, target: &Path) -> PathBuf {
    let inside = store.and_then(|s| Some((at.strip_prefix(s).ok()?, target.strip_prefix(s).ok()?)));
    match inside {
        None => target.to_owned(),
        Some((at, target)) => {
            let mut text = PathBuf::new();
            for _ in at.components().skip(1) {
                text.push("..");
            }
            text.join(target)
        }
    }
}
