//! Which installs may stand in one environment, and why not.
//!
//! Knows pythonModule metadata. Must never know the disk.

use std::collections::BTreeMap;
use std::path::PathBuf;

use recipes::diag::Finding;
use recipes::name::{PackageName, Version};
use recipes::target::Target;

use crate::key::Digest;
use crate::store::realisation::PythonModule;
use crate::wheel::{Have, codes, finding, verify};
use recipes::diag::Severity;

/// The interpreter an environment is made for, by where it really is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The executable; no shim, since `pyvenv.cfg` names its folder.
    pub exe: PathBuf,
    /// `3.11.7`.
    pub version: String,
    /// `3.11`, `3.13t` without the GIL: the word in the paths of what is built for it.
    pub python: String,
    /// Interpreter identity.
    pub identity: Digest,
}

/// One install of an environment.
#[derive(Clone, Debug)]
pub struct Member {
    /// Normalised name, for messages about what is no module.
    pub name: String,
    /// PEP 440 text.
    pub version: String,
    /// What makes it importable; an application has none.
    pub module: Option<PythonModule>,
    /// Its install tree.
    pub tree: PathBuf,
    /// The folder with the pack of what a working environment copies of it.
    pub copies: Option<PathBuf>,
}

impl Member {
    /// An importable install.
    pub fn of(module: PythonModule, tree: impl Into<PathBuf>) -> Self {
        Self {
            name: module.name.clone(),
            version: module.version.clone(),
            module: Some(module),
            tree: tree.into(),
            copies: None,
        }
    }

    /// `flask 3.1.3`.
    pub fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

fn wrong(code: recipes::diag::Code, message: String) -> Finding {
    finding(Severity::Error, code, message)
}

/// Every reason why these installs cannot be imported together on this
/// interpreter: applications, installs for another one, a name twice, and
/// (when the target is given) requirements nothing meets.
pub fn check(members: &[Member], host: &Host, target: Option<&Target>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: BTreeMap<&str, &Member> = BTreeMap::new();
    for member in members {
        if let Some(other) = seen.insert(&member.name, member) {
            if other.version != member.version {
                let text = format!(
                    "`{}` would be there twice, as {} and {}",
                    member.name, other.version, member.version
                );
                findings.push(wrong(codes::TWO_VERSIONS, text));
            } else if other.tree != member.tree {
                let text = format!("`{}` would be there twice, from two different builds", member.label());
                findings.push(wrong(codes::TWO_VERSIONS, text));
            }
        }
        findings.extend(not_importable(member, host));
    }
    let Some(target) = target else { return findings };
    let have: Vec<Have> = members
        .iter()
        .filter_map(|m| Some((m.name.parse::<PackageName>().ok()?, m.version.parse::<Version>().ok()?)))
        .collect();
    for member in members {
        let requires = member.module.as_ref().map_or(&[][..], |m| &m.requires);
        let unmet = verify(&member.name, requires, target, &have);
        findings.extend(unmet.into_iter().filter(|f| f.severity == Severity::Error));
    }
    findings
}

fn not_importable(member: &Member, host: &Host) -> Option<Finding> {
    let name = &member.name;
    let Some(module) = &member.module else {
        let text = format!("`{name}` is an application, so it cannot be imported in an environment");
        return Some(wrong(codes::NOT_A_MODULE, text).hint(format!(
            "write kind = \"package\" in the recipe of `{name}`, or ask for its libraries instead"
        )));
    };
    if module.python != host.python {
        let text = format!("`{name}` is built for Python {}, this is {}", module.python, host.python);
        return Some(wrong(codes::NOT_A_MODULE, text).hint(format!("build `{name}` with the same --python")));
    }
    if module.interpreter != host.identity {
        let text = format!(
            "`{name}` is built for another Python {} than `{}` (interpreter {:?}, this is {:?})",
            module.python,
            host.exe.display(),
            module.interpreter,
            host.identity
        );
        return Some(
            wrong(codes::NOT_A_MODULE, text).hint(format!("build `{name}` again with this interpreter")),
        );
    }
    None
}
