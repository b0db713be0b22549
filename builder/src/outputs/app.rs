//! Applications: a private frozen environment and launchers of one's own
//! executables, with `[wrap]` honoured.
//!
//! Knows what is exposed. Must never know recipes beyond `[wrap]`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use recipes::diag::Severity;
use recipes::recipe::Wrap;
use recipes::target::Target;

use super::env::{self, Composed, Style, read_contents, write};
use super::launcher::{Program, UserSite, wrapped};
use super::modules::{Host, Member};
use crate::error::{IoContext as _, Result};
use crate::wheel::wire::Contents;
use crate::wheel::{Layout, Trouble, codes, finding, module};

/// Where the private environment lies in an application's folder.
pub const ENV_DIR: &str = "libexec/env";

/// What an application is made of.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// The interpreter.
    pub host: &'a Host,
    /// The closure of installs, the application's own among them.
    pub members: &'a [Member],
    /// Which of them is its own.
    pub own: usize,
    /// Checks that every requirement is met, when given.
    pub target: Option<&'a Target>,
    /// `[wrap]`.
    pub wrap: &'a Wrap,
    /// Where the folder will stand in the end; it may be composed elsewhere.
    pub at: &'a Path,
    /// The store: links between two places in it are relative.
    pub store: Option<&'a Path>,
    /// PEP 610 direct_url.json text by member name.
    pub direct_urls: &'a BTreeMap<String, String>,
}

/// Makes `bin` and the private environment in `into`; what is returned are
/// the exposed executables. Without executables only the check is made.
pub fn compose(spec: &Spec<'_>, into: &Path) -> Result<Composed, Trouble> {
    let own = &spec.members[spec.own];
    let contents = read_contents(&own.tree)?;
    let launchers = launchers(&contents, spec.wrap).map_err(Trouble::Findings)?;
    let at: PathBuf = spec.at.join(ENV_DIR);
    let members = importable(spec, &contents);
    let env_spec = env::Spec {
        host: spec.host,
        style: Style::Frozen,
        members: &members,
        target: spec.target,
        at: &at,
        store: spec.store,
        direct_urls: spec.direct_urls,
        user_site: if spec.wrap.permit_user_site { UserSite::Permitted } else { UserSite::Hidden },
    };
    let inner = env::compose(&env_spec, &into.join(ENV_DIR))?;
    let bin = into.join("bin");
    fs::create_dir_all(&bin).doing(|| format!("failed to make `{}`", bin.display()))?;
    let mut executables = BTreeMap::new();
    for (name, text) in launchers {
        write(&bin.join(&name), text.as_bytes(), true)?;
        executables.insert(name, spec.own);
    }
    Ok(Composed { executables, start_up: inner.start_up })
}

/// The members, the application's own install importable in its own environment.
fn importable(spec: &Spec<'_>, contents: &Contents) -> Vec<Member> {
    let mut members = spec.members.to_vec();
    let own = &mut members[spec.own];
    if own.module.is_none() {
        let layout = Layout { python: contents.python.clone(), interpreter: spec.host.identity };
        own.module = Some(module(contents, &layout));
    }
    members
}

/// The text of each of an install's own executables.
fn launchers(
    contents: &Contents,
    wrap: &Wrap,
) -> Result<BTreeMap<String, String>, Vec<recipes::diag::Finding>> {
    let scripts = contents.scripts.iter().map(|s| (s.name.as_str(), Program::Script(s)));
    let points = contents.entry_points.iter().map(|e| (e.name.as_str(), Program::EntryPoint(&e.name)));
    let mut all = BTreeMap::new();
    // Entry points come last: of one name, they are what the environment has too.
    for (name, program) in scripts.chain(points) {
        let text = wrapped(&program, wrap, ENV_DIR).map_err(|problems| {
            let one = |p: String| finding(Severity::Error, codes::WRAP, format!("`[wrap]`: {p}"));
            problems.into_iter().map(one).collect::<Vec<_>>()
        })?;
        all.insert(name.to_owned(), text);
    }
    Ok(all)
}
