//! `cyclonedx`: a CycloneDX 1.6 bill of materials.
//!
//! Knows the words of that standard and package URLs. Must never hold what
//! differs between two runs: no serial number, no time.

use serde_json::{Value, json};

use super::{Part, Selection, Text, without_login};
use crate::recipe::{GitRev, Kind, Origin, Promise, Recipe, Source};
use crate::set::RecipeId;

/// The parts as components. One that alone was named is what the bill is of.
pub fn cyclonedx(selection: &Selection<'_>) -> Text {
    let mut named = selection.parts.iter().filter(|p| p.named);
    let main = named.next().filter(|_| named.next().is_none()).map(|p| p.id);
    let others = selection.parts.iter().filter(|p| Some(p.id) != main);
    let components: Vec<Value> = others.map(|p| component(selection, p.id)).collect();
    let dependency = |part: &Part| {
        let needs: Vec<String> = part.needs.iter().map(|id| purl(selection, *id)).collect();
        json!({ "ref": purl(selection, part.id), "dependsOn": needs })
    };
    let mut metadata = json!({
        "tools": { "components": [{ "type": "application", "name": "wheelwright" }] },
        "properties": [
            { "name": "wheelwright:target", "value": selection.set.target().describe() },
        ],
    });
    if let Some(main) = main {
        metadata["component"] = component(selection, main);
    }
    let bill = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata,
        "components": components,
        "dependencies": selection.parts.iter().map(dependency).collect::<Vec<_>>(),
    });
    Text { text: format!("{bill:#}\n"), notes: Vec::new() }
}

fn component(selection: &Selection<'_>, id: RecipeId) -> Value {
    let recipe = selection.set.get(id);
    let purl = purl(selection, id);
    let mut out = json!({
        "type": if recipe.kind == Kind::Application { "application" } else { "library" },
        "bom-ref": purl,
        "name": recipe.pname.to_string(),
        "version": recipe.version.to_string(),
        "purl": purl,
    });
    if let Some(description) = &recipe.meta.description {
        out["description"] = json!(description);
    }
    if let Some(license) = &recipe.meta.license {
        out["licenses"] = json!([licence(license)]);
    }
    let source = selection.set.source_for(id).ok();
    if let Some(source) = source
        && let Promise::Hash(hash) = source.promise
    {
        match source.origin {
            // That of a tree is no hash of a file.
            Origin::Git { .. } | Origin::Url { unpack: true, .. } => {
                out["properties"] = json!([{ "name": "wheelwright:nar-hash", "value": hash.sri() }]);
            }
            _ => out["hashes"] = json!([{ "alg": "SHA-256", "content": hash.hex() }]),
        }
    }
    let references = references(recipe, source);
    if !references.is_empty() {
        out["externalReferences"] = json!(references);
    }
    out
}

/// An SPDX expression, or what else the recipe calls it.
fn licence(text: &str) -> Value {
    let expression = text.chars().all(|c| c.is_ascii_alphanumeric() || "-.+:() ".contains(c));
    if expression { json!({ "expression": text }) } else { json!({ "license": { "name": text } }) }
}

fn references(recipe: &Recipe, source: Option<&Source>) -> Vec<Value> {
    let mut all = Vec::new();
    let mut add = |kind: &str, url: &str| all.push(json!({ "type": kind, "url": url }));
    if let Some(url) = &recipe.meta.homepage {
        add("website", url);
    }
    if let Some(url) = &recipe.meta.changelog {
        add("release-notes", url);
    }
    match source.map(|s| &s.origin) {
        Some(Origin::Git { url, .. }) => add("vcs", &without_login(url)),
        Some(Origin::Url { urls, .. }) => urls.iter().for_each(|u| add("distribution", &without_login(u))),
        Some(Origin::Pypi { .. } | Origin::Path { .. }) | None => {}
    }
    all
}

/// The package URL: also what a component is called inside the bill. What is
/// in a folder of ours is on no index, whatever has its name there.
fn purl(selection: &Selection<'_>, id: RecipeId) -> String {
    let recipe = selection.set.get(id);
    let version = escaped(&recipe.version.to_string());
    let (kind, name, qualifier) = match selection.set.source_for(id).map(|s| &s.origin) {
        Ok(Origin::Path { .. }) => ("generic", recipe.pname.to_string(), String::new()),
        Ok(Origin::Url { urls, .. }) => {
            let url = urls.first().map(|u| without_login(u)).unwrap_or_default();
            ("pypi", recipe.pname.to_string(), format!("?download_url={}", escaped(&url)))
        }
        Ok(Origin::Git { url, rev: GitRev::Rev(rev) | GitRev::Tag(rev), .. }) => {
            let url = format!("git+{}@{rev}", without_login(url));
            ("pypi", recipe.pname.to_string(), format!("?vcs_url={}", escaped(&url)))
        }
        Ok(Origin::Pypi { .. }) | Err(_) => ("pypi", recipe.pname.to_string(), String::new()),
    };
    format!("pkg:{kind}/{name}@{version}{qualifier}")
}

/// Percent-encoded, as package URLs want it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' | b'/' => {
                out.push(char::from(byte));
            }
            other => out += &format!("%{other:02X}"),
        }
    }
    out
}
