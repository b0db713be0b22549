//! `wheelwright.toml`.
//!
//! Knows its keys. Must never know where it was found.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codes;
use crate::diag::{Finding, Place, SourceFile};
use crate::node::{self, Node, Table, Value};
use crate::parse;
use crate::recipe::Dependency;
use crate::schema;

/// A workspace's settings; [`Workspace::default`] is that of no file at all.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    /// `[set] recipes`: folders relative to the workspace's, and where they are named.
    pub recipes: Vec<(String, Place)>,
    /// `[set] overlays`: folders, later ones win.
    pub overlays: Vec<(String, Place)>,
    /// `[python] default`: a version (`3.12`) or a path.
    pub python_default: Option<String>,
    /// `[python] also`: further interpreters the set is for.
    pub python_also: Vec<String>,
    /// `[env.NAME]`.
    pub envs: BTreeMap<String, Environment>,
    /// `[index.NAME]`, in the order of the file.
    pub indexes: Vec<Index>,
    /// `[cache.NAME]`, in the order of the file.
    pub caches: Vec<Cache>,
    /// `[build] isolation`.
    pub isolation: Option<Isolation>,
    /// `[build] jobs`: builds at once.
    pub jobs: Option<u32>,
}

/// `[env.NAME]`.
#[derive(Clone, Debug)]
pub struct Environment {
    /// What it holds.
    pub packages: Vec<Dependency>,
    /// Its interpreter; the workspace's default when absent.
    pub python: Option<String>,
    /// Where its name stands.
    pub place: Place,
}

/// `[index.NAME]`.
#[derive(Clone, Debug)]
pub struct Index {
    /// What recipes call it.
    pub name: String,
    /// The address of its simple API (PEP 503, 691).
    pub url: String,
    /// Asked when a recipe names no index.
    pub default: bool,
    /// The CA bundle to believe there; a path relative to the file's folder.
    pub cert: Option<String>,
    /// The key and certificate to show there; a path relative to the file's folder.
    pub client_cert: Option<String>,
    /// Where its name stands.
    pub place: Place,
}

/// `[cache.NAME]`.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Its name.
    pub name: String,
    /// Address or folder.
    pub url: String,
    /// Whether results are written to it.
    pub push: bool,
    /// What its entries are signed with.
    pub public_key: Option<String>,
    /// Where its name stands.
    pub place: Place,
}

/// The isolation a workspace asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Namespaces: the whole cell.
    Full,
    /// Landlock and seccomp, where namespaces are refused.
    Landlock,
    /// A clean environment only.
    Env,
}

/// Reads `wheelwright.toml`: what could be read, and every finding.
pub fn parse(file: &Arc<SourceFile>) -> (Workspace, Vec<Finding>) {
    let (mut table, mut findings) = node::read(file);
    if !findings.is_empty() {
        return (Workspace::default(), findings);
    }
    schema::check(&mut table, schema::WORKSPACE, &mut findings);
    let empty = Table::default();
    let section = |name: &str| table.table(name).unwrap_or(&empty);
    let (set, python, build) = (section("set"), section("python"), section("build"));
    let workspace = Workspace {
        recipes: folders(set.get("recipes"), &mut findings),
        overlays: folders(set.get("overlays"), &mut findings),
        python_default: parse::owned(python, "default"),
        python_also: parse::texts(python.get("also")),
        envs: environments(section("env"), &mut findings),
        indexes: indexes(section("index"), &mut findings),
        caches: caches(section("cache"), &mut findings),
        isolation: match build.str("isolation") {
            Some("full") => Some(Isolation::Full),
            Some("landlock") => Some(Isolation::Landlock),
            Some("env") => Some(Isolation::Env),
            _ => None,
        },
        jobs: parse::count(build, "jobs", &mut findings),
    };
    findings.sort_by_key(|f| f.place.as_ref().map_or(0, |p| p.span.start));
    (workspace, findings)
}

/// A folder or a list of them; none twice.
fn folders(node: Option<&Node>, findings: &mut Vec<Finding>) -> Vec<(String, Place)> {
    let Some(node) = node else { return Vec::new() };
    let items = node.as_array().unwrap_or(std::slice::from_ref(node));
    let mut out: Vec<(String, Place)> = Vec::new();
    for item in items {
        let Some(folder) = parse::relative_path(item, findings) else { continue };
        let folder = folder.trim_end_matches('/').to_owned();
        if out.iter().any(|(known, _)| *known == folder) {
            let message = format!("the folder `{folder}` is listed twice");
            findings.push(Finding::error(codes::SAID_TWICE, item.place.clone(), message).hint("remove one"));
            continue;
        }
        out.push((folder, item.place.clone()));
    }
    out
}

fn environments(table: &Table, findings: &mut Vec<Finding>) -> BTreeMap<String, Environment> {
    let mut out = BTreeMap::new();
    for entry in &table.entries {
        let Some(env) = entry.node.as_table() else { continue };
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !entry.key.chars().all(fits) || entry.key.starts_with(['.', '-']) || entry.key.is_empty() {
            let message = format!("`{}` is not the name of an environment: it is a folder's too", entry.key);
            findings.push(
                Finding::error(codes::BAD_NAME, entry.key_place.clone(), message)
                    .hint("use letters, digits, and `-`, `_`, `.` between them"),
            );
        }
        if env.get("packages").is_none() {
            let message = format!("the environment `{}` names no packages", entry.key);
            findings.push(
                Finding::error(codes::MISSING_KEY, entry.key_place.clone(), message)
                    .hint("write `packages = [\"...\"]`"),
            );
        }
        let environment = Environment {
            packages: parse::requirements(env.get("packages"), findings),
            python: parse::owned(env, "python"),
            place: entry.key_place.clone(),
        };
        out.insert(entry.key.clone(), environment);
    }
    out
}

fn indexes(table: &Table, findings: &mut Vec<Finding>) -> Vec<Index> {
    let mut out: Vec<Index> = Vec::new();
    for entry in &table.entries {
        let Some(index) = entry.node.as_table() else { continue };
        let default = matches!(index.get("default").map(|n| &n.value), Some(Value::Bool(true)));
        if let Some(first) = out.iter().find(|i| i.default && default) {
            let message = format!("`{}` and `{}` cannot both be the default index", first.name, entry.key);
            findings.push(
                Finding::error(codes::SAID_TWICE, entry.key_place.clone(), message)
                    .hint("keep `default = true` at one of them"),
            );
        }
        let Some(url) = url(index, entry, "index", findings) else { continue };
        out.push(Index {
            name: entry.key.clone(),
            url,
            default,
            cert: parse::owned(index, "cert"),
            client_cert: parse::owned(index, "client-cert"),
            place: entry.key_place.clone(),
        });
    }
    out
}

fn caches(table: &Table, findings: &mut Vec<Finding>) -> Vec<Cache> {
    let mut out = Vec::new();
    for entry in &table.entries {
        let Some(cache) = entry.node.as_table() else { continue };
        let Some(url) = url(cache, entry, "cache", findings) else { continue };
        out.push(Cache {
            name: entry.key.clone(),
            url,
            push: matches!(cache.get("push").map(|n| &n.value), Some(Value::Bool(true))),
            public_key: parse::owned(cache, "public-key"),
            place: entry.key_place.clone(),
        });
    }
    out
}

/// `url`, which an index and a cache cannot do without. Passwords do not
/// belong into a file that is shared.
fn url(table: &Table, entry: &node::Entry, what: &str, findings: &mut Vec<Finding>) -> Option<String> {
    let Some(node) = table.get("url") else {
        let message = format!("the {what} `{}` has no `url`", entry.key);
        findings.push(Finding::error(codes::MISSING_KEY, entry.key_place.clone(), message));
        return None;
    };
    let text = node.as_str()?;
    if what == "cache" && !text.contains("://") {
        return Some(text.to_owned());
    }
    parse::plain_address(node, findings)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let file = Arc::new(SourceFile { path: "wheelwright.toml".into(), text: text.into() });
        let (w, findings) = parse(&file);
        let mut out: String = findings.iter().map(Finding::render).collect();
        let names = |l: &[(String, Place)]| l.iter().map(|(s, _)| s.clone()).collect::<Vec<_>>();
        out += &format!("recipes {:?} overlays {:?}\n", names(&w.recipes), names(&w.overlays));
        out += &format!("python {:?} also {:?}\n", w.python_default, w.python_also);
        out += &format!("isolation {:?} jobs {:?}\n", w.isolation, w.jobs);
        for (name, env) in &w.envs {
            let packages: Vec<_> = env.packages.iter().map(|d| d.requirement.to_string()).collect();
            out += &format!("env {name} {packages:?} {:?}\n", env.python);
        }
        for i in &w.indexes {
            out += &format!("index {} {} {} {:?} {:?}\n", i.name, i.url, i.default, i.cert, i.client_cert);
        }
        for c in &w.caches {
            out += &format!("cache {} {} push {} {:?}\n", c.name, c.url, c.push, c.public_key);
        }
        expected.assert_eq(&out);
    }

    #[test]
    fn every_key() {
        check(
            r#"
[set]
recipes = "recipes/"
overlays = ["overlays/a", "../shared"]
[python]
default = "3.12"
also = ["3.10"]
[build]
isolation = "landlock"
jobs = 4
[env.dev]
packages = ["toolz", "flask>=3"]
python = "3.11"
[index.inner]
url = "https://index.example/simple/"
default = true
cert = "certs/ca.pem"
client-cert = "/etc/own.pem"
[cache.team]
url = "../cache"
push = true
public-key = "k"
"#,
            expect![[r#"
                recipes ["recipes"] overlays ["overlays/a", "../shared"]
                python Some("3.12") also ["3.10"]
                isolation Some(Landlock) jobs Some(4)
                env dev ["toolz", "flask>=3"] Some("3.11")
                index inner https://index.example/simple/ true Some("certs/ca.pem") Some("/etc/own.pem")
                cache team ../cache push true Some("k")
            "#]],
        );
        check(
            "",
            expect![[r#"
            recipes [] overlays []
            python None also []
            isolation None jobs None
        "#]],
        );
    }

    #[test]
    fn findings() {
        check(
            r#"
[set]
recipes = ["a", "a/", "/abs"]
overlay = "x"
[python]
default = 3.12
[build]
isolation = "none"
jobs = 0
[env.dev]
package = ["x"]
[env.ops]
packages = ["x>=1.*"]
[env."a/b"]
packages = []

[index.a]
url = "https://u:p@index.example/simple/"
default = true
[index.b]
default = true
[indexes]
"#,
            expect![[r#"
                error[W105] wheelwright.toml:3:17: the folder `a` is listed twice
                 3 | recipes = ["a", "a/", "/abs"]
                   |                 ^^^^
                  hint: remove one
                error[W209] wheelwright.toml:3:23: `/abs` is not a relative path
                 3 | recipes = ["a", "a/", "/abs"]
                   |                       ^^^^^^
                  hint: write it relative to the folder of this file: it must work anywhere
                error[W101] wheelwright.toml:4:1: unknown key `overlay` in `[set]`
                 4 | overlay = "x"
                   | ^^^^^^^ did you mean `overlays`?
                  hint: write `overlays`
                error[W102] wheelwright.toml:6:11: `python.default` is a number with a point, but must be a string
                 6 | default = 3.12
                   |           ^^^^ expected a string
                  hint: write `default = "3.12"`
                error[W104] wheelwright.toml:8:13: `build.isolation` cannot be `"none"`
                 8 | isolation = "none"
                   |             ^^^^^^
                  hint: it can be `"full"` or `"landlock"` or `"env"`
                error[W106] wheelwright.toml:9:8: `jobs` cannot be 0
                 9 | jobs = 0
                   |        ^
                error[W103] wheelwright.toml:10:6: the environment `dev` names no packages
                 10 | [env.dev]
                    |      ^^^
                  hint: write `packages = ["..."]`
                error[W101] wheelwright.toml:11:1: unknown key `package` in `[env.dev]`
                 11 | package = ["x"]
                    | ^^^^^^^ did you mean `packages`?
                  hint: write `packages`
                error[W204] wheelwright.toml:13:15: `>=` takes no `.*`: only `==` and `!=` do (PEP 440)
                 13 | packages = ["x>=1.*"]
                    |               ^^^^^
                  hint: write `x>=1`
                error[W201] wheelwright.toml:14:6: `a/b` is not the name of an environment: it is a folder's too
                 14 | [env."a/b"]
                    |      ^^^^^
                  hint: use letters, digits, and `-`, `_`, `.` between them
                error[W210] wheelwright.toml:18:7: the address holds a password
                 18 | url = "https://u:p@index.example/simple/"
                    |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                  hint: put it into ~/.netrc and out of this file
                error[W103] wheelwright.toml:20:8: the index `b` has no `url`
                 20 | [index.b]
                    |        ^
                error[W101] wheelwright.toml:22:2: unknown key `indexes`
                 22 | [indexes]
                    |  ^^^^^^^ did you mean `index`?
                  hint: write `index`
                recipes ["a"] overlays []
                python None also []
                isolation None jobs None
                env a/b [] None
                env dev [] None
                env ops [] None
            "#]],
        );
    }
}
