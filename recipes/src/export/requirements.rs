//! `requirements` and `constraints`: a line a package, as pip reads them.
//!
//! Knows pip's hash mode. Must never write a requirement that another machine
//! may read otherwise: each is one version, its marker decided.

use std::fmt::Write as _;

use super::{Outcome, Part, Pin, Selection, Text};

/// For `pip install --require-hashes -r`. What has no file with a hash is a
/// comment when nobody needs it, else an error.
pub fn requirements(selection: &Selection<'_>) -> Outcome {
    let (pinned, mut left_out) = selection.pinned()?;
    let mut out = head(selection);
    let mut notes = selection.unsaid();
    let mut missing = Vec::new();
    for (part, pin) in &pinned {
        let name = wanted(selection, part);
        let version = &selection.recipe(part).version;
        let (line, hash) = match pin {
            Pin::Index(hash) => (format!("{name}=={version}"), hash),
            Pin::Address(url, hash) => (format!("{name} @ {url}"), hash),
            Pin::Commit { .. } => {
                let why = "its source is a commit of a git repository, which is no file with a hash";
                let needed = selection.parts.iter().any(|p| p.needs.contains(&part.id));
                match needed {
                    true => {
                        missing.push(format!("{}: {why}, and others need it", selection.set.label(part.id)))
                    }
                    false => left_out.push((*part, why.to_owned())),
                }
                continue;
            }
        };
        let _ = writeln!(out, "{line} \\\n    --hash=sha256:{}", hash.hex());
    }
    if !missing.is_empty() {
        return Err(missing);
    }
    selection.tell_left_out(&left_out, &mut out, &mut notes);
    Ok(Text { text: out, notes })
}

/// For `pip install -c`: versions only, whatever the sources are.
pub fn constraints(selection: &Selection<'_>) -> Text {
    let mut out = head(selection);
    for part in &selection.parts {
        let recipe = selection.recipe(part);
        let _ = writeln!(out, "{}=={}", recipe.pname, recipe.version);
    }
    Text { text: out, notes: Vec::new() }
}

fn head(selection: &Selection<'_>) -> String {
    format!("# Exported by wheelwright for {}.\n", selection.set.target().describe())
}

/// `flask[async,dotenv]`.
fn wanted(selection: &Selection<'_>, part: &Part) -> String {
    let extras: Vec<String> = part.extras.iter().map(ToString::to_string).collect();
    let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
    format!("{}{extras}", selection.recipe(part).pname)
}
