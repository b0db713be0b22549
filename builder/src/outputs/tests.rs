//! Environments, applications and results, made and run by a real Python.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use recipes::diag::Finding;

use super::env::{Composed, Spec, Style, compose};
use super::launcher::UserSite;
use super::modules::{Host, Member};
use super::{app, copies, modules, result};
use crate::key::Digest;
use crate::wheel::toy::{Toy, toy};
use crate::wheel::{Layout, Trouble, install};

mod applications;
mod edits;
mod environments;
mod hosts;

/// The real interpreter behind `python3`, asked once.
fn host() -> Host {
    static HOST: std::sync::OnceLock<Host> = std::sync::OnceLock::new();
    HOST.get_or_init(find_host).clone()
}

fn find_host() -> Host {
    let code = "import os, sys, sysconfig, platform\n\
                print(os.path.realpath(getattr(sys, '_base_executable', sys.executable)))\n\
                print(platform.python_version())\n\
                print(sysconfig.get_python_version() + ('t' if 't' in sys.abiflags else ''))";
    let out = Command::new("python3").args(["-c", code]).output().expect("python3 on PATH");
    let text = String::from_utf8(out.stdout).unwrap();
    let [exe, version, python] = text.lines().collect::<Vec<_>>().try_into().unwrap();
    let identity = Digest::of(b"interpreter");
    Host { exe: exe.into(), version: version.into(), python: python.into(), identity }
}

/// Installs a toy below `trees`.
fn member(trees: &Path, toy: &Toy) -> Member {
    let host = host();
    let layout = Layout { python: host.python.clone(), interpreter: host.identity };
    let tree = trees.join(format!("{}-{}", toy.name, toy.version));
    let installed = match install(&toy.wheel(), &layout, &tree) {
        Ok(installed) => installed,
        Err(trouble) => panic!("{trouble:?}"),
    };
    Member::of(installed.module, tree)
}

struct Made {
    composed: Composed,
    folder: PathBuf,
}

fn make(folder: &Path, members: &[Member], style: Style) -> Result<Made, Vec<Finding>> {
    let (host, urls) = (host(), BTreeMap::new());
    let spec = Spec {
        host: &host,
        style,
        members,
        target: None,
        at: folder,
        store: None,
        direct_urls: &urls,
        user_site: UserSite::Hidden,
    };
    match compose(&spec, folder) {
        Ok(composed) => Ok(Made { composed, folder: folder.to_owned() }),
        Err(Trouble::Findings(findings)) => Err(findings),
        Err(Trouble::Machine(e)) => panic!("{e}"),
    }
}

fn messages(findings: &[Finding]) -> String {
    findings.iter().map(Finding::render).collect()
}

fn run(program: &Path, args: &[&str]) -> String {
    ok(Command::new(program).args(args).output().unwrap())
}

fn ok(out: Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}
