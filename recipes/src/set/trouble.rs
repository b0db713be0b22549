//! What stands in the way of a closure, told once however many want it.
//!
//! Knows how faults of many walks become findings: merged, ordered, with
//! places, chains and fixes. Must never know how closures are made.

use std::collections::BTreeMap;

use crate::codes;
use crate::diag::{Code, Finding, Place, Severity, did_you_mean};
use crate::name::{ExtraName, Version};
use crate::recipe::Kind;

use super::edge::{Edge, NameId, line_of};
use super::walk::{Fault, Walk};
use super::{PackageSet, RecipeId};

/// What is wrong, apart from where it was met: equal ones are one finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Missing(String),
    Url(String),
    /// The name, and the version part of the requirement.
    Unsatisfied(NameId, String),
    Application(RecipeId),
    /// The versions that would do but for being disabled.
    Disabled(Vec<RecipeId>),
    /// A name, a root of it, and the requirements that cannot agree.
    Conflict(NameId, Option<RecipeId>, Vec<Line>),
    TwoRoots(RecipeId, RecipeId),
    UnknownExtra(RecipeId, ExtraName),
    /// The recipes of a cycle, the smallest first, each needed to build the one before.
    Cycle(Vec<RecipeId>),
}

/// One who wants something, and where that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    place: Option<Place>,
    who: String,
    text: String,
    /// The version part alone, as one would type it.
    specifiers: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub what: What,
    /// Who is hit by it.
    pub lines: Vec<Line>,
    /// How it comes about, when `what` and `lines` do not say it all.
    pub notes: Vec<String>,
}

impl Line {
    pub(super) fn of(set: &PackageSet, edge: &Edge) -> Self {
        let requirement = edge.requirement(set);
        let specifiers = if edge.url { String::new() } else { typed(&requirement.specifiers().to_string()) };
        Self {
            place: edge.place(set).cloned(),
            who: edge.who(set),
            text: requirement.text.to_string(),
            specifiers,
        }
    }

    fn key(&self) -> (Option<(&str, usize)>, &str, &str) {
        let place = self.place.as_ref().map(|p| (p.file.path.as_str(), p.span.start));
        (place, &self.who, &self.text)
    }

    /// The requirement without an address: that may hold a password.
    fn shown(&self) -> &str {
        self.text.split('@').next().unwrap_or(&self.text).trim_end()
    }

    fn short(&self) -> String {
        self.place.as_ref().map_or_else(|| self.who.clone(), line_of)
    }
}

impl PartialOrd for Line {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Line {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// The faults of a walk as troubles.
pub(super) fn troubles(set: &PackageSet, walk: &Walk<'_>) -> Vec<Trouble> {
    walk.faults.iter().map(|fault| trouble(set, walk, fault)).collect()
}

fn trouble(set: &PackageSet, walk: &Walk<'_>, fault: &Fault<'_>) -> Trouble {
    let at = |what, edge: &Edge| Trouble { what, lines: vec![Line::of(set, edge)], notes: Vec::new() };
    match fault {
        Fault::Missing(edge) => at(What::Missing(edge.requirement(set).name().to_string()), edge),
        Fault::Url(edge) => at(What::Url(edge.requirement(set).name().to_string()), edge),
        Fault::Unmet(edge) => at(unmet(set, edge), edge),
        Fault::TwoRoots(a, b) => Trouble { what: What::TwoRoots(*a, *b), lines: vec![], notes: vec![] },
        Fault::Disabled(id) => Trouble { what: What::Disabled(vec![*id]), lines: vec![], notes: vec![] },
        Fault::Conflict { root, asked } => {
            let name = asked.iter().find_map(|edge| edge.to).expect("a conflict is about a name of the set");
            // Sorted, so that one conflict met along two ways is one finding.
            let mut told: Vec<(Line, String)> = asked
                .iter()
                .map(|edge| {
                    let chain = walk.chain(set, edge);
                    let chain: Vec<String> = chain.iter().map(|edge| edge.sentence(set)).collect();
                    (Line::of(set, edge), chain.join("; "))
                })
                .collect();
            told.sort();
            let (lines, mut notes): (Vec<Line>, Vec<String>) = told.into_iter().unzip();
            if walk.gave_up {
                notes.push("the search for older versions that agree was given up; pin some".to_owned());
            }
            Trouble { what: What::Conflict(name, *root, lines.clone()), lines, notes }
        }
    }
}

/// Why no version of a name satisfies one requirement.
fn unmet(set: &PackageSet, edge: &Edge) -> What {
    let requirement = edge.requirement(set);
    let name = edge.to.expect("only a name of the set can have no fitting version");
    let specifiers = requirement.specifiers();
    let fitting = set.versions_of(name).iter().filter(|id| specifiers.contains(&set.get(**id).version));
    let (disabled, enabled): (Vec<_>, Vec<_>) = fitting.partition(|id| set.misfit(**id).is_some());
    match (enabled.first(), disabled.is_empty()) {
        (Some(id), _) => What::Application(*id),
        (None, false) => What::Disabled(disabled),
        (None, true) => What::Unsatisfied(name, typed(&specifiers.to_string())),
    }
}

/// All troubles as findings: equal ones merged, in the order of the files.
pub(super) fn findings(set: &PackageSet, troubles: Vec<Trouble>) -> Vec<Finding> {
    let mut merged: BTreeMap<What, (Vec<Line>, Vec<String>)> = BTreeMap::new();
    for Trouble { what, lines, notes } in troubles {
        let (all, shortest) = merged.entry(what).or_insert_with(|| (Vec::new(), notes.clone()));
        all.extend(lines);
        let length = |notes: &[String]| notes.iter().map(String::len).sum::<usize>();
        if (length(&notes), &notes) < (length(shortest), shortest) {
            *shortest = notes;
        }
    }
    let mut findings: Vec<Finding> = merged
        .into_iter()
        .map(|(what, (mut lines, notes))| {
            lines.sort();
            lines.dedup();
            Telling { set, lines: &lines, notes }.tell(&what)
        })
        .collect();
    findings.sort_by(|a, b| order(a).cmp(&order(b)));
    join_missing(&mut findings);
    findings
}

/// The start of the line that writes recipes.
const ADD: &str = "wheelwright add ";

/// Whoever misses several recipes types one line, told with the last of them.
fn join_missing(findings: &mut [Finding]) {
    let missing = |f: &&Finding| f.code == codes::MISSING_RECIPE;
    let words: Vec<String> = findings
        .iter()
        .filter(missing)
        .filter_map(|f| f.hints.iter().find_map(|hint| hint.strip_prefix(ADD)).map(str::to_owned))
        .collect();
    if words.len() > 1
        && let Some(last) = findings.iter_mut().rfind(|f| f.code == codes::MISSING_RECIPE)
    {
        last.hints.push(format!("all {} at once: {ADD}{}", words.len(), words.join(" ")));
    }
}

/// The line that writes a recipe for what is wanted, as a shell takes it.
pub(super) fn add_line(name: &str, specifiers: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.=+".contains(c);
    let word = format!("{name}{specifiers}");
    if word.chars().all(plain) { format!("{ADD}{word}") } else { format!("{ADD}'{word}'") }
}

/// Specifiers without spaces.
pub(super) fn typed(specifiers: &str) -> String {
    specifiers.replace(' ', "")
}

fn order(finding: &Finding) -> (Option<(&str, usize)>, Code, &str) {
    let place = finding.place.as_ref().map(|p| (p.file.path.as_str(), p.span.start));
    (place, finding.code, &finding.message)
}

struct Telling<'a> {
    set: &'a PackageSet,
    lines: &'a [Line],
    notes: Vec<String>,
}

impl Telling<'_> {
    fn tell(&self, what: &What) -> Finding {
        match what {
            What::Missing(name) => self.missing(name),
            What::Url(name) => self
                .at_first(codes::ADDRESS_REQUIREMENT, format!("the requirement on `{name}` is an address"))
                .hint(format!("write `{name}` here; a recipe for it says where its bytes come from")),
            What::Unsatisfied(name, specifiers) => self.unsatisfied(*name, specifiers),
            What::Application(id) => self.application(*id),
            What::Disabled(ids) => self.disabled(ids),
            What::Conflict(name, root, _) => self.conflict(*name, *root),
            What::TwoRoots(a, b) => Finding::plain(
                codes::VERSION_CONFLICT,
                format!("`{}` and `{}` are asked for in one closure", self.set.label(*a), self.set.label(*b)),
            )
            .hint("ask for one of them"),
            What::UnknownExtra(id, extra) => self.unknown_extra(*id, extra),
            What::Cycle(ids) => self.cycle(ids),
        }
    }

    /// A finding at the first line, the others as a note.
    fn at_first(&self, code: Code, message: String) -> Finding {
        let Some(first) = self.lines.first() else { return Finding::plain(code, message) };
        let finding = match &first.place {
            Some(place) => Finding::error(code, place.clone(), message).label(format!("for {}", first.who)),
            None => Finding::plain(code, message).note(format!("{} wants `{}`", first.who, first.shown())),
        };
        self.with_others(finding, 1)
    }

    fn with_others(&self, finding: Finding, told: usize) -> Finding {
        const SHOWN: usize = 5;
        let others = self.lines.get(told..).unwrap_or_default();
        if others.is_empty() {
            return finding;
        }
        let mut text: Vec<String> = others.iter().take(SHOWN).map(Line::short).collect();
        if others.len() > SHOWN {
            text.push(format!("{} more", others.len() - SHOWN));
        }
        finding.note(format!("also wanted at {}", text.join(", ")))
    }

    fn missing(&self, name: &str) -> Finding {
        let message = format!("no recipe of the set is named `{name}`");
        let mut finding = self.at_first(codes::MISSING_RECIPE, message);
        if let Some(near) = self.set.name_like(name) {
            finding = finding.hint(format!("did you mean `{near}`?"));
        }
        // One release that all who want it can use.
        let mut wanted: Vec<&str> = Vec::new();
        for part in self.lines.iter().flat_map(|line| line.specifiers.split(',')) {
            if !part.is_empty() && !wanted.contains(&part) {
                wanted.push(part);
            }
        }
        finding.hint(add_line(name, &wanted.join(",")))
    }

    fn unsatisfied(&self, name: NameId, specifiers: &str) -> Finding {
        let pname = &self.set.names[name as usize].0;
        let message = format!("no version of `{pname}` in the set satisfies `{specifiers}`");
        let mut finding = self.at_first(codes::NO_SUCH_VERSION, message).note(self.set.versions_told(name));
        let exact = specifiers.strip_prefix("==").filter(|v| v.parse::<Version>().is_ok());
        if let Some(near) = exact.and_then(|version| self.set.version_like(name, version)) {
            finding = finding.hint(format!("did you mean `{pname}=={near}`?"));
        }
        finding.hint(add_line(pname.as_ref(), specifiers))
    }

    fn application(&self, id: RecipeId) -> Finding {
        let recipe = self.set.get(id);
        let message = format!("`{}` is an application; others cannot depend on it", recipe.pname);
        let mut finding = self.at_first(codes::APPLICATION_DEPENDENCY, message);
        finding = finding.note(format!("{} says so at {}", self.set.label(id), line_of(&recipe.place)));
        finding.hint("if others may import it, say `kind = \"package\"` there; its executables stay")
    }

    fn disabled(&self, ids: &[RecipeId]) -> Finding {
        let (set, first) = (self.set, ids[0]);
        let reason = set.misfit(first).unwrap_or_default();
        let message = format!("`{}` is disabled: {reason}", set.label(first));
        let mut finding = match &set.get(first).requires_python {
            _ if !self.lines.is_empty() => self.at_first(codes::DISABLED_RECIPE, message),
            Some((_, place)) => Finding::error(codes::DISABLED_RECIPE, place.clone(), message),
            None => Finding::error(codes::DISABLED_RECIPE, set.get(first).place.clone(), message),
        };
        for id in &ids[1..] {
            let reason = set.misfit(*id).unwrap_or_default();
            finding = finding.note(format!("{} is disabled: {reason}", set.label(*id)));
        }
        let pname = &set.get(first).pname;
        if self.lines.is_empty() {
            return finding.hint("build with another interpreter: --python");
        }
        finding.hint(format!("add a version of `{pname}` for this target, or give the requirement a marker"))
    }

    fn conflict(&self, name: NameId, root: Option<RecipeId>) -> Finding {
        let set = self.set;
        let pname = &set.names[name as usize].0;
        let texts: Vec<String> = self.lines.iter().map(|line| format!("`{}`", line.text)).collect();
        let message = match root {
            Some(id) => {
                format!("`{}` itself is asked for, but its closure wants {}", set.label(id), texts[0])
            }
            None => format!(
                "two versions of `{pname}` in one closure: nothing in the set satisfies {}",
                texts.join(" and ")
            ),
        };
        let mut finding = match self.lines.iter().find_map(|line| Some((line, line.place.as_ref()?))) {
            Some((line, place)) => Finding::error(codes::VERSION_CONFLICT, place.clone(), message)
                .label(format!("for {}", line.who)),
            None => Finding::plain(codes::VERSION_CONFLICT, message),
        };
        for note in &self.notes {
            finding = finding.note(note.clone());
        }
        finding = finding.note(set.versions_told(name));
        finding.hint(format!(
            "add a version of `{pname}` that satisfies all of them, or widen one requirement (`[relax]` edits the wheel's)"
        ))
    }

    fn unknown_extra(&self, id: RecipeId, extra: &ExtraName) -> Finding {
        let recipe = self.set.get(id);
        let message = format!("`{}` has no extra `{extra}`", self.set.label(id));
        let mut finding = self.at_first(codes::UNKNOWN_EXTRA, message).with_severity(Severity::Warning);
        let known: Vec<&str> = recipe.optional_dependencies.keys().map(AsRef::as_ref).collect();
        if let Some(near) = did_you_mean(extra.as_ref(), known.iter().copied()) {
            finding = finding.hint(format!("did you mean `{near}`?"));
        }
        finding.hint(match known.as_slice() {
            [] => "its recipe has no [optional-dependencies]".to_owned(),
            known => format!("its extras are {}", known.join(", ")),
        })
    }

    fn cycle(&self, ids: &[RecipeId]) -> Finding {
        let set = self.set;
        let first = ids[0];
        let message = format!("building `{0}` needs `{0}` itself", set.label(first));
        let mut finding = match self.lines.first().and_then(|line| line.place.clone()) {
            Some(place) => Finding::error(codes::BUILD_CYCLE, place, message),
            None => Finding::plain(codes::BUILD_CYCLE, message),
        };
        for note in &self.notes {
            finding = finding.note(note.clone());
        }
        for id in ids {
            let (name, _) = set.position(*id);
            let other = set.versions_of(name).iter().find(|other| {
                *other != id && set.misfit(**other).is_none() && set.get(**other).kind == Kind::Package
            });
            if let Some(other) = other {
                let (pname, version) = (&set.get(*id).pname, &set.get(*id).version);
                finding = finding.hint(format!(
                    "{} is in the set too: bound the requirement, say `{pname}!={version}`",
                    set.label(*other)
                ));
            }
        }
        finding.hint("build one of them without that requirement (an in-tree backend), or take it prebuilt: `format = \"wheel\"`")
    }
}

impl PackageSet {
    /// The name of the set that comes closest.
    pub(super) fn name_like(&self, name: &str) -> Option<&str> {
        did_you_mean(name, self.names.iter().map(|(known, _)| known.as_ref()))
    }

    /// The version of a name that comes closest in spelling.
    pub(super) fn version_like(&self, name: NameId, version: &str) -> Option<String> {
        let known: Vec<String> =
            self.versions_of(name).iter().map(|id| self.get(*id).version.to_string()).collect();
        did_you_mean(version, known.iter().map(String::as_str)).map(str::to_owned)
    }

    /// `the set has click 8.1.7, 8.0 (disabled), 7.0`.
    pub(super) fn versions_told(&self, name: NameId) -> String {
        const SHOWN: usize = 8;
        let versions = self.versions_of(name);
        let mut told: Vec<String> = versions
            .iter()
            .take(SHOWN)
            .map(|id| {
                let remark = match (self.misfit(*id), self.get(*id).kind) {
                    (Some(reason), _) => format!(" (disabled: {reason})"),
                    (None, Kind::Application) => " (an application)".to_owned(),
                    (None, Kind::Package) => String::new(),
                };
                format!("{}{remark}", self.get(*id).version)
            })
            .collect();
        if versions.len() > SHOWN {
            told.push(format!("{} more", versions.len() - SHOWN));
        }
        format!("the set has {} {}", self.names[name as usize].0, told.join(", "))
    }
}
