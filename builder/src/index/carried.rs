//! The default index that an interpreter's own pip carries, read from the text
//! of its files: no process is started and no address is written here.
//!
//! Knows where pip's files lie. Must never know configuration.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use reqwest::Url;

/// The file of pip that names its default index.
const FILE: &str = "pip/_internal/models/index.py";
const LIMIT: u64 = 1 << 20;

/// Where an interpreter keeps pip, told by whoever knows interpreters.
#[derive(Clone, Debug, Default)]
pub struct Carrier {
    /// site-packages and dist-packages.
    pub site_packages: Vec<PathBuf>,
    /// The standard library (`lib/python3.12`), for ensurepip's wheel.
    pub stdlib: Option<PathBuf>,
    /// sysconfig's WHEEL_PKG_DIR, where distributions put that wheel.
    pub wheel_pkg_dir: Option<PathBuf>,
    /// `sys.prefix`: pip reads its `pip.conf` too.
    pub prefix: Option<PathBuf>,
}

/// Gives what is remembered of a key.
pub type Recall = dyn Fn(&str) -> Option<String> + Send + Sync;
/// Remembers a value (the second) of a key.
pub type Remember = dyn Fn(&str, &str) + Send + Sync;

/// Remembers small texts between runs (the store does).
pub struct Memo {
    /// What is remembered of a key.
    pub recall: Box<Recall>,
    /// Remembers a value of a key.
    pub remember: Box<Remember>,
}

impl Memo {
    /// Remembers nothing.
    pub fn none() -> Self {
        Self { recall: Box::new(|_| None), remember: Box::new(|_, _| {}) }
    }
}

/// The default index and the file that names it.
pub(super) fn find(carrier: &Carrier, memo: &Memo) -> Option<(Url, PathBuf)> {
    for folder in &carrier.site_packages {
        let path = folder.join(FILE);
        let text = std::fs::File::open(&path).ok().and_then(read_text);
        if let Some(url) = text.as_deref().and_then(index_of) {
            return Some((url, path));
        }
    }
    let bundled = carrier.stdlib.as_ref().map(|s| s.join("ensurepip/_bundled"));
    let folders = bundled.into_iter().chain(carrier.wheel_pkg_dir.clone());
    folders.flat_map(|folder| pip_wheels(&folder)).find_map(|wheel| Some((of_wheel(&wheel, memo)?, wheel)))
}

/// pip's wheels in a folder, in order of their names.
fn pip_wheels(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let is_pip = |p: &PathBuf| {
        let name = p.file_name().and_then(|n| n.to_str()).unwrap_or("");
        name.starts_with("pip-") && name.ends_with(".whl")
    };
    let mut wheels: Vec<PathBuf> = entries.map(|e| e.path()).filter(is_pip).collect();
    wheels.sort();
    wheels
}

fn of_wheel(wheel: &Path, memo: &Memo) -> Option<Url> {
    let meta = wheel.metadata().ok()?;
    let changed = meta.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?.as_nanos();
    let key = format!("{}|{}|{changed}", wheel.display(), meta.len());
    if let Some(known) = (memo.recall)(&key) {
        return Url::parse(&known).ok();
    }
    let mut archive = zip::ZipArchive::new(std::fs::File::open(wheel).ok()?).ok()?;
    let url = index_of(&read_text(archive.by_name(FILE).ok()?)?)?;
    (memo.remember)(&key, url.as_str());
    Some(url)
}

fn read_text(from: impl std::io::Read) -> Option<String> {
    let mut text = String::new();
    from.take(LIMIT).read_to_string(&mut text).ok()?;
    Some(text)
}

/// `PyPI = PackageIndex("https://…/", …)` -> the address of its simple pages.
fn index_of(text: &str) -> Option<Url> {
    let (_, after) = text.split_once("PyPI = PackageIndex(")?;
    let open = after.find(['"', '\''])?;
    let quote = after[open..].chars().next()?;
    let (address, _) = after[open + 1..].split_once(quote)?;
    let url = Url::parse(address).ok().filter(|u| u.scheme().starts_with("http"))?;
    url.join("simple/").ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::{Arc, Mutex};

    use super::*;

    const TEXT: &str =
        "import x\n\nPyPI = PackageIndex(\n    'https://index.test/',\n    y=\"files.test\"\n)\n";

    fn wheel(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
        zip.start_file(FILE, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(TEXT.as_bytes()).unwrap();
        zip.finish().unwrap();
    }

    #[test]
    fn installed_pip_comes_before_bundled_wheels() {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("site");
        let carrier = Carrier {
            site_packages: vec![dir.path().join("none"), site.clone()],
            stdlib: Some(dir.path().join("lib")),
            wheel_pkg_dir: Some(dir.path().join("wheels")),
            prefix: None,
        };
        assert_eq!(find(&carrier, &Memo::none()), None);
        for wheel_path in ["wheels/pip-23.whl", "lib/ensurepip/_bundled/pip-24.whl"] {
            wheel(&dir.path().join(wheel_path));
            let (url, from) = find(&carrier, &Memo::none()).unwrap();
            assert_eq!((url.as_str(), from), ("https://index.test/simple/", dir.path().join(wheel_path)));
        }
        let file = site.join(FILE);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, TEXT.replace("index.test", "other.test")).unwrap();
        assert_eq!(find(&carrier, &Memo::none()).unwrap().0.as_str(), "https://other.test/simple/");
    }

    #[test]
    fn a_wheel_is_opened_once() {
        let dir = tempfile::tempdir().unwrap();
        wheel(&dir.path().join("pip-24.whl"));
        let carrier = Carrier { wheel_pkg_dir: Some(dir.path().to_owned()), ..Carrier::default() };
        let kept: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let (read, write) = (Arc::clone(&kept), Arc::clone(&kept));
        let memo = Memo {
            recall: Box::new(move |key| {
                read.lock().unwrap().iter().find(|(k, _)| k == key).map(|(_, v)| v.replace("index", "memory"))
            }),
            remember: Box::new(move |key, value| write.lock().unwrap().push((key.into(), value.into()))),
        };
        assert_eq!(find(&carrier, &memo).unwrap().0.as_str(), "https://index.test/simple/");
        assert_eq!(find(&carrier, &memo).unwrap().0.as_str(), "https://memory.test/simple/");
        assert_eq!(kept.lock().unwrap().len(), 1);
    }
}
