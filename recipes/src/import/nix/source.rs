//! `src`: fetchers and folders as `[source]`.
//!
//! Knows what each fetcher fetches and what its hash is the hash of. Must
//! never fetch.

use super::draft::{Draft, list, quote};
use super::value::{Attr, Call, Set, Value};
use super::{beside, hash, joined};
use crate::diag::Place;
use crate::name::Version;

type Rows = Vec<(String, String)>;

fn row(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), quote(value))
}

fn yes(key: &str) -> (String, String) {
    (key.to_owned(), "true".to_owned())
}

/// The arguments of a fetcher: each is read by name, and the rest is told.
struct Args<'d, 'e, 'a> {
    draft: &'d mut Draft<'e, 'a>,
    set: &'d Set,
    place: Place,
    read: Vec<&'static str>,
}

impl Args<'_, '_, '_> {
    fn value(&mut self, name: &'static str) -> Option<Value> {
        self.read.push(name);
        self.set.get(name).map(|a| a.thunk.force(self.draft.eval))
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.value(name)?;
        let text = value.as_text();
        if text.is_none() && !matches!(value, Value::Null) {
            let place = self.set.get(name).map_or(self.place.clone(), |a| a.place.clone());
            self.draft.todo("src", &place, format!("the value of `{name}` cannot be told"));
        }
        text
    }

    fn flag(&mut self, name: &'static str) -> bool {
        matches!(self.value(name), Some(Value::Bool(true)))
    }

    /// `hash = "..."` in any encoding; `""` when it cannot be kept.
    fn hash(&mut self) -> (String, String) {
        for name in ["hash", "sha256", "outputHash"] {
            let Some(value) = self.value(name) else { continue };
            let place = self.set.get(name).map_or(self.place.clone(), |a| a.place.clone());
            let fake = value.as_symbol().is_some_and(|p| p.last().is_some_and(|l| l.starts_with("fake")));
            let text = value.as_text().unwrap_or_default();
            if fake || text.is_empty() && matches!(value, Value::Text(_)) {
                return row("hash", "");
            }
            return match hash::read(&text) {
                Some(hash) => row("hash", &hash.sri()),
                None => {
                    self.draft.todo("src", &place, "it is no sha256, so the hash has to be found anew");
                    row("hash", "")
                }
            };
        }
        for name in ["sha512", "sha1", "md5"] {
            if let Some(attr) = self.set.get(name) {
                let place = attr.place.clone();
                self.read.push(name);
                self.draft.todo("src", &place, "it is no sha256, so the hash has to be found anew");
            }
        }
        row("hash", "")
    }

    /// Tells of every argument that nobody asked for.
    fn rest(&mut self, needless: &[&str]) {
        let set = self.set;
        for (name, attr) in &set.attrs {
            if !self.read.contains(&name.as_str()) && !needless.contains(&name.as_str()) {
                self.draft.todo("src", &attr.place, format!("`{name}` of a fetcher has no counterpart"));
            }
        }
        for hole in &set.holes {
            self.draft.todo("src", hole, "this part of the source cannot be told");
        }
    }
}

impl Draft<'_, '_> {
    /// `src = ...`.
    pub(super) fn source(&mut self, value: &Value, place: &Place) {
        if let Value::Choice(choice) = value {
            let (cond, then, other) = &**choice;
            let (Some(mut first), Some(mut second)) = (self.one(then, place), self.one(other, place)) else {
                return self.no_source(place);
            };
            first.insert(0, row("when", &cond.marker().unwrap_or_default()));
            second.insert(0, row("when", &cond.not().marker().unwrap_or_default()));
            self.sources = vec![first, second];
            return self.carry("src");
        }
        match self.one(value, place) {
            Some(rows) => {
                self.sources = vec![rows];
                self.carry("src");
            }
            None => self.no_source(place),
        }
    }

    fn no_source(&mut self, place: &Place) {
        // What is wrong with a fetcher has been told.
        let told = self.todos.iter().any(|t| t.attribute == "src");
        if told {
            return;
        }
        self.todo(
            "src",
            place,
            "where the source is cannot be told; the project of this name is taken instead",
        );
    }

    /// What a recipe without a source gets.
    pub(super) fn some_source(&mut self) {
        if self.sources.is_empty() {
            let name = self.pname.clone();
            self.sources = vec![vec![row("pypi", &name), row("hash", "")]];
        }
    }

    fn one(&mut self, value: &Value, place: &Place) -> Option<Rows> {
        match value {
            Value::Path(path, at) => {
                let dir = self.local(path, at)?;
                if let Some(folder) = dir.strip_suffix(".whl") {
                    let url = format!("{folder}.whl");
                    self.todo(
                        "src",
                        place,
                        format!("`{url}` is a file beside the recipe: give its address and hash"),
                    );
                    return None;
                }
                Some(vec![row("path", &dir)])
            }
            Value::Call(call) => self.fetched(call, place),
            // A flake's own folder.
            Value::Symbol(path) if *path[0] == *"self" && place.file.path.ends_with("flake.nix") => {
                Some(vec![row("path", &self.local(".", place)?)])
            }
            _ => None,
        }
    }

    /// A path of the Nix file, as seen from the recipe.
    pub(super) fn local(&self, path: &str, at: &Place) -> Option<String> {
        if path.starts_with(['/', '~']) {
            return None;
        }
        let found = joined(self.base, &beside(at, path));
        Some(if found.is_empty() { ".".to_owned() } else { found })
    }

    fn fetched(&mut self, call: &Call, place: &Place) -> Option<Rows> {
        let set = call.set()?.clone();
        let mut args = Args { draft: self, set: &set, place: call.place.clone(), read: Vec::new() };
        let rows = match call.last() {
            "fetchPypi" => args.pypi(),
            "fetchurl" => args.url(false),
            "fetchzip" | "fetchTarball" => args.url(true),
            "fetchFromGitHub" => args.github(),
            "fetchFromGitLab" => args.forge("gitlab.com"),
            "fetchFromGitea" | "fetchFromForgejo" => args.forge(""),
            "fetchFromCodeberg" => args.forge("codeberg.org"),
            "fetchFromBitbucket" => args.forge("bitbucket.org"),
            "fetchFromSourcehut" => args.forge("git.sr.ht"),
            "fetchgit" | "fetchGit" => args.git(),
            "path" => return args.folder("path"),
            "toSource" => return args.folder("root"),
            _ => None,
        };
        match rows {
            Some(rows) => {
                args.rest(&["name", "passthru", "meta", "pname", "version"]);
                Some(rows)
            }
            None => {
                self.todo("src", place, format!("what `{}` fetches cannot be told", call.last()));
                None
            }
        }
    }

    /// A text in which the recipe's version is filled in again, so that an
    /// update changes one line.
    fn templated(&self, text: &str) -> String {
        let exact = self.version.parse::<Version>().is_ok_and(|v| v.to_string() == self.version);
        let known = exact && self.version.contains('.') && !text.contains(['{', '}']);
        if known { text.replace(&self.version, "{version}") } else { text.to_owned() }
    }
}

impl Args<'_, '_, '_> {
    fn pypi(&mut self) -> Option<Rows> {
        let project = self.text("pname")?;
        let version = self.text("version").unwrap_or_else(|| self.draft.version.clone());
        let format = self.text("format").unwrap_or_else(|| "setuptools".to_owned());
        let mut rows = vec![row("pypi", &project)];
        let mut part = |name, default: &str| self.text(name).unwrap_or_else(|| default.to_owned());
        let file = if format == "wheel" {
            let dist = part("dist", "py2.py3");
            let python = part("python", &dist);
            let (abi, platform) = (part("abi", "none"), part("platform", "any"));
            Some(format!("{project}-{version}-{python}-{abi}-{platform}.whl"))
        } else {
            let extension = part("extension", "tar.gz");
            let usual = extension == "tar.gz" && version == self.draft.version;
            (!usual).then(|| format!("{project}-{version}.{extension}"))
        };
        if format == "wheel" {
            self.draft.text("", "format", "wheel");
        }
        if let Some(file) = file {
            rows.push(row("file", &self.draft.templated(&file)));
        }
        rows.push(self.hash());
        Some(rows)
    }

    fn url(&mut self, unpack: bool) -> Option<Rows> {
        let mut urls: Vec<String> = self.text("url").into_iter().collect();
        if let Some(Value::List(items)) = self.value("urls") {
            urls.extend(items.iter().filter_map(|i| i.thunk.force(self.draft.eval).as_text()));
        }
        if unpack && matches!(self.value("stripRoot"), Some(Value::Bool(false))) {
            let attr = self.set.get("stripRoot")?;
            self.draft.todo("src", &attr.place, "the top folder of an archive is always taken off");
        }
        let first = urls.first()?.clone();
        if let Some(rest) = first.strip_prefix("mirror://pypi/") {
            let parts: Vec<&str> = rest.split('/').collect();
            let [.., project, file] = parts.as_slice() else { return None };
            let file = self.draft.templated(file);
            return Some(vec![row("pypi", project), row("file", &file), self.hash()]);
        }
        let mut plain = Vec::new();
        for url in &urls {
            plain.push(match url.strip_prefix("mirror://").and_then(|m| m.split_once('/')) {
                None => self.draft.templated(url),
                Some(("sourceforge", rest)) => {
                    self.draft.templated(&format!("https://downloads.sourceforge.net/{rest}"))
                }
                Some(("gnu", rest)) => self.draft.templated(&format!("https://ftpmirror.gnu.org/{rest}")),
                Some(_) => return None,
            });
        }
        let value = if let [one] = plain.as_slice() { quote(one) } else { list(&plain) };
        let mut rows = vec![("url".to_owned(), value)];
        if unpack {
            rows.push(yes("unpack"));
        }
        rows.push(self.hash());
        if first.ends_with(".whl") {
            self.draft.text("", "format", "wheel");
        }
        Some(rows)
    }

    /// `tag` or `rev`, and whether it is a tag.
    fn revision(&mut self) -> Option<(String, bool)> {
        if let Some(tag) = self.text("tag") {
            return Some((tag, true));
        }
        let rev = self.text("rev")?;
        if let Some(tag) = rev.strip_prefix("refs/tags/") {
            return Some((tag.to_owned(), true));
        }
        let commit = rev.len() >= 7 && rev.len() <= 64 && rev.bytes().all(|b| b.is_ascii_hexdigit());
        Some((rev, !commit))
    }

    /// The hash is that of the tree GitHub's archive holds, which git's own
    /// checkout need not be (`export-ignore`, `export-subst`).
    fn github(&mut self) -> Option<Rows> {
        let (owner, repo) = (self.text("owner")?, self.text("repo")?);
        let host = self.text("githubBase").unwrap_or_else(|| "github.com".to_owned());
        let address = format!("https://{host}/{owner}/{repo}");
        let (revision, is_tag) = self.revision()?;
        let submodules = self.flag("fetchSubmodules");
        let checkout =
            submodules | self.flag("forceFetchGit") | self.flag("deepClone") | self.flag("leaveDotGit");
        if checkout {
            return Some(self.checkout(&address, (&revision, is_tag), submodules));
        }
        let revision = self.draft.templated(&revision);
        // What is only called a revision may be a branch, too.
        let named = |a: &Attr| a.thunk.force(self.draft.eval).as_text();
        let old = self.set.get("rev").and_then(named).is_some_and(|rev| rev.starts_with("refs/tags/"));
        let archive = if self.set.get("tag").is_some() || old {
            format!("{address}/archive/refs/tags/{revision}.tar.gz")
        } else {
            format!("{address}/archive/{revision}.tar.gz")
        };
        Some(vec![row("url", &archive), yes("unpack"), self.hash()])
    }

    fn checkout(&mut self, address: &str, (revision, is_tag): (&str, bool), submodules: bool) -> Rows {
        let mut rows = vec![row("git", address)];
        rows.push(row(if is_tag { "tag" } else { "rev" }, &self.draft.templated(revision)));
        if submodules {
            rows.push(yes("submodules"));
        }
        // With `.git` in it, the tree is another one each time.
        if self.flag("leaveDotGit") | self.flag("deepClone") {
            let place = self.place.clone();
            self.draft.todo("src", &place, "the hash covers `.git`, so it has to be found anew");
            self.hash();
            rows.push(row("hash", ""));
        } else {
            rows.push(self.hash());
        }
        rows
    }

    fn forge(&mut self, host: &str) -> Option<Rows> {
        let domain = self.text("domain").unwrap_or_else(|| host.to_owned());
        let mut parts = vec![domain];
        parts.extend(self.text("group"));
        parts.push(self.text("owner")?);
        parts.push(self.text("repo")?);
        if parts[0].is_empty() {
            return None;
        }
        let (revision, is_tag) = self.revision()?;
        let submodules = self.flag("fetchSubmodules");
        Some(self.checkout(&format!("https://{}", parts.join("/")), (&revision, is_tag), submodules))
    }

    fn git(&mut self) -> Option<Rows> {
        let address = self.text("url")?;
        let (revision, is_tag) = self.revision()?;
        // nixpkgs fetches submodules unless it is told not to.
        let submodules = !matches!(self.value("fetchSubmodules"), Some(Value::Bool(false)));
        Some(self.checkout(&address, (&revision, is_tag), submodules))
    }

    fn folder(&mut self, key: &'static str) -> Option<Rows> {
        let Some(Value::Path(path, at)) = self.value(key) else { return None };
        let dir = self.draft.local(&path, &at)?;
        self.rest(&["name"]);
        Some(vec![row("path", &dir)])
    }
}
