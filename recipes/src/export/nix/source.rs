//! `src` and what belongs to it.
//!
//! Knows which fetcher of nixpkgs a source is. Must never change a hash: it
//! is that of the same bytes there.

use std::fmt::Write as _;

use super::{Page, words};
use crate::diag::SourceFile;
use crate::import::nix::joined;
use crate::recipe::{Format, GitRev, Origin, Patch, Promise, Source};

/// From the folder of the Nix file to that of a recipe's.
type Way<'a> = &'a dyn Fn(&SourceFile) -> String;

impl Page<'_> {
    pub(super) fn source(&mut self, source: &Source, way: Way<'_>) {
        if self.recipe.sources.len() > 1 {
            let told = self.set.target().describe();
            self.note(format!("`[[source]]`: of several sources the one for {told} is taken"));
        }
        let hash = match source.promise {
            Promise::Hash(hash) => hash.sri(),
            Promise::Ask | Promise::Local => String::new(),
        };
        // What an archive of the fetcher unpacks to.
        let mut top = "source".to_owned();
        let value = match &source.origin {
            Origin::Pypi { project, file, index } => {
                if let Some(index) = index.as_ref().filter(|i| !i.contains('@')) {
                    self.note(format!("the file is on the index `{index}`, which nixpkgs does not know"));
                } else if index.is_some() {
                    self.note("the file is on an index that nixpkgs does not know");
                }
                top = format!("{project}-{}", self.recipe.version);
                self.pypi(project, file.as_deref(), &hash)
            }
            Origin::Url { urls, unpack } => {
                let urls: Vec<String> = urls.iter().map(|u| crate::export::without_login(u)).collect();
                let fetcher = self.arg(if *unpack { "fetchzip" } else { "fetchurl" });
                let address = match urls.as_slice() {
                    [one] => format!("url = {};", words::text(one)),
                    all => {
                        let all: Vec<String> = all.iter().map(|u| words::text(u)).collect();
                        format!("urls = [ {} ];", all.join(" "))
                    }
                };
                call(&fetcher, &[address, format!("hash = {};", words::text(&hash))])
            }
            Origin::Git { url, rev, submodules } => {
                let fetcher = self.arg("fetchgit");
                let rev = match rev {
                    GitRev::Rev(rev) => format!("rev = {};", words::text(rev)),
                    GitRev::Tag(tag) => format!("tag = {};", words::text(tag)),
                };
                let url = format!("url = {};", words::text(&crate::export::without_login(url)));
                let hash = format!("hash = {};", words::text(&hash));
                call(&fetcher, &[url, rev, format!("fetchSubmodules = {submodules};"), hash])
            }
            Origin::Path { dir, include } => {
                if !include.is_empty() {
                    self.note("`[source] include`: Nix takes the folder as it is");
                }
                words::path(&joined(&way(&source.base), dir))
            }
        };
        self.set_to("src", &value);
        if !source.subdirectory.is_empty() {
            self.text("sourceRoot", &format!("{top}/{}", source.subdirectory));
        }
        if source.epoch.is_some() {
            self.note("`[source] epoch` has no counterpart");
        }
        self.patches(&source.patches, way);
    }

    fn pypi(&mut self, project: &str, file: Option<&str>, hash: &str) -> String {
        let hash = format!("hash = {};", words::text(hash));
        let version = self.recipe.version.to_string();
        let wheel = self.recipe.format == Format::Wheel;
        if let (Some(file), false) = (file, wheel) {
            let fetcher = self.arg("fetchurl");
            let initial = project.chars().next().unwrap_or('_');
            let url = words::text(&format!("mirror://pypi/{initial}/{project}/{file}"));
            return call(&fetcher, &[format!("url = {url};"), hash]);
        }
        let fetcher = self.arg("fetchPypi");
        let parts: Vec<&str> = file.unwrap_or("").trim_end_matches(".whl").split('-').collect();
        let mut rows = Vec::new();
        let name = match parts.as_slice() {
            [name, _, _, _, _] if wheel => *name,
            _ => project,
        };
        if *name == self.recipe.pname_text[..] {
            self.rec = true;
            rows.push("inherit pname version;".to_owned());
        } else {
            rows.push(format!("pname = {};", words::text(name)));
            rows.push(format!("version = {};", words::text(&version)));
        }
        if wheel {
            let [_, _, python, abi, platform] = parts.as_slice() else {
                self.note("which wheel it is, the recipe does not say: one for all platforms is written");
                rows.extend(
                    ["format", "dist", "python"]
                        .map(|key| format!("{key} = \"{}\";", if key == "format" { "wheel" } else { "py3" })),
                );
                rows.push(hash);
                return call(&fetcher, &rows);
            };
            rows.push("format = \"wheel\";".to_owned());
            let pairs = [("dist", python), ("python", python), ("abi", abi), ("platform", platform)];
            rows.extend(pairs.map(|(key, value)| format!("{key} = {};", words::text(value))));
        }
        rows.push(hash);
        call(&fetcher, &rows)
    }

    fn patches(&mut self, patches: &[Patch], way: Way<'_>) {
        let mut items = Vec::new();
        for patch in patches {
            items.push(match patch {
                Patch::File(path, file) => {
                    let path = words::path(&joined(&way(file), path));
                    if path.contains(' ') { format!("({path})") } else { path }
                }
                Patch::Url { url, hash, .. } => {
                    let fetcher = self.arg("fetchurl");
                    let url = words::text(&crate::export::without_login(url));
                    format!("({fetcher} {{ url = {url}; hash = {}; }})", words::text(&hash.sri()))
                }
            });
        }
        if !items.is_empty() {
            self.set_to("patches", &words::list(&items));
        }
    }
}

fn call(function: &str, rows: &[String]) -> String {
    let mut out = format!("{function} {{\n");
    for row in rows {
        let _ = writeln!(out, "    {row}");
    }
    out += "  }";
    out
}
