//! The folder `./result` points to: one package, ready to look at and to run.
//!
//! ```text
//! lib/pythonX.Y/site-packages/   links to the package's own install (no dependencies)
//! bin/                           its executables, each with its whole closure behind it
//! libexec/env/                   that closure, when there are executables
//! dist/NAME.whl                  the finished wheel
//! share/..., include/...         its other files
//! share/wheelwright/package.json see [`super::wire::Package`]
//! ```
//!
//! Knows how the pieces lie. Must never know how they came to be.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use recipes::recipe::{Kind, Recipe};

use super::env::{Composed, link_text, read_contents, write};
use super::{app, wire};
use crate::error::{IoContext as _, Result};
use crate::key::Digest;
use crate::wheel::name::WheelName;
use crate::wheel::wire::Contents;
use crate::wheel::{Trouble, site_packages};

/// Where the description of a result lies in it.
pub const PACKAGE_FILE: &str = "share/wheelwright/package.json";

/// The finished wheel as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WheelBlob {
    /// Where its bytes are.
    pub path: PathBuf,
    /// Its file name.
    pub name: String,
    /// Of its bytes.
    pub digest: Digest,
}

/// What a result is made of.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// The package and its closure; `at` is where the result folder will stand.
    pub app: app::Spec<'a>,
    /// Its recipe.
    pub recipe: &'a Recipe,
    /// Its wheel; absent for `format = "other"`.
    pub wheel: Option<&'a WheelBlob>,
}

/// Makes a result folder in `into`, which must be new or empty.
pub fn compose(spec: &Spec<'_>, into: &Path) -> Result<Composed, Trouble> {
    let own = &spec.app.members[spec.app.own];
    let contents = read_contents(&own.tree)?;
    let site = site_packages(&contents.python);
    let units = contents.units.iter().map(|u| format!("{site}/{}", u.path));
    for path in units.chain(contents.files.iter().cloned()) {
        let (at, target) = (spec.app.at.join(&path), own.tree.join(&path));
        link(&link_text(spec.app.store, &at, &target), &into.join(&path))?;
    }
    let composed = if contents.scripts.is_empty() && contents.entry_points.is_empty() {
        Composed::default()
    } else {
        app::compose(&spec.app, into)?
    };
    if let Some(wheel) = spec.wheel {
        put_wheel(wheel, &into.join("dist"))?;
    }
    let file = into.join(PACKAGE_FILE);
    make_parent(&file)?;
    write(&file, package_json(spec.recipe, &contents, spec.wheel).as_bytes(), false)?;
    Ok(composed)
}

fn make_parent(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).doing(|| format!("failed to make `{}`", folder.display()))
}

fn link(text: &Path, at: &Path) -> Result<()> {
    make_parent(at)?;
    symlink(text, at).doing(|| format!("failed to link `{}` to `{}`", at.display(), text.display()))
}

/// A hard link where the file system has one, else a copy: a name of its own,
/// since pip and uv read a wheel's file name, also behind links.
fn put_wheel(wheel: &WheelBlob, folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).doing(|| format!("failed to make `{}`", folder.display()))?;
    let to = folder.join(&wheel.name);
    if fs::hard_link(&wheel.path, &to).is_err() {
        copy_wheel(wheel, folder)?;
    }
    Ok(to)
}

/// Copies a wheel into a folder under its own name (`--wheel-dir`); what was
/// there under that name is replaced at once or not at all.
pub fn copy_wheel(wheel: &WheelBlob, folder: &Path) -> Result<PathBuf> {
    let to = folder.join(&wheel.name);
    let doing = || format!("failed to write `{}`", to.display());
    fs::create_dir_all(folder).doing(doing)?;
    let part = tempfile::NamedTempFile::new_in(folder).doing(doing)?;
    fs::copy(&wheel.path, part.path()).doing(doing)?;
    fs::set_permissions(part.path(), fs::Permissions::from_mode(0o644)).doing(doing)?;
    part.persist(&to).doing(doing)?;
    Ok(to)
}

/// The text of `package.json`.
pub fn package_json(recipe: &Recipe, contents: &Contents, wheel: Option<&WheelBlob>) -> String {
    let mut executables: BTreeMap<String, Option<String>> =
        contents.scripts.iter().map(|s| (s.name.clone(), None)).collect();
    for point in &contents.entry_points {
        executables.insert(point.name.clone(), Some(format!("{}:{}", point.module, point.object)));
    }
    let meta = &recipe.meta;
    let kind = match recipe.kind {
        Kind::Package => "package",
        Kind::Application => "application",
    };
    let package = wire::Package {
        dist_info: contents.dist_info.clone(),
        executables,
        extras: contents.extras.clone(),
        format: wire::FORMAT,
        imports: contents.imports.clone(),
        kind: kind.to_owned(),
        meta: wire::Meta {
            changelog: meta.changelog.clone(),
            description: meta.description.clone(),
            homepage: meta.homepage.clone(),
            known_vulnerabilities: meta.known_vulnerabilities.clone(),
            license: meta.license.clone(),
            main_program: meta.main_program.clone(),
            maintainers: meta.maintainers.clone(),
        },
        name: contents.name.clone(),
        natives: contents.natives.clone(),
        python: contents.python.clone(),
        requires: contents.requires.clone(),
        start_up: contents.pth.clone(),
        version: contents.version.clone(),
        wheel: wheel.map(|w| wire::Wheel {
            file: w.name.clone(),
            sha256: w.digest.hex(),
            tags: w.name.parse::<WheelName>().map(|n| n.tags.expand()).unwrap_or_default(),
        }),
    };
    let mut text = serde_json::to_string_pretty(&package).expect("strings and lists always serialise");
    text.push('\n');
    text
}
