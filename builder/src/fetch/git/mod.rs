//! A commit's files by the git program, with everything of git's that runs
//! code or follows the user's settings switched off.
//!
//! Knows addresses, revisions and submodules. Must never know archives; hooks,
//! filters, LFS, file-system monitors and foreign protocols never run. Only in
//! the user's own repository ([`own`]) all is the user's.

mod address;
mod own;
mod run;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::auth::shown_text;
use super::http::{Failure, Http, Verdict};
use super::{Checkout, GitRev, Watch};
use crate::error::{Error, IoContext as _, Result};
use address::{Address, relative};
pub use own::OwnRepository;
pub use run::GitOptions;
use run::{Git, Output};

const MOST_SUBMODULES: usize = 500;
const MOST_ENTRIES: usize = 1_000_000;

/// What is asked of a repository.
pub(super) struct Wanted<'a> {
    pub url: &'a str,
    pub rev: &'a GitRev,
    pub submodules: bool,
    pub limit: u64,
}

/// One repository on its way into one folder.
struct Job {
    address: Address,
    rev: GitRev,
    worktree: PathBuf,
}

/// A link to a commit of another repository, as a tree holds it.
struct GitLink {
    path: String,
    commit: String,
}

/// Fetches the commit and lays its files into a new folder inside `into`.
pub(super) fn checkout(
    options: &GitOptions,
    http: &Http,
    wanted: &Wanted<'_>,
    (into, watch): (&Path, Watch<'_>),
) -> Result<Checkout, Failure> {
    let address = Address::parse(wanted.url).map_err(Failure::last)?;
    check_rev(wanted.rev).map_err(Failure::last)?;
    let make = |prefix: &str| {
        tempfile::Builder::new()
            .prefix(prefix)
            .tempdir_in(into)
            .doing(|| format!("failed to make a folder in `{}`", into.display()))
            .map_err(Failure::last)
    };
    let (work, folder): (TempDir, TempDir) = (make("git-")?, make("checkout-")?);
    let git = Git::new(options, http, work.path(), (&address, watch))?;
    let from = address.shown();
    let first = Job { address, rev: wanted.rev.clone(), worktree: folder.path().to_owned() };
    let (mut queue, mut done, mut room) = (vec![first], 0, wanted.limit);
    let mut head = None;
    while let Some(job) = queue.pop() {
        let git_dir = work.path().join(format!("{done}.git"));
        let repo = Repo { git: &git, dir: &git_dir, job: &job };
        let (commit, time) = repo.fetch()?;
        let links = repo.measure(&commit, &mut room)?;
        repo.lay_out(&commit)?;
        head.get_or_insert((commit.clone(), time));
        if wanted.submodules && !links.is_empty() {
            queue.extend(repo.submodules(&commit, &links)?);
        }
        done += 1;
        if done + queue.len() > MOST_SUBMODULES {
            let why = format!("it has more than {MOST_SUBMODULES} submodules");
            return Err(Failure::last(Error::environment("failed to fetch submodules").because(why)));
        }
    }
    let (commit, time) = head.expect("the queue began with one job");
    Ok(Checkout { folder, commit, time, from })
}

/// The commit that a reference of a repository is at now.
pub(super) fn commit_of(
    options: &GitOptions,
    http: &Http,
    (url, reference): (&str, &str),
    (into, watch): (&Path, Watch<'_>),
) -> Result<String, Failure> {
    let address = Address::parse(url).map_err(Failure::last)?;
    let work = tempfile::Builder::new()
        .prefix("git-")
        .tempdir_in(into)
        .doing(|| format!("failed to make a folder in `{}`", into.display()))
        .map_err(Failure::last)?;
    let git = Git::new(options, http, work.path(), (&address, watch))?;
    let args = ["ls-remote", "--", address.as_str(), reference].map(str::to_owned);
    let out = http.retry(watch.stop, || git.run(&args, Some(&address)))?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let mut lines = text.lines().filter_map(|line| line.split_once('\t'));
    let found = lines.find(|(_, name)| *name == reference).map(|(id, _)| id.to_owned());
    found.ok_or_else(|| {
        let what = match reference.strip_prefix("refs/heads/") {
            Some(branch) => format!("has no branch `{branch}`"),
            None => "has no commit yet".to_owned(),
        };
        Failure::last(Error::input(format!("the repository `{}` {what}", address.shown())))
    })
}

fn check_rev(rev: &GitRev) -> Result<()> {
    match rev {
        GitRev::Rev(id) => {
            let hex = id.bytes().all(|b| b.is_ascii_hexdigit());
            if hex && (4..=64).contains(&id.len()) {
                return Ok(());
            }
            Err(Error::input(format!("cannot fetch the commit `{id}`: a commit id has 4 to 64 hex digits"))
                .hint("name a tag with `tag`; a branch moves and cannot be a source"))
        }
        GitRev::Tag(tag) => {
            let bad = |c: char| c.is_control() || c.is_whitespace() || ":^~?*[\\".contains(c);
            if tag.is_empty() || tag.starts_with(['-', '/', '.']) || tag.contains("..") || tag.contains(bad) {
                return Err(Error::input(format!("cannot fetch the tag `{tag}`: git allows no such name")));
            }
            Ok(())
        }
    }
}

fn is_full(id: &str) -> bool {
    id.len() == 40 || id.len() == 64
}

struct Repo<'a> {
    git: &'a Git<'a>,
    dir: &'a Path,
    job: &'a Job,
}

impl Repo<'_> {
    fn run(&self, args: &[&str]) -> Result<Output, Failure> {
        let mut all = vec![
            format!("--git-dir={}", self.dir.display()),
            format!("--work-tree={}", self.job.worktree.display()),
        ];
        all.extend(args.iter().map(|a| (*a).to_owned()));
        self.git.run(&all, (args.first() == Some(&"fetch")).then_some(&self.job.address))
    }

    /// Gets the commit, alone where the server allows it; its id and time.
    fn fetch(&self) -> Result<(String, u64), Failure> {
        let sha256 = matches!(&self.job.rev, GitRev::Rev(id) if id.len() == 64);
        let format = if sha256 { "--object-format=sha256" } else { "--object-format=sha1" };
        let dir = self.dir.display().to_string();
        self.git.run(&["init", "--bare", "--quiet", format, "--template=", &dir].map(str::to_owned), None)?;
        let info = self.dir.join("info");
        // The highest of all attribute files: no filter driver, whatever the tree says.
        std::fs::create_dir_all(&info)
            .and_then(|()| std::fs::write(info.join("attributes"), "* -filter\n"))
            .doing(|| "failed to write git attributes".to_owned())
            .map_err(Failure::last)?;
        let commit = match &self.job.rev {
            GitRev::Tag(tag) => {
                let spec = format!("+refs/tags/{tag}:refs/tags/{tag}");
                self.download(&["--depth=1"], &[&spec]).map_err(|e| no_such(e, "tag", tag))?;
                format!("refs/tags/{tag}")
            }
            GitRev::Rev(id) if is_full(id) && self.download(&["--depth=1"], &[id]).is_ok() => id.clone(),
            GitRev::Rev(id) => {
                // Abbreviated, or a server that gives only what it advertises.
                let specs = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
                self.download(&[], &specs)?;
                id.clone()
            }
        };
        let wanted = format!("{commit}^{{commit}}");
        let out = self
            .run(&["log", "-1", "--no-show-signature", "--format=%H %ct", "--end-of-options", &wanted])
            .map_err(|e| no_such(e, "commit", &commit))?;
        let text = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        let (id, time) = text.split_once(' ').unwrap_or((&text, "0"));
        Ok((id.to_owned(), time.parse().unwrap_or(0)))
    }

    fn download(&self, flags: &[&str], specs: &[&str]) -> Result<(), Failure> {
        let mut args = vec!["fetch", "--progress", "--no-tags", "--no-recurse-submodules", "--no-auto-gc"];
        args.extend(flags);
        args.extend(["--", self.job.address.as_str()]);
        args.extend(specs);
        self.git.http.retry(self.git.watch.stop, || self.run(&args)).map(drop)
    }

    /// Counts the commit's files against `room` before they are laid out; its links.
    fn measure(&self, commit: &str, room: &mut u64) -> Result<Vec<GitLink>, Failure> {
        let out = self.run(&["ls-tree", "-r", "-l", "-z", "--full-tree", commit])?;
        let mut links = Vec::new();
        for (count, entry) in out.stdout.split(|b| *b == 0).filter(|e| !e.is_empty()).enumerate() {
            let text = String::from_utf8_lossy(entry);
            let (head, path) = text.split_once('\t').unwrap_or((&text, ""));
            let mut words = head.split_whitespace();
            let (mode, _, id, size) = (words.next(), words.next(), words.next(), words.next());
            if mode == Some("160000") {
                links.push(GitLink { path: path.to_owned(), commit: id.unwrap_or("").to_owned() });
            }
            let size: u64 = size.and_then(|s| s.parse().ok()).unwrap_or(0);
            *room = room.checked_sub(size).filter(|_| count < MOST_ENTRIES).ok_or_else(|| {
                let doing = format!("failed to check out `{}`", self.job.address.shown());
                Failure::last(Error::environment(doing).because("it has more files or bytes than allowed"))
            })?;
        }
        Ok(links)
    }

    fn lay_out(&self, commit: &str) -> Result<(), Failure> {
        self.run(&["checkout", "--quiet", "--force", "--detach", commit, "--"]).map(drop)
    }

    /// The submodules of a commit as jobs; the rules are those of `git submodule update --init`.
    fn submodules(&self, commit: &str, links: &[GitLink]) -> Result<Vec<Job>, Failure> {
        let blob = format!("--blob={commit}:.gitmodules");
        let out = self.run(&["config", &blob, "-z", "--list"])?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let mut jobs = Vec::new();
        for link in links {
            let fail = |why: String| {
                let doing = format!(
                    "failed to fetch the submodule `{}` of `{}`",
                    link.path,
                    self.job.address.shown()
                );
                Failure::last(Error::environment(doing).because(why))
            };
            let name = entries(&text).find(|(_, key, v)| *key == "path" && *v == link.path).map(|e| e.0);
            let value =
                |key: &str| entries(&text).filter(|e| Some(e.0) == name && e.1 == key).last().map(|e| e.2);
            if value("update") == Some("none") {
                continue;
            }
            let url = value("url").ok_or_else(|| fail("`.gitmodules` has no address for it".into()))?;
            let address = relative(&self.job.address, url)
                .and_then(|text| Address::parse(&text))
                .map_err(|e| fail(e.to_string()))?;
            if address.is_local() && !self.job.address.is_local() {
                return Err(fail(format!("`{}` is on this machine", shown_text(url))));
            }
            let worktree = real_folder(&self.job.worktree, &link.path)
                .ok_or_else(|| fail("its path is not a folder of the checkout".into()))?;
            jobs.push(Job { address, rev: GitRev::Rev(link.commit.clone()), worktree });
        }
        Ok(jobs)
    }
}

/// `submodule.NAME.KEY\nVALUE\0` as (name, key, value).
fn entries(list: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    list.split('\0').filter_map(|entry| {
        let (key, value) = entry.split_once('\n')?;
        let (name, key) = key.strip_prefix("submodule.")?.rsplit_once('.')?;
        Some((name, key, value))
    })
}

/// `path` below `root` when every part of it is a folder and none a link.
fn real_folder(root: &Path, path: &str) -> Option<PathBuf> {
    let mut at = root.to_owned();
    for part in crate::tree::RelPath::new(path).ok()?.as_str().split('/') {
        at.push(part);
        if !at.symlink_metadata().ok()?.is_dir() {
            return None;
        }
    }
    Some(at)
}

fn no_such(failure: Failure, what: &str, name: &str) -> Failure {
    let said = failure.error.causes.join("\n");
    let missing =
        ["couldn't find remote ref", "unknown revision", "bad revision", "Needed a single revision"];
    if failure.verdict != Verdict::Stopped && missing.iter().any(|m| said.contains(m)) {
        return Failure::last(Error::input(format!("the repository has no {what} `{name}`")));
    }
    failure
}
