//! From the `bin` folder that shell phases left to script bodies.
//!
//! Knows links and names of a folder on disk. Must never follow a link out of
//! it, or know what the phases did.

use std::fs;
use std::path::Path;

use recipes::diag::Finding;

use super::adopt::list;
use super::install::{SCRIPTS_DIR, Trouble, script_target};
use super::{codes, wrong};
use crate::error::{IoContext as _, Result};

const BIN: &str = "bin";
/// More links than this, one leading to the next, lead nowhere.
const MOST_HOPS: usize = 40;

/// `bin/x` -> `share/wheelwright/scripts/x`. A link in `bin`, and one that
/// leads there, becomes the file it leads to: a body is read, not followed,
/// and `bin` is made anew by each environment.
pub fn move_scripts(root: &Path) -> Result<(), Trouble> {
    let bin = root.join(BIN);
    let Ok(meta) = fs::symlink_metadata(&bin) else { return Ok(()) };
    if !meta.is_dir() {
        let what = if meta.is_symlink() { "a link" } else { "a file" };
        let text = format!("`bin` is {what}; it has to be a folder of executables");
        return Err(Trouble::Findings(vec![wrong(codes::PLACEMENT, text)]));
    }
    let mut problems = Vec::new();
    settle_links(root, "", &mut problems)?;
    let entries = list(&bin)?;
    for entry in &entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let told = match script_target(&name) {
            Err(e) => Some(e),
            Ok(_) if entry.path().is_dir() => Some("it is a folder, not an executable".to_owned()),
            Ok(_) => None,
        };
        problems.extend(told.map(|e| wrong(codes::PLACEMENT, format!("`bin/{name}`: {e}"))));
    }
    if !problems.is_empty() {
        return Err(Trouble::Findings(problems));
    }
    let scripts = root.join(SCRIPTS_DIR);
    if !entries.is_empty() {
        fs::create_dir_all(&scripts).doing(|| format!("failed to make `{}`", scripts.display()))?;
    }
    for entry in entries {
        let to = scripts.join(entry.file_name());
        fs::rename(entry.path(), &to).doing(|| format!("failed to move `{}`", entry.path().display()))?;
    }
    Ok(fs::remove_dir(&bin).doing(|| format!("failed to remove `{}`", bin.display()))?)
}

/// Replaces links in `bin` and into `bin` below the folder `below`.
fn settle_links(root: &Path, below: &str, problems: &mut Vec<Finding>) -> Result<()> {
    for entry in list(&root.join(below))? {
        let path = entry.path();
        // A name that is not UTF-8 is told of by whoever reads all files.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let rel = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type().doing(|| format!("failed to look at `{}`", path.display()))?;
        if kind.is_dir() {
            settle_links(root, &rel, problems)?;
        } else if kind.is_symlink() {
            settle(root, &rel, problems)?;
        }
    }
    Ok(())
}

fn settle(root: &Path, rel: &str, problems: &mut Vec<Finding>) -> Result<()> {
    let link = root.join(rel);
    let in_bin = |path: &str| path == BIN || path.starts_with("bin/");
    let leads_to = lead(root, rel);
    if !in_bin(rel) && !leads_to.as_deref().is_some_and(in_bin) {
        return Ok(());
    }
    let target = leads_to.map(|to| root.join(to)).filter(|to| to.is_file());
    let Some(target) = target else {
        let shown = fs::read_link(&link).unwrap_or_default();
        let text = format!("the link `{rel}` -> `{}` leads to no file of the install", shown.display());
        problems.push(wrong(codes::PLACEMENT, text).hint(
            "make it relative, to a file below `$out`; what an entry point starts is no file there: add an entry point",
        ));
        return Ok(());
    };
    let doing = || format!("failed to put `{}` at `{}`", target.display(), link.display());
    let copy = link.with_file_name(".wheelwright-copy");
    fs::copy(&target, &copy).doing(doing)?;
    fs::rename(&copy, &link).doing(doing)
}

/// Where a path of the folder really is, in it; `None` when a link on the way
/// leaves the folder or leads nowhere.
pub(super) fn lead(root: &Path, rel: &str) -> Option<String> {
    let mut todo: Vec<String> = rel.rsplit('/').map(str::to_owned).collect();
    let mut done: Vec<String> = Vec::new();
    let mut hops = 0;
    while let Some(part) = todo.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                done.pop()?;
                continue;
            }
            _ => done.push(part),
        }
        let here = root.join(done.join("/"));
        if !fs::symlink_metadata(&here).ok()?.is_symlink() {
            continue;
        }
        hops += 1;
        let text = fs::read_link(&here).ok()?.into_os_string().into_string().ok()?;
        if hops > MOST_HOPS || text.starts_with('/') {
            return None;
        }
        done.pop();
        todo.extend(text.rsplit('/').map(str::to_owned));
    }
    Some(done.join("/"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn folder(files: &[(&str, &str)], links: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, _) in files.iter().chain(links) {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
        }
        for (path, text) in files {
            fs::write(dir.path().join(path), text).unwrap();
            fs::set_permissions(dir.path().join(path), fs::Permissions::from_mode(0o755)).unwrap();
        }
        for (path, text) in links {
            symlink(text, dir.path().join(path)).unwrap();
        }
        dir
    }

    #[test]
    fn links_in_bin_and_into_it_become_files() {
        let files = [("lib/demo/main.py", "#!python\nmain\n"), ("bin/tool", "tool\n")];
        let links = [
            ("bin/demo", "../lib/demo/main.py"),
            ("bin/again", "./demo"),
            ("bin/round", "../lib/current/main.py"),
            ("lib/current", "demo"),
            ("libexec/tool", "../bin/tool"),
            ("lib/other", "demo/main.py"),
        ];
        let dir = folder(&files, &links);
        move_scripts(dir.path()).unwrap();
        let read = |path: &str| {
            let path = dir.path().join(path);
            let meta = fs::symlink_metadata(&path).unwrap();
            (fs::read_to_string(path).unwrap(), meta.is_file(), meta.permissions().mode() & 0o777)
        };
        for name in ["demo", "again", "round"] {
            assert_eq!(read(&format!("{SCRIPTS_DIR}/{name}")), ("#!python\nmain\n".to_owned(), true, 0o755));
        }
        assert_eq!(read(&format!("{SCRIPTS_DIR}/tool")).0, "tool\n");
        assert_eq!(read("libexec/tool"), ("tool\n".to_owned(), true, 0o755));
        assert!(!read("lib/other").1 && !dir.path().join("bin").exists());
    }

    #[test]
    fn what_cannot_be_an_executable_is_told_at_once() {
        let files = [("bin/python3", ""), ("bin/.hidden", ""), ("bin/sub/x", ""), ("lib/a", "")];
        let links = [
            ("bin/gone", "entry-point"),
            ("bin/out", "../../x"),
            ("bin/root", "/bin/sh"),
            ("bin/loop", "loop"),
            ("bin/folder", "../lib"),
            ("sbin", "bin"),
        ];
        let dir = folder(&files, &links);
        let Err(Trouble::Findings(found)) = move_scripts(dir.path()) else { panic!("accepted") };
        let told: Vec<&str> = found.iter().map(|f| f.message.as_str()).collect();
        expect_test::expect![[r#"
            the link `bin/folder` -> `../lib` leads to no file of the install
            the link `bin/gone` -> `entry-point` leads to no file of the install
            the link `bin/loop` -> `loop` leads to no file of the install
            the link `bin/out` -> `../../x` leads to no file of the install
            the link `bin/root` -> `/bin/sh` leads to no file of the install
            the link `sbin` -> `bin` leads to no file of the install
            `bin/.hidden`: the script name ".hidden" is not a plain file name
            `bin/folder`: it is a folder, not an executable
            `bin/python3`: a script must not be called `python3`, as the interpreter is
            `bin/sub`: it is a folder, not an executable"#]]
        .assert_eq(&told.join("\n"));
        let linked = folder(&[("libexec/x", "")], &[("bin", "libexec")]);
        let Err(Trouble::Findings(found)) = move_scripts(linked.path()) else { panic!("accepted") };
        assert_eq!(found[0].message, "`bin` is a link; it has to be a folder of executables");
    }
}
