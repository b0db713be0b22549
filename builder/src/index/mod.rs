//! The package index: PEP 691 JSON, PEP 503 HTML, pip-compatible configuration.
//!
//! Knows project pages and where users keep addresses and credentials. Must
//! never know recipes or builds; no index host is written here.

mod cache;
mod carried;
mod config;
mod files;
mod html;
mod ini;
mod metadata;
mod page;
mod project;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use recipes::name::{PackageName, Sha256};
use reqwest::Url;
use reqwest::header::{
    ACCEPT, AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};

use crate::ambient::Ambient;
use crate::error::{Error, IoContext as _, Result};
use crate::fetch::auth::shown;
use crate::fetch::http::{Failure, Http, Page, Verdict};
use crate::fetch::{FetchError, Fetcher, GitOptions, Locate, Located, PypiFile};
use cache::Kept;

pub use carried::{Carrier, Memo, Recall, Remember};
pub use config::{Address, Config, Named};
pub use files::{FileKind, classify};
pub use page::{Beside, ProjectFile};
pub use project::{IndexError, Project, Release};

/// No real project page is larger.
const PAGE_LIMIT: u64 = 64 << 20;

/// How pages are kept between runs.
#[derive(Clone, Debug)]
pub struct Pages {
    /// The folder they are kept in; made when needed.
    pub folder: PathBuf,
    /// Take none of them without asking the server anew.
    pub refresh: bool,
    /// The time of the run.
    pub now: SystemTime,
}

type Slot = Arc<OnceLock<Result<Option<Arc<Project>>, PageError>>>;

/// A page's address, and whether what is remembered of it may be trusted.
type Asked = (Url, bool);

/// Files of all pages that are held. A large project has thousands, and a run
/// looks at most pages once: the others are read again where they are kept.
const MOST_FILES: usize = 10_000;

/// The pages that are held.
#[derive(Default)]
struct Held {
    slots: HashMap<Asked, Slot>,
    /// Those that have come, the oldest first, with the number of their files.
    order: VecDeque<(Asked, usize)>,
}

impl Held {
    /// A page has come; gives up the oldest ones when there are too many.
    fn came(&mut self, asked: Asked, files: usize, most: usize) {
        self.order.push_back((asked, files));
        let mut total: usize = self.order.iter().map(|(_, files)| files).sum();
        while total > most && self.order.len() > 1 {
            let Some((oldest, files)) = self.order.pop_front() else { return };
            self.slots.remove(&oldest);
            total -= files;
        }
    }
}

/// Why a page could not be had. Told to everybody who waits for it.
#[derive(Clone, Debug)]
enum PageError {
    Offline,
    Stopped,
    Failed(Error),
}

/// The package indexes of a run. Shared by all threads; each page is asked
/// for once, however many want it.
pub struct Index {
    http: Arc<Http>,
    config: Config,
    pages: Pages,
    held: Mutex<Held>,
    /// Pages that the server has vouched for in this run.
    vouched: Mutex<HashSet<Url>>,
    most_files: usize,
    /// Pages that were taken from memory without asking.
    unasked: Mutex<HashSet<Url>>,
}

impl Index {
    /// The indexes of a configuration, reached through `http`.
    pub fn new(http: Arc<Http>, config: Config, pages: Pages) -> Self {
        Self {
            http,
            config,
            pages,
            held: Mutex::default(),
            vouched: Mutex::default(),
            most_files: MOST_FILES,
            unasked: Mutex::default(),
        }
    }

    /// The index and the fetcher of a run, with one way to the network.
    /// `config.http.offline` makes both of them offline.
    pub fn open(ambient: &Ambient, config: Config, pages: Pages) -> (Arc<Self>, Fetcher) {
        let http = Arc::new(Http::new(config.http.clone()));
        let index = Arc::new(Self::new(Arc::clone(&http), config, pages));
        let fetcher = Fetcher::new(http, GitOptions::of(ambient), index.locator());
        (index, fetcher)
    }

    /// How many requests the run has sent, those of its fetcher among them.
    pub fn requests(&self) -> usize {
        self.http.requests()
    }

    /// Where a run looks for projects whose recipe names no index, in order.
    pub fn addresses(&self) -> Result<Vec<Address>> {
        self.config.addresses(None).map(|(addresses, _)| addresses)
    }

    /// A project of the configured indexes: the first that has it.
    pub fn project(&self, name: &PackageName) -> Result<Arc<Project>, IndexError> {
        self.project_of(name, None)
    }

    /// A project of one index: a name from `[index.NAME]` or an address.
    pub fn project_of(&self, name: &PackageName, index: Option<&str>) -> Result<Arc<Project>, IndexError> {
        let addresses = self.look_in(index)?;
        let mut failed = None;
        for address in &addresses {
            match self.page(name, address, true) {
                Ok(Some(project)) => return Ok(project),
                Ok(None) => {}
                Err(IndexError::Stopped) => return Err(IndexError::Stopped),
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        Err(failed.unwrap_or_else(|| no_project(name, &addresses)))
    }

    /// The file a spec means. Every index that is configured is looked in; of
    /// several files the one with the promised hash is meant, on whichever index
    /// it is. An index that fails is passed over where another has the file.
    pub fn find(&self, wanted: &PypiFile, promised: Option<&Sha256>) -> Result<ProjectFile, IndexError> {
        self.find_noting(wanted, promised).map(|(file, _)| file)
    }

    /// [`Index::find`], and which indexes failed.
    fn find_noting(
        &self,
        wanted: &PypiFile,
        promised: Option<&Sha256>,
    ) -> Result<(ProjectFile, Vec<String>), IndexError> {
        let addresses = self.look_in(wanted.index.as_deref())?;
        let (mut failed, mut none, mut other) = (Vec::new(), None, None);
        for address in &addresses {
            match self.look_on(address, wanted, promised) {
                Ok(Some(file)) if !is_other(&file, promised) => {
                    return Ok((file, failed.into_iter().filter_map(note).collect()));
                }
                Ok(Some(file)) => drop(other.get_or_insert(file)),
                Ok(None) => {}
                Err(IndexError::Stopped) => return Err(IndexError::Stopped),
                Err(error @ IndexError::NoFile(_)) => drop(none.get_or_insert(error)),
                Err(error) => failed.push(error),
            }
        }
        // What is promised may lie on the index that failed: the file that was
        // found instead of it must not be offered as the new one.
        match (failed.into_iter().next(), other) {
            (Some(error), _) => Err(error),
            (None, Some(file)) => Ok((file, Vec::new())),
            (None, None) => Err(none.unwrap_or_else(|| no_project(&wanted.project, &addresses))),
        }
    }

    /// The file on one index; `None` when that has no such project. What a
    /// remembered page does not have may have been published since: the server
    /// is asked.
    fn look_on(
        &self,
        address: &Address,
        wanted: &PypiFile,
        promised: Option<&Sha256>,
    ) -> Result<Option<ProjectFile>, IndexError> {
        let Some(mut project) = self.page(&wanted.project, address, true)? else { return Ok(None) };
        let found = project.pick(wanted, promised).is_ok_and(|file| !is_other(file, promised));
        if !found && self.was_unasked(&wanted.project, address) {
            project = self.page(&wanted.project, address, false)?.unwrap_or(project);
        }
        project.pick(wanted, promised).cloned().map(Some)
    }

    /// The text of a wheel's METADATA: the file beside it (PEP 658), else read
    /// by ranges from the wheel's tail.
    pub fn metadata(&self, file: &ProjectFile) -> Result<String, IndexError> {
        let url = parse(&file.url)?;
        let bytes = match file.metadata {
            Beside::Yes(hash) => {
                let mut beside = url.clone();
                beside.set_path(&format!("{}.metadata", url.path()));
                let page = self.http.page(&beside, &[], metadata::METADATA_LIMIT);
                let body = page.map(|p| p.body).map_err(|f| told(f, &file.name))?;
                if hash.is_some_and(|h| crate::key::Digest::of(&body).0 != h.0) {
                    let doing = format!("failed to read METADATA of `{}`", file.name);
                    let why = "it has another hash than the index says";
                    return Err(IndexError::Failed(Error::environment(doing).because(why)));
                }
                body
            }
            Beside::No => metadata::by_ranges(&self.http, &url).map_err(|f| told(f, &file.name))?,
        };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// This index as the fetcher wants it.
    pub fn locator(self: &Arc<Self>) -> Box<Locate> {
        let index = Arc::clone(self);
        Box::new(move |wanted, promised| {
            let (file, mut notes) = index.find_noting(wanted, promised).map_err(FetchError::from)?;
            let url = parse(&file.url).map_err(FetchError::from)?;
            notes.extend(file.yanked.as_ref().map(|why| match why.trim() {
                "" => format!("`{}` is yanked", file.name),
                why => format!("`{}` is yanked: {why}", file.name),
            }));
            Ok(Located { url, name: file.name, size: file.size, sha256: file.sha256, notes })
        })
    }

    fn look_in(&self, index: Option<&str>) -> Result<Vec<Address>, IndexError> {
        let (addresses, login) = self.config.addresses(index).map_err(IndexError::Failed)?;
        if let (Some(login), Some(address)) = (login, addresses.first()) {
            self.http.learn(&address.url, login);
        }
        Ok(addresses)
    }

    /// The page of a project on one index; `None` when the index has no such project.
    /// With `trust`, one that was asked for lately is taken from memory.
    fn page(
        &self,
        name: &PackageName,
        address: &Address,
        trust: bool,
    ) -> Result<Option<Arc<Project>>, IndexError> {
        let url = page_url(name, address).map_err(|e| {
            IndexError::Failed(Error::input(format!("cannot use the index {address}")).because(e))
        })?;
        let slot: Slot = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(held.slots.entry((url.clone(), trust)).or_default())
        };
        // Whoever comes second waits here for the first.
        let page = slot.get_or_init(|| {
            let page = self.load(name, &url, trust);
            if let Ok(Some(project)) = &page {
                let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
                held.came((url.clone(), trust), project.files.len(), self.most_files);
            }
            page
        });
        page.clone().map_err(|e| match e {
            PageError::Offline => IndexError::Offline { project: name.clone() },
            PageError::Stopped => IndexError::Stopped,
            PageError::Failed(error) => IndexError::Failed(error),
        })
    }

    /// Whether a page was taken from memory while the server could be asked.
    fn was_unasked(&self, name: &PackageName, address: &Address) -> bool {
        let unasked = self.unasked.lock().unwrap_or_else(PoisonError::into_inner);
        page_url(name, address).is_ok_and(|url| unasked.contains(&url))
    }

    fn load(&self, name: &PackageName, url: &Url, trust: bool) -> Result<Option<Arc<Project>>, PageError> {
        if url.scheme() == "file" {
            return local_page(name, url).map_err(PageError::Failed);
        }
        let now = self.pages.now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let kept = cache::read(&self.pages.folder, url);
        let known = |kept: Kept| Ok(Some(Arc::new(Project::new(name, shown(url), kept.files))));
        let offline = self.http.options().offline;
        let kept = match kept {
            Some(kept) if offline => return known(kept),
            Some(kept) if trust && self.is_vouched(url) => return known(kept),
            Some(kept) if trust && !self.pages.refresh && kept.is_trusted(now) => {
                self.unasked.lock().unwrap_or_else(PoisonError::into_inner).insert(url.clone());
                return known(kept);
            }
            None if offline => return Err(PageError::Offline),
            kept => kept,
        };
        let page = match self.http.page(url, &self.headers(kept.as_ref()), PAGE_LIMIT) {
            Err(Failure { verdict: Verdict::Status(404 | 410), .. }) => return Ok(None),
            Err(Failure { verdict: Verdict::Stopped, .. }) => return Err(PageError::Stopped),
            Err(failure) => {
                let doing = format!("failed to read the project page of `{name}`");
                return Err(PageError::Failed(failure.error.within(doing)));
            }
            Ok(page) => page,
        };
        let kept = match kept {
            Some(kept) if page.status == reqwest::StatusCode::NOT_MODIFIED => Kept { checked: now, ..kept },
            _ => read_page(name, &page, now).map_err(PageError::Failed)?,
        };
        let header = |name: HeaderName| page.headers.get(name).and_then(|v| v.to_str().ok());
        let kept = kept.lasting(header(CACHE_CONTROL), header(AGE));
        // Pages are large, and several come at once.
        drop(page);
        cache::write(&self.pages.folder, url, &kept);
        self.vouched.lock().unwrap_or_else(PoisonError::into_inner).insert(url.clone());
        known(kept)
    }

    fn is_vouched(&self, url: &Url) -> bool {
        self.vouched.lock().unwrap_or_else(PoisonError::into_inner).contains(url)
    }

    fn headers(&self, kept: Option<&Kept>) -> Vec<(HeaderName, String)> {
        let mut headers = vec![(ACCEPT, page::ACCEPT.to_owned())];
        match kept {
            _ if self.pages.refresh => headers.push((CACHE_CONTROL, "no-cache".into())),
            Some(Kept { etag: Some(etag), .. }) => headers.push((IF_NONE_MATCH, etag.clone())),
            Some(Kept { modified: Some(date), .. }) => headers.push((IF_MODIFIED_SINCE, date.clone())),
            _ => {}
        }
        headers
    }
}

fn page_url(name: &PackageName, address: &Address) -> Result<Url, impl std::fmt::Display + use<>> {
    address.url.join(&format!("{name}/"))
}

fn read_page(name: &PackageName, page: &Page, now: u64) -> Result<Kept> {
    let header = |name: HeaderName| page.headers.get(name).and_then(|v| v.to_str().ok());
    let kind = header(CONTENT_TYPE).unwrap_or("text/html");
    let files = page::read(&page.body, kind, &page.url).map_err(|why| {
        Error::environment(format!("failed to read the project page of `{name}`"))
            .because(format!("`{}`: {why}", shown(&page.url)))
            .hint("an index address ends where project names begin, often in `/simple/`")
    })?;
    Ok(Kept::new(now, header(ETAG), header(LAST_MODIFIED), files))
}

/// A folder of pages, as `wheelwright index` and other tools make them.
fn local_page(name: &PackageName, url: &Url) -> Result<Option<Arc<Project>>> {
    let folder =
        url.to_file_path().map_err(|()| Error::input(format!("`{}` names no folder", shown(url))))?;
    let file = folder.join("index.html");
    let size = match file.metadata() {
        Ok(meta) => meta.len(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).doing(|| format!("failed to read `{}`", file.display())),
    };
    if size > PAGE_LIMIT {
        return Err(Error::environment(format!("`{}` is larger than {PAGE_LIMIT} bytes", file.display())));
    }
    let body = std::fs::read(&file).doing(|| format!("failed to read `{}`", file.display()))?;
    let files = page::read(&body, "text/html", url).map_err(Error::environment)?;
    Ok(Some(Arc::new(Project::new(name, shown(url), files))))
}

/// Whether the index itself says that a file is not the promised one.
fn is_other(file: &ProjectFile, promised: Option<&Sha256>) -> bool {
    promised.is_some_and(|promised| file.sha256.is_some_and(|own| own != *promised))
}

/// What is told of an index that failed where another had the file.
fn note(error: IndexError) -> Option<String> {
    match error {
        IndexError::Offline { .. } => None,
        error => Some(format!("an index was passed over: {}", error.into_error())),
    }
}

fn no_project(name: &PackageName, addresses: &[Address]) -> IndexError {
    IndexError::NoProject {
        project: name.clone(),
        asked: addresses.iter().map(ToString::to_string).collect(),
    }
}

fn parse(url: &str) -> Result<Url, IndexError> {
    let doing = || format!("the index gave the address `{}`", crate::fetch::auth::shown_text(url));
    Url::parse(url).map_err(|e| IndexError::Failed(Error::environment(doing()).because(e)))
}

fn told(failure: Failure, file: &str) -> IndexError {
    match failure.verdict {
        Verdict::Stopped => IndexError::Stopped,
        Verdict::Offline => {
            let doing = format!("failed to read METADATA of `{file}`: this run is offline");
            IndexError::Failed(Error::environment(doing))
        }
        _ => IndexError::Failed(failure.error.within(format!("failed to read METADATA of `{file}`"))),
    }
}
