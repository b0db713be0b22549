//! A plan as text: for tests and bug reports.
//!
//! Knows steps. Must never know terminals.

use std::fmt::Write as _;

use super::{Input, Plan};

/// The whole plan, a line a step: index, kind, package, inputs.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    for (i, step) in plan.steps.iter().enumerate() {
        let input = |input: &Input| format!("{} [{}]", input.named(&plan.steps).concat(), input.step());
        let inputs: Vec<String> = step.inputs.iter().map(input).collect();
        let goal = if plan.goals.contains(&i) { " *" } else { "" };
        let _ = write!(out, "{i:>2} {} {}{goal}", step.kind.word(), step.package);
        if !inputs.is_empty() {
            let _ = write!(out, " <- {}", inputs.join(", "));
        }
        out.push('\n');
    }
    out
}
