//! The git side against repositories on disk.

use std::path::Path;
use std::process::Command;

use expect_test::expect;

use super::super::tests::{fetcher, options};
use super::super::testserver::{Reply, Server};
use super::super::{FetchSpec, Fetched, What};
use super::*;
use crate::error::Kind;
use reqwest::Url;

fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=t", "-c", "user.email=t@t.test", "-c", "protocol.file.allow=always"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_COMMITTER_DATE", "2020-02-02T00:00:00Z")
        .env("GIT_AUTHOR_DATE", "2020-02-02T00:00:00Z")
        .output()
        .unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// A repository with one commit and the tag `v1`; its address and commit.
fn repository(dir: &Path, files: &[(&str, &str)]) -> (String, String) {
    std::fs::create_dir_all(dir).unwrap();
    git(dir, &["init", "-q", "-b", "main"]);
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    git(dir, &["add", "-A", "-f"]);
    git(dir, &["commit", "-q", "-m", "one"]);
    git(dir, &["tag", "-a", "-m", "tag", "v1"]);
    (Url::from_file_path(dir).unwrap().to_string(), git(dir, &["rev-parse", "HEAD"]))
}

fn clone(url: &str, rev: GitRev, submodules: bool, dir: &Path) -> Result<Checkout, Error> {
    let what = What::Git { url: url.to_owned(), rev, submodules };
    match fetcher(options()).fetch(&FetchSpec::new(what, None), dir, Watch::nobody()) {
        Ok(Fetched::Checkout(checkout)) => Ok(checkout),
        Ok(Fetched::File(_)) => panic!("a checkout was asked for"),
        Err(e) => Err(e.into_error()),
    }
}

/// Every path below `root`, folders with a `/`, links with their text.
fn listing(root: &Path) -> Vec<String> {
    fn walk(root: &Path, at: &Path, out: &mut Vec<String>) {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let kind = path.symlink_metadata().unwrap().file_type();
            if kind.is_dir() {
                out.push(format!("{name}/"));
                walk(root, &path, out);
            } else if kind.is_symlink() {
                out.push(format!("{name} -> {}", std::fs::read_link(&path).unwrap().display()));
            } else {
                out.push(format!("{name}: {}", std::fs::read_to_string(&path).unwrap().trim()));
            }
        }
    }
    let mut out = Vec::new();
    walk(root, root, &mut out);
    out.sort();
    out
}

#[test]
fn a_commit_a_short_commit_and_a_tag_give_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    let files =
        [("a.txt", "one"), (".gitattributes", "b.txt export-ignore\n*.txt filter=lfs"), ("d/b.txt", "two")];
    let (url, commit) = repository(&dir.path().join("repo"), &files);
    std::os::unix::fs::symlink("a.txt", dir.path().join("repo/link")).unwrap();
    git(&dir.path().join("repo"), &["add", "link"]);
    git(&dir.path().join("repo"), &["commit", "-q", "--amend", "-m", "with a link"]);
    let amended = git(&dir.path().join("repo"), &["rev-parse", "HEAD"]);
    let revs = [
        (GitRev::Rev(amended.clone()), true),
        (GitRev::Rev(amended[..9].to_owned()), true),
        // Only the tag reaches the first one.
        (GitRev::Tag("v1".into()), false),
        (GitRev::Rev(commit.clone()), false),
    ];
    for (rev, has_link) in revs {
        let got = clone(&url, rev, false, dir.path()).unwrap();
        assert_eq!(got.commit, if has_link { amended.clone() } else { commit.clone() });
        assert_eq!(got.time, 1_580_601_600);
        let mut want =
            vec![".gitattributes: b.txt export-ignore\n*.txt filter=lfs", "a.txt: one", "d/", "d/b.txt: two"];
        want.extend(has_link.then_some("link -> a.txt"));
        assert_eq!(listing(got.folder.path()), want);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the repository is left");
}

#[test]
fn submodules_come_at_every_depth_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    repository(&dir.path().join("leaf"), &[("leaf.txt", "leaf")]);
    let (_, _) = repository(&dir.path().join("middle"), &[("m.txt", "m")]);
    git(&dir.path().join("middle"), &["submodule", "--quiet", "add", "../leaf", "in/leaf"]);
    git(&dir.path().join("middle"), &["commit", "-q", "-m", "sub"]);
    let (url, _) = repository(&dir.path().join("top"), &[("t.txt", "t")]);
    let middle = Url::from_file_path(dir.path().join("middle")).unwrap().to_string();
    git(&dir.path().join("top"), &["submodule", "--quiet", "add", &middle, "middle"]);
    git(&dir.path().join("top"), &["commit", "-q", "-m", "sub"]);
    let head = GitRev::Rev(git(&dir.path().join("top"), &["rev-parse", "HEAD"]));
    let with = clone(&url, head.clone(), true, dir.path()).unwrap();
    let names: Vec<String> = listing(with.folder.path())
        .iter()
        .filter(|l| !l.contains(".gitmodules"))
        .map(|l| l.split(':').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        ["middle/", "middle/in/", "middle/in/leaf/", "middle/in/leaf/leaf.txt", "middle/m.txt", "t.txt"]
    );
    let without = clone(&url, head, false, dir.path()).unwrap();
    assert!(listing(without.folder.path()).contains(&"middle/".to_owned()));
    assert!(!without.folder.path().join("middle/m.txt").exists());
}

#[test]
fn no_hook_filter_or_monitor_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (repo, ran) = (dir.path().join("repo"), dir.path().join("ran"));
    let (url, commit) = repository(&repo, &[("a.txt", "one"), (".gitattributes", "* filter=evil")]);
    let script = format!("#!/bin/sh\ntouch {}\n", ran.display());
    for hook in ["post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc"] {
        let path = repo.join(".git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &script).unwrap();
        rustix::fs::chmod(&path, rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
    }
    git(&repo, &["config", "filter.evil.smudge", &format!("touch {}", ran.display())]);
    git(&repo, &["config", "core.fsmonitor", &format!("touch {}", ran.display())]);
    git(&repo, &["config", "uploadpack.packObjectsHook", &format!("touch {}; \"$@\"", ran.display())]);
    let _ = std::fs::remove_file(&ran);
    let got = clone(&url, GitRev::Rev(commit), true, dir.path()).unwrap();
    assert_eq!(listing(got.folder.path()), [".gitattributes: * filter=evil", "a.txt: one"]);
    assert!(!ran.exists());
}

#[test]
fn what_a_repository_lacks_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (url, _) = repository(&dir.path().join("repo"), &[("a", "1")]);
    let tell = |rev| {
        let error = clone(&url, rev, false, dir.path()).unwrap_err();
        error.to_string().replace(&url, "REPO")
    };
    expect!["failed to fetch `REPO at v9`: the repository has no tag `v9`"]
        .assert_eq(&tell(GitRev::Tag("v9".into())));
    let none = "0123456789".repeat(4);
    expect!["failed to fetch `REPO at 0123456789012345678901234567890123456789`: the repository has no commit `0123456789012345678901234567890123456789`"]
        .assert_eq(&tell(GitRev::Rev(none)));
    expect![
        "failed to fetch `REPO at main`: cannot fetch the commit `main`: a commit id has 4 to 64 hex digits"
    ]
    .assert_eq(&tell(GitRev::Rev("main".into())));
    expect!["failed to fetch `REPO at --upload-pack=x`: cannot fetch the tag `--upload-pack=x`: git allows no such name"]
        .assert_eq(&tell(GitRev::Tag("--upload-pack=x".into())));
}

#[test]
fn without_git_and_with_too_much_the_reason_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let (url, commit) = repository(&dir.path().join("repo"), &[("a", "more than ten bytes")]);
    let what = What::Git { url, rev: GitRev::Rev(commit), submodules: false };
    let mut spec = FetchSpec::new(what, None);
    spec.limit = 10;
    let small = fetcher(options()).fetch(&spec, dir.path(), Watch::nobody()).unwrap_err().into_error();
    assert!(small.to_string().ends_with("it has more files or bytes than allowed"), "{small}");
    let mut none = fetcher(options());
    none.git.program = None;
    let missing = none.fetch(&spec, dir.path(), Watch::nobody()).unwrap_err().into_error();
    assert_eq!((missing.kind, missing.hints), (Kind::Environment, vec!["install `git`".to_owned()]));
}

#[test]
fn a_redirect_that_a_login_does_not_follow_is_explained() {
    let server = Server::start(|_| Reply::redirect("/other.git/info/refs?service=git-upload-pack"));
    let dir = tempfile::tempdir().unwrap();
    let url = server.url("/x.git").replace("http://", "http://me:hunter2@");
    let error = clone(&url, GitRev::Tag("v1".into()), false, dir.path()).unwrap_err();
    assert!(error.to_string().contains("the address redirects, and a login is not sent on"), "{error}");
    assert_eq!(error.hints, ["write the final address of the repository"]);
    assert!(server.paths().iter().all(|path| path.starts_with("/x.git/")), "{:?}", server.paths());
}

#[test]
fn a_login_reaches_the_server_and_no_message() {
    let server = Server::start(|_| Reply::not_found());
    let dir = tempfile::tempdir().unwrap();
    let url = server.url("/x.git").replace("http://", "http://me:hunter2@");
    let error = clone(&url, GitRev::Tag("v1".into()), false, dir.path()).unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    assert!(error.to_string().contains("not found"), "{error}");
    let first = server.requests().remove(0);
    assert_eq!(first.header("authorization"), Some("Basic bWU6aHVudGVyMg=="));
    assert!(first.path.starts_with("/x.git/info/refs"));
}
