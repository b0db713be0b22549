//! Recipe text in, the recipe or its findings out.

mod dependencies;
mod keys;
mod lints;
mod project;
mod source;
mod tables;
mod whole;

use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::Expect;

use crate::book::{Layer, LayerFile, assemble};
use crate::diag::{Place, SourceFile};
use crate::recipe::{Dependency, Recipe};

/// The one door: what comes of a recipe's text.
fn check(text: &str, expected: Expect) {
    check_with(text, None, expected);
}

/// As [`check`], with a pyproject.toml beside the source.
fn check_with(text: &str, pyproject: Option<&str>, expected: Expect) {
    expected.assert_eq(&outcome(text, pyproject));
}

/// Several texts that differ in one piece, each under its piece.
fn check_each(pieces: &[&str], text: impl Fn(&str) -> String, expected: Expect) {
    let out = pieces.iter().map(|p| format!("=== {}\n{}", p.replace('\n', " "), outcome(&text(p), None)));
    expected.assert_eq(&out.collect::<String>());
}

fn outcome(text: &str, pyproject: Option<&str>) -> String {
    let file = Arc::new(SourceFile { path: "a.toml".into(), text: text.into() });
    let layer = Layer {
        name: "recipes".into(),
        files: vec![LayerFile { file, pyproject: pyproject.map(str::to_owned) }],
    };
    let (book, findings) = assemble(&[layer]);
    let mut out: String = findings.iter().map(|f| f.render()).collect();
    out.extend(book.recipes.iter().map(|recipe| show(recipe)));
    out
}

/// A recipe with everything that is not its default.
fn show(recipe: &Recipe) -> String {
    let r = recipe;
    let mut out = format!("{} {} {:?} {:?}\n", r.pname_text, r.version, r.kind, r.format);
    let deps = |d: &[Dependency]| {
        d.iter()
            .map(|d| format!("{}@{}", d.requirement, d.place.line_col().0))
            .collect::<Vec<_>>()
            .join(" | ")
    };
    let places = |l: &[(String, Place)]| l.iter().map(|(s, _)| s.clone()).collect::<Vec<_>>();
    let mut line = |key: &str, value: String| {
        if !matches!(value.as_str(), "" | "[]" | "None" | "{}") {
            let _ = writeln!(out, "  {key}: {value}");
        }
    };
    line("requires-python", r.requires_python.as_ref().map_or(String::new(), |(s, _)| s.to_string()));
    line("build-system", deps(&r.build_system));
    line("dependencies", deps(&r.dependencies));
    for (extra, list) in &r.optional_dependencies {
        line(&format!("extra {extra}"), deps(list));
    }
    for s in &r.sources {
        let when =
            s.when.as_ref().and_then(|w| w.try_to_string()).map_or(String::new(), |w| format!(" when {w}"));
        line("source", format!("{:?} {:?}{when}", s.origin, s.promise));
        line("subdirectory", s.subdirectory.clone());
        let patches = s.patches.iter().map(|p| match p {
            crate::recipe::Patch::File(path, file) => format!("{path} of {}", file.path),
            crate::recipe::Patch::Url { url, hash, .. } => format!("{url} {hash}"),
        });
        line("patches", patches.collect::<Vec<_>>().join(" | "));
        line("epoch", format!("{:?}", s.epoch));
    }
    let empty = crate::recipe::Build::default();
    if format!("{:?}", r.build) != format!("{empty:?}") {
        line("build", format!("{:?}", r.build));
    }
    line("phases", format!("{:?}", r.phases));
    line("external build", format!("{:?}", places(&r.external.build_requires)));
    line("external host", format!("{:?}", places(&r.external.host_requires)));
    line("external run", format!("{:?}", places(&r.external.dependencies)));
    line("cargo", r.cargo.as_ref().map_or(String::new(), |p| format!("line {}", p.line_col().0)));
    let c = &r.check;
    line("check", format!("enable {} runner {:?} imports {:?}", c.enable, c.runner, c.imports));
    line("check inputs", deps(&c.inputs));
    line("check flags", format!("{:?}", c.flags));
    line(
        "check tests",
        format!("+{:?} -{:?} marks {:?}", c.enabled_tests, c.disabled_tests, c.marks)
            .replace("+[] -[] marks []", ""),
    );
    line(
        "check paths",
        format!("+{:?} -{:?}", places(&c.enabled_paths), places(&c.disabled_paths)).replace("+[] -[]", ""),
    );
    let names = |l: &[(crate::name::PackageName, Place)]| {
        l.iter().map(|(n, _)| n.to_string()).collect::<Vec<_>>().join(" ")
    };
    let x = &r.relax;
    line("relax", if x.all { "all".into() } else { String::new() });
    line("relax dependencies", names(&x.dependencies));
    line("relax upper", names(&x.upper));
    line("relax remove", names(&x.remove));
    if !r.wrap.enable || r.wrap.permit_user_site {
        line("wrap", format!("enable {} permit-user-site {}", r.wrap.enable, r.wrap.permit_user_site));
    }
    for op in &r.wrap.ops {
        line("wrap", format!("{op:?}"));
    }
    if let Some(app) = &r.app {
        line(
            "app",
            format!("{:?} {:?} {:?} {:?} {:?}", app.interface, app.server, app.bind, app.workers, app.health),
        );
    }
    line("namespaces", format!("{:?}", r.namespaces));
    line("remove-tests", if r.remove_tests { String::new() } else { "false".into() });
    let m = format!("{:?}", r.meta);
    if m != format!("{:?}", crate::recipe::Meta::default()) {
        line("meta", m);
    }
    out
}

const HEAD: &str = "pname = \"a\"\nversion = \"1\"\n[source]\npath = \".\"\n";
