//! Style beyond errors: what `wheelwright lint` says of a good recipe.
//!
//! Knows recipes. Lints never stop a build and are all about one recipe.
//! Must never know a second one.

use std::collections::HashMap;

use crate::codes;
use crate::diag::{Code, Finding, Place, Severity};
use crate::license::Expression;
use crate::name::PackageName;
use crate::recipe::{Dependency, Origin, Recipe, Runner};

fn lint_at(code: Code, place: &Place, message: impl Into<String>) -> Finding {
    Finding::error(code, place.clone(), message).with_severity(Severity::Lint)
}

/// Every lint of one recipe. Old spellings are reported when the text is
/// read ([`crate::book::assemble`]), as the recipe no longer knows them.
pub fn lint(recipe: &Recipe) -> Vec<Finding> {
    let mut out = Vec::new();
    words_about_it(recipe, &mut out);
    tests(recipe, &mut out);
    lists(recipe, &mut out);
    relaxations(recipe, &mut out);
    sources(recipe, &mut out);
    out
}

fn words_about_it(recipe: &Recipe, out: &mut Vec<Finding>) {
    let meta = &recipe.meta;
    // A project that carries its own recipe says these things itself.
    let own = recipe.sources.iter().all(|s| matches!(s.origin, Origin::Path { .. }));
    if !own && meta.description.as_deref().is_none_or(str::is_empty) {
        out.push(
            lint_at(codes::NO_DESCRIPTION, &recipe.place, "the recipe has no description")
                .hint("write `description = \"...\"` in `[meta]`"),
        );
    }
    match meta.license.as_deref() {
        None | Some("") if own => {}
        None | Some("") => {
            out.push(
                lint_at(codes::NO_LICENSE, &recipe.place, "the recipe has no license")
                    .hint("write an SPDX expression in `[meta]`: `license = \"MIT\"`"),
            );
        }
        Some(license) if Expression::parse(license).is_none() => out.push(
            lint_at(
                codes::BAD_LICENSE,
                &recipe.place,
                format!("the license `{license}` is not an SPDX expression"),
            )
            .hint("write e.g. `\"MIT\"`, `\"BSD-3-Clause\"` or `\"MIT OR Apache-2.0\"`"),
        ),
        Some(_) => {}
    }
}

fn tests(recipe: &Recipe, out: &mut Vec<Finding>) {
    if recipe.check.enable && recipe.check.runner == Runner::None {
        out.push(lint_at(codes::NO_TESTS, &recipe.place, "tests are enabled, but nothing runs them").hint(
            "write `runner = \"pytest\"` (and pytest into `inputs`), or `enable = false`, in `[check]`",
        ));
    }
}

fn lists(recipe: &Recipe, out: &mut Vec<Finding>) {
    let extras = recipe.optional_dependencies.values().map(|l| ("an extra", l));
    let lists = [
        ("`build-system`", &recipe.build_system),
        ("`dependencies`", &recipe.dependencies),
        ("`check.inputs`", &recipe.check.inputs),
    ];
    for (name, list) in lists.into_iter().chain(extras) {
        twice(name, list, out);
    }
    for pinned in &recipe.build_system {
        let exact = |s: &pep440_rs::VersionSpecifier| {
            matches!(s.operator(), pep440_rs::Operator::Equal | pep440_rs::Operator::ExactEqual)
        };
        if pinned.requirement.specifiers().iter().any(exact) {
            out.push(
                lint_at(
                    codes::BUILD_PIN,
                    &pinned.place,
                    format!("`{}` is pinned to one version", pinned.requirement),
                )
                .hint("the set decides versions; say `>=` unless no other one builds it"),
            );
        }
    }
}

fn twice(name: &str, list: &[Dependency], out: &mut Vec<Finding>) {
    let mut seen: HashMap<(&PackageName, String), &Dependency> = HashMap::new();
    for dependency in list {
        let parsed = &dependency.requirement.parsed;
        let marker = parsed.marker.try_to_string().unwrap_or_default();
        if let Some(first) = seen.insert((&parsed.name, marker), dependency) {
            out.push(
                lint_at(
                    codes::LISTED_TWICE,
                    &dependency.place,
                    format!("`{}` is twice in {name}", parsed.name),
                )
                .hint(format!(
                    "`{}` is on line {}; write one requirement",
                    first.requirement,
                    first.place.line_col().0
                )),
            );
        }
    }
}

fn relaxations(recipe: &Recipe, out: &mut Vec<Finding>) {
    let relax = &recipe.relax;
    for (name, place) in relax.dependencies.iter().chain(&relax.upper).filter(|_| relax.all) {
        out.push(
            lint_at(codes::SAID_IN_VAIN, place, format!("`all = true` relaxes `{name}` already"))
                .hint("remove one of the two"),
        );
    }
    for (name, place) in relax.upper.iter().filter(|(n, _)| relax.dependencies.iter().any(|(d, _)| d == n)) {
        out.push(
            lint_at(
                codes::SAID_IN_VAIN,
                place,
                format!("`{name}` loses all its specifiers, upper bounds too"),
            )
            .hint("keep it in `dependencies` or in `upper`"),
        );
    }
    for (name, place) in relax.dependencies.iter().chain(&relax.upper) {
        if relax.remove.iter().any(|(removed, _)| removed == name) {
            out.push(
                lint_at(
                    codes::SAID_IN_VAIN,
                    place,
                    format!("`{name}` is removed, so nothing is left to relax"),
                )
                .hint("keep it in `remove` only"),
            );
        }
    }
}

fn sources(recipe: &Recipe, out: &mut Vec<Finding>) {
    for source in &recipe.sources {
        let Origin::Url { urls, .. } = &source.origin else { continue };
        let moving = |url: &&String| {
            ["/archive/refs/heads/", "/archive/master.", "/archive/main.", "/archive/develop."]
                .iter()
                .any(|part| url.contains(part))
        };
        if let Some(url) = urls.iter().find(moving) {
            out.push(
                lint_at(
                    codes::MOVING_SOURCE,
                    &source.place,
                    format!("`{url}` is the tip of a branch and changes under its hash"),
                )
                .hint("use the address of a tag, or a `git` source with `rev`"),
            );
        }
    }
}
