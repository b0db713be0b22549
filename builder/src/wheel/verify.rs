//! A wheel's Requires-Dist against the closure it will run in.
//!
//! Knows markers and specifiers (PEP 508, 440). Must never know how the
//! closure was chosen.

use std::collections::BTreeMap;

use recipes::diag::{Finding, Severity};
use recipes::name::{PackageName, Requirement, Version};
use recipes::target::Target;

use super::{codes, finding, wrong};

/// One member of a closure.
pub type Have = (PackageName, Version);

/// Every requirement that applies to the target (with no extra) and that the
/// closure does not meet. `package` is the wheel's name, for messages.
pub fn verify(package: &str, requires: &[String], target: &Target, closure: &[Have]) -> Vec<Finding> {
    let have: BTreeMap<&PackageName, &Version> = closure.iter().map(|(n, v)| (n, v)).collect();
    let mut findings = Vec::new();
    for text in requires {
        let requirement = match text.parse::<Requirement>() {
            Ok(requirement) => requirement,
            Err(e) => {
                let text = format!("`{package}` requires `{text}`, which cannot be checked: {e}");
                findings.push(finding(Severity::Warning, codes::REQUIRES_TEXT, text));
                continue;
            }
        };
        // With no extra active, `extra == "x"` is false: PEP 508 leaves it undefined, the core metadata says so.
        if !requirement.parsed.evaluate_markers(&target.markers, &[]) {
            continue;
        }
        let line = requirement_without_marker(&requirement.text);
        match have.get(requirement.name()) {
            None => findings.push(
                wrong(codes::REQUIRES_MISSING, format!("`{package}` requires `{text}`, which is not in its closure"))
                    .hint(format!("add \"{line}\" to `dependencies`, or its name to `remove` of `[relax]`")),
            ),
            Some(version) if !requirement.specifiers().contains(version) => findings.push(
                wrong(
                    codes::REQUIRES_VERSION,
                    format!("`{package}` requires `{text}`, but its closure has {} {version}", requirement.name()),
                )
                .hint(format!(
                    "write \"{line}\" in `dependencies`, or add `{}` to `dependencies` or `upper` of `[relax]`",
                    requirement.name()
                )),
            ),
            Some(_) => {}
        }
    }
    findings
}

fn requirement_without_marker(text: &str) -> &str {
    text.split(';').next().unwrap_or(text).trim()
}
