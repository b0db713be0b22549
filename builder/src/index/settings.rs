//! What pip and uv are configured with, each value with who says it.
//!
//! Knows their files and variables and which of them wins. Must never know
//! what wheelwright makes of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ini;
use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Result};

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Said {
    pub value: String,
    pub from: String,
}

/// pip's options by name (`index-url`).
#[derive(Default)]
pub(super) struct Pip(BTreeMap<String, Said>);

impl Pip {
    /// An option from pip's variables, else from its files.
    pub fn get(&self, ambient: &Ambient, key: &str) -> Option<Said> {
        let name = format!("PIP_{}", key.replace('-', "_").to_uppercase());
        let value = ambient.var(&name).map(str::to_owned);
        value.map(|value| Said { value, from: name }).or_else(|| self.0.get(key).cloned())
    }

    /// An option from pip's files only.
    pub fn in_files(&self, key: &str) -> Option<Said> {
        self.0.get(key).cloned()
    }

    /// Reads pip's files: global, user, site, then PIP_CONFIG_FILE; later wins.
    pub fn load(ambient: &Ambient, prefix: Option<&Path>) -> Result<Self> {
        let mut out = Self::default();
        for file in pip_files(ambient, prefix) {
            let Some(text) = read(&file)? else { continue };
            let entries = ini::read(&text);
            // Options of a command win over global ones of the same file.
            for section in ["global", "install", "download"] {
                for entry in entries.iter().filter(|e| e.section == section) {
                    let from = format!("`{}` in `{}`", entry.key, file.display());
                    out.0.insert(entry.key.clone(), Said { value: entry.value.clone(), from });
                }
            }
        }
        Ok(out)
    }
}

fn pip_files(ambient: &Ambient, prefix: Option<&Path>) -> Vec<PathBuf> {
    let own = ambient.path_var("PIP_CONFIG_FILE");
    // pip's own way to say "no files at all".
    if own.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let mut dirs = ambient.config_dirs();
    dirs.reverse();
    let mut files: Vec<PathBuf> = dirs.iter().map(|d| d.join("pip/pip.conf")).collect();
    files.push(ambient.machine("Library/Application Support/pip/pip.conf"));
    files.push(ambient.machine("etc/pip.conf"));
    if !own.as_ref().is_some_and(|f| f.exists()) {
        if let Some(home) = &ambient.home {
            files.push(home.join(".pip/pip.conf"));
            files.push(home.join("Library/Application Support/pip/pip.conf"));
        }
        files.extend(ambient.config_home().map(|d| d.join("pip/pip.conf")));
    }
    files.extend(prefix.map(|p| p.join("pip.conf")));
    files.extend(ambient.path_var("VIRTUAL_ENV").map(|p| p.join("pip.conf")));
    files.extend(own);
    files
}

/// An index uv knows.
pub(super) struct UvIndex {
    pub name: Option<String>,
    pub url: Said,
    pub default: bool,
    /// Used only where it is named.
    pub explicit: bool,
}

/// Reads uv's files: the project's, the user's, the machine's; or UV_CONFIG_FILE
/// alone. All indexes, the most important first.
pub(super) fn uv_indexes(ambient: &Ambient) -> Result<Vec<UvIndex>> {
    let mut out = Vec::new();
    if let Some(own) = ambient.path_var("UV_CONFIG_FILE") {
        read_uv(&own, &[], &mut out)?;
        return Ok(out);
    }
    if ambient.var("UV_NO_CONFIG").is_some() {
        return Ok(out);
    }
    for folder in ambient.cwd.ancestors() {
        if read_uv(&folder.join("uv.toml"), &[], &mut out)?
            || read_uv(&folder.join("pyproject.toml"), &["tool", "uv"], &mut out)?
        {
            break;
        }
    }
    let mut dirs: Vec<PathBuf> = ambient.config_home().into_iter().collect();
    dirs.extend(ambient.config_dirs());
    dirs.push(ambient.machine("etc"));
    for dir in dirs {
        read_uv(&dir.join("uv/uv.toml"), &[], &mut out)?;
    }
    Ok(out)
}

/// Adds the indexes of one file; whether it is there and has anything of uv's.
fn read_uv(file: &Path, at: &[&str], out: &mut Vec<UvIndex>) -> Result<bool> {
    let Some(text) = read(file)? else { return Ok(false) };
    let parsed: toml::Table = match text.parse() {
        Ok(parsed) => parsed,
        // Somebody's broken pyproject.toml is not ours to judge.
        Err(_) if !at.is_empty() => return Ok(false),
        Err(_) => return Err(Error::input(format!("`{}` is not valid TOML", file.display()))),
    };
    let mut table = &parsed;
    for part in at {
        match table.get(*part).and_then(toml::Value::as_table) {
            Some(inner) => table = inner,
            None => return Ok(false),
        }
    }
    let said = |key: &str, value: &str| Said {
        value: value.to_owned(),
        from: format!("`{key}` in `{}`", file.display()),
    };
    for index in table.get("index").and_then(toml::Value::as_array).into_iter().flatten() {
        let text = |key: &str| index.get(key).and_then(toml::Value::as_str);
        let flag = |key: &str| index.get(key).and_then(toml::Value::as_bool).unwrap_or(false);
        if let Some(url) = text("url") {
            out.push(UvIndex {
                name: text("name").map(str::to_owned),
                url: said("index", url),
                default: flag("default"),
                explicit: flag("explicit"),
            });
        }
    }
    let plain = |url: Said, default: bool| UvIndex { name: None, url, default, explicit: false };
    for key in ["extra-index-url", "index-url"] {
        let value = table.get(key).or_else(|| table.get("pip")?.as_table()?.get(key));
        match value {
            Some(toml::Value::String(url)) => out.push(plain(said(key, url), key == "index-url")),
            Some(toml::Value::Array(urls)) => {
                out.extend(urls.iter().filter_map(|u| Some(plain(said(key, u.as_str()?), false))));
            }
            _ => {}
        }
    }
    Ok(true)
}

/// A file's text; `None` when it is not there or not for us to read.
pub(super) fn read(file: &Path) -> Result<Option<String>> {
    use std::io::ErrorKind;
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == ErrorKind::IsADirectory => Ok(None),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Ok(None),
        Err(e) => Err(e).doing(|| format!("failed to read `{}`", file.display())),
    }
}
