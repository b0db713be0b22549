//! When a package of `uv.lock` is meant: markers stand on the edges that lead
//! to it, and not on the package.
//!
//! Knows packages, edges and markers. Must never know which files a package
//! has.

use std::collections::{BTreeMap, VecDeque};
use std::str::FromStr as _;

use super::table::tables;
use crate::name::MarkerTree;
use crate::node::Table;

/// Steps for each package; a lock file of a tool needs two or three.
const STEPS: usize = 200;

/// A package: its name, and its version where it says one.
type Node<'t> = (&'t str, Option<&'t str>);

struct Edge<'t> {
    name: &'t str,
    /// Which of several versions.
    version: Option<&'t str>,
    marker: MarkerTree,
}

/// For each package when it is meant. One that no edge leads to is not told
/// of, and nor is any where the file has no root.
pub fn conditions<'t>(
    packages: &'t Table,
    is_root: &dyn Fn(&Table) -> bool,
    extras: &BTreeMap<String, Vec<String>>,
) -> BTreeMap<Node<'t>, MarkerTree> {
    let all: Vec<(Node<'t>, &'t Table)> = tables(packages, "package")
        .filter_map(|(package, _)| Some(((package.str("name")?, package.str("version")), package)))
        .collect();
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, ((name, _), _)) in all.iter().enumerate() {
        by_name.entry(name).or_default().push(at);
    }
    let mut found: BTreeMap<usize, MarkerTree> =
        (0..all.len()).filter(|at| is_root(all[*at].1)).map(|at| (at, MarkerTree::TRUE)).collect();
    let mut open: VecDeque<usize> = found.keys().copied().collect();
    let mut steps = all.len().saturating_mul(STEPS);
    while let Some(at) = open.pop_front() {
        let ((name, _), package) = &all[at];
        let asked = extras.get(*name).map_or(&[][..], Vec::as_slice);
        for edge in edges(package, is_root(package), asked) {
            let Some(left) = steps.checked_sub(1) else { return BTreeMap::new() };
            steps = left;
            let mut way = found[&at].clone();
            way.and(edge.marker);
            let to = by_name.get(edge.name).map_or(&[][..], Vec::as_slice);
            for to in to.iter().filter(|to| edge.version.is_none() || all[**to].0.1 == edge.version) {
                let old = found.entry(*to).or_insert(MarkerTree::FALSE);
                let mut new = old.clone();
                new.or(way.clone());
                if new != *old {
                    *old = new;
                    open.push_back(*to);
                }
            }
        }
    }
    found.into_iter().map(|(at, marker)| (all[at].0, marker)).collect()
}

/// What a package needs; of optional things those that are asked for, and of
/// a root all.
fn edges<'t>(package: &'t Table, root: bool, extras: &[String]) -> Vec<Edge<'t>> {
    let mut out: Vec<Edge<'t>> = tables(package, "dependencies").filter_map(|(t, _)| edge(t)).collect();
    for key in ["optional-dependencies", "dev-dependencies"] {
        let Some(groups) = package.table(key) else { continue };
        let asked = |group: &str| key == "optional-dependencies" && extras.iter().any(|e| e == group);
        for group in groups.entries.iter().filter(|g| root || asked(&g.key)) {
            out.extend(tables(groups, &group.key).filter_map(|(t, _)| edge(t)));
        }
    }
    out
}

fn edge(table: &Table) -> Option<Edge<'_>> {
    // Extras in a marker choose between things that exclude each other, which
    // nothing here has asked for or against.
    let marker = table.str("marker").filter(|text| !text.contains("extra"));
    let marker = marker.and_then(|text| MarkerTree::from_str(text).ok()).unwrap_or(MarkerTree::TRUE);
    Some(Edge { name: table.str("name")?, version: table.str("version"), marker })
}

/// `markers`, any one of which must be true, and `condition` besides.
pub fn both(markers: Vec<String>, condition: Option<&MarkerTree>) -> Vec<String> {
    let Some(condition) = condition.filter(|c| !c.is_true()) else { return markers };
    let mut all = condition.clone();
    if !markers.is_empty() {
        let mut any = MarkerTree::FALSE;
        for marker in &markers {
            // What cannot be read is told of where it is used.
            let Ok(marker) = MarkerTree::from_str(marker) else { return markers };
            any.or(marker);
        }
        all.and(any);
    }
    all.try_to_string().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::diag::SourceFile;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let file = Arc::new(SourceFile { path: "uv.lock".into(), text: text.into() });
        let (table, findings) = crate::node::read(&file);
        assert_eq!(findings, []);
        let extras = BTreeMap::from([("far".to_owned(), vec!["fast".to_owned()])]);
        let is_root = |t: &Table| t.str("root").is_some();
        let mut out = String::new();
        for ((name, version), marker) in conditions(&table, &is_root, &extras) {
            let marker = marker.try_to_string().unwrap_or_else(|| "always".to_owned());
            let _ = writeln!(out, "{name} {}: {marker}", version.unwrap_or("-"));
        }
        assert_eq!(out, expected);
    }

    const ROOT: &str = "[[package]]\nname = 'app'\nroot = 'yes'\n";

    #[test]
    fn markers_are_followed_from_the_roots() {
        let text = format!(
            "{ROOT}dependencies = [
              {{ name = 'far', marker = \"python_version >= '3.12'\" }}, {{ name = 'near' }} ]
            dev-dependencies.test = [{{ name = 'tool', marker = \"sys_platform == 'win32'\" }}]
            [[package]]\nname = 'far'\nversion = '1'
            dependencies = [{{ name = 'deep', marker = \"sys_platform == 'linux'\" }}, {{ name = 'near' }}]
            optional-dependencies.fast = [{{ name = 'wings' }}]
            optional-dependencies.slow = [{{ name = 'boots' }}]
            [[package]]\nname = 'near'\nversion = '1'\ndependencies = [{{ name = 'far', marker = \"python_version < '3.8'\" }}]
            [[package]]\nname = 'deep'\nversion = '1'\n[[package]]\nname = 'tool'\nversion = '1'
            [[package]]\nname = 'wings'\nversion = '1'\n[[package]]\nname = 'boots'\nversion = '1'\n"
        );
        check(
            &text,
            "app -: always\n\
             deep 1: (python_full_version < '3.8' and sys_platform == 'linux') or \
             (python_full_version >= '3.12' and sys_platform == 'linux')\n\
             far 1: python_full_version < '3.8' or python_full_version >= '3.12'\n\
             near 1: always\n\
             tool 1: sys_platform == 'win32'\n\
             wings 1: python_full_version < '3.8' or python_full_version >= '3.12'\n",
        );
    }

    #[test]
    fn an_edge_may_mean_one_of_several_versions() {
        let text = format!(
            "{ROOT}dependencies = [
              {{ name = 'b', version = '1', marker = \"python_version < '3.10'\" }},
              {{ name = 'b', version = '2', marker = \"python_version >= '3.10'\" }},
              {{ name = 'c', marker = \"extra == 'extra-3-app-gpu' and python_version < '3'\" }} ]
            [[package]]\nname = 'b'\nversion = '1'\n[[package]]\nname = 'b'\nversion = '2'
            [[package]]\nname = 'c'\nversion = '1'\n"
        );
        check(
            &text,
            "app -: always\nb 1: python_full_version < '3.10'\nb 2: python_full_version >= '3.10'\nc 1: always\n",
        );
        check("[[package]]\nname = 'b'\nversion = '1'\n", "");
    }

    #[test]
    fn both_conditions_must_hold() {
        let marker = MarkerTree::from_str("sys_platform == 'linux'").unwrap();
        let all = |markers: &[&str]| both(markers.iter().map(|&m| m.to_owned()).collect(), Some(&marker));
        assert_eq!(all(&[]), ["sys_platform == 'linux'"]);
        assert_eq!(all(&["sys_platform == 'linux'"]), ["sys_platform == 'linux'"]);
        let either = all(&["os_name == 'a'", "os_name == 'b'"]);
        let tree = MarkerTree::from_str(&either[0]).unwrap();
        let said = "(os_name == 'a' or os_name == 'b') and sys_platform == 'linux'";
        assert_eq!((either.len(), tree), (1, MarkerTree::from_str(said).unwrap()));
        assert_eq!(all(&["no marker"]), ["no marker"]);
        assert_eq!(both(vec!["os_name == 'a'".into()], Some(&MarkerTree::TRUE)), ["os_name == 'a'"]);
    }
}
