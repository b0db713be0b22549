//! `share/wheelwright/package.json` of a result folder.
//!
//! Knows only the form. It holds nothing but what follows from the wheel and
//! the recipe; how a build went is in the realisation. Fields stand in
//! alphabetical order, so that the keys do. Must never know where the result lies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Raised when the form changes.
pub const FORMAT: u32 = 1;

/// A built package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Package {
    /// `dist-info` folder in site-packages, when there is one.
    pub dist_info: Option<String>,
    /// Executable -> `module:object` of an entry point, or null for a script.
    pub executables: BTreeMap<String, Option<String>>,
    /// Provides-Extra of the wheel.
    pub extras: Vec<String>,
    /// [`FORMAT`].
    pub format: u32,
    /// Names `import` finds, those of namespaces dotted.
    pub imports: Vec<String>,
    /// `package` or `application`.
    pub kind: String,
    /// `[meta]` of the recipe.
    pub meta: Meta,
    /// Normalised project name.
    pub name: String,
    /// Compiled files, relative to the install.
    pub natives: Vec<String>,
    /// `3.11`: what the install is laid out for.
    pub python: String,
    /// Requires-Dist of the wheel.
    pub requires: Vec<String>,
    /// `.pth` and `.start` files: they run when an interpreter starts.
    pub start_up: Vec<String>,
    /// PEP 440 text.
    pub version: String,
    /// The finished wheel; null for `format = "other"`.
    pub wheel: Option<Wheel>,
}

/// The wheel in `dist`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wheel {
    /// File name.
    pub file: String,
    /// Hex.
    pub sha256: String,
    /// Single tags, sorted.
    pub tags: Vec<String>,
}

/// `[meta]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Meta {
    /// Address.
    pub changelog: Option<String>,
    /// One line.
    pub description: Option<String>,
    /// Address.
    pub homepage: Option<String>,
    /// Advisory ids.
    pub known_vulnerabilities: Vec<String>,
    /// SPDX expression.
    pub license: Option<String>,
    /// The executable `run` starts.
    pub main_program: Option<String>,
    /// People.
    pub maintainers: Vec<String>,
}
