//! What the database holds as JSON text.
//!
//! Knows the written forms, which old stores keep for ever. Must never be
//! used outside `store`: inside the crate there are only the real types.

use serde::{Deserialize, Serialize};

use super::realisation::PythonModule;
use crate::key::KeyPart;

#[derive(Serialize, Deserialize)]
struct ModuleV1 {
    name: String,
    version: String,
    python: String,
    interpreter: String,
    requires: Vec<String>,
    imports: Vec<String>,
    scripts: Vec<(String, Option<String>)>,
}

/// The written form of a module.
pub(super) fn write_module(module: &PythonModule) -> String {
    let wire = ModuleV1 {
        name: module.name.clone(),
        version: module.version.clone(),
        python: module.python.clone(),
        interpreter: module.interpreter.hex(),
        requires: module.requires.clone(),
        imports: module.imports.clone(),
        scripts: module.scripts.clone(),
    };
    serde_json::to_string(&wire).expect("strings and lists are always JSON")
}

/// Reads what [`write_module`] wrote.
pub(super) fn read_module(text: &str) -> Result<PythonModule, String> {
    let wire: ModuleV1 = serde_json::from_str(text).map_err(|e| e.to_string())?;
    Ok(PythonModule {
        interpreter: wire.interpreter.parse()?,
        name: wire.name,
        version: wire.version,
        python: wire.python,
        requires: wire.requires,
        imports: wire.imports,
        scripts: wire.scripts,
    })
}

/// The written form of a key's parts: pairs of name and value.
pub(super) fn write_parts(parts: &[KeyPart]) -> String {
    let pairs: Vec<(&str, &str)> = parts.iter().map(|p| (p.name.as_str(), p.value.as_str())).collect();
    serde_json::to_string(&pairs).expect("strings are always JSON")
}

/// Reads what [`write_parts`] wrote.
pub(super) fn read_parts(text: &str) -> Result<Vec<KeyPart>, String> {
    let pairs: Vec<(String, String)> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    Ok(pairs.into_iter().map(|(name, value)| KeyPart { name, value }).collect())
}

/// The written form of a list of texts.
pub(super) fn write_texts(texts: &[String]) -> String {
    serde_json::to_string(texts).expect("strings are always JSON")
}

/// Reads what [`write_texts`] wrote.
pub(super) fn read_texts(text: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(text).map_err(|e| e.to_string())
}
