//! What an install says about itself: `share/wheelwright/module.json` in its tree.
//!
//! Knows only the form. It is part of the tree, so it holds nothing but what
//! follows from the wheel and the Python version it is laid out for. Must never name a store or an
//! interpreter.

use serde::{Deserialize, Serialize};

/// Raised when the form changes.
pub const FORMAT: u32 = 1;

/// An install, described.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// [`FORMAT`].
    pub format: u32,
    /// Normalised project name.
    pub name: String,
    /// PEP 440 text.
    pub version: String,
    /// `3.11`.
    pub python: String,
    /// The metadata folder in site-packages, when there is one.
    pub dist_info: Option<String>,
    /// Requires-Dist.
    pub requires: Vec<String>,
    /// Provides-Extra.
    pub extras: Vec<String>,
    /// Importable names: top-level modules and packages; of a namespace the
    /// first regular modules in it, dotted.
    pub imports: Vec<String>,
    /// What site-packages holds, in pieces that can be linked.
    pub units: Vec<Unit>,
    /// Files of `share/wheelwright/scripts`.
    pub scripts: Vec<Script>,
    /// Console and gui entry points.
    pub entry_points: Vec<Launch>,
    /// Files elsewhere in the tree, relative to its top.
    pub files: Vec<String>,
    /// `.pth` and `.start` files, `sitecustomize` and `usercustomize`: they run
    /// code when an interpreter starts.
    pub pth: Vec<String>,
    /// Compiled files.
    pub natives: Vec<String>,
}

/// One piece of site-packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Relative to site-packages; below a namespace it has several parts.
    pub path: String,
    /// A folder, else a file.
    pub folder: bool,
    /// It must stand in an environment as real files: a library in it looks
    /// for others outside of the install (RUNPATH).
    pub real: bool,
}

/// A script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The executable's name.
    pub name: String,
    /// Interpreter options of its first line when it is a Python script;
    /// absent for any other executable.
    pub python: Option<Vec<String>>,
}

/// An entry point that becomes an executable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The executable's name.
    pub name: String,
    /// The module.
    pub module: String,
    /// The object to call, dotted.
    pub object: String,
}
